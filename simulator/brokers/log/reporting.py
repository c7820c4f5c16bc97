"""A broker and its controller: it reports that it lives, learns who leads, and asks for another in-sync set.

Sources: ``BrokerLifecycleManager``, ``BrokerMetadataPublisher`` and ``AlterPartitionManager`` of Apache Kafka 4.0. Simplified:
what the controller does not answer or take, a heartbeat or a request for another set, is sent again after
``broker.heartbeat.interval.ms``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from simulator.brokers.log.elections import Leadership
from simulator.brokers.log.errors import NAMES
from simulator.brokers.log.protocol import RELEASED, UNREGISTERED, News
from simulator.message import Message
from simulator.vocabulary import IGNORED

if TYPE_CHECKING:
    from simulator.brokers.log.broker import Broker

_SHUTDOWN_POLL_MS = 50.0
"""After how long a broker that wants to stop asks for the second time whether it may."""


class Reporting:
    """What one broker's life has to do with the controller. ``stop`` is called when the controller lets it go."""

    def __init__(self, broker: Broker, controller: str, stop: Callable[[], None]) -> None:
        self._broker = broker
        self._controller = controller
        self._stop = stop
        self._life = broker.sim.durable["lives"] = broker.sim.durable.get("lives", 0) + 1
        self._version = -1
        """The version of the news that it has; -1: none yet."""
        self._active: tuple[str, ...] = ()
        self._proposals: dict[int, Message] = {}
        self._leaving = False

    def begin(self) -> None:
        """A run begins with everybody registered and knowing everything; every other life has to be told."""
        broker = self._broker
        if self._life == 1:
            at_first = [(number, Leadership(each[0], 0, each)) for number, each in enumerate(broker.layout.replicas)]
            self._learn(News(0, broker.layout.brokers, tuple(at_first)))
        self._beat()
        broker.sim.call_later(broker.node.replica_lag_time_max_ms / 2, self._look_for_laggards)

    def shut_down(self) -> None:
        """Ask the controller to hand over what the broker leads, and to let it stop then."""
        self._leaving = True
        self._heartbeat()
        self._broker.sim.call_later(_SHUTDOWN_POLL_MS, self._heartbeat)

    def leadership(self, message: Message, source: str) -> None:
        """The controller has decided something."""
        if self._version < 0:
            self._broker.sim.record(IGNORED, message, self._broker.sim.value("the broker is not registered yet"))
            return
        self._learn(News.of(message.payload, self._broker.layout.brokers))

    def heartbeat_answered(self, message: Message, source: str) -> None:
        """The controller has taken a heartbeat, or has not."""
        status, *flat = message.payload
        if status == UNREGISTERED:
            return
        if status == RELEASED:
            if self._leaving:
                self._stop()
            return
        news = News.of(flat, self._broker.layout.brokers)
        registered = self._version < 0
        if news.states:
            self._learn(news, everything=True)
        if registered:
            # Now that it knows who leads, it may be unfenced.
            self._heartbeat()

    def expand(self, number: int, follower: str) -> None:
        """A follower has fetched: ask for it to be in sync, if it should be and is not."""
        if follower in self._active:
            self._propose(number, self._broker.partitions[number].replica.expand(follower))

    def proposal_answered(self, message: Message, source: str) -> None:
        """The controller has answered. What it decided comes by another message; until then the leader takes no chances."""
        number, error = message.payload
        proposal = self._proposals.get(number)
        if proposal is not None and proposal.id == message.in_reply_to:
            del self._proposals[number]
            self._broker.partitions[number].replica.proposal_answered(NAMES[error])

    def _beat(self) -> None:
        if not self._broker.stopped:
            self._heartbeat()
            self._broker.sim.call_later(self._broker.node.broker_heartbeat_interval_ms, self._beat)

    def _heartbeat(self) -> None:
        broker = self._broker
        if not broker.stopped:
            said = (self._life, self._version, int(self._leaving))
            broker.sim.send(self._controller, broker.sim.envelope("broker_heartbeat", None, said))

    def _learn(self, news: News, *, everything: bool = False) -> None:
        """Take note of the news. Where some is missing before it, the version stays, so that everything is told again."""
        if news.version == self._version + 1 or (everything and news.version > self._version):
            self._version = news.version
            self._active = news.active
        broker = self._broker
        for number, state in news.states:
            known = broker.states.get(number)
            if known is None or state.is_newer_than(known):
                broker.states[number] = state
                self._proposals.pop(number, None)
                broker.learn(number, state)
        broker.following.look()

    def _look_for_laggards(self) -> None:
        broker = self._broker
        if broker.stopped:
            return
        for number, partition in broker.partitions.items():
            self._propose(number, partition.replica.shrink(broker.sim.now))
        broker.sim.call_later(broker.node.replica_lag_time_max_ms / 2, self._look_for_laggards)

    def _propose(self, number: int, wanted: Iterable[str] | None) -> None:
        """Ask the controller for another in-sync set, again and again until that is answered."""
        if wanted is None:
            return
        state, brokers = self._broker.states[number], self._broker.layout.brokers
        payload = (number, state.leader_epoch, state.partition_epoch, *map(brokers.index, wanted))
        self._proposals[number] = self._broker.sim.envelope("alter_isr", None, payload)
        self._ask_for(number, self._proposals[number], 1)

    def _ask_for(self, number: int, proposal: Message, attempt: int) -> None:
        broker = self._broker
        if self._proposals.get(number) is proposal and not broker.stopped:
            broker.sim.send(self._controller, proposal, attempt)
            broker.sim.call_later(broker.node.broker_heartbeat_interval_ms, self._ask_for, number, proposal, attempt + 1)
