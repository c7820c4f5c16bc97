"""Small runs, every step worth seeing: a first trace, a message that got lost, a commit that got lost."""

from __future__ import annotations

from typing import Annotated, Literal

from simulator.brokers.log.topic import Topic
from simulator.clients.caller import Caller
from simulator.clients.consumer import Consumer
from simulator.clients.producer import Producer
from simulator.clients.retry import Retry
from simulator.clients.service import Call, Service
from simulator.network import Crash, Drop, Fault, Link
from simulator.scenario import Scenario
from simulator.values import Range

Lost = Literal["nothing", "the request", "the reply"]


def one_order(
    payment_ms: Annotated[float, Range(5, 400, unit="ms", label="Time a payment takes")] = 30,
    timeout_ms: Annotated[float, Range(50, 500, unit="ms", label="Checkout's timeout")] = 200,
    lost: Annotated[Lost, "what gets lost between checkout and payment, once"] = "nothing",
) -> Scenario:
    """One order passes through three services: checkout asks inventory, then payment, then answers the customer.

    As it stands, all goes well. A payment that takes longer than the timeout, or a lost message, makes checkout ask a second
    time: the step ``timed_out`` shows where.
    """
    return Scenario(
        nodes=[
            Caller("customer", every=10, count=1, request="PlaceOrder"),
            Service(
                "checkout",
                work=5,
                calls=[Call("inventory", "ReserveStock"), Call("payment", "ChargeCard")],
                call_timeout=timeout_ms,
                retry=Retry(1, backoff=50, jitter="none"),
            ),
            Service("inventory", work=10),
            Service("payment", work=payment_ms),
        ],
        links=[
            Link("customer", "checkout", latency=5),
            Link("checkout", "inventory", latency=2),
            Link("checkout", "payment", latency=2),
        ],
        faults=_lose(lost, "order-1"),
        duration=1_500,
        name="one_order",
    )


def three_orders(
    lost: Annotated[Lost, "what gets lost between checkout and payment, once"] = "the reply",
    retries: Annotated[int, Range(0, 5, label="How often checkout tries again")] = 2,
    idempotent: Annotated[bool, "payment recognises a request that it has done before"] = False,
    timeout_ms: Annotated[float, Range(20, 500, unit="ms", label="Checkout's timeout")] = 100,
) -> Scenario:
    """Three customers place an order, and one message between checkout and payment gets lost.

    As it stands it is payment's reply for order-2: the card is charged, but checkout's timeout cannot tell that from a lost
    request, so it asks again, and payment charges the card again. Without retries a lost request loses the order; with an
    idempotent payment the second request is recognised.
    """
    return Scenario(
        nodes=[
            Caller("customers", every=60, count=3, request="PlaceOrder"),
            Service(
                "checkout",
                work=5,
                workers=4,
                calls=[Call("payment", "ChargeCard")],
                call_timeout=timeout_ms,
                retry=Retry(retries, backoff=20, jitter="none"),
            ),
            Service("payment", work=15, workers=2, idempotent=idempotent),
        ],
        links=[Link("customers", "checkout", latency=5), Link("checkout", "payment", latency=2)],
        faults=_lose(lost, "order-2"),
        duration=2_000,
        name="three_orders",
    )


def lost_commit(
    crash: Annotated[bool, "billing crashes at the worst moment"] = True,
    commit: Annotated[Literal["after", "before"], "when billing commits: after the work, or before it"] = "after",
    idempotent: Annotated[bool, "billing recognises a record that it has processed before"] = False,
    partitions: Annotated[int, Range(1, 4, label="Partitions of orders")] = 2,
) -> Scenario:
    """A commit gets lost and the consumer crashes, so one order is billed twice.

    A lost commit alone does no harm: the next one says more. But after a crash billing reads on from the last place that
    was stored, and what it has done since, it does again. Where it commits before the work, the crash comes between the
    commit and the work, and the order is never billed.
    """
    faults: list[Fault] = [Drop("billing", "orders", kind="commit", nth=2)]
    if crash:
        # The worst moment: after the work on order-2 and before anything commits it, or after its commit and before its work.
        faults.append(Crash("billing", after="started", nth=3 if commit == "after" else 2, restart_after=150))
    return Scenario(
        nodes=[
            Producer("shop", every=100, count=3),
            Topic("orders", partitions=partitions),
            Consumer(
                "billing",
                work=30,
                commit=commit,
                idempotent=idempotent,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=2_000,
                request_timeout_ms=400,
            ),
        ],
        links=[Link("shop", "orders"), Link("orders", "billing")],
        faults=faults,
        duration=850,
        name="lost_commit",
    )


def _lose(what: Lost, key: str) -> list[Fault]:
    if what == "the request":
        return [Drop("checkout", "payment", kind="ChargeCard", key=key, nth=1)]
    return [Drop("payment", "checkout", kind="reply", key=key, nth=1)] if what == "the reply" else []
