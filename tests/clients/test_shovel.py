"""Dead letters tried again: at one queue, so many of them, so many a second; and what fails again comes back."""

from __future__ import annotations

from itertools import pairwise

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
    ScenarioError,
    Shovel,
    Subscriber,
    run,
)  # fmt: skip
from simulator.engine import run_with_states
from simulator.reading import journey
from simulator.reading.frames import frames
from simulator.reading.routes import routes
from simulator.trace import Trace

BAD = ["order-2", "order-3", "order-5"]


def system(*shovels: Shovel, mended_at: float | None = 500.0, faults=(), duration=4_000) -> Scenario:
    """An exchange leads each order to billing and to shipping. Billing fails on some, which are set aside."""
    readers = [
        Subscriber(
            "billing", "billing", prefetch_count=1, work=5, poison=BAD, poison_until=mended_at, requeue=False, heartbeat=0.5
        ),
        Subscriber("shipping", "shipping", prefetch_count=1, work=5),
    ]  # fmt: skip
    aside = QueueDeclared("billing", dead_letter_exchange="", dead_letter_routing_key="dead")
    return Scenario(
        [
            Publisher("shop", every=10, count=6, exchange="orders", delivery_mode=2, confirm=True, timeout=100),
            RabbitMQ(
                "rabbit", queues=[aside, "shipping", "dead"], exchanges=[ExchangeDeclared("orders", exchange_type="fanout")],
                bindings=[Bound("orders", "billing"), Bound("orders", "shipping")],
            ),
            *readers,
            *shovels,
        ],
        [Link("shop", "rabbit"), *(Link("rabbit", each.name) for each in (*readers, *shovels))],
        faults,
        duration=duration,
    )  # fmt: skip


def redrive(name: str = "redrive", **changes) -> Shovel:
    given = {"dest_queue": "billing", "at": 1_000.0, "src_delete_after": "queue-length", **changes}
    return Shovel(name, "dead", **given)


def keys(trace: Trace, *kinds: str, **where) -> list[str]:
    return [step.message.key for step in trace.select(*kinds, **where)]


def aside(trace: Trace) -> list[str]:
    return [trace.message(number).key for number in frames(trace)[-1].messages("rabbit", "ready dead")]


def test_dead_letters_are_tried_again_by_the_one_who_failed_and_by_nobody_else():
    trace = run(system(redrive()))

    assert keys(trace, "redriven") == BAD
    assert sorted(keys(trace, "processed", node="billing")) == [f"order-{number}" for number in range(1, 7)]
    assert len(keys(trace, "processed", node="shipping")) == 6
    assert aside(trace) == []


def test_no_more_are_tried_again_than_was_said():
    trace = run(system(redrive(src_delete_after=2)))

    assert keys(trace, "redriven") == BAD[:2]
    assert aside(trace) == BAD[2:]
    assert not frames(trace)[-1]["rabbit"].get("consumers dead")


def test_no_more_are_tried_again_in_a_second_than_was_said():
    trace = run(system(redrive(per_second=4)))

    times = [step.time for step in trace.select("redriven")]
    assert [later - earlier for earlier, later in pairwise(times)] == [250.0, 250.0]


def test_what_fails_again_comes_back_and_its_history_counts_on():
    trace, states = run_with_states(system(redrive(), redrive(name="again", at=2_000.0), mended_at=None))

    assert aside(trace) == BAD
    (first, *_) = states["rabbit"]["broker"].queues["dead"].ready
    (death,) = first.envelope.content.headers["x-death"]
    assert (death["queue"], death["reason"], death["count"]) == ("billing", "rejected", 3)


def test_without_an_end_it_goes_on_with_whatever_fails_again():
    trace = run(system(redrive(src_delete_after="never", per_second=10), mended_at=3_000.0, duration=5_000))

    assert len(keys(trace, "redriven")) > 10
    assert sorted(keys(trace, "processed", node="billing")) == [f"order-{number}" for number in range(1, 7)]


def test_to_an_exchange_it_publishes_by_the_key_that_is_asked_for():
    trace = run(system(redrive(dest_queue=None, dest_exchange="orders", dest_exchange_key="again")))

    assert sorted(keys(trace, "processed", node="shipping"))[-3:] == ["order-5", "order-5", "order-6"]
    again = [route for step, route in routes(trace).items() if trace[step].time > 1_000]
    assert {(route.address.exchange, route.address.routing_key, route.queues) for route in again} == {
        ("orders", "again", ("billing", "shipping"))
    }


def test_its_way_can_be_followed():
    kinds = [step.kind for step in journey(run(system(redrive())), "order-2")]

    assert kinds.index("redriven") < len(kinds) - 1 - kinds[::-1].index("processed")


@pytest.mark.parametrize(
    "fault",
    [
        Crash("redrive", after="redriven", nth=2, restart_after=100),
        Crash("redrive", after="completed", nth=1, restart_after=100),
        Crash("rabbit", after="routed", nth=11, restart_after=100),
        Drop("redrive", "rabbit", kind="publish", nth=1),
        Drop("redrive", "rabbit", kind="basic_ack", nth=2),
        Drop("rabbit", "redrive", kind="reply", nth=2),
        Drop("rabbit", "redrive", kind="deliver", nth=2),
    ],
    ids=str,
)
def test_on_confirm_nothing_is_lost_on_the_way_whatever_happens(fault):
    trace = run(system(redrive(reconnect_delay=0.2), faults=[fault]))

    assert set(keys(trace, "processed", node="billing")) | set(aside(trace)) == {f"order-{number}" for number in range(1, 7)}


def test_without_acknowledgements_a_crash_loses_what_it_had_in_hand():
    shovel = redrive(ack_mode="no-ack", per_second=10)

    trace = run(system(shovel, faults=[Crash("redrive", after="redriven", nth=1, restart_after=100)]))

    assert aside(trace) == []
    assert not {"order-3", "order-5"} & set(keys(trace, "processed", node="billing"))


def test_it_moves_messages_from_one_broker_to_another():
    scenario = Scenario(
        [
            Publisher("shop", every=10, count=3, routing_key="here"),
            RabbitMQ("west", queues=["here"]),
            Shovel("bridge", "here", "there"),
            RabbitMQ("east", queues=["there"]),
            Subscriber("billing", "there"),
        ],
        [Link("shop", "west"), Link("west", "bridge"), Link("bridge", "east"), Link("east", "billing")],
        duration=500,
    )

    assert keys(run(scenario), "processed") == ["order-1", "order-2", "order-3"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"src_queue": "ded"}, 'no queue "ded" (NOT_FOUND); did you mean "dead"?'),
        ({"dest_queue": "bill"}, 'no queue "bill"'),
        ({"dest_queue": "dead"}, "to itself"),
        ({"dest_queue": None}, "exactly one of dest_queue and dest_exchange"),
        ({"dest_exchange": "orders"}, "exactly one of dest_queue and dest_exchange"),
        ({"src_delete_after": 0}, 'a whole number of at least 1, "never" or "queue-length"'),
        ({"ack_mode": "sometimes"}, "ack_mode is 'sometimes'"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, told):
    with pytest.raises(ScenarioError) as refused:
        system(Shovel("redrive", **{"src_queue": "dead", "dest_queue": "billing", **changes}))

    assert told in str(refused.value)
