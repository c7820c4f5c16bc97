"""What became of messages that a broker with exchanges and queues was to bring to somebody."""

import pytest

from simulator import (
    Bound,
    Crash,
    Drop,
    ExchangeDeclared,
    Link,
    Publisher,
    QueueDeclared,
    RabbitMQ,
    Scenario,
    Subscriber,
    run,
)
from simulator.reading import checks
from simulator.reading.fates import losses
from simulator.reading.fates import missing as absent
from simulator.scenarios import redrive


def missing(queue=None, subscriber=None, faults=(), **publisher):
    settings = {"routing_key": "billing", "count": 1, **publisher}
    dead = {"dead_letter_exchange": "", "dead_letter_routing_key": "dead"}
    scenario = Scenario(
        nodes=[
            Publisher("shop", 10, **settings),
            RabbitMQ("rabbit", queues=[queue or QueueDeclared("billing", **dead), "dead", "other"]),
            subscriber or Subscriber("billing", "billing"),
        ],
        links=[Link("shop", "rabbit"), Link("rabbit", "billing")],
        faults=faults,
        duration=500,
    )
    trace = run(scenario)
    return [(each.message.key, each.why) for each in losses(trace, "billing")]


UNHEARD = Drop("billing", "rabbit", kind="consume")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"routing_key": "nobody's"}, "no queue was there to take it"),
        ({"queue": QueueDeclared("billing", message_ttl=50), "faults": [UNHEARD]}, "it left the queue billing (expired)"),
        ({"faults": [UNHEARD, Crash("rabbit", at=50, restart_after=5)]}, "it left the queue billing (not persistent)"),
        (
            {"subscriber": Subscriber("billing", "billing", ack="before"), "faults": [Crash("billing", after="started")]},
            "it left the queue billing (acked)",
        ),
    ],
)  # fmt: skip
def test_what_is_lost_tells_how(made, why):
    assert missing(**made) == [("order-1", why)]


def test_a_dead_letter_is_not_lost():
    assert missing(subscriber=Subscriber("billing", "billing", poison=["order-1"], requeue=False)) == []


def two_desks(queues=("eu", "us"), bindings=("*.eu", "*.us"), **settings):
    """A desk for each queue; three orders: one for Europe, one for America, one for everybody's."""
    desks = [Subscriber(f"{name} desk", name, **settings) for name in queues]
    return Scenario(
        nodes=[
            Publisher("shop", 10, exchange="shop", routing_key=["order.eu", "order.us", "order.all"], count=3),
            RabbitMQ(
                "rabbit",
                exchanges=ExchangeDeclared("shop", exchange_type="topic"),
                queues=queues,
                bindings=[Bound("shop", name, pattern) for name, pattern in zip(queues, bindings, strict=True)]
                + [Bound("shop", name, "*.all") for name in queues],
            ),
            *desks,
        ],
        links=[Link("shop", "rabbit"), *(Link("rabbit", desk.name) for desk in desks)],
        duration=500,
    )


def test_what_exchanges_led_to_others_was_not_meant_for_one():
    trace = run(two_desks())

    assert [each.message.key for name in ("eu desk", "us desk") for each in absent(trace, name)] == []
    assert "converged" not in [verdict.check for verdict in checks.every(trace)]


def test_groups_that_are_led_the_same_are_asked_whether_they_know_the_same():
    trace = run(two_desks(bindings=("#", "#")))

    assert "converged" in [verdict.check for verdict in checks.every(trace)]


def test_a_copy_for_somebody_else_does_not_hide_a_loss():
    scenario = two_desks(bindings=("#", "#")).but_node("eu desk", poison=["order-2"], requeue=False)

    (lost,) = losses(run(scenario), "eu desk")

    assert (lost.message.key, lost.why) == ("order-2", "it left the queue eu (rejected)")


@pytest.mark.parametrize("mended", [True, False])
def test_a_dead_letter_that_a_shovel_brings_back_is_followed_to_where_it_ends(mended):
    trace = run(redrive("the queue of billing", mended=mended))

    keys = [each.message.key for each in absent(trace, "billing")]
    assert losses(trace, "billing") == []
    assert keys == ([] if mended else ["order-2", "order-3", "order-5"])
