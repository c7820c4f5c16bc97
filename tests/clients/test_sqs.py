"""Queues that hide what they hand out, with those who send to them and receive from them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    Crash,
    Cut,
    Drop,
    Duplicate,
    Exponential,
    Link,
    Pause,
    RedrivePolicy,
    Retry,
    Scenario,
    ScenarioError,
    Slow,
    Span,
    SqsConsumer,
    SqsProducer,
    SqsQueue,
    SqsRedrive,
    Trace,
    Uniform,
    run,
)
from simulator.engine import run_with_states
from simulator.network import Fault
from simulator.reading import checks
from simulator.reading.causes import why
from simulator.reading.fates import missing
from simulator.reading.frames import apply, frames
from simulator.reading.sentences import sentence


def shop(
    *consumers: SqsConsumer,
    queue: SqsQueue | None = None,
    producer: SqsProducer | None = None,
    faults: tuple[Fault, ...] = (),
    duration: float = 20_000,
    more: tuple = (),
    links: tuple[Link, ...] = (),
) -> Scenario:
    """A shop, a queue, and whoever works on it; one server, so that nothing is left to chance."""
    queue = queue or SqsQueue("orders", servers=1)
    producer = producer or SqsProducer("shop", count=3)
    return Scenario(
        [producer, queue, *consumers, *more],
        [Link(producer.name, queue.name), *(Link(queue.name, each.name) for each in consumers), *links],
        faults,
        duration=duration,
    )


def done(trace: Trace, *nodes: str) -> list[str]:
    """The keys of what was processed, in order of time."""
    return [str(step.message.key) for step in trace.select("processed", node=nodes or None)]


def said(trace: Trace, *kinds: str) -> list[str]:
    return [sentence(step) for step in trace.select(*kinds)]


def test_what_is_sent_is_received_worked_on_and_deleted():
    trace = run(shop(SqsConsumer("billing")))

    assert done(trace) == ["order-1", "order-2", "order-3"]
    assert [step.data["number"] for step in trace.select("deleted")] == [1, 2, 3]
    assert len(list(trace.select("completed", node="shop"))) == 3
    assert checks.processed_once(trace, "billing").status == "holds"


def test_work_that_takes_longer_than_the_visibility_timeout_is_done_twice():
    consumers = SqsConsumer("billing-1", group="billing", work=1_500), SqsConsumer("billing-2", group="billing", work=1_500)
    trace = run(
        shop(*consumers, queue=SqsQueue("orders", visibility_timeout=1, servers=1), producer=SqsProducer("shop", count=1))
    )

    assert done(trace)[:2] == ["order-1", "order-1"]
    verdict = checks.at_most_once(trace, "billing")
    assert not verdict
    second = verdict.evidence[1]
    reasons = [step.kind for step in why(trace, second)]
    assert "reappeared" in reasons
    assert "ignored" in [step.kind for step in trace.select("ignored", node="orders")]


def test_a_heartbeat_keeps_long_work_to_itself():
    consumers = (
        SqsConsumer("billing-1", group="billing", work=3_500, heartbeat=500),
        SqsConsumer("billing-2", group="billing", work=3_500, heartbeat=500),
    )
    trace = run(
        shop(*consumers, queue=SqsQueue("orders", visibility_timeout=1, servers=1), producer=SqsProducer("shop", count=1))
    )

    assert done(trace) == ["order-1"]
    assert len(list(trace.select("extended"))) == 6
    assert list(trace.select("reappeared")) == []


def test_a_crash_between_the_work_and_the_deletion_repeats_the_work():
    crash = Crash("billing", after="processed", nth=1, restart_after=500)
    trace = run(shop(SqsConsumer("billing"), faults=(crash,), duration=60_000))

    assert done(trace).count("order-1") == 2
    times = [step.time for step in trace.select("received") if step.message.key == "order-1"]
    assert times[1] - times[0] == pytest.approx(30_000)
    assert checks.at_least_once(trace, "billing").status == "holds"


def test_deleting_before_the_work_loses_what_a_crash_interrupts():
    crash = Crash("billing", after="started", nth=2, restart_after=500)
    trace = run(shop(SqsConsumer("billing", delete="before"), faults=(crash,), duration=60_000))

    assert done(trace) == ["order-1", "order-3"]
    (lost,) = missing(trace, "billing")
    assert (lost.message.key, lost.lost, lost.why) == ("order-2", True, "orders deleted it before it took effect")


def test_a_lost_answer_makes_a_standard_queue_store_the_record_twice_and_a_fifo_queue_recognise_it():
    fault = [Drop(name, "shop", kind="reply", nth=1) for name in ("orders", "orders.fifo")]
    standard = run(shop(SqsConsumer("billing"), faults=(fault[0],)))
    fifo = run(shop(SqsConsumer("billing"), queue=SqsQueue("orders.fifo", fifo_queue=True), faults=(fault[1],)))

    assert done(standard).count("order-1") == 2
    assert done(fifo) == ["order-1", "order-2", "order-3"]
    assert said(fifo, "deduplicated") == ["orders.fifo recognised order-1 as its 1st message, and did not store it again."]


def set_aside(trace: Trace) -> list[str]:
    """The keys of what can be had from the dead-letter queue at the end."""
    return [str(trace.message(number).key) for number in frames(trace)[-1].messages("dead", "available")]


def poison(*more: object, links: tuple[Link, ...] = (), duration: float = 20_000) -> Trace:
    queue = SqsQueue("orders", visibility_timeout=1, redrive_policy=RedrivePolicy("dead", 3), servers=1)
    return run(
        shop(
            SqsConsumer("billing", poison=["order-2"]), queue=queue, more=(SqsQueue("dead", servers=1), *more),
            links=(Link("orders", "dead"), *links), duration=duration,
        )
    )  # fmt: skip


def test_a_poison_message_goes_to_the_dead_letter_queue_after_its_last_receive():
    trace = poison()

    assert len(list(trace.select("rejected", node="billing"))) == 3
    assert said(trace, "dead_lettered") == ["orders gave up on order-2, received 3 times in vain, and moves it to dead."]
    assert done(trace) == ["order-1", "order-3"]
    assert set_aside(trace) == ["order-2"]
    (open_end,) = missing(trace, "billing")
    assert (open_end.lost, open_end.why) == (False, "it was still in dead, where it was set aside, when the run ended")


def test_a_letter_that_is_lost_on_the_way_to_the_dead_letter_queue_is_sent_again():
    queue = SqsQueue("orders", visibility_timeout=1, redrive_policy=RedrivePolicy("dead", 1), servers=1)
    faults = (Drop("orders", "dead", nth=1), Drop("dead", "orders", nth=1), Crash("orders", at=3_500, restart_after=100))
    scenario = shop(
        SqsConsumer("billing", poison=["order-2"]), queue=queue, more=(SqsQueue("dead"),),
        links=(Link("orders", "dead"),), faults=faults,
    )  # fmt: skip

    trace, states = run_with_states(scenario)

    assert len(list(trace.select("enqueued", node="dead"))) == 1
    assert states["orders"]["queue"].leaving == {}


def test_an_operator_has_dead_letters_tried_again():
    trace = poison(SqsRedrive("operator", 10_000), links=(Link("operator", "dead"),), duration=30_000)

    assert said(trace, "redriven") == ["dead moves order-2 back to orders."]
    # It came back as a new message: it is tried three more times, and ends up there again.
    counts = [step.data["count"] for step in trace.select("received") if step.message.key == "order-2"]
    assert counts == [1, 2, 3, 1, 2, 3]
    assert set_aside(trace) == ["order-2"]


def test_dead_letters_go_back_at_the_rate_that_was_asked_for():
    consumer = SqsConsumer("billing", poison=[f"order-{number}" for number in range(1, 6)])
    queue = SqsQueue("orders", visibility_timeout=1, redrive_policy=RedrivePolicy("dead", 1), servers=1)
    trace = run(
        shop(
            consumer, queue=queue, producer=SqsProducer("shop", count=5),
            more=(SqsQueue("dead"), SqsRedrive("operator", 10_000, max_number_of_messages_per_second=4)),
            links=(Link("orders", "dead"), Link("operator", "dead")),
        )
    )  # fmt: skip

    times = [step.time for step in trace.select("redriven")]

    assert len(times) == 5
    assert [later - earlier for earlier, later in pairwise(times)] == [250.0] * 4


def test_a_fifo_group_waits_for_its_message_in_flight_and_others_do_not():
    consumers = SqsConsumer("billing-1", work=1_000), SqsConsumer("billing-2", work=1_000)
    trace = run(
        shop(
            *consumers, queue=SqsQueue("orders.fifo", fifo_queue=True),
            producer=SqsProducer("shop", 10, count=4, keys=["ann", "ann", "ann", "bob"]),
        )
    )  # fmt: skip

    assert [str(step.message.key) for step in trace.select("started")] == ["ann", "bob", "ann", "ann"]
    assert checks.per_key_order(trace, "billing-1")
    received = list(trace.select("received"))
    assert [step.data["number"] for step in received] == [1, 4, 2, 3]


def test_a_fifo_consumer_that_is_too_slow_may_not_delete_any_more():
    queue = SqsQueue("orders.fifo", fifo_queue=True, visibility_timeout=1)
    trace = run(shop(SqsConsumer("billing", work=1_500), queue=queue, producer=SqsProducer("shop", count=1), duration=6_000))

    assert done(trace)[:2] == ["order-1", "order-1"]
    (first, *_) = trace.select("failed", node="billing")
    assert str(first.data["reason"]).startswith("InvalidParameterValue: The receipt handle 1 has expired")


def test_a_lost_answer_to_a_fifo_receive_is_repeated_with_the_same_handles():
    queue = SqsQueue("orders.fifo", fifo_queue=True, visibility_timeout=40)
    fault = Drop("orders.fifo", "billing", kind="messages", nth=1)
    trace = run(shop(SqsConsumer("billing", wait_time_seconds=1), queue=queue, faults=(fault,), duration=30_000))

    assert done(trace) == ["order-1", "order-2", "order-3"]
    # Long before the visibility timeout would have been over.
    assert next(iter(trace.select("processed"))).time < 5_000


def test_a_long_poll_saves_the_answers_without_messages():
    def empty_answers(wait: int) -> int:
        trace = run(shop(SqsConsumer("billing", wait_time_seconds=wait), producer=SqsProducer("shop", 5_000, count=3)))
        return sum(
            step.message.kind == "messages" and not step.message.payload for step in trace.select("sent", node="orders")
        )

    assert empty_answers(0) > 100
    assert empty_answers(20) == 0


def test_a_delayed_message_waits_in_the_queue():
    trace = run(shop(SqsConsumer("billing"), producer=SqsProducer("shop", count=1, delay_seconds=2)))

    (stored,), (shown,) = list(trace.select("enqueued")), list(trace.select("reappeared"))
    assert (stored.data["delay"], shown.data["reason"], shown.time - stored.time) == (2_000, "delay over", 2_000)
    assert shown.cause == stored.index
    assert frames(trace)[stored.index].messages("orders", "delayed") == (stored.message.id,)


def test_what_nobody_receives_is_dropped_after_the_retention_period():
    queue = SqsQueue("orders", message_retention_period=60)
    trace = run(shop(queue=queue, duration=100_000))

    assert [step.time - 1 for step in trace.select("expired")] == [60_100.0, 60_200.0, 60_300.0]
    assert frames(trace)[-1].messages("orders", "available") == ()


def test_a_restart_of_the_queue_keeps_what_is_stored_and_hidden():
    crash = Crash("orders", at=500, restart_after=300)
    trace = run(shop(SqsConsumer("billing", work=2_000), faults=(crash,), duration=60_000))

    assert sorted(set(done(trace))) == ["order-1", "order-2", "order-3"]
    assert checks.at_least_once(trace, "billing")


def test_an_idempotent_consumer_does_nothing_twice_and_deletes_all_the_same():
    crash = Crash("billing", after="processed", nth=1, restart_after=500)
    trace = run(shop(SqsConsumer("billing", idempotent=True), faults=(crash,), duration=60_000))

    assert sorted(done(trace)) == ["order-1", "order-2", "order-3"]
    assert len(list(trace.select("skipped"))) == 1
    assert frames(trace)[-1]["orders"] == {}


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([SqsQueue("orders", visibility_timeout=50_000)], "is 50000; it must be a whole number from 0 to 43,200 (seconds)"),
        ([SqsQueue("orders", visibility_timeout=0.5)], "visibility_timeout is 0.5"),
        ([SqsQueue("orders", fifo_queue=True)], 'call it "orders.fifo"'),
        ([SqsQueue("orders.fifo")], "it needs fifo_queue=True"),
        ([SqsQueue("orders", content_based_deduplication=True)], "InvalidAttributeName"),
        ([SqsQueue("orders", redrive_policy=RedrivePolicy("ded")), SqsQueue("dead")], 'did you mean "dead"?'),
        ([SqsQueue("orders", redrive_policy=RedrivePolicy("dead")), SqsQueue("dead")], 'add Link("orders", "dead")'),
        ([SqsQueue("a.fifo", fifo_queue=True, redrive_policy=RedrivePolicy("dead")), SqsQueue("dead")], "must be one too"),
        ([SqsQueue("orders", redrive_policy=RedrivePolicy("dead", 0)), SqsQueue("dead")], "max_receive_count is 0"),
        ([SqsConsumer("billing")], 'add one Link(queue, "billing")'),
        ([SqsConsumer("billing", max_number_of_messages=11)], "from 1 to 10"),
        ([SqsProducer("shop")], "it sends to one queue, and 0 are linked from it"),
        ([SqsRedrive("operator", 0)], "link it to one dead-letter queue"),
    ],
)  # fmt: skip
def test_what_amazon_sqs_would_refuse_is_refused(parts, told):
    with pytest.raises(ScenarioError) as refused:
        Scenario(parts)

    assert told in str(refused.value)


def test_a_scenario_with_queues_is_stored_and_read_again():
    queue = SqsQueue("orders", redrive_policy=RedrivePolicy("dead", 3))
    scenario = shop(SqsConsumer("billing"), queue=queue, more=(SqsQueue("dead"),), links=(Link("orders", "dead"),))

    assert Scenario.from_json(scenario.to_json()) == scenario


FAULTS = (
    Drop("shop", "orders", probability=0.2),
    Drop("orders", "shop", kind="reply", probability=0.3),
    Drop("billing-1", "orders", kind="delete_message", probability=0.3),
    Drop("orders", "billing-2", kind="messages", probability=0.2),
    Duplicate("billing-1", "orders", probability=0.2, jitter=20),
    Slow("orders", "billing-1", by=300, probability=0.3),
    Drop("orders", "dead", probability=0.5),
    Cut("orders", "billing-1", during=Span(3_000, 6_000)),
    Crash("billing-1", at=2_500, restart_after=800),
    Crash("orders", at=4_444, restart_after=700),
    Crash("dead", at=7_000, restart_after=500),
    Pause("billing-2", at=1_900, lasting=2_500),
    Pause("orders", at=8_000, lasting=1_500),
)


@st.composite
def a_run(draw: st.DrawFn) -> tuple[Trace, dict[str, dict]]:
    fifo = draw(st.booleans())
    end = ".fifo" if fifo else ""
    unreachable = 0.0 if fifo else draw(st.sampled_from([0.0, 0.3]))
    settings_of_both = {"fifo_queue": fifo, "servers": draw(st.sampled_from([1, 4]))}
    renamed = {"orders": f"orders{end}", "dead": f"dead{end}"}

    def told(fault: Fault) -> Fault:
        import attrs

        names = {field.name: getattr(fault, field.name) for field in attrs.fields(type(fault))}
        return attrs.evolve(fault, **{name: renamed[held] for name, held in names.items() if held in ("orders", "dead")})

    scenario = Scenario(
        [
            SqsProducer("shop", 180, keys=["ann", "bob", "cy"], timeout=400, retry=Retry(4), count=40),
            SqsQueue(
                f"orders{end}", visibility_timeout=1, unreachable=unreachable,
                redrive_policy=RedrivePolicy(f"dead{end}", 3), **settings_of_both,
            ),
            SqsQueue(f"dead{end}", **settings_of_both),
            SqsConsumer(
                "billing-1", group="billing", work=Exponential(300), max_number_of_messages=3, concurrency=2, timeout=600
            ),
            SqsConsumer(
                "billing-2", group="billing", work=700, heartbeat=draw(st.sampled_from([None, 400])),
                wait_time_seconds=draw(st.sampled_from([0, 2])), poison=["cy"], timeout=600,
            ),
            SqsRedrive("operator", 9_000, max_number_of_messages_per_second=5),
        ],
        [
            Link("shop", f"orders{end}", latency=Uniform(1, 9)), Link(f"orders{end}", f"dead{end}", latency=5),
            Link(f"orders{end}", "billing-1", latency=Uniform(1, 20)), Link(f"orders{end}", "billing-2", latency=3),
            Link("operator", f"dead{end}"),
        ],
        [told(fault) for fault in draw(st.lists(st.sampled_from(FAULTS), unique=True, max_size=5))],
        duration=14_000,
    )  # fmt: skip
    return run_with_states(scenario, draw(st.integers(0, 99)))


@settings(max_examples=40)
@given(a_run())
def test_what_is_folded_is_what_the_queues_have_on_disk(ran):
    trace, states = ran
    last = frames(trace)[-1]

    for node in trace.scenario.nodes_of(SqsQueue):
        kept = states[node.name]["queue"].messages.values()
        for state in ("available", "delayed", "in flight"):
            # What was deleted but for a copy on an unreachable server counts as gone until it comes again.
            expected = {each.number for each in kept if each.state == state and (each.handle or state != "in flight")}
            assert set(last[node.name].get(state, {})) == expected
        told = last[node.name]
        for each in kept:
            if each.number in told.get("visible at", {}):
                assert told["visible at"][each.number] == pytest.approx(each.visible_at, abs=1)
            if each.number in told.get("receives", {}):
                assert told["receives"][each.number] == each.receive_count
        if node.fifo_queue:
            assert told.get("group", {}) == {each.number: each.group for each in kept}
            assert told.get("blocked", {}) == Counter(each.group for each in kept if each.state == "in flight")
        assert told.get("visible at", {}).keys() == {*told.get("delayed", {}), *told.get("in flight", {})}
    for consumer in trace.scenario.nodes_of(SqsConsumer):
        assert last.processed(consumer.name) == states[consumer.name]["processed"]


@settings(max_examples=40)
@given(a_run())
def test_at_least_once_never_loses_what_was_stored(ran):
    trace, _ = ran
    stored = {step.message.id for step in trace.select("enqueued")}

    assert not [each for each in missing(trace, "billing") if each.lost and each.message.id in stored]


@settings(max_examples=20)
@given(a_run())
def test_every_step_has_its_sentence(ran):
    for step in ran[0]:
        assert sentence(step).endswith(".")


def test_the_same_seed_gives_the_same_trace():
    scenario = shop(SqsConsumer("billing"), queue=SqsQueue("orders", unreachable=0.2), producer=SqsProducer("shop", 20))

    assert run(scenario, 5).digest == run(scenario, 5).digest
    assert run(scenario, 5).digest != run(scenario, 6).digest


@settings(max_examples=8)
@given(a_run())
def test_edits_agree_with_the_frames_of_a_queue(ran):
    every = frames(ran[0])
    state: dict = {}

    for index, step in enumerate(every.edits()):
        apply(state, step)
        assert state == every[index].state
