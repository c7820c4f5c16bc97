"""The types of question: each a frozen class that knows how to be asked, read, judged and explained."""

from __future__ import annotations

from collections.abc import Mapping

from quizzes.questions.base import Answer, AnswerError, Fact, Key, Question, Remark, StepLine
from quizzes.questions.choice import MultipleChoice, Option, Prediction, SingleChoice
from quizzes.questions.numeric import Numeric, WrongNumber
from quizzes.questions.order import Item, PutInOrder, WrongOrder
from quizzes.questions.step import FindTheStep, WrongStep

TYPES: Mapping[str, type[Question]] = {
    cls.type: cls for cls in (SingleChoice, MultipleChoice, Numeric, Prediction, PutInOrder, FindTheStep)
}
"""Every type of question by the name it has in a bank file."""

__all__ = [
    "TYPES",
    "Answer",
    "AnswerError",
    "Fact",
    "FindTheStep",
    "Item",
    "Key",
    "MultipleChoice",
    "Numeric",
    "Option",
    "Prediction",
    "PutInOrder",
    "Question",
    "Remark",
    "SingleChoice",
    "StepLine",
    "WrongNumber",
    "WrongOrder",
    "WrongStep",
]
