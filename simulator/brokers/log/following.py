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
from simulator.message import Message
from simulator.vocabulary import IGNORED, REPLICATED, TRUNCATED

if TYPE_CHECKING:
    from simulator.brokers.log.broker import Broker
    from simulator.engine import Timer

_MOST = 500
"""Records in one answer for one partition (Kafka: ``replica.fetch.max.bytes``, a mebibyte)."""


class _Held:
    """A follower's request whose answer is held back."""

    __slots__ = ("follower", "request", "timer")

    def __init__(self, request: Message, follower: str) -> None:
        self.request = request
        self.follower = follower
        self.timer: Timer | None = None


def _asked(request: Message, follower: str) -> list[tuple[int, FetchRequest]]:
    flat: Sequence[int] = request.payload[1:]
    return [(flat[at], FetchRequest(follower, *flat[at + 1 : at + 4])) for at in range(0, len(flat), 4)]


class Following:
    """The replication of one broker's life, both ways."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._under_way: dict[str, Message] = {}
        """The request to each leader that is not answered yet."""
        self._resting: dict[int, float] = {}
        """Until when a partition is left alone after an error."""
        self._held: list[_Held] = []

    def look(self) -> None:
        """Ask every leader of a followed partition that is not being asked already."""
        broker = self._broker
        if broker.stopped:
            return
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
        request = self._under_way[leader] = sim.envelope("replicate", None, tuple(payload))
        sim.send(leader, request)
        sim.call_later(broker.node.replica_socket_timeout_ms, self._late, leader, request)

    def _late(self, leader: str, request: Message) -> None:
        if self._under_way.get(leader) is request:
            del self._under_way[leader]
            self.look()

    def take(self, answer: Message, leader: str) -> None:
        """Append what the leader sent, cut off what it does not have, and ask for more."""
        broker, sim = self._broker, self._broker.sim
        request = self._under_way.get(leader)
        if request is None or request.id != answer.in_reply_to:
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
            partition, name = broker.partitions[number], broker.name_of(number)
            taken = partition.take(sim.now, response)
            if taken.cut:
                sim.record(TRUNCATED, None, name, taken.cut_at, taken.cut, cause=arrived)
            for entry in taken.added:
                sim.record(REPLICATED, sim.message_of(entry.record), name, entry.offset, cause=arrived)  # type: ignore[arg-type]
            broker.note_trimmed(number, taken.trimmed)
            broker.note_mark(number)
        self.look()

    def _rest(self, number: int) -> None:
        backoff = self._broker.node.replica_fetch_backoff_ms
        self._resting[number] = self._broker.sim.now + backoff
        self._broker.sim.call_later(backoff, self.look)

    def serve(self, request: Message, follower: str) -> None:
        """Answer a follower as a leader, and note how far it is."""
        answer, urgent = self._answer(request, follower)
        if urgent:
            self._broker.answer(follower, request, answer)
        else:
            held = _Held(request, follower)
            self._held.append(held)
            held.timer = self._broker.sim.call_later(request.payload[0], self._finish, held)
        for number, _ in _asked(request, follower):
            if self._broker.leads(number):
                self._broker.moved(number)

    def wake(self, number: int) -> None:
        """There is more in a partition: answer who waits for that."""
        for held in list(self._held):
            if any(number == each for each, _ in _asked(held.request, held.follower)) and self._has_news(held):
                self._finish(held)

    def _has_news(self, held: _Held) -> bool:
        for number, asked in _asked(held.request, held.follower):
            partition = self._broker.partitions.get(number)
            if partition is None or not partition.replica.leads or partition.replica.end > asked.offset:
                return True
        return False

    def _finish(self, held: _Held) -> None:
        if held not in self._held:
            return
        self._held.remove(held)
        assert held.timer is not None
        held.timer.cancel()
        if self._broker.stopped:
            return
        self._broker.answer(held.follower, held.request, self._answer(held.request, held.follower)[0])

    def _answer(self, request: Message, follower: str) -> tuple[tuple[int, ...], bool]:
        """What to answer, and whether it is worth answering at once."""
        broker = self._broker
        flat: tuple[int, ...] = ()
        urgent = False
        for number, asked in _asked(request, follower):
            response: FetchResponse | None = None
            error = 0
            try:
                if not broker.leads(number):
                    raise Refused("NOT_LEADER_OR_FOLLOWER", f"{broker.node.name} does not lead it.")
                response = broker.partitions[number].replica.answer(broker.sim.now, asked, _MOST)
            except Refused as refused:
                error = CODES[refused.error]
            flat += pack_copies(number, error, response)
            urgent = urgent or response is None or bool(response.entries) or response.diverging is not None
        return flat, urgent
