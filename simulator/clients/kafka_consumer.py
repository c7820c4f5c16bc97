"""A client that reads topics of a Kafka cluster as a member of a group: poll, work, commit."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import simpy
from attrs import field, frozen

from simulator.brokers.log.assignors import ASSIGNORS
from simulator.brokers.log.membership import Membership
from simulator.brokers.log.partition import IsolationLevel
from simulator.clients.kafka_client import ClusterClient, client_problems
from simulator.clients.kafka_fetching import Fetched, Fetching, OffsetReset
from simulator.clients.kafka_group import GroupFenced, GroupMember
from simulator.message import Message
from simulator.network import Fixed, Latency, as_latency
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, did_you_mean, not_negative, one_of, optional, positive
from simulator.vocabulary import FAILED, PROCESSED, SKIPPED, STARTED, STOPPED

if TYPE_CHECKING:
    from simulator.engine import Sim


def as_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """A single name means a list of one."""
    return (names,) if isinstance(names, str) else tuple(names)


@frozen
class KafkaReader(Node):
    """What every node has that reads topics of a cluster in a group: settings with Apache Kafka's names and defaults
    (consumer configuration, 4.0)."""

    group: str = field(default="", kw_only=True)
    """``group.id``; its own name if none is given."""
    topics: tuple[str, ...] = field(default=("orders",), converter=as_names, kw_only=True)
    work: Latency = field(default=Fixed(10.0), converter=as_latency, kw_only=True)
    """How long the work on one record takes."""
    partition_assignment_strategy: tuple[str, ...] = field(
        default=("range", "cooperative-sticky"), converter=as_names, kw_only=True
    )
    """The assignors that it knows, its favourite first. It stops reading in a rebalance unless all are cooperative."""
    group_instance_id: str | None = field(default=None, kw_only=True)
    """A name of its own makes it a static member: after a restart it is the same one."""
    session_timeout_ms: float = field(default=45_000.0, metadata=positive("ms"), kw_only=True)
    heartbeat_interval_ms: float = field(default=3_000.0, metadata=positive("ms"), kw_only=True)
    max_poll_interval_ms: float = field(default=300_000.0, metadata=positive("ms"), kw_only=True)
    max_poll_records: int = field(default=500, metadata=at_least(1), kw_only=True)
    fetch_max_wait_ms: float = field(default=500.0, metadata=not_negative("ms"), kw_only=True)
    request_timeout_ms: float = field(default=30_000.0, metadata=positive("ms"), kw_only=True)
    retry_backoff_ms: float = field(default=100.0, metadata=not_negative("ms"), kw_only=True)
    auto_offset_reset: OffsetReset = field(default="latest", metadata=one_of("latest", "earliest", "none"), kw_only=True)
    isolation_level: IsolationLevel = field(
        default="read_uncommitted", metadata=one_of("read_uncommitted", "read_committed"), kw_only=True
    )
    start_at: float = field(default=0.0, metadata=not_negative("ms"), kw_only=True)
    """When it is started."""
    close_at: float | None = field(default=None, metadata=optional(not_negative("ms")), kw_only=True)
    """When it is closed in good order; None: never."""

    def problems(self, scenario: Scenario) -> Iterator[str]:
        yield from client_problems(scenario, self.name, str(self), self.topics)
        if not self.topics:
            yield f'{self}: topics is empty; name at least one, as in topics=["orders"].'
        for assignor in self.partition_assignment_strategy:
            if assignor not in ASSIGNORS:
                yield (f'{self}: partition_assignment_strategy knows no "{assignor}"; {did_you_mean(assignor, ASSIGNORS)}')
        if not self.partition_assignment_strategy:
            yield f"{self}: partition_assignment_strategy is empty; name at least one of {', '.join(ASSIGNORS)}."
        if self.request_timeout_ms <= self.fetch_max_wait_ms:
            yield (
                f"{self}: request_timeout_ms is {self.request_timeout_ms}; it must be above fetch_max_wait_ms,"
                f" {self.fetch_max_wait_ms}, or every fetch that finds nothing times out."
            )
        if self.heartbeat_interval_ms >= self.session_timeout_ms:
            yield (
                f"{self}: heartbeat_interval_ms is {self.heartbeat_interval_ms}; it must be below session_timeout_ms,"
                f" {self.session_timeout_ms}."
            )


@frozen
class KafkaConsumer(KafkaReader):
    """Reads topics of the cluster whose brokers are linked to it, shares them with its group, and works record by record.

    With ``enable_auto_commit`` it commits as it polls, at most every ``auto_commit_interval_ms``, what the polls before gave
    it. Without, it commits (and waits for that, if ``commit_sync``) after the work on what one poll gave it, or before. An
    ``idempotent`` consumer remembers, durably and together with the work's effect, what it has processed.
    """

    role: ClassVar[str] = "consumer"

    enable_auto_commit: bool = field(default=True, kw_only=True)
    auto_commit_interval_ms: float = field(default=5_000.0, metadata=not_negative("ms"), kw_only=True)
    commit: Literal["after", "before"] = field(default="after", metadata=one_of("after", "before"), kw_only=True)
    commit_sync: bool = field(default=True, kw_only=True)
    idempotent: bool = field(default=False, kw_only=True)

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        consuming = _Consuming(self, sim)
        sim.spawn(consuming.run())
        return consuming.client.take


class Reading:
    """One life of a node that reads in a group: what `KafkaConsumer` and `KafkaProcessor` share."""

    def __init__(self, reader: KafkaReader, sim: Sim) -> None:
        self._reader = reader
        self._sim = sim
        self.client = ClusterClient(
            sim, request_timeout_ms=reader.request_timeout_ms, retry_backoff_ms=reader.retry_backoff_ms
        )
        self._wakened: simpy.Event | None = None
        self._closing = False
        self._work_time = reader.work.sampler(sim.random("work"))
        self._times: dict[int, int] = sim.durable.setdefault("processed", {})
        self._fetching = Fetching(
            self.client,
            isolation_level=reader.isolation_level,
            auto_offset_reset=reader.auto_offset_reset,
            max_poll_records=reader.max_poll_records,
            fetch_max_wait_ms=reader.fetch_max_wait_ms,
            wake=self._wake,
        )
        membership = Membership(
            reader.topics,
            assignors=reader.partition_assignment_strategy,
            instance_id=reader.group_instance_id,
            session_timeout_ms=reader.session_timeout_ms,
            heartbeat_interval_ms=reader.heartbeat_interval_ms,
            max_poll_interval_ms=reader.max_poll_interval_ms,
        )
        self._member = GroupMember(self.client, reader.group or reader.name, membership, self._fetching, self._wake)

    def run(self) -> Generator[Any, Any, None]:
        """The application's life: start, poll and work until it is closed or fenced."""
        sim, reader = self._sim, self._reader
        if sim.now < reader.start_at:
            yield sim.sleep(reader.start_at - sim.now)
        if reader.close_at is not None:
            if sim.now >= reader.close_at:
                return
            sim.call_later(reader.close_at - sim.now, self._close)
        sim.spawn(self._member.beat())
        try:
            yield from self._prepare()
            while not self._closing:
                records = yield from self._poll()
                if records:
                    yield from self._handle(records)
            yield from self._commit_all()
        except GroupFenced as fenced:
            sim.record(FAILED, None, sim.value(str(fenced)))
        self._member.leave()
        sim.record(STOPPED)

    def _prepare(self) -> Generator[Any, Any, None]:
        """What has to be done before the first poll."""
        return
        yield

    def _handle(self, records: list[Fetched]) -> Generator[Any, Any, None]:
        """Work on what one poll has given."""
        raise NotImplementedError

    def _commit_all(self) -> Generator[Any, Any, None]:
        """Commit, before partitions are given up, how far the work has come."""
        raise NotImplementedError

    def _on_poll(self) -> None:
        """Called at each poll, when the work on what the last one gave is done."""

    def _poll(self) -> Generator[Any, Any, list[Fetched]]:
        """Wait for records; do what the group asks for meanwhile."""
        while True:
            self._member.membership.polled(self._sim.now)
            yield from self._member.poll(self._commit_all)
            self._on_poll()
            if self._fetching.lost:
                self._sim.record(FAILED, None, self._sim.value("OFFSET_OUT_OF_RANGE"))
                self._closing = True
            if self._closing:
                return []
            records = self._fetching.take()
            self._fetching.ask()
            if records:
                return records
            if not self._member.stirs:
                yield from self._wait()

    def _wait(self) -> Generator[Any, Any, None]:
        """Until something has come: an application that polls does so again and again, so it is never late for a poll."""
        interval = self._reader.max_poll_interval_ms / 2
        self._wakened = event = self._sim.event()
        timer = self._sim.call_later(interval, self._wake)
        yield event
        timer.cancel()

    def _wake(self) -> None:
        if self._wakened is not None:
            wakened, self._wakened = self._wakened, None
            wakened.succeed()

    def _close(self) -> None:
        self._closing = True
        self._wake()

    def _work(self, fetched: Fetched, *, skip_known: bool = False) -> Generator[Any, Any, bool]:
        """Work on one record; whether its effect happened."""
        sim, record = self._sim, fetched.record
        if skip_known and record.id in self._times:
            sim.record(SKIPPED, record, sim.value("processed before"), cause=fetched.step)
            return False
        sim.record(STARTED, record, 0, cause=fetched.step)
        yield sim.sleep(self._work_time())
        self._times[record.id] = attempt = self._times.get(record.id, 0) + 1
        sim.record(PROCESSED, record, attempt)
        return True


class _Consuming(Reading):
    def __init__(self, consumer: KafkaConsumer, sim: Sim) -> None:
        super().__init__(consumer, sim)
        self._consumer = consumer
        self._next_commit = consumer.auto_commit_interval_ms
        self._committed: dict[int, int] = {}

    def _handle(self, records: list[Fetched]) -> Generator[Any, Any, None]:
        consumer = self._consumer
        by_hand = not consumer.enable_auto_commit
        reached = {each.partition: each.offset + 1 for each in records}
        if by_hand and consumer.commit == "before":
            yield from self._member.commit(reached)
        for fetched in records:
            yield from self._work(fetched, skip_known=consumer.idempotent)
        if by_hand and consumer.commit == "after":
            still_mine = {number: offset for number, offset in reached.items() if number in self._fetching.positions}
            if consumer.commit_sync:
                yield from self._member.commit(still_mine)
            elif still_mine:
                self._member.commit_later(still_mine)

    def _on_poll(self) -> None:
        consumer, now = self._consumer, self._sim.now
        if consumer.enable_auto_commit and now >= self._next_commit:
            self._next_commit = now + consumer.auto_commit_interval_ms
            moved = self._moved()
            if moved:
                self._committed |= moved
                self._member.commit_later(moved)

    def _commit_all(self) -> Generator[Any, Any, None]:
        moved = self._moved()
        if self._consumer.enable_auto_commit and moved and self._member.membership.generation >= 0:
            self._committed |= moved
            yield from self._member.commit(moved)

    def _moved(self) -> dict[int, int]:
        """The places that have changed since they were last committed."""
        return {
            number: offset for number, offset in self._fetching.positions.items() if self._committed.get(number) != offset
        }
