"""How much was right, how much of it at the first try, and how well the learner knew what they knew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from attrs import frozen

Confidence = Literal["guess", "fairly sure", "certain"]
CONFIDENCES: tuple[Confidence, ...] = get_args(Confidence)


@frozen
class Score:
    """Of a quiz's `of` questions: how many were answered, are right now, and were right at first."""

    right: int
    of: int
    answered: int
    first_try: int

    def __str__(self) -> str:
        said = f"{self.right} of {self.of} right"
        if self.right and self.first_try != self.right:
            said += f", {self.first_try} at the first try"
        if self.answered < self.of:
            said += f", {self.of - self.answered} not answered yet"
        return said

    __repr__ = __str__


def calibration(sure: Iterable[tuple[str, bool]]) -> str:
    """One sentence on (confidence, right) pairs; "" when no confidence was given.

    Being certain and wrong is the most useful thing a quiz can tell a learner, so the sentence ends with it.
    """
    pairs = [(confidence, right) for confidence, right in sure if confidence]
    if not pairs:
        return ""
    parts = []
    for level in reversed(CONFIDENCES):
        rights = [right for confidence, right in pairs if confidence == level]
        if rights:
            parts.append(f"{level}: {sum(rights)} of {len(rights)}")
    said = f"Right when {', '.join(parts)}."
    if ("certain", False) in pairs:
        said += " Look first at what you were certain of and missed."
    return said
