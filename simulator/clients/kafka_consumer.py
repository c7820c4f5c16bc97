"""A client that reads topics of a Kafka cluster as a member of a group: poll, work, commit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import field, frozen

from simulator.clients.kafka_fetching import Fetched
from simulator.clients.kafka_group import Doing
from simulator.clients.kafka_reading import Reading
from simulator.clients.kafka_settings import KafkaReader
from simulator.message import Message
from simulator.scenario import Scenario
from simulator.validation import not_negative, one_of

if TYPE_CHECKING:
    from simulator.engine import Sim


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
    """Only without ``enable_auto_commit``."""
    commit_sync: bool = field(default=True, kw_only=True)
    """Only for a commit after the work: before it, nobody works on what is not committed yet."""
    idempotent: bool = field(default=False, kw_only=True)

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        consuming = _Consuming(self, sim)
        sim.spawn(consuming.run())
        return consuming.client.take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        yield from self.cluster_problems(scenario, self.topics)
        yield from self.reading_problems(scenario)


class _Consuming(Reading):
    """One life of a consumer."""

    def __init__(self, consumer: KafkaConsumer, sim: Sim) -> None:
        super().__init__(consumer, sim, reads_committed=consumer.isolation_level == "read_committed")
        self._consumer = consumer
        self._next_commit = math.inf
        self._generation = -1

    def handle(self, records: list[Fetched]) -> Doing:
        consumer = self._consumer
        by_hand = not consumer.enable_auto_commit
        if by_hand and consumer.commit == "before":
            error = yield from self.member.commit(self.fetching.moved())
            if error != "NONE":
                # Whoever has these records next must not find that they were worked on already.
                self.fetching.rewind(records)
                return
        for fetched in records:
            yield from self.work(fetched, skip_known=consumer.idempotent)
        if by_hand and consumer.commit == "after":
            if consumer.commit_sync:
                yield from self.member.commit(self.fetching.moved())
            else:
                self.member.commit_later(self.fetching.moved())

    def on_poll(self) -> None:
        consumer, now = self._consumer, self.sim.now
        if not consumer.enable_auto_commit:
            return
        if self.member.membership.generation != self._generation:
            self._generation = self.member.membership.generation
            self._next_commit = now + consumer.auto_commit_interval_ms
        elif now >= self._next_commit:
            self._next_commit = now + consumer.auto_commit_interval_ms
            self.member.commit_later(self.fetching.moved(), self._commit_soon)

    def before_rejoining(self) -> Doing:
        if self._consumer.enable_auto_commit:
            yield from self.member.commit(self.fetching.moved())

    @property
    def due(self) -> float:
        return self._next_commit if self._next_commit > self.sim.now else math.inf

    def _commit_soon(self) -> None:
        self._next_commit = min(self._next_commit, self.sim.now + self._consumer.retry_backoff_ms)
