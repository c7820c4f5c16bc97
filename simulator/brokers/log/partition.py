"""One broker's copy of a partition with all that is kept beside the log: who wrote what, and which transactions are open.

Every replica derives this from what it appends, so that a new leader knows as much as the old one. Sources:
``UnifiedLog`` and ``ProducerStateManager`` of Apache Kafka 4.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from simulator.brokers.log.entries import Entry
from simulator.brokers.log.isolation import Transactions, read_committed, read_uncommitted
from simulator.brokers.log.replicas import Acks, FetchResponse, Replica
from simulator.brokers.log.retention import Log
from simulator.brokers.log.sequences import Sequences

IsolationLevel = Literal["read_uncommitted", "read_committed"]


class Appended(NamedTuple):
    """What became of a batch."""

    offset: int
    """The offset of its first record."""
    duplicate: bool
    """Whether it stood in the log already and was only recognised."""


class Read(NamedTuple):
    """What a consumer gets."""

    entries: tuple[Entry, ...]
    following: int
    """From where to read on: behind markers and aborted records, too."""


class Taken(NamedTuple):
    """What an answer of the leader's changed in a follower."""

    cut: int
    """How many records were cut off, from the offset `cut_at` on."""
    cut_at: int
    added: tuple[Entry, ...]
    trimmed: int
    """How many records went from the beginning of the log, since the leader has let go of them."""


class Partition:
    """A replica and what its log says of producers. What it keeps is on disk; who leads and who follows is memory."""

    def __init__(self, replica: Replica, sequences: Sequences | None = None) -> None:
        self.replica = replica
        self.sequences = sequences or Sequences()
        self.transactions = Transactions()

    @property
    def log(self) -> Log:
        """The records."""
        return self.replica.log

    @property
    def last_stable(self) -> int:
        """The last stable offset: consumers that read committed get what stands before it."""
        return self.transactions.last_stable(self.replica.high_watermark)

    def produce(self, now: float, batch: Sequence[Entry], acks: Acks) -> Appended:
        """Append a producer's batch as the leader: all of it or nothing.

        Raises `Refused` as `Replica.check`, `Log.check` and, for an idempotent producer's batch, `Sequences.check` do.
        """
        first = batch[0]
        self.replica.check(acks)
        for entry in batch:
            self.log.check(entry)
        if first.sequence >= 0:
            known = self.sequences.check(first.producer_id, first.producer_epoch, first.sequence, len(batch))
            if known is not None:
                return Appended(known, True)
        offset = self.replica.append(batch, acks)
        self._note(now, self.log.read(offset, len(batch)))
        return Appended(offset, False)

    def mark(self, now: float, marker: Entry) -> Appended:
        """Append, as the leader, the marker that ends a producer's transaction. Its epoch is the transaction's next one, so a
        marker whose epoch is known stands in the log already, at ``offset`` at the latest.

        Raises `Refused` as `Replica.check` does for ``acks="all"``, and `Sequences.check_epoch`.
        """
        self.replica.check("all")
        self.sequences.check_epoch(marker.producer_id, marker.producer_epoch)
        if self.sequences.epoch(marker.producer_id) == marker.producer_epoch:
            return Appended(self.replica.end - 1, True)
        offset = self.replica.append([marker], "all")
        self._note(now, self.log.read(offset, 1))
        return Appended(offset, False)

    def take(self, now: float, response: FetchResponse) -> Taken:
        """Do as a follower what the leader's answer asks for."""
        end, size = self.replica.end, len(self.log)
        cut = self.replica.take(response)
        cut_at = self.replica.end if cut else end
        if cut:
            self.transactions.truncate(cut_at)
            forgotten = self.sequences.truncate(cut_at)
            self._note_sequences(now, (entry for entry in self.log if entry.producer_id in forgotten))
        added = tuple(entry for entry in response.entries if cut_at <= entry.offset < self.replica.end)
        self._note(now, added)
        self.transactions.settle(self.replica.high_watermark)
        return Taken(cut, cut_at, added, size - cut + len(added) - len(self.log))

    def latest(self, isolation_level: IsolationLevel) -> int:
        """Where a reader goes on who wants only what is still to come. Raises `Refused` as `Replica.latest` does."""
        mark = self.replica.latest()
        return mark if isolation_level == "read_uncommitted" else self.last_stable

    def read(self, offset: int, most: int, isolation_level: IsolationLevel) -> Read:
        """What a consumer is given from here on, as the leader. Raises `Refused` as `Replica.read` does."""
        found = self.replica.read(offset, most)
        if isolation_level == "read_uncommitted":
            limit, given = self.replica.high_watermark, read_uncommitted(found, self.replica.high_watermark)
        else:
            limit = self.last_stable
            given = read_committed(found, self.transactions.aborted(offset, limit), limit)
        seen = [entry.offset for entry in found if entry.offset < limit]
        return Read(tuple(given), max([offset, *(last + 1 for last in seen[-1:])]))

    def clean(self, now: float) -> list[Entry]:
        """Compact the log, if it is dirty enough, up to where every transaction has ended; what went."""
        return self.log.compact(now, self.last_stable, self.transactions.is_aborted)

    def trim(self, now: float) -> int:
        """Let go of committed records that are too old or too many; how many went."""
        return self.log.delete(now, self.replica.high_watermark)

    def _note(self, now: float, entries: Sequence[Entry]) -> None:
        """Learn from what was appended who wrote how far, and which transactions are open."""
        self._note_sequences(now, entries)
        for entry in entries:
            if entry.marker:
                self.transactions.marked(entry.producer_id, entry.offset, commit=entry.marker == "commit")
            elif entry.transactional:
                self.transactions.appended(entry.producer_id, entry.offset)

    def _note_sequences(self, now: float, entries: Iterable[Entry]) -> None:
        for batch in _batches(entries):
            first, last = batch[0], batch[-1]
            if first.marker:
                self.sequences.marked(now, first.producer_id, first.producer_epoch, first.offset)
            elif first.sequence >= 0:
                # Some of it may have come before, and some may be compacted away: its place is where its first record was.
                before = first.sequence - first.batch
                count = last.sequence - first.batch + 1
                self.sequences.appended(
                    now, first.producer_id, first.producer_epoch, first.batch, count, first.offset - before
                )


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """What came together, as far as that is known: a group's offsets and markers carry no numbers."""
    for _, alike in groupby(entries, key=lambda entry: (entry.producer_id, entry.producer_epoch, entry.batch, entry.marker)):
        yield list(alike)
