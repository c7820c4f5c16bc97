"""Who must be up and who must change, told from the structure alone."""

from __future__ import annotations

import pytest

from simulator import (
    Caller,
    Consumer,
    KafkaBroker,
    KafkaConsumer,
    KafkaController,
    KafkaProducer,
    KafkaTopic,
    Link,
    Producer,
    Scenario,
    Service,
    Topic,
    kafka_links,
)  # fmt: skip
from simulator.reading.coupling import must_be_up, must_change, named_by
from tests.views.shop import shop


def test_who_asks_needs_everybody_who_is_asked_in_turn():
    scenario = Scenario(
        nodes=[Caller("shop"), Service("orders", calls=["stock"]), Service("stock", calls=["shelf"]), Service("shelf")],
        links=[Link("shop", "orders"), Link("orders", "stock"), Link("stock", "shelf")],
    )

    assert must_be_up(scenario) == ("orders", "stock", "shelf")


def test_who_tells_a_topic_needs_the_topic_but_not_its_readers():
    assert must_be_up(shop("event-driven")) == ("orders", "placed")


@pytest.mark.parametrize(("acks", "needed"), [("all", ("orders",)), (0, ())])
def test_who_waits_for_no_acknowledgement_needs_nobody(acks, needed):
    scenario = Scenario(
        nodes=[Producer("shop", acks=acks), Topic("orders"), Consumer("billing")],
        links=[Link("shop", "orders"), Link("orders", "billing")],
    )

    assert must_be_up(scenario) == needed


def test_one_clients_needs_are_told_apart_from_anothers():
    scenario = Scenario(
        nodes=[Caller("web"), Caller("till"), Service("orders"), Service("cash")],
        links=[Link("web", "orders"), Link("till", "cash")],
    )

    assert must_be_up(scenario, "till") == ("cash",)
    assert must_be_up(scenario) == ("orders", "cash")


def test_a_circle_of_calls_comes_to_an_end():
    scenario = Scenario(
        nodes=[Caller("shop"), Service("a", calls=["b"]), Service("b", calls=["a"])],
        links=[Link("shop", "a"), Link("a", "b")],
    )

    assert must_be_up(scenario) == ("a", "b")


def test_a_caller_names_whom_it_asks_and_a_topic_names_no_reader():
    assert named_by(shop("request-response"), "email") == ("orders",)
    assert named_by(shop("event-driven"), "email") == ()
    assert named_by(shop("event-driven"), "placed") == ("orders",)


def test_one_more_consumer_changes_who_names_the_others():
    assert must_change(shop("request-response")) == ("orders",)
    assert must_change(shop("event-driven")) == ()


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(KeyError, match='did you mean "email"'):
        named_by(shop(), "emial")


def _cluster(acks, **topic) -> Scenario:
    nodes = [
        KafkaProducer("shop", acks=acks), KafkaController("controller", KafkaTopic("orders", **topic)),
        *(KafkaBroker(name) for name in ("one", "two", "three")), KafkaConsumer("billing"),
    ]  # fmt: skip
    return Scenario(nodes, kafka_links(nodes))


@pytest.mark.parametrize(
    ("acks", "topic", "needed"),
    [
        ("all", {"replication_factor": 3, "min_insync_replicas": 2}, ()),
        ("all", {"replication_factor": 3, "min_insync_replicas": 3}, ("one", "two", "three")),
        (1, {"replication_factor": 3, "min_insync_replicas": 3}, ()),
        ("all", {"partitions": 2}, ("one", "two")),
        (0, {}, ()),
    ],
)
def test_in_a_cluster_only_brokers_without_whom_too_few_replicas_are_left_are_needed(acks, topic, needed):
    assert must_be_up(_cluster(acks, **topic)) == needed


def test_a_cluster_s_reader_is_known_to_nobody():
    assert must_change(_cluster("all")) == ()
