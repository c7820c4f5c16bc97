"""A client that reads a topic: fetch, work, commit."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import field, frozen

from simulator.brokers.log.assignors import range_assign
from simulator.brokers.log.topic import Topic
from simulator.message import Message
from simulator.network import Fixed, Latency, as_latency
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, one_of, positive
from simulator.vocabulary import ASSIGNED, FETCHED, IGNORED, PROCESSED, SKIPPED, STARTED

if TYPE_CHECKING:
    from simulator.engine import Sim

_WANTS_REPLY = (("reply", "wanted"),)

Fetched = tuple[Message, int, int, int]
"""A record in hand: the record, its partition, its offset, and the step that fetched it."""


@frozen
class Consumer(Node):
    """Reads its share of a topic's partitions, works on each record, and stores how far it came.

    ``commit="after"`` the work means at least once: a crash between the two repeats the work. ``commit="before"``
    (and waiting until that is stored) means at most once: a crash between the two skips it. An ``idempotent`` consumer
    remembers, durably and together with the work's effect, which records it has processed. The members of a group share
    the partitions by the range assignor, as set before the run (Kafka's ``assign``); they do not take over from each other.

    The settings have Apache Kafka's names and defaults (consumer configuration, 4.0). Simplified: it fetches when it
    has worked off what it had, and commits once for each fetch.
    """

    role: ClassVar[str] = "consumer"

    group: str = field(default="", kw_only=True)
    """The consumer group; its own name if none is given."""
    work: Latency = field(default=Fixed(10.0), converter=as_latency, kw_only=True)
    """How long the work on one record takes."""
    commit: Literal["after", "before"] = field(default="after", metadata=one_of("after", "before"), kw_only=True)
    commit_sync: bool = field(default=False, kw_only=True)
    """Whether it waits, after the work, until the commit is stored (``commitSync``), sending it again if that takes
    too long."""
    idempotent: bool = field(default=False, kw_only=True)
    concurrency: int = field(default=1, metadata=at_least(1), kw_only=True)
    """How many records of one fetch it works on at a time. With more than one, nothing keeps them in order."""
    max_poll_records: int = field(default=500, metadata=at_least(1), kw_only=True)
    fetch_max_wait_ms: float = field(default=500.0, metadata=positive("ms"), kw_only=True)
    request_timeout_ms: float = field(default=30_000.0, metadata=positive("ms"), kw_only=True)
    auto_offset_reset: Literal["latest", "earliest"] = field(
        default="latest", metadata=one_of("latest", "earliest"), kw_only=True
    )

    def behave(self, sim: Sim) -> Generator[Any, Any, None]:
        reading = _Reading(self, sim)
        yield from reading.find_places()
        while reading.places:
            records = yield from reading.fetch()
            if self.commit == "before":
                yield from reading.commit(records, wait=True)
            yield from reading.work(records)
            if self.commit == "after":
                yield from reading.commit(records, wait=self.commit_sync)

    def problems(self, scenario: Scenario) -> Iterator[str]:
        topics = _topics(scenario, self.name)
        if len(topics) != 1:
            yield f'{self}: it reads one topic, and {len(topics)} are linked to it; add one Link(topic, "{self.name}").'


def group_of(consumer: Consumer) -> str:
    """The name of the group that a consumer is in."""
    return consumer.group or consumer.name


def assignment(scenario: Scenario, consumer: Consumer) -> list[int]:
    """The partitions that this consumer reads."""
    (topic,) = _topics(scenario, consumer.name)
    members = [
        other.name
        for other in scenario.nodes_of(Consumer)
        if group_of(other) == group_of(consumer) and topic.name in scenario.upstream(other.name)
    ]
    return range_assign(topic.partitions, members)[consumer.name]


def _topics(scenario: Scenario, name: str) -> list[Topic]:
    return [node for node in map(scenario.node, scenario.upstream(name)) if isinstance(node, Topic)]


class _Reading:
    """One life of a consumer, from its start to its crash."""

    def __init__(self, consumer: Consumer, sim: Sim) -> None:
        self._consumer = consumer
        self._sim = sim
        self._topic = _topics(sim.scenario, consumer.name)[0].name
        self._group = group_of(consumer)
        self._group_value = sim.value(self._group)
        self._work_time = consumer.work.sampler(sim.random("work"))
        wait = consumer.fetch_max_wait_ms
        self._max_wait = int(wait) if wait == int(wait) else wait
        """A whole number where it is one: as such it takes less room in the trace."""
        self._times: dict[int, int] = sim.durable.setdefault("processed", {})
        self.places: dict[int, int] = {}
        """The next offset to read, by partition."""

    def find_places(self) -> Generator[Any, Any, None]:
        """Ask the topic where the group stands."""
        sim, consumer = self._sim, self._consumer
        partitions = assignment(sim.scenario, consumer)
        if not partitions:
            return
        answer = yield from self._ask("offsets", self._group, (int(consumer.auto_offset_reset == "earliest"), *partitions))
        for partition, offset in zip(answer.payload[::2], answer.payload[1::2], strict=True):
            sim.record(ASSIGNED, None, partition, offset, self._group_value)
            self.places[partition] = offset

    def fetch(self) -> Generator[Any, Any, list[Fetched]]:
        """The next records; none, if none came within ``fetch_max_wait_ms``."""
        sim, consumer, places = self._sim, self._consumer, self.places
        wanted: list[Any] = [consumer.max_poll_records, self._max_wait]
        for place in places.items():
            wanted += place
        answer = yield from self._ask("fetch", None, tuple(wanted))
        arrived, flat, record, message_of = sim.cause, answer.payload, sim.record, sim.message_of
        records: list[Fetched] = []
        reached: dict[int, int] = {}
        for partition, offset, number in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
            message = message_of(number)
            step = record(FETCHED, message, partition, offset, 0, arrived)
            records.append((message, partition, offset, step))
            reached[partition] = offset + 1
        for partition, following in reached.items():
            # A partition that was just read goes to the end of the line, so that a busy one does not starve the rest.
            places.pop(partition)
            places[partition] = following
        return records

    def work(self, records: list[Fetched]) -> Generator[Any, Any, None]:
        """Work on the records, up to ``concurrency`` at a time, and return when all are done."""
        workers = min(self._consumer.concurrency, len(records))
        todo = deque(records)
        if workers <= 1:
            yield from self._work_off(todo, 0)
            return
        done = self._sim.event()
        left = workers

        def one(worker: int) -> Generator[Any, Any, None]:
            nonlocal left
            yield from self._work_off(todo, worker)
            left -= 1
            if not left:
                done.succeed()

        for worker in range(workers):
            self._sim.spawn(one(worker))
        yield done

    def _work_off(self, todo: deque[Fetched], worker: int) -> Generator[Any, Any, None]:
        sim, times, skip_known, work_time = self._sim, self._times, self._consumer.idempotent, self._work_time
        while todo:
            record, _, _, fetched = todo.popleft()
            number = record.id
            if skip_known and number in times:
                sim.record(SKIPPED, record, sim.value("processed before"), cause=fetched)
                continue
            sim.record(STARTED, record, worker, cause=fetched)
            yield sim.sleep(work_time())
            if skip_known and number in times:
                # Another worker had a copy of the same record in hand.
                sim.record(SKIPPED, record, sim.value("processed before"))
                continue
            times[number] = attempt = times.get(number, 0) + 1
            sim.record(PROCESSED, record, attempt)

    def commit(self, records: list[Fetched], *, wait: bool) -> Generator[Any, Any, None]:
        """Store the next offsets to read of the partitions that these records come from."""
        if not records:
            return
        sim = self._sim
        places: list[int] = []
        for partition in sorted({partition for _, partition, _, _ in records}):
            places += (partition, self.places[partition])
        payload = tuple(places)
        if wait:
            yield from self._ask("commit", self._group, payload, _WANTS_REPLY)
        else:
            sim.send(self._topic, sim.envelope("commit", self._group, payload))

    def _ask(
        self, kind: str, key: str | None, payload: tuple[Any, ...], headers: tuple[tuple[str, str], ...] = ()
    ) -> Generator[Any, Any, Message]:
        """Ask the topic until it answers."""
        sim, patience = self._sim, self._consumer.request_timeout_ms
        attempt = 1
        while True:
            asked = sim.envelope(kind, key, payload, headers)
            sim.send(self._topic, asked)
            until = sim.now + patience
            answer: Message | None = yield sim.receive(timeout=patience)
            while answer is not None:
                if answer.in_reply_to == asked.id:
                    return answer
                # A copy of an earlier answer, or one that comes too late.
                sim.record(IGNORED, answer, sim.value("nobody waits for it"))
                answer = yield sim.receive(timeout=max(0.0, until - sim.now))
            sim.note("timed_out", asked, to=self._topic, attempt=attempt, outcome="indefinite")
            attempt += 1
