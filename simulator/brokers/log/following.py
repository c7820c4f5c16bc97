"""A broker's side of replication: as a follower it fetches from each leader, as a leader it answers its followers.

One request to each other broker is under way at a time, for all partitions that are led there; the leader holds an answer
back until there is something to copy, or ``replica.fetch.wait.max.ms`` is over. Sources: ``AbstractFetcherThread``,
``ReplicaFetcherThread`` and ``DelayedFetch`` of Apache Kafka 4.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulator.brokers.log.errors import CODES, Refused
from simulator.brokers.log.protocol import pack_copies, pack_fetch, unpack_copies
from simulator.brokers.log.replicas import FetchRequest, FetchResponse
from simulator.brokers.log.upkeep import note_trimmed
from simulator.message import Message
from simulator.vocabulary import IGNORED, REPLICATED, TRUNCATED

if TYPE_CHECKING:
    from simulator.brokers.log.broker import Broker
    from simulator.engine import Timer

_MOST = 500
"""Records in one answer for one partition (Kafka: ``replica.fetch.max.bytes``, a mebibyte)."""


class _Request:
    """What one broker asks of another."""

    __slots__ = ("asked", "follower", "message", "timer")

    def __init__(self, message: Message, follower: str) -> None:
        self.message = message
        self.follower = follower
        flat: Sequence[int] = message.payload[1:]
        self.asked = [(flat[at], FetchRequest(follower, *flat[at + 1 : at + 4])) for at in range(0, len(flat), 4)]
        """Each partition, and what is asked of it."""
        self.timer: Timer | None = None
        """Until when its answer is held back."""


class Following:
    """The replication of one broker's life, both ways."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._under_way: dict[str, _Request] = {}
        """The request to each leader that is not answered yet."""
        self._resting: dict[int, float] = {}
        """Until when a partition is left alone after an error."""
        self._held: list[_Request] = []

    def role_changed(self, number: int) -> None:
        """A partition has another leader, or the same one in another epoch: what went wrong before is over."""
        self._resting.pop(number, None)

    def look(self) -> None:
        """Ask every leader of a followed partition that is not being asked already."""
        broker = self._broker
        if broker.stopped:
            return
        for asked_of, request in list(self._under_way.items()):
            if all(broker.states[number].leader_epoch != asked.leader_epoch for number, asked in request.asked):
                # Its answer would be of no use, and the broker may have gone and returned in the meantime.
                del self._under_way[asked_of]
        wanted: dict[str, list[int]] = {}
        for number, partition in broker.partitions.items():
            leader = partition.replica.state.leader
            if leader not in (None, broker.node.name) and self._resting.get(number, 0.0) <= broker.sim.now:
                wanted.setdefault(str(leader), []).append(number)
        for leader, numbers in wanted.items():
            if leader not in self._under_way:
                self._ask(leader, numbers)

    def _ask(self, leader: str, numbers: list[int]) -> None:
        broker, sim = self._broker, self._broker.sim
        wait = broker.node.replica_fetch_wait_max_ms
        payload: list[int] = [int(wait)]
        for number in numbers:
            payload += pack_fetch(number, broker.partitions[number].replica.request())
        request = self._under_way[leader] = _Request(sim.envelope("replicate", None, tuple(payload)), broker.node.name)
        sim.send(leader, request.message)
        sim.call_later(broker.node.replica_socket_timeout_ms, self._late, leader, request)

    def _late(self, leader: str, request: _Request) -> None:
        if self._under_way.get(leader) is request:
            del self._under_way[leader]
            self.look()

    def take(self, answer: Message, leader: str) -> None:
        """Append what the leader sent, cut off what it does not have, and ask for more."""
        broker, sim = self._broker, self._broker.sim
        request = self._under_way.get(leader)
        if request is None or request.message.id != answer.in_reply_to:
            # An answer to an earlier question need not fit behind what is here by now.
            sim.record(IGNORED, answer, sim.value("nobody waits for it"))
            return
        del self._under_way[leader]
        arrived = sim.cause
        for number, _, response in unpack_copies(answer.payload, sim.message_of):
            if broker.states[number].leader != leader:
                continue
            if response is None:
                self._rest(number)
                continue
            with sim.as_one():
                taken, name = broker.partitions[number].take(sim.now, response), broker.name_of(number)
                if taken.cut:
                    sim.record(TRUNCATED, None, name, taken.cut_at, taken.cut, cause=arrived)
                for entry in taken.added:
                    sim.record(REPLICATED, broker.message_of(entry), name, entry.offset, cause=arrived)
                note_trimmed(broker, number, taken.trimmed)
                broker.note_mark(number)
        self.look()

    def _rest(self, number: int) -> None:
        backoff = self._broker.node.replica_fetch_backoff_ms
        self._resting[number] = self._broker.sim.now + backoff
        self._broker.sim.call_later(backoff, self.look)

    def serve(self, message: Message, follower: str) -> None:
        """Answer a follower as a leader, and note how far it is."""
        broker, request = self._broker, _Request(message, follower)
        answer, urgent = self._answer(request)
        if urgent:
            broker.answer(follower, message, answer)
        else:
            self._held.append(request)
            request.timer = broker.sim.call_later(message.payload[0], self._finish, request)
        for number, _ in request.asked:
            if broker.leads(number):
                broker.reporting.expand(number, follower)
                broker.moved(number)

    def wake(self, number: int) -> None:
        """Something in a partition has changed: answer who waits for that."""
        for request in list(self._held):
            if any(number == each and self._is_news(number, asked) for each, asked in request.asked):
                self._finish(request)

    def _is_news(self, number: int, asked: FetchRequest) -> bool:
        replica = self._broker.partitions[number].replica
        return not replica.leads or replica.state.leader_epoch != asked.leader_epoch or replica.end > asked.offset

    def _finish(self, request: _Request) -> None:
        if request not in self._held or self._broker.stopped:
            return
        self._held.remove(request)
        assert request.timer is not None
        request.timer.cancel()
        self._broker.answer(request.follower, request.message, self._answer(request, held_back=True)[0])

    def _answer(self, request: _Request, *, held_back: bool = False) -> tuple[tuple[int, ...], bool]:
        """What to answer, and whether it is worth answering at once."""
        broker = self._broker
        flat: tuple[int, ...] = ()
        urgent = False
        for number, asked in request.asked:
            response: FetchResponse | None = None
            error = 0
            try:
                response = broker.led(number).replica.answer(broker.sim.now, asked, _MOST, held_back=held_back)
            except Refused as refused:
                error = CODES[refused.error]
            flat += pack_copies(number, error, response)
            urgent = urgent or response is None or bool(response.entries) or response.diverging is not None
        return flat, urgent
