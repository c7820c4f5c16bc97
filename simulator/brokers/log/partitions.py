"""What a topic keeps and decides: its partitions' logs and its groups' committed offsets. No clock, no network."""

from __future__ import annotations

from array import array
from collections.abc import Iterable


class Partitions:
    """Append-only logs of record numbers, one for each partition; an offset is a place in one of them, counted from 0."""

    def __init__(self, count: int) -> None:
        self.logs = [array("i") for _ in range(count)]
        self.committed: dict[tuple[str, int], int] = {}
        """The next offset to read, by group and partition."""
        self._turns: dict[int, int] = {}

    def turn(self, record: int) -> int:
        """The partition of a record without a key: they go round in the order in which they come; one that comes again
        goes where it went before."""
        return self._turns.setdefault(record, len(self._turns) % len(self.logs))

    def append(self, partition: int, record: int) -> int:
        """Store a record and tell its offset."""
        log = self.logs[partition]
        log.append(record)
        return len(log) - 1

    def end(self, partition: int) -> int:
        """The log end offset: the one that the next record will get."""
        return len(self.logs[partition])

    def read(self, places: Iterable[tuple[int, int]], most: int) -> list[tuple[int, int, int]]:
        """Up to ``most`` records from these (partition, offset) on, as (partition, offset, record), partition by
        partition."""
        found: list[tuple[int, int, int]] = []
        for partition, offset in places:
            log = self.logs[partition]
            last = min(len(log), offset + most - len(found))
            found += [(partition, each, log[each]) for each in range(offset, last)]
        return found

    def commit(self, group: str, partition: int, offset: int) -> None:
        """Store where a group will go on reading. As in Kafka, an offset may also go back."""
        self.committed[group, partition] = offset

    def start(self, group: str, partition: int, earliest: bool) -> int:
        """Where a group begins to read: at its committed offset or, without one, at the ``earliest`` record there is or
        at the next to come."""
        known = self.committed.get((group, partition))
        if known is not None:
            return known
        return 0 if earliest else self.end(partition)
