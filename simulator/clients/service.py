"""The answering side of request-response: a queue, some workers, perhaps calls to other services, perhaps events to tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Literal

import attrs
from attrs import field, frozen

from simulator.brokers.log.topic import NO_ACK
from simulator.clients.breaker import CircuitBreaker
from simulator.clients.calls import REFUSAL, REPLY, Calls
from simulator.clients.retry import Retry
from simulator.message import Message
from simulator.network import Fixed, Latency, as_latency
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, did_you_mean, one_of, optional, positive
from simulator.values import Part
from simulator.vocabulary import CREATED, PROCESSED, PUBLISHED, QUEUED, REJECTED, SKIPPED, STARTED

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class Call(Part):
    """A request that a service makes while it works on one of its own."""

    to: str
    request: str = "request"
    """The request's kind, a command's name such as ``"ChargeCard"``."""


def _as_calls(values: Iterable[str | Call]) -> tuple[Call, ...]:
    return tuple(
        value if isinstance(value, Call) else Call(value) for value in ([values] if isinstance(values, str) else values)
    )


def _as_names(values: Iterable[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


@frozen
class Service(Node):
    """Answers requests: each takes a worker for ``work`` ms and for as long as its ``calls`` take, one after the other.

    Then the effect happens (``processed``), an event is handed to each of the topics in ``publishes``, and the caller
    gets its reply. With ``acks="all"`` the reply waits until the topics have stored the event, but never for their
    consumers; it holds no worker meanwhile (a real producer client has a thread of its own for sending). With
    ``acks=0`` it does not even wait for that.

    A request that finds all workers busy queues; one that finds ``queue_limit`` requests queued is refused, and so is one
    for which a call comes to nothing. What was processed is in durable state (``processed``: how many times, by message
    id) and outlives a crash; the queue and work under way do not.

    A service that is asked twice works twice, and calls others in new messages, unless it is ``idempotent``: then it
    does nothing twice, but answers again, and it hands the idempotency key on: what it asks others for a repeated
    request has the ids of the first time.
    """

    workers: int = field(default=1, metadata=at_least(1), kw_only=True)
    queue_limit: int | None = field(default=None, metadata=at_least(0, or_none=True), kw_only=True)
    work: Latency = field(default=Fixed(10.0), converter=as_latency, kw_only=True)
    calls: tuple[Call, ...] = field(default=(), converter=_as_calls, kw_only=True)
    """Services to call, by name, or as `Call` where the request has a name of its own."""
    call_timeout: float | None = field(default=None, metadata=optional(positive("ms")), kw_only=True)
    """How long an attempt of a call, or of handing over an event, waits for its answer; None: for ever."""
    retry: Retry | None = field(default=None, kw_only=True)
    breaker: CircuitBreaker | None = field(default=None, kw_only=True)
    publishes: tuple[str, ...] = field(default=(), converter=_as_names, kw_only=True)
    event: str = field(default="OrderCreated", kw_only=True)
    """The type of the events it publishes."""
    acks: Literal["all", 1, 0] = field(default="all", metadata=one_of("all", 1, 0), kw_only=True)
    idempotent: bool = field(default=False, kw_only=True)

    def problems(self, scenario: Scenario) -> Iterator[str]:
        reached = scenario.downstream(self.name)
        for verb, to in [*(("calls", call.to) for call in self.calls), *(("publishes", topic) for topic in self.publishes)]:
            if not scenario.linked(self.name, to):
                yield f'{self}: {verb} names "{to}", but no link joins the two; {did_you_mean(to, reached)}'

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        return _Counter(self, sim).receive


_WELL: tuple[str, int | None] = ("", None)
"""How what was not called ended: without a failure, and without a step."""


@attrs.define(slots=True)
class _Job:
    """A request in the house: who waits for the answer, and the step that begins or ends its wait."""

    message: Message
    caller: str
    queued: int | None


class _Counter:
    """A service at work, from one start to the next crash."""

    def __init__(self, service: Service, sim: Sim) -> None:
        self._service = service
        self._sim = sim
        self._calls = Calls(sim, service.call_timeout, service.retry, service.breaker)
        self._work = service.work.sampler(sim.random("work"))
        self._queue: deque[_Job] = deque()
        self._idle = list(range(service.workers))
        self._processed: dict[int, int] = sim.durable.setdefault("processed", {})
        self._asked: dict[tuple[int, int], Message] = sim.durable.setdefault("asked", {})

    def receive(self, message: Message, sender: str) -> None:
        """A request or an answer arrived."""
        if message.in_reply_to:
            self._calls.settle(message)
        elif self._idle:
            self._sim.spawn(self._serve(heappop(self._idle), _Job(message, sender, None)))
        elif self._service.queue_limit is not None and len(self._queue) >= self._service.queue_limit:
            self._refuse(_Job(message, sender, None), "queue full")
        else:
            queued = self._sim.record(QUEUED, message, len(self._queue) + 1)
            self._queue.append(_Job(message, sender, queued))

    def _serve(self, worker: int, job: _Job) -> Generator[Any, Any, None]:
        """A worker's way from one request to the next, until none waits."""
        sim, queue = self._sim, self._queue
        while True:
            message = job.message
            sim.record(STARTED, message, worker, cause=job.queued)
            if not self._already_done(job):
                yield sim.sleep(self._work())
                failure, step = (yield from self._call_all(job)) if self._service.calls else _WELL
                if failure:
                    self._refuse(job, failure, step)
                elif not self._already_done(job):
                    self._finish(job, step)
            if not queue:
                break
            job = queue.popleft()
        heappush(self._idle, worker)

    def _call_all(self, job: _Job) -> Generator[Any, Any, tuple[str, int | None]]:
        """Call the other services in turn, up to the first that fails, and tell how the last call ended."""
        sim = self._sim
        failure, step = _WELL
        for place, call in enumerate(self._service.calls):
            request = self._request(place, call, job.message, step)
            answered = sim.event()
            self._calls.begin(call.to, request, answered.succeed)
            failure, step = yield answered
            if failure:
                break
        return failure, step

    def _request(self, place: int, call: Call, asked: Message, cause: int | None) -> Message:
        known = self._asked.get((asked.id, place))
        if known is not None:
            return known
        request = self._sim.message(call.request, asked.key, asked.payload)
        if self._service.idempotent:
            self._asked[asked.id, place] = request
        self._sim.record(CREATED, request, cause=cause)
        return request

    def _already_done(self, job: _Job) -> bool:
        if not self._service.idempotent or job.message.id not in self._processed:
            return False
        self._sim.record(SKIPPED, job.message, self._sim.value("already processed"))
        self._reply(job)
        return True

    def _finish(self, job: _Job, cause: int | None) -> None:
        sim, message = self._sim, job.message
        times = self._processed.get(message.id, 0) + 1
        self._processed[message.id] = times
        processed = sim.record(PROCESSED, message, times, cause=cause)
        if self._service.publishes:
            sim.spawn(self._publish(job, processed))
        else:
            self._reply(job)

    def _publish(self, job: _Job, processed: int) -> Generator[Any, Any, None]:
        """Tell the topics what happened, then the caller."""
        sim = self._sim
        wants_ack = self._service.acks != 0
        event = sim.message(self._service.event, job.message.key, job.message.payload, () if wants_ack else NO_ACK)
        sim.record(CREATED, event, cause=processed)
        failure, step = _WELL
        for topic in self._service.publishes:
            sim.record(PUBLISHED, event, sim.index_of(topic), cause=processed)
            if not wants_ack:
                sim.send(topic, event)
                continue
            stored = sim.event()
            self._calls.begin(topic, event, stored.succeed)
            why, step = yield stored
            failure = failure or why
        if failure:
            self._refuse(job, failure, step)
        else:
            self._reply(job)

    def _refuse(self, job: _Job, reason: str, cause: int | None = None) -> None:
        sim, message = self._sim, job.message
        sim.record(REJECTED, message, sim.value(reason), cause=cause)
        sim.send(job.caller, sim.envelope(REFUSAL, message.key, reason, (), message.id))

    def _reply(self, job: _Job) -> None:
        message = job.message
        self._sim.send(job.caller, self._sim.envelope(REPLY, message.key, None, (), message.id))
