"""A cluster that could not be is refused before it runs, in a sentence that says what would be right."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from simulator import (
    Crash,
    Election,
    KafkaBroker,
    KafkaConsumer,
    KafkaController,
    KafkaProducer,
    KafkaTopic,
    Link,
    Scenario,
    ScenarioError,
    kafka_links,
)
from tests.kafka import BROKERS, cluster_of

ORDERS = KafkaTopic("orders", replication_factor=3)


def refusals(**how: Any) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as refused:
        cluster_of(**how)
    return refused.value.problems


@pytest.mark.parametrize(
    ("topics", "sentence"),
    [
        (
            [evolve(ORDERS, cleanup_policy="keep")],
            'KafkaController("controller"), KafkaTopic("orders"): cleanup_policy is (\'keep\',) (INVALID_CONFIG);'
            ' it takes "delete", "compact" or both.',
        ),
        (
            [evolve(ORDERS, cleanup_policy=())],
            'KafkaController("controller"), KafkaTopic("orders"): cleanup_policy is () (INVALID_CONFIG);'
            ' it takes "delete", "compact" or both.',
        ),
        (
            [KafkaTopic("__consumer_offsets")],
            'KafkaController("controller"), KafkaTopic("__consumer_offsets"): the cluster keeps a topic of this name itself'
            " (INVALID_TOPIC_EXCEPTION); take another.",
        ),
        (
            [KafkaTopic("new orders")],
            'KafkaController("controller"), KafkaTopic("new orders"): this is no name of a topic (INVALID_TOPIC_EXCEPTION);'
            ' it takes 1 to 249 letters (a-z), digits, ".", "_" and "-", and is not "." or "..".',
        ),
        (
            [evolve(ORDERS, replication_factor=4)],
            'KafkaController("controller"), KafkaTopic("orders"): replication_factor is 4 (INVALID_REPLICATION_FACTOR);'
            " there are 3 brokers.",
        ),
        (
            [evolve(ORDERS, partitions=0)],
            'KafkaController("controller"), KafkaTopic("orders"): partitions is 0; it must be a whole number of at least 1.',
        ),
        (
            [evolve(ORDERS, retention_ms=-2)],
            'KafkaController("controller"), KafkaTopic("orders"): retention_ms is -2; it must be a number of at least -1 (ms).',
        ),
        (
            [ORDERS, ORDERS],
            'KafkaController("controller"): two topics are called "orders" (TOPIC_ALREADY_EXISTS); give each a name of its own.',
        ),
    ],
)
def test_a_topic_that_kafka_would_not_make_is_refused(topics: list[KafkaTopic], sentence: str):
    assert refusals(topics=topics) == (sentence,)


@pytest.mark.parametrize("name", [".", "..", "", "a" * 250])
def test_other_names_that_are_no_topics(name: str):
    assert "INVALID_TOPIC_EXCEPTION" in refusals(topics=[KafkaTopic(name)])[0]


def test_an_election_of_a_partition_that_is_not_there_is_refused():
    assert refusals(elections=[Election(100, "orders", 1)]) == (
        'KafkaController("controller"), Election: there is no partition orders-1 (UNKNOWN_TOPIC_OR_PARTITION);'
        " name one of its topics'.",
    )


def test_an_election_before_the_run_is_refused():
    assert refusals(elections=[Election(-1, "orders")]) == (
        'KafkaController("controller"), Election: at is -1; it must be a number of 0 or more (ms).',
    )


def test_a_fault_of_the_controller_is_refused():
    assert refusals(faults=[Crash("controller", at=100)]) == (
        'KafkaController("controller"): a fault strikes it, and controllers do not fail here; let the fault strike a broker.',
    )


def refused_links(*nodes: Any, links: list[Link] | None = None) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as refused:
        Scenario(nodes, links or kafka_links(nodes))
    return refused.value.problems


def test_a_controller_without_brokers_is_refused():
    assert refused_links(KafkaController("controller")) == (
        'KafkaController("controller"): no KafkaBroker is linked to it; add Link("controller", broker),'
        " or take kafka_links(nodes).",
    )


@pytest.mark.parametrize("controllers", [(), ("one", "other")])
def test_a_broker_belongs_to_one_controller(controllers: tuple[str, ...]):
    found = refused_links(*(KafkaController(name) for name in controllers), BROKERS[0])

    assert found == (
        f'KafkaBroker("broker-1"): it belongs to one KafkaController, and {len(controllers)} are linked to it;'
        " link it to one, or take kafka_links(nodes).",
    )


@pytest.mark.parametrize("most", ["replica_lag_time_max_ms", "replica_socket_timeout_ms"])
def test_a_follower_s_request_may_not_wait_for_longer_than_it_counts_as_alive(most: str):
    impatient = evolve(BROKERS[0], **{most: 400})

    assert refusals(topics=[], brokers=[impatient]) == (
        f'KafkaBroker("broker-1"): replica_fetch_wait_max_ms is 500.0; a broker wants it to be at most {most}, 400.',
    )


def test_brokers_that_share_a_partition_need_a_link():
    nodes = (KafkaController("controller", KafkaTopic("orders", replication_factor=2)), *BROKERS[:2])
    links = [Link("controller", broker.name) for broker in BROKERS[:2]]

    assert refused_links(*nodes, links=links)[0] == (
        'KafkaBroker("broker-1"): it shares partitions with "broker-2" and no link joins the two;'
        ' add Link("broker-1", "broker-2"), or take kafka_links(nodes).'
    )


@pytest.mark.parametrize("client", [KafkaProducer("shop"), KafkaConsumer("billing")])
def test_a_client_needs_a_link_to_every_broker(client: Any):
    nodes = (KafkaController("controller", ORDERS), *BROKERS, client)
    links = [link for link in kafka_links(nodes) if {link.source, link.target} != {client.name, "broker-2"}]

    assert refused_links(*nodes, links=links) == (
        f'{client}: "broker-2" may lead a partition and is not linked to it; add Link("{client.name}", "broker-2"),'
        " or take kafka_links(nodes).",
    )


def test_a_broker_of_no_cluster_has_no_clients():
    assert refused_links(KafkaProducer("shop")) == (
        'KafkaProducer("shop"): no KafkaBroker is linked to it; link it to every broker, or take kafka_links(nodes).',
    )


def test_a_topic_that_no_cluster_has_is_refused():
    assert refusals(topics=[], brokers=(*BROKERS, KafkaProducer("shop"))) == (
        'KafkaProducer("shop"): the cluster has no topic "orders" (UNKNOWN_TOPIC_OR_PARTITION); there are: none.',
    )


def test_a_broker_alone_may_hold_a_whole_cluster():
    nodes = (KafkaController("controller", KafkaTopic("orders")), KafkaBroker("broker"), KafkaProducer("shop"))

    assert Scenario(nodes, kafka_links(nodes)).names == ["controller", "broker", "shop"]
