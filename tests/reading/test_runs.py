"""What the readings say about runs of the engine."""

import sys
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    Caller,
    Consumer,
    Crash,
    Cut,
    Drop,
    Duplicate,
    Link,
    LogNormal,
    Pause,
    Poisson,
    Producer,
    Retry,
    Scenario,
    Service,
    Slow,
    Span,
    Topic,
    Uniform,
    ZipfKeys,
    run,
)  # fmt: skip
from simulator.reading import checks, compare, first, firsts, journey, measures, outcome, sentence, why


def shop(*faults, duration=2_000, **billing) -> Scenario:
    return Scenario(
        nodes=[
            Producer("shop", every=100, request_timeout_ms=200.0),
            Topic("orders", partitions=2),
            Consumer("billing", work=30, auto_offset_reset="earliest", **billing),
        ],
        links=[Link("shop", "orders"), Link("orders", "billing")],
        faults=faults,
        duration=duration,
    )


def test_a_lost_commit_and_a_crash_make_an_order_be_processed_twice():
    trace = run(shop(Drop("billing", "orders", kind="commit", nth=2), Crash("billing", at=250, restart_after=50)), seed=7)

    (found,) = measures.duplicates(trace, "billing")
    verdict = checks.processed_once(trace, "billing")

    assert verdict.sentence.startswith(f"{found.message.key} was processed twice by billing")
    assert verdict.evidence[:2] == found.steps
    assert [step.kind for step in why(trace, found.steps[1])][:4] == ["crashed", "restarted", "sent", "delivered"]


def test_a_crash_between_the_effect_and_the_commit_repeats_the_work():
    trace = run(shop(Crash("billing", after="processed", nth=3, restart_after=100)), seed=7)

    assert checks.at_least_once(trace, "billing").holds
    assert not checks.at_most_once(trace, "billing").holds
    assert "crashed" in [step.kind for step in why(trace, first(trace, "duplicate"))]


def test_a_crash_between_the_commit_and_the_effect_skips_the_work():
    trace = run(shop(Crash("billing", after="started", nth=3, restart_after=100), commit="before"), seed=7)

    verdict = checks.at_least_once(trace, "billing")

    assert checks.at_most_once(trace, "billing").holds
    assert not verdict.holds
    assert "nobody will read it again" in verdict.sentence


def test_an_idempotent_consumer_is_effectively_once_whatever_is_delivered_again():
    trace = run(shop(Crash("billing", after="processed", nth=3, restart_after=100), idempotent=True), seed=7)

    assert first(trace, "redelivery") is not None
    assert checks.effectively_once(trace, "billing").holds


def test_a_lost_acknowledgement_puts_a_record_into_the_log_twice_and_why_tells_so():
    trace = run(shop(Drop("orders", "shop", kind="ack", nth=2)), seed=7)

    (found,) = measures.duplicates(trace, "orders")
    told = why(trace, found.steps[1]).sentences

    assert f"the acknowledgement for {found.message.key} from orders to shop was lost (Drop)." in told
    assert checks.no_lost_acknowledged_write(trace).holds


def test_a_journey_begins_with_the_birth_and_goes_through_the_log():
    trace = run(shop(), seed=7)

    kinds = [step.kind for step in journey(trace, "order-1")]

    assert kinds[0] == "created"
    assert {"appended", "acknowledged", "fetched", "processed"} <= set(kinds)


def _checkout(style: str) -> Scenario:
    customers = Caller("customers", every=Poisson(20), timeout=300.0, retry=Retry(2))
    others = ("inventory", "email")
    if style == "request-response":
        nodes = [Service("shop", workers=8, work=5, calls=others, call_timeout=200.0), *(Service(name) for name in others)]
        links = [Link("shop", name) for name in others]
    else:
        nodes = [
            Service("shop", workers=8, work=5, publishes=("orders",), call_timeout=200.0),
            Topic("orders"),
            *(Consumer(name, auto_offset_reset="earliest") for name in others),
        ]
        links = [Link("shop", "orders"), *(Link("orders", name) for name in others)]
    return Scenario(
        [customers, *nodes], [Link("customers", "shop"), *links],
        faults=[Crash("email", at=2_000, restart_after=1_000)], duration=5_000,
    )  # fmt: skip


def test_while_one_service_is_down_requests_fail_and_events_wait():
    asked, told = run(_checkout("request-response"), seed=3), run(_checkout("event-driven"), seed=3)
    outage = Span(2_000, 3_000)

    assert measures.availability(asked, during=outage) < 1 == measures.availability(told, during=outage)
    assert measures.losses(asked, "email", of="operation")
    assert measures.losses(told, "email", of="operation") == []
    assert measures.duplicates(asked, "inventory", of="operation")
    assert not checks.converged(asked).holds
    assert checks.converged(told).holds


def test_the_table_of_two_styles_has_what_customers_feel_on_both_sides():
    table = compare(run(_checkout("request-response"), seed=3), run(_checkout("event-driven"), seed=3)).table

    rows = {row.name: row for row in table.rows}

    assert rows["answered"].judgement == rows["latency p50"].judgement == "better"
    assert rows["until everybody knows p50"].left is not None
    assert rows["until everybody knows p50"].right is not None


def test_littles_law_holds_on_a_busy_service():
    scenario = Scenario(
        [Caller("customers", every=Poisson(60)), Service("shop", work=Uniform(5, 20))],
        [Link("customers", "shop")], duration=60_000,
    )  # fmt: skip

    found = measures.little(run(scenario, seed=5), "shop")

    assert found.number == pytest.approx(found.rate * found.time, rel=0.01)
    assert found.waiting_number == pytest.approx(found.rate * found.waiting_time, rel=0.01)
    assert measures.utilisation(run(scenario, seed=5), "shop") == pytest.approx(60 * 12.5 / 1_000, rel=0.1)


spans = st.tuples(st.integers(0, 1_500), st.integers(0, 500)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))
ends = st.sampled_from([("shop", "orders"), ("orders", "shop"), ("orders", "billing"), ("billing", "orders")])
nodes = st.sampled_from(["shop", "orders", "billing"])
faults = st.one_of(
    st.builds(lambda way, during: Drop(*way, during=during), ends, spans),
    st.builds(lambda way, nth: Drop(*way, nth=nth), ends, st.integers(1, 20)),
    st.builds(lambda way: Duplicate(*way, probability=0.3), ends),
    st.builds(lambda way: Slow(*way, jitter=300.0, probability=0.3), ends),
    st.builds(lambda way, during: Cut(*way, during=during), ends, spans),
    st.builds(
        lambda node, at, back: Crash(node, at=at, restart_after=back),
        nodes, st.integers(0, 1_900), st.one_of(st.none(), st.integers(1, 500)),
    ),
    st.builds(lambda node, at: Pause(node, at=at, lasting=300), nodes, st.integers(0, 1_900)),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(faults, max_size=4), st.sampled_from(["before", "after"]), st.booleans(), st.integers(0, 3))
def test_whatever_goes_wrong_the_readings_agree_with_each_other(chosen, commit, idempotent, seed):
    trace = run(shop(*chosen, commit=commit, idempotent=idempotent), seed=seed)
    once = checks.processed_once(trace, "billing")
    processed = {row[4] for row in trace.rows("processed")}

    absent = measures.missing(trace, "billing")

    assert once.holds == (checks.at_most_once(trace, "billing").holds and checks.at_least_once(trace, "billing").holds)
    assert {each.message.id for each in absent}.isdisjoint(processed)
    assert len(absent) + len(processed) == sum(1 for _ in trace.rows("created"))
    assert checks.no_lost_acknowledged_write(trace).holds
    if idempotent:
        assert checks.at_most_once(trace, "billing").holds
    if commit == "after" and not any(isinstance(fault, Crash) and fault.node == "shop" for fault in chosen):
        assert checks.at_least_once(trace, "billing").holds
    assert all(why(trace, step)[-1] == step for step in firsts(trace).values())
    assert {row.name for row in outcome(trace)} >= {"processed twice", "lost", "messages on the wire"}


def test_nothing_goes_wrong_where_no_fault_is():
    trace = run(shop(), seed=1)

    assert all(verdict.holds for verdict in checks.every(trace))
    assert firsts(trace) == {}


def test_every_step_of_a_run_can_be_told():
    trace = run(_checkout("request-response"), seed=3)

    assert all(sentence(step).endswith(".") for step in trace)


@pytest.mark.slow
def test_a_million_steps_are_measured_and_checked_in_little_memory():
    resource = pytest.importorskip("resource", reason="only POSIX systems tell a process's peak memory")
    makers = [f"shop-{number}" for number in (1, 2, 3)]
    readers = [f"billing-{number}" for number in (1, 2, 3)]
    scenario = Scenario(
        [
            *(Producer(name, every=Poisson(100), keys=ZipfKeys(100), request_timeout_ms=200.0) for name in makers),
            Topic("orders", partitions=6),
            *(Consumer(name, group="billing", work=1, auto_offset_reset="earliest") for name in readers),
        ],
        [
            *(Link(name, "orders", latency=LogNormal(3)) for name in makers),
            *(Link("orders", name, latency=LogNormal(3)) for name in readers),
        ],
        faults=[Drop("orders", name, probability=0.02) for name in makers],
        duration=300_000,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = run(scenario, max_steps=1_000_000, progress=False)

    rows = outcome(trace)
    verdicts = checks.every(trace)

    assert len(trace) == 1_000_000
    assert any(row.name == "processed twice" and row.value for row in rows)
    assert not all(verdict.holds for verdict in verdicts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert peak < 2**30
