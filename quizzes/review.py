"""Spaced review: which questions to ask again, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, zip_longest

from quizzes.bank import Bank, Chapter
from quizzes.progress import Progress, ProgressError, Record
from quizzes.questions import Question

APART = 2
"""How many chapters lie between learning something and being asked again."""


def to_review(bank: Bank, progress: Progress, chapter: str, count: int = 3) -> tuple[Question, ...]:
    """Up to `count` questions from at least two chapters before `chapter`, taken from those chapters in turn.

    Raises `LookupError` when `chapter` is no number of a chapter, like "03".
    """
    if not chapter.isdigit():
        raise LookupError(f'"{chapter}" has no place in the course; say which chapter opens, like "03"')
    earlier = [one for one in bank.chapters.values() if one.id.isdigit() and int(one.id) <= int(chapter) - APART]
    return _in_turn(earlier, _records(progress), count)


def mixed_set(bank: Bank, progress: Progress, count: int) -> tuple[Question, ...]:
    """Up to `count` questions from all chapters in turn."""
    return _in_turn(bank.chapters.values(), _records(progress), count)


def _records(progress: Progress) -> dict[str, Record]:
    # A review is worth asking even where nothing can be read; the widget says that nothing is saved.
    try:
        return {record.question: record for record in progress.records if record.kind == "answered"}
    except ProgressError:
        return {}


def _in_turn(chapters: Iterable[Chapter], last: dict[str, Record], count: int) -> tuple[Question, ...]:
    """The most needed question of each chapter, then the second of each, and so on; latest chapter first."""
    ordered = [
        sorted(chapter.asked, key=lambda question: _need(last.get(question.id))) for chapter in reversed(list(chapters))
    ]
    turns = chain.from_iterable(zip_longest(*ordered))
    return tuple(question for question in turns if question is not None)[:count]


def _need(last: Record | None) -> tuple[int, str]:
    """Missed first, then never answered, then what was answered longest ago; ties in the bank's order."""
    if last is None:
        return (1, "")
    return (2, last.at) if last.right else (0, last.at)
