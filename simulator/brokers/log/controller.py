"""The node that decides who leads: a Kafka cluster's controller.

Brokers tell it that they live; whom it does not hear of for ``broker_session_timeout_ms`` it takes for gone. What it decides it
tells every broker. Sources: ``ClusterControlManager``, ``BrokerHeartbeatManager`` and ``ReplicationControlManager`` of Apache
Kafka 4.0 (KRaft). Left out: its own quorum. It does not fail, and news that got lost comes with the answer to the next heartbeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import field, frozen

from simulator.brokers.log.cluster import KafkaTopic, Layout
from simulator.brokers.log.elections import Controller, Leadership
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.protocol import pack_state
from simulator.message import Message
from simulator.network import NodeFault
from simulator.scenario import Node, Scenario
from simulator.validation import not_negative, one_of, positive
from simulator.values import Part
from simulator.vocabulary import ELECTED, EXPANDED, FENCED, IGNORED, SHRUNK, UNFENCED

if TYPE_CHECKING:
    from simulator.engine import Sim, Timer


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
    """How often every preferred leader that can lead is given the lead back. Simplified: whatever the imbalance."""
    elections: tuple[Election, ...] = field(default=(), converter=_as_elections, kw_only=True)
    """What an operator does by hand."""

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        return _Controlling(self, sim).take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        brokers = brokers_of(scenario, self.name)
        if not brokers:
            yield f'{self}: no KafkaBroker is linked to it; add Link("{self.name}", broker), or take kafka_links(nodes).'
            return
        for topic in self.topics:
            yield from topic.problems(f'{self}, KafkaTopic("{topic.name}")')
            if topic.replication_factor > len(brokers):
                yield (
                    f'{self}, KafkaTopic("{topic.name}"): replication_factor is {topic.replication_factor}'
                    f" (INVALID_REPLICATION_FACTOR); there are {len(brokers)} brokers."
                )
        if any(isinstance(fault, NodeFault) and fault.node == self.name for fault in scenario.faults):
            yield f"{self}: a fault strikes it, and controllers do not fail here; let the fault strike a broker."
        names = [topic.name for topic in self.topics]
        for twice in sorted({name for name in names if names.count(name) > 1}):
            yield f'{self}: two topics are called "{twice}" (TOPIC_ALREADY_EXISTS); give each a name of its own.'
        for election in self.elections:
            known = {topic.name: topic.partitions for topic in self.topics}
            if election.partition not in range(known.get(election.topic, 0)):
                yield (
                    f"{self}, elections: there is no partition {election.topic}-{election.partition}"
                    " (UNKNOWN_TOPIC_OR_PARTITION); name one of its topics'."
                )


def brokers_of(scenario: Scenario, controller: str) -> list[str]:
    """The names of a controller's brokers, in the scenario's order."""
    from simulator.brokers.log.broker import KafkaBroker

    return [node.name for node in scenario.nodes_of(KafkaBroker) if scenario.linked(controller, node.name)]


def layout_of(scenario: Scenario, controller: str) -> Layout:
    """The cluster of a controller."""
    node = scenario.node(controller)
    assert isinstance(node, KafkaController)
    return Layout(node.topics, brokers_of(scenario, controller))


class _Controlling:
    def __init__(self, node: KafkaController, sim: Sim) -> None:
        self._node = node
        self._sim = sim
        self._layout = layout_of(sim.scenario, node.name)
        layout = self._layout
        self.states = [
            Controller(
                layout.replicas[number],
                unclean_leader_election_enable=layout.of(number).unclean_leader_election_enable,
            )
            for number in range(len(layout.partitions))
        ]
        sim.durable["leadership"] = {name: each.state for name, each in zip(layout.names, self.states, strict=True)}
        self._version = 0
        self._live = dict.fromkeys(layout.brokers, True)
        self._sessions: dict[str, Timer] = {}
        for number, each in enumerate(self.states):
            self._tell_leader(number, each.state)
            self._tell_in_sync(EXPANDED, number, each.replicas[0], each.state)
        for broker in layout.brokers:
            self._expect(broker)
        for election in node.elections:
            sim.call_later(election.at, self._elect, election)
        if node.auto_leader_rebalance_enable:
            sim.call_later(1_000 * node.leader_imbalance_check_interval_seconds, self._rebalance)

    def take(self, message: Message, broker: str) -> None:
        if message.kind == "broker_heartbeat":
            self._heartbeat(message, broker)
        elif message.kind == "alter_isr":
            self._change_in_sync(message, broker)
        else:
            self._sim.record(IGNORED, message, self._sim.value("a controller has no answer to it"))

    def _heartbeat(self, message: Message, broker: str) -> None:
        version, leaving = message.payload
        starts_anew = version < 0
        if starts_anew and self._live[broker]:
            self._fence(broker, "it has started anew")
        elif leaving and self._live[broker]:
            self._fence(broker, "it shuts down", Controller.shut_down)
        elif not leaving and not starts_anew and not self._live[broker] and version == self._version:
            self._unfence(broker)
        if leaving:
            self._forget(broker)
        else:
            self._expect(broker)
        news: tuple[int, ...] = ()
        if version != self._version:
            for number, each in enumerate(self.states):
                news += pack_state(number, each.state, self._layout.brokers)
        answer = (self._version, int(self._live[broker]), *news)
        self._sim.send(broker, self._sim.envelope("broker_heartbeat", None, answer, (), message.id))

    def _change_in_sync(self, message: Message, broker: str) -> None:
        number, epoch, version, *wanted = message.payload
        error = 0
        try:
            isr = [self._layout.brokers[each] for each in wanted]
            self._change({number: lambda each: each.change_in_sync(broker, epoch, version, isr)})
        except Refused as refused:
            error = refused.code
        self._sim.send(broker, self._sim.envelope("alter_isr", None, (number, error), (), message.id))

    def _expect(self, broker: str) -> None:
        """Its session lasts from now on for as long again."""
        self._forget(broker)
        self._sessions[broker] = self._sim.call_later(self._node.broker_session_timeout_ms, self._gone, broker)

    def _forget(self, broker: str) -> None:
        if broker in self._sessions:
            self._sessions.pop(broker).cancel()

    def _gone(self, broker: str) -> None:
        if self._live[broker]:
            self._fence(broker, "its session timed out")

    def _fence(self, broker: str, reason: str, how: Callable[[Controller, str], Leadership] = Controller.fence) -> None:
        self._live[broker] = False
        self._sim.record(FENCED, None, self._sim.index_of(broker), self._sim.value(reason))
        self._change(dict.fromkeys(self._held(broker), lambda each: how(each, broker)))

    def _unfence(self, broker: str) -> None:
        self._live[broker] = True
        self._sim.record(UNFENCED, None, self._sim.index_of(broker))
        self._change(dict.fromkeys(self._held(broker), lambda each: each.unfence(broker)))

    def _held(self, broker: str) -> list[int]:
        return [number for number, replicas in enumerate(self._layout.replicas) if broker in replicas]

    def _elect(self, election: Election) -> None:
        number = self._layout.numbers[(election.topic, election.partition)]  # type: ignore[index]
        how = Controller.elect_preferred if election.election_type == "preferred" else Controller.elect_unclean
        try:
            self._change({number: how})
        except Refused as refused:
            self._sim.note("rejected", reason=refused.error)

    def _rebalance(self) -> None:
        for number in range(len(self.states)):
            try:
                self._change({number: Controller.elect_preferred})
            except Refused:
                # It leads already, or can't: both are as they should be.
                continue
        self._sim.call_later(1_000 * self._node.leader_imbalance_check_interval_seconds, self._rebalance)

    def _change(self, changes: dict[int, Callable[[Controller], Any]]) -> None:
        """Decide anew about these partitions, and tell all brokers what is different now."""
        sim, layout = self._sim, self._layout
        news: tuple[int, ...] = ()
        for number, change in changes.items():
            controller = self.states[number]
            before = controller.state
            change(controller)
            after = controller.state
            if after == before:
                continue
            sim.durable["leadership"][layout.names[number]] = after
            if after.leader_epoch != before.leader_epoch:
                self._tell_leader(number, after)
            for replica in controller.replicas:
                if (replica in before.isr) != (replica in after.isr):
                    self._tell_in_sync(EXPANDED if replica in after.isr else SHRUNK, number, replica, after)
            news += pack_state(number, after, layout.brokers)
        if not news:
            return
        self._version += 1
        for broker in layout.brokers:
            sim.send(broker, sim.envelope("leadership", None, (self._version, *news)))

    def _tell_leader(self, number: int, state: Leadership) -> None:
        sim = self._sim
        sim.record(ELECTED, None, sim.partition(self._layout.names[number]), sim.value(state.leader), state.leader_epoch)

    def _tell_in_sync(self, kind: int, number: int, replica: str, state: Leadership) -> None:
        sim = self._sim
        sim.record(
            kind, None, sim.partition(self._layout.names[number]), sim.index_of(replica), sim.value(" ".join(state.isr))
        )
