"""Follows messages that did not take effect where they were meant to, and judges what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simulator.reading.lineage import births
from simulator.reading.parties import consumed, groups, in_cluster, keepers, members, read_by, topics_of, value_of
from simulator.trace import Trace
from simulator.vocabulary import (
    ABANDONED,
    ACKNOWLEDGED,
    APPENDED,
    COMMITTED,
    COMPLETED,
    DEAD_LETTERED,
    DELETED,
    DELIVERED,
    ENQUEUED,
    EXPIRED,
    FAILED,
    FETCHED,
    IGNORED,
    LOST,
    QUEUED,
    READIED,
    REDRIVEN,
    REJECTED,
    REQUEUED,
    ROUTED,
    SENT,
    SETTLED,
    STARTED,
)  # fmt: skip

PATIENCE = ("request_timeout_ms", "call_timeout", "timeout")
"""The settings by which a node notices that no answer came; None means that it waits for ever and never sends again."""


class Fate(NamedTuple):
    """What became of one message."""

    lost: bool
    """False: not yet, it may still come."""
    why: str
    """The end of a sentence."""
    last: int
    """The index of the step that shows it."""


class Inquiry:
    """Follows the missing messages of one node or group through the trace, once, and then judges each."""

    def __init__(self, trace: Trace, name: str, missing: list[int]) -> None:
        """``missing`` are the ids of the messages to follow, ``name`` the node or group that they were meant for."""
        self._trace = trace
        self._name = name
        self._born = births(trace)
        self._missing = missing
        self._places = members(trace, name)
        self._aims = self._places | {place for kept in read_by(trace, name) for place in keepers(trace, kept)}
        self._last: dict[int, int] = {}
        self._flying: dict[int, tuple[int, int]] = {}
        self._held: dict[int, tuple[int, int]] = {}
        self._stored: dict[int, list[tuple[int, int, int]]] = {}
        self._queued: dict[int, list[tuple[int, int]]] = {}
        """Where a message is in a queue, as (node, number there)."""
        self._left: dict[int, tuple[int, int, int]] = {}
        """How a message last left a queue: the step's index, kind, and the queue that it was moved to."""
        self._routed: dict[int, list[tuple[int, int, int]]] = {}
        """Where a message is in a broker that routes, as (node, queue, place); the queue as a shared value."""
        own = consumed(trace, name)
        self._foreign = {queue for other in groups(trace) for queue in consumed(trace, other) if own} - own
        """Queues that only others consume: what stands or stood there as well is no concern of this one's."""
        self._settled: dict[int, tuple[int, str]] = {}
        """How a message last left such a queue, or found none: the step's index, and the reason."""
        self._abandoned: dict[int, tuple[int, str]] = {}
        self._answered: set[int] = set()
        self._refused: set[int] = set()
        self._resent: dict[int, int] = {}
        self._next = self._next_to_read()
        self._crashed = {row[3]: row[0] for row in trace.rows("crashed")}
        self._listening = {row[3] for row in trace.rows("acknowledged", "completed", "timed_out", "failed")}
        self._follow()

    def _next_to_read(self) -> dict[tuple[int, int], int]:
        """Where the group goes on reading, by topic and partition: as it last committed, or was last assigned."""
        trace = self._trace
        value = value_of(trace, self._name)
        read = [topic for topic in topics_of(trace, self._name) if not in_cluster(trace, topic)]
        # An ``assigned`` step names a partition but no topic, so it can only be told where there is only one.
        sole_topic = trace.node_index(read[0]) if len(read) == 1 else -1
        return {
            (node if kind == COMMITTED else sole_topic, partition): offset
            for _, _, kind, node, _, _, partition, offset, group in trace.rows("committed", "assigned")
            if group == value
        }

    def _follow(self) -> None:
        trace, missing = self._trace, set(self._missing)
        answers = {
            number: answered
            for number, (_, _, answered, _) in enumerate(trace.message_rows(), start=1)
            if answered in missing
        }
        concerned = missing | answers.keys()
        for index, _, kind, node, message, cause, a, b, c in trace.rows():
            if message not in concerned:
                continue
            if kind in (DELIVERED, LOST) and cause in self._flying:
                self._last[self._flying.pop(cause)[0]] = index
            elif message in missing:
                self._see(index, kind, node, message, a, b)
                self._see_routing(index, kind, node, message, a, b, c)
            elif kind == SENT:
                # It was answered without taking effect: whoever held it is done with it.
                self._held.pop(answers[message], None)
                self._flying[index] = (answers[message], a)

    def _see(self, index: int, kind: int, node: int, message: int, a: int, b: int) -> None:
        if node in self._aims or message in self._born and node == self._born[message].node:
            self._last[message] = index
        if kind == SENT:
            if a in self._aims:
                self._flying[index] = (message, a)
            self._resent[message] = index
            self._refused.discard(message)
        elif kind in (QUEUED, STARTED, FETCHED) and node in self._places:
            self._held[message] = (index, node)
        elif kind == APPENDED and node in self._aims:
            self._stored.setdefault(message, []).append((node, a, b))
        elif kind == REJECTED and node in self._places:
            self._held.pop(message, None)
        elif kind == ENQUEUED:
            self._queued.setdefault(message, []).append((node, a))
            self._left.pop(message, None)
        elif kind in (DELETED, EXPIRED, DEAD_LETTERED, REDRIVEN) and (node, a) in self._queued.get(message, ()):
            # What a shovel moves is in a broker's queues, and followed there.
            self._queued[message].remove((node, a))
            self._left[message] = (index, kind, b)
        elif kind == ABANDONED:
            self._abandoned[message] = (index, str(self._trace.values[a]))
        elif kind == FAILED:
            self._refused.add(message)
        elif kind in (ACKNOWLEDGED, COMPLETED):
            self._answered.add(message)

    def _see_routing(self, index: int, kind: int, node: int, message: int, a: int, b: int, c: int) -> None:
        """What a broker with exchanges and queues does with a message."""
        if kind in (READIED, REQUEUED, SETTLED) and self._trace.values[a] in self._foreign:
            return
        if kind == ROUTED and not b:
            self._settled[message] = (index, "no queue was there to take it")
        elif kind == READIED:
            self._routed.setdefault(message, []).append((node, a, b))
        elif kind == REQUEUED:
            self._routed[message].remove((node, a, c))
            self._routed[message].append((node, a, b))
        elif kind == SETTLED:
            self._routed[message].remove((node, a, b))
            self._settled[message] = (index, f"it left the queue {self._trace.values[a]} ({self._trace.values[c]})")
        elif kind == IGNORED and node in self._places:
            self._held.pop(message, None)

    def verdicts(self) -> dict[int, Fate]:
        """The fate of each message, by its id."""
        flying = dict(self._flying.values())
        return {number: self._verdict(number, flying) for number in self._missing}

    def _verdict(self, number: int, flying: Mapping[int, int]) -> Fate:
        nodes = self._trace.nodes
        last = self._last.get(number, self._born[number].step if number in self._born else 0)
        if number in flying:
            return Fate(False, f"a message about it was on its way to {nodes[flying[number]]} when the run ended", last)
        held, holder = self._held.get(number, (-1, -1))
        if held >= 0 and self._crashed.get(holder, -1) < held:
            return Fate(False, f"{nodes[holder]} still had it in hand when the run ended", held)
        stored = self._stored.get(number)
        if stored:
            for topic, partition, offset in stored:
                if self._next.get((topic, partition), 0) <= offset:
                    where = f"partition {partition}, offset {offset} of {nodes[topic]}"
                    return Fate(False, f"{self._name} had not got past {where} when the run ended", last)
            how = f"{nodes[holder]} crashed with it in hand, and " if held >= 0 else ""
            return Fate(True, f"{how}{self._name} reads on behind it, so nobody will read it again", last)
        return self._in_a_queue(number) or self._unstored(number, last)

    def _in_a_queue(self, number: int) -> Fate | None:
        """The fate of what is, or was, in a queue; None for what never was."""
        nodes, last = self._trace.nodes, self._last.get(number, 0)
        if self._routed.get(number):
            node, value, _ = self._routed[number][-1]
            name = self._trace.values[value]
            aside = "" if name in consumed(self._trace, self._name) else ", where it was set aside,"
            return Fate(False, f"it was still in the queue {name} of {nodes[node]}{aside} when the run ended", last)
        if number in self._settled:
            index, how = self._settled[number]
            return Fate(True, how, index)
        kept = self._queued.get(number)
        if kept:
            where = nodes[kept[-1][0]]
            aside = "" if kept[-1][0] in self._aims else ", where it was set aside,"
            return Fate(False, f"it was still in {where}{aside} when the run ended", last)
        if number not in self._left:
            return None
        index, kind, to = self._left[number]
        if kind in (DEAD_LETTERED, REDRIVEN):
            return Fate(False, f"it was on its way to {nodes[to]} when the run ended", index)
        queue = self._trace[index].node
        how = "had kept it for long enough and dropped it" if kind == EXPIRED else "deleted it before it took effect"
        return Fate(True, f"{queue} {how}", index)

    def _unstored(self, number: int, last: int) -> Fate:
        nodes = self._trace.nodes
        if number in self._abandoned:
            index, reason = self._abandoned[number]
            return Fate(True, f"{self._trace[index].node} gave up ({reason})", index)
        maker = self._born[number].node if number in self._born else -1
        if maker >= 0 and number not in self._answered and self._may_send_again(number, maker):
            return Fate(False, f"{nodes[maker]} could still send it again when the run ended", last)
        if maker >= 0 and self._crashed.get(maker, -1) > self._born[number].step:
            return Fate(True, f"{nodes[maker]} crashed and knows nothing of it any more", last)
        return Fate(True, "it got lost on the way and nobody sends it again", last)

    def _may_send_again(self, number: int, maker: int) -> bool:
        """Whether its maker listens for an answer at all, and has not forgotten it in a crash."""
        if self._crashed.get(maker, -1) > max(self._born[number].step, self._resent.get(number, -1)):
            return False
        node = self._trace.scenario.nodes[maker]
        if getattr(node, "acks", None) in (0, "0") or getattr(node, "confirm", None) is False:
            return False
        if number in self._refused:
            return True
        for setting in PATIENCE:
            if hasattr(node, setting):
                return getattr(node, setting) is not None
        return maker in self._listening
