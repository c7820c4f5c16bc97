"""A client that writes to a topic of a Kafka cluster: in batches, idempotently, in transactions if it is told to."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import simpy
from attrs import field, frozen

from simulator.brokers.log.protocol import NO_VALUE, REQUESTS
from simulator.clients.arrivals import Arrivals, Every, Keys, Numbered, as_arrivals, as_keys
from simulator.clients.kafka_batches import Batches, Sending
from simulator.clients.kafka_client import ClusterClient, client_problems
from simulator.clients.kafka_transactions import Fenced, Transactions
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, not_negative, one_of, positive
from simulator.vocabulary import ABANDONED, CREATED, STOPPED

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class KafkaProducer(Node):
    """Makes records and writes them to a topic of the cluster whose brokers are linked to it.

    The settings have Apache Kafka's names and defaults (producer configuration, 4.0). With a ``transactional_id`` it writes
    ``records_per_transaction`` records in each transaction, and aborts every ``abort_every``-th.
    """

    role: ClassVar[str] = "producer"

    every: Arrivals = field(default=Every(100), converter=as_arrivals)
    """When records are made: a number (one every so many ms), `Every`, `Poisson` or `Bursty`."""
    topic: str = field(default="orders", kw_only=True)
    keys: Keys = field(default=Numbered(), converter=as_keys, kw_only=True)
    event: str = field(default="OrderCreated", kw_only=True)
    """The type of the event that each record carries: its message's kind."""
    count: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)
    """How many records it makes; None: it never stops."""
    size: int = field(default=100, metadata=at_least(0), kw_only=True)
    """Bytes of each record."""
    tombstone_every: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)
    """Every so manieth record has no value: it deletes its key where the topic is compacted."""
    acks: Literal["all", 1, 0] = field(default="all", metadata=one_of("all", 1, 0), kw_only=True)
    enable_idempotence: bool | None = field(default=None, metadata=one_of(True, False, None), kw_only=True)
    """None, as in Kafka without an explicit setting: true, unless acks, retries or max_in_flight speak against it."""
    max_in_flight_requests_per_connection: int = field(default=5, metadata=at_least(1), kw_only=True)
    linger_ms: float = field(default=5.0, metadata=not_negative("ms"), kw_only=True)
    batch_size: int = field(default=16_384, metadata=at_least(1), kw_only=True)
    retries: int = field(default=2_147_483_647, metadata=at_least(0), kw_only=True)
    request_timeout_ms: float = field(default=30_000.0, metadata=positive("ms"), kw_only=True)
    retry_backoff_ms: float = field(default=100.0, metadata=not_negative("ms"), kw_only=True)
    retry_backoff_max_ms: float = field(default=1_000.0, metadata=not_negative("ms"), kw_only=True)
    delivery_timeout_ms: float = field(default=120_000.0, metadata=positive("ms"), kw_only=True)
    transactional_id: str | None = field(default=None, kw_only=True)
    transaction_timeout_ms: float = field(default=60_000.0, metadata=positive("ms"), kw_only=True)
    records_per_transaction: int = field(default=5, metadata=at_least(1), kw_only=True)
    abort_every: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)

    @property
    def idempotent(self) -> bool:
        """Whether it numbers its batches, so that brokers recognise what they have."""
        if self.enable_idempotence is None:
            return self.acks == "all" and self.retries > 0 and self.max_in_flight_requests_per_connection <= 5
        return self.enable_idempotence

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        return _Producing(self, sim).client.take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        yield from client_problems(scenario, self.name, str(self), [self.topic])
        if self.event in REQUESTS:
            yield f'{self}: event is "{self.event}", which is a request to a broker and no event; name it otherwise.'
        yield from producer_problems(self)


def producer_problems(producer: Any) -> Iterator[str]:
    """What Kafka's producer refuses of its settings (``ProducerConfig.postProcessAndValidateIdempotenceConfigs``)."""
    if producer.delivery_timeout_ms < producer.linger_ms + producer.request_timeout_ms:
        yield (
            f"{producer}: delivery_timeout_ms is {producer.delivery_timeout_ms} (ConfigException); it must be at least"
            f" linger_ms + request_timeout_ms, {producer.linger_ms + producer.request_timeout_ms}."
        )
    needs = 'enable_idempotence is True (ConfigException); it needs acks="all"'
    if producer.enable_idempotence:
        if producer.acks != "all":
            yield f"{producer}: {needs}, not {producer.acks}."
        if producer.retries == 0:
            yield f"{producer}: {needs} and retries above 0."
        if producer.max_in_flight_requests_per_connection > 5:
            yield (
                f"{producer}: {needs} and max_in_flight_requests_per_connection of at most 5,"
                f" not {producer.max_in_flight_requests_per_connection}."
            )
    if producer.transactional_id is not None and not producer.idempotent:
        yield f'{producer}: transactional_id needs an idempotent producer (ConfigException); set acks="all", retries above 0.'


def sending(producer: Any) -> Sending:
    """How a node with a producer's settings sends."""
    return Sending(
        producer.acks,
        producer.idempotent,
        producer.max_in_flight_requests_per_connection,
        producer.linger_ms,
        producer.batch_size,
        producer.retries,
        producer.retry_backoff_ms,
        producer.retry_backoff_max_ms,
        producer.delivery_timeout_ms,
    )


class _Producing:
    """One life of a producer."""

    def __init__(self, producer: KafkaProducer, sim: Sim) -> None:
        self._producer = producer
        self._sim = sim
        self.client = ClusterClient(
            sim, request_timeout_ms=producer.request_timeout_ms, retry_backoff_ms=producer.retry_backoff_ms
        )
        transactional = producer.transactional_id is not None
        self._batches = Batches(self.client, sending(producer), self._outcome, transactional=transactional)
        # What is to be told comes from outside: a crash interrupts the telling, and does not begin it anew.
        self._made: int = sim.durable.get("made", 0)
        self._next_key = producer.keys.chooser(sim.random("keys"), self._made)
        self._gaps = producer.every.gaps(sim.random("arrivals"), sim.now)
        self._backlog: list[Message] = []
        self._wakened: simpy.Event | None = None
        self._failed = ""
        self._stopped = False
        if producer.transactional_id is not None:
            sim.spawn(self._in_transactions(producer.transactional_id))
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
        if producer.transactional_id is None:
            self._batches.add(producer.topic, record)
        else:
            self._backlog.append(record)
            self._wake()

    def _get_identity(self) -> Generator[Any, Any, None]:
        """Ask for a producer id: any broker will do."""
        brokers = self.client.layout.brokers
        turn = 0
        while True:
            answer = yield from self.client.ask(brokers[turn % len(brokers)], "init_producer")
            if answer is not None:
                self._batches.new_identity(answer.payload[1], answer.payload[2])
                return
            turn += 1

    def _in_transactions(self, transactional_id: str) -> Generator[Any, Any, None]:
        producer = self._producer
        transactions = Transactions(self.client, self._batches, transactional_id, producer.transaction_timeout_ms)
        try:
            yield from transactions.initialise()
            number = 0
            while True:
                number += 1
                abort = producer.abort_every is not None and number % producer.abort_every == 0
                yield from self._one_transaction(transactions, abort=abort)
        except Fenced as fenced:
            self._stop(fenced.error)

    def _one_transaction(self, transactions: Transactions, *, abort: bool) -> Generator[Any, Any, None]:
        """``beginTransaction``, some records, ``commitTransaction`` (or ``abortTransaction``)."""
        producer = self._producer
        self._failed = ""
        sent = 0
        while sent < producer.records_per_transaction:
            while not self._backlog:
                yield from self._sleep_until_woken()
            record = self._backlog.pop(0)
            self._batches.add(producer.topic, record)
            sent += 1
            yield from transactions.send_to(self._batches.partitions)
        self._batches.flush()
        if not abort:
            while self._batches.unfinished and not self._batches.fenced:
                yield from self._sleep_until_woken()
        if self._batches.fenced:
            raise Fenced(self._batches.fenced)
        for record in self._batches.forget() if abort else ():
            self._sim.record(ABANDONED, record, self._sim.value("its transaction is aborted"))
        while abort and self._batches.unfinished and not self._batches.fenced:
            yield from self._sleep_until_woken()
        yield from transactions.end(commit=not abort and not self._failed)

    def _outcome(self, record: Message, error: str) -> None:
        if error != "NONE":
            self._failed = error
        self._wake()

    def _wake(self) -> None:
        if self._wakened is not None:
            wakened, self._wakened = self._wakened, None
            wakened.succeed()

    def _sleep_until_woken(self) -> Generator[Any, Any, None]:
        self._wakened = self._sim.event()
        yield self._wakened

    def _stop(self, error: str) -> None:
        """It was fenced: what it still has to say is another's to say."""
        for record in self._backlog:
            self._sim.record(ABANDONED, record, self._sim.value(error))
        self._backlog = []
        self._stopped = True
        self._sim.record(STOPPED)
