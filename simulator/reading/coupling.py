"""Who depends on whom, told from a scenario before any run: who must be up, and who must change.

Nodes are asked for what they name (``to``, ``calls``, ``publishes``) and for how they wait (``acks``), not for their classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.reading.clusters import cluster_in
from simulator.scenario import Node, Scenario


def named_by(scenario: Scenario, name: str) -> tuple[str, ...]:
    """The nodes whose own configuration names this one, in the scenario's order: these know that it exists.

    A link is no such knowledge: a topic has links to its readers, but names none. Raises KeyError for an unknown name.
    """
    scenario.node(name)
    return tuple(node.name for node in scenario.nodes if name in _named_in(scenario, node))


def must_be_up(scenario: Scenario, client: str | None = None) -> tuple[str, ...]:
    """The nodes whose outage keeps a client's requests (or records) from being accepted, in the scenario's order.

    These are whom the client waits for, and whom those wait for in turn before they answer: the services that they call, and
    the topics that must store an event first. Nobody waits for a topic's readers. In a cluster another broker stands in for one
    that is out, so only those count without which a partition has too few replicas. Without a client: every client's together.
    Raises KeyError for an unknown client.
    """
    clients = [scenario.node(client)] if client else [node for node in scenario.nodes if node.role == "producer"]
    found: set[str] = set()
    ahead = [name for node in clients for name in _waits_for(scenario, node)]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += _waits_for(scenario, scenario.node(name))
    return tuple(name for name in scenario.names if name in found)


def must_change(scenario: Scenario, beside: str | None = None) -> tuple[str, ...]:
    """The nodes that would have to be changed so that one more learns what this one learns, in the scenario's order.

    These are all that name it: the newcomer has to be named there too. Without a name: whoever names any of the last in line,
    to which links lead and from which none leads on. Raises KeyError for an unknown name.
    """
    last = [beside] if beside else [
        name for name in scenario.names if scenario.upstream(name) and not scenario.downstream(name)
    ]  # fmt: skip
    naming = {each for name in last for each in named_by(scenario, name)}
    return tuple(name for name in scenario.names if name in naming)


def _named_in(scenario: Scenario, node: Node) -> set[str]:
    return {*_calls(node), *getattr(node, "publishes", ()), *_asked(scenario, node, only_named=True)}


def _waits_for(scenario: Scenario, node: Node) -> Iterator[str]:
    """Whom a node waits for before it is done with a request."""
    yield from _calls(node)
    if getattr(node, "acks", None) not in (0, "0"):
        yield from getattr(node, "publishes", ())
        yield from _asked(scenario, node)


def _indispensable(scenario: Scenario, node: Node) -> tuple[str, ...] | None:
    """The brokers of a cluster without any one of which a partition that a client writes to can't take its records.

    None for a client that writes to no cluster.
    """
    cluster = cluster_in(scenario)
    written = cluster.written(scenario, node.name) if cluster is not None else ()
    if cluster is None or not written:
        return None
    found: dict[str, None] = {}
    for topic in written:
        least = cluster.layout.topics[topic].min_insync_replicas if getattr(node, "acks", "all") == "all" else 1
        for partition in cluster.partitions(topic):
            replicas = cluster.replicas(partition)
            if len(replicas) <= min(least, len(replicas)):
                found.update(dict.fromkeys(replicas))
    return tuple(found)


def _calls(node: Node) -> tuple[str, ...]:
    return tuple(str(getattr(call, "to", call)) for call in getattr(node, "calls", ()))


def _asked(scenario: Scenario, node: Node, *, only_named: bool = False) -> tuple[str, ...]:
    """Whom a client asks or writes to: the one it names, or all that links lead to from it."""
    if node.role != "producer":
        return ()
    in_cluster = _indispensable(scenario, node)
    if in_cluster is not None:
        return () if only_named else in_cluster
    to = getattr(node, "to", None)
    if to is not None:
        return (to,)
    return () if only_named else tuple(scenario.downstream(node.name))
