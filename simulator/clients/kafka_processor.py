"""A client that reads from one topic and writes to another: read, process, write, and both or neither if it is told to.

Sources: KIP-129 and KIP-447 (exactly once in Kafka Streams: offsets are part of the transaction); ``processing.guarantee`` of
Apache Kafka Streams 4.0.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import evolve, field, frozen

from simulator.brokers.log.protocol import REQUESTS
from simulator.brokers.log.replicas import Acks
from simulator.clients.kafka_batches import Batches
from simulator.clients.kafka_client import client_problems
from simulator.clients.kafka_consumer import KafkaReader, Reading
from simulator.clients.kafka_fetching import Fetched
from simulator.clients.kafka_group import GroupFenced
from simulator.clients.kafka_producer import producer_problems, sending
from simulator.clients.kafka_transactions import Fenced, Transactions
from simulator.message import Message
from simulator.scenario import Scenario
from simulator.validation import at_least, not_negative, one_of, positive
from simulator.vocabulary import CREATED

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class KafkaProcessor(KafkaReader):
    """For each record of its topics it works, and writes one record with the same key to the topic ``to``.

    With ``processing_guarantee="exactly_once_v2"`` what it writes and how far it has read are one transaction for each poll: both
    count or neither. The work itself (a ``processed`` step) is outside: done again after a crash, whatever the guarantee.
    """

    role: ClassVar[str] = "service"

    to: str = field(default="invoices", kw_only=True)
    event: str = field(default="InvoiceCreated", kw_only=True)
    """The type of the event that it writes."""
    size: int = field(default=100, metadata=at_least(0), kw_only=True)
    processing_guarantee: Literal["at_least_once", "exactly_once_v2"] = field(
        default="at_least_once", metadata=one_of("at_least_once", "exactly_once_v2"), kw_only=True
    )
    transactional_id: str | None = field(default=None, kw_only=True)
    """Its own name if none is given (and the guarantee needs one)."""
    transaction_timeout_ms: float = field(default=10_000.0, metadata=positive("ms"), kw_only=True)
    """Kafka Streams sets it to ten seconds; a producer's own default is a minute."""
    acks: Acks = field(default="all", metadata=one_of("all", 1, 0), kw_only=True)
    enable_idempotence: bool | None = field(default=None, metadata=one_of(True, False, None), kw_only=True)
    max_in_flight_requests_per_connection: int = field(default=5, metadata=at_least(1), kw_only=True)
    linger_ms: float = field(default=5.0, metadata=not_negative("ms"), kw_only=True)
    batch_size: int = field(default=16_384, metadata=at_least(1), kw_only=True)
    retries: int = field(default=2_147_483_647, metadata=at_least(0), kw_only=True)
    retry_backoff_max_ms: float = field(default=1_000.0, metadata=not_negative("ms"), kw_only=True)
    delivery_timeout_ms: float = field(default=120_000.0, metadata=positive("ms"), kw_only=True)

    @property
    def exactly_once(self) -> bool:
        """Whether it writes in transactions."""
        return self.processing_guarantee == "exactly_once_v2"

    @property
    def idempotent(self) -> bool:
        """As a `KafkaProducer`."""
        if self.enable_idempotence is None:
            return self.acks == "all" and self.retries > 0 and self.max_in_flight_requests_per_connection <= 5
        return self.enable_idempotence

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        processing = _Processing(self, sim)
        sim.spawn(processing.run())
        return processing.client.take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        yield from super().problems(scenario)
        yield from client_problems(scenario, self.name, str(self), [self.to])
        yield from producer_problems(self)
        if self.event in REQUESTS:
            yield f'{self}: event is "{self.event}", which is a request to a broker and no event; name it otherwise.'
        if self.exactly_once and not self.idempotent:
            yield f'{self}: processing_guarantee="exactly_once_v2" needs acks="all" and retries above 0.'


class _Processing(Reading):
    def __init__(self, processor: KafkaProcessor, sim: Sim) -> None:
        # Within a transaction offsets are only safe if what was read is: Kafka Streams reads committed then, too.
        reader = evolve(processor, isolation_level="read_committed") if processor.exactly_once else processor
        super().__init__(reader, sim)
        self._processor = processor
        self._batches = Batches(self.client, sending(processor), self._outcome, transactional=processor.exactly_once)
        self._failed = ""
        self._transactions: Transactions | None = None
        if processor.exactly_once:
            name = processor.transactional_id or processor.name
            self._transactions = Transactions(self.client, self._batches, name, processor.transaction_timeout_ms)

    def _prepare(self) -> Generator[Any, Any, None]:
        if self._transactions is not None:
            yield from self._or_fenced(self._transactions.initialise())
        elif self._processor.idempotent:
            while self._batches.identity is None:
                for broker in self.client.layout.brokers:
                    answer = yield from self.client.ask(broker, "init_producer")
                    if answer is not None:
                        self._batches.new_identity(answer.payload[1], answer.payload[2])
                        break

    def _handle(self, records: list[Fetched]) -> Generator[Any, Any, None]:
        if self._transactions is None:
            yield from self._at_least_once(records)
        else:
            yield from self._or_fenced(self._exactly_once(self._transactions, records))

    def _at_least_once(self, records: list[Fetched]) -> Generator[Any, Any, None]:
        for fetched in records:
            yield from self._work(fetched)
            self._write(fetched)
        yield from self._flush()
        yield from self._member.commit({each.partition: each.offset + 1 for each in records})

    def _exactly_once(self, transactions: Transactions, records: list[Fetched]) -> Generator[Any, Any, None]:
        for fetched in records:
            yield from self._work(fetched)
            self._write(fetched)
            yield from transactions.send_to(self._batches.partitions)
        yield from self._flush()
        reached = {each.partition: each.offset + 1 for each in records}
        flat = [each for place in sorted(reached.items()) for each in place]
        group = self._processor.group or self._processor.name
        error = yield from transactions.send_offsets(group, self._member.who(), flat)
        commit = error == "NONE" and not self._failed
        yield from transactions.end(commit=commit)
        self._failed = ""
        if not commit:
            # What was read for a transaction that is aborted has to be read again.
            self._fetching.rewind({each.partition: each.offset for each in reversed(records)})

    def _write(self, fetched: Fetched) -> None:
        processor, sim = self._processor, self._sim
        made = sim.envelope(processor.event, fetched.record.key, None, (), 0, processor.size)
        sim.record(CREATED, made)
        self._batches.add(processor.to, made)

    def _flush(self) -> Generator[Any, Any, None]:
        self._batches.flush()
        while self._batches.unfinished and not self._batches.fenced:
            yield from self._wait()
        if self._batches.fenced:
            raise Fenced(self._batches.fenced)

    def _commit_all(self) -> Generator[Any, Any, None]:
        """Everything is committed at the end of each poll's work already."""
        return
        yield

    def _outcome(self, record: Message, error: str) -> None:
        if error != "NONE":
            self._failed = error
        self._wake()

    def _or_fenced(self, doing: Generator[Any, Any, None]) -> Generator[Any, Any, None]:
        try:
            yield from doing
        except Fenced as fenced:
            raise GroupFenced(fenced.error) from None
