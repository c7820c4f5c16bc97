"""The exercise of chapter 00: choose how long to wait."""

from __future__ import annotations

from collections.abc import Iterator

from quizzes.exercises.judging import Exercise, Stage, Trial
from quizzes.exercises.verdicts import everyone_answered
from simulator import Scenario
from simulator.reading import Verdict, checks
from simulator.scenarios import one_order
from simulator.trace import Trace

_SLOWEST = 320


def _verdicts(trace: Trace) -> Iterator[Verdict]:
    yield checks.effectively_once(trace, "payment")
    yield everyone_answered(trace, "customer")


def _payment_takes(ms: float) -> Stage:
    return lambda scenario: scenario.but_node("payment", work=ms)


def _no_rules(start: Scenario, scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    yield from ()


EXERCISES = (
    Exercise(
        id="00.slow-bank",
        title="A slow bank",
        start=one_order,
        trials=(
            Trial("payment takes 30 ms"),
            Trial(
                "payment takes 250 ms",
                _payment_takes(250),
                hint="Open the replay: when does checkout stop waiting, and when would the reply have come?",
            ),
            Trial(
                f"payment takes {_SLOWEST} ms",
                _payment_takes(_SLOWEST),
                hint="It was enough for the usual day. How long must checkout wait so that the slowest reply still comes in time?",
            ),
        ),
        verdicts=_verdicts,
        rules=_no_rules,
        after="""Checkout now waits longer than the slowest payment takes. That needs a slowest payment: where a message can be
        lost, no wait is long enough, as chapter 01 shows.""",
    ),
)
