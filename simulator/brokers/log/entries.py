"""A record as a partition keeps it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal, NamedTuple


class Entry(NamedTuple):
    """A record's place in a log. What a batch says of its producer stands in each of its records here."""

    epoch: int
    """The leader epoch in which it was appended: two logs that agree on an offset's epoch agree on all before it."""
    record: Hashable
    offset: int = -1
    """-1: not appended yet; the log gives it the next one."""
    key: str | None = None
    tombstone: bool = False
    """Whether it has no value, which deletes its key where the log is compacted."""
    timestamp: float = 0.0
    """In milliseconds: when its leader took it (``message.timestamp.type=LogAppendTime``; Kafka's default is the producer's)."""
    size: int = 1
    """Bytes."""
    producer_id: int = -1
    """-1: a producer that is not idempotent."""
    producer_epoch: int = -1
    sequence: int = -1
    """Counts a producer's records in this partition."""
    batch: int = -1
    """The sequence number of the first record that came in the same batch."""
    transactional: bool = False
    marker: Literal["", "commit", "abort"] = ""
    """What it says if it is no record but ends a transaction."""
