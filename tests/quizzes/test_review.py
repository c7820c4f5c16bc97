from __future__ import annotations

from pathlib import Path

import pytest

from quizzes.bank import Bank, Chapter
from quizzes.progress import Progress, Record
from quizzes.review import mixed_set, to_review
from tests.quizzes.toy import toy_bank


@pytest.fixture
def long_bank(tmp_path: Path) -> Bank:
    """Chapters 00 to 03 and one without a number, each with the toy questions under its own ids."""
    from attrs import evolve

    (tmp_path / "toy").mkdir()
    toy = toy_bank(tmp_path / "toy").chapter("00")
    chapters = {
        name: Chapter(name, name, tuple(evolve(q, id=q.id.replace("00", name)) for q in toy.questions), f"{name}.toml")
        for name in ("00", "01", "02", "03", "basics")
    }
    return Bank(chapters, {})


def answered(question: str, right: bool, at: str) -> Record:
    return Record(question=question, kind="answered", right=right, at=at)


def test_a_review_takes_chapters_at_least_two_back_in_turn(long_bank: Bank, progress: Progress) -> None:
    chosen = to_review(long_bank, progress, "03")

    assert [question.chapter for question in chosen] == ["01", "00", "01"]


@pytest.mark.parametrize("chapter", ["00", "01"])
def test_the_first_chapters_have_nothing_to_review(long_bank: Bank, progress: Progress, chapter: str) -> None:
    assert to_review(long_bank, progress, chapter) == ()


def test_what_was_missed_comes_before_what_is_new_before_what_was_right_long_ago(
    long_bank: Bank, progress: Progress
) -> None:
    progress.add(
        [
            answered("00.single", True, "2026-01-01T00:00:00+00:00"),
            answered("00.several", True, "2026-01-02T00:00:00+00:00"),
            answered("00.step", False, "2026-01-03T00:00:00+00:00"),
        ]
    )

    chosen = to_review(long_bank, progress, "02", count=5)

    assert [question.id for question in chosen] == ["00.step", "00.number", "00.order", "00.single", "00.several"]


def test_predictions_are_not_reviewed(long_bank: Bank, progress: Progress) -> None:
    chosen = to_review(long_bank, progress, "03", count=100)

    assert len(chosen) == 10
    assert not any(question.id.endswith("guess") for question in chosen)


def test_a_mixed_set_has_every_chapter(long_bank: Bank, progress: Progress) -> None:
    chosen = mixed_set(long_bank, progress, 5)

    assert {question.chapter for question in chosen} == {"00", "01", "02", "03", "basics"}


def test_a_chapter_that_is_none_is_refused(long_bank: Bank, progress: Progress) -> None:
    with pytest.raises(LookupError, match='"basics" has no place in the course'):
        to_review(long_bank, progress, "basics")
