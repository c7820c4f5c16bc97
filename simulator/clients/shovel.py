"""Moves messages from one queue to another, as RabbitMQ's shovel plugin does: how dead letters are tried again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import field, frozen

from simulator.brokers.log.topic import NO_ACK
from simulator.brokers.queue.node import RabbitMQ
from simulator.brokers.queue.protocol import CLOSED, CONSUME, DELIVER, HEARTBEAT, PUBLISH, Consume, Publishing
from simulator.clients.calls import Calls, Outcome
from simulator.clients.connection import Arrival, Connection, source_brokers
from simulator.clients.publisher import brokers_of
from simulator.clients.retry import Retry
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.validation import RULE, Rule, did_you_mean, not_negative, one_of, optional, positive, whole_from
from simulator.vocabulary import REDRIVEN

if TYPE_CHECKING:
    from simulator.engine import Sim

_HEARTBEAT = 60_000.0
"""Milliseconds, RabbitMQ's default."""


def _delete_after(value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return whole or value in ("never", "queue-length")


@frozen
class Shovel(Node):
    """Consumes ``src_queue`` and publishes what it gets to one queue or exchange, from ``at`` on.

    To a queue means to that queue alone, whoever else got the message once. What fails there again comes back on the way on
    which it came, and its ``x-death`` counts on. With ``ack_mode="on-confirm"`` nothing is lost on the way, but a crash may make
    something come twice; with "on-publish" something may get lost in the broker it goes to, with "no-ack" in the shovel too.

    Its settings have the names and defaults of a dynamic shovel's (``src-queue``, …), and what is in seconds there is so here;
    ``at`` and ``per_second`` are no settings of RabbitMQ's. Link it to the broker, or from one to another.
    """

    role: ClassVar[str] = "consumer"

    src_queue: str
    dest_queue: str | None = None
    dest_exchange: str | None = field(default=None, kw_only=True)
    """In place of ``dest_queue``."""
    dest_exchange_key: str | None = field(default=None, kw_only=True)
    """The routing key for ``dest_exchange``; None: the message's own."""
    ack_mode: Literal["on-confirm", "on-publish", "no-ack"] = field(
        default="on-confirm", metadata=one_of("on-confirm", "on-publish", "no-ack"), kw_only=True
    )
    src_delete_after: int | Literal["never", "queue-length"] = field(
        default="never",
        metadata={RULE: Rule(_delete_after, 'a whole number of at least 1, "never" or "queue-length"')},
        kw_only=True,
    )
    """When its work is over: after so many messages, after as many as are in the queue when it begins, or never."""
    src_prefetch_count: int = field(default=1_000, metadata=whole_from(0, 65_535), kw_only=True)
    reconnect_delay: float = field(default=1.0, metadata=positive("s"), kw_only=True)
    at: float = field(default=0.0, metadata=not_negative("ms"), kw_only=True)
    """When somebody starts it, in milliseconds."""
    per_second: float | None = field(default=None, metadata=optional(positive("messages")), kw_only=True)
    """How many messages it moves in a second at most; None: as many as it can."""

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        return _Shovelling(self, sim).take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        ends = _ends(scenario, self.name)
        if ends is None:
            yield (
                f'{self}: link it to one broker, as in Link("{self.name}", broker), or from one to another, '
                f'as in Link(broker, "{self.name}") and Link("{self.name}", other).'
            )
            return
        if (self.dest_queue is None) == (self.dest_exchange is None):
            yield f"{self}: say where to, by exactly one of dest_queue and dest_exchange."
        source, destination = ends
        yield from self._unknown("queue", self.src_queue, source)
        if self.dest_queue is not None:
            yield from self._unknown("queue", self.dest_queue, destination)
        if self.dest_exchange is not None and not self.dest_exchange.startswith("amq."):
            yield from self._unknown("exchange", self.dest_exchange, destination)
        if self.src_queue == self.dest_queue and source == destination:
            yield f'{self}: it moves messages from the queue "{self.src_queue}" to itself; name another dest_queue.'

    def _unknown(self, kind: str, name: str, broker: RabbitMQ) -> Iterator[str]:
        known = [each.name for each in (broker.queues if kind == "queue" else broker.exchanges)]
        if name not in known:
            yield f'{self}: {broker} has no {kind} "{name}" (NOT_FOUND); {did_you_mean(name, known)}'


def _ends(scenario: Scenario, name: str) -> tuple[RabbitMQ, RabbitMQ] | None:
    """The broker that a shovel takes from, and the one that it gives to; None if that can't be told."""
    sources, destinations = source_brokers(scenario, name), brokers_of(scenario, name)
    if not 1 <= len(sources) + len(destinations) <= 2 or len(sources) > 1 or len(destinations) > 1:
        return None
    return (sources or destinations)[0], (destinations or sources)[0]


class _Shovelling:
    """One life of a shovel, from its start to its crash."""

    def __init__(self, shovel: Shovel, sim: Sim) -> None:
        ends = _ends(sim.scenario, shovel.name)
        assert ends is not None, "the scenario has checked that"
        self._shovel = shovel
        self._sim = sim
        self._to = ends[1].name
        self._pace = 1_000.0 / shovel.per_second if shovel.per_second else 0.0
        self._calls = Calls(sim, 1_000.0 * shovel.reconnect_delay, Retry(), None)
        self._jobs: deque[Arrival] = deque()
        self._taken = 0
        """How many it has begun to move on this connection, and not yet settled."""
        self._moving = False
        # Nobody has to know how many there are to be told that it is none.
        delete_after = shovel.src_delete_after
        self._left: int | None = sim.durable.get("left", delete_after if isinstance(delete_after, int) else None)
        self._connection = Connection(
            sim,
            ends[0].name,
            Consume((), (shovel.src_queue,), self._prefetch(), False, shovel.ack_mode == "no-ack", False, _HEARTBEAT),
            reconnect_after=1_000.0 * shovel.reconnect_delay,
            delivered=self._deliver,
            opened=self._begin,
            lost=self._lose,
        )
        if self._left != 0:
            sim.call_later(max(0.0, shovel.at - sim.now), self._connection.open)

    def _prefetch(self) -> int:
        """It takes no more into its hands than it will move."""
        most = self._shovel.src_prefetch_count
        return min(most or self._left, self._left) if self._left else most

    def take(self, message: Message, _: str) -> None:
        ours = message.kind in (DELIVER, HEARTBEAT, CLOSED)
        answers = message.in_reply_to and self._sim.message_of(message.in_reply_to).kind
        if ours or answers == CONSUME:
            self._connection.take(message)
        else:
            self._calls.settle(message)

    def _begin(self, ready: tuple[int, ...]) -> None:
        if self._shovel.src_delete_after == "queue-length" and self._left is None:
            self._count(ready[0])

    def _count(self, left: int) -> None:
        self._left = self._sim.durable["left"] = left
        if not left:
            # What it holds beyond that goes back to its queue.
            self._connection.close()
            self._jobs.clear()

    def _lose(self) -> None:
        self._jobs.clear()
        self._taken = 0

    def _deliver(self, arrival: Arrival) -> None:
        self._jobs.append(arrival)
        if not self._moving:
            self._moving = True
            self._sim.spawn(self._move())

    def _move(self) -> Generator[Any, Any, None]:
        while self._jobs and (self._left is None or self._taken < self._left):
            self._publish(self._jobs.popleft())
            yield self._sim.sleep(self._pace)
        self._moving = False

    def _publish(self, arrival: Arrival) -> None:
        sim, shovel, delivery = self._sim, self._shovel, arrival.delivery
        record = sim.message_of(delivery.record)
        self._taken += 1
        sim.record(REDRIVEN, record, delivery.delivery_tag, sim.index_of(self._to), cause=arrival.step)
        key = shovel.dest_queue or (delivery.routing_key if shovel.dest_exchange_key is None else shovel.dest_exchange_key)
        again = Publishing(record.id, shovel.dest_exchange or "", key, delivery.headers)
        confirmed = shovel.ack_mode == "on-confirm"
        message = sim.message(PUBLISH, record.key, again, () if confirmed else NO_ACK, 0, record.size)
        if confirmed:
            self._calls.begin(self._to, message, lambda outcome: self._settle(arrival, outcome))
        else:
            sim.send(self._to, message)
            self._settle(arrival, Outcome("", sim.cause))

    def _settle(self, arrival: Arrival, outcome: Outcome) -> None:
        delivery = arrival.delivery
        if delivery.token != self._connection.token:
            return
        self._taken -= 1
        key = self._sim.message_of(delivery.record).key
        if outcome.failure:
            self._connection.nack(delivery.token, delivery.delivery_tag, key, requeue=True)
            return
        if self._shovel.ack_mode != "no-ack":
            self._connection.ack(delivery.token, delivery.delivery_tag, key)
        if self._left is not None:
            self._count(self._left - 1)
