"""A producer: records are sent until they are acknowledged, or too late."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    Bursty,
    Crash,
    Cut,
    Drop,
    Duplicate,
    Link,
    ListedKeys,
    Pause,
    Poisson,
    Producer,
    Scenario,
    Slow,
    Span,
    Topic,
    Trace,
    run,
)
from tests.actors import happened
from tests.strategies import link_faults, node_faults, seeds


def producing(*faults: Any, duration: float = 5_000, latency: Any = 1, **settings: Any) -> Trace:
    """A producer of one record (or as told) at 100 ms, with a topic that is 1 ms away."""
    shop = Producer(
        "shop", **({"every": 100, "count": 1, "request_timeout_ms": 50, "delivery_timeout_ms": 1_000} | settings)
    )
    return run(Scenario([shop, Topic("orders")], [Link("shop", "orders", latency=latency)], faults, duration=duration))


def told(trace: Trace) -> list[tuple[float, str]]:
    return happened(trace, node="shop")


def test_a_record_is_created_sent_and_acknowledged():
    trace = producing()

    assert told(trace) == [(100, "created"), (100, "sent"), (102, "delivered"), (102, "acknowledged")]
    assert [trace.message(1).kind, trace.message(1).key] == ["OrderCreated", "order-1"]
    assert [step.cause for step in trace.select("created", "sent")] == [None, 0, 3]


def test_records_come_as_their_arrivals_keys_and_count_say():
    trace = producing(every=40, keys=["x", "y"], event="OrderPaid", count=3, size=7)

    assert [(step.time, *step.message[1:3], step.message.size) for step in trace.select("created")] == [
        (40, "OrderPaid", "x", 7), (80, "OrderPaid", "y", 7), (120, "OrderPaid", "x", 7),
    ]  # fmt: skip


def test_acks_of_none_asks_for_no_answer_and_never_sends_again():
    trace = producing(Drop("shop", "orders", nth=1), acks=0, count=2)

    assert [step.time for step in trace.select("sent")] == [100, 200]
    assert [step.time for step in trace.select("appended")] == [201]
    assert list(trace.select("acknowledged", "timed_out", "abandoned")) == []


@pytest.mark.parametrize("acks", [1, "all"])
def test_a_lost_record_is_sent_again_until_it_is_stored(acks: Any):
    trace = producing(Drop("shop", "orders", during=Span(0, 200)), acks=acks, retry_backoff_ms=100)

    sent = [(step.message.id, step["attempt"]) for step in trace.select("sent", node="shop")]
    assert sent == [(1, 1), (1, 2)]
    assert len(list(trace.select("appended"))) == len(list(trace.select("acknowledged"))) == 1


def test_a_lost_acknowledgement_makes_the_producer_append_twice():
    trace = producing(Drop("orders", "shop", kind="ack", nth=1))

    assert [(step.message.id, step["offset"]) for step in trace.select("appended")] == [(1, 0), (1, 1)]
    assert [step["offset"] for step in trace.select("acknowledged")] == [1]


def test_a_timeout_says_that_the_outcome_is_not_known():
    trace = producing(Drop("orders", "shop", kind="ack", nth=1))

    (late,) = trace.select("timed_out")
    assert (late.time, late["to"], late["attempt"], late["outcome"]) == (150, "orders", 1, "indefinite")


def test_a_late_acknowledgement_counts_as_long_as_the_record_is_waited_for():
    trace = producing(Slow("orders", "shop", by=60, nth=1), retry_backoff_ms=500)

    assert [(step.time, step["offset"]) for step in trace.select("acknowledged")] == [(162, 0)]
    assert len(list(trace.select("sent", node="shop"))) == 1


def test_a_second_acknowledgement_is_ignored():
    trace = producing(Duplicate("orders", "shop", kind="ack", after=5))

    assert [(step.time, step["reason"]) for step in trace.select("ignored")] == [(107, "acknowledged before")]
    assert len(list(trace.select("acknowledged"))) == 1


def test_a_producer_without_retries_gives_up_at_the_first_timeout():
    trace = producing(Drop("shop", "orders"), retries=0)

    assert told(trace)[-2:] == [(150, "timed_out"), (150, "abandoned")]
    assert [step["reason"] for step in trace.select("abandoned")] == ["no retries left"]


def test_a_producer_gives_up_after_its_last_retry():
    trace = producing(Drop("shop", "orders"), retries=3)

    assert [step["attempt"] for step in trace.select("sent")] == [1, 2, 3, 4]
    assert len(list(trace.select("abandoned"))) == 1


def test_a_producer_gives_up_when_the_time_to_deliver_is_over():
    trace = producing(Drop("shop", "orders"), delivery_timeout_ms=400)

    (abandoned,) = trace.select("abandoned")
    assert abandoned["reason"] == "delivery_timeout_ms is over"
    assert all(step.time < 100 + 400 for step in trace.select("sent"))
    assert list(trace.select("sent"))[-1].time > 200


def test_an_acknowledgement_after_giving_up_is_ignored():
    trace = producing(Slow("orders", "shop", by=500), retries=0)

    assert [step.time for step in trace.select("abandoned")] == [150]
    assert [step.time for step in trace.select("ignored")] == [602]


def test_backoff_doubles_give_or_take_a_fifth_and_never_exceeds_its_limit():
    trace = producing(
        Drop("shop", "orders"),
        every=1,
        count=200,
        retries=7,
        request_timeout_ms=20,
        retry_backoff_ms=10,
        retry_backoff_max_ms=100,
        delivery_timeout_ms=4_000,
    )

    waits: dict[int, list[float]] = {}
    gave_up: dict[int, float] = {}
    for step in trace.select("timed_out", "sent"):
        if step.kind == "timed_out":
            gave_up[step.message.id] = step.time
        elif step["attempt"] > 1:
            waits.setdefault(step["attempt"] - 1, []).append(step.time - gave_up[step.message.id])
    for retry, nominal in enumerate([10, 20, 40, 80, 100, 100, 100], start=1):
        assert len(waits[retry]) == 200
        assert 0.8 * nominal - 1e-6 <= min(waits[retry]) < 0.82 * nominal
        assert min(1.18 * nominal, 100 - 1e-6) < max(waits[retry]) <= min(1.2 * nominal, 100) + 1e-6


def test_without_backoff_the_next_attempt_follows_at_once():
    trace = producing(Drop("shop", "orders", nth=1), retry_backoff_ms=0)

    assert [step.time for step in trace.select("sent", node="shop")] == [100, 150]


def test_each_of_many_records_under_way_has_its_own_timeout():
    trace = producing(
        Drop("shop", "orders", nth=2), Drop("shop", "orders", nth=5), every=10, count=6, latency=3, retry_backoff_ms=5
    )

    assert [(step.time, step.message.key) for step in trace.select("timed_out")] == [(70, "order-2"), (100, "order-5")]
    assert {step.message.key for step in trace.select("acknowledged")} == {f"order-{n}" for n in range(1, 7)}


trouble = st.lists(
    st.one_of(link_faults("shop", "orders", "OrderCreated", "ack"), node_faults("orders", "appended")), max_size=5
)


@settings(max_examples=80)
@given(trouble, seeds, st.sampled_from([0, 1, 5, 100]), st.sampled_from([30, 60]))
def test_every_record_is_settled_and_no_timer_is_forgotten(faults: list[Any], seed: int, retries: int, timeout: int):
    shop = Producer(
        "shop", 15, count=20, retries=retries, request_timeout_ms=timeout, retry_backoff_ms=10, delivery_timeout_ms=500
    )
    trace = run(Scenario([shop, Topic("orders")], [Link("shop", "orders")], faults, duration=3_000), seed)

    for created in trace.select("created"):
        told = [step.kind for step in trace.select(node="shop", message=created.message.id)]
        ends = [kind for kind in told if kind in ("acknowledged", "abandoned")]
        assert len(ends) == 1
        assert told.count("sent") <= retries + 1
        attempts = [step["attempt"] for step in trace.select("sent", node="shop", message=created.message.id)]
        assert attempts == list(range(1, len(attempts) + 1))
        assert told.count("timed_out") in (len(attempts), len(attempts) - 1)


@settings(max_examples=60)
@given(trouble, seeds)
def test_what_is_acknowledged_is_in_the_log_where_it_was_said_to_be(faults: list[Any], seed: int):
    shop = Producer("shop", 15, count=20, request_timeout_ms=40, retry_backoff_ms=10, delivery_timeout_ms=500)
    trace = run(Scenario([shop, Topic("orders", 2)], [Link("shop", "orders")], faults, duration=3_000), seed)

    log = {(step["partition"], step["offset"]): step.message for step in trace.select("appended")}
    for step in trace.select("acknowledged"):
        assert log[step["partition"], step["offset"]] == step.message


def test_a_crash_forgets_what_was_under_way_but_not_where_the_world_is():
    outage, crash = Cut("shop", "orders", during=Span(0, 120)), Crash("shop", at=125, restart_after=100)
    trace = producing(outage, crash, every=50, count=5, keys=ListedKeys(["x", "y"]))

    assert [(step.time, step.message.key) for step in trace.select("created")] == [
        (50, "x"), (100, "y"), (275, "x"), (325, "y"), (375, "x"),
    ]  # fmt: skip
    stored = {step.message.id for step in trace.select("appended")}
    assert [step.time for step in trace.select("created") if step.message.id not in stored] == [50, 100]


def test_numbered_orders_stay_different_after_a_crash():
    trace = producing(Crash("shop", at=250, restart_after=10), count=4)

    assert [step.message.key for step in trace.select("created")] == ["order-1", "order-2", "order-3", "order-4"]


def test_a_producer_that_has_made_all_makes_no_more_after_a_crash():
    trace = producing(Crash("shop", at=250, restart_after=10), count=2)

    assert [step.time for step in trace.select("created")] == [100, 200]


def test_a_burst_is_not_repeated_by_a_restart():
    trace = producing(
        Crash("shop", at=1_000, restart_after=0), every=Bursty(10, 1_000, Span(0, 500)), count=None, acks=0, duration=2_000
    )

    assert len([step for step in trace.select("created") if step.time < 500]) > 400
    assert len([step for step in trace.select("created") if step.time > 1_000]) < 30


def test_a_paused_producer_makes_its_records_late_but_makes_them_all():
    trace = producing(Pause("shop", at=120, lasting=200), every=50, count=4)

    assert [step.time for step in trace.select("created")] == [50, 100, 320, 370]


def test_the_rate_of_a_poisson_producer_is_the_one_it_was_given():
    trace = producing(every=Poisson(200), count=None, duration=20_000)

    assert len(list(trace.select("created"))) == pytest.approx(4_000, abs=4 * 4_000**0.5)
