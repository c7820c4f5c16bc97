"""Where a group will go on reading: the offsets that its coordinator keeps, those of open transactions among them.

Sources: ``OffsetMetadataManager`` of Apache Kafka 4.0; KIP-447 for what an open transaction hides.
"""

from __future__ import annotations

from simulator.brokers.log.errors import Refused
from simulator.brokers.log.subscriptions import TopicPartition


class Offsets:
    """One group's committed offsets: of each partition the next offset to read."""

    def __init__(self) -> None:
        self._committed: dict[TopicPartition, int] = {}
        self._pending: dict[int, dict[TopicPartition, int]] = {}
        """By producer: what its transaction will commit."""

    def commit(self, partition: TopicPartition, offset: int) -> None:
        """Store a place. It may also go back."""
        self._committed[partition] = offset

    def commit_in_transaction(self, producer_id: int, partition: TopicPartition, offset: int) -> None:
        """Store a place that counts once the producer's transaction has committed (``sendOffsetsToTransaction``)."""
        self._pending.setdefault(producer_id, {})[partition] = offset

    def marked(self, producer_id: int, *, commit: bool) -> dict[TopicPartition, int]:
        """A producer's transaction has ended: its places count, or are forgotten; those that count from now on."""
        ended = self._pending.pop(producer_id, {})
        if not commit:
            return {}
        self._committed |= ended
        return ended

    def fetch(self, partition: TopicPartition, *, require_stable: bool = False) -> int | None:
        """The committed offset; None without one.

        A reader that must not miss the end of an open transaction asks for a stable one (``read_committed`` consumers do).
        Raises `Refused`: UNSTABLE_OFFSET_COMMIT while there is such a transaction.
        """
        if require_stable and any(partition in each for each in self._pending.values()):
            raise Refused("UNSTABLE_OFFSET_COMMIT", f"a transaction that moves {partition} is still open; ask again.")
        return self._committed.get(partition)
