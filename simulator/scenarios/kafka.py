"""What a Kafka cluster does with orders: copies them, elects, shares partitions out, writes all or nothing."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from simulator.brokers.log.cluster import KafkaTopic
from simulator.brokers.log.nodes import KafkaBroker, KafkaController
from simulator.clients.kafka_consumer import KafkaConsumer
from simulator.clients.kafka_links import kafka_links
from simulator.clients.kafka_processor import KafkaProcessor
from simulator.clients.kafka_producer import KafkaProducer
from simulator.network import Crash, Cut, Fault
from simulator.scenario import Node, Scenario
from simulator.values import Range, Span

Acks = Literal["all", "1", "0"]

Change = Literal["nothing", "one joins", "one leaves", "one is killed"]

_PATIENCE = 1_000.0
"""``request_timeout_ms`` of the clients here. Kafka's 30 s are made for brokers that are slow; a lesson's broker is dead."""


_WORK = 80.0
"""How long a consumer of the group takes for an order, in ms: one alone cannot keep up, two can."""


def _acks(chosen: Acks) -> Literal["all", 1, 0]:
    return {"all": "all", "1": 1, "0": 0}[chosen]  # type: ignore[return-value]  # the three values that there are


def _cluster(*topics: KafkaTopic, brokers: int = 3, **settings: Any) -> list[Node]:
    """A controller that is quick to notice, and brokers."""
    return [
        KafkaController("controller", list(topics), broker_session_timeout_ms=3_000),
        *(
            KafkaBroker(f"broker-{number}", broker_heartbeat_interval_ms=1_000, **settings)
            for number in range(1, brokers + 1)
        ),
    ]


def leader_dies(
    acks: Annotated[Acks, "whom the shop waits for (acks)"] = "1",
    between_brokers_ms: Annotated[float, Range(0, 50, unit="ms", label="Time between brokers")] = 10,
    crash: Annotated[bool, "the leader dies after the eighth order"] = True,
) -> Scenario:
    """Twelve orders, three replicas, and the leader dies for good in the middle.

    What the leader has stored and no follower has fetched dies with it. With acks=1 the shop was told that it is safe.
    With acks=0 the shop was told nothing, and what it sends until it learns of the new leader goes nowhere.
    """
    nodes = [
        *_cluster(KafkaTopic("orders", replication_factor=3, min_insync_replicas=2)),
        KafkaProducer("shop", every=8, count=12, acks=_acks(acks), request_timeout_ms=_PATIENCE),
        KafkaConsumer("billing", work=5, auto_offset_reset="earliest", request_timeout_ms=_PATIENCE),
    ]
    return Scenario(
        nodes=nodes,
        links=kafka_links(nodes, latency=2, between_brokers=between_brokers_ms),
        faults=[Crash("broker-1", after="appended", nth=8)] if crash else [],
        duration=8_000,
        name="leader_dies",
    )


def last_in_sync(
    min_insync_replicas: Annotated[int, Range(1, 3, label="How many must be in sync")] = 1,
    unclean_leader_election_enable: Annotated[bool, "unclean elections are allowed"] = False,
    comes_back: Annotated[bool, "the leader comes back five seconds after it died"] = True,
    acks: Annotated[Acks, "whom the shop waits for (acks)"] = "all",
) -> Scenario:
    """The followers lose sight of the leader, and then the leader dies.

    Followers that have not caught up for a while are no longer in sync. "All in sync" is then the leader alone, and
    that is whom acks=all waits for, unless min.insync.replicas forbids it. When that last one dies, nobody has what it
    had: the partition has no leader until it comes back, or an unclean election makes one that knows less.
    """
    nodes = [
        *_cluster(
            KafkaTopic(
                "orders",
                replication_factor=3,
                min_insync_replicas=min_insync_replicas,
                unclean_leader_election_enable=unclean_leader_election_enable,
            ),
            replica_lag_time_max_ms=2_000,
            replica_socket_timeout_ms=1_000,
        ),
        KafkaProducer("shop", every=500, count=18, acks=_acks(acks), request_timeout_ms=_PATIENCE),
        KafkaConsumer("billing", work=5, auto_offset_reset="earliest", request_timeout_ms=_PATIENCE),
    ]
    unseen = Span(1_200, 7_000)
    faults: list[Fault] = [Cut("broker-1", follower, during=unseen) for follower in ("broker-2", "broker-3")]
    faults.append(Crash("broker-1", at=7_000, restart_after=5_000 if comes_back else None))
    return Scenario(nodes=nodes, links=kafka_links(nodes, latency=2), faults=faults, duration=20_000, name="last_in_sync")


def consumer_group(
    change: Annotated[Change, "what happens at five seconds"] = "one joins",
    protocol: Annotated[Literal["eager", "cooperative"], "how the group rebalances"] = "eager",
    partitions: Annotated[int, Range(1, 8, label="Partitions of orders")] = 4,
    consumers: Annotated[int, Range(1, 6, label="Consumers at the start")] = 2,
    slow_ms: Annotated[float, Range(40, 600, unit="ms", label="Time billing-1 takes for an order")] = 80,
    session_timeout_ms: Annotated[float, Range(6_000, 12_000, unit="ms", label="Session timeout")] = 6_000,
) -> Scenario:
    """A group shares a topic's partitions, and at five seconds something changes.

    Each partition is read by one consumer of the group at a time, so consumers beyond the number of partitions have
    nothing to do. When the group changes, the members of an eager one give up everything and wait for the slowest of
    them; in a cooperative one only the partitions that move are given up. A consumer that is killed is missed after its
    session timeout, and until then its partitions stand still.
    """
    names = [f"billing-{number}" for number in range(1, consumers + 1)]
    strategy = {"eager": "range", "cooperative": "cooperative-sticky"}[protocol]
    common: dict[str, Any] = {
        "group": "billing",
        "partition_assignment_strategy": [strategy],
        "session_timeout_ms": session_timeout_ms,
        "heartbeat_interval_ms": 1_000,
        "max_poll_interval_ms": 5_000,
        "max_poll_records": 10,
        "auto_offset_reset": "earliest",
    }
    members = [
        KafkaConsumer(
            name,
            work=slow_ms if name == "billing-1" else _WORK,
            close_at=5_000 if change == "one leaves" and name == "billing-1" else None,
            **common,
        )
        for name in names
    ]
    if change == "one joins":
        members.append(KafkaConsumer(f"billing-{consumers + 1}", work=_WORK, start_at=5_000, **common))
    nodes = [
        *_cluster(KafkaTopic("orders", partitions), brokers=1, group_initial_rebalance_delay_ms=500),
        KafkaProducer("shop", every=50, count=240, request_timeout_ms=_PATIENCE),
        *members,
    ]
    return Scenario(
        nodes=nodes,
        links=kafka_links(nodes, latency=2),
        faults=[Crash("billing-1", at=5_000)] if change == "one is killed" else [],
        duration=16_000,
        name="consumer_group",
    )


def read_process_write(
    processing_guarantee: Annotated[
        Literal["at_least_once", "exactly_once_v2"], "invoicing's processing guarantee"
    ] = "at_least_once",
    crash: Annotated[bool, "invoicing crashes after it has written its third invoice"] = True,
    isolation_level: Annotated[
        Literal["read_committed", "read_uncommitted"], "the isolation level of the archive, which reads invoices"
    ] = "read_committed",
) -> Scenario:
    """Invoicing reads orders, sends emails, writes invoices, and crashes before it has noted how far it has come.

    After the crash it reads the same orders again. With exactly_once_v2 the invoices and the place in the orders are
    one transaction: the first invoices are aborted, and who reads committed records only never sees them. The emails
    are no part of any transaction.
    """
    nodes = [
        *_cluster(KafkaTopic("orders"), KafkaTopic("invoices"), brokers=1, group_initial_rebalance_delay_ms=0),
        KafkaProducer("shop", every=20, count=4, request_timeout_ms=_PATIENCE),
        KafkaProcessor(
            "invoicing",
            topics=["orders"],
            to="invoices",
            work=30,
            processing_guarantee=processing_guarantee,
            auto_offset_reset="earliest",
            session_timeout_ms=6_000,
            heartbeat_interval_ms=1_000,
            request_timeout_ms=_PATIENCE,
        ),
        KafkaConsumer(
            "archive",
            topics=["invoices"],
            work=5,
            isolation_level=isolation_level,
            auto_offset_reset="earliest",
            request_timeout_ms=_PATIENCE,
        ),
    ]
    return Scenario(
        nodes=nodes,
        links=kafka_links(nodes, latency=2),
        faults=[Crash("invoicing", after="acknowledged", nth=3, restart_after=500)] if crash else [],
        duration=12_000,
        name="read_process_write",
    )
