"""How a Kafka producer puts records into batches, sends them, and sees to it that they get there in order.

Sources: ``RecordAccumulator``, ``Sender`` and ``TransactionManager`` of Apache Kafka's Java client (4.0); KIP-98, KIP-360 (a new
epoch instead of a fatal error), KIP-480 (records without a key stick to a partition for a batch), KIP-580 (backoff).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from simulator.brokers.log.errors import NAMES
from simulator.brokers.log.partitioner import partition_for_key
from simulator.brokers.log.protocol import Produce
from simulator.brokers.log.replicas import Acks
from simulator.brokers.log.sequences import following
from simulator.clients.kafka_client import ClusterClient
from simulator.message import Message
from simulator.vocabulary import ABANDONED, ACKNOWLEDGED, BATCHED, FAILED, IGNORED

if TYPE_CHECKING:
    from simulator.engine import Timer

RETRIABLE = frozenset(
    {
        "LEADER_NOT_AVAILABLE", "NOT_LEADER_OR_FOLLOWER", "REQUEST_TIMED_OUT", "NOT_ENOUGH_REPLICAS",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "OUT_OF_ORDER_SEQUENCE_NUMBER",
    }
)  # fmt: skip
"""The errors after which a batch is sent again."""

FENCING = frozenset({"INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED", "INVALID_PRODUCER_ID_MAPPING"})
"""The errors that say that another producer has taken this one's place."""

Done = Callable[[Message, str], None]
"""Told of each record what became of it: ``NONE``, or why it was given up."""


@frozen
class Sending:
    """How a producer sends: its settings, under Apache Kafka's names (producer configuration, 4.0)."""

    acks: Acks
    enable_idempotence: bool
    max_in_flight_requests_per_connection: int
    linger_ms: float
    batch_size: int
    retries: int
    retry_backoff_ms: float
    retry_backoff_max_ms: float
    delivery_timeout_ms: float


class _Batch:
    __slots__ = ("attempts", "bytes", "deadline", "number", "records", "request", "rests", "sequence", "under_way")

    def __init__(self, number: int, deadline: float) -> None:
        self.number = number
        self.deadline = deadline
        self.records: list[Message] = []
        self.bytes = 0
        self.sequence = -1
        self.attempts = 0
        self.request: Message | None = None
        self.rests = False
        """Whether it waits for its next attempt."""
        self.under_way = False


class Batches:
    """The records of one producer's life, from the application to the brokers' answers.

    ``identity`` is the producer's id and epoch; None without idempotence, or as long as it has none: then nothing leaves.
    """

    def __init__(self, client: ClusterClient, how: Sending, done: Done, *, transactional: bool = False) -> None:
        self._client = client
        self._sim = client.sim
        self._how = how
        self._done = done
        self._transactional = transactional
        self.identity: tuple[int, int] | None = None if how.enable_idempotence else (-1, -1)
        self.fenced = ""
        """The error by which this producer learned that another has taken its place."""
        self.allowed: Callable[[int], bool] = lambda number: True
        """Whether records may be sent to a partition yet: in a transaction only when the coordinator knows of it."""
        self._jitter = self._sim.random("backoff").random
        self._filling: dict[int, _Batch] = {}
        self._queues: dict[int, deque[_Batch]] = {}
        """Closed batches by partition, in the order in which they are to be sent."""
        self._in_flight: dict[int, list[_Batch]] = {}
        self._flying: dict[str, int] = {}
        """Requests under way, by broker."""
        self._sequences: dict[int, int] = {}
        self._known: set[int] = set()
        """The partitions whose leader has acknowledged something under this identity."""
        self._sticky: dict[str, int] = {}
        self._lingering: dict[int, Timer] = {}

    @property
    def unfinished(self) -> int:
        """How many records the application doesn't know the outcome of."""
        batches = [*self._filling.values()]
        for number, queue in self._queues.items():
            batches += [*queue, *self._in_flight.get(number, ())]
        return sum(len(batch.records) for batch in batches)

    @property
    def partitions(self) -> list[int]:
        """The partitions that something waits for to be sent to."""
        return sorted({*self._filling, *(number for number, queue in self._queues.items() if queue)})

    def add(self, topic: str, record: Message) -> None:
        """The application hands a record over (``send``)."""
        number = self._partition(topic, record.key)
        batch = self._filling.get(number)
        size = max(1, record.size)
        if batch is not None and batch.bytes + size > self._how.batch_size:
            self._close(number)
            batch = None
        if batch is None:
            batch = self._filling[number] = _Batch(number, self._sim.now + self._how.delivery_timeout_ms)
            self._sim.call_later(self._how.delivery_timeout_ms, self._give_up_late, batch)
            if self._how.linger_ms > 0:
                self._lingering[number] = self._sim.call_later(self._how.linger_ms, self._close, number)
        batch.records.append(record)
        batch.bytes += size
        if batch.bytes >= self._how.batch_size or self._how.linger_ms == 0:
            self._close(number)

    def flush(self) -> None:
        """Close all batches now."""
        for number in list(self._filling):
            self._close(number)

    def send(self) -> None:
        """Send whatever may be sent by now."""
        for number in list(self._queues):
            self._send_from(number)

    def forget(self) -> list[Message]:
        """A transaction is aborted: drop what was not sent; those records."""
        self.flush()
        dropped: list[Message] = []
        for queue in self._queues.values():
            for batch in [each for each in queue if not each.attempts]:
                queue.remove(batch)
                dropped += batch.records
        return dropped

    def new_identity(self, number: int, epoch: int) -> None:
        """Go on as this producer, counting from 0 in every partition."""
        self.identity = (number, epoch)
        self._sequences.clear()
        self._known.clear()
        for partition, queue in self._queues.items():
            # What was numbered under the former epoch is numbered anew, in the order in which it was made.
            for batch in queue:
                batch.sequence = -1
                batch.request = None
            self._send_from(partition)

    def _partition(self, topic: str, key: str | None) -> int:
        numbers = self._client.layout.numbers_of(topic)
        if key is not None:
            return numbers[partition_for_key(key, len(numbers))]
        place = self._sticky.setdefault(topic, 0)
        return numbers[place % len(numbers)]

    def _close(self, number: int) -> None:
        batch = self._filling.pop(number, None)
        timer = self._lingering.pop(number, None)
        if timer is not None:
            timer.cancel()
        if batch is None:
            return
        topic = self._client.layout.partitions[number].topic
        if any(record.key is None for record in batch.records):
            self._sticky[topic] += 1
        self._queues.setdefault(number, deque()).append(batch)
        self._send_from(number)

    def _send_from(self, number: int) -> None:
        """Send batches of a partition as long as the one in front may go."""
        queue = self._queues.setdefault(number, deque())
        while queue and self._may_go(queue[0]):
            leader = self._client.leader(number)
            if leader is None:
                self._client.refresh(lambda: self._send_from(number))
                return
            self._send(queue.popleft(), leader)

    def _may_go(self, batch: _Batch) -> bool:
        if self.identity is None or self.fenced or batch.rests or not self.allowed(batch.number):
            return False
        leader = self._client.leader(batch.number)
        most = self._how.max_in_flight_requests_per_connection
        if leader is not None and self._flying.get(leader, 0) >= most:
            return False
        in_flight = self._in_flight.get(batch.number, [])
        if not self._how.enable_idempotence or not in_flight:
            return True
        # A leader that does not know the producer takes any number for its first. So the first batch goes alone: over TCP
        # nothing gets there behind what got lost, here it does.
        if batch.number not in self._known:
            return False
        # A batch that is sent again must not be overtaken by one that has not been sent yet.
        return batch.attempts > 0 or not any(each.attempts > 1 for each in in_flight)

    def _send(self, batch: _Batch, leader: str) -> None:
        sim, how = self._sim, self._how
        assert self.identity is not None
        batch.attempts += 1
        if batch.sequence < 0 and how.enable_idempotence:
            batch.sequence = self._sequences.get(batch.number, 0)
            self._sequences[batch.number] = following(batch.sequence, len(batch.records))
        if batch.request is None:
            ids = tuple(record.id for record in batch.records)
            asked = Produce(how.acks, self._transactional, *self.identity, batch.number, batch.sequence, ids)
            batch.request = sim.envelope("produce", None, asked.packed(), (), 0, batch.bytes)
            sim.record(BATCHED, batch.request, sim.partition(self._client.layout.names[batch.number]), len(ids), batch.bytes)
        if how.acks == 0:
            sim.send(leader, batch.request, batch.attempts)
            for record in batch.records:
                self._done(record, "NONE")
            return
        batch.under_way = True
        self._in_flight.setdefault(batch.number, []).append(batch)
        self._flying[leader] = self._flying.get(leader, 0) + 1
        self._client.post(
            leader, batch.request, lambda answer: self._answered(batch, leader, answer), attempt=batch.attempts
        )

    def _answered(self, batch: _Batch, leader: str, answer: Message | None) -> None:
        self._flying[leader] -= 1
        if batch.under_way:
            self._in_flight[batch.number].remove(batch)
            batch.under_way = False
            self._finish(batch, answer)
        elif answer is not None:
            self._sim.record(IGNORED, answer, self._sim.value("its batch was given up"))
        self.send()

    def _finish(self, batch: _Batch, answer: Message | None) -> None:
        sim = self._sim
        error = "REQUEST_TIMED_OUT" if answer is None else NAMES[answer.payload[0]]
        if error == "NONE":
            assert answer is not None
            self._known.add(batch.number)
            name, first = sim.partition(self._client.layout.names[batch.number]), answer.payload[2]
            for place, record in enumerate(batch.records):
                sim.record(ACKNOWLEDGED, record, name, first + place)
                self._done(record, "NONE")
            return
        if answer is not None:
            sim.record(FAILED, batch.request, sim.value(error))
        if error in FENCING and self._is_of_former_epoch(batch):
            # It was under way when the producer began to count anew, and has to be numbered anew, too.
            batch.sequence, batch.request = -1, None
            self._put_back(batch)
        elif error in FENCING:
            self.fenced = error
            self._give_up(batch, error)
        elif error not in RETRIABLE:
            self._give_up(batch, error)
        elif error == "OUT_OF_ORDER_SEQUENCE_NUMBER" and self._is_next(batch):
            # Nothing that could fill the gap will come any more.
            self._begin_new_epoch(batch)
        else:
            self._again(batch, error)

    def _is_of_former_epoch(self, batch: _Batch) -> bool:
        assert batch.request is not None
        return Produce.of(batch.request.payload).producer_epoch != (self.identity or (-1, -1))[1]

    def _is_next(self, batch: _Batch) -> bool:
        others = [*self._in_flight.get(batch.number, ()), *self._queues.get(batch.number, ())]
        return all(other.sequence < 0 or other.sequence > batch.sequence for other in others)

    def _begin_new_epoch(self, batch: _Batch) -> None:
        assert self.identity is not None
        if self._transactional:
            self._give_up(batch, "OUT_OF_ORDER_SEQUENCE_NUMBER")
            return
        self._put_back(batch)
        number, epoch = self.identity
        self.new_identity(number, epoch + 1)

    def _again(self, batch: _Batch, error: str) -> None:
        sim, how = self._sim, self._how
        doubled = min(how.retry_backoff_ms * 2.0 ** min(batch.attempts - 1, 62), how.retry_backoff_max_ms)
        wait = doubled * (0.8 + 0.4 * self._jitter())
        if batch.attempts > how.retries:
            self._give_up(batch, "no retries left")
            return
        if sim.now + wait >= batch.deadline:
            self._give_up(batch, "delivery_timeout_ms is over")
            return
        batch.rests = True
        self._put_back(batch)
        if error in ("NOT_LEADER_OR_FOLLOWER", "LEADER_NOT_AVAILABLE", "REQUEST_TIMED_OUT"):
            self._client.refresh()
        sim.call_later(wait, self._rested, batch)

    def _put_back(self, batch: _Batch) -> None:
        queue = self._queues.setdefault(batch.number, deque())
        if not self._how.enable_idempotence:
            queue.appendleft(batch)
            return
        place = next((at for at, other in enumerate(queue) if not 0 <= other.sequence < batch.sequence), len(queue))
        queue.insert(place, batch)

    def _rested(self, batch: _Batch) -> None:
        batch.rests = False
        self._send_from(batch.number)

    def _give_up_late(self, batch: _Batch) -> None:
        """``delivery.timeout.ms`` is over for a batch, wherever it is."""
        if self._filling.get(batch.number) is batch:
            del self._filling[batch.number]
        elif batch in self._queues.get(batch.number, ()):
            self._queues[batch.number].remove(batch)
        elif batch.under_way:
            self._in_flight[batch.number].remove(batch)
            batch.under_way = False
        else:
            return
        self._give_up(batch, "delivery_timeout_ms is over")
        self.send()

    def _give_up(self, batch: _Batch, reason: str) -> None:
        for record in batch.records:
            self._sim.record(ABANDONED, record, self._sim.value(reason))
            self._done(record, reason)
