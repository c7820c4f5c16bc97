"""Who takes part in a run: groups, topics, clients. Found by what nodes have and did, not by their classes.

Wherever a reading takes a *name*, it is a node's, a consumer group's, or that of a topic in a Kafka cluster, which is no node of
its own. A group's name wins where others have it, too.
"""

from __future__ import annotations

from simulator.reading.clusters import cluster
from simulator.reading.memo import remembered
from simulator.trace import Trace
from simulator.validation import did_you_mean
from simulator.values import Span

_NO_GROUP = object()


def extent(trace: Trace) -> Span:
    """The simulated time that the trace covers: up to its scenario's duration, or to its last step if it was stopped before."""
    last = trace.times[1]
    return Span(0.0, max(last, trace.scenario.duration) if trace.ended == "duration" else last)


@remembered
def groups(trace: Trace) -> dict[str, tuple[str, ...]]:
    """Every consumer group and its members. A node belongs to a group if it has a field ``group``; None means its own name."""
    found: dict[str, list[str]] = {}
    for node in trace.scenario.nodes:
        group = getattr(node, "group", _NO_GROUP)
        if group is not _NO_GROUP:
            found.setdefault(str(group or node.name), []).append(node.name)
    return {name: tuple(members) for name, members in found.items()}


@remembered
def members(trace: Trace, name: str) -> frozenset[int]:
    """The nodes that a name stands for, as places in ``trace.nodes``; for a cluster's topic, all brokers of the cluster.

    Raises KeyError for a name that stands for none.
    """
    known = groups(trace)
    if name in known:
        return frozenset(trace.node_index(member) for member in known[name])
    if name in trace.nodes:
        return frozenset([trace.node_index(name)])
    if in_cluster(trace, name):
        return keepers(trace, name)
    raise KeyError(f'There is no node or group "{name}"; {did_you_mean(name, [*known, *trace.nodes, *topics(trace)])}')


def is_topic(trace: Trace, name: str) -> bool:
    """Whether a name stands for what keeps a log: a topic on its own, or one in a cluster."""
    return name in topics(trace) and name not in groups(trace)


def in_cluster(trace: Trace, topic: str) -> bool:
    """Whether a topic is one of a cluster."""
    there = cluster(trace)
    return there is not None and topic in there.topics


def names_topic_in_cluster(trace: Trace, name: str) -> bool:
    """Whether a name stands for a topic of a cluster, and not for a group that is called like it."""
    return in_cluster(trace, name) and name not in groups(trace)


def keepers(trace: Trace, kept: str) -> frozenset[int]:
    """The nodes that keep a topic or queue, as places in ``trace.nodes``: itself, or the brokers of the cluster that it is in."""
    there = cluster(trace)
    if there is not None and in_cluster(trace, kept):
        return frozenset(trace.node_index(broker) for broker in there.brokers)
    return frozenset([trace.node_index(kept)])


def group_of(trace: Trace, node: str) -> str:
    """The name under which a node's work counts: its group's, or its own."""
    for name, within in groups(trace).items():
        if node in within:
            return name
    return node


@remembered
def topics(trace: Trace) -> tuple[str, ...]:
    """Where logs are kept: the nodes that appended something, or have partitions to do it, and the topics of a cluster."""
    there = cluster(trace)
    within = there.nodes if there is not None else ()
    appended = {row[3] for row in trace.rows("appended")}
    alone = tuple(
        node.name
        for place, node in enumerate(trace.scenario.nodes)
        if node.name not in within and (place in appended or isinstance(getattr(node, "partitions", None), int))
    )
    return (*alone, *(there.topics if there is not None else ()))


@remembered
def topics_of(trace: Trace, name: str) -> tuple[str, ...]:
    """The topics that a node or group reads: those that links lead from to any of its members, and those of a cluster that
    any of them names."""
    kept = set(topics(trace))
    reached = [topic for place in sorted(members(trace, name)) for topic in sources(trace)[trace.nodes[place]]]
    return tuple(topic for topic in dict.fromkeys(reached) if topic in kept)


@remembered
def queues(trace: Trace) -> tuple[str, ...]:
    """The nodes that keep messages until somebody takes them out: all brokers but those that keep a log."""
    there = cluster(trace)
    logs = {*topics(trace), *(there.nodes if there is not None else ())}
    return tuple(node.name for node in trace.scenario.nodes if node.role == "broker" and node.name not in logs)


def read_by(trace: Trace, name: str) -> tuple[str, ...]:
    """The topics and queues that a node or group reads."""
    kept = set(queues(trace))
    reached = [node for place in sorted(members(trace, name)) for node in sources(trace)[trace.nodes[place]]]
    return (*topics_of(trace, name), *(node for node in dict.fromkeys(reached) if node in kept))


def consumed(trace: Trace, name: str) -> frozenset[str]:
    """The queues of a broker with exchanges that a node or group consumes, by name: its members say so by a field ``queue``."""
    named = (getattr(trace.scenario.nodes[place], "queue", ()) for place in members(trace, name))
    return frozenset(queue for each in named for queue in ((each,) if isinstance(each, str) else each))


@remembered
def targets(trace: Trace) -> dict[str, tuple[str, ...]]:
    """Where messages go on from each node and each topic of a cluster: along links, in their order, and through such topics.

    Within a cluster links tell nothing, as every client is linked to every broker.
    """
    scenario, there = trace.scenario, cluster(trace)
    if there is None:
        return {name: tuple(scenario.downstream(name)) for name in trace.nodes}
    found: dict[str, list[str]] = {name: [] for name in (*trace.nodes, *topics(trace))}
    for name in trace.nodes:
        outside = [other for other in scenario.downstream(name) if not {name, other} & {*there.nodes}]
        found[name] += [*outside, *there.written(scenario, name)]
        for topic in there.read(scenario, name):
            found[topic].append(name)
    return {name: tuple(ahead) for name, ahead in found.items()}


@remembered
def sources(trace: Trace) -> dict[str, tuple[str, ...]]:
    """The same backwards: where messages come from, for each node and each topic of a cluster."""
    if cluster(trace) is None:
        return {name: tuple(trace.scenario.upstream(name)) for name in trace.nodes}
    ahead = targets(trace)
    return {name: tuple(other for other, named in ahead.items() if name in named) for name in ahead}


@remembered
def processors(trace: Trace) -> tuple[str, ...]:
    """All that do the work: every consumer group, and every other node that processed something."""
    grouped = groups(trace)
    inside = {member for within in grouped.values() for member in within}
    worked = {row[3] for row in trace.rows("processed")}
    alone = [name for place, name in enumerate(trace.nodes) if place in worked and name not in inside]
    return (*grouped, *alone)


@remembered
def clients(trace: Trace) -> tuple[str, ...]:
    """Where everything begins: the nodes that made records or requests of their own accord.

    These are the nodes with the role "producer"; if none of them made anything, all nodes that did.
    """
    made = {row[3] for row in trace.rows("created")}
    makers = [node for place, node in enumerate(trace.scenario.nodes) if place in made]
    return tuple(node.name for node in makers if node.role == "producer") or tuple(node.name for node in makers)


def value_of(trace: Trace, text: str) -> int:
    """The number that stands for a text, a group's name say, among the trace's shared values; -1 if none does."""
    return next((place for place, value in enumerate(trace.values) if isinstance(value, str) and value == text), -1)
