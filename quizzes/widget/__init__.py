"""The widgets: a quiz, and a prediction that locks a run. Both draw what `quizzes.shown` says, by one ES
module.

A click reaches Python as an `action`; Python answers with a new `view`. Callbacks run in another thread
than the cells, so the state is one immutable value replaced under a lock.
"""

from __future__ import annotations

from quizzes.widget.prediction import PredictedRun
from quizzes.widget.quiz import QuizWidget

__all__ = ["PredictedRun", "QuizWidget"]
