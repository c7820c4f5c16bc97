"""What became of a message that was meant for somebody and did not take effect there: lost for good, or only not there yet.

A run ends in the middle of things. A message that is still on a link, in a queue, in a worker's hands, in a log in front of
its reader, or that a client may still send again is not lost; this module tells the two apart from what the trace
says, and never from the time that is left.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from simulator.message import Message
from simulator.reading.cluster_inquiry import ClusterInquiry
from simulator.reading.clusters import destinations
from simulator.reading.inquiry import Fate, Inquiry
from simulator.reading.lineage import Piece, births, origins, pieces
from simulator.reading.memo import remembered
from simulator.reading.parties import (
    clients,
    consumed,
    group_of,
    in_cluster,
    members,
    names_topic_in_cluster,
    queues,
    read_by,
    sources,
    targets,
    topics,
)
from simulator.reading.replicas import stored
from simulator.reading.transactions import withdrawn
from simulator.trace import Step, Trace

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


def losses(trace: Trace, name: str, *, of: Of = "message") -> list[Missing]:
    """What was meant for a node or group and will never take effect there, in order of birth.

    For a group this is every record sent to a topic it reads; for a service, every request sent to it, unless another message
    of the same operation took effect in its place, or still may. With ``of="operation"``: every record or request of a
    client that links (or the topics of a cluster) lead on from to there, whether or not any message ever carried it that far.
    What its own maker has taken back, by aborting the transaction, was meant for nobody.
    """
    return [_shown(trace, name, number, fate) for number, fate in _known(trace, name, of).items() if fate.lost]


def pending(trace: Trace, name: str, *, of: Of = "message") -> list[Missing]:
    """What had not taken effect at a node or group when the run ended, but still could, in order of birth."""
    return [_shown(trace, name, number, fate) for number, fate in _known(trace, name, of).items() if not fate.lost]


def missing(trace: Trace, name: str, *, of: Of = "message") -> list[Missing]:
    """`losses` and `pending` together: all that was meant for a node or group and did not take effect, in order of birth."""
    return [_shown(trace, name, number, fate) for number, fate in _known(trace, name, of).items()]


def _known(trace: Trace, name: str, of: Of) -> dict[int, Fate]:
    return _judge(trace, name) if of == "message" else _judge_operations(trace, name)


def done_at(trace: Trace, name: str) -> set[int]:
    """The messages that took effect at a node or in a group, or were recognised there as done before; in a cluster's topic,
    those that stand there."""
    if names_topic_in_cluster(trace, name):
        return {place.record for place in stored(trace, name)}
    places = members(trace, name)
    return {row[4] for row in trace.rows("processed", "skipped") if row[3] in places}


def expected(trace: Trace, name: str) -> list[int]:
    """The records and requests that were meant for a node or group, by id, in order of birth.

    They were sent or published to it or to a topic or queue it reads, are or were in such a one, or were made by a node
    that can send to nobody else. What a broker's exchanges led to queues of others only was meant for those.
    In a cluster, they are what was made for a topic it reads and not taken back.
    """
    born = births(trace)
    read = [name] if names_topic_in_cluster(trace, name) else read_by(trace, name)
    for_topics = {
        number for number, topic in destinations(trace).items() if topic in read and number not in withdrawn(trace)
    }
    if names_topic_in_cluster(trace, name):
        return [number for number in born if number in for_topics]
    aims = set(members(trace, name)) | {trace.node_index(kept) for kept in read if not in_cluster(trace, kept)}
    stored_there = {row[4] for row in trace.rows("appended", "enqueued") if row[3] in aims}
    meant = {row[4] for row in trace.rows("sent", "published") if row[6] in aims} | stored_there
    only = {
        place
        for place, node in enumerate(trace.nodes)
        if len(ahead := trace.scenario.downstream(node)) == 1 and trace.node_index(ahead[0]) in aims
    }
    for_others = led_elsewhere(trace, name)
    found = [
        number
        for number, birth in born.items()
        if (number in meant or birth.node in only or number in for_topics) and number not in for_others
    ]
    return found + sorted(stored_there - born.keys())


@remembered
def led_elsewhere(trace: Trace, name: str) -> set[int]:
    """The messages, by id, that exchanges led to some queues, and to none that this node or group consumes."""
    own = consumed(trace, name)
    if not own:
        return set()
    led: dict[bool, set[int]] = {True: set(), False: set()}
    for row in trace.rows("readied"):
        led[trace.values[row[6]] in own].add(row[4])
    return led[False] - led[True]


def _shown(trace: Trace, name: str, number: int, fate: Fate) -> Missing:
    birth = births(trace).get(number)
    steps = tuple(trace[index] for index in dict.fromkeys((birth.step if birth else fate.last, fate.last)))
    return Missing(trace.message(number), name, fate.lost, fate.why, steps)


@remembered
def _fates(trace: Trace, name: str) -> dict[int, Fate]:
    """Each message that was meant for a name and did not take effect there."""
    done = done_at(trace, name)
    absent = [number for number in expected(trace, name) if number not in done]
    in_topics = [number for number in absent if number in destinations(trace)]
    elsewhere = [number for number in absent if number not in destinations(trace)]
    found = Inquiry(trace, name, elsewhere).verdicts() if elsewhere else {}
    if in_topics:
        found |= ClusterInquiry(trace, name, in_topics).verdicts()
    return {number: found[number] for number in absent}


@remembered
def _judge(trace: Trace, name: str) -> dict[int, Fate]:
    """The same without those in whose place another message of the same operation took effect, or still may.

    Of several messages that all failed to carry the same, only the last is told.
    """
    fates, piece = _fates(trace, name), pieces(trace)
    done = {piece.get(number) for number in done_at(trace, name)} if fates else set()
    last: dict[Piece | int, int] = {}
    for number, fate in fates.items():
        own = piece.get(number, number)
        if own not in done and (own not in last or fates[last[own]].lost or not fate.lost):
            last[own] = number
    found: dict[int, Fate] = {}
    for own, number in last.items():
        again = _open_before(trace, name, own.origin) if isinstance(own, Piece) and fates[number].lost else None
        found[number] = again or fates[number]
    return found


def _open_before(trace: Trace, name: str, origin: int) -> Fate | None:
    """What is still to come of an operation at a node before this one, so that it may yet be carried on to here."""
    for stage in _stages_before(trace, name):
        fate = _fates(trace, stage).get(origin)
        if fate is not None and not fate.lost:
            return fate
    return None


@remembered
def _stages_before(trace: Trace, name: str) -> tuple[str, ...]:
    """The nodes and groups that do work and from which links lead to this one, over however many nodes."""
    behind = _ends(trace, name)
    frontier = sorted(behind)
    while frontier:
        frontier = [each for node in frontier for each in sources(trace)[node] if each not in behind]
        behind.update(frontier)
    idle = {*topics(trace), *queues(trace), *clients(trace)}
    stages = (group_of(trace, node) for node in trace.nodes if node in behind and node not in idle)
    return tuple(stage for stage in dict.fromkeys(stages) if stage != name)


@remembered
def _judge_operations(trace: Trace, name: str) -> dict[int, Fate]:
    origin = origins(trace)
    reached = {origin.get(number, number) for number in done_at(trace, name)}
    makers = {trace.node_index(client) for client in clients(trace) if _leads_to(trace, client, name)}
    found = {
        number: Fate(True, "nothing carried it there", birth.step)
        for number, birth in births(trace).items()
        if birth.node in makers and number not in reached and number not in withdrawn(trace)
    }
    # The later stage tells more of the operation's end, so it comes last; but whatever is open anywhere keeps it open.
    for stage in (*_stages_before(trace, name), name) if found else ():
        for number, fate in _judge(trace, stage).items():
            first = origin.get(number, number)
            if first in found and (found[first].lost or not fate.lost):
                found[first] = fate
    return found


def _leads_to(trace: Trace, client: str, name: str) -> bool:
    """Whether links lead from a client to a node or group, over however many nodes."""
    ends = _ends(trace, name)
    seen, frontier = {client}, [client]
    while frontier and not ends & seen:
        frontier = [each for node in frontier for each in targets(trace)[node] if each not in seen]
        seen.update(frontier)
    return bool(ends & seen)


def _ends(trace: Trace, name: str) -> set[str]:
    """What a name stands for where messages go along links and through topics."""
    return {name} if names_topic_in_cluster(trace, name) else {trace.nodes[place] for place in members(trace, name)}
