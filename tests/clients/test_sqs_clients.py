"""What clients of a queue like Amazon SQS do beyond one message at a time: batches, failures, redrives, the in-flight limit."""

from __future__ import annotations

from itertools import pairwise

import pytest

from simulator import (
    Crash,
    Drop,
    Link,
    Pause,
    RedrivePolicy,
    Retry,
    Scenario,
    ScenarioError,
    SqsConsumer,
    SqsProducer,
    SqsQueue,
    SqsRedrive,
    Trace,
    run,
)
from simulator.engine import run_with_states
from simulator.reading import checks
from simulator.reading.frames import frames

ONE = SqsQueue("orders", servers=1)
FIFO = SqsQueue("orders.fifo", fifo_queue=True)


def shop(
    *consumers: SqsConsumer, queue: SqsQueue = ONE, more=(), links=(), faults=(), duration: float = 30_000, **producer
) -> Scenario:
    return Scenario(
        [SqsProducer("shop", **{"every": 10, "count": 12, **producer}), queue, *consumers, *more],
        [Link("shop", queue.name), *(Link(queue.name, each.name) for each in consumers), *links],
        faults,
        duration=duration,
    )


def keys(trace: Trace, *kinds: str, **where) -> list[str]:
    return [step.message.key for step in trace.select(*kinds, **where)]


def sent(trace: Trace, kind: str) -> list[int]:
    """How many entries each request of a kind had."""
    return [len(step.message.payload) for step in trace.select("sent") if step.message.kind == kind]


def orders(*numbers: int) -> list[str]:
    return [f"order-{number}" for number in numbers]


# Batches.


def test_a_producer_sends_up_to_ten_records_at_once_and_never_waits_longer_than_it_was_told():
    trace = run(shop(max_batch_size=10, max_batch_open_ms=55))

    assert sent(trace, "send_message_batch") == [6, 6]
    assert keys(trace, "completed", node="shop") == keys(trace, "enqueued") == orders(*range(1, 13))


def test_a_full_batch_does_not_wait():
    assert sent(run(shop(max_batch_size=5)), "send_message_batch") == [5, 5, 2]


def test_a_batch_never_gets_longer_than_a_message_may_be():
    trace = run(shop(max_batch_size=10, size=300_000, queue=SqsQueue("orders", servers=1)))

    assert set(sent(trace, "send_message_batch")) == {3}
    assert len(keys(trace, "completed", node="shop")) == 12


def test_what_is_refused_of_a_batch_is_given_up_and_the_rest_is_stored():
    queue = SqsQueue("orders", servers=1, maximum_message_size=1_024)

    trace = run(shop(queue=queue, max_batch_size=4, size=2_000, count=4))

    (reason,) = {str(step["reason"]).split(":")[0] for step in trace.select("failed")}
    assert reason == "InvalidParameterValue"
    assert keys(trace, "abandoned") == orders(1, 2, 3, 4)
    assert not list(trace.select("enqueued"))


@pytest.mark.parametrize(("queue", "stored"), [(ONE, 8), (FIFO, 4)], ids=["standard", "FIFO"])
def test_a_lost_answer_makes_a_batch_be_sent_again_which_only_a_fifo_queue_recognises(queue, stored):
    fault = Drop(queue.name, "shop", kind="reply", nth=1)

    trace = run(shop(queue=queue, count=4, max_batch_size=4, timeout=100, faults=[fault]))

    assert len(keys(trace, "enqueued")) == stored
    assert keys(trace, "completed", node="shop") == orders(1, 2, 3, 4)


def test_a_batch_that_nobody_answers_is_given_up():
    fault = Drop("shop", "orders")

    trace = run(shop(count=3, max_batch_size=3, timeout=100, retry=Retry(2), faults=[fault]))

    assert sent(trace, "send_message_batch") == [3, 3, 3]
    assert keys(trace, "abandoned") == orders(1, 2, 3)


def test_the_messages_of_a_receive_are_deleted_together():
    trace = run(shop(SqsConsumer("billing", max_number_of_messages=10, delete="together", work=100), count=12))

    assert sum(sent(trace, "delete_message_batch")) == 12
    assert max(sent(trace, "delete_message_batch")) > 1
    assert frames(trace)[-1]["orders"] == {}


def test_a_crash_before_they_are_deleted_together_repeats_all_of_them():
    consumer = SqsConsumer("billing", max_number_of_messages=10, delete="together", work=100, visibility_timeout=2)
    crash = Crash("billing", after="processed", nth=4, restart_after=100)

    trace = run(shop(consumer, count=12, faults=[crash]))

    again = [step.message.key for step in trace.select("processed") if step["attempt"] == 2]
    assert len(again) > 1
    assert checks.at_least_once(trace, "billing").holds


def test_of_a_batch_that_is_deleted_too_late_a_fifo_queue_tells_each_error():
    queue = SqsQueue("orders.fifo", fifo_queue=True, visibility_timeout=1)
    consumer = SqsConsumer("billing", max_number_of_messages=4, delete="together", work=600)

    trace = run(shop(consumer, queue=queue, count=4, max_batch_size=4, duration=5_000))

    failed = [str(step["reason"]) for step in trace.select("failed", node="billing")]
    assert failed
    assert all(reason.startswith("InvalidParameterValue: The receipt handle") for reason in failed)


# What fails.


@pytest.mark.parametrize(("retry_after", "waited"), [(None, 30_000), (0, 0), (5, 5_000)])
def test_a_message_on_which_the_work_failed_comes_again_when_it_was_said(retry_after, waited):
    consumer = SqsConsumer("billing", poison=["order-2"], poison_until=1_000, work=10, retry_after=retry_after)

    trace = run(shop(consumer, count=3, duration=60_000))

    first, second, *_ = [step.time for step in trace.select("started") if step.message.key == "order-2"]
    assert second - first == pytest.approx(waited, abs=100)
    assert sorted(set(keys(trace, "processed"))) == orders(1, 2, 3)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_of_a_message_group_nothing_overtakes_what_failed(concurrency):
    queue = SqsQueue("orders.fifo", fifo_queue=True, visibility_timeout=2)
    consumer = SqsConsumer(
        "billing", max_number_of_messages=10, concurrency=concurrency, work=20, poison=["ann"], poison_until=4_000
    )

    trace = run(shop(consumer, queue=queue, keys=["ann", "ann", "bob"], count=9))

    assert checks.per_key_order(trace, "billing").holds
    assert len(keys(trace, "processed")) == 9
    assert [step["reason"] for step in trace.select("ignored")].count("an earlier message of its group failed") >= 1


# The in-flight limit.


@pytest.mark.parametrize(
    ("queue", "wait", "refused"), [("orders", 0, True), ("orders", 1, False), ("orders.fifo", 0, False)]
)
def test_when_too_many_messages_are_in_flight_no_more_are_handed_out(queue, wait, refused):
    limited = SqsQueue(queue, fifo_queue=queue.endswith(".fifo"), servers=1, in_flight_max=2)
    consumers = [SqsConsumer(f"billing-{number}", work=3_000, wait_time_seconds=wait, pause=400) for number in (1, 2, 3)]

    trace = run(shop(*consumers, queue=limited, duration=5_000))

    most = max(len(frame[queue].get("in flight", {})) for frame in frames(trace))
    over = [step for step in trace.select("rejected") if str(step["reason"]).startswith("OverLimit")]
    assert most == 2
    assert bool(over) == refused


# Redrives.

BAD = orders(2, 3, 5)


def redriven(*operators: SqsRedrive, mended_at: float | None = 8_000, more=(), links=(), **changes) -> Scenario:
    """Billing fails on some orders, which are set aside; operators have them tried again."""
    queue = SqsQueue("orders", visibility_timeout=1, servers=1, redrive_policy=RedrivePolicy("dead", 1))
    consumer = SqsConsumer("billing", poison=BAD, poison_until=mended_at, work=5)
    return shop(
        consumer, queue=queue, more=(SqsQueue("dead", servers=1), *operators, *more), count=6,
        links=(Link("orders", "dead"), *(Link(each.name, "dead") for each in operators), *links), **changes,
    )  # fmt: skip


def aside(trace: Trace) -> list[str]:
    return [trace.message(number).key for number in frames(trace)[-1].messages("dead", "available")]


def test_no_more_are_tried_again_than_was_said():
    trace = run(redriven(SqsRedrive("operator", 10_000, limit=2)))

    assert keys(trace, "redriven") == BAD[:2]
    assert aside(trace) == BAD[2:]


def test_all_are_tried_again_by_one_other_queue_s_consumer():
    repair = SqsConsumer("repair", work=50)
    links = (Link("dead", "second line"), Link("second line", "repair"))
    more = (SqsQueue("second line", servers=1), repair)

    with pytest.raises(ScenarioError, match="letters, digits"):
        redriven(SqsRedrive("operator", 10_000, destination="second line"), more=more, links=links)

    renamed = [Link("dead", "second-line"), Link("second-line", "repair")]
    operator = SqsRedrive("operator", 10_000, destination="second-line", max_number_of_messages_per_second=2)
    trace = run(redriven(operator, more=(SqsQueue("second-line", servers=1), repair), links=renamed, mended_at=None))

    assert keys(trace, "processed", node="repair") == BAD
    assert [later - earlier for earlier, later in pairwise(step.time for step in trace.select("redriven"))] == [500.0, 500.0]


def test_what_fails_again_comes_back():
    trace = run(redriven(SqsRedrive("operator", 10_000, limit=2), mended_at=None))

    assert sorted(aside(trace)) == BAD
    assert len(keys(trace, "dead_lettered")) == 5


@pytest.mark.parametrize(
    "fault", [Drop("operator", "dead", nth=1), Drop("dead", "operator", nth=1), Crash("dead", at=10_002, restart_after=300)]
)
def test_however_often_the_operator_has_to_ask_the_task_begins_once(fault):
    trace, _ = run_with_states(redriven(SqsRedrive("operator", 10_000, limit=2), faults=[fault]))

    assert keys(trace, "redriven") == BAD[:2]


@pytest.mark.parametrize(
    ("operator", "told"),
    [
        (SqsRedrive("operator", 0, destination="order"), 'did you mean "orders"?'),
        (SqsRedrive("operator", 0, destination="other.fifo"), "the destination must be one too (InvalidParameterValue)"),
        (SqsRedrive("operator", 0, destination="far"), 'no link joins the two queues; add Link("dead", "far")'),
        (SqsRedrive("operator", 0, limit=0), "limit is 0"),
    ],
)
def test_a_redrive_that_amazon_sqs_would_refuse_is_refused(operator, told):
    with pytest.raises(ScenarioError) as refused:
        redriven(operator, more=(SqsQueue("other.fifo", fifo_queue=True), SqsQueue("far")))

    assert told in str(refused.value)


# Pauses.


def test_an_answer_that_waited_out_a_pause_counts_although_its_time_is_over():
    consumer = SqsConsumer("one", wait_time_seconds=0, timeout=100)

    for at in range(10, 80, 7):
        scenario = shop(consumer, faults=[Pause("one", at=at, lasting=250)], duration=3_000)
        trace = run(scenario.but(links=[Link("shop", "orders"), Link("orders", "one", latency=40)]))

        assert sorted(set(keys(trace, "processed"))) == sorted(orders(*range(1, 13)))
