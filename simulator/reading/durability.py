"""Whether what was promised to be stored is stored, and how long there was nobody to store anything."""

from __future__ import annotations

from attrs import frozen

from simulator.message import Message
from simulator.reading.clusters import cluster, destinations, topic_of
from simulator.reading.lineage import births
from simulator.reading.memo import remembered
from simulator.reading.parties import extent, in_cluster, members, queues
from simulator.reading.replicas import replicas
from simulator.trace import Step, Trace
from simulator.values import Span
from simulator.vocabulary import CRASHED, DEMOTED, PROMOTED, READIED, RETURNED, ROUTED


@frozen
class LostWrite:
    """A record that was acknowledged and that its broker has lost."""

    message: Message
    place: int | str
    """The partition that it was said to be in, or the queue that it was in, or the exchange that found no queue for it."""
    why: str
    """The end of a sentence; empty where the trace does not tell."""
    steps: tuple[Step, ...]
    """Its birth, its acknowledgement, and what took it away: the election of a leader without it, and the cut, say."""


def acknowledged(trace: Trace, topic: str | None = None) -> dict[int, tuple[int, int, int]]:
    """What a producer knows to be stored, in a topic or anywhere: by record (step, partition as in rows, offset).

    What a queue has confirmed is at (-1, -1).
    """
    found: dict[int, tuple[int, int, int]] = {}
    for index, _, _, _, message, _, a, b, _ in trace.rows("acknowledged"):
        found.setdefault(message, (index, a, b))
    kept = {trace.node_index(name) for name in queues(trace)}
    for index, _, _, _, message, _, _, source, _ in trace.rows("completed") if kept else ():
        if source in kept:
            found.setdefault(message, (index, -1, -1))
    if topic is None:
        return found
    if in_cluster(trace, topic):
        return {number: at for number, at in found.items() if destinations(trace).get(number) == topic}
    places, aims = members(trace, topic), _aims(trace)
    return {number: at for number, at in found.items() if aims.get(number, frozenset()) & places}


def lost_writes(trace: Trace, topic: str | None = None) -> list[LostWrite]:
    """What was acknowledged, in a topic or queue or anywhere, and that its broker has lost, in the order of acknowledgements.

    A log has lost what is not in it at the end; in a cluster that is the log of a partition's leader. A queue has lost what was
    not persistent when its broker crashed, and a broker with exchanges what it confirmed, had no queue for, and did not give
    back. What retention, compaction, limits or receivers took out is not lost: it was meant to go.
    """
    logs, born = replicas(trace), births(trace)
    in_nodes, from_queues = _stored_in_nodes(trace), _lost_by_queues(trace)
    found = []
    for number, (index, a, at) in acknowledged(trace, topic).items():
        place: int | str = a
        why, proof = "", list[int]()
        if at < 0:
            if number not in from_queues:
                continue
            place, why, proof = from_queues[number]
        elif number in in_nodes or number in logs.places:
            continue
        elif a < 0:
            place = str(trace.values[-a])
            why, proof = _what_took_it(trace, number, place, index)
        steps = sorted({*([born[number].step] if number in born else []), index, *proof})
        found.append(LostWrite(trace.message(number), place, why, tuple(trace[each] for each in steps)))
    return found


@remembered
def _stored_in_nodes(trace: Trace) -> frozenset[int]:
    """The records in the logs of topics that are nodes of their own. A place holds what was last appended to it."""
    content = {(row[3], row[6], row[7]): row[4] for row in trace.rows("appended") if row[6] >= 0}
    return frozenset(content.values())


@remembered
def _lost_by_queues(trace: Trace) -> dict[int, tuple[str, str, list[int]]]:
    """By record: the queue (or exchange), why, and the steps that show it."""
    gone: dict[int, tuple[str, str, list[int]]] = {}
    crashed: dict[int, int] = {}
    routed: set[int] = set()
    for index, _, kind, node, message, _, a, b, c in trace.rows("crashed", "routed", "readied", "returned", "settled"):
        if kind == CRASHED:
            crashed[node] = index
        elif kind == READIED:
            routed.add(message)
            gone.pop(message, None)
        elif kind == RETURNED:
            gone.pop(message, None)
        elif kind == ROUTED:
            if not b and message not in routed:
                gone[message] = (str(trace.values[a]), "no queue was there to take it", [index])
        elif trace.values[c] == "not persistent":
            proof = [crashed[node], index] if node in crashed else [index]
            gone[message] = (str(trace.values[a]), f"it was not persistent, and {trace.nodes[node]} crashed", proof)
    return gone


def _aims(trace: Trace) -> dict[int, frozenset[int]]:
    """Where each message was sent."""
    found: dict[int, frozenset[int]] = {}
    for row in trace.rows("sent"):
        known = found.get(row[4], frozenset())
        if row[6] not in known:
            found[row[4]] = known | {row[6]}
    return found


def _what_took_it(trace: Trace, number: int, partition: str, acknowledged_at: int) -> tuple[str, list[int]]:
    """Why a record is not in its partition's log, as the end of a sentence, and the steps that show it."""
    logs = replicas(trace)
    leader = logs.believed[partition]
    elected = next(
        (
            row[0]
            for row in trace.rows("elected")
            if trace.values[-row[6]] == partition and row[0] > acknowledged_at and row[7]
        ),
        None,
    )
    why = f"{leader} leads {partition} without it"
    steps = [] if elected is None else [elected]
    if number in logs.cut:
        cut = logs.cut[number][-1]
        why += f", so {trace.nodes[cut.node]} cut it off its log"
        steps.append(cut.step)
    return why, sorted(steps)


def leaderless(trace: Trace, topic: str | None = None) -> dict[str, tuple[Span, ...]]:
    """When a partition of a cluster had no leader at work, by its name: from when its leader went down, or was told that it leads
    no longer, until another one (or itself again) was told that it does. Without those that had one all the time.

    ``topic`` is any of the cluster's, ``__consumer_offsets`` too; without it, all that clients use. Empty without a cluster.
    """
    there = cluster(trace)
    wanted = [topic] if topic is not None else list(there.topics if there is not None else ())
    leads: dict[int, int] = {}
    epochs: dict[int, int] = {}
    since: dict[int, float] = {}
    found: dict[int, list[Span]] = {}
    for _, time, kind, node, _, _, a, b, _ in trace.rows("promoted", "demoted", "crashed", "stopped"):
        if kind == PROMOTED:
            # Late news from an earlier epoch makes nobody a leader.
            if b >= epochs.get(a, -1):
                if a in since:
                    found.setdefault(a, []).append(Span(since.pop(a), time))
                leads[a], epochs[a] = node, b
            continue
        for partition in [a] if kind == DEMOTED else list(leads):
            if leads.get(partition) == node:
                del leads[partition]
                since[partition] = time
    for partition, time in since.items():
        found.setdefault(partition, []).append(Span(time, extent(trace).end))
    named = {str(trace.values[-partition]): spans for partition, spans in found.items()}
    told = {name: tuple(span for span in spans if span.end > span.start) for name, spans in sorted(named.items())}
    return {name: spans for name, spans in told.items() if spans and topic_of(name) in wanted}
