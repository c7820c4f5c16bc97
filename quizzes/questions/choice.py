"""Questions answered by choosing: one option, several, or one before a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from attrs import frozen

from quizzes.questions.base import Answer, Key, Problem, Question, Remark, chosen_ids, duplicate


@frozen
class Option:
    """One thing to choose. A wrong one names its misconception; a right one has none."""

    id: str
    text: str
    because: str
    misconception: str = ""


@frozen(kw_only=True)
class Choice(Question):
    """A question with options; the types below say how many of them are right."""

    options: tuple[Option, ...]

    def texts(self) -> Iterator[str]:
        yield from super().texts()
        for option in self.options:
            yield option.text
            yield option.because

    def problems(self) -> Iterator[Problem]:
        if len(self.options) < 2:
            yield "options", f"has {len(self.options)} options; a choice needs at least 2"
        if twice := duplicate(option.id for option in self.options):
            yield "options", f'the id "{twice}" is used twice; every option needs its own'
        yield from super().problems()

    def shown(self, key: Key) -> dict[str, object]:
        options = [{"id": option.id, "text": key.fill(option.text)} for option in self.options]
        return super().shown(key) | {"options": options}

    def remarks(self, answer: Answer | None, key: Key) -> tuple[Remark, ...]:
        right, chosen = _ids(key.answer), _ids(answer)
        return tuple(
            Remark(key.fill(o.because), o.id in right, o.id in chosen, key.fill(o.text), o.misconception)
            for o in self.options
        )

    def said(self, answer: Answer, key: Key) -> str:
        return "; ".join(key.fill(option.text) for option in self.options if option.id in _ids(answer))

    def _option_problems(self, right: tuple[str, ...]) -> Iterator[Problem]:
        ids = [option.id for option in self.options]
        unknown = [one for one in right if one not in ids]
        if unknown:
            yield "key", f'is "{unknown[0]}", which is no option; the options are {", ".join(ids)}'
            return
        for option in self.options:
            where = f"options.{option.id}.misconception"
            if option.id in right and option.misconception:
                yield where, "stands on a right option; only a wrong one has a misconception"
            if option.id not in right and not option.misconception:
                yield where, "is missing; the option is wrong, so name its misconception"


def _ids(answer: Answer | None) -> tuple[str, ...]:
    if isinstance(answer, tuple):
        return answer
    return (answer,) if isinstance(answer, str) else ()


@frozen(kw_only=True)
class SingleChoice(Choice):
    """One of several options is right."""

    type: ClassVar[str] = "single-choice"

    def key_problems(self, key: Key) -> Iterator[Problem]:
        yield from super().key_problems(key)
        if isinstance(key.answer, str):
            yield from self._option_problems((key.answer,))
        else:
            yield "key", f"is {key.answer!r}; it must be one option's id"

    def read(self, raw: object) -> Answer | None:
        if raw is None or raw == "":
            return None
        return chosen_ids([raw], (option.id for option in self.options), "option")[0]


@frozen(kw_only=True)
class Prediction(SingleChoice):
    """A single choice made before a run that stays locked until the choice is saved or skipped."""

    type: ClassVar[str] = "prediction"

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if not self.computed:
            yield "key", 'must be "computed:NAME"; what a run does is measured, not typed in'


@frozen(kw_only=True)
class MultipleChoice(Choice):
    """Any number of options is right, and all of them have to be found."""

    type: ClassVar[str] = "multiple-choice"

    def key_problems(self, key: Key) -> Iterator[Problem]:
        yield from super().key_problems(key)
        if isinstance(key.answer, tuple) and key.answer:
            yield from self._option_problems(key.answer)
        else:
            yield "key", f"is {key.answer!r}; it must be a list of at least one option's id"

    def read(self, raw: object) -> Answer | None:
        if not raw:
            return None
        chosen = chosen_ids(raw, (option.id for option in self.options), "option")
        return tuple(option.id for option in self.options if option.id in chosen)

    def right(self, answer: Answer, key: Key) -> bool:
        return set(_ids(answer)) == set(_ids(key.answer))
