"""Exercises that are solved by changing a scenario, and judged by runs: `judge("01.charge-once", mine)`.

The exercises of the course live in the modules of this package, one per chapter. Each has an id like a question's, some
trials (what is thrown at the learner's scenario), and guarantees that every trial's run is held to.
"""

from __future__ import annotations

from quizzes.exercises import chapter_00, chapter_01, chapter_05
from quizzes.exercises.judging import Exercise, Judgement, Result, Trial
from simulator import Scenario
from simulator.validation import did_you_mean

__all__ = ["EXERCISES", "Exercise", "Judgement", "Result", "Trial", "judge"]

EXERCISES: dict[str, Exercise] = {
    each.id: each for each in (*chapter_00.EXERCISES, *chapter_01.EXERCISES, *chapter_05.EXERCISES)
}
"""Every exercise by its id, in the course's order."""


def judge(exercise: str, scenario: Scenario) -> Judgement:
    """Run a learner's scenario through all trials of an exercise: which hold, and where the first one that doesn't goes wrong.

    In a notebook it shows itself with a replay, open at the step that breaks the first trial; `Judgement.solved` says it to
    Python. A scenario that can't be tried is no error: the judgement says why. Raises LookupError for an unknown exercise.
    """
    if exercise not in EXERCISES:
        raise LookupError(f'there is no exercise "{exercise}"; {did_you_mean(exercise, EXERCISES)}')
    return EXERCISES[exercise].judge(scenario)
