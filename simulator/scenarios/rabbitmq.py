"""What a broker with exchanges and queues does with orders: leads them, shares them out, sets them aside."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from simulator.brokers.queue.declared import Bound, ExchangeDeclared, QueueDeclared
from simulator.brokers.queue.node import RabbitMQ
from simulator.clients.publisher import Publisher
from simulator.clients.shovel import Shovel
from simulator.clients.subscriber import Subscriber
from simulator.network import Link
from simulator.scenario import Scenario
from simulator.values import Range

ROUTING_KEYS = ("order.placed.eu", "order.paid.eu", "order.placed.us", "order.cancelled.us", "stock.low.eu", "order")
"""What `routing` publishes, one after the other."""


def routing(
    billing: Annotated[str, "what billing is bound by"] = "order.paid.*",
    eu_desk: Annotated[str, "what the EU desk is bound by"] = "*.*.eu",
    audit: Annotated[str, "what audit is bound by"] = "order.#",
    exchange_type: Annotated[Literal["topic", "direct", "fanout"], "the type of the exchange"] = "topic",
    alternate_exchange: Annotated[bool, "an alternate exchange keeps what no queue wants"] = False,
    mandatory: Annotated[bool, "the shop wants back what no queue gets"] = False,
) -> Scenario:
    """One exchange leads six messages to three queues, each by its binding.

    A topic exchange compares words: ``*`` is one word, ``#`` any number of them. A direct exchange wants the whole key,
    a fanout exchange asks for none. What no binding wants is dropped, unless it is mandatory or there is an alternate
    exchange.
    """
    queues = {"billing": billing, "eu desk": eu_desk, "audit": audit}
    exchanges = [ExchangeDeclared("shop", exchange_type=exchange_type)]
    bindings = [Bound("shop", queue, pattern) for queue, pattern in queues.items()]
    names = [*queues]
    if alternate_exchange:
        exchanges = [
            ExchangeDeclared("shop", exchange_type=exchange_type, alternate_exchange="the rest"),
            ExchangeDeclared("the rest", exchange_type="fanout"),
        ]
        bindings.append(Bound("the rest", "unrouted"))
        names.append("unrouted")
    return Scenario(
        nodes=[
            Publisher("shop", every=20, count=6, exchange="shop", routing_key=[*ROUTING_KEYS], mandatory=mandatory),
            RabbitMQ("rabbitmq", exchanges=exchanges, queues=names, bindings=bindings),
            *(Subscriber(queue, queue, work=5) for queue in queues),
        ],
        links=[Link("shop", "rabbitmq", latency=2), *(Link("rabbitmq", queue, latency=2) for queue in queues)],
        duration=300,
        name="routing",
    )


def one_slow_message(
    prefetch_count: Annotated[int, Range(0, 12, label="How many messages each may hold (0: any)")] = 0,
    subscribers: Annotated[int, Range(1, 4, label="Subscribers that share the queue")] = 2,
    slow_ms: Annotated[float, Range(20, 1_000, unit="ms", label="Time the first order takes")] = 500,
    broker_ms: Annotated[float, Range(0, 50, unit="ms", label="Time to or from the broker")] = 2,
) -> Scenario:
    """Twelve orders for two subscribers, and the first takes twenty-five times as long as the others.

    The broker hands out as many messages as each subscriber may hold unacknowledged. What one holds, no other can take,
    so orders wait behind the slow one while another subscriber has nothing to do. With one at a time, each new one
    waits for the way there and back.
    """
    names = [f"billing-{number}" for number in range(1, subscribers + 1)]
    return Scenario(
        nodes=[
            Publisher("shop", every=5, count=12, routing_key="orders"),
            RabbitMQ("rabbitmq", queues=["orders"]),
            *(
                Subscriber(
                    name,
                    "orders",
                    group="billing",
                    prefetch_count=prefetch_count,
                    work=20,
                    slow=["order-1"],
                    slow_work=slow_ms,
                )
                for name in names
            ),
        ],
        links=[Link("shop", "rabbitmq", latency=2), *(Link("rabbitmq", name, latency=broker_ms) for name in names)],
        duration=2_500,
        name="one_slow_message",
    )


def poison_message(
    requeue: Annotated[bool, "billing gives an order on which it fails back to the queue"] = True,
    dead_letter_exchange: Annotated[bool, "there is a dead-letter exchange, and a queue behind it"] = False,
    delivery_limit: Annotated[int | None, Range(1, 10, label="How often it may come back")] = None,
    prefetch_count: Annotated[int, Range(1, 10, label="How many messages billing may hold")] = 1,
    poison: Annotated[bool, "the work on order-3 always fails"] = True,
) -> Scenario:
    """Six orders, and the work on the third fails, every time.

    Given back, it is the first in the queue again, and is tried again, without end and in front of all others. Not
    given back, it is dropped, unless there is a dead-letter exchange. A delivery limit gives it some attempts before
    that.
    """
    orders = QueueDeclared(
        "orders",
        queue_type="classic" if delivery_limit is None else "quorum",
        delivery_limit=delivery_limit,
        dead_letter_exchange="" if dead_letter_exchange else None,
        dead_letter_routing_key="dead orders" if dead_letter_exchange else None,
    )
    return Scenario(
        nodes=[
            Publisher("shop", every=30, count=6, routing_key="orders", timeout=100),
            RabbitMQ("rabbitmq", queues=[orders, "dead orders"] if dead_letter_exchange else [orders]),
            Subscriber(
                "billing",
                "orders",
                prefetch_count=prefetch_count,
                work=20,
                poison=["order-3"] if poison else [],
                requeue=requeue,
            ),
        ],
        links=[Link("shop", "rabbitmq", latency=2), Link("rabbitmq", "billing", latency=2)],
        duration=700,
        name="poison_message",
    )


def redrive(
    to: Annotated[Literal["the queue of billing", "the exchange"], "where the shovel puts dead letters"] = "the exchange",
    limit: Annotated[int | None, Range(1, 3, label="How many it moves at most")] = None,
    mended: Annotated[bool, "billing is mended before they are tried again"] = True,
    per_second: Annotated[float, Range(5, 100, unit="messages/s", label="How many it moves in a second")] = 20,
) -> Scenario:
    """Billing has rejected three orders because of a mistake of its own; the mistake is mended, and they are tried again.

    A fanout exchange gave each order to billing and to mail, and mail has done its part. Whatever goes through that
    exchange again goes to both again. Put into billing's queue, it goes to billing alone. Where nothing was mended, it
    comes back to where it lay.
    """
    back: dict[str, Any] = {"dest_queue": "billing"} if to == "the queue of billing" else {"dest_exchange": "orders"}
    return Scenario(
        nodes=[
            Publisher("shop", every=30, count=6, exchange="orders", confirm=True, delivery_mode=2),
            RabbitMQ(
                "rabbitmq",
                exchanges=[
                    ExchangeDeclared("orders", exchange_type="fanout"),
                    ExchangeDeclared("dead", exchange_type="fanout"),
                ],
                queues=[QueueDeclared("billing", dead_letter_exchange="dead"), "mail", "dead orders"],
                bindings=[Bound("orders", "billing"), Bound("orders", "mail"), Bound("dead", "dead orders")],
            ),
            Subscriber(
                "billing",
                "billing",
                work=10,
                poison=["order-2", "order-3", "order-5"],
                poison_until=300 if mended else None,
                requeue=False,
            ),
            Subscriber("mail", "mail", work=10),
            Shovel(
                "shovel",
                "dead orders",
                at=400,
                src_delete_after="queue-length" if limit is None else limit,
                per_second=per_second,
                **back,
            ),
        ],
        links=[
            Link("shop", "rabbitmq", latency=2),
            *(Link("rabbitmq", name, latency=2) for name in ("billing", "mail")),
            Link("shovel", "rabbitmq", latency=2),
        ],
        duration=1_000,
        name="redrive",
    )
