"""How busy nodes are: workers, queues, and what Little's law says about them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from attrs import frozen

from simulator.reading.parties import extent
from simulator.trace import STEP, Trace
from simulator.values import Span
from simulator.vocabulary import CRASHED, DELIVERED, PROCESSED, QUEUED, REJECTED, SKIPPED, STARTED


class Stay(NamedTuple):
    """One piece of work at a node, from its arrival until it left; milliseconds."""

    message: int
    arrived: float
    started: float | None
    """None: it never came to a worker before the run or the node's life ended."""
    left: float | None
    """None: it was still there when the run ended."""
    lost: bool
    """Whether a crash ended it."""


@frozen
class Little:
    """The three of Little's law (J. D. C. Little, 1961) for one node, each found in its own way: L = λ W."""

    number: float
    """L: how many were there on average over time, in the queue and with workers."""
    rate: float
    """λ: how many came, per millisecond."""
    time: float
    """W: how long one was there on average, in milliseconds."""
    waiting_number: float
    """Lq: how many waited on average over time."""
    waiting_time: float
    """Wq: how long one waited on average, in milliseconds."""


def stays(trace: Trace, node: str) -> list[Stay]:
    """All work at one node, in order of arrival: ``queued`` (or ``started``, where no queue comes first) until it was processed,
    skipped, refused, or lost in a crash."""
    place = trace.node_index(node)
    found: dict[int, Stay] = {}
    waiting: dict[int, list[int]] = {}
    working: dict[int, list[int]] = {}
    steps, _ = trace.buffers
    kinds = ("queued", "started", "processed", "skipped", "rejected", "crashed")
    for index, time, kind, at, message, cause, _, _, _ in trace.rows(*kinds):
        if at != place:
            continue
        if kind == QUEUED:
            found[index] = Stay(message, time, None, None, False)
            waiting.setdefault(message, []).append(index)
        elif kind == STARTED:
            # The same message may be here twice, by a retry: the copy that came first is served first.
            first = waiting[message].pop(0) if waiting.get(message) else index
            arrived = found[first].arrived if first in found else time
            found[first] = Stay(message, arrived, time, None, False)
            working.setdefault(message, []).append(first)
        elif kind == CRASHED:
            for first in _drain(waiting, working):
                found[first] = found[first]._replace(left=time, lost=True)
        elif kind in (PROCESSED, SKIPPED, REJECTED) and working.get(message):
            if kind == REJECTED and cause >= 0 and STEP.unpack_from(steps, cause * STEP.size)[7] == DELIVERED:
                # Refused at the door, so it is another copy than the one that is being worked on.
                continue
            first = working[message].pop(0)
            found[first] = found[first]._replace(left=time)
    return list(found.values())


def _drain(*held: dict[int, list[int]]) -> Iterator[int]:
    for each in held:
        for indexes in each.values():
            yield from indexes
        each.clear()


def workers_of(trace: Trace, node: str) -> int:
    """How many pieces of work a node can do at a time: its setting ``workers`` or ``concurrency``, else as many as were seen."""
    described = trace.scenario.node(node)
    for setting in ("workers", "concurrency"):
        known = getattr(described, setting, None)
        if isinstance(known, int):
            return known
    place = trace.node_index(node)
    return 1 + max((row[6] for row in trace.rows("started") if row[3] == place), default=0)


def utilisation(trace: Trace, node: str, *, during: Span | None = None) -> float:
    """The share of its workers' time in which a node worked, 0 to 1.

    A worker that waits for another service's answer counts as busy: it can do nothing else.
    """
    span = during or extent(trace)
    lasting = (span.end - span.start) * workers_of(trace, node)
    busy = math.fsum(_overlap(stay.started, stay.left, span) for stay in stays(trace, node) if stay.started is not None)
    return busy / lasting if lasting > 0 else 0.0


def _overlap(start: float, end: float | None, span: Span) -> float:
    return max(0.0, min(span.end if end is None else end, span.end) - max(start, span.start))


def queue_length(trace: Trace, node: str) -> list[tuple[float, int]]:
    """(time, how many wait for a worker at a node) after each change, beginning at 0 ms."""
    changes: list[tuple[float, int]] = []
    for stay in stays(trace, node):
        until = stay.left if stay.started is None else stay.started
        if until != stay.arrived:
            changes.append((stay.arrived, 1))
            if until is not None:
                changes.append((until, -1))
    series = [(0.0, 0)]
    length = 0
    for time, change in sorted(changes):
        length += change
        if series[-1][0] == time:
            series.pop()
        series.append((time, length))
    return series


def little(trace: Trace, node: str, *, during: Span | None = None) -> Little:
    """L, λ and W of one node. Where the node is empty at both ends of the run (or span), L = λ W exactly; else nearly.

    L is the integral of the number there over time; λ counts arrivals; W is the mean over those that arrived *and* left.
    """
    span = during or extent(trace)
    lasting = span.end - span.start
    all_stays = stays(trace, node)
    inside = math.fsum(_overlap(stay.arrived, stay.left, span) for stay in all_stays)
    queued = math.fsum(
        _overlap(stay.arrived, stay.left if stay.started is None else stay.started, span) for stay in all_stays
    )
    came = [stay for stay in all_stays if span.start <= stay.arrived <= span.end]
    gone = [stay.left - stay.arrived for stay in came if stay.left is not None and stay.left <= span.end]
    waits = [stay.started - stay.arrived for stay in came if stay.started is not None and stay.started <= span.end]
    return Little(
        number=inside / lasting if lasting > 0 else 0.0,
        rate=len(came) / lasting if lasting > 0 else 0.0,
        time=math.fsum(gone) / len(gone) if gone else 0.0,
        waiting_number=queued / lasting if lasting > 0 else 0.0,
        waiting_time=math.fsum(waits) / len(waits) if waits else 0.0,
    )
