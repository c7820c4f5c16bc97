"""Quizzes on real runs: questions whose answers are computed, a score without the key, predictions that
lock a run.

    quiz("01")                                   # the chapter's quiz, in a notebook
    quiz("01").score                             # as far as it was answered
    predicted("01.outage", run=lambda: …)        # the run shows once the learner has predicted or skipped
    judge("01.charge-once", mine)                # an exercise: the learner's scenario against what is thrown at it
    review("03")                                 # three questions from at least two chapters back
    progress().answers, score("01")              # what was answered, from the learner's own file
    reset("01"), reset("everything")             # forget a chapter, or all
"""

from __future__ import annotations

from quizzes.course import mixed, predicted, progress, quiz, reset, review, score
from quizzes.exercises import Judgement, judge
from quizzes.progress import Progress, ProgressError
from quizzes.score import Score
from quizzes.session import QuizError

__all__ = [
    "Judgement",
    "Progress",
    "ProgressError",
    "QuizError",
    "Score",
    "judge",
    "mixed",
    "predicted",
    "progress",
    "quiz",
    "reset",
    "review",
    "score",
]
