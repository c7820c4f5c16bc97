"""Questions answered by bringing items into order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from attrs import frozen

from quizzes.questions.base import Answer, AnswerError, Key, Problem, Question, Remark, chosen_ids, duplicate


@frozen
class Item:
    """One line of a put-in-order question; `because` says why it stands where it stands."""

    id: str
    text: str
    because: str


@frozen
class WrongOrder:
    """A telling mistake in an order: `first` put before `then`."""

    first: str
    then: str
    because: str
    misconception: str


def _before(mistake: WrongOrder, order: tuple[str, ...]) -> bool:
    return order.index(mistake.first) < order.index(mistake.then)


@frozen(kw_only=True)
class PutInOrder(Question):
    """Items to bring into one order; they are shown first in the order they have in the file."""

    type: ClassVar[str] = "put-in-order"

    items: tuple[Item, ...]
    wrong: tuple[WrongOrder, ...] = ()

    def texts(self) -> Iterator[str]:
        yield from super().texts()
        for item in self.items:
            yield item.text
            yield item.because
        for mistake in self.wrong:
            yield mistake.because

    def problems(self) -> Iterator[Problem]:
        ids = [item.id for item in self.items]
        if len(ids) < 3:
            yield "items", f"has {len(ids)} items; an order worth asking for has at least 3"
        if twice := duplicate(ids):
            yield "items", f'the id "{twice}" is used twice; every item needs its own'
        for mistake in self.wrong:
            for one in (mistake.first, mistake.then):
                if one not in ids:
                    yield "wrong", f'names "{one}", which is no item; the items are {", ".join(ids)}'
        yield from super().problems()

    def key_problems(self, key: Key) -> Iterator[Problem]:
        yield from super().key_problems(key)
        ids = tuple(item.id for item in self.items)
        if not isinstance(key.answer, tuple) or sorted(key.answer) != sorted(ids):
            yield "key", f"is {key.answer!r}; it must list every item once: {', '.join(ids)}"
        elif key.answer == ids:
            yield "items", "stand in the right order already; write them in another one"
        else:
            for mistake in self.wrong:
                if {mistake.first, mistake.then} <= set(ids) and _before(mistake, key.answer):
                    yield "wrong", f'"{mistake.first}" before "{mistake.then}" is the right order'

    def shown(self, key: Key) -> dict[str, object]:
        items = [{"id": item.id, "text": key.fill(item.text)} for item in self.items]
        return super().shown(key) | {"items": items}

    def read(self, raw: object) -> Answer | None:
        if not raw:
            return None
        ids = tuple(item.id for item in self.items)
        order = chosen_ids(raw, ids, "item")
        if sorted(order) != sorted(ids):
            raise AnswerError(f"an order names every item once: {', '.join(ids)}")
        return order

    def remarks(self, answer: Answer | None, key: Key) -> tuple[Remark, ...]:
        order = answer if isinstance(answer, tuple) else ()
        made = [
            Remark(key.fill(mistake.because), False, True, "", mistake.misconception)
            for mistake in self.wrong
            if order and _before(mistake, order)
        ]
        by_id = {item.id: item for item in self.items}
        right = key.answer if isinstance(key.answer, tuple) else ()
        places = [
            Remark(
                key.fill(by_id[one].because),
                True,
                bool(order) and order[place] == one,
                f"{place + 1}. {key.fill(by_id[one].text)}",
            )
            for place, one in enumerate(right)
        ]
        return (*made, *places)

    def said(self, answer: Answer, key: Key) -> str:
        by_id = {item.id: key.fill(item.text) for item in self.items}
        return " → ".join(by_id[one] for one in answer) if isinstance(answer, tuple) else ""
