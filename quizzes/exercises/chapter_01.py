"""The exercises of chapter 01: charge once whatever gets lost, and add a consumer that nobody has to know of."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from quizzes.exercises.judging import Exercise, Trial, as_it_is, with_faults
from quizzes.exercises.verdicts import everyone_answered
from simulator import Crash, Drop, Duplicate, Scenario
from simulator.reading import Verdict, checks
from simulator.scenarios import checkout, double_charge
from simulator.trace import Trace

_ORDER = "order-2"


def _charged_once(trace: Trace) -> Iterator[Verdict]:
    yield checks.effectively_once(trace, "payment")
    yield everyone_answered(trace, "customers")


def _same_customers(start: Scenario, scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    same = scenario.node("customers") == start.node("customers")
    yield "the customers are the same", "" if same else "The customers have changed; only the shop may.", ""


CHARGE_ONCE = Exercise(
    id="01.charge-once",
    title="Charge every order once",
    start=double_charge,
    trials=(
        Trial("nothing goes wrong", with_faults()),
        Trial(
            "the reply gets lost",
            with_faults(Drop("payment", "checkout", kind="reply", key=_ORDER, nth=1)),
            hint="""Checkout asked a second time, and payment did as it was told. Checkout can't know whether the first request was
            done. Who could?""",
        ),
        Trial(
            "the request gets lost",
            with_faults(Drop("checkout", "payment", kind="ChargeCard", key=_ORDER, nth=1)),
            hint="Nobody was charged twice, but an order was lost: the only request never arrived. Somebody has to ask again.",
        ),
        Trial(
            "two replies get lost",
            with_faults(
                Drop("payment", "checkout", kind="reply", key=_ORDER, nth=1),
                Drop("payment", "checkout", kind="reply", key=_ORDER, nth=2),
            ),
            hint="Look at how often checkout asks before it gives up.",
        ),
        Trial(
            "the network delivers a request twice",
            with_faults(Duplicate("checkout", "payment", kind="ChargeCard", key=_ORDER, nth=1)),
            hint="Checkout asked once this time. So checkout's patience can't be the cure.",
        ),
        Trial(
            "payment crashes right after it has charged",
            with_faults(Crash("payment", after="processed", nth=2, restart_after=60)),
            hint="What payment remembers must be there after the crash, and checkout must ask until payment is back.",
        ),
    ),
    verdicts=_charged_once,
    rules=_same_customers,
    after="""Checkout repeats the request until it has an answer, which is at-least-once; payment recognises a request that it has
    done before. Together they have the effect of once. Neither can do it alone.""",
)


def _counted_once(trace: Trace) -> Iterator[Verdict]:
    yield everyone_answered(trace, "customers")
    yield checks.effectively_once(trace, "analytics") if "analytics" in trace.nodes else Verdict(
        "effectively_once", False, 'There is no node called "analytics".'
    )


def _nobody_else_changes(start: Scenario, scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    yield (
        "there is a node called analytics",
        "" if "analytics" in scenario.names else "There is none; add it to the nodes, and a link to it.",
        "",
    )
    changed = [node.name for node in start.nodes if scenario.node(node.name) != node]
    told = "; ".join(_difference(start, scenario, name) for name in changed)
    yield (
        "nobody else had to change",
        f"{told}. Its owners would have to agree, test and deploy." if changed else "",
        "Who already says that there is an order, to everybody who wants to hear it?",
    )


def _difference(start: Scenario, scenario: Scenario, name: str) -> str:
    before, after = start.node(name), scenario.node(name)
    if type(before) is not type(after):
        return f"{name} is a {type(after).__name__} now"
    fields = [each.name for each in attrs.fields(type(before))]  # type: ignore[arg-type]  # every node is an attrs class
    return f"{name} has another {' and '.join(each for each in fields if getattr(before, each) != getattr(after, each))}"


def _few_orders() -> Scenario:
    return checkout("event-driven", orders=5, email_outage=None, seconds=3)


FOURTH_CONSUMER = Exercise(
    id="01.fourth-consumer",
    title="Let analytics know",
    start=_few_orders,
    trials=(
        Trial("a usual day", as_it_is, seed=7),
        Trial(
            "analytics is down while people shop",
            with_faults(Crash("analytics", at=50, restart_after=1_200)),
            seed=7,
            hint="A customer can't order because a report is down. Whose answer does checkout wait for?",
        ),
        Trial(
            "analytics crashes right after it has counted an order",
            with_faults(Crash("analytics", after="processed", nth=2, restart_after=200)),
            seed=7,
            hint="""It had counted the order, but not yet noted how far it had read, so after the crash it read the order again. You
            met the remedy at the beginning of this chapter.""",
        ),
    ),
    verdicts=_counted_once,
    rules=_nobody_else_changes,
    after="""One node and one link, and nobody else was touched, nor notices when it is down. It still depends on the event's
    name and content: that coupling stays.""",
)

EXERCISES = (CHARGE_ONCE, FOURTH_CONSUMER)
