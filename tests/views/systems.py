"""Small systems around each broker, with something of everything that a picture of it shows."""

from __future__ import annotations

from simulator import (
    Bound,
    ExchangeDeclared,
    Link,
    Publisher,
    QueueDeclared,
    RabbitMQ,
    RedrivePolicy,
    Scenario,
    SqsConsumer,
    SqsProducer,
    SqsQueue,
    Subscriber,
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
