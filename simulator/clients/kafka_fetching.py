"""What a consumer reads: its place in each partition, what it has fetched, and what of that was not asked for yet.

One request to each leader is under way at a time, for the partitions of which nothing lies ready; it is sent at each poll, so
that it is answered beside the work. Sources: ``AbstractFetch``, ``FetchCollector`` and ``SubscriptionState`` of Apache
Kafka's Java client (4.0).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from simulator.brokers.log.errors import NAMES
from simulator.brokers.log.protocol import triples
from simulator.clients.kafka_client import ClusterClient
from simulator.clients.kafka_settings import KafkaReader
from simulator.message import Message
from simulator.vocabulary import FETCHED, RESET

if TYPE_CHECKING:
    import simpy

    from simulator.engine import Sim

_MOST = 500
"""Records in one answer (Kafka: ``max.partition.fetch.bytes``, a mebibyte). How many of them a poll gives is another matter."""


class Fetched(NamedTuple):
    """A record in hand."""

    record: Message
    partition: int
    offset: int
    step: int
    """The step that fetched it."""


class _Buffered(NamedTuple):
    partition: int
    offset: int
    record: int
    arrived: int
    """The step in which it came; a record of 0 says only that there is nothing before this offset."""


class Fetching:
    """The partitions that a consumer reads. ``wake`` is called when there is something new for the next poll."""

    def __init__(
        self, client: ClusterClient, reader: KafkaReader, *, reads_committed: bool, wake: Callable[[], None]
    ) -> None:
        self._client = client
        self._sim: Sim = client.sim
        self.reads_committed = int(reads_committed)
        self._reset = reader.auto_offset_reset
        self._most = reader.max_poll_records
        self._wait = int(reader.fetch_max_wait_ms)
        self._wake = wake
        self.positions: dict[int, int] = {}
        """The next offset that `take` will give, by partition; without those whose place is being looked up."""
        self.lost = ""
        """Why there is no place to read on from, where ``auto_offset_reset`` is "none": the application must decide."""
        self._committed: dict[int, int] = {}
        self._fetch_from: dict[int, int] = {}
        self._buffer: deque[_Buffered] = deque()
        self._under_way: dict[str, Message] = {}
        self._epochs: dict[int, int] = {}
        """Counts the assignments of each partition, so that what was fetched for an earlier one is dropped."""
        client.on_news.append(self.ask)

    def assign(self, number: int, committed: int | None) -> None:
        """Read this partition too, from the group's place on; from where ``auto_offset_reset`` says if it has none."""
        self._epochs[number] = self._epochs.get(number, 0) + 1
        if committed is None:
            self._look_up(number, "no offset is committed, and auto_offset_reset is none")
        else:
            self._committed[number] = committed
            self._begin(number, committed)

    def revoke(self, numbers: Iterable[int]) -> None:
        """Read these no longer; what has come from them and was not taken is dropped."""
        for number in numbers:
            self._epochs[number] = self._epochs.get(number, 0) + 1
            self.positions.pop(number, None)
            self._fetch_from.pop(number, None)
            self._committed.pop(number, None)
        self._buffer = deque(each for each in self._buffer if each.partition in self.positions)

    def rewind(self, records: Iterable[Fetched]) -> None:
        """Go back to before these records (``seek``), as far as their partitions are still read."""
        for number, offset in {each.partition: each.offset for each in reversed([*records])}.items():
            if number in self.positions:
                self._epochs[number] += 1
                self._buffer = deque(each for each in self._buffer if each.partition != number)
                self._begin(number, offset)

    def moved(self) -> dict[int, int]:
        """The places that are not committed yet, as far as is known."""
        return {number: offset for number, offset in self.positions.items() if self._committed.get(number) != offset}

    def committed(self, places: Mapping[int, int]) -> None:
        """These places are committed."""
        self._committed |= {number: offset for number, offset in places.items() if number in self.positions}

    def ask(self) -> None:
        """Fetch from every leader that is not being asked, of the partitions of which nothing lies ready."""
        ready = {each.partition for each in self._buffer}
        wanted: dict[str, list[int]] = {}
        for number in self._fetch_from:
            leader = self._client.leader(number)
            if number in ready:
                continue
            if leader is None:
                self._client.refresh()
            elif leader not in self._under_way:
                wanted.setdefault(leader, []).append(number)
        for leader, numbers in wanted.items():
            payload = [_MOST, self._wait, self.reads_committed]
            for number in numbers:
                payload += (number, self._fetch_from[number])
            request = self._sim.envelope("fetch", None, tuple(payload))
            epochs = {number: self._epochs[number] for number in numbers}
            self._under_way[leader] = request
            self._client.post(leader, request, self._receiver(leader, epochs))

    def take(self) -> list[Fetched]:
        """The next records, up to ``max_poll_records``."""
        found: list[Fetched] = []
        sim = self._sim
        while self._buffer and len(found) < self._most:
            partition, offset, number, arrived = self._buffer.popleft()
            if not number:
                self.positions[partition] = offset
                continue
            record = sim.message_of(number)
            name = sim.partition(self._client.layout.names[partition])
            step = sim.record(FETCHED, record, name, offset, 0, arrived)
            found.append(Fetched(record, partition, offset, step))
            self.positions[partition] = offset + 1
        return found

    def _receiver(self, leader: str, epochs: dict[int, int]) -> Callable[[Message | None], None]:
        def receive(answer: Message | None) -> None:
            del self._under_way[leader]
            if answer is None:
                self._client.refresh()
                return
            arrived = self._sim.cause
            for partition, offset, record in triples(answer.payload):
                if self._epochs.get(partition) != epochs[partition] or partition not in self._fetch_from:
                    continue
                if record < 0:
                    self._failed(partition, NAMES[offset])
                    continue
                self._buffer.append(_Buffered(partition, offset, record, arrived))
                self._fetch_from[partition] = offset + (record > 0)
            self._wake()

        return receive

    def _begin(self, number: int, offset: int) -> None:
        self.positions[number] = self._fetch_from[number] = offset

    def _failed(self, number: int, error: str) -> None:
        if error == "OFFSET_OUT_OF_RANGE":
            del self.positions[number], self._fetch_from[number]
            self._look_up(number, "OFFSET_OUT_OF_RANGE, and auto_offset_reset is none")
            return
        # Another one leads by now; until that is known there is no use in asking again.
        offset, epoch = self._fetch_from.pop(number), self._epochs[number]
        self._sim.spawn(self._fetching_later(number, offset, epoch))

    def _fetching_later(self, number: int, offset: int, epoch: int) -> Generator[simpy.Event, None, None]:
        yield from self._client.find_leaders()
        if self._epochs[number] == epoch:
            self._fetch_from[number] = offset
            self.ask()

    def _look_up(self, number: int, why: str) -> None:
        """Find the place that ``auto_offset_reset`` names."""
        if self._reset == "none":
            self.lost = why
            self._wake()
        else:
            self._sim.spawn(self._looking_up(number, self._epochs[number]))

    def _looking_up(self, number: int, epoch: int) -> Generator[simpy.Event, Message, None]:
        earliest = int(self._reset == "earliest")
        while self._epochs[number] == epoch:
            answer = yield from self._client.ask_leader(
                number, "list_offsets", None, (number, earliest, self.reads_committed)
            )
            if answer is None:
                continue
            _, error, offset = answer.payload
            if error:
                yield from self._client.find_leaders()
            elif self._epochs[number] == epoch:
                self._sim.record(RESET, None, self._sim.partition(self._client.layout.names[number]), offset)
                self._begin(number, offset)
                self._wake()
                return
