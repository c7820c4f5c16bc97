"""Which message a FIFO queue hands out next: each group in order, and none of a group while one of its messages is hidden.

Source: "FIFO queue delivery logic" and "Avoid large message backlogs with the same message group ID" in the Amazon SQS
Developer Guide: a receive takes as many messages of one group as it can before it goes on to another; only the first
120,000 messages of a queue are looked at for available groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from itertools import islice
from math import inf
from typing import Any, Generic, TypeVar

from simulator.brokers.sqs.attributes import DEDUPLICATION_INTERVAL, IN_FLIGHT_MAX
from simulator.brokers.sqs.stored import AVAILABLE, IN_FLIGHT, Stored

V = TypeVar("V")


class Recent(Generic[V]):
    """What was noted within the deduplication interval of five minutes."""

    def __init__(self) -> None:
        self._noted: dict[Any, tuple[float, V]] = {}

    def note(self, key: Any, value: V, now: float) -> None:
        """Remember a value from now on for five minutes, in place of an earlier one."""
        self._noted.pop(key, None)
        self._noted[key] = (now, value)

    def get(self, key: Any, now: float) -> V | None:
        """The value that was noted within the last five minutes; None if there is none."""
        while self._noted:
            oldest = next(iter(self._noted))
            if now - self._noted[oldest][0] < 1_000.0 * DEDUPLICATION_INTERVAL:
                break
            del self._noted[oldest]
        noted = self._noted.get(key)
        return None if noted is None else noted[1]


class _Group:
    __slots__ = ("in_flight", "members", "waiting")

    def __init__(self) -> None:
        self.members = 0
        self.in_flight = 0
        self.waiting: list[int] = []
        """The numbers of its available messages (and of some that are so no more), oldest first."""


class Groups:
    """The message groups of a FIFO queue. Time alone decides here, never chance."""

    def __init__(self, messages: Mapping[int, Stored], looked_at: int = IN_FLIGHT_MAX) -> None:
        self._messages = messages
        self._groups: dict[str, _Group] = {}
        self._heads: list[tuple[int, str]] = []
        """The first message of each group that is free (and of some that are so no more), oldest first."""
        self._looked_at = looked_at

    def add(self, stored: Stored) -> None:
        """Make room for a new message; it is not available yet."""
        group = self._groups.get(stored.group)
        if group is None:
            group = self._groups[stored.group] = _Group()
        group.members += 1

    def show(self, stored: Stored, *, again: bool) -> None:
        """A message is available now, for the first time or ``again`` after it was in flight: it takes its old place."""
        group = self._groups[stored.group]
        group.in_flight -= again
        heappush(group.waiting, stored.number)
        self._free(stored.group, group)

    def take(self, stored: Stored) -> None:
        """A message was received: its group is blocked."""
        self._groups[stored.group].in_flight += 1

    def keeps(self, stored: Stored) -> bool:
        """A message is to be deleted: no copy of it stays anywhere."""
        return False

    def discard(self, stored: Stored) -> None:
        """A message leaves for good; its state is still the one that it had."""
        group = self._groups[stored.group]
        group.members -= 1
        if not group.members:
            del self._groups[stored.group]
        elif stored.state == IN_FLIGHT:
            group.in_flight -= 1
            self._free(stored.group, group)

    def offer(self, *, everywhere: bool) -> Iterator[Stored]:
        """Messages that can be received, one at a time; each must be taken or discarded before the next is asked for."""
        horizon = self._horizon()
        while self._heads and self._heads[0][0] <= horizon:
            number, name = heappop(self._heads)
            group = self._groups.get(name)
            if group is None or group.in_flight:
                # A blocked group comes back to the heads when it is free again.
                continue
            first = self._first(group)
            if first != number:
                self._free(name, group)
                continue
            # While this receive goes on, it may have more of the group that it has begun with.
            try:
                while first and first <= horizon:
                    heappop(group.waiting)
                    yield self._messages[first]
                    first = self._first(group)
            finally:
                self._free(name, group)

    def _first(self, group: _Group) -> int:
        """The number of the first available message of a group; 0 if there is none."""
        waiting = group.waiting
        while waiting:
            stored = self._messages.get(waiting[0])
            if stored is not None and stored.state == AVAILABLE:
                return waiting[0]
            heappop(waiting)
        return 0

    def _free(self, name: str, group: _Group) -> None:
        """Let a group take part again, unless one of its messages is still in flight."""
        first = 0 if group.in_flight else self._first(group)
        if first:
            heappush(self._heads, (first, name))

    def _horizon(self) -> float:
        """The number of the last message that is looked at."""
        if len(self._messages) <= self._looked_at:
            return inf
        return next(islice(self._messages, self._looked_at - 1, None))
