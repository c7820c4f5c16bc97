"""Exercises: what a learner may hand over, what the judge says of it, and that each can be solved."""

from __future__ import annotations

import pytest

from quizzes import judge
from quizzes.exercises import EXERCISES
from quizzes.widget.judged import Judged
from simulator import Caller, Consumer, Link, Retry, Scenario, Service
from simulator.scenarios import checkout, one_order, three_orders


def few_orders() -> Scenario:
    return checkout("event-driven", orders=5, email_outage=None, seconds=3)


def with_a_reader(**settings: object) -> Scenario:
    shop = few_orders()
    reader = Consumer("analytics", work=5, **settings)  # type: ignore[arg-type]
    return shop.but(nodes=[*shop.nodes, reader], links=[*shop.links, Link("orders", "analytics", latency=2)])


SOLUTIONS = {
    "00.slow-bank": one_order(timeout_ms=400),
    "01.charge-once": three_orders(idempotent=True),
    "01.fourth-consumer": with_a_reader(idempotent=True, auto_offset_reset="earliest"),
}


def test_every_exercise_has_a_solution_here() -> None:
    assert SOLUTIONS.keys() == EXERCISES.keys()


@pytest.mark.parametrize("exercise", EXERCISES)
def test_an_exercise_can_be_solved_and_then_says_why_it_works(exercise: str) -> None:
    judgement = judge(exercise, SOLUTIONS[exercise])

    assert judgement.solved, repr(judgement)
    assert judgement.first_failure is None
    assert " ".join(EXERCISES[exercise].after.split()) in repr(judgement)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_scenario_it_begins_with_is_no_solution(exercise: str) -> None:
    judgement = judge(exercise, EXERCISES[exercise].start())

    assert not judgement.solved
    assert judgement.headline.startswith("Not yet: ")


@pytest.mark.parametrize("timeout_ms", [20, 100, 500])
@pytest.mark.parametrize("retries", [0, 2, 5])
def test_no_patience_and_no_persistence_charges_once_without_an_idempotent_payment(timeout_ms: float, retries: int) -> None:
    judgement = judge("01.charge-once", three_orders(timeout_ms=timeout_ms, retries=retries))

    assert not judgement.solved


def test_the_first_failure_leads_to_the_step_that_breaks_it_and_to_a_hint() -> None:
    judgement = judge("01.charge-once", three_orders())

    failed = judgement.first_failure
    assert failed is not None
    assert failed.trace is not None
    assert failed.name == "the reply gets lost"
    assert failed.complaint == "order-2 was processed twice by payment."
    assert (failed.trace[failed.at].kind, failed.trace[failed.at]["attempt"], failed.focus) == ("processed", 2, "order-2")
    assert "Who could?" in repr(judgement)


def test_a_lost_order_gets_another_hint_than_a_doubled_one() -> None:
    judgement = judge("01.charge-once", three_orders(idempotent=True, retries=0))

    assert judgement.first_failure is not None
    assert "Somebody has to ask again" in judgement.first_failure.hint


def test_calling_the_newcomer_changes_checkout_and_makes_customers_wait_for_it() -> None:
    shop = few_orders()
    called = shop.but(
        nodes=[*shop.nodes, Service("analytics", work=5)], links=[*shop.links, Link("checkout", "analytics", latency=2)]
    ).but_node("checkout", calls=["analytics"])

    judgement = judge("01.fourth-consumer", called)

    complaints = [result.complaint for result in judgement.results if not result.holds]
    assert complaints[0] == "checkout was changed (calls). Its owners would have to agree, to test, and to deploy."
    assert complaints[1].startswith("Whoever placed order-1 was told that it did not work")


def test_a_reader_that_starts_at_the_newest_record_or_repeats_itself_does_not_count_every_order_once() -> None:
    latest = judge("01.fourth-consumer", with_a_reader(idempotent=True))
    repeating = judge("01.fourth-consumer", with_a_reader(auto_offset_reset="earliest"))

    assert latest.first_failure is not None
    assert "auto_offset_reset" in latest.first_failure.hint
    assert repeating.first_failure is not None
    assert "twice" in repeating.first_failure.complaint


def test_other_customers_are_no_solution() -> None:
    nobody = three_orders(idempotent=True).but_node("customers", count=1)

    judgement = judge("01.charge-once", nobody)

    assert not judgement.solved
    assert "The customers have changed" in repr(judgement)


def test_a_changed_class_of_a_node_is_told() -> None:
    shop = with_a_reader(idempotent=True, auto_offset_reset="earliest")
    caller = Caller("customers", every=100, request="PlaceOrder", timeout=3_000, retry=Retry(1))
    changed = shop.but(nodes=[caller if node.name == "customers" else node for node in shop.nodes])

    judgement = judge("01.fourth-consumer", changed)

    assert "customers was changed (" in judgement.results[0].complaint


@pytest.mark.parametrize(
    ("handed_over", "said"),
    [
        (one_order, "This is a function, not a scenario; call it, and hand over what it returns."),
        (None, "This is None, not a scenario"),
        (three_orders(), 'The scenario has no node "customer" and no node "inventory".'),
    ],
)
def test_what_can_not_be_tried_gets_a_friendly_answer_and_no_error(handed_over: object, said: str) -> None:
    judgement = judge("00.slow-bank", handed_over)  # type: ignore[arg-type]

    assert not judgement.solved
    assert said in repr(judgement)
    assert Judged(judgement).shown == -1


def test_an_unknown_exercise_is_named_with_those_there_are() -> None:
    with pytest.raises(LookupError, match=r'there is no exercise "01.charge-twice"; did you mean "01.charge-once"'):
        judge("01.charge-twice", three_orders())


def test_judging_the_same_scenario_again_says_the_same() -> None:
    first, second = (judge("01.charge-once", three_orders(timeout_ms=500)) for _ in range(2))

    assert repr(first) == repr(second)


def test_the_widget_opens_the_first_failing_run_at_its_step_and_has_the_text_for_where_there_is_no_widget() -> None:
    judgement = judge("01.charge-once", three_orders())

    widget = Judged(judgement)
    bundle = judgement._repr_mimebundle_()

    trial = widget.view["trials"][widget.shown]
    assert (trial["name"], trial["at"], trial["told"]) == (
        "the reply gets lost", 47, "payment processed order-2, for the 2nd time.",
    )  # fmt: skip
    assert bundle[0]["text/plain"] == repr(judgement)
