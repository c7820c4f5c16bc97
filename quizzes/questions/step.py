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
        if not isinstance(key.answer, int) or not 0 <= key.answer < len(key.steps):
            yield "key", f"is {key.answer!r}; it must be the index of one of the {len(key.steps)} steps"

    def shown(self, key: Key) -> dict[str, object]:
        return super().shown(key) | {"steps": list(key.steps)}

    def read(self, raw: object) -> Answer | None:
        if raw is None or raw == "":
            return None
        if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
            raise AnswerError(f"choose one of the steps by its number, not {raw!r}")
        return raw

    def remarks(self, answer: Answer | None, key: Key) -> tuple[Remark, ...]:
        right = answer == key.answer
        said = [Remark(key.fill(self.because), True, right, self.said(key.answer, key))]
        if answer is not None and not right and isinstance(answer, int) and isinstance(key.answer, int):
            kind = key.step_kinds[answer] if answer < len(key.step_kinds) else ""
            side = "earlier" if answer < key.answer else "later"
            match = [w for w in self.wrong if w.kind == kind] or [w for w in self.wrong if w.kind == side]
            text, misconception = (match[0].because, match[0].misconception) if match else (self.otherwise, "")
            said.insert(0, Remark(key.fill(text), False, True, self.said(answer, key), misconception))
        return tuple(said)

    def said(self, answer: Answer, key: Key) -> str:
        if isinstance(answer, int) and 0 <= answer < len(key.steps):
            return f"step {answer}: {key.steps[answer]}"
        return f"step {answer}"
