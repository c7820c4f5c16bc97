"""What stands in line for one partition at a Kafka producer: its batches, their order, and their numbers.

Sources: ``ProducerBatch``, ``TxnPartitionEntry`` and ``TransactionManager`` of Apache Kafka's Java client (4.0).
"""

from __future__ import annotations

from simulator.brokers.log.sequences import following
from simulator.message import Message


class Batch:
    """Records that go to one partition in one request."""

    __slots__ = ("attempts", "bytes", "leader", "open", "ready", "records", "request", "rests", "sequence")

    def __init__(self) -> None:
        self.records: list[Message] = []
        self.bytes = 0
        self.open = True
        """Whether it takes more records: until it is full, or sent."""
        self.ready = False
        """Whether it may leave although it is not full."""
        self.sequence = -1
        """Its first record's number; -1 before it is sent for the first time."""
        self.request: Message | None = None
        self.attempts = 0
        self.rests = False
        """Whether it waits for its next attempt."""
        self.leader = ""
        """Who was asked the last time."""

    def add(self, record: Message, size: int, most: int) -> None:
        """Take one more record."""
        self.records.append(record)
        self.bytes += size
        self.open = self.bytes < most


class Line:
    """One partition's line."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.waiting: list[Batch] = []
        """In the order in which they are to be sent."""
        self.flying: list[Batch] = []
        """Under way."""
        self.identity = (-1, -1)
        """Under which producer id and epoch they are counted."""
        self._numbered: list[Batch] = []
        """Those with a number and no outcome, in order."""
        self._next = 0
        self._wanted = 0
        """The number that follows the last one that was acknowledged."""
        self._doubtful: int | None = None
        """The number behind a batch that was given up after it had been sent: it may be in the log, or be missing there."""

    def open_for(self, size: int, most: int) -> Batch | None:
        """The last batch, if so many bytes still go in; it is closed if they don't."""
        if not self.waiting or not self.waiting[-1].open:
            return None
        last = self.waiting[-1]
        last.open = last.bytes + size <= most
        return last if last.open else None

    @property
    def all_full(self) -> bool:
        """Whether the next record begins a new batch."""
        return not self.waiting or not self.waiting[-1].open

    @property
    def is_ready(self) -> bool:
        """Whether the first batch need not wait: it is full, has lingered, or has another behind it."""
        if not self.waiting or self.waiting[0].rests:
            return False
        return self.waiting[0].ready or not self.waiting[0].open or len(self.waiting) > 1

    def may_go_on(self, identity: tuple[int, int]) -> bool:
        """Whether the first batch may leave without breaking the order of numbers."""
        first = self.waiting[0]
        if first.sequence >= 0:
            # What is sent again goes one at a time, so that nothing can overtake it.
            return first is self._numbered[0]
        if self.identity != identity:
            return not self._numbered
        if self._wanted == 0 and self._numbered:
            # A leader that does not know the producer takes any number for its first. So the first batch goes alone: over TCP
            # nothing gets there behind what got lost, here it does.
            return False
        return self._doubtful is None

    def number_next(self, batch: Batch, identity: tuple[int, int]) -> None:
        """Number a batch that is sent for the first time."""
        if self.identity != identity:
            self.begin_anew(identity)
        batch.sequence = self._next
        self._next = following(self._next, len(batch.records))
        self._numbered.append(batch)

    def begin_anew(self, identity: tuple[int, int]) -> None:
        """Count from 0 under a new identity, also what is not through."""
        self.identity = identity
        self._next = self._wanted = 0
        self._doubtful = None
        for batch in self._numbered:
            batch.sequence, batch.request = self._next, None
            self._next = following(self._next, len(batch.records))

    def acknowledged(self, batch: Batch) -> None:
        """A batch is in the log."""
        if batch in self._numbered:
            self._numbered.remove(batch)
            self._wanted = following(batch.sequence, len(batch.records))

    def drop(self, batch: Batch) -> None:
        """A batch is given up, wherever it is."""
        for place in (self.waiting, self.flying):
            if batch in place:
                place.remove(batch)
        if batch in self._numbered:
            self._numbered.remove(batch)
            self._doubtful = following(batch.sequence, len(batch.records))

    def put_back(self, batch: Batch) -> None:
        """A batch is to be sent again: before those with later numbers, and without numbers before all."""
        batch.rests = True
        later = (at for at, other in enumerate(self.waiting) if not 0 <= other.sequence < batch.sequence)
        self.waiting.insert(next(later, len(self.waiting)), batch)

    def still_to_come(self, batch: Batch) -> bool:
        """Whether something that is numbered before this batch has no outcome yet."""
        if self._doubtful is None:
            return batch.sequence != self._wanted
        return self._numbered[0] is not batch

    def settle(self) -> bool:
        """Once all others have their outcome: whether a batch that was given up is missing in the log, as these show."""
        if self._doubtful is None or self._numbered:
            return False
        if self._next == self._wanted:
            self._doubtful = None
        return self._doubtful is not None
