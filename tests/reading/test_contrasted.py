"""The comparison of two designs, on hand-written traces where each number can be counted."""

from __future__ import annotations

import pytest

from simulator import Caller, Consumer, Link, Message, Scenario, Service, Topic, Trace, run
from simulator.reading.contrasted import contrasted
from tests.views.shop import shop

ASKING = Scenario(
    nodes=[Caller("customers"), Service("orders", calls=["email"]), Service("email")],
    links=[Link("customers", "orders"), Link("orders", "email")],
    duration=1_000,
)
TELLING = Scenario(
    nodes=[Caller("customers"), Service("orders", publishes="placed"), Topic("placed"), Consumer("email")],
    links=[Link("customers", "orders"), Link("orders", "placed"), Link("placed", "email")],
    duration=1_000,
)


def asked(*, outage: bool) -> Trace:
    """Two orders: the first answered after 40 ms; the second made while email is down, and given up."""
    one, two = Message(1, "PlaceOrder", "order-1"), Message(2, "PlaceOrder", "order-2")
    steps = [
        (10, "created", "customers", one, None, {}),
        (30, "processed", "email", one, 0, {"attempt": 1}),
        (40, "processed", "orders", one, 1, {"attempt": 1}),
        (50, "completed", "customers", one, 2, {"attempts": 1, "source": "orders"}),
    ]
    if outage:
        steps += [
            (100, "crashed", "email", None, None, {}),
            (110, "created", "customers", two, None, {}),
            (200, "abandoned", "customers", two, 5, {"reason": "timeout"}),
            (300, "restarted", "email", None, None, {"incarnation": 1}),
        ]
    return Trace.of(ASKING, steps)


def test_accepted_while_down_counts_only_what_was_made_in_the_outage():
    facts = contrasted(asked(outage=True), asked(outage=True))

    fact = facts["orders accepted while email is down"]
    assert (fact.left, fact.said) == (0, ("0 of 1", "0 of 1"))
    assert facts["orders accepted"].left == 50


def test_without_an_outage_in_both_there_is_no_line_for_it():
    facts = contrasted(asked(outage=True), asked(outage=False))

    assert not [fact for fact in facts.facts if "down" in fact.name]


def test_what_a_customer_gave_up_is_lost():
    facts = contrasted(asked(outage=True), asked(outage=False))

    assert (facts["orders lost"].left, facts["orders lost"].right) == (1, 0)
    assert facts["orders lost"].winner == "right"


def test_latency_is_what_the_customer_feels():
    fact = contrasted(asked(outage=False), asked(outage=False))["latency the customer feels, p50"]

    assert (fact.left, fact.right, fact.winner) == (40, 40, None)


def test_who_must_be_up_is_named():
    trace = asked(outage=False)

    fact = contrasted(trace, Trace.of(TELLING, []))["must be up to accept one"]

    assert fact.said == ("orders, email", "orders, placed")


def test_where_nothing_was_measured_nobody_wins():
    fact = contrasted(Trace.of(ASKING, []), asked(outage=False))["latency the customer feels, p50"]

    assert (fact.left, fact.winner) == (None, None)


def test_events_let_orders_in_while_the_email_service_is_down():
    left, right = (run(shop(style), seed=7) for style in ("request-response", "event-driven"))

    facts = contrasted(left, right, names=("asking", "telling"))

    down = facts["orders accepted while email is down"]
    assert down.left is not None
    assert down.left < 100
    assert down.right == 100
    assert facts["must change to add a consumer"].said == ("orders", "nobody")
    assert facts["time until everybody knows, p99"].winner == "left"
    assert repr(facts).splitlines()[0].split() == ["measure", "asking", "telling", "better"]


def test_an_unknown_line_is_refused_with_those_there_are():
    with pytest.raises(KeyError, match="orders lost"):
        contrasted(asked(outage=False), asked(outage=False))["losses"]
