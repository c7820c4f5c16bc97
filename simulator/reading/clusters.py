"""A Kafka cluster in a scenario: its controller, brokers and partitions, and which nodes write to and read from its topics.

In a cluster links do not tell who reads what, since every client is linked to every broker: its settings do.
"""

from __future__ import annotations

from attrs import field, frozen

from simulator.brokers.log.cluster import INTERNAL, KafkaTopic, Layout
from simulator.reading.lineage import births
from simulator.reading.memo import remembered
from simulator.scenario import Node, Scenario
from simulator.trace import Trace


@frozen
class Cluster:
    """What is in a cluster, as its scenario says."""

    controller: str
    layout: Layout = field(repr=False)

    @property
    def brokers(self) -> tuple[str, ...]:
        """Its brokers, in the scenario's order."""
        return self.layout.brokers

    @property
    def nodes(self) -> tuple[str, ...]:
        """Its brokers and its controller."""
        return (*self.layout.brokers, self.controller)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that clients use; without the cluster's own."""
        return tuple(name for name in self.layout.topics if name not in INTERNAL)

    def partitions(self, topic: str) -> tuple[str, ...]:
        """The names of a topic's partitions, in order."""
        return tuple(self.layout.names[number] for number in self.layout.numbers_of(topic))

    def replicas(self, partition: str) -> tuple[str, ...]:
        """The brokers that have a copy of a partition, the preferred leader first."""
        return self.layout.replicas[self.layout.names.index(partition)]

    def written(self, scenario: Scenario, node: str) -> tuple[str, ...]:
        """The topics that a node writes to."""
        return self._named(scenario, node, "topic", "to")

    def read(self, scenario: Scenario, node: str) -> tuple[str, ...]:
        """The topics that a node reads."""
        return self._named(scenario, node, "topics")

    def _named(self, scenario: Scenario, node: str, *settings: str) -> tuple[str, ...]:
        near = any(scenario.linked(node, broker) for broker in self.brokers)
        if node in self.nodes or not near:
            return ()
        told = [getattr(scenario.node(node), setting, None) for setting in settings]
        named = [name for each in told for name in ((each,) if isinstance(each, str) else each or ())]
        return tuple(name for name in named if name in self.topics)


def topic_of(partition: str) -> str:
    """The topic of a partition, by the partition's name: that of ``orders-0`` is ``orders``."""
    return partition.rpartition("-")[0]


def number_of(partition: str) -> int:
    """The number of a partition within its topic: that of ``orders-3`` is 3."""
    return int(partition.rpartition("-")[2])


def cluster_in(scenario: Scenario) -> Cluster | None:
    """The scenario's cluster; None if there is none.

    Raises ValueError if there are two, since partitions go by their names, and for a topic that is called like a node.
    """
    controllers = [node for node in scenario.nodes if _topics(node) is not None]
    if not controllers:
        return None
    if len(controllers) > 1:
        names = " and ".join(node.name for node in controllers)
        raise ValueError(f"This scenario has two clusters, those of {names}; readings tell of one: run each on its own.")
    (controller,) = controllers
    brokers = [node.name for node in scenario.nodes if _serves(scenario, node, controller)]
    found = Cluster(controller.name, Layout(_topics(controller) or (), brokers))
    for name in found.topics:
        if name in scenario.names:
            raise ValueError(f'A node and a topic of the cluster are both called "{name}"; call one of them otherwise.')
    return found


def _topics(node: Node) -> tuple[KafkaTopic, ...] | None:
    """A controller's topics; None for every other node."""
    held = getattr(node, "topics", None)
    is_one = node.role == "broker" and isinstance(held, tuple) and all(isinstance(each, KafkaTopic) for each in held)
    return held if is_one else None


def _serves(scenario: Scenario, node: Node, controller: Node) -> bool:
    return node is not controller and node.role == "broker" and scenario.linked(controller.name, node.name)


@remembered
def cluster(trace: Trace) -> Cluster | None:
    """The cluster of a run; None if there is none. Raises ValueError as `cluster_in` does."""
    return cluster_in(trace.scenario)


@remembered
def destinations(trace: Trace) -> dict[int, str]:
    """The topic of the cluster that each record is meant for, by its message id, in order of birth: its maker names it."""
    there = cluster(trace)
    if there is None:
        return {}
    named = {place: there.written(trace.scenario, name) for place, name in enumerate(trace.nodes)}
    return {number: named[birth.node][0] for number, birth in births(trace).items() if named[birth.node]}
