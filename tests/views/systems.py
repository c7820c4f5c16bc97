"""Small systems around each broker, with something of everything that a picture of it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from simulator import (
    Bound,
    Crash,
    Cut,
    ExchangeDeclared,
    KafkaBroker,
    KafkaConsumer,
    KafkaController,
    KafkaProducer,
    KafkaTopic,
    Link,
    Node,
    Publisher,
    QueueDeclared,
    RabbitMQ,
    RedrivePolicy,
    Scenario,
    Span,
    SqsConsumer,
    SqsProducer,
    SqsQueue,
    Subscriber,
    kafka_links,
)


def routing() -> Scenario:
    """A topic exchange with an alternate one, competing consumers, a poison message that ends as a dead letter."""
    broker = RabbitMQ(
        "rabbit",
        exchanges=[
            ExchangeDeclared("orders", exchange_type="topic", alternate_exchange="unrouted"),
            ExchangeDeclared("unrouted", exchange_type="fanout"),
            ExchangeDeclared("dead"),
        ],
        queues=[
            QueueDeclared("billing", queue_type="quorum", delivery_limit=1, dead_letter_exchange="dead"),
            QueueDeclared("email", max_length=3),
            "audit",
            "dead-billing",
            "lost-property",
        ],
        bindings=[
            Bound("orders", "billing", "order.*.paid"),
            Bound("orders", "email", "order.eu.#"),
            Bound("orders", "audit", "#.paid"),
            Bound("orders", "audit", "refund.#"),
            Bound("unrouted", "lost-property"),
            Bound("dead", "dead-billing", "order.us.paid"),
        ],
    )
    subscribers = [
        Subscriber("billing-1", "billing", group="billing", prefetch_count=2, work=30, poison=["order-2"]),
        Subscriber("billing-2", "billing", group="billing", prefetch_count=1, work=60, poison=["order-2"]),
        Subscriber("mailer", "email", work=50),
    ]
    return Scenario(
        nodes=[
            Publisher(
                "shop", every=20, count=5, exchange="orders",
                routing_key=["order.eu.paid", "order.us.paid", "order.eu.late", "refund.us", "nobody"],
            ),
            broker,
            *subscribers,
        ],
        links=[Link("shop", "rabbit"), *(Link("rabbit", each.name) for each in subscribers)],
        duration=600,
        name="routing",
    )  # fmt: skip


def hiding() -> Scenario:
    """A standard queue whose visibility timeout is shorter than the work on one message, which so ends as a dead letter."""
    return Scenario(
        nodes=[
            SqsProducer("shop", every=300, count=4, delay_seconds=1),
            SqsQueue("orders", visibility_timeout=2, redrive_policy=RedrivePolicy("dead", 2), servers=1),
            SqsConsumer("billing-1", group="billing", work=900, poison=["order-2"]),
            SqsConsumer("billing-2", group="billing", work=2_500),
            SqsQueue("dead"),
        ],
        links=[Link("shop", "orders"), Link("orders", "billing-1"), Link("orders", "billing-2"), Link("orders", "dead")],
        duration=9_000,
        name="hiding",
    )


def groups() -> Scenario:
    """A FIFO queue with three message groups, one of which is blocked by slow work on its first message."""
    return Scenario(
        nodes=[
            SqsProducer("shop", every=100, count=7, keys=["ann", "bob", "ann", "ann", "cem", "bob", "ann"]),
            SqsQueue("orders.fifo", fifo_queue=True, content_based_deduplication=True),
            SqsConsumer("billing-1", group="billing", work=700),
            SqsConsumer("billing-2", group="billing", work=250),
        ],
        links=[Link("shop", "orders.fifo"), Link("orders.fifo", "billing-1"), Link("orders.fifo", "billing-2")],
        duration=5_000,
        name="groups",
    )


def cluster(
    name: str, topics: Sequence[KafkaTopic], *clients: Node, duration: float, faults: Sequence[Any] = (), **brokers: Any
) -> Scenario:
    """Three brokers with quick timeouts, and these clients."""
    controller = KafkaController("controller", topics, broker_session_timeout_ms=1_500)
    quick = {
        "replica_lag_time_max_ms": 1_000, "broker_heartbeat_interval_ms": 500, "group_initial_rebalance_delay_ms": 100,
        **brokers,
    }  # fmt: skip
    nodes = [controller, *(KafkaBroker(f"broker-{number}", **quick) for number in (1, 2, 3)), *clients]
    return Scenario(nodes=nodes, links=kafka_links(nodes), faults=faults, duration=duration, name=name)


def replication() -> Scenario:
    """A leader that nobody can copy from acknowledges two orders, crashes, and cuts them off when it is back."""
    alone = [Cut("broker-1", other, during=Span(700, 5_000)) for other in ("broker-2", "broker-3")]
    return cluster(
        "replication",
        [KafkaTopic("orders", replication_factor=3)],
        KafkaProducer("shop", 300, count=6, linger_ms=0, acks=1, request_timeout_ms=400, delivery_timeout_ms=3_000),
        KafkaConsumer("billing", work=30, auto_offset_reset="earliest", request_timeout_ms=700),
        faults=[*alone, Crash("broker-1", at=1_400, restart_after=3_700)],
        duration=7_000,
    )


def transactions() -> Scenario:
    """Two orders are committed, two are aborted, two are committed; a reader reads what is committed."""
    return cluster(
        "transactions",
        [KafkaTopic("orders", replication_factor=3, min_insync_replicas=2)],
        KafkaProducer(
            "shop", 200, count=6, linger_ms=0, transactional_id="shop", records_per_transaction=2, abort_every=2
        ),
        KafkaConsumer("billing", work=30, auto_offset_reset="earliest", isolation_level="read_committed"),
        duration=3_000,
    )  # fmt: skip


def cleaning() -> Scenario:
    """A topic that is compacted, and one that keeps little."""
    return cluster(
        "cleaning",
        [
            KafkaTopic(
                "prices", replication_factor=2, cleanup_policy="compact", segment_bytes=300, min_cleanable_dirty_ratio=0.1
            ),
            KafkaTopic("clicks", replication_factor=2, retention_bytes=500, segment_bytes=200),
        ],
        KafkaProducer("desk", 200, count=9, linger_ms=0, topic="prices", event="PriceUpdated", keys=["ann", "bob", "ann"]),
        KafkaProducer("web", 200, count=9, linger_ms=0, topic="clicks", event="Clicked"),
        duration=3_000,
        log_retention_check_interval_ms=1_000,
        log_cleaner_backoff_ms=1_000,
    )


def sharing() -> Scenario:
    """Two members share four partitions, a third one joins, and one crashes."""
    return cluster(
        "sharing",
        [KafkaTopic("orders", 4, replication_factor=2)],
        KafkaProducer("shop", 300, count=4, linger_ms=0),
        *(
            KafkaConsumer(
                f"billing-{number}", group="billing", work=30, auto_offset_reset="earliest", session_timeout_ms=6_000,
                heartbeat_interval_ms=1_000, auto_commit_interval_ms=500, start_at=1_500 if number == 3 else 0,
            )
            for number in (1, 2, 3)
        ),
        faults=[Crash("billing-1", at=3_000)],
        duration=12_000,
    )  # fmt: skip


SYSTEMS: tuple[Callable[[], Scenario], ...] = (
    routing, hiding, groups, replication, transactions, cleaning, sharing,
)  # fmt: skip
"""All of them."""
