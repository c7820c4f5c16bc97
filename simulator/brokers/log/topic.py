"""The node in front of a topic's partitions: takes records, answers fetches and commits.

Its messages: a record (any kind that is not one of the following) is appended and answered by ``ack`` with
(partition, offset). ``offsets`` asks where a group stands, ``fetch`` for records (it waits for some to come, as a
long poll), ``commit`` stores a place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen

from simulator.brokers.log.partitioner import partition_for_key
from simulator.brokers.log.partitions import Partitions
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.validation import at_least
from simulator.vocabulary import APPENDED, COMMITTED

if TYPE_CHECKING:
    from simulator.engine import Sim, Timer

PROTOCOL = ("fetch", "commit", "offsets")
"""The kinds of message that a topic takes as a request; everything else is a record."""

NO_ACK = (("acks", "0"),)
"""The headers of a record whose producer wants no answer."""


@frozen
class Topic(Node):
    """A topic like Apache Kafka's, on one broker. What is appended or committed is durable: a crash loses neither."""

    role: ClassVar[str] = "broker"

    partitions: int = field(default=1, metadata=at_least(1))

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        if "partitions" not in sim.durable:
            sim.durable["partitions"] = Partitions(self.partitions)
        return _Broker(sim, sim.durable["partitions"]).take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        if not scenario.downstream(self.name) and not scenario.upstream(self.name):
            yield f"{self}: nothing is linked to it; add a Link from a producer, or to a consumer."


class _Fetch:
    """A fetch that waits for records."""

    __slots__ = ("consumer", "most", "places", "request", "timer")

    def __init__(self, request: Message, consumer: str) -> None:
        most, _, *flat = request.payload
        self.request = request
        self.consumer = consumer
        self.most: int = most
        self.places: list[tuple[int, int]] = list(zip(flat[::2], flat[1::2], strict=True))
        self.timer: Timer | None = None


class _Broker:
    def __init__(self, sim: Sim, partitions: Partitions) -> None:
        self._sim = sim
        self._partitions = partitions
        self._count = len(partitions.logs)
        self._waiting: list[list[_Fetch]] = [[] for _ in partitions.logs]
        answers = (self._fetch, self._commit, self._offsets)
        self._answers: dict[str, Callable[[Message, str], None]] = dict(zip(PROTOCOL, answers, strict=True))

    def take(self, message: Message, source: str) -> None:
        answer = self._answers.get(message.kind)
        if answer is None:
            self._append(message, source)
        else:
            answer(message, source)

    def _append(self, record: Message, producer: str) -> None:
        sim = self._sim
        partition = self._partition_of(record)
        offset = self._partitions.append(partition, record.id)
        sim.record(APPENDED, record, partition, offset)
        if record.headers != NO_ACK:
            sim.send(producer, sim.envelope("ack", record.key, (partition, offset), (), record.id))
        waiting = self._waiting[partition]
        while waiting:
            self._answer(waiting[0])

    def _partition_of(self, record: Message) -> int:
        if record.key is not None:
            return partition_for_key(record.key, self._count)
        return self._partitions.turn(record.id)

    def _fetch(self, request: Message, consumer: str) -> None:
        fetch = _Fetch(request, consumer)
        for partition, offset in fetch.places:
            if self._partitions.end(partition) > offset:
                self._answer(fetch)
                return
        for partition, _ in fetch.places:
            self._waiting[partition].append(fetch)
        fetch.timer = self._sim.call_later(request.payload[1], self._answer, fetch)

    def _answer(self, fetch: _Fetch) -> None:
        if fetch.timer is not None:
            fetch.timer.cancel()
            for partition, _ in fetch.places:
                self._waiting[partition].remove(fetch)
        found = self._partitions.read(fetch.places, fetch.most)
        flat = tuple(chain.from_iterable(found))
        sim = self._sim
        sim.send(fetch.consumer, sim.envelope("records", None, flat, (), fetch.request.id))

    def _commit(self, request: Message, consumer: str) -> None:
        sim = self._sim
        group, flat = str(request.key), request.payload
        for partition, offset in zip(flat[::2], flat[1::2], strict=True):
            self._partitions.commit(group, partition, offset)
            sim.record(COMMITTED, request, partition, offset, sim.value(group))
        if request.headers:
            sim.send(consumer, sim.envelope("commit_ack", in_reply_to=request.id))

    def _offsets(self, request: Message, consumer: str) -> None:
        group = str(request.key)
        earliest, *partitions = request.payload
        places: list[Any] = []
        for partition in partitions:
            places += (partition, self._partitions.start(group, partition, bool(earliest)))
        self._sim.send(consumer, self._sim.envelope("offsets", None, tuple(places), (), request.id))
