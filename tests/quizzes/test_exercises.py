"""Exercises: what a learner may hand over, what the judge says of it, and that each can be solved."""

from __future__ import annotations

import pytest

from quizzes import judge
from quizzes.exercises import EXERCISES
from quizzes.widget.judged import Judged
from simulator import Caller, Consumer, Link, Retry, Scenario, Service
from simulator.scenarios import checkout, last_in_sync, one_order, poison_message, three_orders


def few_orders() -> Scenario:
    return checkout("event-driven", orders=5, email_outage=None, seconds=3)


def with_a_reader(**settings: object) -> Scenario:
    shop = few_orders()
    reader = Consumer("analytics", work=5, **settings)  # type: ignore[arg-type]
    return shop.but(nodes=[*shop.nodes, reader], links=[*shop.links, Link("orders", "analytics", latency=2)])


def set_aside(**shop: object) -> Scenario:
    return poison_message(requeue=False, dead_letter_exchange=True).but_node("shop", **shop)


SOLUTIONS = {
    "00.slow-bank": one_order(timeout_ms=400),
    "01.charge-once": three_orders(idempotent=True),
    "01.fourth-consumer": with_a_reader(idempotent=True, auto_offset_reset="earliest"),
    "05.keep-moving": set_aside(delivery_mode=2, confirm=True),
    "05.lose-nothing": last_in_sync(acks="all", min_insync_replicas=2),
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


def failures(exercise: str, scenario: Scenario) -> dict[str, str]:
    """The trials that fail, each with its complaint."""
    return {result.name: result.complaint for result in judge(exercise, scenario).results if not result.holds}


ALWAYS = "order-3 fails whenever it is tried"
RESTART = "order-3 fails, and RabbitMQ is down while order-5 is on its way"


@pytest.mark.parametrize(
    ("attempt", "trial", "said"),
    [
        (poison_message(requeue=False), ALWAYS, "order-3 is lost: it left the queue orders (rejected)."),
        (poison_message(delivery_limit=3), ALWAYS, "order-3 is lost: it left the queue orders (delivery_limit)."),
        (poison_message(prefetch_count=5), ALWAYS, "order-3 is neither done nor set aside after"),
        (set_aside(), RESTART, "order-3 is lost: it left the queue dead orders (not persistent)"),
        (set_aside(confirm=True), RESTART, "order-3 is lost: it left the queue dead orders (not persistent)"),
        (set_aside(delivery_mode=2), RESTART, "order-5 is lost: it got lost on the way and nobody sends it again"),
    ],
)  # fmt: skip
def test_half_a_remedy_for_a_bad_order_fails_for_its_own_reason(attempt: Scenario, trial: str, said: str) -> None:
    failed = failures("05.keep-moving", attempt)

    assert trial in failed
    assert failed[trial].startswith(said)


def test_a_delivery_limit_sets_aside_as_well_as_a_rejection() -> None:
    limited = poison_message(delivery_limit=3, dead_letter_exchange=True)

    assert judge("05.keep-moving", limited.but_node("shop", delivery_mode=2, confirm=True)).solved


def test_work_that_is_acknowledged_first_is_lost_in_a_crash() -> None:
    failed = failures("05.keep-moving", set_aside(delivery_mode=2, confirm=True).but_node("billing", ack="before"))

    assert failed["billing crashes in the middle of order-2"].startswith("order-2 is lost: it left the queue orders (acked)")


BURST = "the leader dies for good, in the middle of a burst"
ALONE = "the followers lose sight of the leader, and it dies for good"


@pytest.mark.parametrize(
    ("attempt", "trial", "said"),
    [
        (last_in_sync(acks="1", min_insync_replicas=2), BURST, "shop was told that order-6 is stored, and no broker"),
        (last_in_sync(acks="all", min_insync_replicas=1), ALONE, "shop was told that order-3 is stored, and no broker"),
        (last_in_sync(acks="0", min_insync_replicas=2), "nothing goes wrong", "shop was never told that order-1 is stored"),
        (
            last_in_sync(acks="all", min_insync_replicas=3),
            "one of the brokers is down all the time",
            "shop was never told that order-1 is stored",
        ),
    ],
)  # fmt: skip
def test_half_a_guarantee_loses_accepted_orders_or_accepts_none(attempt: Scenario, trial: str, said: str) -> None:
    failed = failures("05.lose-nothing", attempt)

    assert trial in failed
    assert failed[trial].startswith(said)


def test_fewer_orders_are_no_solution() -> None:
    failed = failures("05.lose-nothing", last_in_sync(min_insync_replicas=2).but_node("shop", count=1))

    assert failed == {"the shop sends the same orders": "The orders have changed; change how they are handled."}


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
