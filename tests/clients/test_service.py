"""The answering side: workers, queues, calls, crashes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    Call,
    Caller,
    CircuitBreaker,
    Consumer,
    Crash,
    Drop,
    Duplicate,
    Exponential,
    Link,
    Node,
    Pause,
    Poisson,
    Retry,
    Scenario,
    ScenarioError,
    Service,
    Topic,
    run,
)
from simulator.engine import run_with_states


def shop(service: Service, *others: Node, every=10.0, count=1, faults=(), duration=5_000, seed=3, **asking):
    """The trace of callers, a service, and services that it calls; links take 1 ms."""
    scenario = Scenario(
        nodes=[Caller("customers", every, count=count, **asking), service, *others],
        links=[Link("customers", service.name), *(Link(service.name, other.name) for other in others)],
        faults=faults,
        duration=duration,
    )
    return run(scenario, seed)


def told(trace, *kinds, **chosen):
    return [(step.time, step.kind, step.message.key) for step in trace.select(*kinds, **chosen)]


def test_no_more_requests_are_worked_on_than_there_are_workers():
    trace = shop(Service("desk", workers=2, work=100), every=10, count=3)

    assert told(trace, "queued", "started", "processed") == [
        (11, "started", "order-1"),
        (21, "started", "order-2"),
        (31, "queued", "order-3"),
        (111, "processed", "order-1"),
        (111, "started", "order-3"),
        (121, "processed", "order-2"),
        (211, "processed", "order-3"),
    ]
    assert [step["worker"] for step in trace.select("started")] == [0, 1, 0]


def test_the_queue_is_served_in_order_and_says_its_depth():
    trace = shop(Service("desk", work=100), every=10, count=5)

    assert [step["depth"] for step in trace.select("queued")] == [1, 2, 3, 4]
    assert [step.message.key for step in trace.select("started")] == [f"order-{n}" for n in range(1, 6)]


def test_work_on_a_queued_request_follows_from_its_queueing():
    trace = shop(Service("desk", work=100), every=10, count=2)

    _, second = trace.select("started")

    assert trace[second.cause].kind == "queued"
    assert trace[second.cause].message == second.message


def test_a_full_queue_refuses_and_the_caller_learns_why():
    trace = shop(Service("desk", work=100, queue_limit=1), every=10, count=3)

    (rejected,) = trace.select("rejected")
    (failed,) = trace.select("failed")
    assert (rejected.node, rejected["reason"], rejected.message.key) == ("desk", "queue full", "order-3")
    assert (failed.node, failed["reason"], failed.message.key) == ("customers", "queue full", "order-3")
    assert len(list(trace.select("completed"))) == 2


def test_other_services_are_called_one_after_the_other_while_the_worker_is_held():
    checkout = Service("checkout", work=5, calls=["inventory", Call("payment", "ChargeCard")])

    trace = shop(checkout, Service("inventory", work=20), Service("payment", work=30), every=10, count=2)

    assert told(trace, "started", "processed")[:6] == [
        (11, "started", "order-1"),
        (17, "started", "order-1"),
        (37, "processed", "order-1"),
        (39, "started", "order-1"),
        (69, "processed", "order-1"),
        (70, "processed", "order-1"),
    ]
    assert [step.time for step in trace.select("started", node="checkout")] == [11, 70]
    assert [step.message.kind for step in trace.select("created", node="checkout")][:2] == ["request", "ChargeCard"]


def test_the_effect_follows_from_the_last_call_and_the_answer_from_the_effect():
    trace = shop(Service("checkout", work=5, calls=["payment"]), Service("payment", work=30))

    (effect,) = trace.select("processed", node="checkout")
    (answer,) = trace.select("sent", node="checkout", message=trace[-1].message.id + 3)

    assert trace[effect.cause].kind == "completed"
    assert trace[effect.cause].node == "checkout"
    assert answer.cause == effect.index


def test_a_call_that_comes_to_nothing_refuses_the_request():
    checkout = Service("checkout", calls=["inventory", "payment"], call_timeout=50)

    trace = shop(checkout, Service("inventory"), Service("payment"), faults=[Drop("checkout", "payment")])

    (rejected,) = trace.select("rejected")
    assert (rejected.node, rejected["reason"]) == ("checkout", "payment did not answer in time")
    assert trace[rejected.cause].kind == "abandoned"
    assert [step.node for step in trace.select("processed")] == ["inventory"]
    assert [step["reason"] for step in trace.select("failed")] == ["payment did not answer in time"]


def test_the_services_after_the_one_that_failed_are_not_called():
    checkout = Service("checkout", calls=["inventory", "payment"], call_timeout=50)

    trace = shop(checkout, Service("inventory"), Service("payment"), faults=[Drop("checkout", "inventory")])

    assert list(trace.select(node="payment")) == []


def test_a_call_is_tried_again_with_the_same_message():
    checkout = Service("checkout", calls=["payment"], call_timeout=50, retry=Retry(1, backoff=0))
    lost = Drop("payment", "checkout", kind="reply", nth=1)

    trace = shop(checkout, Service("payment"), faults=[lost])

    first, second = trace.select("processed", node="payment")
    assert first.message == second.message
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert len(list(trace.select("completed", node="customers"))) == 1


def test_a_breaker_lets_requests_fail_without_waiting_for_the_timeout():
    checkout = Service("checkout", work=0, calls=["payment"], call_timeout=50, breaker=CircuitBreaker(1))

    trace = shop(checkout, Service("payment"), every=100, count=2, faults=[Drop("checkout", "payment")])

    assert [step["reason"] for step in trace.select("rejected", node="checkout")] == [
        "payment did not answer in time",
        "breaker open",
        "breaker open",
    ]
    assert [step.time for step in trace.select("failed")] == [152, 202]


def test_a_service_that_is_asked_twice_works_twice_and_asks_others_in_new_messages():
    trace = shop(
        Service("checkout", workers=2, calls=["payment"]), Service("payment"),
        timeout=50, retry=Retry(1, backoff=0), faults=[Drop("checkout", "customers", nth=1)],
    )  # fmt: skip

    assert [step["attempt"] for step in trace.select("processed", node="checkout")] == [1, 2]
    assert len({step.message.id for step in trace.select("processed", node="payment")}) == 2


def test_an_idempotent_service_does_nothing_twice_but_answers_again():
    trace = shop(
        Service("checkout", calls=["payment"], idempotent=True), Service("payment"),
        timeout=50, retry=Retry(1, backoff=0), faults=[Drop("checkout", "customers", nth=1)],
    )  # fmt: skip

    assert len(list(trace.select("processed", node="checkout"))) == 1
    assert len(list(trace.select("processed", node="payment"))) == 1
    assert [step["reason"] for step in trace.select("skipped")] == ["already processed"]
    assert len(list(trace.select("completed", node="customers"))) == 1


def test_an_idempotent_service_hands_the_idempotency_key_on():
    trace = shop(
        Service("checkout", workers=2, calls=["payment"], idempotent=True), Service("payment", work=80, idempotent=True),
        timeout=50, retry=Retry(1, backoff=0),
    )  # fmt: skip

    assert len(list(trace.select("started", node="checkout"))) == 2
    assert len(list(trace.select("delivered", node="payment"))) == 1
    assert len(list(trace.select("processed", node="checkout"))) == 1


def test_what_an_idempotent_service_asks_again_after_a_crash_is_recognised():
    trace = shop(
        Service("checkout", calls=["payment"], idempotent=True), Service("payment", work=20, idempotent=True),
        timeout=100, retry=Retry(1, backoff=0), faults=[Crash("checkout", at=30, restart_after=10)],
    )  # fmt: skip

    assert len(list(trace.select("processed", node="payment"))) == 1
    assert len(list(trace.select("skipped", node="payment"))) == 1
    assert len(list(trace.select("completed", node="customers"))) == 1


def test_two_copies_worked_on_at_the_same_time_take_effect_once_if_idempotent():
    twice = Duplicate("customers", "desk", after=5)

    trace = shop(Service("desk", workers=2, work=50, idempotent=True), faults=[twice])

    assert told(trace, "started", "processed", "skipped") == [
        (11, "started", "order-1"),
        (16, "started", "order-1"),
        (61, "processed", "order-1"),
        (66, "skipped", "order-1"),
    ]


def test_a_crash_loses_the_queue_and_the_work_under_way():
    trace = shop(Service("desk", work=100), every=10, count=3, faults=[Crash("desk", at=50, restart_after=10)])

    assert [step.kind for step in trace.select("processed", "completed")] == []


def test_after_a_restart_all_workers_are_free_and_what_was_done_is_remembered():
    trace = shop(
        Service("desk", work=100, idempotent=True), timeout=150, retry=Retry(5, backoff=0),
        faults=[Crash("desk", after="processed", restart_after=20)],
    )  # fmt: skip

    assert told(trace, "processed", "skipped", "completed") == [
        (111, "processed", "order-1"),
        (161, "skipped", "order-1"),
        (162, "completed", "order-1"),
    ]


def test_the_answer_to_a_call_from_before_a_crash_is_ignored():
    trace = shop(
        Service("checkout", calls=["payment"]), Service("payment", work=50),
        faults=[Crash("checkout", at=40, restart_after=10)],
    )  # fmt: skip

    assert [step.node for step in trace.select("ignored")] == ["checkout"]
    assert list(trace.select("processed", node="checkout")) == []


def test_a_paused_service_does_later_what_it_could_not_do_in_time():
    trace = shop(Service("desk", work=20), faults=[Pause("desk", at=15, lasting=100)])

    assert told(trace, "processed", "completed") == [(115, "processed", "order-1"), (116, "completed", "order-1")]


def test_its_database_is_what_its_trace_says_it_processed():
    scenario = Scenario(
        nodes=[Caller("customers", Poisson(40), timeout=60, retry=Retry(2)), Service("desk", work=Exponential(20))],
        links=[Link("customers", "desk")],
        faults=[Drop("desk", "customers", probability=0.2), Crash("desk", at=1_500, restart_after=100)],
        duration=3_000,
    )

    trace, states = run_with_states(scenario, seed=1)

    counted: dict[int, int] = {}
    for step in trace.select("processed", node="desk"):
        counted[step.message.id] = counted.get(step.message.id, 0) + 1
        assert step["attempt"] == counted[step.message.id]
    assert states["desk"]["processed"] == counted
    assert max(counted.values()) > 1


def publishing(faults=(), count=1, every=10.0, **settings):
    """The trace of a checkout that publishes to a topic with a slow consumer."""
    scenario = Scenario(
        nodes=[
            Caller("customers", every, count=count),
            Service("checkout", publishes=["orders"], **settings),
            Topic("orders"),
            Consumer("email", work=500, auto_offset_reset="earliest"),
        ],
        links=[Link("customers", "checkout"), Link("checkout", "orders"), Link("orders", "email")],
        faults=faults,
        duration=3_000,
    )
    return run(scenario, seed=3)


def test_an_event_is_published_after_the_effect_and_the_caller_waits_for_the_topic_only():
    trace = publishing()

    assert [(step.time, step.kind, step.node) for step in trace.select(
        "processed", "published", "appended", "acknowledged", "completed"
    )] == [
        (21, "processed", "checkout"),
        (21, "published", "checkout"),
        (22, "appended", "orders"),
        (23, "acknowledged", "checkout"),
        (24, "completed", "customers"),
        (523, "processed", "email"),
    ]  # fmt: skip
    (published,) = trace.select("published")
    assert (published.message.kind, published.message.key, published["to"]) == ("OrderCreated", "order-1", "orders")
    assert trace[published.cause].kind == "processed"


def test_a_service_that_wants_no_acknowledgement_answers_at_once():
    trace = publishing(acks=0)

    (completed,) = trace.select("completed")
    assert completed.time == 22
    assert list(trace.select("acknowledged")) == []
    assert len(list(trace.select("appended"))) == 1


def test_no_worker_waits_for_the_topic():
    trace = publishing(every=1, count=2, work=10)

    assert [step.time for step in trace.select("started", node="checkout")] == [2, 12]


def test_a_lost_acknowledgement_makes_it_publish_the_same_event_again():
    trace = publishing(call_timeout=50, retry=Retry(1, backoff=0), faults=[Drop("orders", "checkout", kind="ack", nth=1)])

    first, second = trace.select("appended")
    assert first.message == second.message
    assert len(list(trace.select("published"))) == 1
    assert len(list(trace.select("completed"))) == 1


def test_an_event_that_cannot_be_handed_over_is_a_refusal_although_the_effect_happened():
    trace = publishing(call_timeout=50, faults=[Drop("checkout", "orders")])

    assert len(list(trace.select("processed", node="checkout"))) == 1
    assert [step["reason"] for step in trace.select("failed")] == ["orders did not answer in time"]


def test_a_crash_between_the_effect_and_the_event_leaves_the_one_without_the_other():
    trace = publishing(faults=[Crash("checkout", after="processed", restart_after=50)])

    assert len(list(trace.select("processed", node="checkout"))) == 1
    assert list(trace.select("published", "appended")) == []


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        (Service("desk", calls=["till"]), 'calls names "till", but no link joins the two; did you mean "tills"?'),
        (Service("desk", publishes="orders"), 'publishes names "orders", but no link joins the two'),
        (Service("desk", workers=0), 'Service("desk"): workers is 0; it must be a whole number of at least 1.'),
        (Service("desk", queue_limit=-1), "queue_limit is -1; it must be a whole number of at least 0, or None"),
        (Service("desk", work=-1), "ms is -1; it must be a number of 0 or more"),
        (Service("desk", acks=2), "acks is 2; it must be one of 'all', 1, 0"),
        (Service("desk", call_timeout=0), "call_timeout is 0; it must be a number above 0 (ms), or None"),
    ],
)
def test_a_service_that_cannot_work_is_refused_with_the_remedy(service, sentence):
    with pytest.raises(ScenarioError) as refused:
        Scenario(nodes=[service, Node("tills")], links=[Link("desk", "tills")])

    assert sentence in str(refused.value)


def test_a_scenario_with_services_is_stored_and_found_again():
    scenario = Scenario(
        nodes=[
            Caller("customers", Poisson(3), retry=Retry(2), breaker=CircuitBreaker(4)),
            Service("desk", calls=["till"], retry=Retry(1), acks=1),
            Service("till", work=Exponential(5)),
        ],
        links=[Link("customers", "desk"), Link("desk", "till")],
    )

    assert Scenario.from_json(scenario.to_json()) == scenario


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    workers=st.integers(1, 3),
    queue_limit=st.sampled_from([None, 0, 2]),
    loss=st.sampled_from([0.0, 0.2]),
    idempotent=st.booleans(),
    crash=st.booleans(),
)
def test_whatever_goes_wrong_workers_are_never_overbooked_and_no_request_ends_twice(
    seed, workers, queue_limit, loss, idempotent, crash
):
    trace = shop(
        Service(
            "desk", workers=workers, queue_limit=queue_limit, work=Exponential(20), calls=["till"], call_timeout=30,
            retry=Retry(1), idempotent=idempotent,
        ),
        Service("till", work=Exponential(10), idempotent=idempotent),
        every=Poisson(60), count=60, timeout=80, retry=Retry(2), seed=seed,
        faults=[
            Drop("desk", "till", probability=loss),
            Duplicate("till", "desk", probability=loss),
            Duplicate("customers", "desk", probability=loss, after=7),
            *([Crash("desk", at=500, restart_after=100)] if crash else []),
        ],
    )  # fmt: skip

    working = 0
    for step in trace.select("started", "processed", "skipped", "rejected", "crashed", node="desk"):
        if step.kind == "started":
            working += 1
            assert working <= workers
        elif step.kind == "crashed":
            working = 0
        elif step.kind != "rejected" or step["reason"] != "queue full":
            working -= 1
            assert working >= 0
    ends = [step.message.id for step in trace.select("completed", "abandoned", node="customers")]
    assert len(ends) == len(set(ends)) == 60
    effects = [step.message.id for step in trace.select("processed")]
    assert not idempotent or len(effects) == len(set(effects))
