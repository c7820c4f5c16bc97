"""The defaults that the tables tell are those of the real systems. (`tests/fidelity` holds our settings against the tables.)"""

from __future__ import annotations

import pytest

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
    # Where a producer and Kafka Streams have different defaults, the table's plain name is the producer's.
    known = {f"{name} (Kafka Streams, exactly once)": value for name, value in definitions["streams"].items()}
    for part in ("streams", "broker", "topic", "consumer", "producer"):
        known |= definitions[part]
    told = {each.name: plain(each.default) for each in fidelity_of("kafka").settings()}
    from_definitions = {each.name for each in fidelity_of("kafka").settings() if each.source in ("ConfigDef", "KIP-1030")}

    assert from_definitions <= known.keys()
    assert {name: default for name, default in told.items() if name in known} == {
        name: known[name].strip("[]") for name in told if name in known
    }


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
