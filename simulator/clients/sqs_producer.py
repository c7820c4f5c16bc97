"""A client that sends messages to a queue like Amazon SQS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import field, frozen

from simulator.brokers.sqs.attributes import BATCH_MAX, DELAY_MAX
from simulator.brokers.sqs.front import PROTOCOL
from simulator.brokers.sqs.node import SqsQueue
from simulator.clients.arrivals import Arrivals, Every, Keys, Numbered, as_arrivals, as_keys
from simulator.clients.calls import Calls
from simulator.clients.retry import Retry
from simulator.clients.sqs_batches import Batches
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, not_negative, one_of, positive, whole_from
from simulator.vocabulary import CREATED

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class SqsProducer(Node):
    """Makes records and sends each, again and again, until the queue has answered that it is stored.

    An answer that is lost makes it send again: a standard queue then stores the record twice, a FIFO queue recognises it. To a
    FIFO queue it sends each record in the message group of its key.
    """

    role: ClassVar[str] = "producer"

    every: Arrivals = field(default=Every(100), converter=as_arrivals)
    """When records are made: a number (one every so many ms), `Every`, `Poisson` or `Bursty`."""
    keys: Keys = field(default=Numbered(), converter=as_keys, kw_only=True)
    event: str = field(default="OrderCreated", kw_only=True)
    """The type of the event that each record carries: its message's kind."""
    count: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)
    """How many records it makes; None: it never stops."""
    size: int = field(default=0, metadata=at_least(0), kw_only=True)
    """Bytes of each record."""
    delay_seconds: int | None = field(default=None, metadata=whole_from(0, DELAY_MAX, or_none=True), kw_only=True)
    """Seconds, as at AWS; None: the queue's own."""
    message_deduplication_id: Literal["record", "key", "content"] = field(
        default="record", metadata=one_of("record", "key", "content"), kw_only=True
    )
    """FIFO only: each record has an id of its own, which its retries share; or it goes by its key; or it has none, and the
    queue goes by its content (``content_based_deduplication``)."""
    max_batch_size: int = field(default=1, metadata=whole_from(1, BATCH_MAX), kw_only=True)
    """How many records it sends by one request (``SendMessageBatch``)."""
    max_batch_open_ms: float = field(default=200.0, metadata=not_negative("ms"), kw_only=True)
    """How long a batch waits for more records. (This setting and the one before: AWS SDK for Java, buffered client.)"""
    timeout: float = field(default=1_000.0, metadata=positive("ms"), kw_only=True)
    """How long it waits for an answer."""
    retry: Retry = field(default=Retry(), kw_only=True)

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        # What is to be told comes from outside: a crash interrupts the telling, and does not begin it anew.
        made: int = sim.durable.get("made", 0)
        (queue,) = queues_of(sim.scenario, self.name)
        send, answered = self._sending(sim, queue.name)
        next_key = self.keys.chooser(sim.random("keys"), made)
        gaps = self.every.gaps(sim.random("arrivals"), sim.now)
        most = self.count

        def make() -> None:
            nonlocal made
            key = next_key()
            sim.durable["made"] = made = made + 1
            record = sim.envelope(self.event, key, None, self._headers(queue, key, made), 0, self.size)
            sim.record(CREATED, record, cause=-1)
            if most is None or made < most:
                sim.call_later(next(gaps), make)
            send(record)

        if most is None or made < most:
            sim.call_later(next(gaps), make)
        return lambda message, _: answered(message)

    def _sending(self, sim: Sim, queue: str) -> tuple[Callable[[Message], None], Callable[[Message], None]]:
        """How it sends a record, and what it does with an answer: one by one, or in batches."""
        if self.max_batch_size == 1:
            calls = Calls(sim, self.timeout, self.retry, None)
            return lambda record: calls.begin(queue, record), calls.settle
        batches = Batches(
            sim, queue, most=self.max_batch_size, open_ms=self.max_batch_open_ms, timeout=self.timeout, retry=self.retry
        )
        return batches.add, batches.take

    def _headers(self, queue: SqsQueue, key: str | None, made: int) -> tuple[tuple[str, str], ...]:
        headers = []
        if self.delay_seconds is not None:
            headers.append(("delay_seconds", str(self.delay_seconds)))
        if queue.fifo_queue:
            headers.append(("message_group_id", key or self.name))
            if self.message_deduplication_id != "content":
                own = key if self.message_deduplication_id == "key" else None
                headers.append(("message_deduplication_id", own or f"{self.name}-{made}"))
        return tuple(headers)

    def problems(self, scenario: Scenario) -> Iterator[str]:
        queues = queues_of(scenario, self.name)
        if len(queues) != 1:
            yield f'{self}: it sends to one queue, and {len(queues)} are linked from it; add one Link("{self.name}", queue).'
            return
        if self.event in PROTOCOL:
            yield f'{self}: event is "{self.event}", which is a request to a queue and no event; name it otherwise.'
        (queue,) = queues
        if queue.fifo_queue and self.delay_seconds is not None:
            yield f"{self}: {queue} is a FIFO queue (InvalidParameterValue for a message's delay); set delay_seconds there."
        if queue.fifo_queue and self.message_deduplication_id == "content" and not queue.content_based_deduplication:
            yield f"{self}: its records have no deduplication id; set content_based_deduplication=True on {queue}."


def queues_of(scenario: Scenario, name: str) -> list[SqsQueue]:
    """The queues that links lead to from a node."""
    return [node for node in map(scenario.node, scenario.downstream(name)) if isinstance(node, SqsQueue)]
