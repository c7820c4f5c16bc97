"""What brokers and clients decide by has Kafka's defaults where it bears Kafka's names. (Of nodes: `tests/fidelity`.)"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from simulator import KafkaProcessor, KafkaProducer
from simulator.brokers.log.group import Group
from simulator.brokers.log.membership import Membership
from simulator.brokers.log.replicas import Replica
from simulator.brokers.log.retention import Log
from simulator.brokers.log.sequences import Sequences
from simulator.brokers.log.transactions import Coordinator
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

RECORDED = recorded("kafka_defaults")

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


@pytest.mark.parametrize(("holder", "sections"), DECISIONS.items(), ids=[holder.__qualname__ for holder in DECISIONS])
def test_a_setting_with_kafkas_name_has_kafkas_default(holder: Callable[..., Any], sections: tuple[str, ...]) -> None:
    known = kafkas(sections)

    ours = {name: default for name, default in settings_of(holder).items() if default is not inspect.Parameter.empty}

    wanted = {name: as_ours(known[name]) for name in ours if name in known}
    assert {name: ours[name] for name in wanted} == wanted
    assert wanted


def test_a_producer_is_idempotent_as_it_is_in_kafka_without_a_word() -> None:
    assert as_ours(RECORDED["producer"]["enable.idempotence"]) is True
    assert KafkaProducer("producer").idempotent
    assert KafkaProcessor("processor").idempotent
