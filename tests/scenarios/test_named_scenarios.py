"""Every named scenario runs, is a function of its seed, and shows what it promises."""

import statistics

import pytest

from simulator import Consumer, Scenario, Service, Span, parameters, run
from simulator.reading import checks, measures
from simulator.scenarios import SCENARIOS
from simulator.scenarios.checkout import checkout, checkout_burst, payment_hiccup
from simulator.scenarios.first import lost_commit, one_order, three_orders

STYLES = ("request-response", "event-driven")


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_named_scenario_runs_to_its_end_and_again_the_same_way(name):
    first, second = run(SCENARIOS[name](), seed=7), run(SCENARIOS[name](), seed=7)

    assert first.ended == "duration"
    assert first == second
    assert first.scenario.name == name


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_named_scenario_can_be_stored_and_found_again(name):
    scenario = SCENARIOS[name]()

    assert Scenario.from_json(scenario.to_json()) == scenario


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_number_has_a_control_that_its_default_fits(name):
    assert parameters.summary(SCENARIOS[name]).endswith(".")
    for parameter in parameters.parameters(SCENARIOS[name]):
        if parameter.kind in {"whole", "number"}:
            assert parameter.range is not None, parameter.name
            assert parameter.default is None or parameter.range.low <= parameter.default <= parameter.range.high


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_ends_of_every_control_make_scenarios_that_run(name):
    for parameter in parameters.parameters(SCENARIOS[name]):
        if parameter.name == "seconds":
            continue
        ends = (parameter.range.low, parameter.range.high) if parameter.range else parameter.choices
        if parameter.kind == "span":
            ends = [Span(ends[0], ends[1]), Span(ends[0], ends[0]), Span(ends[1], ends[1])]
        elif parameter.kind == "text":
            ends = ["", "a.b", "*.#"]
        for end in ends or [True, False]:
            trace = run(parameters.make(SCENARIOS[name], {parameter.name: end}), seed=1, progress=False)

            assert trace.ended == "duration", (parameter.name, end)


def test_one_order_passes_through_three_services():
    trace = run(one_order())

    assert [step.node for step in trace.select("processed")] == ["inventory", "payment", "checkout"]
    assert 20 <= len(trace) <= 60
    assert all(checks.every(trace))


@pytest.mark.parametrize("settings", [{"payment_ms": 250}, {"timeout_ms": 50, "payment_ms": 60}, {"lost": "the reply"}])
def test_one_order_is_paid_twice_when_payment_answers_too_late_or_not_at_all(settings):
    trace = run(one_order(**settings))

    assert len(list(trace.select("timed_out", node="checkout"))) >= 1
    assert not checks.at_most_once(trace, "payment")


def test_a_customer_is_charged_twice_because_a_reply_was_lost():
    trace = run(three_orders())

    verdict = checks.at_most_once(trace, "payment")
    assert not verdict
    assert "order-2" in verdict.sentence
    assert len(list(trace.select("completed", node="customers"))) == 3
    assert len(trace) <= 60


def test_an_idempotent_payment_charges_once_and_the_customer_has_the_order():
    trace = run(three_orders(idempotent=True))

    assert checks.processed_once(trace, "payment")
    assert len(list(trace.select("completed", node="customers"))) == 3


def test_without_retries_nobody_is_charged_twice_but_a_charged_customer_is_told_that_it_failed():
    trace = run(three_orders(retries=0))

    assert checks.at_most_once(trace, "payment")
    assert [step.message.key for step in trace.select("processed", node="payment")].count("order-2") == 1
    assert [step.message.key for step in trace.select("abandoned", node="customers")] == ["order-2"]


def test_without_retries_a_lost_request_loses_the_order():
    trace = run(three_orders(lost="the request", retries=0))

    assert "order-2" not in [step.message.key for step in trace.select("processed", node="payment")]


def test_checkout_cannot_tell_a_lost_request_from_a_lost_reply():
    def seen_by_checkout(lost):
        trace = run(three_orders(lost=lost))
        return [(step.time, step.kind) for step in trace.select(node="checkout") if step.kind != "lost"]

    assert seen_by_checkout("the request") == seen_by_checkout("the reply")


def test_a_lost_commit_and_a_crash_bill_an_order_twice():
    trace = run(lost_commit(), seed=7)

    assert [each.message.key for each in measures.duplicates(trace, "billing")] == ["order-2"]
    assert len(list(trace.select("lost"))) == 1


def test_a_lost_commit_alone_does_no_harm():
    assert checks.processed_once(run(lost_commit(crash=False)), "billing")


def test_an_idempotent_consumer_bills_once_in_spite_of_the_crash():
    assert checks.processed_once(run(lost_commit(idempotent=True)), "billing")


def test_a_commit_before_the_work_loses_the_order_instead():
    trace = run(lost_commit(commit="before"))

    assert checks.at_most_once(trace, "billing")
    assert [each.message.key for each in measures.losses(trace, "billing")] == ["order-2"]


def test_both_checkouts_have_the_same_customers_at_the_same_times():
    left, right = (run(checkout(style), seed=7) for style in STYLES)

    came = [[(step.time, step.message.key) for step in trace.select("created", node="customers")] for trace in (left, right)]
    assert came[0] == came[1]
    assert len(came[0]) > 50


def test_both_checkouts_have_the_same_faults():
    left, right = (checkout(style) for style in STYLES)

    assert left.faults == right.faults != ()


def work_times(trace, node):
    """How long the work on each order took, by key."""
    began, taken = {}, {}
    for step in trace.select("started", "processed", node=node):
        if step.kind == "started":
            began[step.message.key] = step.time
        else:
            taken[step.message.key] = step.time - began[step.message.key]
    return taken


def test_an_order_takes_a_service_as_long_in_one_style_as_in_the_other():
    quiet = {"email_outage": None, "orders_per_second": 2}
    left, right = (work_times(run(checkout(style, **quiet), seed=7), "payment") for style in STYLES)

    shared = left.keys() & right.keys()
    assert len(shared) > 10
    assert all(left[key] == pytest.approx(right[key]) for key in shared)


def test_while_the_email_service_is_down_requests_fail_and_events_wait():
    asking, telling = (run(checkout(style), seed=7) for style in STYLES)

    outage = Span(4_100, 7_900)
    assert measures.availability(asking, during=outage) < 0.1
    assert measures.availability(telling) == 1.0
    assert measures.losses(telling, "email") == []


def test_an_order_refused_because_of_the_email_service_was_charged_all_the_same():
    trace = run(checkout("request-response"), seed=7)

    refused = {step.message.key for step in trace.select("abandoned", node="customers")}
    charged = {step.message.key for step in trace.select("processed", node="payment")}
    assert len(refused & charged) > 10


def test_the_email_service_catches_up_when_it_is_back():
    trace = run(checkout("event-driven", seconds=15), seed=7)

    late = [step for step in trace.select("processed", node="email") if 8_000 <= step.time < 9_500]
    waited_since = [step.message.key for step in trace.select("appended") if 4_000 <= step.time < 8_000]
    assert set(waited_since) <= {step.message.key for step in late}


def test_customers_wait_for_all_services_or_for_checkout_alone():
    quiet = {"email_outage": None, "seconds": 5}
    slow = [run(checkout(style, payment_ms=200, **quiet), seed=7) for style in STYLES]
    fast = [run(checkout(style, payment_ms=20, **quiet), seed=7) for style in STYLES]

    asking, telling = (
        statistics.median(measures.latency(left).values) - statistics.median(measures.latency(right).values)
        for left, right in zip(slow, fast, strict=True)
    )
    assert asking > 150
    assert telling == pytest.approx(0)


def test_events_make_nobody_learn_of_an_order_sooner_when_the_broker_is_slow():
    quiet = {"email_outage": None, "broker_ms": 150, "seconds": 5}

    asking, telling = (run(checkout(style, **quiet), seed=7) for style in STYLES)

    assert measures.inconsistency_window(telling).p50 > 2 * measures.inconsistency_window(asking).p50


def test_a_fourth_service_changes_checkout_only_where_checkout_asks():
    changed = {
        style: [
            node.name
            for node, same in zip(checkout(style, analytics=True).nodes, checkout(style).nodes, strict=False)
            if node != same
        ]
        for style in STYLES
    }

    assert changed == {"request-response": ["checkout"], "event-driven": []}


def test_both_styles_have_the_same_hands_to_do_the_work():
    asking, telling = (checkout(style) for style in STYLES)

    workers = {node.name: node.workers for node in asking.nodes_of(Service) if node.name != "checkout"}
    assert workers == {node.name: node.concurrency for node in telling.nodes_of(Consumer)}


def test_one_order_through_either_checkout_is_short_enough_to_look_at():
    for style in STYLES:
        assert 20 <= len(run(checkout(style, orders=1, email_outage=None, seconds=1), seed=7)) <= 80


def test_a_burst_turns_customers_away_or_makes_payment_lag():
    asking, telling = (run(checkout_burst(style), seed=7) for style in STYLES)

    assert {step["reason"] for step in asking.select("rejected")} == {"queue full"}
    assert measures.availability(asking) < 0.9
    assert measures.availability(telling) == 1.0
    assert measures.latency(telling).p99 < 30
    assert max(max(series.messages) for series in measures.lag_over_time(telling, "payment")) > 20
    assert measures.total_lag(telling, "payment") == 0


def answered_per_second(trace, during):
    return measures.throughput(trace, "customers", kind="completed", during=during)


LATE = Span(14_000, 20_000)
"""Long after payment is well again."""


@pytest.mark.parametrize("retry", ["immediately", "with backoff", "with backoff and jitter"])
def test_retries_keep_payment_down_long_after_its_hiccup(retry):
    trace = run(payment_hiccup(retry), seed=7)

    assert answered_per_second(trace, Span(0, 3_000)) > 15
    assert answered_per_second(trace, LATE) < 3
    assert measures.utilisation(trace, "payment", during=LATE) > 0.9


@pytest.mark.parametrize(
    ("settings", "charges", "end"),
    [
        ({"payment_ms": 195}, 1, "completed"),
        ({"payment_ms": 196}, 2, "abandoned"),
        ({"payment_ms": 245}, 2, "abandoned"),
        ({"payment_ms": 246}, 2, "completed"),
        ({"payment_ms": 250, "timeout_ms": 204}, 2, "completed"),
        ({"payment_ms": 250, "timeout_ms": 205}, 2, "abandoned"),
        ({"payment_ms": 250, "timeout_ms": 254}, 2, "abandoned"),
        ({"payment_ms": 250, "timeout_ms": 255}, 1, "completed"),
    ],
)
def test_a_slow_payment_charges_twice_and_where_nobody_hears_its_first_reply_the_order_is_refused_too(
    settings, charges, end
):
    trace = run(one_order(**settings), seed=1)

    assert len(list(trace.select("processed", node="payment"))) == charges
    assert [step.kind for step in trace.select("completed", "abandoned", node="customer")] == [end]


@pytest.mark.parametrize("cure", [{"retry": "never"}, {"breaker": True}, {"queue_limit": 10}])
def test_payment_recovers_without_retries_with_a_breaker_or_with_a_short_queue(cure):
    trace = run(payment_hiccup(**cure), seed=7)

    assert answered_per_second(trace, LATE) > 25


def test_without_a_hiccup_retries_do_no_harm():
    trace = run(payment_hiccup(hiccup=Span(3_000, 3_000)), seed=7)

    assert answered_per_second(trace, LATE) > 25
