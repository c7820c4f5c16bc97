"""What became of a message that was meant for somebody and did not take effect there: lost for good, or only not there yet.

A run ends in the middle of things. A message that is still on a link, in a queue, in a worker's hands, in a log in front of
its reader, or that a client may still send again is not lost; this module tells the two apart from what the trace
says, and never from the time that is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from attrs import frozen

from simulator.message import Message
from simulator.reading.lineage import births, origins
from simulator.reading.memo import remembered
from simulator.reading.parties import clients, group_of, members, topics_of, value_of
from simulator.trace import Step, Trace
from simulator.vocabulary import (
    ABANDONED,
    ACKNOWLEDGED,
    APPENDED,
    COMMITTED,
    COMPLETED,
    DELIVERED,
    FAILED,
    FETCHED,
    LOST,
    QUEUED,
    SENT,
    STARTED,
)  # fmt: skip

Of = Literal["message", "operation"]
"""What is counted: each message, or each operation of a client however many messages carried it on."""


@frozen
class Missing:
    """A message that did not take effect where it was meant to."""

    message: Message
    name: str
    """The node or group that it was meant for."""
    lost: bool
    """False: not yet, it may still come."""
    why: str
    """The end of a sentence: "order-17 did not reach billing: shop gave up (timeout)"."""
    steps: tuple[Step, ...]
    """Its birth, and the last that is known of it."""


_PATIENCE = ("request_timeout_ms", "call_timeout", "timeout")
"""The settings by which a node notices that no answer came; None means that it waits for ever and never sends again."""


class _Known(NamedTuple):
    lost: bool
    why: str
    last: int


def losses(trace: Trace, name: str, *, of: Of = "message") -> list[Missing]:
    """What was meant for a node or group and will never take effect there, in order of birth.

    For a group this is every record sent to a topic it reads; for a service, every request sent to it. With
    ``of="operation"``: every record or request of a client, whatever messages were to carry it on to there.
    """
    return [each for each in missing(trace, name, of=of) if each.lost]


def pending(trace: Trace, name: str, *, of: Of = "message") -> list[Missing]:
    """What had not taken effect at a node or group when the run ended, but still could, in order of birth."""
    return [each for each in missing(trace, name, of=of) if not each.lost]


def missing(trace: Trace, name: str, *, of: Of = "message") -> list[Missing]:
    """`losses` and `pending` together: all that was meant for a node or group and did not take effect, in order of birth."""
    known = _judge(trace, name) if of == "message" else _judge_operations(trace, name)
    return [_shown(trace, name, number, fate) for number, fate in known.items()]


def done_at(trace: Trace, nodes: Iterable[int]) -> set[int]:
    """The messages that took effect at these nodes, or were recognised there as done before."""
    wanted = set(nodes)
    return {row[4] for row in trace.rows("processed", "skipped") if row[3] in wanted}


def expected(trace: Trace, name: str) -> list[int]:
    """The records and requests that were meant for a node or group, by id, in order of birth.

    They were sent or published to it or to a topic it reads, are in such a topic, or were made by a node that can send to
    nobody else.
    """
    born = births(trace)
    aims = set(members(trace, name)) | {trace.node_index(topic) for topic in topics_of(trace, name)}
    stored = {row[4] for row in trace.rows("appended") if row[3] in aims}
    meant = {row[4] for row in trace.rows("sent", "published") if row[6] in aims} | stored
    only = {
        place
        for place, node in enumerate(trace.nodes)
        if len(ahead := trace.scenario.downstream(node)) == 1 and trace.node_index(ahead[0]) in aims
    }
    found = [number for number, birth in born.items() if number in meant or birth.node in only]
    return found + sorted(stored - born.keys())


def _shown(trace: Trace, name: str, number: int, fate: _Known) -> Missing:
    birth = births(trace).get(number)
    steps = tuple(trace[index] for index in dict.fromkeys((birth.step if birth else fate.last, fate.last)))
    return Missing(trace.message(number), name, fate.lost, fate.why, steps)


@remembered
def _judge(trace: Trace, name: str) -> dict[int, _Known]:
    done = done_at(trace, members(trace, name))
    open_ones = [number for number in expected(trace, name) if number not in done]
    return _Inquiry(trace, name, open_ones).verdicts() if open_ones else {}


@remembered
def _judge_operations(trace: Trace, name: str) -> dict[int, _Known]:
    origin = origins(trace)
    reached = {origin.get(number, number) for number in done_at(trace, members(trace, name))}
    makers = {trace.node_index(client) for client in clients(trace)}
    found = {
        number: _Known(True, "nothing carried it there", birth.step)
        for number, birth in births(trace).items()
        if birth.node in makers and number not in reached
    }
    if not found:
        return {}
    # The later stage tells more of the operation's end, so it comes last; but whatever is open anywhere keeps it open.
    stages = dict.fromkeys(group_of(trace, node) for node in trace.nodes if trace.node_index(node) not in makers)
    for stage in (*(each for each in stages if each != name), name):
        for number, fate in _judge(trace, stage).items():
            first = origin.get(number, number)
            if first in found and (found[first].lost or not fate.lost):
                found[first] = fate
    return found


class _Inquiry:
    """Follows the missing messages of one node or group through the trace, once, and then judges each."""

    def __init__(self, trace: Trace, name: str, missing: list[int]) -> None:
        self._trace = trace
        self._name = name
        self._born = births(trace)
        self._missing = missing
        self._places = members(trace, name)
        self._last: dict[int, int] = {}
        self._flying: dict[int, tuple[int, int]] = {}
        self._held: dict[int, tuple[int, int]] = {}
        self._stored: dict[int, list[tuple[int, int, int]]] = {}
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
        read = topics_of(trace, self._name)
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
        for index, _, kind, node, message, cause, a, b, _ in trace.rows():
            if message not in concerned:
                continue
            if kind in (DELIVERED, LOST) and cause in self._flying:
                self._last[self._flying.pop(cause)[0]] = index
            elif message in missing:
                self._see(index, kind, node, message, a, b)
            elif kind == SENT:
                # It was answered without taking effect: whoever held it is done with it.
                self._held.pop(answers[message], None)
                self._flying[index] = (answers[message], a)

    def _see(self, index: int, kind: int, node: int, message: int, a: int, b: int) -> None:
        self._last[message] = index
        if kind == SENT:
            self._flying[index] = (message, a)
            self._resent[message] = index
            self._refused.discard(message)
        elif kind in (QUEUED, STARTED, FETCHED) and node in self._places:
            self._held[message] = (index, node)
        elif kind == APPENDED:
            self._stored.setdefault(message, []).append((node, a, b))
        elif kind == ABANDONED:
            self._abandoned[message] = (index, str(self._trace.values[a]))
        elif kind == FAILED:
            self._refused.add(message)
        elif kind in (ACKNOWLEDGED, COMPLETED):
            self._answered.add(message)

    def verdicts(self) -> dict[int, _Known]:
        flying = dict(self._flying.values())
        return {number: self._verdict(number, flying) for number in self._missing}

    def _verdict(self, number: int, flying: Mapping[int, int]) -> _Known:
        nodes = self._trace.nodes
        last = self._last.get(number, self._born[number].step if number in self._born else 0)
        if number in flying:
            return _Known(False, f"a message about it was on its way to {nodes[flying[number]]} when the run ended", last)
        held, holder = self._held.get(number, (-1, -1))
        if held >= 0 and self._crashed.get(holder, -1) < held:
            return _Known(False, f"{nodes[holder]} still had it in hand when the run ended", last)
        stored = self._stored.get(number)
        if stored:
            for topic, partition, offset in stored:
                if self._next.get((topic, partition), 0) <= offset:
                    where = f"partition {partition}, offset {offset} of {nodes[topic]}"
                    return _Known(False, f"{self._name} had not got past {where} when the run ended", last)
            how = f"{nodes[holder]} crashed with it in hand, and " if held >= 0 else ""
            return _Known(True, f"{how}{self._name} reads on behind it, so nobody will read it again", last)
        return self._unstored(number, last)

    def _unstored(self, number: int, last: int) -> _Known:
        nodes = self._trace.nodes
        if number in self._abandoned:
            index, reason = self._abandoned[number]
            return _Known(True, f"{self._trace[index].node} gave up ({reason})", index)
        maker = self._born[number].node if number in self._born else -1
        if maker >= 0 and number not in self._answered and self._may_send_again(number, maker):
            return _Known(False, f"{nodes[maker]} could still send it again when the run ended", last)
        if maker >= 0 and self._crashed.get(maker, -1) > self._born[number].step:
            return _Known(True, f"{nodes[maker]} crashed and knows nothing of it any more", last)
        return _Known(True, "it got lost on the way and nobody sends it again", last)

    def _may_send_again(self, number: int, maker: int) -> bool:
        """Whether its maker listens for an answer at all, and has not forgotten it in a crash."""
        if self._crashed.get(maker, -1) > max(self._born[number].step, self._resent.get(number, -1)):
            return False
        node = self._trace.scenario.nodes[maker]
        if getattr(node, "acks", None) in (0, "0"):
            return False
        if number in self._refused:
            return True
        for setting in _PATIENCE:
            if hasattr(node, setting):
                return getattr(node, setting) is not None
        return maker in self._listening
