from __future__ import annotations

import pytest
from hypothesis import given, settings

from simulator import Consumer, Crash, Drop, Link, Producer, Scenario, Topic, run
from simulator.reading.anomalies import Anomaly, anomalies, evidence, find, unseen
from simulator.reading.histories import Operation, Poll, Send, history
from tests.reading.written import Reader, Shop
from tests.strategies import seeds, streams


def sent(process: str, *values: tuple[str, int | None], key: str = "x", type: str = "ok") -> Operation:  # noqa: A002
    return Operation(process, type, "send", tuple(Send(key, value, offset) for value, offset in values))  # type: ignore[arg-type]


def polled(process: str, *values: tuple[str, int], key: str = "x", rebalanced: str = "") -> Operation:
    pairs = tuple((offset, value) for value, offset in values)
    return Operation(process, "ok", "poll", (Poll(((key, pairs),)),), rebalanced_keys=frozenset(rebalanced))


def names(found: list[Anomaly]) -> list[str]:
    return [each.name for each in found]


def test_one_offset_with_two_values_is_inconsistent() -> None:
    told = [sent("p", ("a", 0)), polled("c", ("b", 0))]

    first, second = find(told)

    assert first == Anomaly("inconsistent-offsets", "x", ("a", "b"), (0, 1), (0,))
    assert second == Anomaly("lost-write", "x", ("a",), (0, 1), indexes=(0, 0))


def test_what_was_acknowledged_and_then_overwritten_by_another_is_lost() -> None:
    told = [sent("p", ("a", 0), ("b", 1)), sent("q", ("c", 1)), polled("c", ("a", 0), ("c", 1))]

    found = find(told)

    assert names(found) == ["inconsistent-offsets", "lost-write"]
    assert found[1].values == ("b",)


def test_offsets_that_markers_took_leave_no_gap() -> None:
    told = [sent("p", ("a", 0), ("b", 2)), polled("c", ("a", 0)), polled("c", ("b", 2))]

    assert find(told) == []


def test_a_poll_that_goes_back_within_one_operation_is_internal() -> None:
    told = [polled("c", ("a", 0), ("b", 1), ("a", 0))]

    assert names(find(told)) == ["int-nonmonotonic-poll"]


def test_reading_a_duplicate_where_it_stands_is_no_step_back() -> None:
    told = [sent("p", ("a", 0)), polled("c", ("a", 0), ("a", 1)), polled("c", ("b", 2))]

    assert names(find(told)) == ["duplicate"]


def test_nothing_is_expected_within_a_poll_during_which_the_key_was_reassigned() -> None:
    told = [polled("c", ("a", 0), ("b", 1), ("a", 0), rebalanced="x")]

    assert find(told) == []


def test_a_new_assignment_without_the_key_forgets_where_it_was() -> None:
    again = Operation("c", "ok", "assign", keys=())
    told = [polled("c", ("a", 0), ("b", 1)), again, polled("c", ("a", 0))]

    assert find(told) == []
    assert names(find([told[0], told[2]])) == ["nonmonotonic-poll"]


def test_a_value_of_unknown_fate_that_nobody_read_is_not_lost() -> None:
    told = [sent("p", ("a", 0), type="info"), sent("q", ("b", 1)), polled("c", ("b", 1))]

    assert find(told) == []


def test_a_gap_between_two_polls_is_a_skip_only_if_something_is_there() -> None:
    told = [polled("c", ("a", 0)), polled("c", ("c", 2)), polled("d", ("b", 1))]

    (found,) = find(told)

    assert (found.name, found.values, found.delta, found.operations) == ("poll-skip", ("a", "c"), 2, (0, 1))


def test_what_is_not_yet_polled_is_unseen() -> None:
    told = [sent("p", ("a", 0), ("b", 1)), polled("c", ("a", 0))]

    assert unseen(told) == {"x": ["b"]}


def checkout(*faults: object, **settings: object) -> Scenario:
    shop = Producer("shop", 100, count=6, request_timeout_ms=50, retry_backoff_ms=10, delivery_timeout_ms=1_000)
    billing = Consumer("billing", work=5, auto_offset_reset="earliest", **settings)  # type: ignore[arg-type]
    return Scenario(
        [shop, Topic("orders"), billing],
        [Link("shop", "orders"), Link("orders", "billing")],
        faults,  # type: ignore[arg-type]
        duration=1_500,
    )


def test_a_run_without_faults_has_no_anomalies() -> None:
    trace = run(checkout())

    assert anomalies(trace) == []
    assert [each.f for each in history(trace)].count("send") == 6


def test_a_lost_acknowledgement_makes_a_duplicate_whose_steps_prove_it() -> None:
    trace = run(checkout(Drop("orders", "shop", kind="ack", nth=2)))

    (found,) = anomalies(trace)

    assert (found.name, found.key, found.offsets) == ("duplicate", ("orders", 0), (1, 2))
    assert {trace[step].kind for step in evidence(trace, found)} == {"created", "acknowledged", "fetched"}


def test_a_consumer_that_begins_anew_after_a_crash_is_another_process() -> None:
    trace = run(checkout(Crash("billing", after="processed", nth=2, restart_after=20)))

    assert anomalies(trace) == []
    assert {each.process for each in history(trace) if each.f == "poll"} == {("billing", 1), ("billing", 2)}


def test_a_send_that_was_given_up_is_of_unknown_fate() -> None:
    shop = Shop()
    order = shop.order(0, "a")
    shop(50, "abandoned", "shop", order, reason="no retries left")

    (told,) = history(shop.trace())

    assert (told.type, told.value) == ("info", (Send(("orders", 0), order.id),))


def test_a_written_trace_that_skips_a_record_shows_a_skip_and_a_loss() -> None:
    shop = Shop(Reader("billing"))
    orders = [shop.order(10 * n, key) for n, key in enumerate("abc")]
    for n, order in enumerate(orders):
        shop.acknowledged(100 + n, order, n)
    for n in (0, 2):
        shop.fetched(200 + n, orders[n], n)

    found = anomalies(shop.trace())

    # Two records taken from one answer that nothing caused: one poll.
    assert names(found) == ["lost-write", "int-poll-skip"]
    assert found[0].values == (orders[1].id,)


def test_a_partition_that_is_assigned_again_begins_anew() -> None:
    shop = Shop(Reader("billing"))
    orders = [shop.order(10 * n, key) for n, key in enumerate("ab")]
    for time, offset, assigned in ((100, 0, True), (110, 1, False), (200, 0, True), (210, 1, False)):
        if assigned:
            shop(time, "assigned", "billing", partition=0, offset=offset, group="billing")
        shop.fetched(time + 1, orders[offset], offset)

    assert anomalies(shop.trace()) == []


@settings(max_examples=40)
@given(streams(), seeds)
def test_one_durable_broker_never_contradicts_itself_whatever_goes_wrong(scenario: Scenario, seed: int) -> None:
    trace = run(scenario, seed=seed)

    found = {each.name for each in anomalies(trace)}

    assert found <= {"duplicate", "nonmonotonic-send", "lost-write"}
    if all(node.auto_offset_reset == "earliest" for node in scenario.nodes_of(Consumer)):
        assert "lost-write" not in found


@settings(max_examples=40)
@given(streams(), seeds)
def test_a_duplicate_is_always_a_record_that_was_appended_twice(scenario: Scenario, seed: int) -> None:
    trace = run(scenario, seed=seed)
    appended = [step.message.id for step in trace.select("appended") if step.message]

    doubled = {each.values[0] for each in anomalies(trace) if each.name == "duplicate"}

    assert all(appended.count(each) > 1 for each in doubled)  # type: ignore[arg-type]


@pytest.mark.parametrize("commit", ["before", "after"])
def test_a_repeat_after_a_crash_is_no_anomaly_of_the_log(commit: str) -> None:
    trace = run(checkout(Crash("billing", after="processed", nth=3, restart_after=0), commit=commit))

    assert anomalies(trace) == []
