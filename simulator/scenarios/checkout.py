"""One shop, built twice: checkout that asks the other services in turn, and checkout that tells a topic what happened."""

from __future__ import annotations

from typing import Annotated, Literal

from simulator.brokers.log.topic import Topic
from simulator.clients.arrivals import Arrivals, Bursty, Poisson
from simulator.clients.breaker import CircuitBreaker
from simulator.clients.caller import Caller
from simulator.clients.consumer import Consumer
from simulator.clients.retry import Retry
from simulator.clients.service import Call, Service
from simulator.network import Crash, Fault, Link, LogNormal, Pause
from simulator.scenario import Node, Scenario
from simulator.values import Range, Span

Style = Literal["request-response", "event-driven"]

_COMMANDS = {
    "inventory": "ReserveStock",
    "payment": "ChargeCard",
    "email": "SendConfirmation",
    "analytics": "CountOrder",
}
"""What checkout asks of each service where it asks at all."""

_WORKERS = 4
"""How many pieces of work each of the services behind checkout does at a time, in both styles."""

_SPREAD = 0.4
"""How much the time of their work varies: the standard deviation of its logarithm."""


def checkout(
    style: Annotated[Style, "how checkout and the other services talk"] = "event-driven",
    orders_per_second: Annotated[float, Range(1, 200, unit="orders/s", label="Orders per second")] = 10,
    email_outage: Annotated[Span | None, Range(0, 12_000, unit="ms", label="When the email service is down")] = Span(
        4_000, 8_000
    ),
    payment_ms: Annotated[float, Range(5, 500, unit="ms", label="Time a payment takes")] = 40,
    analytics: Annotated[bool, "a fourth service wants to know of every order"] = False,
    broker_ms: Annotated[float, Range(0, 200, unit="ms", label="Time to or from the broker")] = 2,
    timeout_ms: Annotated[float, Range(100, 5_000, unit="ms", label="Checkout's timeout")] = 1_000,
    checkout_workers: Annotated[int, Range(1, 64, label="Checkout's workers")] = 8,
    seconds: Annotated[float, Range(1, 60, unit="s", label="How long the shop is watched")] = 12,
    orders: Annotated[int | None, Range(1, 10_000, label="How many customers come in all")] = None,
) -> Scenario:
    """The same customers, with a checkout that asks the other services and one that tells of events.

    With requests, an order takes as long as all services together and fails with any of them, the email service
    included; the card may have been charged by then. With events, checkout answers when the order is stored; the services do
    their part afterwards, each in its own time, and the email service catches up when it is back.
    """
    return _shop(
        style,
        Poisson(orders_per_second),
        payment_ms=payment_ms,
        analytics=analytics,
        broker_ms=broker_ms,
        timeout_ms=timeout_ms,
        checkout_workers=checkout_workers,
        orders=orders,
        faults=_down("email", email_outage),
        duration=seconds * 1_000,
        name="checkout",
    )


def checkout_burst(
    style: Annotated[Style, "how checkout and the other services talk"] = "event-driven",
    burst_per_second: Annotated[float, Range(10, 300, unit="orders/s", label="Orders per second in the burst")] = 150,
    burst: Annotated[Span, Range(0, 8_000, unit="ms", label="When the burst comes")] = Span(2_000, 3_000),
    queue_limit: Annotated[int, Range(0, 200, label="Room in checkout's queue")] = 20,
    orders_per_second: Annotated[float, Range(1, 100, unit="orders/s", label="Orders per second otherwise")] = 10,
    payment_ms: Annotated[float, Range(5, 500, unit="ms", label="Time a payment takes")] = 40,
    checkout_workers: Annotated[int, Range(1, 64, label="Checkout's workers")] = 8,
    seconds: Annotated[float, Range(1, 60, unit="s", label="How long the shop is watched")] = 8,
) -> Scenario:
    """A burst of customers, more than the services can serve at once.

    With requests, checkout's workers wait for payment, its queue fills, and it turns customers away. With events, the orders
    are accepted and wait in the topic: the customers don't feel the burst, but payment lags behind for a while.
    """
    return _shop(
        style,
        Bursty(orders_per_second, burst_per_second, burst),
        payment_ms=payment_ms,
        checkout_workers=checkout_workers,
        queue_limit=queue_limit,
        duration=seconds * 1_000,
        name="checkout_burst",
    )


def payment_hiccup(
    retry: Annotated[
        Literal["never", "immediately", "with backoff", "with backoff and jitter"], "how customers try again"
    ] = "immediately",
    retries: Annotated[int, Range(1, 10, label="How often each tries again")] = 5,
    breaker: Annotated[bool, "a circuit breaker in front of payment"] = False,
    hiccup: Annotated[Span, Range(0, 20_000, unit="ms", label="When payment stands still")] = Span(3_000, 4_500),
    orders_per_second: Annotated[float, Range(1, 100, unit="orders/s", label="Orders per second")] = 30,
    payment_ms: Annotated[float, Range(5, 500, unit="ms", label="Time a payment takes")] = 50,
    timeout_ms: Annotated[float, Range(50, 5_000, unit="ms", label="The timeout of each attempt")] = 400,
    queue_limit: Annotated[int | None, Range(0, 500, label="Room in payment's queue")] = None,
    seconds: Annotated[float, Range(1, 120, unit="s", label="How long the shop is watched")] = 20,
) -> Scenario:
    """Payment stands still for a moment, and its customers ask again.

    The retries keep it down long after it is well again. Everyone whose request timed out asks again while the old request
    still waits in payment's queue: payment works on requests that nobody waits for any more, so the next ones time out too.
    Waiting between retries only spreads them. A circuit breaker, room for fewer in the queue, or no retries at all let it
    recover.
    """
    policies = {
        "never": None,
        "immediately": Retry(retries, backoff=0),
        "with backoff": Retry(retries, backoff=200, backoff_max=10_000, jitter="none"),
        "with backoff and jitter": Retry(retries, backoff=200, backoff_max=10_000, jitter="full"),
    }
    return Scenario(
        nodes=[
            Caller(
                "customers",
                Poisson(orders_per_second),
                request="ChargeCard",
                timeout=timeout_ms,
                retry=policies[retry],
                breaker=CircuitBreaker(20, reset_after=1_000) if breaker else None,
            ),
            Service("payment", work=payment_ms, workers=2, queue_limit=queue_limit),
        ],
        links=[Link("customers", "payment", latency=2)],
        faults=[Pause("payment", at=hiccup.start, lasting=hiccup.end - hiccup.start)] if hiccup.end > hiccup.start else [],
        duration=seconds * 1_000,
        name="payment_hiccup",
    )


def _shop(
    style: Style,
    customers: Arrivals,
    *,
    payment_ms: float,
    checkout_workers: int,
    duration: float,
    name: str,
    analytics: bool = False,
    broker_ms: float = 2.0,
    timeout_ms: float = 1_000.0,
    queue_limit: int | None = None,
    orders: int | None = None,
    faults: tuple[Fault, ...] = (),
) -> Scenario:
    medians = {"inventory": 10.0, "payment": payment_ms, "email": 20.0} | ({"analytics": 5.0} if analytics else {})
    # The n-th order takes a service as long in one style as in the other: the draws are named by node and purpose.
    times = {name: LogNormal(median, _SPREAD) for name, median in medians.items()}
    asks = style == "request-response"
    front: list[Node] = [
        Caller("customers", customers, count=orders, request="PlaceOrder", timeout=3_000),
        Service(
            "checkout",
            work=5,
            workers=checkout_workers,
            queue_limit=queue_limit,
            calls=[Call(to, _COMMANDS[to]) for to in times] if asks else (),
            call_timeout=timeout_ms,
            publishes=() if asks else ("orders",),
        ),
    ]
    if asks:
        behind: list[Node] = [Service(to, work=time, workers=_WORKERS) for to, time in times.items()]
        links = [Link("checkout", to, latency=2) for to in times]
    else:
        behind = [Topic("orders")]
        behind += [Consumer(to, work=time, concurrency=_WORKERS, auto_offset_reset="earliest") for to, time in times.items()]
        links = [Link("checkout", "orders", latency=broker_ms)]
        links += [Link("orders", to, latency=broker_ms) for to in times]
    return Scenario(
        nodes=[*front, *behind],
        links=[Link("customers", "checkout", latency=5), *links],
        faults=faults,
        duration=duration,
        name=name,
    )


def _down(node: str, span: Span | None) -> tuple[Fault, ...]:
    if span is None or span.end <= span.start:
        return ()
    return (Crash(node, at=span.start, restart_after=span.end - span.start),)
