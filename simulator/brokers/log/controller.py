"""What a Kafka cluster's controller does: it knows who lives, and decides who leads.

Brokers tell it that they live; whom it does not hear of for ``broker_session_timeout_ms`` it takes for gone. What it decides it
tells every broker. Sources: ``ClusterControlManager``, ``BrokerHeartbeatManager`` and ``ReplicationControlManager`` of Apache
Kafka 4.0 (KRaft). Left out: its own quorum. It does not fail, and news that got lost comes with the answer to the next
heartbeat. Simplified: the first heartbeat of a broker's life registers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from simulator.brokers.log.cluster import Layout
from simulator.brokers.log.elections import Controller, Leadership
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.protocol import RELEASED, TAKEN, UNREGISTERED, News
from simulator.brokers.log.subscriptions import TopicPartition
from simulator.message import Message
from simulator.vocabulary import ELECTED, EXPANDED, FENCED, IGNORED, SHRUNK, UNFENCED

if TYPE_CHECKING:
    from simulator.brokers.log.nodes import Election, KafkaController
    from simulator.engine import Sim, Timer


class _Member:
    """What the controller knows of a broker. All of them are up when a run begins."""

    __slots__ = ("leaving", "life", "live", "registered", "seen", "session")

    def __init__(self) -> None:
        self.life = 1
        """Which of its lives is registered."""
        self.registered = 0
        """The version of the news when it was."""
        self.seen = 0
        """The latest version that it has seen."""
        self.live = True
        """Whether it is not fenced."""
        self.leaving: int | None = None
        """The version that all others must have seen before it may stop, if it leads something and wants to."""
        self.session: Timer | None = None
        """When it counts as gone; None: it does."""

    @property
    def is_active(self) -> bool:
        """Whether it may lead and be in sync."""
        return self.live and self.leaving is None


class Controlling:
    """The controller of one cluster, for the whole run."""

    def __init__(self, node: KafkaController, sim: Sim, layout: Layout) -> None:
        self._node = node
        self._sim = sim
        self._layout = layout
        self._states = [
            Controller(replicas, unclean_leader_election_enable=layout.of(number).unclean_leader_election_enable)
            for number, replicas in enumerate(layout.replicas)
        ]
        sim.durable["leadership"] = {name: each.state for name, each in zip(layout.names, self._states, strict=True)}
        self._version = 0
        self._members = {broker: _Member() for broker in layout.brokers}
        for number, each in enumerate(self._states):
            self._tell_leader(number, each.state)
            self._tell_in_sync(EXPANDED, number, each.replicas[0], each.state)
        for broker, member in self._members.items():
            self._expect(member, broker)
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
        life, seen, leaving = message.payload
        member = self._members[broker]
        if life < member.life:
            self._sim.record(IGNORED, message, self._sim.value("an earlier life of the broker sent it"))
            return
        if life > member.life:
            if member.session is not None:
                # For all that is known the former life may still be there (DUPLICATE_BROKER_REGISTRATION).
                self._answer(message, broker, UNREGISTERED, ())
                return
            member.life, member.registered, member.seen = life, self._version, seen
        member.seen = max(member.seen, seen)
        if leaving and self._may_go(member, broker):
            self._forget(member)
            if member.live:
                self._fence(member, broker, "it shuts down")
            self._answer(message, broker, RELEASED, ())
            return
        if not leaving and not member.live and seen >= member.registered:
            self._unfence(member, broker)
        self._expect(member, broker)
        self._answer(message, broker, TAKEN, enumerate(each.state for each in self._states) if seen != self._version else ())

    def _may_go(self, member: _Member, broker: str) -> bool:
        """A broker wants to stop: what it leads is given to others, and it may go when all of these know."""
        if member.live and member.leaving is None and any(each.state.leader == broker for each in self._states):
            member.leaving = self._version + 1
            self._change(dict.fromkeys(self._held(broker), lambda each: each.shut_down(broker)), always=True)
        wanted = member.leaving
        return wanted is None or all(each.seen >= wanted for each in self._members.values() if each.is_active)

    def _change_in_sync(self, message: Message, broker: str) -> None:
        number, epoch, version, *wanted = message.payload
        error = 0
        try:
            isr = [self._layout.brokers[each] for each in wanted]
            self._change({number: lambda each: each.change_in_sync(broker, epoch, version, isr)})
        except Refused as refused:
            error = refused.code
        self._sim.send(broker, self._sim.envelope("alter_isr", None, (number, error), (), message.id))

    def _expect(self, member: _Member, broker: str) -> None:
        """Its session lasts from now on for as long again."""
        self._forget(member)
        member.session = self._sim.call_later(self._node.broker_session_timeout_ms, self._gone, member, broker)

    @staticmethod
    def _forget(member: _Member) -> None:
        if member.session is not None:
            member.session.cancel()
            member.session = None

    def _gone(self, member: _Member, broker: str) -> None:
        member.session = None
        if member.live:
            self._fence(member, broker, "its session timed out")

    def _fence(self, member: _Member, broker: str, reason: str) -> None:
        member.live, member.leaving = False, None
        self._sim.record(FENCED, None, self._sim.index_of(broker), self._sim.value(reason))
        self._change(dict.fromkeys(self._held(broker), lambda each: each.fence(broker)), always=True)

    def _unfence(self, member: _Member, broker: str) -> None:
        member.live = True
        self._sim.record(UNFENCED, None, self._sim.index_of(broker))
        self._change(dict.fromkeys(self._held(broker), lambda each: each.unfence(broker)), always=True)

    def _held(self, broker: str) -> list[int]:
        return [number for number, replicas in enumerate(self._layout.replicas) if broker in replicas]

    def _elect(self, election: Election) -> None:
        number = self._layout.numbers[TopicPartition(election.topic, election.partition)]
        how = Controller.elect_preferred if election.election_type == "preferred" else Controller.elect_unclean
        try:
            self._change({number: how})
        except Refused as refused:
            self._sim.note("rejected", reason=refused.error)

    def _rebalance(self) -> None:
        for number in range(len(self._states)):
            try:
                self._change({number: Controller.elect_preferred})
            except Refused:
                # It leads already, or can't: both are as they should be.
                continue
        self._sim.call_later(1_000 * self._node.leader_imbalance_check_interval_seconds, self._rebalance)

    def _change(self, changes: dict[int, Callable[[Controller], Any]], *, always: bool = False) -> None:
        """Decide anew about these partitions, and tell all brokers what is different now (``always``, if who is active is)."""
        sim, layout = self._sim, self._layout
        changed: list[tuple[int, Leadership]] = []
        for number, change in changes.items():
            controller = self._states[number]
            before = controller.state
            change(controller)
            after = controller.state
            if after == before:
                continue
            changed.append((number, after))
            sim.durable["leadership"][layout.names[number]] = after
            if after.leader_epoch != before.leader_epoch:
                self._tell_leader(number, after)
            for replica in controller.replicas:
                if (replica in before.isr) != (replica in after.isr):
                    self._tell_in_sync(EXPANDED if replica in after.isr else SHRUNK, number, replica, after)
        if not changed and not always:
            return
        self._version += 1
        news = self._news(changed).packed(layout.brokers)
        for broker in layout.brokers:
            sim.send(broker, sim.envelope("leadership", None, news))

    def _news(self, states: Iterable[tuple[int, Leadership]]) -> News:
        active = tuple(broker for broker, each in self._members.items() if each.is_active)
        return News(self._version, active, tuple(states))

    def _answer(self, message: Message, broker: str, status: int, states: Iterable[tuple[int, Leadership]]) -> None:
        packed = (status, *self._news(states).packed(self._layout.brokers))
        self._sim.send(broker, self._sim.envelope("broker_heartbeat", None, packed, (), message.id))

    def _tell_leader(self, number: int, state: Leadership) -> None:
        sim = self._sim
        sim.record(ELECTED, None, sim.partition(self._layout.names[number]), sim.value(state.leader), state.leader_epoch)

    def _tell_in_sync(self, kind: int, number: int, replica: str, state: Leadership) -> None:
        sim = self._sim
        sim.record(
            kind, None, sim.partition(self._layout.names[number]), sim.index_of(replica), sim.value(" ".join(state.isr))
        )
