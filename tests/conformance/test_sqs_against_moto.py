"""Standard queues against moto's: the same script to both, and what can be observed must be equal.

moto is a reference for standard queues only, and there not for four things, which the scripts leave out and which
tests/brokers/sqs holds against AWS's published text: an old receipt handle deletes (AWS: it may not), a message that is not in
flight can have its visibility changed (AWS: MessageNotInflight), the twelve hours of hiding count from the sending (AWS: from
the receive), and one message past its retention period ends a receive that would have found more behind it. FIFO queues: moto
forgets a deduplication id when the message is deleted, loses a group's order at a visibility timeout, and takes expired handles.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.brokers.sqs.attributes import QueueAttributes, RedrivePolicy
from simulator.brokers.sqs.errors import SqsError
from simulator.brokers.sqs.queue import Queue

pytestmark = pytest.mark.conformance

_HOW = "moto is not installed: pip install 'moto[sqs]' boto3"
moto = pytest.importorskip("moto", reason=_HOW)
boto3 = pytest.importorskip("boto3", reason=_HOW)

from botocore.exceptions import ClientError  # noqa: E402
from moto.sqs import models  # noqa: E402

START = 1_700_000_000_000.0
Outcome = Any
names = (f"queue-{number}" for number in count())


class Ours:
    """Our object behind the few operations that a script uses; receives are told apart by their order."""

    def __init__(self, **attributes: Any) -> None:
        self.now = 0.0
        self._handles: list[int] = []
        most = attributes.pop("max_receive_count", None)
        self._dead = Queue(QueueAttributes())
        policy = RedrivePolicy("dead", most) if most else None
        self.queue = Queue(QueueAttributes(redrive_policy=policy, **attributes), name="source")

    def send(self, body: str, delay: int | None = None) -> None:
        self.queue.send_message(self.now, body, delay_seconds=delay)

    def send_batch(self, *entries: tuple[str, str, int]) -> Outcome:
        batch = [(name, {"message_body": body, "delay_seconds": delay}) for name, body, delay in entries]
        sent = self.queue.send_message_batch(self.now, batch)
        return {name: told.code if isinstance(told, SqsError) else "sent" for name, told in sent.items()}

    def receive(self, most: int = 1, timeout: int | None = None) -> Outcome:
        received = self.queue.receive_message(self.now, max_number_of_messages=most, visibility_timeout=timeout)
        for letter in list(self.queue.leaving.values()):
            self._dead.accept(self.now, letter)
            self.queue.arrived(letter.number)
        self._handles += [message.receipt_handle for message in received]
        return [
            (
                message.body,
                message.approximate_receive_count,
                int(message.sent_timestamp),
                int(message.approximate_first_receive_timestamp),
            )
            for message in received
        ]

    def receive_dead(self) -> Outcome:
        received = self._dead.receive_message(self.now, max_number_of_messages=10)
        return [(message.body, message.approximate_receive_count, int(message.sent_timestamp)) for message in received]

    def delete(self, receive: int) -> None:
        self.queue.delete_message(self.now, self._handles[receive])

    def delete_batch(self, **receives: int) -> Outcome:
        batch = [(name, {"receipt_handle": self._handles[receive]}) for name, receive in receives.items()]
        return sorted(self.queue.delete_message_batch(self.now, batch))

    def delete_unknown(self) -> None:
        self.queue.delete_message(self.now, 1_000_000)

    def change(self, receive: int, timeout: int) -> None:
        self.queue.change_message_visibility(self.now, self._handles[receive], timeout)

    def purge(self) -> None:
        self.queue.purge_queue(self.now)

    def counts(self) -> Outcome:
        self.queue.advance(self.now)
        states = [stored.state for stored in self.queue.messages.values()]
        return [states.count(state) for state in ("available", "in flight", "delayed")]


class Motos:
    """moto behind the same operations, by AWS's own client."""

    def __init__(self, client: Any, **attributes: Any) -> None:
        self.now = 0.0
        self._client = client
        self._handles: list[str] = []
        most = attributes.pop("max_receive_count", None)
        self._dead = client.create_queue(QueueName=next(names))["QueueUrl"]
        asked = {"".join(part.title() for part in name.split("_")): str(value) for name, value in attributes.items()}
        if most:
            told = client.get_queue_attributes(QueueUrl=self._dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            asked["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": told, "maxReceiveCount": str(most)})
        self._url = client.create_queue(QueueName=next(names), Attributes=asked)["QueueUrl"]

    def send(self, body: str, delay: int | None = None) -> None:
        more = {} if delay is None else {"DelaySeconds": delay}
        self._client.send_message(QueueUrl=self._url, MessageBody=body, **more)

    def send_batch(self, *entries: tuple[str, str, int]) -> Outcome:
        batch = [{"Id": name, "MessageBody": body, "DelaySeconds": delay} for name, body, delay in entries]
        told = self._client.send_message_batch(QueueUrl=self._url, Entries=batch)
        sent = {each["Id"]: "sent" for each in told.get("Successful", [])}
        return sent | {each["Id"]: each["Code"] for each in told.get("Failed", [])}

    def receive(self, most: int = 1, timeout: int | None = None) -> Outcome:
        more = {} if timeout is None else {"VisibilityTimeout": timeout}
        received = self._receive(self._url, most, **more)
        self._handles += [message["ReceiptHandle"] for message in received]
        return [(*self._told(message), self._time(message, "ApproximateFirstReceiveTimestamp")) for message in received]

    def receive_dead(self) -> Outcome:
        return [self._told(message) for message in self._receive(self._dead, 10)]

    def _receive(self, url: str, most: int, **more: Any) -> list[Any]:
        told = self._client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=most, MessageSystemAttributeNames=["All"], **more
        )
        return list(told.get("Messages", []))

    def _told(self, message: Any) -> Outcome:
        return (message["Body"], int(message["Attributes"]["ApproximateReceiveCount"]), self._time(message, "SentTimestamp"))

    @staticmethod
    def _time(message: Any, name: str) -> int:
        return int(int(message["Attributes"][name]) - START)

    def delete(self, receive: int) -> None:
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=self._handles[receive])

    def delete_batch(self, **receives: int) -> Outcome:
        batch = [{"Id": name, "ReceiptHandle": self._handles[receive]} for name, receive in receives.items()]
        told = self._client.delete_message_batch(QueueUrl=self._url, Entries=batch)
        return sorted(each["Id"] for each in (*told.get("Successful", []), *told.get("Failed", [])))

    def delete_unknown(self) -> None:
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle="nobody gave this out")

    def change(self, receive: int, timeout: int) -> None:
        self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=self._handles[receive], VisibilityTimeout=timeout
        )

    def purge(self) -> None:
        self._client.purge_queue(QueueUrl=self._url)

    def counts(self) -> Outcome:
        wanted = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        told = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=wanted)["Attributes"]
        return [int(told[name]) for name in wanted]


class Both:
    """Sends one script to both, on one clock, and holds them against each other after every operation."""

    def __init__(self, client: Any, clock: list[float], **attributes: Any) -> None:
        self._ours, self._moto, self._clock = Ours(**attributes), Motos(client, **attributes), clock
        clock[0] = 0.0

    @property
    def soon(self) -> float:
        """When the next operation will be, in milliseconds."""
        # A little time passes with every operation, so that none falls on the very moment of another's deadline.
        return self._clock[0] + 7.0

    @property
    def moved(self) -> list[str]:
        """What the last receive moved to the dead-letter queue."""
        return [stored.body for stored in self._ours.queue.dead_lettered]

    def wait(self, seconds: float) -> None:
        self._clock[0] += 1_000.0 * seconds

    def __call__(self, operation: str, *given: Any, **named: Any) -> Outcome:
        self._ours.now = self._clock[0] = self.soon
        outcome = _outcome(getattr(self._ours, operation), *given, **named)
        assert outcome == _outcome(getattr(self._moto, operation), *given, **named), (operation, given, named)
        return outcome


def _outcome(operation: Callable[..., Outcome], *given: Any, **named: Any) -> Outcome:
    try:
        return operation(*given, **named)
    except SqsError as error:
        return f"error: {error.code}"
    except ClientError as error:
        return "error: " + error.response["Error"]["Code"].removeprefix("AWS.SimpleQueueService.")


@pytest.fixture(scope="module")
def sqs() -> Iterator[Callable[..., Both]]:
    """Makes a pair of queues; moto reads its time from a clock that only scripts move."""
    clock = [0.0]
    with moto.mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "unix_time_millis", lambda *_: START + clock[0])
        patch.setattr(models, "unix_time", lambda *_: (START + clock[0]) / 1_000.0)
        client = boto3.client("sqs", region_name="us-east-1")
        yield lambda **attributes: Both(client, clock, **attributes)


def test_a_message_hides_comes_again_and_is_deleted(sqs):
    both = sqs()
    both("send", "one")
    both("send", "two")

    assert [each[:2] for each in both("receive", 10)] == [("one", 1), ("two", 1)]
    assert both("receive", 10) == []
    both("delete", 1)
    both.wait(30)
    assert [each[:2] for each in both("receive", 10)] == [("one", 2)]
    both("delete", 2)
    both.wait(60)
    assert both("receive", 10) == []
    assert both("delete", 2) is None


def test_visibility_is_extended_and_ended(sqs):
    both = sqs(visibility_timeout=10)
    both("send", "one")
    both("receive")
    both.wait(5)
    both("change", 0, 20)
    both.wait(15)
    assert both("receive") == []
    both("change", 0, 0)
    assert [each[:2] for each in both("receive")] == [("one", 2)]


def test_delays_of_the_queue_and_of_the_message(sqs):
    both = sqs(delay_seconds=10)
    both("send", "the queue's")
    both("send", "its own", 5)
    both("send", "none", 0)

    received = [both("receive", 10)]
    for _ in range(2):
        both.wait(5)
        received.append(both("receive", 10))

    assert [[each[0] for each in some] for some in received] == [["none"], ["its own"], ["the queue's"]]


def test_the_counts_of_available_hidden_and_delayed(sqs):
    both = sqs()
    for body in "abc":
        both("send", body)
    both("receive", 2)
    assert both("counts")[:2] == [1, 2]
    both.wait(30)
    assert both("counts") == [3, 0, 0]


def test_a_poison_message_goes_to_the_dead_letter_queue(sqs):
    both = sqs(visibility_timeout=1, max_receive_count=3)
    both("send", "poison")
    both("send", "later", 10)
    for _ in range(5):
        both("receive")
        both.wait(2)

    assert [each[:2] for each in both("receive_dead")] == [("poison", 4)]
    assert [each[:2] for each in both("receive", 10)] == [("later", 1)]


def test_batches(sqs):
    both = sqs()

    assert both("send_batch", ("a", "one", 0), ("b", "two", 901), ("c", "three", 0)) == {
        "a": "sent",
        "b": "InvalidParameterValue",
        "c": "sent",
    }
    assert both("send_batch", *((str(number), "x", 0) for number in range(11))) == "error: TooManyEntriesInBatchRequest"
    assert both("send_batch", ("a", "x", 0), ("a", "y", 0)) == "error: BatchEntryIdsNotDistinct"
    assert both("send_batch", ("a b", "x", 0)) == "error: InvalidBatchEntryId"
    assert both("send_batch") == "error: EmptyBatchRequest"
    assert both("send_batch", ("a", "x" * 600_000, 0), ("b", "x" * 600_000, 0)) == "error: BatchRequestTooLong"
    assert len(both("receive", 10)) == 2
    assert both("delete_batch", a=0, b=1) == ["a", "b"]
    assert both("counts") == [0, 0, 0]


def test_what_is_refused(sqs):
    both = sqs(maximum_message_size=1_024)
    both("send", "one")

    assert both("receive", 0) == "error: InvalidParameterValue"
    assert both("receive", 11) == "error: InvalidParameterValue"
    assert both("receive", 1, 43_201) == "error: InvalidParameterValue"
    assert both("send", "x", 901) == "error: InvalidParameterValue"
    assert both("send", "x" * 1_025) == "error: InvalidParameterValue"
    assert both("delete_unknown") == "error: ReceiptHandleIsInvalid"
    both("receive")
    assert both("change", 0, 43_201) == "error: InvalidParameterValue"


def test_a_purge_takes_what_is_hidden_and_delayed_too(sqs):
    both = sqs()
    both("send", "hidden")
    both("receive")
    both("send", "delayed", 10)
    both("send", "here")

    both("purge")

    both.wait(100)
    assert both("receive", 10) == []
    assert both("counts") == [0, 0, 0]


@settings(max_examples=200)
@given(st.data())
def test_any_script_has_the_same_outcome(sqs, data):
    own = data.draw(st.sampled_from([0, 2, 5, 30]))
    both = sqs(
        visibility_timeout=own,
        delay_seconds=data.draw(st.sampled_from([0, 0, 3])),
        max_receive_count=data.draw(st.sampled_from([None, None, 1, 2, 3])),
    )
    sent = 0
    latest: dict[str, tuple[int, float]] = {}
    """The last receive of each body, and until when it is hidden."""
    receives = 0
    for _ in range(data.draw(st.integers(1, 25))):
        both.wait(data.draw(st.sampled_from([0, 0, 1, 2, 4, 31])))
        now = both.soon
        match data.draw(st.sampled_from(["send", "send", "receive", "receive", "delete", "change", "dead", "counts"])):
            case "send":
                sent += 1
                both("send", str(sent), data.draw(st.sampled_from([None, 0, 1, 4, 901])))
            case "receive":
                timeout = data.draw(st.sampled_from([None, None, 0, 1, 3]))
                received = both("receive", data.draw(st.integers(1, 10)), timeout)
                for body in both.moved:
                    # What a handle is worth when its message has left for another queue, AWS does not say.
                    latest.pop(body, None)
                for body, *_ in received:
                    latest[body] = (receives, now + 1_000 * (own if timeout is None else timeout))
                    receives += 1
            case "delete" if latest:
                # By the latest handle of a message, whether it is hidden or visible again.
                both("delete", latest.pop(data.draw(st.sampled_from(sorted(latest))))[0])
            case "change" if latest:
                body = data.draw(st.sampled_from(sorted(latest)))
                if latest[body][1] > now:
                    timeout = data.draw(st.integers(0, 6))
                    both("change", latest[body][0], timeout)
                    latest[body] = (latest[body][0], now + 1_000 * timeout)
            case "dead":
                both("receive_dead")
            case "counts":
                both("counts")
