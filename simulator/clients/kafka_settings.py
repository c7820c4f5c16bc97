"""The settings that clients of a Kafka cluster share: whoever writes, whoever reads in a group, and who does both.

All have Apache Kafka's names and defaults (client, producer and consumer configuration, 4.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from attrs import field, frozen

from simulator.brokers.log.assignors import ASSIGNORS
from simulator.brokers.log.cluster import Layout
from simulator.brokers.log.nodes import KafkaBroker, brokers_of, controllers_of, layout_of
from simulator.brokers.log.partition import IsolationLevel
from simulator.brokers.log.protocol import REQUESTS
from simulator.brokers.log.replicas import Acks
from simulator.network import Fixed, Latency, as_latency
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, did_you_mean, not_negative, one_of, optional, positive

OffsetReset = Literal["latest", "earliest", "none"]


def as_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """A single name means a list of one."""
    return (names,) if isinstance(names, str) else tuple(names)


def cluster_of(scenario: Scenario, client: str) -> Layout:
    """The cluster that a client is linked to."""
    return layout_of(scenario, controllers_of(scenario, brokers_of(scenario, client)[0])[0])


# Without slots, so that one node can be of both kinds: Python can't join two classes that both have some.
@frozen(slots=False)
class KafkaClient(Node):
    """What every node has that talks to a cluster."""

    request_timeout_ms: float = field(default=30_000.0, metadata=positive("ms"), kw_only=True)
    retry_backoff_ms: float = field(default=100.0, metadata=not_negative("ms"), kw_only=True)
    retry_backoff_max_ms: float = field(default=1_000.0, metadata=not_negative("ms"), kw_only=True)
    metadata_max_age_ms: float = field(default=300_000.0, metadata=positive("ms"), kw_only=True)
    """How often it asks who leads although nothing went wrong."""

    def _brokers(self, scenario: Scenario) -> list[KafkaBroker]:
        near = brokers_of(scenario, self.name)
        return [broker for broker in scenario.nodes_of(KafkaBroker) if broker.name in near]

    def cluster_problems(self, scenario: Scenario, topics: Iterable[str]) -> Iterator[str]:
        """One sentence for each thing that keeps it from working on these topics of its cluster."""
        near = brokers_of(scenario, self.name)
        if not near:
            yield f"{self}: no KafkaBroker is linked to it; link it to every broker, or take kafka_links(nodes)."
            return
        controllers = {controller for each in near for controller in controllers_of(scenario, each)}
        if len(controllers) != 1:
            # The brokers tell what is wrong with that.
            return
        layout = layout_of(scenario, controllers.pop())
        missing = [each for each in layout.brokers if each not in near]
        if missing:
            yield (
                f'{self}: "{missing[0]}" may lead a partition and is not linked to it;'
                f' add Link("{self.name}", "{missing[0]}"), or take kafka_links(nodes).'
            )
        for topic in topics:
            if topic not in layout.topics:
                there = ", ".join(f'"{each}"' for each in layout.topics if not each.startswith("__")) or "none"
                yield f'{self}: the cluster has no topic "{topic}" (UNKNOWN_TOPIC_OR_PARTITION); there are: {there}.'


@frozen(slots=False)
class KafkaWriter(KafkaClient):
    """What every node has that writes to a cluster."""

    event: str = field(default="OrderCreated", kw_only=True)
    """The type of the event that each record carries: its message's kind."""
    size: int = field(default=100, metadata=at_least(0), kw_only=True)
    """Bytes of each record."""
    acks: Acks = field(default="all", metadata=one_of("all", 1, 0), kw_only=True)
    enable_idempotence: bool | None = field(default=None, metadata=one_of(True, False, None), kw_only=True)
    """None, as in Kafka without an explicit setting: true, unless acks, retries or max_in_flight speak against it."""
    max_in_flight_requests_per_connection: int = field(default=5, metadata=at_least(1), kw_only=True)
    linger_ms: float = field(default=5.0, metadata=not_negative("ms"), kw_only=True)
    batch_size: int = field(default=16_384, metadata=at_least(1), kw_only=True)
    retries: int = field(default=2_147_483_647, metadata=at_least(0), kw_only=True)
    delivery_timeout_ms: float = field(default=120_000.0, metadata=positive("ms"), kw_only=True)
    transactional_id: str | None = field(default=None, kw_only=True)
    transaction_timeout_ms: float = field(default=60_000.0, metadata=positive("ms"), kw_only=True)

    @property
    def idempotent(self) -> bool:
        """Whether it numbers its batches, so that brokers recognise what they have."""
        if self.enable_idempotence is None:
            return self.acks == "all" and self.retries > 0 and self.max_in_flight_requests_per_connection <= 5
        return self.enable_idempotence

    @property
    def transactions_under(self) -> str | None:
        """The id under which it writes in transactions; None where it does not."""
        return self.transactional_id

    def writing_problems(self, scenario: Scenario) -> Iterator[str]:
        """What Kafka's producer and its brokers refuse of these settings.

        Source: ``ProducerConfig.postProcessAndValidateIdempotenceConfigs`` and ``KafkaProducer.configureDeliveryTimeout``.
        """
        if self.event in REQUESTS:
            yield f'{self}: event is "{self.event}", which is a request to a broker and no event; name it otherwise.'
        if self.delivery_timeout_ms < self.linger_ms + self.request_timeout_ms:
            yield (
                f"{self}: delivery_timeout_ms is {self.delivery_timeout_ms} (ConfigException); it must be at least"
                f" linger_ms + request_timeout_ms, {self.linger_ms + self.request_timeout_ms}."
            )
        needs = f"{self}: enable_idempotence is True (ConfigException); it needs"
        if self.enable_idempotence and self.acks != "all":
            yield f'{needs} acks="all", not {self.acks}.'
        if self.enable_idempotence and self.retries == 0:
            yield f"{needs} retries above 0."
        if self.enable_idempotence and self.max_in_flight_requests_per_connection > 5:
            most = self.max_in_flight_requests_per_connection
            yield f"{needs} max_in_flight_requests_per_connection of at most 5, not {most}."
        if self.transactions_under is None:
            return
        if not self.idempotent:
            yield (
                f'{self}: it writes in transactions as "{self.transactions_under}", which an idempotent producer alone can'
                ' (ConfigException); leave acks="all", retries above 0 and max_in_flight_requests_per_connection up to 5.'
            )
        for broker in self._brokers(scenario):
            if self.transaction_timeout_ms > broker.transaction_max_timeout_ms:
                yield (
                    f"{self}: transaction_timeout_ms is {self.transaction_timeout_ms} (INVALID_TRANSACTION_TIMEOUT); {broker}"
                    f" allows up to transaction_max_timeout_ms, {broker.transaction_max_timeout_ms}."
                )


@frozen(slots=False)
class KafkaReader(KafkaClient):
    """What every node has that reads topics of a cluster as a member of a group."""

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
    default_api_timeout_ms: float = field(default=60_000.0, metadata=positive("ms"), kw_only=True)
    """For how long it tries to commit while it waits for that."""
    auto_offset_reset: OffsetReset = field(default="latest", metadata=one_of("latest", "earliest", "none"), kw_only=True)
    isolation_level: IsolationLevel = field(
        default="read_uncommitted", metadata=one_of("read_uncommitted", "read_committed"), kw_only=True
    )
    start_at: float = field(default=0.0, metadata=not_negative("ms"), kw_only=True)
    """When it is started."""
    close_at: float | None = field(default=None, metadata=optional(not_negative("ms")), kw_only=True)
    """When it is closed in good order; None: never."""

    @property
    def group_id(self) -> str:
        """The group that it reads in."""
        return self.group or self.name

    def reading_problems(self, scenario: Scenario) -> Iterator[str]:
        """What Kafka's consumer and its brokers refuse of these settings.

        Source: ``ConsumerConfig``, ``Heartbeat`` and ``GroupCoordinatorService`` of Apache Kafka 4.0.
        """
        if not self.topics:
            yield f'{self}: topics is empty; name at least one, as in topics=["orders"].'
        for assignor in self.partition_assignment_strategy:
            if assignor not in ASSIGNORS:
                yield f'{self}: partition_assignment_strategy knows no "{assignor}"; {did_you_mean(assignor, ASSIGNORS)}'
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
        for broker in self._brokers(scenario):
            least, most = broker.group_min_session_timeout_ms, broker.group_max_session_timeout_ms
            if not least <= self.session_timeout_ms <= most:
                yield (
                    f"{self}: session_timeout_ms is {self.session_timeout_ms} (INVALID_SESSION_TIMEOUT); {broker} allows"
                    f" group_min_session_timeout_ms to group_max_session_timeout_ms, {least} to {most}."
                )
        if self.close_at is not None and self.close_at <= self.start_at:
            yield f"{self}: close_at is {self.close_at}; it must be after start_at, {self.start_at}."
