"""Questions answered with a number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import ClassVar

from attrs import frozen

from quizzes.questions.base import Answer, AnswerError, Key, Problem, Question, Remark

_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([,' ]\d{3})+")


@frozen
class WrongNumber:
    """A telling wrong number. `answer` is a number, or the name of a fact of the key function."""

    answer: float | str
    because: str
    misconception: str


@frozen(kw_only=True)
class Numeric(Question):
    """A number within `tolerance` (same unit, either side) of the key."""

    type: ClassVar[str] = "numeric"

    unit: str
    because: str
    tolerance: float = 0.0
    wrong: tuple[WrongNumber, ...] = ()

    def texts(self) -> Iterator[str]:
        yield from super().texts()
        yield self.because
        for slip in self.wrong:
            yield slip.because

    def problems(self) -> Iterator[Problem]:
        if not self.tolerance >= 0:
            yield "tolerance", f"is {self.tolerance:g}; it must be 0 or more"
        yield from super().problems()

    def key_problems(self, key: Key) -> Iterator[Problem]:
        yield from super().key_problems(key)
        if isinstance(key.answer, str | tuple) or not math.isfinite(key.answer):
            yield "key", f"is {key.answer!r}; it must be a number"
            return
        for slip in self.wrong:
            if isinstance(slip.answer, str) and not isinstance(key.facts.get(slip.answer), int | float):
                yield "wrong.answer", f'is "{slip.answer}", which is no number the key function gives'
            elif self.right(self._number(slip, key), key):
                yield (
                    "wrong.answer",
                    f"{self._number(slip, key):g} is within the tolerance of the key: it is right",
                )

    def _number(self, slip: WrongNumber, key: Key) -> float:
        return float(key.facts[slip.answer] if isinstance(slip.answer, str) else slip.answer)

    def shown(self, key: Key) -> dict[str, object]:
        return super().shown(key) | {"unit": self.unit, "tolerance": self.tolerance}

    def read(self, raw: object) -> Answer | None:
        if raw is None or (isinstance(raw, str) and not raw.strip()):
            return None
        if isinstance(raw, str) and _THOUSANDS.fullmatch(raw.strip()):
            raise AnswerError(f'write "{raw}" without a thousands sign')
        try:
            # A comma is the decimal sign for half of the world.
            number = float(raw.strip().replace(",", ".") if isinstance(raw, str) else raw)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if isinstance(raw, bool) or not math.isfinite(number):
            raise AnswerError(f'write a number, like 250; "{raw}" is none (the unit is there already)')
        return number

    def right(self, answer: Answer, key: Key) -> bool:
        if isinstance(answer, str | tuple) or isinstance(key.answer, str | tuple):
            return False
        # The slack keeps 0.1 + 0.2 from missing a key of 0.3 with no tolerance.
        return abs(answer - key.answer) <= self.tolerance + 1e-9 * max(1.0, abs(key.answer))

    def remarks(self, answer: Answer | None, key: Key) -> tuple[Remark, ...]:
        said = []
        for slip in self.wrong:
            number = self._number(slip, key)
            near = not isinstance(answer, str | tuple | None) and abs(answer - number) <= max(
                self.tolerance / 2, 1e-9 * max(1.0, abs(number))
            )
            about = self.said(number, key)
            said.append(Remark(key.fill(slip.because), False, near, about, slip.misconception))
        right = answer is not None and self.right(answer, key)
        return (Remark(key.fill(self.because), True, right, self.said(key.answer, key)), *said)

    def said(self, answer: Answer, key: Key) -> str:
        if not isinstance(answer, int | float):
            return str(answer)
        # No more digits than the tolerance leaves a meaning.
        exact = round(answer, max(0, -math.floor(math.log10(self.tolerance)))) if self.tolerance else answer
        return f"{exact:g} {self.unit}"
