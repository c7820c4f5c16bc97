"""A client that reads from one topic and writes to another: read, process, write, and both or neither if it is told to.

Sources: KIP-129 and KIP-447 (exactly once in Kafka Streams: offsets are part of the transaction); ``processing.guarantee`` and
``StreamThread`` of Apache Kafka Streams 4.0. Simplified: it commits after each poll (Streams: every ``commit.interval.ms``).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import field, frozen

from simulator.clients.kafka_batches import Batches
from simulator.clients.kafka_fetching import Fetched
from simulator.clients.kafka_group import Doing, flat
from simulator.clients.kafka_reading import Reading
from simulator.clients.kafka_settings import KafkaReader, KafkaWriter
from simulator.clients.kafka_transactions import Fenced, Transactions
from simulator.message import Message
from simulator.scenario import Scenario
from simulator.validation import one_of, positive
from simulator.vocabulary import CREATED, FAILED

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class KafkaProcessor(KafkaReader, KafkaWriter):
    """For each record of its topics it works, and writes one record with the same key to the topic ``to``.

    With ``processing_guarantee="exactly_once_v2"`` what it writes and how far it has read are one transaction for each poll: both
    count or neither. The work itself (a ``processed`` step) is outside: done again after a crash, whatever the guarantee. A
    processor that is fenced has lost its partitions; it begins anew, as a thread of Kafka Streams does.
    """

    role: ClassVar[str] = "service"

    to: str = field(default="invoices", kw_only=True)
    event: str = field(default="InvoiceCreated", kw_only=True)
    """The type of the event that it writes."""
    processing_guarantee: Literal["at_least_once", "exactly_once_v2"] = field(
        default="at_least_once", metadata=one_of("at_least_once", "exactly_once_v2"), kw_only=True
    )
    transactional_id: str | None = field(default=None, kw_only=True)
    """Its own name if none is given (and the guarantee needs one)."""
    transaction_timeout_ms: float = field(default=10_000.0, metadata=positive("ms"), kw_only=True)
    """Kafka Streams sets it to ten seconds; a producer's own default is a minute."""

    @property
    def transactions_under(self) -> str | None:
        return (self.transactional_id or self.name) if self.processing_guarantee == "exactly_once_v2" else None

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        processing = _Processing(self, sim)
        sim.spawn(processing.run())
        return processing.client.take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        yield from self.cluster_problems(scenario, [*self.topics, self.to])
        yield from self.reading_problems(scenario)
        yield from self.writing_problems(scenario)


class _Processing(Reading):
    """One life of a processor."""

    def __init__(self, processor: KafkaProcessor, sim: Sim) -> None:
        name = processor.transactions_under
        # Within a transaction offsets are only safe if what was read is: Kafka Streams reads committed then, too.
        committed = name is not None or processor.isolation_level == "read_committed"
        super().__init__(processor, sim, reads_committed=committed)
        self._processor = processor
        self._batches = Batches(self.client, processor, self._outcome)
        self._failed = False
        self._transactions = (
            None
            if name is None
            else Transactions(self.client, self._batches, name, processor.transaction_timeout_ms, self.wait)
        )

    def prepare(self) -> Doing:
        if self._transactions is not None:
            yield from self._or_begin_anew(self._transactions, self._transactions.initialise())
        elif self._processor.idempotent:
            answer = yield from self.client.ask_anyone("init_producer")
            self._batches.new_identity(answer.payload[1], answer.payload[2])

    def handle(self, records: list[Fetched]) -> Doing:
        if self._transactions is not None:
            yield from self._or_begin_anew(self._transactions, self._exactly_once(self._transactions, records))
            return
        self._failed = False
        for fetched in records:
            yield from self.work(fetched)
            self._write(fetched)
        self._batches.flush()
        while self._batches.unfinished:
            yield from self.wait()
        if self._failed:
            self.fetching.rewind(records)
        else:
            yield from self.member.commit(self.fetching.moved())

    def _exactly_once(self, transactions: Transactions, records: list[Fetched]) -> Doing:
        for fetched in records:
            yield from self.work(fetched)
            self._write(fetched)
            yield from transactions.send_to(self._batches.partitions)
        yield from transactions.flush()
        moved = self.fetching.moved()
        yield from transactions.send_offsets(self._processor.group_id, self.member.who(), flat(moved))
        committed = yield from transactions.end(commit=True)
        if committed:
            self.fetching.committed(moved)
        else:
            # What was read for a transaction that is aborted has to be read again.
            self.fetching.rewind(records)

    def _write(self, fetched: Fetched) -> None:
        processor, sim = self._processor, self.sim
        made = sim.envelope(processor.event, fetched.record.key, None, (), 0, processor.size)
        sim.record(CREATED, made)
        self._batches.add(processor.to, made)

    def _outcome(self, record: Message, error: str) -> None:
        if error != "NONE":
            self._failed = True
            if self._transactions is not None:
                self._transactions.failed = True
        self.wake()

    def _or_begin_anew(self, transactions: Transactions, doing: Generator[Any, Any, None]) -> Doing:
        """Do it; if another has taken its place meanwhile, or its transaction was open for too long, take the place again."""
        while True:
            try:
                yield from doing
                return
            except Fenced as fenced:
                self.sim.record(FAILED, None, self.sim.value(fenced.error))
                self.member.drop_out()
                doing = transactions.initialise()
