"""Who could be used when: up-time, availability, and how long it took to recover from a fault."""

from __future__ import annotations

from simulator.reading.lags import backlog
from simulator.reading.parties import clients, extent, members, topics_of
from simulator.reading.work import queue_length
from simulator.trace import Trace
from simulator.values import Span
from simulator.vocabulary import ABANDONED, CREATED, RESTARTED


def downtimes(trace: Trace, node: str) -> list[Span]:
    """When a node was down: from each crash, or end in good order, until its restart, or until the end of the run.

    A pause is not counted.
    """
    place = trace.node_index(node)
    found: list[Span] = []
    down_since: float | None = None
    for _, time, kind, at, *_ in trace.rows("crashed", "stopped", "restarted"):
        if at != place:
            continue
        if kind != RESTARTED:
            down_since = time if down_since is None else down_since
        elif down_since is not None:
            found.append(Span(down_since, time))
            down_since = None
    if down_since is not None:
        found.append(Span(down_since, extent(trace).end))
    return found


def uptime(trace: Trace, node: str, *, during: Span | None = None) -> float:
    """The share of the run (or span) in which a node was not down, 0 to 1."""
    span = during or extent(trace)
    lasting = span.end - span.start
    down = sum(max(0.0, min(each.end, span.end) - max(each.start, span.start)) for each in downtimes(trace, node))
    return 1.0 - down / lasting if lasting > 0 else 1.0


def availability(
    trace: Trace, client: str | None = None, *, within: float | None = None, during: Span | None = None
) -> float | None:
    """The share of a client's requests (or records) with a good answer, 0 to 1, of those made in a span; None if there were none.

    With ``within``, only an answer in so many ms is good. A request that was unanswered at the end counts as bad if it
    waited at least that long, or without ``within``, longer than any that was answered; otherwise it is too early to say, and it
    does not count.
    """
    wanted = {trace.node_index(each) for each in ([client] if client else clients(trace))}
    began: dict[int, float] = {}
    answered: dict[int, float] = {}
    given_up: set[int] = set()
    for _, time, kind, node, message, *_ in trace.rows("created", "acknowledged", "completed", "abandoned"):
        if node not in wanted:
            continue
        if kind == CREATED:
            if during is None or time in during:
                began.setdefault(message, time)
        elif message in began:
            if kind == ABANDONED:
                given_up.add(message)
            else:
                answered.setdefault(message, time - began[message])
    end = extent(trace).end
    longest = max(answered.values(), default=0.0)
    good = sum(within is None or taken <= within for taken in answered.values())
    bad = len(answered) - good
    for message, time in began.items():
        waited = end - time
        too_long = waited > longest if within is None else waited >= within
        bad += message not in answered and (message in given_up or too_long)
    return good / (good + bad) if good + bad else None


def fault_time(trace: Trace) -> float | None:
    """When the first fault struck, in ms: the first crash, pause or loss; None if there was none."""
    return next((row[1] for row in trace.rows("crashed", "paused", "lost")), None)


def time_to_first_success(trace: Trace, name: str, *, since: float | None = None) -> float | None:
    """From a fault until something was processed, acknowledged or completed at a node or group; None if nothing was again.

    ``since`` is the fault's time in ms; without it, the first fault's (`fault_time`). None too where there was no fault.
    """
    start = fault_time(trace) if since is None else since
    if start is None:
        return None
    places = members(trace, name)
    for row in trace.rows("processed", "acknowledged", "completed"):
        if row[3] in places and row[1] > start:
            return row[1] - start
    return None


def time_to_recover(trace: Trace, name: str, *, since: float | None = None) -> float | None:
    """From a fault until a group's backlog was back to where it had been; None if it was not by the end.

    The backlog is a group's lag in messages over all partitions; for a node that reads no topic, its queue. Where it had
    been is the most it ever was before the fault; it is back there as soon as it is no higher, but not while a node that
    was down at the fault still is. 0 if the fault did not raise it above that; None too where there was no fault.
    ``since`` is the fault's time in ms; without it, the first fault's (`fault_time`).
    """
    start = fault_time(trace) if since is None else since
    if start is None:
        return None
    series = backlog(trace, name) if topics_of(trace, name) else queue_length(trace, name)
    before = max((level for time, level in series if time < start), default=0)
    downs = [down for place in members(trace, name) for down in downtimes(trace, trace.nodes[place])]
    up_again = max((down.end for down in downs if start in down), default=start)
    risen = False
    for time, level in series:
        if time >= start:
            risen = risen or level > before
            if risen and level <= before and time >= up_again:
                return time - start
    return None if risen else 0.0
