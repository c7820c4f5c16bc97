"""What Kafka's clients and their brokers refuse is refused here when the scenario is made, under Kafka's name for it."""

from __future__ import annotations

import attrs
import pytest

from simulator import (
    KafkaBroker,
    KafkaConsumer,
    KafkaController,
    KafkaProcessor,
    KafkaProducer,
    KafkaTopic,
    Link,
    Scenario,
    ScenarioError,
    kafka_links,
)

TOPICS = [KafkaTopic("orders"), KafkaTopic("invoices")]


def problems(*clients: object, links: list[Link] | None = None) -> list[str]:
    nodes = [KafkaController("controller", TOPICS), KafkaBroker("broker-1"), KafkaBroker("broker-2"), *clients]
    among_brokers = kafka_links(nodes[:3])
    with pytest.raises(ScenarioError) as refused:
        Scenario(nodes=nodes, links=kafka_links(nodes) if links is None else [*among_brokers, *links])  # type: ignore[arg-type]
    return list(refused.value.problems)


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        (
            KafkaProducer("shop", topic="order"),
            'KafkaProducer("shop"): the cluster has no topic "order" (UNKNOWN_TOPIC_OR_PARTITION);'
            ' there are: "orders", "invoices".',
        ),
        (
            KafkaProducer("shop", event="produce"),
            'KafkaProducer("shop"): event is "produce", which is a request to a broker and no event; name it otherwise.',
        ),
        (
            KafkaProducer("shop", delivery_timeout_ms=30_004),
            'KafkaProducer("shop"): delivery_timeout_ms is 30004 (ConfigException); it must be at least'
            " linger_ms + request_timeout_ms, 30005.0.",
        ),
        (
            KafkaProducer("shop", enable_idempotence=True, acks=1),
            'KafkaProducer("shop"): enable_idempotence is True (ConfigException); it needs acks="all", not 1.',
        ),
        (
            KafkaProducer("shop", enable_idempotence=True, retries=0),
            'KafkaProducer("shop"): enable_idempotence is True (ConfigException); it needs retries above 0.',
        ),
        (
            KafkaProducer("shop", enable_idempotence=True, max_in_flight_requests_per_connection=6),
            'KafkaProducer("shop"): enable_idempotence is True (ConfigException); it needs'
            " max_in_flight_requests_per_connection of at most 5, not 6.",
        ),
        (
            KafkaProducer("shop", transactional_id="t", acks=1),
            'KafkaProducer("shop"): it writes in transactions as "t", which an idempotent producer alone can (ConfigException);'
            ' leave acks="all", retries above 0 and max_in_flight_requests_per_connection up to 5.',
        ),
        (
            KafkaProducer("shop", transactional_id="t", transaction_timeout_ms=900_001),
            'KafkaProducer("shop"): transaction_timeout_ms is 900001 (INVALID_TRANSACTION_TIMEOUT); KafkaBroker("broker-1")'
            " allows up to transaction_max_timeout_ms, 900000.0.",
        ),
        (
            KafkaProcessor("billing", processing_guarantee="exactly_once_v2", enable_idempotence=False),
            'KafkaProcessor("billing"): it writes in transactions as "billing", which an idempotent producer alone can'
            ' (ConfigException); leave acks="all", retries above 0 and max_in_flight_requests_per_connection up to 5.',
        ),
        (
            KafkaProcessor("billing", to="invoice"),
            'KafkaProcessor("billing"): the cluster has no topic "invoice" (UNKNOWN_TOPIC_OR_PARTITION);'
            ' there are: "orders", "invoices".',
        ),
        (
            KafkaConsumer("billing", topics=[]),
            'KafkaConsumer("billing"): topics is empty; name at least one, as in topics=["orders"].',
        ),
        (
            KafkaConsumer("billing", partition_assignment_strategy="ranges"),
            'KafkaConsumer("billing"): partition_assignment_strategy knows no "ranges"; did you mean "range"?',
        ),
        (
            KafkaConsumer("billing", partition_assignment_strategy=[]),
            'KafkaConsumer("billing"): partition_assignment_strategy is empty; name at least one of range, roundrobin, sticky,'
            " cooperative-sticky.",
        ),
        (
            KafkaConsumer("billing", request_timeout_ms=500),
            'KafkaConsumer("billing"): request_timeout_ms is 500; it must be above fetch_max_wait_ms, 500.0, or every fetch that'
            " finds nothing times out.",
        ),
        (
            KafkaConsumer("billing", heartbeat_interval_ms=45_000),
            'KafkaConsumer("billing"): heartbeat_interval_ms is 45000; it must be below session_timeout_ms, 45000.0.',
        ),
        (
            KafkaConsumer("billing", session_timeout_ms=5_999),
            'KafkaConsumer("billing"): session_timeout_ms is 5999 (INVALID_SESSION_TIMEOUT); KafkaBroker("broker-1") allows'
            " group_min_session_timeout_ms to group_max_session_timeout_ms, 6000.0 to 1800000.0.",
        ),
        (
            KafkaConsumer("billing", start_at=2_000, close_at=2_000),
            'KafkaConsumer("billing"): close_at is 2000; it must be after start_at, 2000.',
        ),
    ],
)
def test_a_setting_that_kafka_refuses_is_refused_with_what_would_be_right(client, sentence):
    assert problems(client)[0] == sentence


def test_a_client_that_no_broker_is_linked_to_is_told_once():
    for client in (KafkaProducer("shop"), KafkaConsumer("billing"), KafkaProcessor("billing")):
        assert problems(client, links=[]) == [
            f"{client}: no KafkaBroker is linked to it; link it to every broker, or take kafka_links(nodes)."
        ]


def test_a_client_needs_a_link_to_every_broker_since_any_may_lead():
    assert problems(KafkaProducer("shop"), links=[Link("shop", "broker-2")]) == [
        'KafkaProducer("shop"): "broker-1" may lead a partition and is not linked to it; add Link("shop", "broker-1"),'
        " or take kafka_links(nodes)."
    ]


def test_idempotence_that_is_not_asked_for_is_left_where_other_settings_speak_against_it():
    assert KafkaProducer("shop").idempotent
    for against in ({"acks": 1}, {"retries": 0}, {"max_in_flight_requests_per_connection": 6}):
        assert not KafkaProducer("shop", **against).idempotent


def test_a_processor_has_every_setting_of_a_producer_and_of_a_reader():
    names = {kind: {field.name for field in attrs.fields(kind)} for kind in (KafkaProducer, KafkaConsumer, KafkaProcessor)}
    of_its_own = {
        KafkaProducer: {
            "every",
            "topic",
            "keys",
            "count",
            "tombstone_every",
            "records_per_transaction",
            "abort_every",
        },
        KafkaConsumer: {"enable_auto_commit", "auto_commit_interval_ms", "commit", "commit_sync", "idempotent"},
    }

    for kind, own in of_its_own.items():
        assert names[kind] - own <= names[KafkaProcessor]
