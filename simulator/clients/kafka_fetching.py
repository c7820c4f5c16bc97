"""What a consumer has fetched and not yet been asked for: one request to each leader at a time, beside all other work.

Sources: ``Fetcher``, ``FetchCollector`` and ``SubscriptionState`` of Apache Kafka's Java client (4.0).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from simulator.brokers.log.errors import NAMES
from simulator.brokers.log.partition import IsolationLevel
from simulator.brokers.log.protocol import triples
from simulator.clients.kafka_client import ClusterClient
from simulator.message import Message
from simulator.vocabulary import FETCHED, RESET

if TYPE_CHECKING:
    from simulator.engine import Sim

OffsetReset = Literal["latest", "earliest", "none"]


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
    """The partitions that a consumer reads, its place in each, and what has come from them."""

    def __init__(
        self,
        client: ClusterClient,
        *,
        isolation_level: IsolationLevel,
        auto_offset_reset: OffsetReset,
        max_poll_records: int,
        fetch_max_wait_ms: float,
        wake: Callable[[], None],
    ) -> None:
        self._client = client
        self._sim: Sim = client.sim
        self.reads_committed = int(isolation_level == "read_committed")
        self._reset = auto_offset_reset
        self._most = max_poll_records
        self._wait = int(fetch_max_wait_ms)
        self._wake = wake
        self.positions: dict[int, int] = {}
        """The next offset that `take` will give, by partition; without those whose place is being looked up."""
        self.lost = False
        """Whether an offset is not in the log any more and ``auto_offset_reset`` is "none": the application must decide."""
        self._fetch_from: dict[int, int] = {}
        self._buffer: deque[_Buffered] = deque()
        self._under_way: dict[str, Message] = {}
        self._epochs: dict[int, int] = {}
        """Counts the assignments of each partition, so that what was fetched for an earlier one is dropped."""

    def assign(self, places: Mapping[int, int | None]) -> None:
        """Read these partitions too, each from its place on; from where ``auto_offset_reset`` says where there is none."""
        for number, offset in places.items():
            self._epochs[number] = self._epochs.get(number, 0) + 1
            if offset is None:
                self._look_up(number)
            else:
                self._begin(number, offset)

    def revoke(self, numbers: Iterable[int]) -> None:
        """Read these no longer; what has come from them and was not taken is dropped."""
        for number in numbers:
            self._epochs[number] = self._epochs.get(number, 0) + 1
            self.positions.pop(number, None)
            self._fetch_from.pop(number, None)
        self._buffer = deque(each for each in self._buffer if each.partition in self.positions)

    def rewind(self, places: dict[int, int]) -> None:
        """Go back to these places (``seek``), as far as the partitions are still read."""
        still = {number: offset for number, offset in places.items() if number in self.positions}
        self.revoke(still)
        self.assign(dict(still))

    def ask(self) -> None:
        """Fetch from every leader that is not being asked, of the partitions of which nothing lies ready."""
        ready = {each.partition for each in self._buffer}
        wanted: dict[str, list[int]] = {}
        for number in self._fetch_from:
            leader = self._client.leader(number)
            if number in ready:
                continue
            if leader is None:
                self._client.refresh(self.ask)
            elif leader not in self._under_way:
                wanted.setdefault(leader, []).append(number)
        for leader, numbers in wanted.items():
            payload = [self._most, self._wait, self.reads_committed]
            for number in numbers:
                payload += (number, self._fetch_from[number])
            request = self._sim.envelope("fetch", None, tuple(payload))
            epochs = {number: self._epochs[number] for number in numbers}
            self._under_way[leader] = request
            self._client.post(leader, request, self._receiver(leader, epochs))

    @property
    def ready(self) -> bool:
        """Whether `take` has something to give."""
        return any(each.record for each in self._buffer)

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
                self._client.refresh(self.ask)
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
            self.ask()
            self._wake()

        return receive

    def _begin(self, number: int, offset: int) -> None:
        self.positions[number] = self._fetch_from[number] = offset

    def _failed(self, number: int, error: str) -> None:
        if error == "OFFSET_OUT_OF_RANGE":
            self._fetch_from.pop(number)
            self._look_up(number)
        else:
            # Another one leads by now; until that is known there is no use in asking again.
            self._fetch_from_later(number)

    def _fetch_from_later(self, number: int) -> None:
        offset, epoch = self._fetch_from.pop(number), self._epochs[number]

        def again() -> None:
            if self._epochs.get(number) == epoch:
                self._fetch_from[number] = offset
                self.ask()

        self._client.refresh(again)

    def _look_up(self, number: int) -> None:
        """Find the place that ``auto_offset_reset`` names."""
        if self._reset == "none":
            self.lost = True
            self._wake()
            return
        self._sim.spawn(self._looking_up(number, self._epochs[number]))

    def _looking_up(self, number: int, epoch: int) -> Generator[Any, Any, None]:
        earliest = int(self._reset == "earliest")
        while True:
            answer = yield from self._client.ask_leader(
                number, "list_offsets", None, (number, earliest, self.reads_committed)
            )
            _, error, offset = answer.payload
            if not error:
                break
            yield from self._client.find_leaders()
        if self._epochs.get(number) == epoch:
            self._sim.record(RESET, None, self._sim.partition(self._client.layout.names[number]), offset)
            self._begin(number, offset)
            self.ask()
            self._wake()
