"""One life of a queue's node: takes messages, answers receives, lets hidden messages come back.

Its messages: a record (any kind that is not one of the following) is stored. ``receive_message`` asks for messages and may wait
for some (a long poll), ``delete_message`` and ``change_message_visibility`` name one by its receipt handle,
``send_message_batch`` and ``delete_message_batch`` name up to ten, ``start_message_move_task`` empties a dead-letter queue. What
is refused is answered by ``refusal``, with AWS's name of the error.
From queue to queue goes a ``letter``, which is sent again until it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import chain
from typing import TYPE_CHECKING, Any

from simulator.brokers.sqs.attributes import QueueAttributes
from simulator.brokers.sqs.errors import InvalidParameterValue, SqsError, UnsupportedOperation
from simulator.brokers.sqs.queue import Queue
from simulator.brokers.sqs.requests import check
from simulator.brokers.sqs.stored import Letter, Received, Sent, Stored
from simulator.message import Message
from simulator.scenario import Scenario
from simulator.vocabulary import (
    DEAD_LETTERED,
    DEDUPLICATED,
    DELETED,
    ENQUEUED,
    EXPIRED,
    EXTENDED,
    IGNORED,
    REAPPEARED,
    RECEIVED,
    REDRIVEN,
    REJECTED,
)

if TYPE_CHECKING:
    from simulator.brokers.sqs.node import SqsQueue
    from simulator.engine import Sim, Timer

PROTOCOL = (
    "receive_message",
    "delete_message",
    "change_message_visibility",
    "start_message_move_task",
    "letter",
    "send_message_batch",
    "delete_message_batch",
)
"""The kinds of message that a queue takes as a request; everything else is a record."""

REPLY, REFUSAL, MESSAGES = "reply", "refusal", "messages"

_STALE = "no longer the message's receipt handle"

_AGAIN = 1_000.0
"""Milliseconds after which a letter without an answer is sent again."""

_MOVES_MAX = 500
"""Messages per second that a message move task can move."""


def _parameters(record: Message) -> dict[str, Any]:
    """A record as the parameters of ``SendMessage``."""
    said = dict(record.headers)
    delay = said.get("delay_seconds")
    return {
        "message_body": f"{record.kind} {record.key} {record.payload!r}",
        "record": record.id,
        "size": record.size,
        "delay_seconds": None if delay is None else int(delay),
        "message_group_id": said.get("message_group_id"),
        "message_deduplication_id": said.get("message_deduplication_id"),
    }


def sources_of(scenario: Scenario, name: str) -> list[str]:
    """The queues whose dead-letter queue this is."""
    return [
        node.name
        for node in scenario.nodes
        if isinstance(node, QueueAttributes)
        and node.redrive_policy is not None
        and node.redrive_policy.dead_letter_target == name
    ]


class _Poll:
    """A receive that waits for messages."""

    __slots__ = ("consumer", "request", "timer")

    def __init__(self, request: Message, consumer: str) -> None:
        self.request = request
        self.consumer = consumer
        self.timer: Timer | None = None


class Front:
    """One life of a queue's node, from its start to its crash."""

    def __init__(self, node: SqsQueue, sim: Sim, queue: Queue) -> None:
        self._node = node
        self._sim = sim
        self._queue = queue
        self._polls: list[_Poll] = []
        self._alarm: Timer | None = None
        self._alarm_at = 0.0
        self._hid: dict[int, int] = {}
        """The step that last hid each message, by message id: why it comes back when it does."""
        answers = (
            self._receive,
            self._delete,
            self._change,
            self._start_moving,
            self._letter,
            self._send_batch,
            self._delete_batch,
        )
        self._answers: dict[str, Callable[[Message, str], None]] = dict(zip(PROTOCOL, answers, strict=True))
        for letter in queue.leaving.values():
            self._deliver(letter)
        if "moving" in sim.durable:
            sim.spawn(self._move())
        self._watch()

    def take(self, message: Message, source: str) -> None:
        if message.in_reply_to:
            self._delivered(message)
            return
        due = self._queue.next_change()
        if due is not None and due <= self._sim.now:
            # Due at this very moment, or while the node was frozen. A behaviour of its own, so that what follows from the
            # message is not taken to follow from that.
            self._sim.spawn(self._catch_up())
        try:
            self._answers.get(message.kind, self._send)(message, source)
        except SqsError as error:
            reason = f"{error.code}: {error}"
            self._sim.record(REJECTED, message, self._sim.value(reason))
            self._reply(message, source, REFUSAL, reason)
        self._watch()

    def _reply(self, message: Message, to: str, kind: str, payload: Any) -> None:
        self._sim.send(to, self._sim.envelope(kind, message.key, payload, (), message.id))

    # Time.

    def _watch(self) -> None:
        """Be there when time next changes something."""
        sim, due = self._sim, self._queue.next_change()
        if self._alarm is not None:
            if due == self._alarm_at:
                return
            self._alarm.cancel()
            self._alarm = None
        if due is not None:
            self._alarm_at = due
            self._alarm = sim.call_later(max(0.0, due - sim.now), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._let_time_pass()
        self._serve()
        self._watch()

    def _catch_up(self) -> Generator[Any, Any, None]:
        self._let_time_pass()
        self._serve()
        yield from ()

    def _let_time_pass(self) -> None:
        """Tell what time has changed. Always before an operation, so that the steps are in the order of what happened."""
        sim = self._sim
        with sim.as_one():
            for stored, what in self._queue.advance(sim.now):
                cause = self._hid.pop(stored.number, -1)
                record = sim.message_of(stored.record)
                if what == "retention period over":
                    sim.record(EXPIRED, record, stored.number, cause=cause)
                else:
                    sim.record(REAPPEARED, record, stored.number, sim.value(what), cause=cause)

    # Sending.

    def _send(self, record: Message, producer: str) -> None:
        sent = self._queue.send_message(self._sim.now, **_parameters(record))
        self._sent(sent, record)
        self._reply(record, producer, REPLY, (sent.message_id,))
        self._serve()

    def _sent(self, sent: Sent, record: Message, cause: int | None = None) -> None:
        if sent.duplicate:
            self._sim.record(DEDUPLICATED, record, sent.message_id, cause=cause)
        else:
            self._stored(self._queue.messages[sent.message_id], record, cause)

    def _send_batch(self, request: Message, producer: str) -> None:
        """Send up to ten records; the answer tells of each, in their order, its message id or the error."""
        sim, arrived = self._sim, self._sim.cause
        records = [sim.message_of(number) for number in request.payload]
        answers = self._queue.send_message_batch(sim.now, [(str(each.id), _parameters(each)) for each in records])
        told: list[int | str] = []
        with sim.as_one():
            for record in records:
                sent = answers[str(record.id)]
                if isinstance(sent, SqsError):
                    told.append(f"{sent.code}: {sent}")
                    sim.record(REJECTED, record, sim.value(told[-1]), cause=arrived)
                else:
                    told.append(sent.message_id)
                    self._sent(sent, record, arrived)
        self._reply(request, producer, REPLY, tuple(told))
        self._serve()

    def _stored(self, stored: Stored, record: Message, cause: int | None = None) -> None:
        delay = round(stored.visible_at - self._sim.now)
        step = self._sim.record(ENQUEUED, record, stored.number, max(0, delay), cause=cause)
        if delay > 0:
            self._hid[stored.number] = step

    # Receiving.

    def _receive(self, request: Message, consumer: str) -> None:
        if self._answer(request, consumer, self._sim.cause):
            return
        wait = request.payload[1]
        wait = self._node.receive_message_wait_time_seconds if wait is None else wait
        if not wait:
            self._reply(request, consumer, MESSAGES, ())
            return
        poll = _Poll(request, consumer)
        self._polls.append(poll)
        poll.timer = self._sim.call_later(1_000.0 * wait, self._give_up, poll)

    def _answer(self, request: Message, consumer: str, cause: int) -> bool:
        """Answer a receive, if there is something to be had; its cause is the request, or what came for one that waits."""
        sim, queue = self._sim, self._queue
        most, wait, hide, attempt = request.payload
        found = queue.receive_message(
            sim.now,
            max_number_of_messages=most,
            wait_time_seconds=wait,
            visibility_timeout=hide,
            receive_request_attempt_id=attempt,
        )
        with sim.as_one():
            for stored in queue.dead_lettered:
                self._set_aside(stored, cause)
            for each in found:
                self._hand_out(each, cause)
        for stored in queue.dead_lettered:
            self._deliver(queue.leaving[stored.number])
        if found:
            flat = chain.from_iterable((each.record, each.receipt_handle, each.approximate_receive_count) for each in found)
            self._reply(request, consumer, MESSAGES, tuple(flat))
        return bool(found)

    def _set_aside(self, stored: Stored, cause: int) -> None:
        sim, number = self._sim, stored.number
        target = sim.index_of(self._destination(self._queue.leaving[number]))
        since = self._hid.pop(number, cause)
        sim.record(DEAD_LETTERED, sim.message_of(stored.record), number, target, stored.received_here, cause=since)

    def _hand_out(self, received: Received, cause: int) -> None:
        sim = self._sim
        hidden = round(received.visible_at - sim.now)
        record = sim.message_of(received.record)
        self._hid[received.message_id] = sim.record(
            RECEIVED, record, received.message_id, received.approximate_receive_count, hidden, cause=cause
        )

    def _serve(self) -> None:
        """Something is to be had: whoever waits longest gets it."""
        cause = self._sim.cause
        while self._polls:
            self._let_time_pass()
            poll = self._polls[0]
            if not self._answer(poll.request, poll.consumer, cause):
                return
            self._polls.pop(0)
            if poll.timer is not None:
                poll.timer.cancel()

    def _give_up(self, poll: _Poll) -> None:
        self._polls.remove(poll)
        self._reply(poll.request, poll.consumer, MESSAGES, ())

    # What becomes of it.

    def _delete(self, request: Message, consumer: str) -> None:
        sim = self._sim
        stored = self._queue.delete_message(sim.now, request.payload[0])
        if stored is None:
            sim.record(IGNORED, request, sim.value(_STALE))
        else:
            sim.record(DELETED, sim.message_of(stored.record), stored.number)
        self._reply(request, consumer, REPLY, None)
        self._serve()

    def _delete_batch(self, request: Message, consumer: str) -> None:
        """Delete up to ten messages; the answer tells of each, in their order, the error; "" for none."""
        sim, arrived = self._sim, self._sim.cause
        handles: tuple[int, ...] = request.payload
        answers = self._queue.delete_message_batch(sim.now, [(str(each), {"receipt_handle": each}) for each in handles])
        told = []
        with sim.as_one():
            for handle in handles:
                stored = answers[str(handle)]
                told.append(f"{stored.code}: {stored}" if isinstance(stored, SqsError) else "")
                if stored is None:
                    sim.record(IGNORED, request, sim.value(_STALE), cause=arrived)
                elif not isinstance(stored, SqsError):
                    sim.record(DELETED, sim.message_of(stored.record), stored.number, cause=arrived)
        self._reply(request, consumer, REPLY, tuple(told))
        self._serve()

    def _change(self, request: Message, consumer: str) -> None:
        sim = self._sim
        stored = self._queue.change_message_visibility(sim.now, *request.payload)
        record = sim.message_of(stored.record)
        hidden = round(stored.visible_at - sim.now)
        self._hid[stored.number] = sim.record(EXTENDED, record, stored.number, hidden)
        if not hidden:
            sim.record(REAPPEARED, record, stored.number, sim.value("visibility timeout set to 0"))
        self._reply(request, consumer, REPLY, None)
        self._serve()

    # From queue to queue.

    def _destination(self, letter: Letter) -> str:
        if letter.redriven:
            return letter.source or sources_of(self._sim.scenario, self._node.name)[0]
        policy = self._node.redrive_policy
        assert policy is not None, "a queue without a redrive policy gives nothing up"
        return policy.dead_letter_target

    def _deliver(self, letter: Letter) -> None:
        """Send a letter until it is answered: the two queues make sure between them that nothing gets lost."""
        sim = self._sim
        if letter.number not in self._queue.leaving:
            return
        record = sim.message_of(letter.record)
        sim.send(self._destination(letter), sim.envelope("letter", record.key, tuple(letter)))
        sim.call_later(_AGAIN, self._deliver, letter)

    def _letter(self, message: Message, source: str) -> None:
        letter = Letter(*message.payload)
        stored = self._queue.accept(self._sim.now, letter)
        record = self._sim.message_of(letter.record)
        if stored is None:
            self._sim.record(IGNORED, message, self._sim.value("it came before"))
        else:
            self._stored(stored, record)
        self._reply(message, source, REPLY, (letter.number,))
        self._serve()

    def _delivered(self, answer: Message) -> None:
        self._queue.arrived(answer.payload[0])

    def _start_moving(self, request: Message, operator: str) -> None:
        sim = self._sim
        rate, destination, most = request.payload
        if not sources_of(sim.scenario, self._node.name):
            raise InvalidParameterValue("The source of a message move task must be a dead-letter queue; ask that one.")
        if rate is not None:
            check("max_number_of_messages_per_second", rate, 1, _MOVES_MAX)
        if sim.durable.get("begun") == request.id:
            # Asked again, since the answer was lost or late.
            self._reply(request, operator, REPLY, None)
            return
        if "moving" in sim.durable:
            raise UnsupportedOperation("A message move task is active at this queue; wait until it is over.")
        self._queue.advance(sim.now)
        # Only what is here when the task begins is moved.
        here = len(self._queue.messages)
        sim.durable["begun"] = request.id
        sim.durable["moving"] = (rate or _MOVES_MAX, here if most is None else min(most, here), destination)
        self._reply(request, operator, REPLY, None)
        sim.spawn(self._move())

    def _move(self) -> Generator[Any, Any, None]:
        sim, queue = self._sim, self._queue
        rate, left, destination = sim.durable["moving"]
        while left:
            letter = queue.let_oldest_go(sim.now, destination)
            if letter is None:
                break
            to = self._destination(letter)
            left -= 1
            sim.durable["moving"] = (rate, left, destination)
            sim.record(REDRIVEN, sim.message_of(letter.record), letter.number, sim.index_of(to))
            self._deliver(letter)
            yield sim.sleep(1_000.0 / rate)
        del sim.durable["moving"]
