"""What the charts in the browser draw, as small JSON: latency, how much waits, how much gets done, all of one run.

A line is ``{"name": …, "points": [x, y, x, y …]}``. Times are in milliseconds of the run, rates in steps per second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from simulator.reading import measures
from simulator.reading.distribution import Distribution
from simulator.reading.parties import clients, extent, groups, members, processors, topics_of
from simulator.trace import Trace
from simulator.values import Span
from simulator.vocabulary import CREATED, PAUSED

MOST_LINES = 6
"""As many as there are looks for lines; more would not be told apart."""

_SLOTS = 48
"""How many points a line over time has."""

_INTERVALS = 20
"""In how many parts of the run things are counted: fewer tell too little, more show nothing but chance."""


def latency_chart(trace: Trace) -> dict[str, Any]:
    """The share of requests (or records) that had their answer within a time: points (ms, percent), and p50, p99."""
    return {"unit": "ms", **spread(measures.latency(trace))}


def spread(taken: Distribution) -> dict[str, Any]:
    """A distribution as a rising line of at most 101 points, with its two percentiles."""
    points: list[float] = []
    if taken.values:
        shares = range(0, 101, max(1, 100 // len(taken.values)))
        for share in sorted({*shares, 99, 100}):
            points += [round(taken.percentile(share) or 0.0, 2), share]
    return {"count": taken.count, "p50": taken.p50, "p99": taken.p99, "points": points}


def waiting_chart(trace: Trace) -> dict[str, Any]:
    """How much waits, over time: each group's lag; where nobody reads a log, each queue; where there is none, at each service.

    One group that reads several partitions has a line for each of them.
    """
    readers = [name for name in groups(trace) if topics_of(trace, name)]
    if readers:
        return {"what": "lag", "unit": "messages", "lines": _lags(trace, readers)}
    queues = measures.depths(trace)
    if queues:
        lines = [line(name, _sampled(trace, series)) for name, series in queues.items()]
        return {"what": "queue", "unit": "messages", "lines": lines[:MOST_LINES]}
    lines = [line(name, _sampled(trace, measures.queue_length(trace, name))) for name in processors(trace)]
    return {"what": "queue", "unit": "requests", "lines": lines[:MOST_LINES]}


def _lags(trace: Trace, readers: Sequence[str]) -> list[dict[str, Any]]:
    if len(readers) == 1:
        series = measures.lag_over_time(trace, readers[0], every=slot(trace))
        if 1 < len(series) <= MOST_LINES:
            return [line(f"{each.topic} p{each.partition}", zip(each.times, each.messages, strict=True)) for each in series]
    return [line(name, _sampled(trace, measures.backlog(trace, name))) for name in readers[:MOST_LINES]]


def throughput_chart(trace: Trace) -> dict[str, Any]:
    """How much gets done, over time: what clients make, and what each group or service gets done."""
    end = extent(trace).end
    every = max(end / _INTERVALS, 1e-9)
    workers = processors(trace)[: MOST_LINES - 1]
    place_of = {place: line_ for line_, name in enumerate(workers, start=1) for place in members(trace, name)}
    makers = {trace.node_index(name) for name in clients(trace)}
    counts = [[0] * _INTERVALS for _ in range(len(workers) + 1)]
    # One pass for all lines: this is drawn again at every move of a slider.
    for _, time, kind, node, *_ in trace.rows("created", "processed"):
        at = (0 if node in makers else None) if kind == CREATED else place_of.get(node)
        if at is not None:
            counts[at][min(int(time / every), _INTERVALS - 1)] += 1
    lines = [
        line(name, [((at + 0.5) * every, 1_000.0 * count / every) for at, count in enumerate(counted)])
        for name, counted in zip(("made", *workers), counts, strict=True)
    ]
    return {"unit": "per second", "lines": lines}


def charts(trace: Trace) -> dict[str, Any]:
    """All charts of a run, and when which node did nothing."""
    return {
        "end": extent(trace).end,
        "latency": latency_chart(trace),
        "waiting": waiting_chart(trace),
        "throughput": throughput_chart(trace),
        "downs": [{"told": told, "from": span.start, "to": span.end} for told, span in stops(trace)],
    }


def stops(trace: Trace) -> list[tuple[str, Span]]:
    """When nodes did nothing, in words: ("email down", when), ("payment frozen", when)."""
    crashed = {row[3] for row in trace.rows("crashed")}
    found = [
        (f"{name} down", down)
        for place, name in enumerate(trace.nodes)
        if place in crashed
        for down in measures.downtimes(trace, name)
    ]
    frozen: dict[int, float] = {}
    for _, time, kind, node, *_ in trace.rows("paused", "resumed"):
        if kind == PAUSED:
            frozen.setdefault(node, time)
        elif node in frozen:
            found.append((f"{trace.nodes[node]} frozen", Span(frozen.pop(node), time)))
    return found + [(f"{trace.nodes[node]} frozen", Span(time, extent(trace).end)) for node, time in frozen.items()]


def line(name: str, points: Iterable[tuple[float, float]]) -> dict[str, Any]:
    """A named line."""
    return {"name": name, "points": [round(part, 2) for point in points for part in point]}


def slot(trace: Trace) -> float:
    """How long one slot of a line over time is, in ms: the run has about fifty."""
    return max(extent(trace).end / _SLOTS, 1e-9)


def _sampled(trace: Trace, series: Sequence[tuple[float, int]]) -> list[tuple[float, float]]:
    """The highest level in each slot of time, so that no peak is lost."""
    every, end = slot(trace), extent(trace).end
    peaks: list[tuple[float, float]] = []
    level, place = 0.0, 0
    for number in range(_SLOTS):
        until = (number + 1) * every
        peak = level
        while place < len(series) and series[place][0] < until:
            level = series[place][1]
            peak = max(peak, level)
            place += 1
        peaks.append((number * every, peak))
    return [*peaks, (end, float(series[-1][1]) if series else 0.0)]
