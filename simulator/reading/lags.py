"""How far a consumer group is behind the log it reads: in messages, and in milliseconds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from attrs import frozen

from simulator.reading.clusters import cluster, number_of, topic_of
from simulator.reading.memo import remembered
from simulator.reading.parties import extent, groups, in_cluster, members, topics_of, value_of
from simulator.trace import Trace
from simulator.values import Span
from simulator.vocabulary import ADVANCED, APPENDED, COMMITTED, ELECTED, TRUNCATED


@frozen
class PartitionLag:
    """How far a group is behind in one partition, at one moment."""

    topic: str
    partition: int
    messages: int
    """The log end offset minus the group's committed offset, as Apache Kafka's ``kafka-consumer-groups`` tells it. In a cluster
    a log ends at its leader's high watermark: what is behind nobody can read."""
    ms: float
    """How long the oldest record that is not committed could have been read; 0 if there is none."""


@frozen(repr=False)
class LagSeries:
    """A group's lag in one partition, looked at again and again."""

    topic: str
    partition: int
    times: tuple[float, ...]
    """When, in milliseconds."""
    messages: tuple[int, ...]
    ms: tuple[float, ...]

    @property
    def trend(self) -> float:
        """How fast the lag grows, in messages per *second*: the slope of the least-squares line. Below 0: it shrinks."""
        return 1_000.0 * slope(self.times, self.messages)

    def __repr__(self) -> str:
        worst = max(self.messages, default=0)
        return (
            f"<lag in {self.topic}, partition {self.partition}: at most {worst} messages and {max(self.ms, default=0):,.0f} ms,"
            f" {self.trend:+.2f} messages/s>"
        )


class _Reign:
    """Where a log ended when, as long as it only grew."""

    def __init__(self, since: float, times: list[float], ends: list[int]) -> None:
        self.since = since
        self.times = times
        """When it came to each of the `ends`; those before ``since`` are another leader's that this one has, too."""
        self.ends = ends
        self.inherited = len(ends)


class _Partition:
    """One partition's history: where its log ended when, and what the group had committed when."""

    def __init__(self) -> None:
        self._reigns = [_Reign(0.0, [], [])]
        """Another one begins where the log got shorter: a leader that knew of less has taken over."""
        self.commit_times: list[float] = []
        self.commits: list[int] = []
        self.start = 0

    @property
    def end(self) -> int:
        """Where the log ends at last."""
        ends = self._reigns[-1].ends
        return ends[-1] if ends else 0

    def ends_at(self, time: float, end: int) -> None:
        """From this time on the log ends here."""
        reign = self._reigns[-1]
        if end < self.end:
            kept = bisect_left(reign.ends, end)
            shared = kept + (end > 0)
            reign = _Reign(time, reign.times[:shared], [*reign.ends[:kept], end][:shared])
            self._reigns.append(reign)
        else:
            reign.times.append(time)
            reign.ends.append(end)

    def at(self, time: float) -> tuple[int, float]:
        """(messages, ms) behind, at the end of this moment."""
        reign = self._reigns[bisect_right(self._reigns, time, key=lambda each: each.since) - 1]
        now = bisect_right(reign.times, time)
        place = bisect_right(self.commit_times, time)
        read = self.commits[place - 1] if place else self.start
        end = reign.ends[now - 1] if now else 0
        if read >= end:
            return 0, 0.0
        return end - read, time - reign.times[bisect_right(reign.ends, read, 0, now)]

    def changes(self) -> Iterator[tuple[float, int]]:
        """(time, by how much) for each change of how far the group is behind."""
        end = 0
        for reign in self._reigns:
            begins = reign.ends[reign.inherited - 1] if reign.inherited else 0
            yield reign.since, begins - end
            end = begins
            for time, new in zip(reign.times[reign.inherited :], reign.ends[reign.inherited :], strict=True):
                yield time, new - end
                end = new
        # What is committed beyond the log's end, as of records that are not there, counts for nothing.
        read = self.start
        yield 0.0, -read
        for time, commit in zip(self.commit_times, self.commits, strict=True):
            yield time, read - commit
            read = commit


def lag(trace: Trace, group: str, *, at: float | None = None) -> tuple[PartitionLag, ...]:
    """How far a group is behind in each partition that it reads, at a time in ms (without one: at the end).

    Where nothing is committed yet, it counts from where the group began to read. Raises KeyError for a name that is no
    group, ValueError for a group that reads no topic.
    """
    moment = extent(trace).end if at is None else at
    return tuple(
        PartitionLag(topic, partition, *history.at(moment))
        for (topic, partition), history in _histories(trace, group).items()
    )


def lag_over_time(trace: Trace, group: str, *, every: float = 100.0, during: Span | None = None) -> tuple[LagSeries, ...]:
    """A group's lag in each partition that it reads, every so many ms from the beginning to the end of the run (or of a span).

    Raises like `lag`, and ValueError for an interval that is not above 0.
    """
    if every <= 0:
        raise ValueError(f"every is {every} ms; an interval must be longer than 0 ms.")
    span = during or extent(trace)
    times = tuple(span.start + place * every for place in range(int((span.end - span.start) // every) + 1))
    series = []
    for (topic, partition), history in _histories(trace, group).items():
        seen = [history.at(time) for time in times]
        series.append(
            LagSeries(topic, partition, times, tuple(messages for messages, _ in seen), tuple(ms for _, ms in seen))
        )
    return tuple(series)


def total_lag(trace: Trace, group: str, *, at: float | None = None) -> int:
    """How many messages a group is behind in all its partitions together."""
    return sum(each.messages for each in lag(trace, group, at=at))


def backlog(trace: Trace, group: str) -> list[tuple[float, int]]:
    """(time, messages behind in all partitions together) after each change, beginning at 0 ms."""
    changes = [change for history in _histories(trace, group).values() for change in history.changes()]
    series: list[tuple[float, int]] = [(0.0, 0)]
    behind = 0
    for time, change in sorted(changes, key=lambda each: each[0]):
        behind += change
        if series[-1][0] == time:
            series.pop()
        series.append((time, max(behind, 0)))
    return series


@remembered
def _histories(trace: Trace, group: str) -> dict[tuple[str, int], _Partition]:
    """Every partition of every topic that the group reads, in the order of topics and numbers."""
    read = topics_of(trace, group)
    if not read:
        known = ", ".join(groups(trace)) or "none"
        raise ValueError(f'"{group}" reads no topic, so it has no lag; the groups here are: {known}.')
    in_nodes = [topic for topic in read if not in_cluster(trace, topic)]
    found = {
        (topic, partition): _Partition()
        for topic in in_nodes
        for partition in range(getattr(trace.scenario.node(topic), "partitions", 1))
    }
    _follow_topics(trace, group, in_nodes, found)
    _follow_cluster(trace, group, [topic for topic in read if topic not in in_nodes], found)
    return found


def _follow_topics(trace: Trace, group: str, read: Sequence[str], found: dict[tuple[str, int], _Partition]) -> None:
    """What happened to the partitions of topics that are nodes of their own."""
    places = members(trace, group)
    kept = {trace.node_index(topic): topic for topic in read}
    value = value_of(trace, group)
    for _, time, kind, node, _, _, partition, offset, told in (
        trace.rows("appended", "assigned", "committed") if read else ()
    ):
        if kind in (APPENDED, COMMITTED):
            topic = kept.get(node)
            if topic is None:
                continue
            history = found.setdefault((topic, partition), _Partition())
            if kind == APPENDED:
                history.ends_at(time, history.end + 1)
            elif told == value:
                history.commit_times.append(time)
                history.commits.append(offset)
        elif told == value and node in places and len(read) == 1 and partition >= 0:
            history = found.setdefault((read[0], partition), _Partition())
            if not history.commits and not history.start:
                history.start = offset


def _follow_cluster(trace: Trace, group: str, read: Sequence[str], found: dict[tuple[str, int], _Partition]) -> None:
    """What happened to the partitions of a cluster's topics: they end at the high watermark of whoever leads at the time."""
    there = cluster(trace)
    if there is None or not read:
        return
    by_name = {name: _Partition() for topic in read for name in there.partitions(topic)}
    found |= {(topic_of(name), number_of(name)): history for name, history in by_name.items()}
    places, value = members(trace, group), value_of(trace, group)
    leader = {name: there.replicas(name)[0] for name in by_name}
    marks: dict[tuple[str, str], int] = {}
    kinds = ("advanced", "truncated", "elected", "assigned", "reset", "committed")
    for _, time, kind, node, _, _, a, b, told in trace.rows(*kinds):
        name = str(trace.values[-a]) if a < 0 else ""
        if name not in by_name:
            continue
        history, at = by_name[name], trace.nodes[node]
        if kind == ELECTED:
            leader[name] = trace.values[b] or leader[name]
            mark = marks.get((leader[name], name), 0)
            if mark != history.end:
                history.ends_at(time, mark)
        elif kind in (ADVANCED, TRUNCATED):
            marks[at, name] = b if kind == ADVANCED else min(b, marks.get((at, name), 0))
            if at == leader[name] and kind == ADVANCED:
                history.ends_at(time, b)
        elif kind == COMMITTED and told == value:
            history.commit_times.append(time)
            history.commits.append(b)
        elif node in places and kind != COMMITTED and b >= 0 and not history.commits and not history.start:
            history.start = b


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the least-squares line through points; 0 where they lie at fewer than two times."""
    count = len(times)
    if count < 2:
        return 0.0
    mean_time, mean = sum(times) / count, sum(values) / count
    spread = sum((time - mean_time) ** 2 for time in times)
    if spread == 0:
        return 0.0
    return sum((time - mean_time) * (value - mean) for time, value in zip(times, values, strict=True)) / spread
