"""A broker's answers to consumers who read: at once, or when there is something to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulator.brokers.log.errors import Refused
from simulator.brokers.log.partition import IsolationLevel
from simulator.message import Message

if TYPE_CHECKING:
    from simulator.brokers.log.broker import Broker
    from simulator.engine import Timer


_ISOLATION: tuple[IsolationLevel, IsolationLevel] = ("read_uncommitted", "read_committed")
"""The levels by their numbers on the wire."""


class _Waiting:
    """A fetch that found nothing to read, and waits for up to ``fetch.max.wait.ms``."""

    __slots__ = ("consumer", "request", "timer")

    def __init__(self, request: Message, consumer: str) -> None:
        self.request = request
        self.consumer = consumer
        self.timer: Timer | None = None


def _places(request: Message) -> list[tuple[int, int]]:
    flat: Sequence[int] = request.payload[3:]
    return list(zip(flat[::2], flat[1::2], strict=True))


class Fetches:
    """The fetches of one broker's life. A fetch asks for (most records, longest wait, isolation, partition, offset, …)."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._waiting: dict[int, list[_Waiting]] = {number: [] for number in broker.partitions}

    def fetch(self, request: Message, consumer: str) -> None:
        """Answer with what there is, or wait until there is something."""
        found = self._read(request)
        if found:
            self._broker.answer(consumer, request, found, "records")
            return
        waiting = _Waiting(request, consumer)
        for number, _ in _places(request):
            self._waiting[number].append(waiting)
        waiting.timer = self._broker.sim.call_later(request.payload[1], self._finish, waiting)

    def wake(self, number: int) -> None:
        """A partition has changed: answer the fetches that find something in it by now."""
        for waiting in list(self._waiting[number]):
            if self._read(waiting.request):
                self._finish(waiting)

    def list_offsets(self, request: Message, client: str) -> None:
        """Where a partition begins (``earliest``) or where a reader would go on who wants what is still to come."""
        number, earliest, committed = request.payload
        broker = self._broker
        error, offset = 0, -1
        try:
            partition = broker.led(number)
            offset = partition.log.start if earliest else partition.latest(_ISOLATION[committed])
        except Refused as refused:
            error = refused.code
        broker.answer(client, request, (number, error, offset))

    def _finish(self, waiting: _Waiting) -> None:
        assert waiting.timer is not None
        waiting.timer.cancel()
        for number, _ in _places(waiting.request):
            self._waiting[number].remove(waiting)
        if not self._broker.stopped:
            self._broker.answer(waiting.consumer, waiting.request, self._read(waiting.request), "records")

    def _read(self, request: Message) -> tuple[int, ...]:
        most, _, committed = request.payload[:3]
        flat: list[int] = []
        for number, offset in _places(request):
            if len(flat) // 3 >= most:
                break
            try:
                found = self._broker.led(number).read(offset, most - len(flat) // 3, _ISOLATION[committed])
            except Refused as refused:
                flat += (number, refused.code, -1)
                continue
            for entry in found.entries:
                assert isinstance(entry.record, int)
                flat += (number, entry.offset, entry.record)
            if found.following > (found.entries[-1].offset + 1 if found.entries else offset):
                flat += (number, found.following, 0)
        return tuple(flat)
