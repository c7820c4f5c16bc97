"""What clients of a log did at a time, in Jepsen's form: sends, polls, transactions, and new choices of what is read.

Source: the workload ``jepsen.tests.kafka`` of jepsen-io/jepsen (0.3.14).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable
from typing import Literal, NamedTuple

from attrs import field, frozen

from simulator.trace import Trace


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


class Lives:
    """Which life of a node a step belongs to, counted from 1."""

    def __init__(self, trace: Trace) -> None:
        self._nodes = trace.nodes
        self._restarts: dict[int, list[int]] = {}
        for row in trace.rows("restarted"):
            self._restarts.setdefault(row[3], []).append(row[0])

    def at(self, node: int, step: int) -> tuple[str, int]:
        return self._nodes[node], 1 + bisect_left(self._restarts.get(node, []), step)
