"""Questions answered by pointing at one step of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from attrs import frozen

from quizzes.questions.base import Answer, AnswerError, Key, Problem, Question, Remark


@frozen
class WrongStep:
    """A telling wrong step: `kind` is a kind of step, or "earlier" or "later" than the right one."""

    kind: str
    because: str
    misconception: str


@frozen(kw_only=True)
class FindTheStep(Question):
    """One step of a run is to be found; the key function gives the run's steps and the right one's index."""

    type: ClassVar[str] = "find-the-step"

    because: str
    otherwise: str
    wrong: tuple[WrongStep, ...] = ()

    def texts(self) -> Iterator[str]:
        yield from super().texts()
        yield self.because
        yield self.otherwise
        for mistake in self.wrong:
            yield mistake.because

    def problems(self) -> Iterator[Problem]:
        if not self.computed:
            yield "key", 'must be "computed:NAME"; the step is found in a run'

    def key_problems(self, key: Key) -> Iterator[Problem]:
        yield from super().key_problems(key)
        if key.answer not in [step.index for step in key.steps]:
            yield "key", f"is {key.answer!r}; it must be the index of one of the {len(key.steps)} steps listed"

    def shown(self, key: Key) -> dict[str, object]:
        return super().shown(key) | {"steps": [{"index": step.index, "text": step.text} for step in key.steps]}

    def read(self, raw: object) -> Answer | None:
        if raw is None or raw == "":
            return None
        if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
            raise AnswerError(f"choose one of the steps by its number, not {raw!r}")
        return raw

    def remarks(self, answer: Answer | None, key: Key) -> tuple[Remark, ...]:
        right = answer == key.answer
        said = [Remark(key.fill(self.because), True, right, self.said(key.answer, key))]
        if isinstance(answer, int | float) and not right:
            because, misconception = self._explained(answer, key)
            said.insert(0, Remark(key.fill(because), False, True, self.said(answer, key), misconception))
        return tuple(said)

    def said(self, answer: Answer, key: Key) -> str:
        text = next((step.text for step in key.steps if step.index == answer), "")
        return f"step {answer}: {text}" if text else f"step {answer}"

    def _explained(self, answer: float, key: Key) -> tuple[str, str]:
        """Why this step is wrong: what is said of its kind, else of its side, else of any other step."""
        kind = next((step.kind for step in key.steps if step.index == answer), "")
        side = "earlier" if isinstance(key.answer, int | float) and answer < key.answer else "later"
        for wanted in (kind, side):
            for mistake in self.wrong:
                if mistake.kind == wanted:
                    return mistake.because, mistake.misconception
        return self.otherwise, ""
