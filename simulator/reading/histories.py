"""A run as its clients saw it: what each sent and polled, in Jepsen's form, without a look into the broker.

Source: the workload ``jepsen.tests.kafka`` of jepsen-io/jepsen (0.3.14).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable
from typing import Literal, NamedTuple

from attrs import field, frozen

from simulator.reading.lineage import births
from simulator.reading.memo import remembered
from simulator.reading.parties import topics, topics_of
from simulator.trace import Trace
from simulator.vocabulary import ACKNOWLEDGED, APPENDED, ASSIGNED


class Send(NamedTuple):
    """One value sent to one key (a partition); ``offset`` is None as long as the sender was not told."""

    key: Hashable
    value: Hashable
    offset: int | None = None


class Poll(NamedTuple):
    """What one poll returned: for each key its (offset, value) pairs, in the order in which they came."""

    records: tuple[tuple[Hashable, tuple[tuple[int, Hashable], ...]], ...]


Told = dict[Hashable, list[tuple[Hashable, int | None]]]
"""Values and their offsets, by key, in the order of the operation that tells of them."""


@frozen
class Operation:
    """What one client did at a time: sends, polls, both in one transaction, or a new choice of what it reads."""

    process: Hashable
    """Who did it. A client that crashed and begins anew is another process: it can't know where it was."""
    type: Literal["ok", "fail", "info"]
    """Whether it happened: yes; certainly not; nobody knows."""
    f: Literal["send", "poll", "txn", "subscribe", "assign"]
    value: tuple[Send | Poll, ...] = ()
    keys: tuple[Hashable, ...] = ()
    """For ``subscribe`` and ``assign``: what it reads from now on. Where it was in these is still expected of it."""
    rebalanced_keys: frozenset[Hashable] = frozenset()
    """The keys that were given to it or taken from it while it did this."""
    steps: tuple[int, ...] = field(default=(), eq=False)
    """The places in the trace that tell of it."""

    def writes(self) -> Told:
        """What it sent: by key, (value, offset) with None for an offset that it was not told."""
        found: Told = {}
        for part in self.value:
            if isinstance(part, Send):
                found.setdefault(part.key, []).append((part.value, part.offset))
        return found

    def reads(self) -> Told:
        """What it polled: by key, (value, offset)."""
        found: Told = {}
        for part in self.value:
            if isinstance(part, Poll):
                for key, pairs in part.records:
                    found.setdefault(key, []).extend((value, offset) for offset, value in pairs)
        return found


@remembered
def history(trace: Trace) -> tuple[Operation, ...]:
    """What producers sent to topics and what consumers fetched, in the order in which it began.

    A key is a topic's name and a partition; a value is a record's message id, which a retry keeps. A send that was
    acknowledged is ``ok``; every other is ``info``: its client does not know, even where the trace does. (Where nobody does, the
    partition isn't known either and is given as -1.) A consumer that is assigned a partition starts there anew.
    """
    told = [*_sends(trace), *_polls(trace)]
    return tuple(operation for _, operation in sorted(told, key=lambda each: each[0]))


def _sends(trace: Trace) -> list[tuple[int, Operation]]:
    kept = {trace.node_index(topic) for topic in topics(trace)}
    born = births(trace)
    aim: dict[int, int] = {}
    for row in trace.rows("sent"):
        if row[6] in kept and row[4] in born and row[3] == born[row[4]].node:
            aim.setdefault(row[4], row[6])
    known: dict[int, tuple[int, int, int]] = {}
    stored: dict[int, int] = {}
    for index, _, kind, _, message, _, partition, offset, _ in trace.rows("acknowledged", "appended"):
        if kind == ACKNOWLEDGED:
            known.setdefault(message, (partition, offset, index))
        elif kind == APPENDED:
            stored.setdefault(message, partition)
    lives = _Lives(trace)
    found = []
    for message, topic in aim.items():
        birth = born[message]
        process, name = lives.at(birth.node, birth.step), trace.nodes[topic]
        if message in known:
            partition, offset, acknowledged = known[message]
            sent = Send((name, partition), message, offset)
            told = Operation(process, "ok", "send", (sent,), steps=(birth.step, acknowledged))
        else:
            sent = Send((name, stored.get(message, -1)), message)
            told = Operation(process, "info", "send", (sent,), steps=(birth.step,))
        found.append((birth.step, told))
    return found


def _polls(trace: Trace) -> list[tuple[int, Operation]]:
    lives = _Lives(trace)
    topic_of: dict[int, str] = {}
    open_polls: dict[int, _OpenPoll] = {}
    read: dict[tuple[str, int], dict[Hashable, None]] = {}
    found: list[tuple[int, Operation]] = []

    def close(poll: _OpenPoll) -> None:
        records = tuple((key, tuple(pairs)) for key, pairs in poll.records.items())
        found.append((poll.steps[0], Operation(poll.process, "ok", "poll", (Poll(records),), steps=tuple(poll.steps))))

    for index, _, kind, node, message, cause, partition, offset, _ in trace.rows("fetched", "assigned"):
        if node not in topic_of:
            topic_of[node] = next(iter(topics_of(trace, trace.nodes[node])), "")
        key = (topic_of[node], partition)
        process = lives.at(node, index)
        poll = open_polls.get(node)
        if poll is not None and (kind == ASSIGNED or (poll.cause, poll.process) != (cause, process)):
            close(open_polls.pop(node))
            poll = None
        if kind == ASSIGNED:
            kept = read.setdefault(process, {})
            kept.pop(key, None)
            found.append((index, Operation(process, "ok", "assign", keys=tuple(kept), steps=(index,))))
        else:
            if poll is None:
                poll = open_polls[node] = _OpenPoll(process, cause)
            read.setdefault(process, {})[key] = None
            poll.records.setdefault(key, []).append((offset, message))
            poll.steps.append(index)
    for poll in open_polls.values():
        close(poll)
    return found


class _OpenPoll:
    """The records of one answer, as they are being taken from it."""

    def __init__(self, process: tuple[str, int], cause: int) -> None:
        self.process = process
        self.cause = cause
        self.records: dict[Hashable, list[tuple[int, Hashable]]] = {}
        self.steps: list[int] = []


class _Lives:
    """Which life of a node a step belongs to, counted from 1."""

    def __init__(self, trace: Trace) -> None:
        self._nodes = trace.nodes
        self._restarts: dict[int, list[int]] = {}
        for row in trace.rows("restarted"):
            self._restarts.setdefault(row[3], []).append(row[0])

    def at(self, node: int, step: int) -> tuple[str, int]:
        return self._nodes[node], 1 + bisect_left(self._restarts.get(node, []), step)
