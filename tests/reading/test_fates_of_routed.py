"""What became of messages that a broker with exchanges and queues was to bring to somebody."""

import pytest

from simulator import Crash, Link, Publisher, QueueDeclared, RabbitMQ, Scenario, Subscriber, run
from simulator.reading.fates import losses


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


IDLE = Subscriber("billing", "other")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"routing_key": "nobody's"}, "no queue was there to take it"),
        ({"subscriber": IDLE, "queue": QueueDeclared("billing", message_ttl=50)}, "it left the queue billing (expired)"),
        ({"subscriber": IDLE, "faults": [Crash("rabbit", at=50, restart_after=5)]}, "it left the queue billing (not persistent)"),
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
