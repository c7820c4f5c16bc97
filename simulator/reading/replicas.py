"""What a cluster's replicas hold at the end of a run, who was to be believed, and what became of what is not there any more.

A record may be in one broker's log and not in another's, and may be cut off again. What counts is the log of the partition's
leader: what stands there can be read, or will be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simulator.reading.clusters import Cluster, cluster, topic_of
from simulator.reading.memo import remembered
from simulator.reading.wire import wire
from simulator.trace import Trace
from simulator.vocabulary import (
    ADVANCED,
    APPENDED,
    COMPACTED,
    ELECTED,
    EXPANDED,
    MARKED,
    REPLICATED,
    SHRUNK,
    TRIMMED,
    TRUNCATED,
)


class Replica:
    """One broker's copy of a partition."""

    __slots__ = ("end", "high_watermark", "log", "start")

    def __init__(self) -> None:
        self.log: dict[int, int] = {}
        """The record (or marker) at each offset, in order."""
        self.start = 0
        self.end = 0
        self.high_watermark = 0

    def take_out(self, first: int, end: int) -> list[tuple[int, int]]:
        """Remove the offsets from ``first`` up to, not including, ``end``: (offset, record) of each that was there."""
        return [(offset, self.log.pop(offset)) for offset in range(first, end) if offset in self.log]


class Removal(NamedTuple):
    """That a replica lost a record."""

    step: int
    """The index of the ``truncated``, ``trimmed`` or ``compacted`` step."""
    node: int
    partition: str
    offset: int


class Place(NamedTuple):
    """Where a record stands in the log of a partition's leader."""

    record: int
    partition: str
    offset: int
    step: int
    """The index of the step that appended it there first."""


class Replicas(NamedTuple):
    """All copies of all partitions, at the end."""

    held: dict[tuple[str, str], Replica]
    """By broker and partition."""
    believed: dict[str, str]
    """By partition: its leader, or without one, the broker that will be it again when it returns."""
    cut: dict[int, list[Removal]]
    """By record: each time that a replica cut it off, since its leader did not have it."""
    dropped: dict[int, list[Removal]]
    """By record: each time that a replica let go of it, by retention or compaction."""
    places: dict[int, list[Place]]
    """By record: where it stands in the log of a leader, or stood until it was dropped; in order of offsets."""
    aborted: dict[int, int]
    """The records there whose transaction was aborted, each with the step that wrote the marker which says so: nobody who reads
    committed is given them."""
    undecided: frozenset[int]
    """The records there whose transaction is open."""


@remembered
def replicas(trace: Trace) -> Replicas:
    """Follow every replica to the end of the run."""
    found = Replicas({}, {}, {}, {}, {}, {}, frozenset())
    there = cluster(trace)
    if there is None:
        return found
    for partition in there.layout.names:
        for broker in there.replicas(partition):
            found.held[broker, partition] = Replica()
        found.believed[partition] = there.replicas(partition)[0]
    return _settled(trace, there, found, _follow(trace, found))


_First = dict[tuple[str, int, int], int]
"""The step at which a record was first appended, by partition, offset and record."""


def _follow(trace: Trace, found: Replicas) -> _First:
    nodes, values = trace.nodes, trace.values
    first: _First = {}
    kinds = (
        "appended", "replicated", "marked", "advanced", "truncated", "trimmed", "compacted", "elected", "shrunk", "expanded",
    )  # fmt: skip
    for index, _, kind, node, message, _, a, b, c in trace.rows(*kinds):
        partition = str(values[-a]) if a < 0 else ""
        if kind in (ELECTED, SHRUNK, EXPANDED):
            _believe(found, partition, values[b] if kind == ELECTED else None, str(values[c]) if kind != ELECTED else "")
            continue
        replica = found.held.get((nodes[node], partition))
        if replica is None:
            continue
        if kind in (APPENDED, REPLICATED, MARKED):
            replica.log[b] = message
            replica.end = b + 1
            first.setdefault((partition, b, message), index)
        elif kind == ADVANCED:
            replica.high_watermark = b
        elif kind == TRUNCATED:
            for offset, record in replica.take_out(b, replica.end):
                found.cut.setdefault(record, []).append(Removal(index, node, partition, offset))
            replica.end = b
            replica.high_watermark = min(replica.high_watermark, b)
        elif kind == TRIMMED:
            for offset, record in replica.take_out(replica.start, b):
                found.dropped.setdefault(record, []).append(Removal(index, node, partition, offset))
            replica.start = b
            replica.end = max(replica.end, b)
        elif kind == COMPACTED:
            for offset, record in replica.take_out(b, b + 1):
                found.dropped.setdefault(record, []).append(Removal(index, node, partition, offset))
    return first


def _believe(found: Replicas, partition: str, leader: str | None, in_sync: str) -> None:
    if leader is not None:
        found.believed[partition] = leader
    elif in_sync and found.believed[partition] not in in_sync.split():
        found.believed[partition] = in_sync.split(maxsplit=1)[0]


def _settled(trace: Trace, there: Cluster, found: Replicas, first: _First) -> Replicas:
    markers, writers = wire(trace).markers, wire(trace).writers
    aborted: dict[int, int] = {}
    undecided: set[int] = set()
    for partition in there.layout.names:
        log = found.held[found.believed[partition], partition].log
        open_: dict[int, list[int]] = {}
        for offset, record in _with_what_was_dropped(found, partition, log):
            if record in markers:
                ended = open_.pop(markers[record].producer, [])
                if not markers[record].commits:
                    aborted.update(dict.fromkeys(ended, first[partition, offset, record]))
                continue
            if record in writers:
                open_.setdefault(writers[record], []).append(record)
            place = Place(record, partition, offset, first[partition, offset, record])
            found.places.setdefault(record, []).append(place)
        undecided.update(record for records in open_.values() for record in records)
    return found._replace(aborted=aborted, undecided=frozenset(undecided))


def _with_what_was_dropped(found: Replicas, partition: str, log: dict[int, int]) -> Iterator[tuple[int, int]]:
    """The leader's log with what it, or a leader before it, let go of: (offset, record), in order.

    Only what is committed is ever dropped, so no other record can stand at such an offset later.
    """
    whole = dict(log)
    for record, removals in found.dropped.items():
        for each in removals:
            if each.partition == partition:
                whole.setdefault(each.offset, record)
    return iter(sorted(whole.items()))


def stored(trace: Trace, topic: str) -> list[Place]:
    """Each place of a record in a topic of a cluster, in the order in which they were appended; nothing of what was aborted."""
    all_ = replicas(trace)
    return sorted(
        (
            place
            for record, places in all_.places.items()
            if record not in all_.aborted and record not in all_.undecided
            for place in places
            if topic_of(place.partition) == topic
        ),
        key=lambda place: place.step,
    )
