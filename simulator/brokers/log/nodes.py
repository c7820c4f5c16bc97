"""The nodes of a Kafka cluster with their settings, and which of them belong together.

How they act stands in `simulator.brokers.log.controller` and `simulator.brokers.log.broker`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import field, frozen

from simulator.brokers.log.broker import Lives
from simulator.brokers.log.cluster import KafkaTopic, Layout
from simulator.brokers.log.controller import Controlling
from simulator.message import Message
from simulator.network import NodeFault
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, broken_rules, not_negative, one_of, optional, positive
from simulator.values import Part

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class Election(Part):
    """An operator's ``kafka-leader-election.sh``, for one partition at one time."""

    at: float = field(metadata=not_negative("ms"))
    topic: str
    partition: int = 0
    election_type: Literal["preferred", "unclean"] = field(default="preferred", metadata=one_of("preferred", "unclean"))


def _as_topics(topics: KafkaTopic | Iterable[KafkaTopic]) -> tuple[KafkaTopic, ...]:
    return (topics,) if isinstance(topics, KafkaTopic) else tuple(topics)


def _as_elections(elections: Election | Iterable[Election]) -> tuple[Election, ...]:
    return (elections,) if isinstance(elections, Election) else tuple(elections)


@frozen
class KafkaController(Node):
    """The controller of a cluster: of all `KafkaBroker` nodes that are linked to it. It holds the topics.

    The settings have Apache Kafka's names and defaults (broker configuration, 4.0). A run begins with the cluster up, every
    preferred leader leading and all replicas in sync.
    """

    role: ClassVar[str] = "broker"

    topics: tuple[KafkaTopic, ...] = field(default=(), converter=_as_topics)
    broker_session_timeout_ms: float = field(default=9_000.0, metadata=positive("ms"), kw_only=True)
    auto_leader_rebalance_enable: bool = field(default=True, kw_only=True)
    leader_imbalance_check_interval_seconds: float = field(default=300.0, metadata=positive("seconds"), kw_only=True)
    """How often every preferred leader that can lead is given the lead back, as KRaft does whatever the imbalance."""
    elections: tuple[Election, ...] = field(default=(), converter=_as_elections, kw_only=True)
    """What an operator does by hand."""

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        return Controlling(self, sim, layout_of(sim.scenario, self.name)).take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        brokers = brokers_of(scenario, self.name)
        if not brokers:
            yield f'{self}: no KafkaBroker is linked to it; add Link("{self.name}", broker), or take kafka_links(nodes).'
            return
        for topic in self.topics:
            called = f'{self}, KafkaTopic("{topic.name}")'
            yield from broken_rules(topic, called)
            yield from topic.problems(called)
            if topic.replication_factor > len(brokers):
                yield (
                    f"{called}: replication_factor is {topic.replication_factor} (INVALID_REPLICATION_FACTOR); there are"
                    f" {len(brokers)} brokers."
                )
        if any(isinstance(fault, NodeFault) and fault.node == self.name for fault in scenario.faults):
            yield f"{self}: a fault strikes it, and controllers do not fail here; let the fault strike a broker."
        names = [topic.name for topic in self.topics]
        for twice in sorted({name for name in names if names.count(name) > 1}):
            yield f'{self}: two topics are called "{twice}" (TOPIC_ALREADY_EXISTS); give each a name of its own.'
        known = {topic.name: topic.partitions for topic in self.topics}
        for election in self.elections:
            yield from broken_rules(election, f"{self}, Election")
            if election.partition not in range(known.get(election.topic, 0)):
                yield (
                    f"{self}, Election: there is no partition {election.topic}-{election.partition}"
                    " (UNKNOWN_TOPIC_OR_PARTITION); name one of its topics'."
                )


@frozen
class KafkaBroker(Node):
    """A broker of the cluster whose `KafkaController` is linked to it.

    The settings have Apache Kafka's names and defaults (broker configuration, 4.0). Its logs, high watermarks and producers'
    states are on disk: a crash loses none of them. Simplified: high watermarks are on disk at once (Kafka: every five seconds),
    and a crashed broker goes dark, as a machine does: nobody's connection is reset, so clients find out by their time-outs.
    """

    role: ClassVar[str] = "broker"

    broker_heartbeat_interval_ms: float = field(default=2_000.0, metadata=positive("ms"), kw_only=True)
    replica_lag_time_max_ms: float = field(default=30_000.0, metadata=positive("ms"), kw_only=True)
    replica_fetch_wait_max_ms: float = field(default=500.0, metadata=positive("ms"), kw_only=True)
    replica_fetch_backoff_ms: float = field(default=1_000.0, metadata=not_negative("ms"), kw_only=True)
    replica_socket_timeout_ms: float = field(default=30_000.0, metadata=positive("ms"), kw_only=True)
    """After how long a follower asks again that got no answer."""
    log_retention_check_interval_ms: float = field(default=300_000.0, metadata=positive("ms"), kw_only=True)
    log_cleaner_backoff_ms: float = field(default=15_000.0, metadata=positive("ms"), kw_only=True)
    producer_id_expiration_ms: float = field(default=86_400_000.0, metadata=positive("ms"), kw_only=True)
    group_initial_rebalance_delay_ms: float = field(default=3_000.0, metadata=not_negative("ms"), kw_only=True)
    group_min_session_timeout_ms: float = field(default=6_000.0, metadata=not_negative("ms"), kw_only=True)
    group_max_session_timeout_ms: float = field(default=1_800_000.0, metadata=positive("ms"), kw_only=True)
    group_max_size: int = field(default=2_147_483_647, metadata=at_least(1), kw_only=True)
    transaction_max_timeout_ms: float = field(default=900_000.0, metadata=positive("ms"), kw_only=True)
    shut_down_at: float | None = field(default=None, metadata=optional(not_negative("ms")), kw_only=True)
    """When an operator stops it in good order (``controlled.shutdown.enable``): it first hands over what it leads. An operator
    who finds it down at that time leaves it."""
    start_again_after: float | None = field(default=None, metadata=optional(positive("ms")), kw_only=True)
    """How long after such a stop it is started again; None: never."""

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        controller = controllers_of(sim.scenario, self.name)[0]
        return Lives(self, sim, controller, layout_of(sim.scenario, controller)).take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        for most in ("replica_lag_time_max_ms", "replica_socket_timeout_ms"):
            if self.replica_fetch_wait_max_ms > getattr(self, most):
                yield (
                    f"{self}: replica_fetch_wait_max_ms is {self.replica_fetch_wait_max_ms}; a broker wants it to be at most"
                    f" {most}, {getattr(self, most)}."
                )
        controllers = controllers_of(scenario, self.name)
        if len(controllers) != 1:
            yield (
                f"{self}: it belongs to one KafkaController, and {len(controllers)} are linked to it;"
                " link it to one, or take kafka_links(nodes)."
            )
            return
        layout = layout_of(scenario, controllers[0])
        for other in layout.brokers:
            shared = any(self.name in replicas and other in replicas for replicas in layout.replicas)
            if other != self.name and shared and not scenario.linked(self.name, other):
                yield (
                    f'{self}: it shares partitions with "{other}" and no link joins the two;'
                    f' add Link("{self.name}", "{other}"), or take kafka_links(nodes).'
                )


def brokers_of(scenario: Scenario, other: str) -> list[str]:
    """The names of the brokers that links join to a controller or a client, in the scenario's order."""
    return [node.name for node in scenario.nodes_of(KafkaBroker) if scenario.linked(other, node.name)]


def controllers_of(scenario: Scenario, broker: str) -> list[str]:
    """The names of the controllers that links join to a broker; where all is well there is one."""
    return [node.name for node in scenario.nodes_of(KafkaController) if scenario.linked(node.name, broker)]


def layout_of(scenario: Scenario, controller: str) -> Layout:
    """The cluster of a controller."""
    node = scenario.node(controller)
    assert isinstance(node, KafkaController)
    return Layout(node.topics, brokers_of(scenario, controller))
