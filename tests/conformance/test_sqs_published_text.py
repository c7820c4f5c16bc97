"""Attributes, limits and errors against AWS's own API reference, as botocore carries it in its service model."""

from __future__ import annotations

import html
import re
from typing import Any

import attrs
import pytest

from simulator.brokers.sqs import attributes, errors
from simulator.brokers.sqs.attributes import QueueAttributes, RedrivePolicy, check_attributes
from simulator.brokers.sqs.errors import InvalidAttributeValue, SqsError

pytestmark = pytest.mark.conformance

session = pytest.importorskip("botocore.session", reason="botocore is not installed: pip install boto3")

MODEL = session.get_session().get_service_model("sqs")

INTEGERS = {
    "DelaySeconds": "delay_seconds",
    "MaximumMessageSize": "maximum_message_size",
    "MessageRetentionPeriod": "message_retention_period",
    "ReceiveMessageWaitTimeSeconds": "receive_message_wait_time_seconds",
    "VisibilityTimeout": "visibility_timeout",
}

NOT_IN_THE_MODEL = {"InvalidParameterValue", "MissingParameter"}
"""AWS answers these, but its model lists them among the errors that all of its services share."""


def text(documented: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.unescape(documented.documentation)))


CREATE = text(MODEL.operation_model("CreateQueue").input_shape.members["Attributes"])


def number(written: str) -> int:
    return int(written.replace(",", ""))


@pytest.mark.parametrize(("theirs", "ours"), INTEGERS.items())
def test_an_attribute_has_the_range_and_the_default_that_aws_publishes(theirs, ours):
    told = re.search(
        rf"{theirs} – .*?integer from ([\d,]+)[^.]*? to ([\d,]+)[^.]*?\. Default: ([\d,]+)", CREATE, flags=re.DOTALL
    )
    assert told is not None
    least, most, default = map(number, told.groups())

    assert getattr(QueueAttributes(), ours) == default
    for fits in (least, most):
        check_attributes(QueueAttributes(**{ours: fits}))
    for wrong in (least - 1, most + 1):
        with pytest.raises(InvalidAttributeValue, match=ours):
            check_attributes(QueueAttributes(**{ours: wrong}))


def test_a_redrive_policy_has_the_default_that_aws_publishes():
    told = re.search(r"maxReceiveCount – .*?Default: (\d+)", CREATE)

    assert told is not None
    assert RedrivePolicy("dead").max_receive_count == int(told[1])


def test_every_attribute_of_ours_is_one_of_aws():
    def camel(name: str) -> str:
        return "".join(part.title() for part in name.split("_"))

    missing = [field.name for field in attrs.fields(QueueAttributes) if camel(field.name) not in CREATE]

    assert missing == []


def test_every_error_of_ours_is_one_of_aws():
    ours = {name for name, held in vars(errors).items() if isinstance(held, type) and issubclass(held, SqsError)}
    theirs = {shape.name for shape in MODEL.error_shapes} | {
        shape.metadata.get("error", {}).get("code", "").split(".")[-1] for shape in MODEL.error_shapes
    }

    assert ours - theirs - NOT_IN_THE_MODEL == {"SqsError"}


@pytest.mark.parametrize(
    ("operation", "pattern", "ours"),
    [
        ("ChangeMessageVisibility", r"approximately ([\d,]+) in flight", attributes.IN_FLIGHT_MAX),
        ("ChangeMessageVisibility", r"FIFO queues, there can be a maximum of ([\d,]+) in flight", attributes.IN_FLIGHT_MAX),
        ("SendMessageBatch", r"up to (\d+) messages", attributes.BATCH_MAX),
        ("ReceiveMessage", r"\(up to (\d+)\)", attributes.BATCH_MAX),
        ("SendMessageBatch", r"both 1 MiB ([\d,]+) bytes", attributes.SIZE_MAX),
    ],
)
def test_a_limit_is_the_one_that_aws_publishes(operation, pattern, ours):
    told = re.search(pattern, text(MODEL.operation_model(operation)))

    assert told is not None
    assert number(told[1]) == ours


@pytest.mark.parametrize(
    ("operation", "parameter", "pattern", "ours"),
    [
        ("SendMessage", "DelaySeconds", r"Valid values: 0 to (\d+)", attributes.DELAY_MAX),
        ("ChangeMessageVisibility", "VisibilityTimeout", r"0 to (\d+)", attributes.VISIBILITY_MAX),
        ("ReceiveMessage", "MaxNumberOfMessages", r"1 to (\d+)", attributes.BATCH_MAX),
        ("StartMessageMoveTask", "MaxNumberOfMessagesPerSecond", r"per second is (\d+)", 500),
    ],
)
def test_a_parameter_has_the_limit_that_aws_publishes(operation, parameter, pattern, ours):
    told = re.search(pattern, text(MODEL.operation_model(operation).input_shape.members[parameter]))

    assert told is not None
    assert number(told[1]) == ours


def test_the_deduplication_interval_is_the_one_that_aws_publishes():
    told = re.search(
        r"during the (\d+)-minute deduplication",
        text(MODEL.operation_model("SendMessage").input_shape.members["MessageDeduplicationId"]),
    )

    assert told is not None
    assert 60 * int(told[1]) == attributes.DEDUPLICATION_INTERVAL
