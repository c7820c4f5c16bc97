"""A partition's log, what it forgets, and when: whole segments by age or size, or all but the latest record of each key.

An offset is never given out again and never changes: a reader finds the next record that is still there. The settings have
Apache Kafka's names and defaults (topic configuration, 4.0). Sources: ``UnifiedLog.deleteOldSegments``, ``LogCleaner``; KIP-534
for how long a tombstone stays. Simplified: a record is a batch of its own, and cleaning does not merge segments.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import Refused

DAY_MS = 86_400_000.0


class _Segment:
    """A stretch of the log that is deleted as a whole. Only the last one is written to: the active one."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.records: list[Entry] = []
        self.size = 0
        self.latest = -math.inf
        """The timestamp of its latest record."""

    def append(self, record: Entry) -> None:
        self.records.append(record)
        self.size += record.size
        self.latest = max(self.latest, record.timestamp)

    def keep(self, records: list[Entry]) -> None:
        self.records = []
        self.size, self.latest = 0, -math.inf
        for record in records:
            self.append(record)


class Log:
    """A partition's records, from `start` up to, not including, `end`; between the two some may be gone.

    ``cleanup_policy`` is ``("delete",)``, ``("compact",)`` or both. ``retention_ms`` and ``retention_bytes`` of -1: no limit.
    """

    def __init__(
        self,
        *,
        cleanup_policy: Sequence[str] = ("delete",),
        segment_bytes: int = 1_073_741_824,
        segment_ms: float = 7 * DAY_MS,
        retention_ms: float = 7 * DAY_MS,
        retention_bytes: int = -1,
        delete_retention_ms: float = DAY_MS,
        min_cleanable_dirty_ratio: float = 0.5,
        min_compaction_lag_ms: float = 0.0,
    ) -> None:
        unknown = [policy for policy in cleanup_policy if policy not in ("delete", "compact")]
        if unknown:
            raise Refused("INVALID_CONFIG", f'cleanup_policy knows no "{unknown[0]}"; it takes "delete", "compact" or both.')
        self.cleanup_policy = tuple(cleanup_policy)
        self.segment_bytes = segment_bytes
        self.segment_ms = segment_ms
        self.retention_ms = retention_ms
        self.retention_bytes = retention_bytes
        self.delete_retention_ms = delete_retention_ms
        self.min_cleanable_dirty_ratio = min_cleanable_dirty_ratio
        self.min_compaction_lag_ms = min_compaction_lag_ms
        self.start = 0
        """The log start offset: the first that may be read."""
        self.end = 0
        self._segments = [_Segment(0)]
        self._cleaned_to = 0
        """Up to here each key is there once."""
        self._delete_horizon: dict[int, float] = {}
        """When each tombstone that a cleaning has passed may go, by offset."""

    def __iter__(self) -> Iterator[Entry]:
        return (entry for segment in self._segments for entry in segment.records)

    def __len__(self) -> int:
        return sum(len(segment.records) for segment in self._segments)

    def __eq__(self, other: object) -> bool:
        """Two logs are equal that have the same entries from the same start to the same end."""
        if not isinstance(other, Log):
            return NotImplemented
        return (self.start, self.end) == (other.start, other.end) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def check(self, entry: Entry) -> None:
        """Raise `Refused` for what this log can't keep: RECORD_LIST_TOO_LARGE for a record that fits in no segment;
        INVALID_RECORD for one without a key where the log is compacted."""
        if entry.size > self.segment_bytes:
            raise Refused("RECORD_LIST_TOO_LARGE", f"{entry.size} bytes are more than segment.bytes, {self.segment_bytes}.")
        if entry.key is None and not entry.marker and "compact" in self.cleanup_policy:
            raise Refused("INVALID_RECORD", "a compacted topic keeps the latest record of each key; give this one a key.")

    def append(self, entry: Entry) -> int:
        """Store a record and tell its offset: the next one or, for a copy of another log's entry, the one that it has there.

        Raises `Refused` as `check` does.
        """
        self.check(entry)
        if entry.offset < 0:
            entry = entry._replace(offset=self.end)
        self.end = entry.offset
        active = self._segments[-1]
        full = active.size + entry.size > self.segment_bytes
        if active.records and (full or entry.timestamp - active.records[0].timestamp > self.segment_ms):
            active = self._roll()
        active.append(entry)
        self.end += 1
        return entry.offset

    def truncate(self, end: int) -> int:
        """Cut off all from this offset on; how many records went."""
        if end >= self.end:
            return 0
        before = len(self)
        while len(self._segments) > 1 and self._segments[-1].base >= end:
            self._segments.pop()
        last = self._segments[-1]
        last.keep([entry for entry in last.records if entry.offset < end])
        last.base = min(last.base, end)
        self.start, self.end = min(self.start, end), end
        self._cleaned_to = min(self._cleaned_to, end)
        self._delete_horizon = {offset: until for offset, until in self._delete_horizon.items() if offset < end}
        return before - len(self)

    def begin_at(self, start: int) -> int:
        """Let go of all before this offset, as a leader has done; how many records went. A log that ends before it is
        empty then, and goes on from there."""
        if start <= self.start:
            return 0
        before = len(self)
        self._segments = [segment for segment in self._segments if segment.records and segment.records[-1].offset >= start]
        for segment in self._segments:
            segment.keep([entry for entry in segment.records if entry.offset >= start])
        self.start, self.end = start, max(self.end, start)
        self._cleaned_to = max(self._cleaned_to, start)
        self._segments = self._segments or [_Segment(self.end)]
        return before - len(self)

    def read(self, offset: int, most: int = 500) -> list[Entry]:
        """The next records from this offset on, up to so many.

        Raises `Refused`: OFFSET_OUT_OF_RANGE before the start or after the end.
        """
        if not self.start <= offset <= self.end:
            raise Refused("OFFSET_OUT_OF_RANGE", f"the log has the offsets {self.start} to {self.end}, not {offset}.")
        found: list[Entry] = []
        for segment in self._segments:
            # Nearly all who ask want what is at the end.
            if segment.records and segment.records[-1].offset >= offset:
                first = bisect_left(segment.records, offset, key=lambda record: record.offset)
                found += segment.records[first : first + most - len(found)]
        return found

    @property
    def segments(self) -> tuple[int, ...]:
        """The first offset of each segment; the last one is the active one."""
        return tuple(segment.base for segment in self._segments)

    def delete(self, now: float, high_watermark: int | None = None) -> int:
        """Drop the oldest segments that are too many bytes, or whose latest record is too old; how many records went.

        What lies above the high watermark stays. The broker looks every five minutes (``log.retention.check.interval.ms``).
        """
        if "delete" not in self.cleanup_policy:
            return 0
        limit = self.end if high_watermark is None else high_watermark
        before = len(self)
        over = sum(segment.size for segment in self._segments) - self.retention_bytes
        while self.retention_bytes >= 0 and over >= self._segments[0].size and self._may_go(limit):
            over -= self._segments[0].size
            self._drop_oldest()
        while self.retention_ms >= 0 and now - self._segments[0].latest > self.retention_ms and self._may_go(limit):
            self._drop_oldest()
        return before - len(self)

    def dirty_ratio(self, now: float, stable: int | None = None) -> float:
        """Which part of what may be cleaned was written since the last cleaning; 0 if nothing was."""
        sizes = [0, 0]
        for segment in self._cleanable(now, stable):
            for record in segment.records:
                sizes[record.offset >= self._cleaned_to] += record.size
        return sizes[1] / sum(sizes) if sizes[1] else 0.0

    def compact(
        self, now: float, stable: int | None = None, aborted: Callable[[Entry], bool] = lambda record: False
    ) -> list[Entry]:
        """Clean, if the log is dirty enough (``min.cleanable.dirty.ratio``); the records that went.

        Of each key the latest record stays, and everything in the active segment or from ``stable`` on, the last stable
        offset. What a transaction wrote that was ``aborted`` goes. A tombstone stays for ``delete.retention.ms`` after the first
        cleaning that it survived, so that who reads the log hears of it. Simplified: the markers of transactions stay.
        """
        if "compact" not in self.cleanup_policy or self.dirty_ratio(now, stable) <= self.min_cleanable_dirty_ratio:
            return []
        cleanable = list(self._cleanable(now, stable))
        void = {record.offset for segment in cleanable for record in segment.records if aborted(record)}
        latest = {
            record.key: record.offset
            for segment in cleanable
            for record in segment.records
            if not record.marker and record.offset not in void
        }
        gone: list[Entry] = []
        for segment in cleanable:
            kept = []
            for record in segment.records:
                superseded = not record.marker and latest.get(record.key, -1) > record.offset
                expired = record.tombstone and self._delete_horizon.get(record.offset, math.inf) <= now
                if superseded or expired or record.offset in void:
                    gone.append(record)
                    self._delete_horizon.pop(record.offset, None)
                    continue
                if record.tombstone:
                    self._delete_horizon.setdefault(record.offset, now + self.delete_retention_ms)
                kept.append(record)
            segment.keep(kept)
        following = self._segments[len(cleanable)].base
        self._segments = [each for each in self._segments[:-1] if each.records] + self._segments[-1:]
        self._cleaned_to = following
        return gone

    def _cleanable(self, now: float, stable: int | None) -> Iterator[_Segment]:
        """The segments that may be cleaned: before the active one, stable, and old enough."""
        limit = self.end if stable is None else stable
        for segment, following in zip(self._segments, self._segments[1:], strict=False):
            if following.base > limit or now - segment.latest < self.min_compaction_lag_ms:
                return
            yield segment

    def _may_go(self, limit: int) -> bool:
        oldest = self._segments[0]
        following = self._segments[1].base if len(self._segments) > 1 else self.end
        return bool(oldest.records) and following <= limit

    def _drop_oldest(self) -> None:
        if len(self._segments) == 1:
            self._roll()
        dropped = self._segments.pop(0)
        self.start = self._segments[0].base
        self._cleaned_to = max(self._cleaned_to, self.start)
        for record in dropped.records:
            self._delete_horizon.pop(record.offset, None)

    def _roll(self) -> _Segment:
        self._segments.append(_Segment(self.end))
        return self._segments[-1]
