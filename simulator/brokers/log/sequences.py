"""How a partition's leader recognises what an idempotent producer sends twice, and refuses what comes too early or too late.

Every replica keeps this beside its log and brings it up to date from the batches it appends, so that a new leader knows as
much. Sources: KIP-98; ``ProducerStateManager``, ``ProducerAppendInfo`` and ``ProducerStateEntry`` of Apache Kafka 4.0
(five batches are remembered); the answers of a real broker in the conformance tests.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from simulator.brokers.log.errors import Refused

REMEMBERED = 5
"""Of how many batches a producer's last appends are remembered: so many may be in flight without loss of idempotence
(``max.in.flight.requests.per.connection``)."""

PRODUCER_ID_EXPIRATION_MS = 86_400_000.0
"""``producer.id.expiration.ms``: after so long without a batch a producer is forgotten."""

_SEQUENCES = 2**31
"""Sequence numbers go from 0 to 2**31 - 1 and begin anew."""


class Batch(NamedTuple):
    """One appended batch: the numbers of its first and last record, and its first record's offset."""

    first: int
    last: int
    offset: int


class _Producer:
    __slots__ = ("batches", "epoch", "marked_at", "seen")

    def __init__(self, epoch: int, now: float, marked_at: int = -1) -> None:
        self.epoch = epoch
        self.marked_at = marked_at
        """The offset of the marker that told the epoch; -1 if a batch did."""
        self.batches: deque[Batch] = deque(maxlen=REMEMBERED)
        self.seen = now


def following(sequence: int, by: int = 1) -> int:
    """The sequence number that comes so many after this one."""
    return (sequence + by) % _SEQUENCES


class Sequences:
    """What one partition knows of its producers."""

    def __init__(self, *, producer_id_expiration_ms: float = PRODUCER_ID_EXPIRATION_MS) -> None:
        self._expiration = producer_id_expiration_ms
        self._producers: dict[int, _Producer] = {}

    def check(self, producer_id: int, epoch: int, sequence: int, count: int = 1) -> int | None:
        """Whether a batch of ``count`` records, the first numbered ``sequence``, is to be appended: None if it is.

        If it is one of the last five batches sent again, its offset is told, as its producer would have been told the
        first time. Raises `Refused`: INVALID_PRODUCER_EPOCH for a producer whose successor was here already;
        OUT_OF_ORDER_SEQUENCE_NUMBER for a batch that does not follow the last one. A producer that is not known (or no
        longer) may begin anywhere: what it sent before may have been deleted from the log.
        """
        self.check_epoch(producer_id, epoch)
        producer = self._producers.get(producer_id)
        if producer is None:
            return None
        if epoch > producer.epoch:
            wanted = 0
        else:
            for batch in producer.batches:
                if (batch.first, batch.last) == (sequence, following(sequence, count - 1)):
                    return batch.offset
            # Without a batch it is known by a marker: its transaction begins with 0 (``ProducerAppendInfo.checkSequence``).
            wanted = following(producer.batches[-1].last) if producer.batches else 0
        if sequence != wanted:
            raise Refused(
                "OUT_OF_ORDER_SEQUENCE_NUMBER",
                f"producer {producer_id} sent a batch that begins with {sequence}; the next to append begins with {wanted}.",
            )
        return None

    def check_epoch(self, producer_id: int, epoch: int) -> None:
        """Raise `Refused`, INVALID_PRODUCER_EPOCH, for a producer whose successor was here already."""
        known = self.epoch(producer_id)
        if epoch < known:
            raise Refused(
                "INVALID_PRODUCER_EPOCH",
                f"producer {producer_id} writes with epoch {epoch}, but one with epoch {known} took its place; it must stop.",
            )

    def appended(self, now: float, producer_id: int, epoch: int, sequence: int, count: int, offset: int) -> None:
        """Remember a batch that is in the log from ``offset`` on. Followers call this too, without checking, and again with
        more records where a batch came to them in pieces."""
        producer = self._producers.get(producer_id)
        if producer is None or producer.epoch != epoch:
            producer = self._producers[producer_id] = _Producer(epoch, now)
        if producer.batches and producer.batches[-1].offset == offset:
            producer.batches.pop()
        producer.batches.append(Batch(sequence, following(sequence, count - 1), offset))
        producer.seen = now

    def marked(self, now: float, producer_id: int, epoch: int, offset: int) -> None:
        """A transaction marker with this epoch is in the log, at ``offset``: whoever has an older one is fenced from now on."""
        producer = self._producers.get(producer_id)
        if producer is None or producer.epoch < epoch:
            self._producers[producer_id] = _Producer(epoch, now, offset)
        else:
            producer.seen = now

    def expire(self, now: float) -> list[int]:
        """Forget the producers that wrote nothing for ``producer.id.expiration.ms``; their ids."""
        idle = [number for number, each in self._producers.items() if now - each.seen >= self._expiration]
        for number in idle:
            del self._producers[number]
        return idle

    def truncate(self, end: int) -> list[int]:
        """Forget the batches and markers from offset ``end`` on: the log lost them. The producers of which nothing is remembered
        now: of them one has to learn from what is left of the log.

        (Kafka goes back to its last snapshot and reads the log from there.)
        """
        forgotten: list[int] = []
        for number, producer in list(self._producers.items()):
            kept = [batch for batch in producer.batches if batch.offset < end]
            if not kept and (producer.batches or producer.marked_at >= end):
                forgotten.append(number)
                del self._producers[number]
            else:
                producer.batches = deque(kept, maxlen=REMEMBERED)
        return forgotten

    def batches(self, producer_id: int) -> tuple[Batch, ...]:
        """What is remembered of a producer, the oldest first; nothing of an unknown one."""
        producer = self._producers.get(producer_id)
        return tuple(producer.batches) if producer else ()

    def epoch(self, producer_id: int) -> int:
        """The latest epoch that a producer wrote with; -1 for an unknown one."""
        producer = self._producers.get(producer_id)
        return producer.epoch if producer else -1
