"""The life of an application that reads in a group: it polls, works on what it was given, and polls again."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simulator.clients.kafka_client import Bell, ClusterClient
from simulator.clients.kafka_fetching import Fetched, Fetching
from simulator.clients.kafka_group import Doing, GroupError, GroupMember
from simulator.clients.kafka_settings import KafkaReader
from simulator.vocabulary import FAILED, PROCESSED, SKIPPED, STARTED, STOPPED

if TYPE_CHECKING:
    from simulator.engine import Sim


class Reading:
    """One life of a node that reads in a group: what `KafkaConsumer` and `KafkaProcessor` share."""

    def __init__(self, reader: KafkaReader, sim: Sim, *, reads_committed: bool) -> None:
        self.sim = sim
        self.client = ClusterClient(sim, reader)
        self._bell = Bell(sim)
        self.wake = self._bell.ring
        self.fetching = Fetching(self.client, reader, reads_committed=reads_committed, wake=self.wake)
        self.member = GroupMember(self.client, reader, self.fetching, self.wake)
        self._reader = reader
        self._closing = False
        self._work_time = reader.work.sampler(sim.random("work"))
        self._times: dict[int, int] = sim.durable.setdefault("processed", {})

    def run(self) -> Doing:
        """Start, poll and work until it is closed or fails."""
        sim, reader = self.sim, self._reader
        if sim.now < reader.start_at:
            yield sim.sleep(reader.start_at - sim.now)
        if reader.close_at is not None:
            if sim.now >= reader.close_at:
                return
            sim.call_later(reader.close_at - sim.now, self._close)
        sim.spawn(self.member.beat())
        try:
            yield from self.prepare()
            while not self._closing:
                records = yield from self._poll()
                if records:
                    yield from self.handle(records)
            yield from self.before_rejoining()
        except GroupError as error:
            sim.record(FAILED, None, sim.value(str(error)))
        self.member.close()
        sim.record(STOPPED)

    def prepare(self) -> Doing:
        """What has to be done before the first poll."""
        yield from ()

    def handle(self, records: list[Fetched]) -> Doing:
        """Work on what one poll has given."""
        raise NotImplementedError

    def on_poll(self) -> None:
        """Called at each poll, when the work on what the last one gave is done."""

    def before_rejoining(self) -> Doing:
        """Commit what there is to commit before partitions may go to others, or the application ends."""
        yield from ()

    @property
    def due(self) -> float:
        """When it is to poll again although nothing has come."""
        return math.inf

    def wait(self) -> Doing:
        """Until something has come, or is due."""
        yield from self._bell.wait(self.due)

    def work(self, fetched: Fetched, *, skip_known: bool = False) -> Generator[Any, Any, bool]:
        """Work on one record; whether its effect happened."""
        sim, record = self.sim, fetched.record
        if skip_known and record.id in self._times:
            sim.record(SKIPPED, record, sim.value("processed before"), cause=fetched.step)
            return False
        sim.record(STARTED, record, 0, cause=fetched.step)
        yield sim.sleep(self._work_time())
        self._times[record.id] = attempt = self._times.get(record.id, 0) + 1
        sim.record(PROCESSED, record, attempt)
        return True

    def _poll(self) -> Generator[Any, Any, list[Fetched]]:
        """Wait for records; do what the group asks for meanwhile."""
        self.member.membership.polls()
        records: list[Fetched] = []
        while not self._closing and not records:
            yield from self.member.poll(self.before_rejoining)
            self.on_poll()
            if self.fetching.lost:
                self.sim.record(FAILED, None, self.sim.value(self.fetching.lost))
                self._closing = True
            if not self._closing:
                records = self.fetching.take()
                self.fetching.ask()
                if not records and not self.member.stirs:
                    yield from self.wait()
        self.member.membership.polled(self.sim.now)
        return records

    def _close(self) -> None:
        self._closing = True
        self.wake()
