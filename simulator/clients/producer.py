"""A client that appends records to a topic and sees to it that they get there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import field, frozen

from simulator.brokers.log.topic import NO_ACK, PROTOCOL, Topic
from simulator.clients.arrivals import Arrivals, Every, Keys, Numbered, as_arrivals, as_keys
from simulator.clients.retry import kafka_backoff
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, not_negative, one_of, positive
from simulator.vocabulary import ACKNOWLEDGED, CREATED, IGNORED

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class Producer(Node):
    """Makes records and sends each until it is acknowledged, or too late.

    The settings have Apache Kafka's names and defaults (producer configuration, 4.0); the wait before retry n is
    ``retry_backoff_ms`` doubled n - 1 times, give or take a fifth, at most ``retry_backoff_max_ms`` (KIP-580). The
    producer is not idempotent: a record whose acknowledgement is lost is sent again and stands in the log twice.
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
    """Bytes of each record; they only matter on a link with a bandwidth."""
    acks: Literal["all", 1, 0] = field(default="all", metadata=one_of("all", 1, 0), kw_only=True)
    retries: int = field(default=2_147_483_647, metadata=at_least(0), kw_only=True)
    request_timeout_ms: float = field(default=30_000.0, metadata=positive("ms"), kw_only=True)
    retry_backoff_ms: float = field(default=100.0, metadata=not_negative("ms"), kw_only=True)
    retry_backoff_max_ms: float = field(default=1_000.0, metadata=not_negative("ms"), kw_only=True)
    delivery_timeout_ms: float = field(default=120_000.0, metadata=positive("ms"), kw_only=True)

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        return _Sending(self, sim).take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        topics = [name for name in scenario.downstream(self.name) if isinstance(scenario.node(name), Topic)]
        if len(topics) != 1:
            yield f'{self}: it sends to one topic, and {len(topics)} are linked from it; add one Link("{self.name}", topic).'
        if self.event in PROTOCOL:
            yield f'{self}: event is "{self.event}", which is a request to a topic and no event; name it otherwise.'
        if self.delivery_timeout_ms < self.request_timeout_ms:
            yield (
                f"{self}: delivery_timeout_ms is {self.delivery_timeout_ms}; "
                f"it must be at least request_timeout_ms, {self.request_timeout_ms}."
            )


class _Attempt:
    __slots__ = ("deadline", "due", "number", "record")

    def __init__(self, record: Message, deadline: float) -> None:
        self.record = record
        self.deadline = deadline
        self.number = 0
        self.due = 0.0


class _Sending:
    def __init__(self, producer: Producer, sim: Sim) -> None:
        self._producer = producer
        self._sim = sim
        self._topic = next(name for name in sim.downstream if isinstance(sim.scenario.node(name), Topic))
        # What is to be told comes from outside: a crash interrupts the telling, and does not begin it anew.
        self._made: int = sim.durable.get("made", 0)
        self._next_key = producer.keys.chooser(sim.random("keys"), self._made)
        self._jitter = sim.random("backoff").random
        self._gaps = producer.every.gaps(sim.random("arrivals"), sim.now)
        self._headers = NO_ACK if producer.acks == 0 else ()
        self._unanswered: dict[int, _Attempt] = {}
        # Every attempt has the same time to be answered, so the first to be sent is the first to be late: one timer
        # serves all.
        self._late_in_order: deque[_Attempt] = deque()
        if producer.count is None or self._made < producer.count:
            sim.call_later(next(self._gaps), self._make)

    def _make(self) -> None:
        sim, producer = self._sim, self._producer
        record = sim.envelope(producer.event, self._next_key(), None, self._headers, 0, producer.size)
        sim.durable["made"] = self._made = self._made + 1
        sim.record(CREATED, record, cause=-1)
        if producer.count is None or self._made < producer.count:
            sim.call_later(next(self._gaps), self._make)
        if producer.acks == 0:
            sim.send(self._topic, record)
        else:
            self._try(_Attempt(record, sim.now + producer.delivery_timeout_ms))

    def _try(self, attempt: _Attempt) -> None:
        sim = self._sim
        attempt.number += 1
        attempt.due = sim.now + self._producer.request_timeout_ms
        self._unanswered[attempt.record.id] = attempt
        if not self._late_in_order:
            sim.call_later(self._producer.request_timeout_ms, self._look_for_late_ones)
        self._late_in_order.append(attempt)
        sim.send(self._topic, attempt.record, attempt.number)

    def take(self, ack: Message, source: str) -> None:
        attempt = self._unanswered.pop(ack.in_reply_to, None)
        if attempt is None:
            self._sim.record(IGNORED, ack, self._sim.value("acknowledged before"))
            return
        attempt.due = 0.0
        self._sim.record(ACKNOWLEDGED, attempt.record, *ack.payload)

    def _look_for_late_ones(self) -> None:
        sim, queue = self._sim, self._late_in_order
        while queue and queue[0].due <= sim.now:
            attempt = queue.popleft()
            if attempt.due:
                self._late(attempt)
        while queue and not queue[0].due:
            queue.popleft()
        if queue:
            sim.call_later(queue[0].due - sim.now, self._look_for_late_ones)

    def _late(self, attempt: _Attempt) -> None:
        sim, producer, number = self._sim, self._producer, attempt.number
        sim.note("timed_out", attempt.record, to=self._topic, attempt=number, outcome="indefinite")
        wait = kafka_backoff(number, producer.retry_backoff_ms, producer.retry_backoff_max_ms, self._jitter)
        if number > producer.retries:
            self._give_up(attempt, "no retries left")
        elif sim.now + wait >= attempt.deadline:
            self._give_up(attempt, "delivery_timeout_ms is over")
        else:
            attempt.due = 0.0
            sim.call_later(wait, self._try_again, attempt)

    def _try_again(self, attempt: _Attempt) -> None:
        if attempt.record.id in self._unanswered:
            self._try(attempt)

    def _give_up(self, attempt: _Attempt, reason: str) -> None:
        del self._unanswered[attempt.record.id]
        self._sim.note("abandoned", attempt.record, reason=reason)
