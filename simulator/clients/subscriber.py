"""A client that works on the messages of a RabbitMQ queue: they are pushed to it, it works, it acknowledges."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from attrs import field, frozen

from simulator.brokers.queue.declared import Bound, Declared, ExchangeDeclared, QueueDeclared, consume_on
from simulator.brokers.queue.errors import AmqpError
from simulator.brokers.queue.node import RabbitMQ
from simulator.brokers.queue.protocol import Consume
from simulator.clients.connection import Arrival, Connection, source_brokers
from simulator.message import Message
from simulator.network import Fixed, Latency, as_latency
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, did_you_mean, not_negative, one_of, optional, positive, whole_from
from simulator.vocabulary import IGNORED, PROCESSED, QUEUED, REJECTED, SKIPPED, STARTED

if TYPE_CHECKING:
    from simulator.engine import Sim


def _as_tuple(values: Any) -> Any:
    return tuple(values) if isinstance(values, list) else values


def _as_names(names: Any) -> Any:
    return (names,) if isinstance(names, str) else _as_tuple(names)


@frozen
class Subscriber(Node):
    """Consumes a queue: the broker pushes messages, at most ``prefetch_count`` of them unacknowledged at a time.

    ``ack="after"`` the work means at least once: a crash before it makes the broker deliver the message again, to anybody.
    ``ack="before"`` the work, or ``"auto"`` (the broker forgets what it has sent), mean at most once. Several subscribers of
    one queue compete for its messages; with one ``group`` between them their work counts as one service's.

    Simplified: the broker notices that a subscriber is gone when it comes back, or by its silence (``heartbeat``); in
    life the operating system of a process that died tells at once.
    """

    role: ClassVar[str] = "consumer"

    queue: tuple[str, ...] = field(converter=_as_names)
    """A queue's name, or several: then it has a consumer of each, all on one channel."""
    group: str = field(default="", kw_only=True)
    """The name of the service it is part of; its own name if none is given."""
    declares: tuple[Declared, ...] = field(default=(), converter=_as_tuple, kw_only=True)
    """What it declares whenever it connects, in this order: for a queue of its own,
    ``[QueueDeclared("inbox", durable=False, exclusive=True), Bound("news", "inbox")]``."""
    prefetch_count: int = field(default=0, metadata=whole_from(0, 65_535), kw_only=True)
    """0: any number."""
    global_qos: bool = field(default=False, kw_only=True)
    """Whether ``prefetch_count`` is what all its consumers may hold together, and not each of them."""
    ack: Literal["after", "before", "auto"] = field(
        default="after", metadata=one_of("after", "before", "auto"), kw_only=True
    )
    ack_every: int = field(default=1, metadata=at_least(1), kw_only=True)
    """It acknowledges so many messages at once (``multiple``), or fewer when it has nothing left to do."""
    work: Latency = field(default=Fixed(10.0), converter=as_latency, kw_only=True)
    """How long the work on one message takes, in ms."""
    concurrency: int = field(default=1, metadata=at_least(1), kw_only=True)
    idempotent: bool = field(default=False, kw_only=True)
    """Whether it remembers, durably and together with the work's effect, what it has processed."""
    poison: tuple[str, ...] = field(default=(), converter=_as_tuple, kw_only=True)
    """The keys of messages on which the work fails, always …"""
    poison_until: float | None = field(default=None, metadata=optional(not_negative("ms")), kw_only=True)
    """… or up to this time, when the mistake in the code is mended."""
    slow: tuple[str, ...] = field(default=(), converter=_as_tuple, kw_only=True)
    """The keys of messages on which the work takes ``slow_work`` instead."""
    slow_work: Latency = field(default=Fixed(1_000.0), converter=as_latency, kw_only=True)
    requeue: Literal[True, False, "once"] = field(default=True, metadata=one_of(True, False, "once"), kw_only=True)
    """Where a message on which the work failed goes: back to its queue, or (False) to the dead-letter exchange, if there is
    one. "once": back, unless the delivery says that it was delivered before."""
    exclusive: bool = field(default=False, kw_only=True)
    """Whether it will be the queue's only consumer."""
    heartbeat: float = field(default=60.0, metadata=not_negative("s"), kw_only=True)
    """Seconds, as in RabbitMQ: after so long a silence the broker takes the connection for dead; 0: never. With half of that
    each end notices that what the other said last got lost."""
    reconnect_after: float = field(default=1_000.0, metadata=positive("ms"), kw_only=True)
    """How long it waits for the broker's answer, or after a refusal, before it asks again; and for a delivery that is missing
    before it opens a new connection."""

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        return _Consuming(self, sim).take

    def asks(self) -> Consume:
        """What it opens its connection for."""
        return Consume(
            tuple(each.request() for each in self.declares),
            self.queue,
            self.prefetch_count,
            self.global_qos,
            self.ack == "auto",
            self.exclusive,
            1_000.0 * self.heartbeat,
        )

    def problems(self, scenario: Scenario) -> Iterator[str]:
        brokers = source_brokers(scenario, self.name)
        if len(brokers) != 1:
            yield f'{self}: it has one broker, and {len(brokers)} are linked to it; add one Link(broker, "{self.name}").'
            return
        for name in ("poison", "slow", "queue"):
            names = getattr(self, name)
            if not isinstance(names, tuple) or not all(isinstance(each, str) for each in names):
                yield f'{self}: {name} is {names!r}; give a list of {"names" if name == "queue" else "keys"}, as in ["order-3"].'
        strange = [each for each in self.declares if not isinstance(each, ExchangeDeclared | QueueDeclared | Bound)]
        if strange or not self.queue:
            wrong = f"{strange[0]!r} can't be declared" if strange else "it consumes no queue"
            yield f"{self}: {wrong}; give QueueDeclared, ExchangeDeclared or Bound in declares, and the name of a queue first."
            return
        if self.ack_every > 1 and self.ack != "after":
            yield f'{self}: ack_every is {self.ack_every}, and it has nothing to gather with ack="{self.ack}"; leave one out.'
        yield from self._refusals(scenario, brokers[0])

    def _refusals(self, scenario: Scenario, node: RabbitMQ) -> Iterator[str]:
        """What the broker would refuse, as far as that can be known before the run."""
        others = [each for each in scenario.nodes_of(Subscriber) if source_brokers(scenario, each.name) == [node]]
        known = [*node.queues, *(each for other in others for each in other.declares if isinstance(each, QueueDeclared))]
        names = list(dict.fromkeys(each.name for each in known))
        for queue in self.queue:
            if queue not in names:
                yield f'{self}: {node} has no queue "{queue}" (NOT_FOUND); {did_you_mean(queue, names)}'
                return
        try:
            broker = node.set_up()
            channel = broker.channel(self.name)
            for each in self.declares:
                each.declare(channel)
            here = tuple(queue for queue in self.queue if queue in broker.queues)
            consume_on(channel, self.asks()._replace(queues=here))
        except AmqpError as error:
            yield f"{self}: {error}"


class _Job(NamedTuple):
    """A delivery in hand, and the step that told that it waits."""

    record: Message
    token: int
    tag: int
    redelivered: bool
    queued: int


class _Consuming:
    """One life of a subscriber, from its start to its crash."""

    def __init__(self, subscriber: Subscriber, sim: Sim) -> None:
        self._subscriber = subscriber
        self._sim = sim
        (broker,) = source_brokers(sim.scenario, subscriber.name)
        self._work_time = subscriber.work.sampler(sim.random("work"))
        self._slow_time = subscriber.slow_work.sampler(sim.random("slow work"))
        self._times: dict[int, int] = sim.durable.setdefault("processed", {})
        self._jobs: deque[_Job] = deque()
        self._idle = list(range(subscriber.concurrency))
        self._in_hand: dict[int, None] = {}
        """The tags of this connection's deliveries that wait or are worked on, in their order."""
        self._done: list[int] = []
        """The tags of those that are to be acknowledged."""
        self._connection = Connection(
            sim,
            broker.name,
            subscriber.asks(),
            reconnect_after=subscriber.reconnect_after,
            delivered=self._deliver,
            lost=self._lose,
        )
        self._connection.open()

    def take(self, message: Message, _: str) -> None:
        self._connection.take(message)

    def _lose(self) -> None:
        """The connection is gone, and with it what was waiting here; the broker will deliver it again."""
        sim = self._sim
        jobs, self._jobs = self._jobs, deque()
        self._in_hand, self._done = {}, []
        for job in jobs:
            sim.record(IGNORED, job.record, sim.value("its connection is closed"), cause=job.queued)

    def _deliver(self, arrival: Arrival) -> None:
        sim, delivery = self._sim, arrival.delivery
        record = sim.message_of(delivery.record)
        queued = sim.record(QUEUED, record, len(self._jobs) + 1, cause=arrival.step)
        job = _Job(record, delivery.token, delivery.delivery_tag, delivery.redelivered, queued)
        self._in_hand[job.tag] = None
        if self._subscriber.ack == "before":
            self._settle(job)
        self._jobs.append(job)
        if self._idle:
            sim.spawn(self._work_off(heappop(self._idle)))

    def _work_off(self, worker: int) -> Generator[Any, Any, None]:
        """A worker's way from one message to the next, until none waits."""
        while self._jobs:
            yield from self._work(self._jobs.popleft(), worker)
        heappush(self._idle, worker)

    def _work(self, job: _Job, worker: int) -> Generator[Any, Any, None]:
        sim, subscriber, record = self._sim, self._subscriber, job.record
        if self._known(record, job.queued):
            self._finish(job)
            return
        sim.record(STARTED, record, worker, cause=job.queued)
        yield sim.sleep(self._slow_time() if record.key in subscriber.slow else self._work_time())
        mended = subscriber.poison_until is not None and sim.now >= subscriber.poison_until
        if record.key in subscriber.poison and not mended:
            sim.record(REJECTED, record, sim.value("poison"))
            if subscriber.ack == "after":
                self._give_up(job)
            return
        if not self._known(record):
            # A second worker may have had the same message in hand.
            self._times[record.id] = times = self._times.get(record.id, 0) + 1
            sim.record(PROCESSED, record, times)
        self._finish(job)

    def _known(self, record: Message, cause: int | None = None) -> bool:
        if not self._subscriber.idempotent or record.id not in self._times:
            return False
        self._sim.record(SKIPPED, record, self._sim.value("processed before"), cause=cause)
        return True

    def _finish(self, job: _Job) -> None:
        if self._subscriber.ack == "after":
            self._settle(job)

    def _settle(self, job: _Job) -> None:
        """Acknowledge it, by itself or together with others."""
        if job.token != self._connection.token:
            return
        self._in_hand.pop(job.tag, None)
        if self._subscriber.ack_every == 1:
            self._connection.ack(job.token, job.tag, job.record.key)
        else:
            self._done.append(job.tag)
            self._acknowledge_together()

    def _acknowledge_together(self) -> None:
        """All up to a tag are acknowledged at once, so nothing that is still in hand may stand before it."""
        first = next(iter(self._in_hand), None)
        done = [tag for tag in self._done if first is None or tag < first]
        if done and (len(done) >= self._subscriber.ack_every or not self._in_hand):
            self._connection.ack(self._connection.token, max(done), multiple=True)
            self._done = [tag for tag in self._done if tag not in done]

    def _give_up(self, job: _Job) -> None:
        if job.token != self._connection.token:
            return
        requeue = self._subscriber.requeue
        self._in_hand.pop(job.tag, None)
        self._connection.nack(
            job.token, job.tag, job.record.key, requeue=not job.redelivered if requeue == "once" else bool(requeue)
        )
        self._acknowledge_together()
