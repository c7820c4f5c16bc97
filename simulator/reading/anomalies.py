"""What is wrong with a history of sends and polls, in the words of Jepsen's checker for Kafka-like logs.

Judged from outside only, by what clients were told. A key's *version order* is its values in the order of their offsets, as far
as polls, or sends that certainly happened, tell of them; a value's *index* is its rank there, so that the offsets that
transactions' markers take leave no gap. Nothing is expected of what lies after the last value that anyone read: it is only
`unseen`. Source of the definitions: ``jepsen.tests.kafka`` of jepsen-io/jepsen (0.3.14); left out are its dependency cycles.

| name | meaning |
|---|---|
| G1a | aborted read: a poll returned a value whose send failed |
| lost-write | a value that is certainly in the log, before another that was read, was returned by no poll |
| duplicate | one value at more than one offset |
| inconsistent-offsets | one offset with more than one value |
| nonmonotonic-poll, poll-skip | one process's next poll of a key went back, or left something out |
| int-nonmonotonic-poll, int-poll-skip | the same within one operation |
| nonmonotonic-send | one process's next send to a key got an earlier place |
| int-nonmonotonic-send, int-send-skip | within one operation: an earlier place; not the very next one |
| precommitted-read | a transaction read what it had itself sent |
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import pairwise

from attrs import frozen

from simulator.reading.histories import history
from simulator.reading.operations import Operation, Poll, Send, Told
from simulator.trace import Trace

ALLOWED = frozenset({"int-send-skip"})
"""Anomalies that no log promises to prevent: another producer's record may come between two of one's own."""


@frozen
class Anomaly:
    """One thing that should not be."""

    name: str
    key: Hashable
    values: tuple[Hashable, ...]
    """The value concerned, or the two that follow each other."""
    operations: tuple[int, ...] = ()
    """The places in the history of the operations that prove it: the writer, then the reader; or the earlier, then the later."""
    offsets: tuple[int, ...] = ()
    """Where a duplicate stands, or what offset two values share."""
    indexes: tuple[int, ...] = ()
    """The two values' ranks in the log; for a lost write, its own and the highest that was read."""

    @property
    def delta(self) -> int:
        """How far it is from the first to the second; 1 is the next one. 0 where there are no two."""
        return self.indexes[1] - self.indexes[0] if len(self.indexes) == 2 else 0

    @property
    def allowed(self) -> bool:
        """Whether a log may do this without breaking a promise."""
        return self.name in ALLOWED


def anomalies(trace: Trace) -> list[Anomaly]:
    """What is wrong with a run, judged by what its producers and consumers were told.

    The checker takes it that consumers read each partition from its beginning: with ``auto_offset_reset="latest"``, what
    was there before them counts as lost if nobody read it, and so does what retention took out first. It takes it, too, that
    all read with the same ``isolation_level``: what one reads of aborted transactions, the others seem to skip.
    """
    return find(history(trace))


def evidence(trace: Trace, anomaly: Anomaly) -> tuple[int, ...]:
    """The places in the trace that prove an anomaly that was found there."""
    told = history(trace)
    return tuple(sorted({step for place in anomaly.operations for step in told[place].steps}))


def find(told: Sequence[Operation]) -> list[Anomaly]:
    """Every anomaly of a history (of completed operations, in the order in which they began)."""
    known = _Known(told)
    checks: tuple[Callable[[_Known], Iterator[Anomaly]], ...] = (
        _inconsistent_offsets, _duplicates, _aborted_reads, _precommitted_reads, _lost_writes, _within_operations, _polls, _sends,
    )  # fmt: skip
    return [anomaly for check in checks for anomaly in check(known)]


def unseen(told: Sequence[Operation]) -> dict[Hashable, list[Hashable]]:
    """What was acknowledged and no poll returned, by key, in the order in which it was sent."""
    polled = {
        (key, value) for each in told if each.type == "ok" for key, pairs in each.reads().items() for value, _ in pairs
    }
    found: dict[Hashable, list[Hashable]] = {}
    for each in told:
        for key, pairs in each.writes().items() if each.type == "ok" else ():
            rest = [value for value, _ in pairs if (key, value) not in polled]
            if rest:
                found.setdefault(key, []).extend(rest)
    return found


_Said = tuple[Hashable, int | None]
"""A value, and the offset that was told for it."""


class _Known:
    """What a history tells: who wrote, who read, and each key's version order."""

    def __init__(self, told: Sequence[Operation]) -> None:
        self.told = told
        self.writes = [operation.writes() for operation in told]
        self.reads = [operation.reads() for operation in told]
        self.about: dict[tuple[Hashable, Hashable], list[int]] = {}
        """The operations that wrote a key's value, or polled it."""
        self.writer: dict[tuple[Hashable, Hashable], int] = {}
        self.reader: dict[tuple[Hashable, Hashable], int] = {}
        """The first operation that certainly read the value."""
        for place, operation in enumerate(told):
            written = [(key, value) for key, pairs in self.writes[place].items() for value, _ in pairs]
            read = [(key, value) for key, pairs in self.reads[place].items() for value, _ in pairs]
            for each in dict.fromkeys(written + read):
                self.about.setdefault(each, []).append(place)
            for each in written:
                self.writer.setdefault(each, place)
            for each in read if operation.type == "ok" else ():
                self.reader.setdefault(each, place)
        self.log: dict[Hashable, dict[int, dict[Hashable, None]]] = {}
        """By key and offset, in order: the values that are said to be there."""
        for place, operation in enumerate(told):
            for part in operation.value:
                self._hear(part, sends_too=self.happened(place))
        self.log = {key: dict(sorted(places.items())) for key, places in self.log.items()}
        self.first: dict[tuple[Hashable, Hashable], int] = {}
        """By key and value: the index where it first appears."""
        self.index: dict[tuple[Hashable, Hashable], int] = {}
        """By key and value: its index in the version order, which has the first-told value of each offset."""
        self.rank: dict[tuple[Hashable, int], int] = {}
        """By key and offset: the offset's index."""
        for key, places in self.log.items():
            for index, (offset, values) in enumerate(places.items()):
                self.rank[key, offset] = index
                self.index[key, next(iter(values))] = index
                for value in values:
                    self.first.setdefault((key, value), index)

    def _hear(self, part: Send | Poll, *, sends_too: bool) -> None:
        if isinstance(part, Poll):
            for key, pairs in part.records:
                for offset, value in pairs:
                    self._place(key, offset, value)
        elif sends_too and part.offset is not None:
            self._place(part.key, part.offset, part.value)

    def _place(self, key: Hashable, offset: int, value: Hashable) -> None:
        self.log.setdefault(key, {}).setdefault(offset, {})[value] = None

    def happened(self, place: int) -> bool:
        """Whether an operation's sends certainly happened: it was told so, or someone read one of them."""
        if self.told[place].type == "info":
            return any((key, value) in self.reader for key, pairs in self.writes[place].items() for value, _ in pairs)
        return self.told[place].type == "ok"

    def indexes(self, key: Hashable, one: _Said, other: _Said) -> tuple[int, int] | None:
        """The ranks of two values, by their offsets where these were told; None if the order does not tell of both."""
        first, second = self._index(key, *one), self._index(key, *other)
        return None if first is None or second is None else (first, second)

    def _index(self, key: Hashable, value: Hashable, offset: int | None) -> int | None:
        by_offset = None if offset is None else self.rank.get((key, offset))
        return self.index.get((key, value)) if by_offset is None else by_offset


def _inconsistent_offsets(known: _Known) -> Iterator[Anomaly]:
    for key, places in known.log.items():
        for offset, values in places.items():
            if len(values) > 1:
                proof = sorted({place for value in values for place in known.about[key, value]})
                yield Anomaly("inconsistent-offsets", key, tuple(values), tuple(proof), (offset,))


def _duplicates(known: _Known) -> Iterator[Anomaly]:
    for key, places in known.log.items():
        found: dict[Hashable, list[int]] = {}
        for offset, values in places.items():
            for value in values:
                found.setdefault(value, []).append(offset)
        for value, offsets in found.items():
            if len(offsets) > 1:
                yield Anomaly("duplicate", key, (value,), tuple(known.about[key, value]), tuple(offsets))


def _aborted_reads(known: _Known) -> Iterator[Anomaly]:
    for place, reads in enumerate(known.reads):
        for key, pairs in reads.items() if known.told[place].type == "ok" else ():
            for value, _ in pairs:
                writer = known.writer.get((key, value))
                if writer is not None and known.told[writer].type == "fail":
                    yield Anomaly("G1a", key, (value,), (writer, place))


def _precommitted_reads(known: _Known) -> Iterator[Anomaly]:
    for place, writes in enumerate(known.writes):
        for key, pairs in writes.items():
            read = {value for value, _ in known.reads[place].get(key, ())}
            own = [value for value, _ in pairs if value in read]
            if own:
                yield Anomaly("precommitted-read", key, (own[0],), (place,))


def _lost_writes(known: _Known) -> Iterator[Anomaly]:
    for key, places in known.log.items():
        last = {value: index for index, values in enumerate(places.values()) for value in values}
        read = [value for value in last if (key, value) in known.reader]
        if not read:
            continue
        proof = max(read, key=lambda value: known.first[key, value])
        highest = known.first[key, proof]
        for value, index in last.items():
            writer = known.writer.get((key, value))
            if index > highest or (key, value) in known.reader or writer is None or not known.happened(writer):
                continue
            ranks = (known.first[key, value], highest)
            yield Anomaly("lost-write", key, (value,), (writer, known.reader[key, proof]), indexes=ranks)


def _within_operations(known: _Known) -> Iterator[Anomaly]:
    for place, operation in enumerate(known.told):
        for what, by_key in (("poll", known.reads[place]), ("send", known.writes[place])):
            for key, values in by_key.items():
                if what == "poll" and key in operation.rebalanced_keys:
                    continue
                for one, other in pairwise(values):
                    ranks = known.indexes(key, one, other)
                    if ranks is not None and ranks[1] - ranks[0] != 1:
                        forward = ranks[1] > ranks[0]
                        name = f"int-{what}-skip" if forward else f"int-nonmonotonic-{what}"
                        yield Anomaly(name, key, (one[0], other[0]), (place,), indexes=ranks)


def _polls(known: _Known) -> Iterator[Anomaly]:
    for earlier, later, key, one, other in _following(known, known.reads, {"ok", "fail", "info"}, {"ok"}):
        ranks = known.indexes(key, one, other)
        if ranks is not None and ranks[1] - ranks[0] != 1:
            name = "poll-skip" if ranks[1] > ranks[0] else "nonmonotonic-poll"
            yield Anomaly(name, key, (one[0], other[0]), (earlier, later), indexes=ranks)


def _sends(known: _Known) -> Iterator[Anomaly]:
    for earlier, later, key, one, other in _following(known, known.writes, {"ok", "info"}, {"ok", "info"}):
        ranks = known.indexes(key, one, other)
        if ranks is not None and ranks[1] <= ranks[0]:
            yield Anomaly("nonmonotonic-send", key, (one[0], other[0]), (earlier, later), indexes=ranks)


def _following(
    known: _Known, by_operation: Sequence[Told], judged: set[str], counted: set[str]
) -> Iterator[tuple[int, int, Hashable, _Said, _Said]]:
    """For each process and key: the last value of one operation and the first of the next, with both operations' places.

    Operations of the types ``judged`` are compared with what came before; only those ``counted`` move the place that the
    next must follow: who is told that a transaction failed goes back to where it began. A new choice of keys forgets
    the places in all others.
    """
    last: dict[Hashable, dict[Hashable, int]] = {}
    for place, operation in enumerate(known.told):
        places = last.setdefault(operation.process, {})
        if operation.f in ("subscribe", "assign"):
            if operation.type != "fail":
                last[operation.process] = {key: places[key] for key in operation.keys if key in places}
            continue
        if operation.type not in judged:
            continue
        for key, values in by_operation[place].items():
            if key in places and values:
                before = places[key]
                yield before, place, key, by_operation[before][key][-1], values[0]
            if operation.type in counted and values:
                places[key] = place
