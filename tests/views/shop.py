"""A small named scenario of two styles: what the views' tests explore and contrast."""

from __future__ import annotations

from typing import Annotated, Literal

from simulator import Call, Caller, Consumer, Crash, Link, Poisson, Range, Retry, Scenario, Service, Span, Topic


def shop(
    style: Annotated[Literal["request-response", "event-driven"], "Style"] = "event-driven",
    orders_per_second: Annotated[int, Range(1, 100, unit="orders/s", label="Orders per second")] = 20,
    email_work: Annotated[float, Range(1, 200, unit="ms", label="Work for one e-mail")] = 30.0,
    retries: Annotated[int, Range(0, 5, label="Retries")] = 2,
    email_outage: Annotated[Span | None, Range(0, 4_000, unit="ms", label="The email service is down")] = Span(1_000, 2_000),
    idempotent: Annotated[bool, "Email recognises repeats"] = False,
    seconds: Annotated[float, Range(0.5, 60, unit="s", label="How long it runs")] = 4.0,
) -> Scenario:
    """Orders come in; the warehouse and the e-mail service have to know."""
    comes = Poisson(orders_per_second)
    faults = []
    if email_outage is not None:
        faults.append(Crash("email", at=email_outage.start, restart_after=email_outage.end - email_outage.start))
    if style == "request-response":
        retry = Retry(retries, backoff=100) if retries else None
        return Scenario(
            nodes=[
                Caller("customers", comes, timeout=1_000, request="PlaceOrder"),
                Service("orders", workers=8, work=5, calls=[Call("stock"), Call("email")], call_timeout=200, retry=retry),
                Service("stock", workers=4, work=10),
                Service("email", workers=4, work=email_work, idempotent=idempotent),
            ],
            links=[Link("customers", "orders"), Link("orders", "stock"), Link("orders", "email")],
            faults=faults,
            duration=seconds * 1_000,
            name="shop, request-response",
        )
    return Scenario(
        nodes=[
            Caller("customers", comes, timeout=1_000, request="PlaceOrder"),
            Service("orders", workers=8, work=5, publishes="placed"),
            Topic("placed", partitions=2),
            Consumer("stock", work=10),
            Consumer("email", work=email_work, idempotent=idempotent),
        ],
        links=[Link("customers", "orders"), Link("orders", "placed"), Link("placed", "stock"), Link("placed", "email")],
        faults=faults,
        duration=seconds * 1_000,
        name="shop, event-driven",
    )
