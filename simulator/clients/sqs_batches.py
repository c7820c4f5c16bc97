"""The batches of a client that sends several messages to a queue like Amazon SQS at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.brokers.sqs.attributes import SIZE_MAX
from simulator.brokers.sqs.front import REFUSAL
from simulator.clients.retry import Retry
from simulator.message import Message
from simulator.vocabulary import ABANDONED, COMPLETED, FAILED, IGNORED, TIMED_OUT

if TYPE_CHECKING:
    from simulator.engine import Sim, Timer


class _Batch:
    """A batch under way."""

    __slots__ = ("attempt", "message", "records", "timer")

    def __init__(self, message: Message, records: list[Message]) -> None:
        self.message = message
        self.records = records
        self.attempt = 0
        self.timer: Timer | None = None


class Batches:
    """One life of them. A batch is sent when it is full, or has been open for long enough, and again until it is answered.

    The answer tells of each of its messages: what was refused is given up at once, since it would be refused again.
    """

    def __init__(self, sim: Sim, queue: str, *, most: int, open_ms: float, timeout: float, retry: Retry) -> None:
        self._sim = sim
        self._queue = queue
        self._most = most
        self._open_ms = open_ms
        self._timeout = timeout
        self._retry = retry
        self._draw = sim.random("retry").random
        self._open: list[Message] = []
        self._opened: Timer | None = None
        self._under_way: dict[int, _Batch] = {}

    def add(self, record: Message) -> None:
        """Put a record into the open batch."""
        if sum(each.size for each in self._open) + record.size > SIZE_MAX:
            self._close()
        self._open.append(record)
        if len(self._open) == self._most:
            self._close()
        elif self._opened is None:
            self._opened = self._sim.call_later(self._open_ms, self._close)

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.cancel()
            self._opened = None
        records, self._open = self._open, []
        if records:
            numbers = tuple(each.id for each in records)
            size = sum(each.size for each in records)
            message = self._sim.envelope("send_message_batch", None, numbers, (), 0, size)
            batch = self._under_way[message.id] = _Batch(message, records)
            self._send(batch)

    def _send(self, batch: _Batch) -> None:
        batch.attempt += 1
        self._sim.send(self._queue, batch.message, batch.attempt)
        batch.timer = self._sim.call_later(self._timeout, self._time_out, batch)

    def _time_out(self, batch: _Batch) -> None:
        sim = self._sim
        batch.timer = None
        sim.record(TIMED_OUT, batch.message, sim.index_of(self._queue), batch.attempt, sim.value("indefinite"))
        if batch.attempt > self._retry.retries:
            del self._under_way[batch.message.id]
            self._give_up(batch.records, f"{self._queue} did not answer in time")
        else:
            sim.call_later(self._retry.wait(batch.attempt, self._draw), self._send, batch)

    def take(self, answer: Message) -> None:
        """An answer has come."""
        sim, arrived = self._sim, self._sim.cause
        batch = self._under_way.get(answer.in_reply_to)
        if batch is None or batch.timer is None:
            sim.record(IGNORED, answer, sim.value("nobody waits for it"))
            return
        batch.timer.cancel()
        del self._under_way[answer.in_reply_to]
        refused = answer.kind == REFUSAL
        told = [answer.payload] * len(batch.records) if refused else answer.payload
        for record, outcome in zip(batch.records, told, strict=True):
            if isinstance(outcome, str):
                failed = sim.record(FAILED, record, sim.value(outcome), cause=arrived)
                self._give_up([record], f"{self._queue} refused", failed)
            else:
                sim.record(COMPLETED, record, batch.attempt, sim.index_of(self._queue), cause=arrived)

    def _give_up(self, records: list[Message], reason: str, cause: int | None = None) -> None:
        cause = self._sim.cause if cause is None else cause
        for record in records:
            self._sim.record(ABANDONED, record, self._sim.value(reason), cause=cause)
