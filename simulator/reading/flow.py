"""How much passes, and how long it takes."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.reading.distribution import Distribution
from simulator.reading.lineage import births, origins
from simulator.reading.parties import clients, extent, members, processors
from simulator.trace import STEP, Trace
from simulator.values import Span


def throughput(trace: Trace, name: str | None = None, *, kind: str = "processed", during: Span | None = None) -> float:
    """Steps of a kind per *second*, at one node or group or everywhere, in the whole run or in a span of it.

    Raises KeyError for an unknown name or kind.
    """
    span = during or extent(trace)
    places = None if name is None else members(trace, name)
    times = (row[1] for row in trace.rows(kind) if places is None or row[3] in places)
    counted = sum(span.start <= time <= span.end for time in times)
    lasting = span.end - span.start
    return 1000.0 * counted / lasting if lasting > 0 else 0.0


def throughput_over_time(
    trace: Trace, name: str | None = None, *, kind: str = "processed", every: float = 1_000.0
) -> list[tuple[float, float]]:
    """(start of each interval of ``every`` ms, steps per second within it), from the beginning to the end of the run.

    Raises ValueError for an interval that is not above 0.
    """
    _check_interval(every)
    places = None if name is None else members(trace, name)
    end = extent(trace).end
    counts = [0] * max(1, -int(-end // every))
    for row in trace.rows(kind):
        if places is None or row[3] in places:
            counts[min(int(row[1] // every), len(counts) - 1)] += 1
    lengths = [min(every, end - place * every) or every for place in range(len(counts))]
    return [(place * every, 1000.0 * count / lengths[place]) for place, count in enumerate(counts)]


def _check_interval(every: float) -> None:
    if every <= 0:
        raise ValueError(f"every is {every} ms; an interval must be longer than 0 ms.")


def latency(trace: Trace, client: str | None = None, *, during: Span | None = None) -> Distribution:
    """What clients feel: from making a record until they know it is stored, from making a request until its good answer.

    ``created`` to the first ``acknowledged`` or ``completed`` of the same message; what never got there does not count
    (see `availability`). ``during`` chooses by the time of creation.
    """
    wanted = {trace.node_index(each) for each in ([client] if client else clients(trace))}
    began: dict[int, float] = {}
    taken: list[float] = []
    for _, time, _, node, message, _, _, _, _ in trace.rows("created", "acknowledged", "completed"):
        if node not in wanted:
            continue
        if message not in began:
            began[message] = time
        elif (start := began[message]) >= 0:
            # A second acknowledgement of the same message must not count again.
            began[message] = -1.0
            if during is None or start in during:
                taken.append(time - start)
    return Distribution(taken)


def transit(trace: Trace, source: str | None = None, target: str | None = None) -> Distribution:
    """How long messages were under way on links: ``sent`` to ``delivered``, every copy that arrived."""
    steps, _ = trace.buffers
    from_place = -1 if source is None else trace.node_index(source)
    to_place = -1 if target is None else trace.node_index(target)
    return Distribution(
        row[1] - STEP.unpack_from(steps, row[5] * STEP.size)[0]
        for row in trace.rows("delivered")
        if row[5] >= 0 and from_place in (-1, row[6]) and to_place in (-1, row[3])
    )


def end_to_end(trace: Trace, name: str) -> Distribution:
    """From the birth of each record or request until it first took effect at a node or group."""
    places = members(trace, name)
    began = {number: birth.time for number, birth in births(trace).items()}
    taken: list[float] = []
    for row in trace.rows("processed"):
        if row[3] in places:
            start = began.pop(row[4], None)
            if start is not None:
                taken.append(row[1] - start)
    return Distribution(taken)


def inconsistency_window(trace: Trace, names: Iterable[str] | None = None) -> Distribution:
    """From a client's record or request until *everybody* knows: it took effect at each of these nodes and groups.

    Without names: at all that do the work. What not all know by the end does not count (see ``checks.converged``). The
    term is Werner Vogels', "Eventually Consistent" (2009).
    """
    born = births(trace)
    return Distribution(time - born[first].time for first, time in everybody_knows(trace, names).items())


def everybody_knows(trace: Trace, names: Iterable[str] | None = None) -> dict[int, float]:
    """When each record or request of a client, by its id, had taken effect at each of these nodes and groups; in that order.

    Without names: at all that do the work. What not all know by the end is not there.
    """
    origin = origins(trace)
    everybody = [members(trace, name) for name in (processors(trace) if names is None else names)]
    groups_of: dict[int, list[int]] = {}
    for group, places in enumerate(everybody):
        for place in places:
            groups_of.setdefault(place, []).append(group)
    known: dict[int, set[int]] = {}
    complete: dict[int, float] = {}
    for _, time, _, node, message, _, _, _, _ in trace.rows("processed"):
        first = origin.get(message)
        if first is None or node not in groups_of:
            continue
        knowing = known.setdefault(first, set())
        if len(knowing) < len(everybody):
            knowing.update(groups_of[node])
            if len(knowing) == len(everybody):
                complete[first] = time
    return complete


def messages_on_the_wire(
    trace: Trace, source: str | None = None, target: str | None = None, *, kind: str | None = None
) -> int:
    """How many transmissions were put on links, retries and protocol included; ``kind`` is a message's."""
    from_place = -1 if source is None else trace.node_index(source)
    to_place = -1 if target is None else trace.node_index(target)
    if kind is None:
        return sum(1 for row in trace.rows("sent") if from_place in (-1, row[3]) and to_place in (-1, row[6]))
    return sum(
        count
        for (start, end, told), count in traffic(trace).items()
        if told == kind and source in (None, start) and target in (None, end)
    )


def traffic(trace: Trace, source: str | None = None) -> dict[tuple[str, str, str], int]:
    """How many transmissions went each way, by (source, target, kind of message), in order of first use.

    With a source: only what this node sent. Raises KeyError for an unknown one.
    """
    only = None if source is None else trace.node_index(source)
    kinds = [kind for kind, _, _, _ in trace.message_rows()]
    counts: dict[tuple[int, int, int], int] = {}
    for row in trace.rows("sent"):
        if only is not None and row[3] != only:
            continue
        way = (row[3], row[6], kinds[row[4] - 1] if row[4] else 0)
        counts[way] = counts.get(way, 0) + 1
    return {
        (trace.nodes[sender], trace.nodes[target], str(trace.values[kind])): count
        for (sender, target, kind), count in counts.items()
    }
