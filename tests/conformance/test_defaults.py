"""The defaults that the tables tell are those of the real systems. (`tests/fidelity` holds our settings against the tables.)"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from simulator.brokers.log.group import Group
from simulator.brokers.log.membership import Membership
from simulator.brokers.log.replicas import Replica
from simulator.brokers.log.retention import Log
from simulator.brokers.log.sequences import Sequences
from simulator.brokers.log.transactions import Coordinator
from simulator.fidelity import Value, fidelity_of
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

TOLD_BY_AWS_ONLY = {"All", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"} | {
    "ApproximateNumberOfMessagesNotVisible", "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn",
}  # fmt: skip
"""Attributes that can be asked for and not set."""


def plain(value: Value) -> str:
    """A default as Kafka's configuration definitions write it."""
    return str(value).lower() if isinstance(value, bool) else "null" if value == "none" else str(value)


def test_kafkas_defaults_are_those_of_its_configuration_definitions():
    definitions = recorded("kafka_defaults")
    known = {
        name: default
        for part in ("producer", "consumer", "topic", "broker and streams")
        for name, default in definitions[part].items()
    }
    told = [setting for setting in fidelity_of("kafka").settings() if setting.source == "ConfigDef"]

    wrong = [each.name for each in told if known[each.name].strip("[]") != plain(each.default)]

    assert told
    assert wrong == []


@pytest.mark.parametrize(
    "decides", [Log, Replica, Sequences, Group, Group.join, Membership, Coordinator, Coordinator.init_producer]
)
def test_what_decides_without_a_node_has_kafkas_defaults_too(decides: Callable[..., Any]):
    known = {setting.name.replace(".", "_"): setting.default for setting in fidelity_of("kafka").settings()}
    given = {name: each.default for name, each in inspect.signature(decides).parameters.items() if name in known}
    ours = {name: default for name, default in given.items() if default is not inspect.Parameter.empty}

    assert ours
    assert {name: ", ".join(each) if isinstance(each, tuple) else each for name, each in ours.items()} == {
        name: known[name] for name in ours
    }


def test_what_changed_with_kafka_4_0_is_told_as_it_is_since():
    changed = recorded("kafka_defaults")["changed before the release"]
    told = {setting.name: plain(setting.default) for setting in fidelity_of("kafka").settings()}

    assert {name: told[name] for name in changed} == {name: each["from 4.0"] for name, each in changed.items()}


@pytest.mark.parametrize("system", ["rabbitmq", "sqs"])
def test_defaults_are_those_that_were_read_from_the_real_system(system):
    known = recorded(f"{system}_defaults")
    told = {setting.name: setting.default for setting in fidelity_of(system).settings() if setting.name in known}

    assert told
    assert told == {name: known[name] for name in told}


def test_every_attribute_of_amazons_queues_has_a_row():
    session = pytest.importorskip("botocore.session", reason="botocore is not installed: pip install boto3")
    attributes = (
        session.get_session().get_service_model("sqs").operation_model("CreateQueue").input_shape.members["Attributes"]
    )
    told = {setting.name for setting in fidelity_of("sqs").settings()}

    assert set(attributes.key.enum) - TOLD_BY_AWS_ONLY - told == set()
