"""Why a step happened, what happened to a message, and where something happened first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, overload

from attrs import frozen

from simulator.message import Message
from simulator.reading.fates import Of
from simulator.reading.flights import carried
from simulator.reading.lineage import is_birth_of_a_client, pieces
from simulator.reading.parties import group_of, in_cluster, members, processors, topics
from simulator.reading.repeats import duplicates, reorderings
from simulator.reading.replicas import replicas
from simulator.reading.sentences import sentence
from simulator.reading.tables import as_html, as_text
from simulator.trace import STEP, Step, Trace
from simulator.vocabulary import APPENDED, FETCHED, KINDS, LOST, SENT

_Line = TypeVar("_Line")

_SHOWN_FIRST, _SHOWN_LAST = 8, 16
"""How many steps of a long story are shown at its two ends."""


@frozen(repr=False)
class Story(Sequence[Step]):
    """Some steps of a trace in order of time, each of which can be told in a sentence."""

    title: str
    steps: tuple[Step, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence for each step."""
        return tuple(sentence(step) for step in self.steps)

    @property
    def indexes(self) -> tuple[int, ...]:
        """The steps as places in the trace."""
        return tuple(step.index for step in self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Step, ...]: ...
    def __getitem__(self, index: int | slice) -> Step | tuple[Step, ...]:
        return self.steps[index]

    def __repr__(self) -> str:
        lines = as_text(self._rows, numbers=(0,)).splitlines()
        return "\n".join([self.title, *(f"  {line}" for line in self._shortened(lines, f"… {self._hidden} more steps …"))])

    def _repr_html_(self) -> str:
        rows = self._shortened(self._rows, ("", "", f"… {self._hidden} more steps …"))
        return as_html(rows, numbers=(0,), title=self.title)

    @property
    def _rows(self) -> list[tuple[str, str, str]]:
        return [(f"{step.time:,.1f} ms", f"#{step.index}", sentence(step)) for step in self.steps]

    @property
    def _hidden(self) -> int:
        """How many steps in the middle are left out, so that none is where only one would be."""
        surplus = len(self.steps) - _SHOWN_FIRST - _SHOWN_LAST
        return surplus if surplus > 1 else 0

    def _shortened(self, lines: list[_Line], instead: _Line) -> list[_Line]:
        return [*lines[:_SHOWN_FIRST], instead, *lines[-_SHOWN_LAST:]] if self._hidden else lines


def why(trace: Trace, step: Step | int | None) -> Story:
    """The chain of causes that leads to a step, from the root to the step itself.

    It follows each step's recorded ``cause``, and says more than that at two places. A reader's first ``fetched`` of a
    record goes back to how the record came into the log, not to how the reader came to ask (when it fetches the record
    again, that is just the question, so then it does). A ``timed_out`` goes back to what was lost, if the message or
    an answer to it was. None, which is what `first` finds where there is nothing to find, has no causes, and the story says so.
    Raises IndexError if there is no such step.
    """
    if step is None:
        return Story("Nothing of that kind happened in this run, so there is nothing to explain.", ())
    index = trace[step].index if isinstance(step, int) else step.index
    found = [index]
    while (earlier := reason(trace, found[-1])) >= 0:
        found.append(earlier)
    found.reverse()
    told = sentence(trace[index])
    return Story(f"Why: {told}", tuple(trace[each] for each in found))


def reason(trace: Trace, index: int) -> int:
    """The step that explains this one, or -1: one link of the chain that `why` tells."""
    steps, _ = trace.buffers
    _, message, cause, a, b, _, node, kind = STEP.unpack_from(steps, index * STEP.size)
    if is_birth_of_a_client(trace, kind, node):
        return -1
    if kind == FETCHED:
        came = _came_into_the_log(trace, index, message, node, a, b)
        return cause if came < 0 else came
    if kind == KINDS["timed_out"].code:
        lost = _what_was_lost(trace, index, message, node, b)
        return cause if lost < 0 else lost
    return int(cause)


def _came_into_the_log(trace: Trace, fetched: int, message: int, node: int, partition: int, offset: int) -> int:
    """Where the record was appended; -1 if the group had fetched it before, or it never was."""
    steps, _ = trace.buffers
    group = members(trace, group_of(trace, trace.nodes[node]))
    for index in range(fetched - 1, -1, -1):
        _, number, _, a, b, _, at, kind = STEP.unpack_from(steps, index * STEP.size)
        if number == message and (a, b) == (partition, offset):
            if kind == FETCHED and at in group:
                return -1
            if kind == APPENDED:
                return index
    return -1


def _what_was_lost(trace: Trace, timed_out: int, message: int, node: int, attempt: int) -> int:
    """The loss of the message or of an answer to it since its latest attempt; without one, that attempt; -1 if there is none."""
    steps, _ = trace.buffers
    lost = -1
    for index in range(timed_out - 1, -1, -1):
        _, number, _, _, b, _, at, kind = STEP.unpack_from(steps, index * STEP.size)
        if kind == LOST and lost < 0 and (number == message or number and trace.message(number).in_reply_to == message):
            lost = index
        if kind == SENT and number == message and at == node and b == attempt:
            return index if lost < 0 else lost
    return lost


def journey(trace: Trace, message: Message | int | str) -> Story:
    """All that happened to one message and to the answers to it, in order of time. A key means every message of that key.

    A record's way through a cluster includes the requests that brought it to a partition's leader, and the steps in which a
    replica lost it again. Raises KeyError if the trace has no such message or key.
    """
    if isinstance(message, str):
        wanted = {number for number, each in enumerate(trace.message_rows(), 1) if trace.values[each[1]] == message}
        if not wanted:
            raise KeyError(f'No message has the key "{message}".')
        title = f"The journey of {message}"
    else:
        told = trace.message(message if isinstance(message, int) else message.id)
        wanted = {told.id}
        title = f"The journey of message {told.id} ({told.kind}{f', {told.key}' if told.key else ''})"
    logs = replicas(trace)
    gone = {each.step for number in wanted for lost in (logs.cut, logs.dropped) for each in lost.get(number, ())}
    brought = {row[4] for row in trace.rows("batched") if wanted & set(carried(trace.message(row[4])))}
    wanted |= brought
    wanted |= {number for number, each in enumerate(trace.message_rows(), 1) if each[2] in wanted}
    return Story(title, tuple(trace[row[0]] for row in trace.rows() if row[4] in wanted or row[0] in gone))


def first(trace: Trace, what: str | Callable[[Step], bool]) -> Step | None:
    """The first step that is something: one of `FIRSTS` ("duplicate", "loss" …), a kind of step, or a function of a step.

    None if it never happens: "run until" comes to the end. Raises KeyError for a name that is neither.
    """
    if callable(what):
        return next((step for step in trace if what(step)), None)
    finder = FIRSTS.get(what)
    if finder is None:
        return next(trace.select(what), None)
    index = finder(trace)
    return None if index is None else trace[index]


def firsts(trace: Trace) -> dict[str, Step]:
    """Each of `FIRSTS` that happens in the trace, with its first step, in the order of `FIRSTS`."""
    found = {name: first(trace, name) for name in FIRSTS}
    return {name: step for name, step in found.items() if step is not None}


def _kind(*kinds: str) -> Callable[[Trace], int | None]:
    return lambda trace: next((row[0] for row in trace.rows(*kinds)), None)


def _retry(trace: Trace) -> int | None:
    return next((row[0] for row in trace.rows("sent") if row[7] > 1), None)


def _twice(kind: str, of: Of = "message", *, in_clusters: bool = True) -> Callable[[Trace], int | None]:
    """Finds the first step of a kind that concerns a message (or a piece of an operation) a second time, in one group."""

    def find(trace: Trace) -> int | None:
        names = [group_of(trace, node) for node in trace.nodes]
        same: Mapping[int, object] = pieces(trace) if of == "operation" else {}
        seen: set[tuple[str, object]] = set()
        for row in trace.rows(kind):
            if row[6] < 0 and not in_clusters:
                continue
            at = (names[row[3]], same.get(row[4], row[4]))
            if at in seen:
                return row[0]
            seen.add(at)
        return None

    return find


def _reordering(trace: Trace) -> int | None:
    found = [each.steps[1].index for name in processors(trace) for each in reorderings(trace, name)[:1]]
    return min(found, default=None)


def _duplicate_record(trace: Trace) -> int | None:
    # In a cluster, what was cut off may be appended again, and stands there once.
    in_nodes = _twice("appended", in_clusters=False)(trace)
    found = [each.steps[1].index for name in topics(trace) if in_cluster(trace, name) for each in duplicates(trace, name)]
    return min([*found, *([] if in_nodes is None else [in_nodes])], default=None)


def _new_leader(trace: Trace) -> int | None:
    return next((row[0] for row in trace.rows("elected") if row[8] > 0), None)


FIRSTS: dict[str, Callable[[Trace], int | None]] = {
    "loss": _kind("lost"),
    "timeout": _kind("timed_out"),
    "retry": _retry,
    "crash": _kind("crashed"),
    "pause": _kind("paused"),
    "redelivery": _twice("fetched"),
    "duplicate": _twice("processed", of="operation"),
    "duplicate record": _duplicate_record,
    "skipped duplicate": _kind("skipped"),
    "reordering": _reordering,
    "refusal": _kind("rejected"),
    "giving up": _kind("abandoned"),
    "open breaker": _kind("opened"),
    "change of leader": _new_leader,
    "replica out of sync": _kind("shrunk"),
    "cut in a log": _kind("truncated"),
    "rebalance": _kind("summoned"),
}
"""What "run until the first …" can look for: a function from a trace to the index of a step, or None."""
