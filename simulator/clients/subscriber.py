"""A client that works on the messages of a RabbitMQ queue: they are pushed to it, it works, it acknowledges."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from attrs import field, frozen

from simulator.brokers.queue.node import ACK, CLOSED, CONSUME, DELIVER, HEARTBEAT, NACK, REFUSAL, RabbitMQ
from simulator.message import Message
from simulator.network import Fixed, Latency, as_latency
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, did_you_mean, not_negative, one_of, positive
from simulator.vocabulary import FAILED, IGNORED, PROCESSED, QUEUED, REJECTED, SKIPPED, STARTED, TIMED_OUT

if TYPE_CHECKING:
    from simulator.engine import Sim


def _as_keys(keys: Any) -> Any:
    return tuple(keys) if isinstance(keys, list) else keys


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

    queue: str
    group: str = field(default="", kw_only=True)
    """The name of the service it is part of; its own name if none is given."""
    prefetch_count: int = field(default=0, metadata=at_least(0), kw_only=True)
    """0: any number."""
    ack: Literal["after", "before", "auto"] = field(
        default="after", metadata=one_of("after", "before", "auto"), kw_only=True
    )
    work: Latency = field(default=Fixed(10.0), converter=as_latency, kw_only=True)
    """How long the work on one message takes, in ms."""
    concurrency: int = field(default=1, metadata=at_least(1), kw_only=True)
    idempotent: bool = field(default=False, kw_only=True)
    """Whether it remembers, durably and together with the work's effect, what it has processed."""
    poison: tuple[str, ...] = field(default=(), converter=_as_keys, kw_only=True)
    """The keys of messages on which the work always fails."""
    slow: tuple[str, ...] = field(default=(), converter=_as_keys, kw_only=True)
    """The keys of messages on which the work takes ``slow_work`` instead."""
    slow_work: Latency = field(default=Fixed(1_000.0), converter=as_latency, kw_only=True)
    requeue: bool = field(default=True, kw_only=True)
    """Where a message on which the work failed goes: back to its queue, or (False) to the dead-letter exchange, if there is
    one."""
    exclusive: bool = field(default=False, kw_only=True)
    heartbeat: float = field(default=60.0, metadata=not_negative("s"), kw_only=True)
    """Seconds, as in RabbitMQ: after so long a silence the broker takes the connection for dead; 0: never."""
    reconnect_after: float = field(default=1_000.0, metadata=positive("ms"), kw_only=True)
    """How long it waits for the broker's answer, or after a refusal, before it asks again."""

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        return _Consuming(self, sim).take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        brokers = _brokers(scenario, self.name)
        if len(brokers) != 1:
            yield f'{self}: it has one broker, and {len(brokers)} are linked to it; add one Link(broker, "{self.name}").'
            return
        queues = [each.name for each in brokers[0].queues]
        if self.queue not in queues:
            yield f'{self}: {brokers[0]} has no queue "{self.queue}" (NOT_FOUND); {did_you_mean(self.queue, queues)}'
        for name in ("poison", "slow"):
            keys = getattr(self, name)
            if not isinstance(keys, tuple) or not all(isinstance(key, str) for key in keys):
                yield f'{self}: {name} is {keys!r}; give a list of keys, as in ["order-3"].'


def _brokers(scenario: Scenario, name: str) -> list[RabbitMQ]:
    return [node for node in map(scenario.node, scenario.upstream(name)) if isinstance(node, RabbitMQ)]


class _Job(NamedTuple):
    """A delivery in hand, and the step that told that it waits."""

    record: Message
    connection: int
    tag: int
    queued: int


class _Consuming:
    """One life of a subscriber, from its start to its crash."""

    def __init__(self, subscriber: Subscriber, sim: Sim) -> None:
        self._subscriber = subscriber
        self._sim = sim
        (broker,) = _brokers(sim.scenario, subscriber.name)
        self._broker = broker.name
        self._work_time = subscriber.work.sampler(sim.random("work"))
        self._slow_time = subscriber.slow_work.sampler(sim.random("slow work"))
        self._times: dict[int, int] = sim.durable.setdefault("processed", {})
        self._connection = 0
        """The id of the request that opened the connection."""
        self._opened = False
        self._tags: set[int] = set()
        """The deliveries that this connection has brought: whatever a link does to them, TCP gives each once."""
        self._jobs: deque[_Job] = deque()
        self._idle = list(range(subscriber.concurrency))
        self._spoke = 0.0
        self._connect()

    # The connection.

    def _connect(self) -> None:
        sim, subscriber = self._sim, self._subscriber
        heartbeat = subscriber.heartbeat * 1_000.0
        auto_ack = subscriber.ack == "auto"
        wanted = (subscriber.queue, subscriber.prefetch_count, auto_ack, subscriber.exclusive, heartbeat)
        request = sim.envelope(CONSUME, None, wanted)
        self._connection, self._opened, self._tags = request.id, False, set()
        self._ask(request, 1)
        if heartbeat:
            sim.call_later(heartbeat / 2, self._show_life, request.id)

    def _ask(self, request: Message, attempt: int) -> None:
        sim = self._sim
        if self._opened or self._connection != request.id:
            return
        if attempt > 1:
            sim.record(TIMED_OUT, request, sim.index_of(self._broker), attempt - 1, sim.value("indefinite"))
        self._say(request, attempt)
        sim.call_later(self._subscriber.reconnect_after, self._ask, request, attempt + 1)

    def _say(self, message: Message, attempt: int = 1) -> None:
        self._spoke = self._sim.now
        self._sim.send(self._broker, message, attempt)

    def _show_life(self, connection: int) -> None:
        sim = self._sim
        if connection != self._connection:
            return
        half = self._subscriber.heartbeat * 500.0
        if sim.now - self._spoke >= half:
            self._say(sim.envelope(HEARTBEAT, None, connection))
        sim.call_later(half, self._show_life, connection)

    def take(self, message: Message, _: str) -> None:
        sim = self._sim
        if message.kind == DELIVER:
            self._deliver(message)
        elif message.kind == CLOSED:
            if message.payload == self._connection:
                self._lose()
                self._connect()
            else:
                sim.record(IGNORED, message, sim.value("that connection is closed already"))
        elif message.in_reply_to != self._connection or self._opened:
            sim.record(IGNORED, message, sim.value("nobody waits for it"))
        elif message.kind == REFUSAL:
            sim.record(FAILED, sim.message_of(message.in_reply_to), sim.value(message.payload))
            self._connection = 0
            sim.call_later(self._subscriber.reconnect_after, self._connect)
        else:
            self._opened = True

    def _lose(self) -> None:
        """The connection is gone, and with it what was waiting here; the broker will deliver it again."""
        sim = self._sim
        jobs, self._jobs = self._jobs, deque()
        for job in jobs:
            sim.record(IGNORED, job.record, sim.value("its connection is closed"), cause=job.queued)

    # The work.

    def _deliver(self, message: Message) -> None:
        sim = self._sim
        connection, tag, number, _ = message.payload
        if connection != self._connection or tag in self._tags:
            why = "a copy" if connection == self._connection else "its connection is closed"
            sim.record(IGNORED, message, sim.value(why))
            return
        self._tags.add(tag)
        record = sim.message_of(number)
        queued = sim.record(QUEUED, record, len(self._jobs) + 1)
        job = _Job(record, connection, tag, queued)
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
            self._done(job)
            return
        sim.record(STARTED, record, worker, cause=job.queued)
        yield sim.sleep(self._slow_time() if record.key in subscriber.slow else self._work_time())
        if record.key in subscriber.poison:
            sim.record(REJECTED, record, sim.value("poison"))
            if subscriber.ack == "after":
                self._give_up(job)
            return
        if not self._known(record):
            # A second worker may have had the same message in hand.
            self._times[record.id] = times = self._times.get(record.id, 0) + 1
            sim.record(PROCESSED, record, times)
        self._done(job)

    def _known(self, record: Message, cause: int | None = None) -> bool:
        if not self._subscriber.idempotent or record.id not in self._times:
            return False
        self._sim.record(SKIPPED, record, self._sim.value("processed before"), cause=cause)
        return True

    def _done(self, job: _Job) -> None:
        if self._subscriber.ack == "after":
            self._settle(job)

    def _settle(self, job: _Job) -> None:
        if job.connection == self._connection:
            self._say(self._sim.envelope(ACK, job.record.key, (job.connection, job.tag, False)))

    def _give_up(self, job: _Job) -> None:
        if job.connection == self._connection:
            requeue = self._subscriber.requeue
            self._say(self._sim.envelope(NACK, job.record.key, (job.connection, job.tag, False, requeue)))
