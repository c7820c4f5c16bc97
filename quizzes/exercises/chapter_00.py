"""The exercise of chapter 00: choose how long to wait."""

from __future__ import annotations

from collections.abc import Iterator

from quizzes.exercises.judging import Exercise, Stage, Trial
from quizzes.exercises.verdicts import everyone_answered
from simulator import Scenario, Trace
from simulator.reading import Verdict, checks
from simulator.scenarios import one_order

_SLOWEST = 320

_JUST_TOO_LATE = f"""The slowest reply needs its {_SLOWEST} ms and the time on the link, there and back. A timeout that ends at
the very moment at which it comes still wins, so checkout has to wait for longer than that."""


def _verdicts(trace: Trace) -> Iterator[Verdict]:
    yield checks.at_most_once(trace, "payment", of="operation")
    yield everyone_answered(trace, "customer")


def _payment_takes(ms: float) -> Stage:
    def stage(scenario: Scenario) -> Scenario:
        return scenario.but_node("payment", work=ms)

    return stage


EXERCISES = (
    Exercise(
        id="00.slow-bank",
        title="A slow bank",
        start=one_order,
        trials=(
            Trial("payment takes 30 ms", _payment_takes(30)),
            Trial(
                "payment takes 250 ms",
                _payment_takes(250),
                hints={
                    "at_most_once": "In the replay: when does checkout stop waiting, and when would the first reply have come?",
                    "everyone_answered": "Checkout gave up, although payment did its work. When would the reply have come?",
                },
            ),
            Trial(
                f"payment takes {_SLOWEST} ms",
                _payment_takes(_SLOWEST),
                hints={
                    "at_most_once": _JUST_TOO_LATE,
                    "everyone_answered": _JUST_TOO_LATE,
                },
            ),
        ),
        verdicts=_verdicts,
        after="""Checkout now waits longer than the slowest payment takes, its way there and back included. That works only
        because there is a slowest payment, and because every reply arrives. Chapter 01 begins where one doesn't.""",
    ),
)
