"""What a partition knows of transactions: which are open, which were aborted, how far `read_committed` may read.

A transaction's records stand in the log from the moment they are sent. What ends it is a marker, a record of its own with an
offset of its own that no reader is given. Sources: KIP-98; ``ProducerStateManager``, ``TransactionIndex`` and the client's
``CompletedFetch`` of Apache Kafka 4.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from simulator.brokers.log.entries import Entry


class Ended(NamedTuple):
    """An ended transaction's stretch of a partition."""

    producer_id: int
    first: int
    """The offset of its first record here."""
    last: int
    """The offset of its marker."""


class Transactions:
    """One partition's open and ended transactions, kept by every replica from what it appends."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        """The offset of each open transaction's first record, by producer."""
        self._ended: list[Ended] = []
        self._settled = 0
        """How many of the ended ones have a marker that is committed: the first so many."""
        self._aborted: list[Ended] = []

    def appended(self, producer_id: int, offset: int) -> None:
        """A transaction's record is in the log."""
        self._open.setdefault(producer_id, offset)

    def marked(self, producer_id: int, offset: int, *, commit: bool) -> None:
        """The marker that ends a producer's transaction is in the log; without records here it ends nothing."""
        first = self._open.pop(producer_id, None)
        if first is None:
            return
        self._ended.append(Ended(producer_id, first, offset))
        if not commit:
            self._aborted.append(Ended(producer_id, first, offset))

    def is_open(self, producer_id: int) -> bool:
        """Whether a producer has a transaction open here."""
        return producer_id in self._open

    def last_stable(self, high_watermark: int) -> int:
        """The last stable offset: before it every transaction has ended, and its marker is committed."""
        waiting = [each.first for each in self._ended[self._settled :] if each.last >= high_watermark]
        return min([high_watermark, *self._open.values(), *waiting])

    def settle(self, high_watermark: int) -> None:
        """The high watermark has come this far: nobody waits for the markers any more that it has passed."""
        while self._settled < len(self._ended) and self._ended[self._settled].last < high_watermark:
            self._settled += 1

    def aborted(self, start: int, end: int) -> tuple[Ended, ...]:
        """The aborted transactions that reach into the offsets from ``start`` up to, not including, ``end``: a broker sends
        them along with the records."""
        return tuple(each for each in self._aborted if each.first < end and each.last >= start)

    def is_aborted(self, entry: Entry) -> bool:
        """Whether a record belongs to an aborted transaction."""
        return _belongs(entry, self._aborted)

    def truncate(self, end: int) -> None:
        """The log lost everything from offset ``end`` on: a transaction whose marker is gone is open again."""
        self._open = {producer: first for producer, first in self._open.items() if first < end}
        while self._ended and self._ended[-1].last >= end:
            gone = self._ended.pop()
            if gone.first < end:
                self._open[gone.producer_id] = gone.first
        self._settled = min(self._settled, len(self._ended))
        self._aborted = [each for each in self._aborted if each.last < end]


def read_committed(entries: Iterable[Entry], aborted: Iterable[Ended], last_stable: int) -> list[Entry]:
    """What a consumer with ``isolation.level=read_committed`` is given of what was fetched: nothing of open or aborted
    transactions, and nothing beyond the last stable offset."""
    gone = list(aborted)
    return [entry for entry in read_uncommitted(entries, last_stable) if not _belongs(entry, gone)]


def read_uncommitted(entries: Iterable[Entry], high_watermark: int) -> list[Entry]:
    """What every other consumer is given: all records up to the high watermark; markers are nobody's."""
    return [entry for entry in entries if entry.offset < high_watermark and not entry.marker]


def _belongs(entry: Entry, ended: Iterable[Ended]) -> bool:
    """Whether a record was written in one of these transactions."""
    return entry.transactional and any(
        each.producer_id == entry.producer_id and each.first <= entry.offset < each.last for each in ended
    )
