"""Settings that bear a name of Kafka's have Kafka's default, on nodes and in what they decide by."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from simulator import (
    Consumer,
    KafkaBroker,
    KafkaConsumer,
    KafkaController,
    KafkaProcessor,
    KafkaProducer,
    KafkaTopic,
    Producer,
)
from simulator.brokers.log.group import Group
from simulator.brokers.log.membership import Membership
from simulator.brokers.log.replicas import Replica
from simulator.brokers.log.retention import Log
from simulator.brokers.log.sequences import Sequences
from simulator.brokers.log.transactions import Coordinator
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

RECORDED = recorded("kafka_defaults")

NODES: dict[Callable[..., Any], tuple[str, ...]] = {
    Producer: ("producer",),
    Consumer: ("consumer",),
    KafkaProducer: ("producer",),
    KafkaConsumer: ("consumer",),
    KafkaProcessor: ("streams", "consumer", "producer"),
    KafkaTopic: ("topic",),
    KafkaBroker: ("broker",),
    KafkaController: ("broker",),
}
DECISIONS: dict[Callable[..., Any], tuple[str, ...]] = {
    Log: ("topic",),
    Replica: ("topic", "broker"),
    Membership: ("consumer",),
    Group: ("broker",),
    Group.join: ("consumer",),
    Coordinator: ("broker",),
    Coordinator.init_producer: ("producer",),
    Sequences: ("broker",),
}
"""Whose parameters have which recorded defaults; the first that knows a name counts."""

OWN = {
    Producer: {"name", "every", "keys", "event", "count", "size"},
    Consumer: {"name", "group", "work", "commit", "commit_sync", "idempotent", "concurrency"},
    KafkaProducer: {
        *("name", "every", "topic", "keys", "event", "count", "size", "tombstone_every"),
        *("records_per_transaction", "abort_every"),
    },
    KafkaConsumer: {"name", "group", "topics", "work", "commit", "commit_sync", "idempotent", "start_at", "close_at"},
    KafkaProcessor: {"name", "group", "topics", "work", "start_at", "close_at", "to", "event", "size"},
    KafkaTopic: {"name", "partitions", "replication_factor"},
    KafkaBroker: {"name", "shut_down_at", "start_again_after"},
    KafkaController: {"name", "topics", "elections"},
}
"""What belongs to the simulation or is no setting in Kafka (a topic's partitions are given when it is made)."""

CLASSES = "org.apache.kafka.clients.consumer."
ASSIGNORS = {f"class {CLASSES}RangeAssignor": "range", f"class {CLASSES}CooperativeStickyAssignor": "cooperative-sticky"}


def settings_of(holder: Callable[..., Any]) -> dict[str, Any]:
    """The names of its parameters, with their defaults."""
    return {name: each.default for name, each in inspect.signature(holder).parameters.items() if name != "self"}


def kafkas(sections: tuple[str, ...]) -> dict[str, str]:
    """Kafka's names, as Python writes them, with their defaults."""
    found: dict[str, str] = {}
    for section in sections:
        found = {name.replace(".", "_"): default for name, default in RECORDED[section].items()} | found
    return found


def as_ours(text: str) -> Any:
    """A default as Kafka writes it, as a value."""
    plain = {"true": True, "false": False, "null": None}
    if text in plain:
        return plain[text]
    if text.startswith("["):
        return tuple(ASSIGNORS.get(each, each) for each in text.strip("[]").split(", "))
    return float(text) if text.lstrip("-").replace(".", "", 1).isdigit() else text


HOLDERS = [(holder, sections) for holder, sections in (NODES | DECISIONS).items()]


@pytest.mark.parametrize(("holder", "sections"), HOLDERS, ids=[holder.__qualname__ for holder, _ in HOLDERS])
def test_a_setting_with_kafkas_name_has_kafkas_default(holder: Callable[..., Any], sections: tuple[str, ...]) -> None:
    known = kafkas(sections)

    ours = {name: default for name, default in settings_of(holder).items() if default is not inspect.Parameter.empty}

    # What is left open there follows from other settings, as below.
    wanted = {name: as_ours(known[name]) for name in ours if name in known and name != "enable_idempotence"}
    assert {name: ours[name] for name in wanted} == wanted
    assert wanted


@pytest.mark.parametrize("node", NODES, ids=[node.__qualname__ for node in NODES])
def test_every_setting_of_a_node_is_kafkas_or_plainly_ours(node: Callable[..., Any]) -> None:
    known = kafkas(NODES[node])

    assert {name for name in settings_of(node) if name not in known} == OWN[node], "name it as Kafka does, or list it here"


def test_a_producer_is_idempotent_as_it_is_in_kafka_without_a_word() -> None:
    assert as_ours(RECORDED["producer"]["enable.idempotence"]) is True
    assert KafkaProducer("producer").idempotent
    assert KafkaProcessor("processor").idempotent
