"""The exercises of chapter 01: charge once whatever gets lost, and add a consumer that nobody has to know of."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from quizzes.exercises.judging import Exercise, Result, Trial, with_faults
from quizzes.exercises.verdicts import everyone_answered
from simulator import Crash, Drop, Duplicate, Node, Scenario, Trace
from simulator.reading import Verdict, checks
from simulator.scenarios import checkout, three_orders

_ORDER = "order-2"

_WHO_COULD_KNOW = "Whoever repeats a request can't know whether the first one was done. Who could?"
_ASK_AGAIN = "Nobody was charged twice, but an order came to nothing. Somebody has to ask again, and often enough."


def _charged_once(trace: Trace) -> Iterator[Verdict]:
    yield checks.at_most_once(trace, "payment", of="operation")
    yield checks.at_least_once(trace, "payment", of="operation")
    yield everyone_answered(trace, "customers")


def _same_customers(start: Scenario, scenario: Scenario) -> Iterator[Result]:
    same = scenario.node("customers") == start.node("customers")
    yield Result("the customers are the same", "" if same else "The customers have changed; change the shop instead.")


CHARGE_ONCE = Exercise(
    id="01.charge-once",
    title="Charge every order once",
    start=three_orders,
    trials=tuple(
        Trial(
            name,
            with_faults(*faults),
            hints={"at_most_once": twice, "at_least_once": _ASK_AGAIN, "everyone_answered": _ASK_AGAIN},
        )
        for name, twice, faults in (
            ("nothing goes wrong", _WHO_COULD_KNOW, ()),
            ("the reply gets lost", _WHO_COULD_KNOW, (Drop("payment", "checkout", kind="reply", key=_ORDER, nth=1),)),
            ("the request gets lost", _WHO_COULD_KNOW, (Drop("checkout", "payment", kind="ChargeCard", key=_ORDER, nth=1),)),
            (
                "two replies get lost",
                _WHO_COULD_KNOW,
                tuple(Drop("payment", "checkout", kind="reply", key=_ORDER, nth=nth) for nth in (1, 2)),
            ),
            (
                "the network delivers a request twice",
                "Checkout asked only once this time, so its patience can't be the cure.",
                (Duplicate("checkout", "payment", kind="ChargeCard", key=_ORDER, nth=1),),
            ),
            (
                "payment crashes right after it has charged",
                _WHO_COULD_KNOW,
                (Crash("payment", after="processed", nth=2, restart_after=60),),
            ),
        )
    ),
    verdicts=_charged_once,
    rules=_same_customers,
    after="""Checkout repeats the request until it has an answer: that is at least once. Payment recognises a request that it has
    done before: that makes a repeat harmless. Together they have the effect of once. Neither can do it alone.""",
)


def _counted_once(trace: Trace) -> Iterator[Verdict]:
    yield everyone_answered(trace, "customers")
    yield checks.at_least_once(trace, "analytics", of="operation")
    yield checks.at_most_once(trace, "analytics", of="operation")


def _nobody_else_changes(start: Scenario, scenario: Scenario) -> Iterator[Result]:
    changes = [told for name in start.names if (told := _change(start.node(name), scenario.node(name)))]
    owners = "Its owners" if len(changes) == 1 else "Their owners"
    yield Result(
        "nobody else had to change",
        f"{'; '.join(changes)}. {owners} would have to agree, to test, and to deploy." if changes else "",
        hint="Who already tells of every order, to whoever wants to hear it?",
    )


def _change(before: Node, after: Node) -> str:
    """What is not the same about a node, in words; "" if all is."""
    if type(before) is not type(after):
        return f"{after.name} is a {type(after).__name__} now"
    names = [each.name for each in attrs.fields(type(before))]
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    return f"{after.name} was changed ({', '.join(changed)})" if changed else ""


def _few_orders() -> Scenario:
    return checkout("event-driven", orders=5, email_outage=None, seconds=3)


_WHO_WAITS = "A customer can't order because a report is down. For whose answer does checkout wait?"
_WHERE_FROM = """A group that has never read anything begins with the newest record (auto_offset_reset), unless it is told to
begin with the earliest."""
_AGAIN = """It had counted the order, but not yet noted how far it had read, so after the crash it read that order again. The
beginning of this chapter has the remedy."""

FOURTH_CONSUMER = Exercise(
    id="01.fourth-consumer",
    title="Let analytics know",
    start=_few_orders,
    added=("analytics",),
    trials=tuple(
        Trial(
            name,
            with_faults(*faults),
            seed=7,
            hints={"everyone_answered": _WHO_WAITS, "at_least_once": _WHERE_FROM, "at_most_once": _AGAIN},
        )
        for name, faults in (
            ("on a usual day, every order is counted", ()),
            ("analytics is down while people shop", (Crash("analytics", at=50, restart_after=1_200),)),
            (
                "analytics crashes right after it has counted an order",
                (Crash("analytics", after="processed", nth=2, restart_after=200),),
            ),
        )
    ),
    verdicts=_counted_once,
    rules=_nobody_else_changes,
    after="""One node and one link. Nobody else was touched, and nobody notices when it is down. What stays is that it depends
    on the event's name and on what is in it.""",
)

EXERCISES = (CHARGE_ONCE, FOURTH_CONSUMER)
