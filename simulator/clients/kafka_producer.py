"""A client that writes to a topic of a Kafka cluster: in batches, idempotently, in transactions if it is told to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen

from simulator.brokers.log.protocol import NO_VALUE
from simulator.clients.arrivals import Arrivals, Every, Keys, Numbered, as_arrivals, as_keys
from simulator.clients.kafka_batches import Batches
from simulator.clients.kafka_client import Bell, ClusterClient
from simulator.clients.kafka_settings import KafkaWriter
from simulator.clients.kafka_transactions import Fenced, Transactions
from simulator.message import Message
from simulator.scenario import Scenario
from simulator.validation import at_least
from simulator.vocabulary import ABANDONED, CREATED, STOPPED

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class KafkaProducer(KafkaWriter):
    """Makes records and writes them to a topic of the cluster whose brokers are linked to it.

    The settings have Apache Kafka's names and defaults (producer configuration, 4.0). With a ``transactional_id`` it writes
    ``records_per_transaction`` records in each transaction, and aborts every ``abort_every``-th.
    """

    role: ClassVar[str] = "producer"

    every: Arrivals = field(default=Every(100), converter=as_arrivals)
    """When records are made: a number (one every so many ms), `Every`, `Poisson` or `Bursty`."""
    topic: str = field(default="orders", kw_only=True)
    keys: Keys = field(default=Numbered(), converter=as_keys, kw_only=True)
    count: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)
    """How many records it makes; None: it never stops."""
    tombstone_every: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)
    """Every so manieth record has no value: it deletes its key where the topic is compacted."""
    records_per_transaction: int = field(default=5, metadata=at_least(1), kw_only=True)
    abort_every: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        return _Producing(self, sim).client.take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        yield from self.cluster_problems(scenario, [self.topic])
        yield from self.writing_problems(scenario)


class _Producing:
    """One life of a producer."""

    def __init__(self, producer: KafkaProducer, sim: Sim) -> None:
        self._producer = producer
        self._sim = sim
        self.client = ClusterClient(sim, producer)
        self._batches = Batches(self.client, producer, self._outcome)
        # What is to be told comes from outside: a crash interrupts the telling, and does not begin it anew.
        self._made: int = sim.durable.get("made", 0)
        self._next_key = producer.keys.chooser(sim.random("keys"), self._made)
        self._gaps = producer.every.gaps(sim.random("arrivals"), sim.now)
        self._backlog: deque[Message] = deque()
        """What the next transactions will hold."""
        self._bell = Bell(sim)
        self._transactions: Transactions | None = None
        self._stopped = False
        if producer.transactions_under is not None:
            self._transactions = Transactions(
                self.client, self._batches, producer.transactions_under, producer.transaction_timeout_ms, self._bell.wait
            )
            sim.spawn(self._in_transactions(self._transactions))
        elif producer.idempotent:
            sim.spawn(self._get_identity())
        if producer.count is None or self._made < producer.count:
            sim.call_later(next(self._gaps), self._make)

    def _make(self) -> None:
        sim, producer = self._sim, self._producer
        if self._stopped:
            return
        self._made += 1
        empty = producer.tombstone_every is not None and self._made % producer.tombstone_every == 0
        headers = (NO_VALUE,) if empty else ()
        record = sim.envelope(producer.event, self._next_key(), None, headers, 0, producer.size)
        sim.durable["made"] = self._made
        sim.record(CREATED, record, cause=-1)
        if producer.count is None or self._made < producer.count:
            sim.call_later(next(self._gaps), self._make)
        if self._transactions is None:
            self._batches.add(producer.topic, record)
        else:
            self._backlog.append(record)
            self._bell.ring()

    def _get_identity(self) -> Generator[Any, Any, None]:
        answer = yield from self.client.ask_anyone("init_producer")
        self._batches.new_identity(answer.payload[1], answer.payload[2])

    def _in_transactions(self, transactions: Transactions) -> Generator[Any, Any, None]:
        """``beginTransaction``, some records, ``commitTransaction`` (or ``abortTransaction``), again and again."""
        producer = self._producer
        try:
            yield from transactions.initialise()
            number = 0
            while True:
                number += 1
                for _ in range(producer.records_per_transaction):
                    while not self._backlog and not self._batches.fenced:
                        yield from self._bell.wait()
                    if self._backlog:
                        self._batches.add(producer.topic, self._backlog.popleft())
                    yield from transactions.send_to(self._batches.partitions)
                abort = producer.abort_every is not None and number % producer.abort_every == 0
                yield from transactions.end(commit=not abort)
        except Fenced as fenced:
            self._stop(fenced.error)

    def _outcome(self, record: Message, error: str) -> None:
        if error != "NONE" and self._transactions is not None:
            self._transactions.failed = True
        self._bell.ring()

    def _stop(self, error: str) -> None:
        """It was fenced: what it still has to say is another's to say."""
        self._batches.stop(error)
        for record in self._backlog:
            self._sim.record(ABANDONED, record, self._sim.value(error))
        self._stopped = True
        self._sim.record(STOPPED)
