"""How a Kafka producer puts records into batches, sends them, and sees to it that they get there in order.

Sources: ``RecordAccumulator``, ``BuiltInPartitioner``, ``Sender`` and ``TransactionManager`` of Apache Kafka's Java client (4.0);
KIP-98, KIP-360 (a new epoch instead of a fatal error), KIP-794 (records without a key stick to a partition for
``batch.size`` bytes), KIP-580 (backoff). Simplified: ``buffer.memory`` has no limit.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.brokers.log.errors import NAMES
from simulator.brokers.log.partitioner import partition_for_key
from simulator.brokers.log.protocol import Produce
from simulator.clients.kafka_client import ClusterClient
from simulator.clients.kafka_lines import Batch, Line
from simulator.clients.kafka_settings import KafkaWriter
from simulator.message import Message
from simulator.vocabulary import ABANDONED, ACKNOWLEDGED, BATCHED, FAILED, IGNORED

RETRIABLE = frozenset(
    {
        "LEADER_NOT_AVAILABLE", "NOT_LEADER_OR_FOLLOWER", "REQUEST_TIMED_OUT", "NOT_ENOUGH_REPLICAS",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    }
)  # fmt: skip
"""The errors after which a batch is sent again."""

FENCING = frozenset({"INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED", "INVALID_PRODUCER_ID_MAPPING"})
"""The errors that say that another producer has taken this one's place."""

Done = Callable[[Message, str], None]
"""Told of each record what became of it: ``NONE``, or why it was given up."""


class Batches:
    """The records of one producer's life, from the application to the brokers' answers.

    ``identity`` is the producer's id and epoch; None as long as it needs one and has none: then nothing leaves.
    """

    def __init__(self, client: ClusterClient, how: KafkaWriter, done: Done) -> None:
        self._client = client
        self._sim = client.sim
        self._how = how
        self._done = done
        self._idempotent = how.idempotent
        self._transactional = how.transactions_under is not None
        self.identity: tuple[int, int] | None = None if self._idempotent else (-1, -1)
        self.fenced = ""
        """The error by which this producer learned that another has taken its place."""
        self.allowed: Callable[[int], bool] = lambda number: True
        """Whether records may be sent to a partition yet: in a transaction only when the coordinator knows of it."""
        self._lines: dict[int, Line] = {}
        """By partition; whoever has just sent comes last."""
        self._flying: dict[str, list[Message]] = {}
        """By broker: the requests from the first one on that has no answer. As on a TCP connection, an answer that is missing
        holds up all behind it, so that no more batches come after it than brokers remember."""
        self._answers: set[int] = set()
        """The requests among them that are answered, or given up."""
        self._sticky: dict[str, tuple[int, int]] = {}
        """By topic: the partition that records without a key go to now, and how many bytes have gone there in a row."""
        self._choose = self._sim.random("partitioner").random
        client.on_news.append(self._hear)

    @property
    def unfinished(self) -> bool:
        """Whether there are records that the application doesn't know the outcome of."""
        return any(line.waiting or line.flying for line in self._lines.values())

    @property
    def partitions(self) -> list[int]:
        """The partitions that something waits for to be sent to."""
        return sorted(line.number for line in self._lines.values() if line.waiting)

    def add(self, topic: str, record: Message) -> None:
        """The application hands a record over (``send``); for nothing, if the producer was fenced."""
        if self.fenced:
            self._abandon(record, self.fenced)
            return
        size = max(1, record.size)
        line = self._line(self._partition(topic, record.key))
        batch = line.open_for(size, self._how.batch_size)
        if batch is None:
            batch = Batch()
            line.waiting.append(batch)
            self._sim.call_later(self._how.delivery_timeout_ms, self._give_up_late, line, batch)
            if self._how.linger_ms > 0:
                self._sim.call_later(self._how.linger_ms, self._lingered, line, batch)
            else:
                batch.ready = True
        batch.add(record, size, self._how.batch_size)
        if record.key is None:
            self._stick(topic, line, size)
        self._send_from(line)

    def flush(self) -> None:
        """Wait for no more records: all that are here may leave."""
        for line in self._lines.values():
            for batch in line.waiting:
                batch.ready = True
        self.send()

    def send(self) -> None:
        """Send whatever may be sent by now, one batch of each partition in turn."""
        going = True
        while going:
            going = False
            for line in list(self._lines.values()):
                if self._may_go(line):
                    self._send(line)
                    going = True

    def forget(self) -> list[Message]:
        """A transaction is aborted: drop what was never sent; those records."""
        dropped: list[Message] = []
        for line in self._lines.values():
            for batch in [each for each in line.waiting if not each.attempts]:
                line.waiting.remove(batch)
                dropped += batch.records
        return dropped

    def stop(self, error: str) -> None:
        """The producer was fenced: give up everything, until it is another one."""
        self.fenced = error
        for line in self._lines.values():
            for batch in [*line.flying, *line.waiting]:
                self._give_up(line, batch, error)

    def new_identity(self, number: int, epoch: int) -> None:
        """Go on as this producer. It counts from 0 in every partition where nothing is under way that was counted before."""
        self.identity = (number, epoch)
        self.fenced = ""
        self.send()

    def _hear(self) -> None:
        """There is news of who leads: what waits to be tried again need not wait if another one leads now (KIP-951)."""
        for line in self._lines.values():
            if line.waiting and self._client.leader(line.number) not in (None, line.waiting[0].leader):
                line.waiting[0].rests = False
        self.send()

    def _line(self, number: int) -> Line:
        if number not in self._lines:
            self._lines[number] = Line(number)
        return self._lines[number]

    def _partition(self, topic: str, key: str | None) -> int:
        numbers = self._client.layout.numbers_of(topic)
        if key is not None:
            return numbers[partition_for_key(key, len(numbers))]
        if topic not in self._sticky:
            self._sticky[topic] = (self._next_partition(numbers), 0)
        # A change that had to wait, since a batch was not full yet, is made up for as soon as none is open.
        self._stick(topic, self._line(self._sticky[topic][0]), 0)
        return self._sticky[topic][0]

    def _stick(self, topic: str, line: Line, size: int) -> None:
        """Note what has gone to the partition, and go on to another one at the end of a batch; after two, wherever it is."""
        number, sent = self._sticky[topic]
        sent, most = sent + size, self._how.batch_size
        if sent >= 2 * most or sent >= most and line.all_full:
            number, sent = self._next_partition(self._client.layout.numbers_of(topic)), 0
        self._sticky[topic] = (number, sent)

    def _next_partition(self, numbers: list[int]) -> int:
        """Any partition that has a leader, the rather the fewer batches wait for it."""
        led = [number for number in numbers if self._client.leader(number) is not None] or numbers
        waiting = [len(self._line(number).waiting) for number in led]
        weights = [max(waiting) + 1 - each for each in waiting]
        drawn = self._choose() * sum(weights)
        for number, weight in zip(led, weights, strict=True):
            drawn -= weight
            if drawn < 0:
                return number
        return led[-1]

    def _lingered(self, line: Line, batch: Batch) -> None:
        batch.ready = True
        self._send_from(line)

    def _send_from(self, line: Line) -> None:
        while self._may_go(line):
            self._send(line)

    def _may_go(self, line: Line) -> bool:
        """Whether the batch in front may be sent now."""
        if self.identity is None or self.fenced or not line.is_ready or not self.allowed(line.number):
            return False
        leader = self._client.leader(line.number)
        if leader is None:
            self._client.refresh()
            return False
        most = self._how.max_in_flight_requests_per_connection
        if len(self._flying.get(leader, ())) >= most or most == 1 and line.flying:
            return False
        return not self._idempotent or line.may_go_on(self.identity)

    def _send(self, line: Line) -> None:
        sim, how, leader = self._sim, self._how, self._client.leader(line.number)
        assert self.identity is not None
        assert leader is not None
        self._lines[line.number] = self._lines.pop(line.number)
        batch = line.waiting.pop(0)
        batch.open, batch.leader = False, leader
        batch.attempts += 1
        if self._idempotent and batch.sequence < 0:
            line.number_next(batch, self.identity)
        if batch.request is None:
            ids = tuple(record.id for record in batch.records)
            asked = Produce(how.acks, self._transactional, *line.identity, line.number, batch.sequence, ids)
            batch.request = sim.envelope("produce", None, asked.packed(), (), 0, batch.bytes)
            sim.record(BATCHED, batch.request, sim.partition(self._client.layout.names[line.number]), len(ids), batch.bytes)
        if how.acks == 0:
            self._client.tell(leader, batch.request, batch.attempts)
            for record in batch.records:
                self._done(record, "NONE")
            return
        line.flying.append(batch)
        request = batch.request
        self._flying.setdefault(leader, []).append(request)
        self._client.post(
            leader, request, lambda answer: self._answered(line, batch, request, leader, answer), attempt=batch.attempts
        )

    def _answered(self, line: Line, batch: Batch, request: Message, leader: str, answer: Message | None) -> None:
        flying = self._flying[leader]
        self._answers.add(request.id)
        while flying and flying[0].id in self._answers:
            self._answers.discard(flying.pop(0).id)
        error = "REQUEST_TIMED_OUT" if answer is None else NAMES[answer.payload[0]]
        if answer is not None and error != "NONE":
            self._sim.record(FAILED, request, self._sim.value(error))
        if batch not in line.flying:
            if answer is not None:
                self._sim.record(IGNORED, answer, self._sim.value("its batch was given up"))
        else:
            line.flying.remove(batch)
            if answer is not None and error == "NONE":
                self._stored(line, batch, answer.payload[2])
            else:
                self._refused(line, batch, request, error)
        self.send()

    def _stored(self, line: Line, batch: Batch, first: int) -> None:
        name = self._sim.partition(self._client.layout.names[line.number])
        line.acknowledged(batch)
        self._settle(line)
        for place, record in enumerate(batch.records):
            self._sim.record(ACKNOWLEDGED, record, name, first + place)
            self._done(record, "NONE")

    def _refused(self, line: Line, batch: Batch, request: Message, error: str) -> None:
        """A batch came back: send it again, count anew, or give it up."""
        counted_anew = request is not batch.request
        if error in FENCING and not counted_anew:
            self.stop(error)
            self._give_up(line, batch, error)
        elif error == "OUT_OF_ORDER_SEQUENCE_NUMBER" and not counted_anew:
            self._out_of_order(line, batch)
        elif error in RETRIABLE or counted_anew:
            self._again(line, batch, error)
        else:
            self._give_up(line, batch, error)

    def _out_of_order(self, line: Line, batch: Batch) -> None:
        """Something before this batch is not in the log: it is still to come, or it never will."""
        if line.still_to_come(batch):
            self._again(line, batch, "OUT_OF_ORDER_SEQUENCE_NUMBER")
        elif self._transactional:
            self._give_up(line, batch, "OUT_OF_ORDER_SEQUENCE_NUMBER")
        else:
            self._again(line, batch, "OUT_OF_ORDER_SEQUENCE_NUMBER")
            self._count_anew(line)

    def _count_anew(self, line: Line) -> None:
        """Go on under the next epoch; this partition's batches are counted from 0, in the order in which they were made."""
        assert self.identity is not None
        number, epoch = self.identity
        self.identity = (number, epoch + 1)
        line.begin_anew(self.identity)

    def _again(self, line: Line, batch: Batch, error: str) -> None:
        if batch.attempts > self._how.retries:
            self._give_up(line, batch, "no retries left")
            return
        line.put_back(batch)
        if error in ("NOT_LEADER_OR_FOLLOWER", "LEADER_NOT_AVAILABLE", "REQUEST_TIMED_OUT"):
            self._client.refresh()
        self._sim.call_later(self._client.backoff(batch.attempts), self._rested, line, batch, batch.attempts)

    def _rested(self, line: Line, batch: Batch, attempts: int) -> None:
        if batch.attempts == attempts:
            batch.rests = False
            self._send_from(line)

    def _give_up_late(self, line: Line, batch: Batch) -> None:
        """``delivery.timeout.ms`` is over for a batch, wherever it is."""
        if batch in line.waiting or batch in line.flying:
            self._give_up(line, batch, "delivery_timeout_ms is over")
            self.send()

    def _give_up(self, line: Line, batch: Batch, reason: str) -> None:
        line.drop(batch)
        self._settle(line)
        for record in batch.records:
            self._abandon(record, reason)

    def _abandon(self, record: Message, reason: str) -> None:
        self._sim.record(ABANDONED, record, self._sim.value(reason))
        self._done(record, reason)

    def _settle(self, line: Line) -> None:
        """Once nothing is under way any more, it shows whether a batch that was given up has left a gap."""
        if line.settle() and not self._transactional:
            self._count_anew(line)
