"""What every type of question has in common: its key, the remarks, the methods a type fills in.

A type is one frozen class. It knows its own shape (`problems`), what the browser may see before the learner
asked for the answers (`shown`, never the key), how to read what the learner entered (`read`), whether that is
right (`right`), and what to say about it (`remarks`).

An answer is plain JSON: an option's id (single choice, prediction), a list of ids (multiple choice, order), a
number (numeric), or a step's index (find the step).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from attrs import field, frozen

Answer = str | float | tuple[str, ...]
"""A learner's answer or a key: an option's id, a number or step index, or several ids."""

Fact = str | int | float
"""What a key function measured besides the key itself, for `{name}` in the question's texts."""

COMPUTED = "computed:"
_FACT = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class AnswerError(ValueError):
    """What the learner entered cannot be an answer to this question; the text says what would be one."""


@frozen
class StepLine:
    """One step of a run as a find-the-step question lists it: its index in the trace, its kind, and what it says."""

    index: int
    kind: str
    text: str


@frozen
class Key:
    """The right answer to one question, and where it comes from.

    `facts` fill `{name}` in the question's texts; `how` says in one sentence how the answer was found;
    `steps` are the steps that a find-the-step question lists, in order.
    """

    answer: Answer
    facts: Mapping[str, Fact] = field(factory=dict)
    how: str = ""
    steps: tuple[StepLine, ...] = ()

    def fill(self, text: str) -> str:
        """`text` with every `{name}` replaced by the fact of that name; `KeyError` for an unknown name."""
        return _FACT.sub(lambda match: _worded(self.facts[match.group(1)]), text)


def _worded(fact: Fact) -> str:
    return f"{fact:g}" if isinstance(fact, float) else str(fact)


@frozen
class Remark:
    """One explanation, shown with the answers. `about` is the option it belongs to (empty: all)."""

    text: str
    right: bool
    chosen: bool
    about: str = ""
    misconception: str = ""


Problem = tuple[str, str]
"""A field of a question, and a sentence saying what is wrong with it and what would be right."""


@frozen(kw_only=True)
class Question:
    """What every question has. `key` is the answer, or "computed:NAME", a function in `quizzes.keys`."""

    type: ClassVar[str] = ""

    id: str
    prompt: str
    key: Answer
    why: str = ""

    @property
    def chapter(self) -> str:
        """The part of the id before the first dot: "01" of "01.who-waits"."""
        return self.id.partition(".")[0]

    @property
    def computed(self) -> str:
        """The key function's name, or "" when the key stands in the file."""
        return self.key[len(COMPUTED) :] if isinstance(self.key, str) and self.key.startswith(COMPUTED) else ""

    def texts(self) -> Iterator[str]:
        """Every text in which a `{fact}` may stand."""
        yield self.prompt
        yield self.why

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the question as written, a literal key included."""
        if not self.computed:
            yield from self.key_problems(Key(self.key))

    def key_problems(self, key: Key) -> Iterator[Problem]:
        """Why this key cannot be the answer to this question as written."""
        known = set(key.facts)
        for text in self.texts():
            for name in _FACT.findall(text):
                if name not in known:
                    yield "key", f"the text uses {{{name}}}, which the key function does not give"

    def shown(self, key: Key) -> dict[str, object]:
        """What the browser gets to ask the question: JSON without the key."""
        return {"id": self.id, "type": self.type, "prompt": key.fill(self.prompt)}

    def read(self, raw: object) -> Answer | None:
        """The learner's answer from JSON; None for a blank; `AnswerError` for what cannot be one."""
        raise NotImplementedError

    def right(self, answer: Answer, key: Key) -> bool:
        """Whether this answer is the key."""
        return answer == key.answer

    def remarks(self, answer: Answer | None, key: Key) -> tuple[Remark, ...]:
        """What is said about the answer and the alternatives once the learner asked to see the answers."""
        raise NotImplementedError

    def said(self, answer: Answer, key: Key) -> str:
        """An answer, or the key, in words."""
        raise NotImplementedError


def duplicate(ids: Iterable[str]) -> str:
    """The first id that stands there twice, or ""."""
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            return one
        seen.add(one)
    return ""


def chosen_ids(raw: object, known: Iterable[str], what: str) -> tuple[str, ...]:
    """The ids in `raw`; `AnswerError` where it is no list of known ids."""
    if not isinstance(raw, list | tuple) or not all(isinstance(one, str) for one in raw):
        raise AnswerError(f"the answer is a list of {what}")
    order = tuple(known)
    unknown = [one for one in raw if one not in order]
    if unknown:
        raise AnswerError(f'there is no {what} "{unknown[0]}"; there are {", ".join(order)}')
    return tuple(raw)
