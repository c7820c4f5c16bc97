"""A client that works on the messages of a queue like Amazon SQS: receive, work, delete."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import simpy
from attrs import field, frozen

from simulator.brokers.sqs.attributes import BATCH_MAX, VISIBILITY_MAX, WAIT_MAX
from simulator.brokers.sqs.front import REFUSAL
from simulator.brokers.sqs.node import SqsQueue
from simulator.message import Message
from simulator.network import Fixed, Latency, as_latency
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, not_negative, one_of, optional, positive, whole_from
from simulator.vocabulary import FAILED, IGNORED, PROCESSED, QUEUED, REJECTED, SKIPPED, STARTED, TIMED_OUT

if TYPE_CHECKING:
    from simulator.engine import Sim, Timer


def _as_keys(keys: Any) -> Any:
    return tuple(keys) if isinstance(keys, list) else keys


@frozen
class SqsConsumer(Node):
    """Receives messages, works on each, and deletes it.

    ``delete="after"`` the work means at least once: a crash between the two, or work that takes longer than the visibility
    timeout, repeats the work. ``delete="before"`` the work means at most once. Several consumers of one queue compete for its
    messages; with one ``group`` between them their work counts as one service's.

    The parameters of a receive have Amazon SQS's names and limits and are in seconds, as there; None leaves it to the queue.
    ``wait_time_seconds`` is 20 here, AWS's advice; AWS's own default is the queue's, 0.
    """

    role: ClassVar[str] = "consumer"

    group: str = field(default="", kw_only=True)
    """The name of the service it is part of; its own name if none is given."""
    work: Latency = field(default=Fixed(10.0), converter=as_latency, kw_only=True)
    """How long the work on one message takes, in milliseconds."""
    max_number_of_messages: int = field(default=1, metadata=whole_from(1, BATCH_MAX), kw_only=True)
    wait_time_seconds: int | None = field(default=20, metadata=whole_from(0, WAIT_MAX, "s", or_none=True), kw_only=True)
    visibility_timeout: int | None = field(
        default=None, metadata=whole_from(0, VISIBILITY_MAX, "s", or_none=True), kw_only=True
    )
    delete: Literal["after", "before", "together"] = field(
        default="after", metadata=one_of("after", "before", "together"), kw_only=True
    )
    """"together": after the work, all messages of a receive by one request (``DeleteMessageBatch``)."""
    heartbeat: float | None = field(default=None, metadata=optional(positive("ms")), kw_only=True)
    """While it works on a message, it hides it anew every so many ms; None: never."""
    concurrency: int = field(default=1, metadata=at_least(1), kw_only=True)
    """How many messages of one receive it works on at a time; of a FIFO queue, how many message groups."""
    idempotent: bool = field(default=False, kw_only=True)
    """Whether it remembers, durably and together with the work's effect, what it has processed."""
    poison: tuple[str, ...] = field(default=(), converter=_as_keys, kw_only=True)
    """The keys of messages on which the work fails, always …"""
    poison_until: float | None = field(default=None, metadata=optional(not_negative("ms")), kw_only=True)
    """… or up to this time, when the mistake in the code is mended."""
    retry_after: int | None = field(default=None, metadata=whole_from(0, VISIBILITY_MAX, "s", or_none=True), kw_only=True)
    """Seconds for which it hides a message on which the work failed (``ChangeMessageVisibility``; 0: it is to be had at once);
    None: it comes again when its visibility timeout is over."""
    pause: float = field(default=100.0, metadata=not_negative("ms"), kw_only=True)
    """How long it waits after an answer without messages before it asks again; a long poll has waited already."""
    timeout: float = field(default=1_000.0, metadata=positive("ms"), kw_only=True)
    """How long it waits for an answer, beyond what a long poll takes, before it asks again."""

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        receiving = _Receiving(self, sim)
        sim.spawn(receiving.loop())
        return receiving.take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        queues = _queues(scenario, self.name)
        if len(queues) != 1:
            yield f'{self}: it reads one queue, and {len(queues)} are linked to it; add one Link(queue, "{self.name}").'
        if not isinstance(self.poison, tuple) or not all(isinstance(key, str) for key in self.poison):
            yield f'{self}: poison is {self.poison!r}; give a list of keys, as in ["order-3"].'


def _queues(scenario: Scenario, name: str) -> list[SqsQueue]:
    return [node for node in map(scenario.node, scenario.upstream(name)) if isinstance(node, SqsQueue)]


class _InHand(NamedTuple):
    """A received message: the record, its receipt handle, and the step that told that it waits."""

    record: Message
    handle: int
    queued: int


class _Receiving:
    """One life of a consumer, from its start to its crash."""

    def __init__(self, consumer: SqsConsumer, sim: Sim) -> None:
        self._consumer = consumer
        self._sim = sim
        (self._queue,) = _queues(sim.scenario, consumer.name)
        self._work_time = consumer.work.sampler(sim.random("work"))
        self._times: dict[int, int] = sim.durable.setdefault("processed", {})
        self._asked: dict[int, simpy.Event] = {}
        self._done: list[_InHand] = []
        """What is to be deleted together."""
        hidden = consumer.visibility_timeout
        self._hidden = self._queue.visibility_timeout if hidden is None else hidden

    def take(self, answer: Message, _: str) -> None:
        waiting = self._asked.pop(answer.in_reply_to, None)
        if waiting is None:
            self._sim.record(IGNORED, answer, self._sim.value("nobody waits for it"))
        else:
            waiting.succeed(answer)

    def loop(self) -> Generator[Any, Any, None]:
        sim, consumer = self._sim, self._consumer
        while True:
            held = yield from self._receive()
            if not held:
                yield sim.sleep(consumer.pause)
            lots = self._lots(held)
            workers = min(consumer.concurrency, len(lots))
            if workers <= 1:
                yield from self._work_off(lots, 0)
            else:
                done = [sim.event() for _ in range(workers)]
                for worker, over in enumerate(done):
                    sim.spawn(self._work_beside(lots, worker, over))
                for over in done:
                    yield over
            if self._done:
                yield from self._delete_together()

    def _lots(self, held: list[_InHand]) -> deque[list[_InHand]]:
        """What is worked on one after the other by one worker: each message group of a FIFO queue, or each message."""
        if not self._queue.fifo_queue:
            return deque([one] for one in held)
        groups: dict[str, list[_InHand]] = {}
        for one in held:
            groups.setdefault(dict(one.record.headers).get("message_group_id", ""), []).append(one)
        return deque(groups.values())

    def _receive(self) -> Generator[Any, Any, list[_InHand]]:
        sim, consumer, queue = self._sim, self._consumer, self._queue
        wait = consumer.wait_time_seconds
        waits = queue.receive_message_wait_time_seconds if wait is None else wait
        # The same for all attempts of one receive; AWS's own clients make such an id up for FIFO queues.
        attempt = f"{consumer.name}-{sim.cause}" if queue.fifo_queue else None
        wanted = (consumer.max_number_of_messages, wait, consumer.visibility_timeout, attempt)
        answer = yield from self._ask("receive_message", None, wanted, 1_000.0 * waits)
        if answer.kind == REFUSAL:
            sim.record(FAILED, sim.message_of(answer.in_reply_to), sim.value(answer.payload))
            return []
        arrived, flat = sim.cause, answer.payload
        held: list[_InHand] = []
        for number, handle in zip(flat[::3], flat[1::3], strict=True):
            record = sim.message_of(number)
            held.append(_InHand(record, handle, sim.record(QUEUED, record, len(held) + 1, cause=arrived)))
        return held

    def _work_beside(self, lots: deque[list[_InHand]], worker: int, over: simpy.Event) -> Generator[Any, Any, None]:
        yield from self._work_off(lots, worker)
        over.succeed()

    def _work_off(self, lots: deque[list[_InHand]], worker: int) -> Generator[Any, Any, None]:
        sim = self._sim
        while lots:
            lot = lots.popleft()
            for place, one in enumerate(lot):
                if (yield from self._work_on(one, worker)):
                    continue
                for later in lot[place + 1 :]:
                    # It must not overtake the one on which the work failed; it comes again behind that.
                    sim.record(
                        IGNORED, later.record, sim.value("an earlier message of its group failed"), cause=later.queued
                    )
                break

    def _work_on(self, one: _InHand, worker: int) -> Generator[Any, Any, bool]:
        """Work on a message; tells whether the work on it is done."""
        sim, consumer, record = self._sim, self._consumer, one.record
        if consumer.idempotent and record.id in self._times:
            sim.record(SKIPPED, record, sim.value("processed before"), cause=one.queued)
            yield from self._finish(one)
            return True
        if consumer.delete == "before":
            yield from self._delete(one)
        sim.record(STARTED, record, worker, cause=one.queued)
        beat = self._beat(one)
        yield sim.sleep(self._work_time())
        if beat is not None:
            beat.stop()
        mended = consumer.poison_until is not None and sim.now >= consumer.poison_until
        if record.key in consumer.poison and not mended:
            sim.record(REJECTED, record, sim.value("the work on it fails"))
            if consumer.retry_after is not None and consumer.delete != "before":
                yield from self._tell("change_message_visibility", one, (one.handle, consumer.retry_after))
            return False
        if consumer.idempotent and record.id in self._times:
            # Another worker had a copy of the same record in hand.
            sim.record(SKIPPED, record, sim.value("processed before"))
        else:
            self._times[record.id] = attempt = self._times.get(record.id, 0) + 1
            sim.record(PROCESSED, record, attempt)
        if consumer.delete != "before":
            yield from self._finish(one)
        return True

    def _finish(self, one: _InHand) -> Generator[Any, Any, None]:
        if self._consumer.delete == "together":
            self._done.append(one)
        else:
            yield from self._delete(one)

    def _delete(self, one: _InHand) -> Generator[Any, Any, None]:
        yield from self._tell("delete_message", one, (one.handle,))

    def _tell(self, kind: str, one: _InHand, payload: tuple[int, ...]) -> Generator[Any, Any, None]:
        answer = yield from self._ask(kind, one.record.key, payload)
        if answer.kind == REFUSAL:
            self._sim.record(FAILED, one.record, self._sim.value(answer.payload))

    def _delete_together(self) -> Generator[Any, Any, None]:
        sim = self._sim
        done, self._done = self._done, []
        answer = yield from self._ask("delete_message_batch", None, tuple(one.handle for one in done))
        arrived = sim.cause
        for one, refused in zip(done, answer.payload, strict=True):
            if refused:
                sim.record(FAILED, one.record, sim.value(refused), cause=arrived)

    def _beat(self, one: _InHand) -> _Heartbeat | None:
        consumer = self._consumer
        if consumer.heartbeat is None or consumer.delete == "before":
            return None
        return _Heartbeat(self._sim, self._queue.name, one, consumer.heartbeat, self._hidden, self._asked)

    def _ask(self, kind: str, key: str | None, payload: tuple[Any, ...], more: float = 0.0) -> Generator[Any, Any, Message]:
        """Ask the queue until it answers; it may take ``more`` ms than usual."""
        sim = self._sim
        attempt = 1
        while True:
            asked = sim.envelope(kind, key, payload)
            waiting = self._asked[asked.id] = sim.event()
            timer = sim.call_later(self._consumer.timeout + more, self._lapse, asked, attempt)
            sim.send(self._queue.name, asked)
            answer: Message | None = yield waiting
            timer.cancel()
            if answer is not None:
                return answer
            attempt += 1

    def _lapse(self, asked: Message, attempt: int) -> None:
        sim = self._sim
        waiting = self._asked.pop(asked.id, None)
        if waiting is None:
            # The answer came at this very moment, as after a pause, and nobody has called the timer off yet.
            return
        sim.record(TIMED_OUT, asked, sim.index_of(self._queue.name), attempt, sim.value("indefinite"))
        waiting.succeed(None)


class _Heartbeat:
    """Hides a message anew every so often, while the work on it goes on."""

    def __init__(
        self, sim: Sim, queue: str, one: _InHand, every: float, seconds: int, asked: dict[int, simpy.Event]
    ) -> None:
        self._sim = sim
        self._queue = queue
        self._one = one
        self._every = every
        self._seconds = seconds
        self._asked = asked
        self._timer: Timer = sim.call_later(every, self._beat)

    def stop(self) -> None:
        self._timer.cancel()

    def _beat(self) -> None:
        sim = self._sim
        asked = sim.envelope("change_message_visibility", self._one.record.key, (self._one.handle, self._seconds))
        # Nobody waits for the answer, but it is no surprise either.
        self._asked[asked.id] = sim.event()
        sim.send(self._queue, asked)
        self._timer = sim.call_later(self._every, self._beat)
