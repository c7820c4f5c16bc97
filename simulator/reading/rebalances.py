"""What it costs when a consumer group shares out its partitions anew: how long it takes, and who does not read meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import frozen

from simulator.reading.memo import remembered
from simulator.reading.parties import extent, groups, members, value_of
from simulator.trace import Step, Trace
from simulator.validation import did_you_mean
from simulator.values import Span
from simulator.vocabulary import ASSIGNED, CRASHED, REBALANCED, REVOKED, STOPPED, SUMMONED


@frozen
class Rebalance:
    """One time that a group's coordinator called its members together."""

    group: str
    reason: str
    """Why they were called."""
    began: float
    """Milliseconds, as all times here."""
    ended: float | None
    """When the last member had its partitions; None if it did not come to that before the next one began, or the run ended."""
    generation: int | None
    """The group's generation from then on; None where ``ended`` is."""
    stopped: Mapping[str, float]
    """Of each member that gave up all that it read and then read again: for how long it read nothing."""
    moved: tuple[int | str, ...]
    """The partitions that another member reads afterwards."""
    steps: tuple[Step, ...]
    """The call, the new assignment, and the last ``assigned``, as far as they came."""

    @property
    def duration(self) -> float | None:
        """From the call until the last member had its partitions, in milliseconds; None if it did not come to that."""
        return None if self.ended is None else self.ended - self.began


def rebalances(trace: Trace, group: str | None = None) -> tuple[Rebalance, ...]:
    """Every rebalance of a group, or of all groups, in order of time. Raises KeyError for a name that is no group.

    With incremental rebalancing (KIP-429) what moves takes two of them: one in which it is given up, and one in which
    it is given to its new reader. A group of plain consumers of one `Topic` shares nothing out, and has none.
    """
    names = [_known(trace, group)] if group is not None else list(groups(trace))
    return tuple(sorted((each for name in names for each in _of_group(trace, name)), key=lambda each: each.began))


def unread(trace: Trace, group: str) -> dict[int | str, tuple[Span, ...]]:
    """When no member of a group read a partition, though one had before: from when its reader gave it up or went down until
    the next one began. By partition; without those that were read all the time. Raises KeyError for a name that is no group.
    """
    value, places = value_of(trace, _known(trace, group)), members(trace, group)
    reader: dict[int, int] = {}
    since: dict[int, float] = {}
    found: dict[int, list[Span]] = {}
    for _, time, kind, node, _, _, a, b, c in trace.rows("assigned", "revoked", "crashed", "stopped"):
        if node not in places:
            continue
        if kind == ASSIGNED and c == value:
            if a in since:
                found.setdefault(a, []).append(Span(since.pop(a), time))
            reader[a] = node
        elif kind in (CRASHED, STOPPED) or kind == REVOKED and b == value:
            for partition in [a] if kind == REVOKED else list(reader):
                if reader.get(partition) == node:
                    del reader[partition]
                    since[partition] = time
    for partition, time in since.items():
        found.setdefault(partition, []).append(Span(time, extent(trace).end))
    spans = {_called(trace, each): tuple(span for span in found[each] if span.end > span.start) for each in sorted(found)}
    return {partition: told for partition, told in spans.items() if told}


def _known(trace: Trace, group: str) -> str:
    if group not in groups(trace):
        raise KeyError(f'There is no group "{group}"; {did_you_mean(group, groups(trace))}')
    return group


def _called(trace: Trace, partition: int) -> int | str:
    return partition if partition >= 0 else str(trace.values[-partition])


@remembered
def _of_group(trace: Trace, group: str) -> tuple[Rebalance, ...]:
    calls: list[_Call] = []
    value, places = value_of(trace, group), members(trace, group)
    reader: dict[int, int] = {}
    """Who reads a partition, or was the last to do so."""
    reads: dict[int, set[int]] = {place: set() for place in places}
    for index, time, kind, node, _, _, a, b, c in trace.rows(
        "summoned", "rebalanced", "assigned", "revoked", "crashed", "stopped"
    ):
        if kind == SUMMONED and a == value:
            calls.append(_Call(index, time, str(trace.values[c]), dict(reader)))
        elif kind == REBALANCED and a == value and calls:
            calls[-1].agreed, calls[-1].generation = index, b
            calls[-1].last = max(calls[-1].last, index)
        elif node in places:
            call = calls[-1] if calls else None
            if kind == ASSIGNED and c == value:
                if call is not None:
                    call.reads_again(node, time)
                    call.last = index
                    call.given[a] = node
                reader[a] = node
                reads[node].add(a)
            elif kind == REVOKED and b == value:
                reads[node].discard(a)
                if call is not None and not reads[node]:
                    call.since[node] = time
            elif kind in (CRASHED, STOPPED):
                reads[node].clear()
                if call is not None:
                    call.since.pop(node, None)
    return tuple(_told(trace, group, calls))


class _Call:
    """A rebalance as it is being followed."""

    def __init__(self, index: int, time: float, reason: str, readers: dict[int, int]) -> None:
        self.index = index
        self.time = time
        self.reason = reason
        self.readers = readers
        self.agreed = -1
        self.generation = -1
        self.last = -1
        self.since: dict[int, float] = {}
        self.stopped: dict[int, float] = {}
        self.given: dict[int, int] = {}

    def reads_again(self, node: int, time: float) -> None:
        """A member has a partition, maybe after it had none."""
        if node in self.since:
            self.stopped[node] = self.stopped.get(node, 0.0) + time - self.since.pop(node)


def _told(trace: Trace, group: str, calls: list[_Call]) -> Iterator[Rebalance]:
    for call in calls:
        done = call.agreed >= 0
        moved = [each for each, node in call.given.items() if call.readers.get(each, node) != node]
        yield Rebalance(
            group,
            call.reason,
            call.time,
            trace[call.last].time if done else None,
            call.generation if done else None,
            {trace.nodes[node]: ms for node, ms in call.stopped.items()},
            tuple(_called(trace, each) for each in moved),
            tuple(trace[each] for each in dict.fromkeys((call.index, call.agreed, call.last)) if each >= 0),
        )
