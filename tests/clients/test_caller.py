"""The asking side: attempts, timeouts, retries, breakers, and what a timeout does not say."""

import itertools

import pytest

from simulator import (
    Caller,
    CircuitBreaker,
    Crash,
    Drop,
    Link,
    ListedKeys,
    Node,
    Poisson,
    Retry,
    Scenario,
    ScenarioError,
    Service,
    Span,
    run,
)


def asked(caller: Caller, service: Service | None = None, faults=(), duration=10_000, latency=1):
    """The trace of one caller and one service."""
    scenario = Scenario(
        nodes=[caller, service or Service("desk", work=10)],
        links=[Link("customers", "desk", latency=latency)],
        faults=faults,
        duration=duration,
    )
    return run(scenario, seed=3)


def told(trace, *kinds, **chosen):
    return [(step.time, step.kind) for step in trace.select(*kinds, **chosen)]


def test_a_request_is_created_sent_worked_on_answered_and_completed():
    trace = asked(Caller("customers", every=100, count=1, request="PlaceOrder"))

    assert [(step.time, step.kind, step.node) for step in trace] == [
        (100, "created", "customers"),
        (100, "sent", "customers"),
        (101, "delivered", "desk"),
        (101, "started", "desk"),
        (111, "processed", "desk"),
        (111, "sent", "desk"),
        (112, "delivered", "customers"),
        (112, "completed", "customers"),
    ]
    assert trace[0].message.kind == "PlaceOrder"
    assert trace[0].message.key == "order-1"
    assert trace[-1]["attempts"] == 1


def test_the_answer_has_the_requests_key_and_says_what_it_answers():
    trace = asked(Caller("customers", count=1))

    reply = next(trace.select("delivered", node="customers")).message
    request = trace[0].message

    assert (reply.kind, reply.key, reply.in_reply_to) == ("reply", request.key, request.id)


def test_every_step_but_the_first_has_the_one_before_as_its_cause():
    trace = asked(Caller("customers", count=1))

    assert [step.cause for step in trace] == [None, *range(len(trace) - 1)]


def test_a_request_is_a_root_even_when_another_one_was_just_answered():
    trace = asked(Caller("customers", every=12, count=3))

    assert [step.cause for step in trace.select("created")] == [None, None, None]


def test_customers_keep_coming_while_earlier_ones_wait():
    trace = asked(Caller("customers", every=10), Service("desk", work=5_000), duration=105)

    assert [step.time for step in trace.select("created")] == [10.0 * n for n in range(1, 11)]
    assert list(trace.select("completed")) == []


def test_without_a_timeout_a_caller_waits_for_ever():
    lost = Drop("desk", "customers", kind="reply")

    trace = asked(Caller("customers", count=1, retry=Retry(3)), faults=[lost])

    assert list(trace.select("timed_out", "completed", "abandoned")) == []


def test_a_lost_reply_makes_the_caller_send_the_same_request_again():
    lost = Drop("desk", "customers", kind="reply", nth=1)

    trace = asked(Caller("customers", count=1, timeout=50, retry=Retry(2, backoff=20, jitter="none")), faults=[lost])

    attempts = list(trace.select("sent", node="customers"))
    assert [(step["attempt"], step.message.id, step.time) for step in attempts] == [(1, 1, 100), (2, 1, 170)]
    assert [step["attempt"] for step in trace.select("processed")] == [1, 2]
    assert next(trace.select("completed"))["attempts"] == 2


@pytest.mark.parametrize(("kind", "done"), [("request", 0), ("reply", 1)])
def test_a_timeout_looks_the_same_whether_the_request_or_the_reply_was_lost(kind, done):
    way = ("customers", "desk") if kind == "request" else ("desk", "customers")

    trace = asked(Caller("customers", count=1, timeout=50), faults=[Drop(*way, kind=kind)])

    (timed_out,) = trace.select("timed_out")
    assert dict(timed_out.data) == {"to": "desk", "attempt": 1, "outcome": "indefinite"}
    assert timed_out.time == 150
    assert len(list(trace.select("processed"))) == done


def test_without_retries_the_first_timeout_is_the_end():
    trace = asked(Caller("customers", count=1, timeout=50), faults=[Drop("customers", "desk")])

    assert told(trace, "sent", "timed_out", "abandoned") == [(100, "sent"), (150, "timed_out"), (150, "abandoned")]


def test_it_gives_up_after_the_last_retry():
    caller = Caller("customers", count=1, timeout=50, retry=Retry(2, backoff=0))

    trace = asked(caller, faults=[Drop("customers", "desk")])

    assert [step.time for step in trace.select("sent")] == [100, 150, 200]
    (abandoned,) = trace.select("abandoned")
    assert (abandoned.time, abandoned["reason"]) == (250, "desk did not answer in time")


def test_waits_between_attempts_double_up_to_their_limit():
    retry = Retry(4, backoff=100, backoff_max=300, jitter="none")

    trace = asked(Caller("customers", count=1, timeout=50, retry=retry), faults=[Drop("customers", "desk")])

    times = [step.time for step in trace.select("sent")]
    assert [later - earlier - 50 for earlier, later in itertools.pairwise(times)] == [100, 200, 300, 300]


def test_full_jitter_waits_anything_up_to_the_backoff():
    retry = Retry(1, backoff=100)

    trace = asked(Caller("customers", every=10, count=200, timeout=50, retry=retry), faults=[Drop("customers", "desk")])

    first = {step.message.id: step.time for step in trace.select("sent") if step["attempt"] == 1}
    waits = [step.time - first[step.message.id] - 50 for step in trace.select("sent") if step["attempt"] == 2]
    assert len(waits) == 200
    assert 0 <= min(waits) < 10
    assert 90 < max(waits) <= 100
    assert 40 < sum(waits) / len(waits) < 60


def test_retries_do_not_change_who_comes_when():
    def arrivals(retry):
        caller = Caller("customers", Poisson(20), timeout=30, retry=retry)
        return told(asked(caller, Service("desk", work=60)), "created")

    assert arrivals(None) == arrivals(Retry(5)) == arrivals(Retry(1, jitter="none"))


def test_a_late_reply_is_ignored():
    trace = asked(Caller("customers", count=1, timeout=5))

    (ignored,) = trace.select("ignored")
    assert (ignored.node, ignored.time, ignored.message.kind) == ("customers", 112, "reply")
    assert trace[ignored.cause].kind == "delivered"
    assert list(trace.select("completed")) == []


def test_a_reply_between_two_attempts_is_ignored_and_the_next_one_counts():
    caller = Caller("customers", count=1, timeout=5, retry=Retry(1, backoff=40, jitter="none"))

    trace = asked(caller, Service("desk", work=10, idempotent=True))

    assert told(trace, "timed_out", "ignored", "skipped", "completed") == [
        (105, "timed_out"),
        (112, "ignored"),
        (146, "skipped"),
        (147, "completed"),
    ]


def test_only_the_first_of_two_answers_completes():
    caller = Caller("customers", count=1, timeout=8, retry=Retry(1, backoff=0))

    trace = asked(caller, Service("desk", work=10, workers=2))

    assert told(trace, "completed", "ignored") == [(112, "completed"), (120, "ignored")]


def test_an_answer_in_time_calls_the_timeout_off():
    trace = asked(Caller("customers", count=1, timeout=12.5, retry=Retry(3)))

    assert len(list(trace.select("completed"))) == 1
    assert list(trace.select("timed_out")) == []


def test_a_refusal_fails_the_attempt_and_is_tried_again():
    caller = Caller("customers", every=1, count=2, retry=Retry(1, backoff=30, jitter="none"))

    trace = asked(caller, Service("desk", work=20, queue_limit=0))

    (failed,) = trace.select("failed")
    assert (failed.message.id, failed["reason"], failed.time) == (2, "queue full", 4)
    assert [step.time for step in trace.select("sent", node="customers", message=2)] == [2, 34]
    assert len(list(trace.select("completed"))) == 2


def test_a_refused_request_without_retries_is_given_up():
    trace = asked(Caller("customers", every=1, count=2), Service("desk", work=20, queue_limit=0))

    assert [step["reason"] for step in trace.select("abandoned")] == ["desk refused"]


def test_a_breaker_opens_refuses_tries_once_and_closes():
    caller = Caller("customers", every=100, timeout=50, breaker=CircuitBreaker(2, reset_after=250))
    outage = Drop("customers", "desk", during=Span(0, 550))

    trace = asked(caller, faults=[outage], duration=901)

    assert told(trace, "opened", "half_opened", "closed", "rejected", "timed_out", "completed") == [
        (150, "timed_out"),
        (250, "timed_out"),
        (250, "opened"),
        (300, "rejected"),
        (400, "rejected"),
        (500, "half_opened"),
        (550, "timed_out"),
        (550, "opened"),
        (600, "rejected"),
        (700, "rejected"),
        (800, "half_opened"),
        (812, "completed"),
        (812, "closed"),
    ]
    assert {step["reason"] for step in trace.select("rejected")} == {"breaker open"}
    assert [step["to"] for step in trace.select("closed")] == ["desk"]


def test_what_an_open_breaker_refuses_is_never_sent():
    caller = Caller("customers", every=100, count=4, timeout=50, breaker=CircuitBreaker(1))

    trace = asked(caller, faults=[Drop("customers", "desk")])

    assert len(list(trace.select("sent"))) == 1
    assert len(list(trace.select("abandoned"))) == 4


def test_an_open_breaker_ends_the_retries_under_way():
    caller = Caller("customers", count=1, timeout=50, retry=Retry(5, backoff=10, jitter="none"), breaker=CircuitBreaker(2))

    trace = asked(caller, faults=[Drop("customers", "desk")])

    assert [step["attempt"] for step in trace.select("sent")] == [1, 2]
    assert [step["reason"] for step in trace.select("abandoned")] == ["breaker open"]


def test_a_crashed_caller_has_forgotten_what_it_asked():
    trace = asked(
        Caller("customers", count=1, timeout=50, retry=Retry(3)),
        Service("desk", work=30),
        faults=[Crash("customers", at=110, restart_after=5)],
        duration=200,
    )

    assert told(trace, "timed_out", "completed", "ignored") == [(132, "ignored")]


def test_keys_are_those_that_it_was_given():
    trace = asked(Caller("customers", every=10, keys=["a", "b"], count=3))

    assert [step.message.key for step in trace.select("created")] == ["a", "b", "a"]
    assert Caller("customers", keys=["a"]).keys == ListedKeys(["a"])


@pytest.mark.parametrize(
    ("caller", "links", "sentence"),
    [
        (Caller("customers"), [], 'no link leads from it; add Link("customers", …)'),
        (
            Caller("customers"),
            [Link("customers", "desk"), Link("customers", "till")],
            "2 links lead from it; say which node it asks with to=",
        ),
        (Caller("customers", to="dask"), [Link("customers", "desk")], 'no link joins the two; did you mean "desk"?'),
        (Caller("customers", timeout=0), [Link("customers", "desk")], "timeout is 0; it must be a number above 0 (ms)"),
        (Caller("customers", count=0), [Link("customers", "desk")], "count is 0; it must be a whole number of at least 1"),
        (Caller("customers", retry=Retry(-1)), [Link("customers", "desk")], "retries is -1"),
        (Caller("customers", breaker=CircuitBreaker(0)), [Link("customers", "desk")], "failures is 0"),
    ],
)
def test_a_caller_that_cannot_work_is_refused_with_the_remedy(caller, links, sentence):
    with pytest.raises(ScenarioError) as refused:
        Scenario(nodes=[caller, Service("desk"), Node("till")], links=links)

    assert sentence in str(refused.value)
