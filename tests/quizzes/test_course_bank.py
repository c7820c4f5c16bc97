"""The course's own bank: every key derived again from its run, and no pattern that gives the answers away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quizzes.bank import course_bank
from quizzes.keys import key_of, known_keys
from quizzes.questions import FindTheStep, MultipleChoice, Numeric, Prediction, PutInOrder, Question, SingleChoice
from quizzes.session import Session
from quizzes.shown import session_shown

BANK = course_bank()
QUESTIONS = list(BANK)
SINGLE = [question for question in QUESTIONS if isinstance(question, SingleChoice)]


def name(question: Question) -> str:
    return question.id


def test_ids_are_unique() -> None:
    ids = [question.id for question in QUESTIONS]

    assert sorted(set(ids)) == sorted(ids)


@pytest.mark.parametrize("question", QUESTIONS, ids=name)
def test_the_key_comes_from_its_run_and_fits_the_question(question: Question) -> None:
    key = key_of(question)

    assert question.read(list(key.answer) if isinstance(key.answer, tuple) else key.answer) is not None
    assert question.right(key.answer, key)
    assert question.said(key.answer, key)
    assert bool(key.how) is bool(question.computed)


@pytest.mark.parametrize("question", QUESTIONS, ids=name)
def test_every_option_has_its_own_explanation(question: Question) -> None:
    explanations = [one.because for field in ("options", "items", "wrong") for one in getattr(question, field, ())]

    assert all(len(explanation.split()) >= 5 for explanation in explanations)
    assert len(set(explanations)) == len(explanations)


@pytest.mark.parametrize("question", QUESTIONS, ids=name)
def test_every_answer_wrong_or_right_can_be_explained(question: Question) -> None:
    key = key_of(question)

    for answer in possible_answers(question):
        remarks = question.remarks(answer, key)  # type: ignore[arg-type]
        assert any(remark.text for remark in remarks)
        assert all(remark.misconception in {"", *BANK.misconceptions} for remark in remarks)


def possible_answers(question: Question) -> Iterator[object]:
    yield None
    if isinstance(question, SingleChoice):
        yield from (option.id for option in question.options)
    elif isinstance(question, MultipleChoice):
        yield from ((option.id,) for option in question.options)
    elif isinstance(question, PutInOrder):
        yield tuple(item.id for item in question.items)
        yield tuple(reversed([item.id for item in question.items]))
    elif isinstance(question, FindTheStep):
        yield from (step.index for step in key_of(question).steps)
    elif isinstance(question, Numeric):
        yield from (0.0, 1e9)


def test_the_right_option_is_not_systematically_the_first_or_any_other() -> None:
    places = [[option.id for option in question.options].index(str(key_of(question).answer)) for question in SINGLE]

    for place in range(max(places) + 1):
        assert 0 < places.count(place) <= len(places) / 2, (
            f"{places.count(place)} of {len(places)} keys stand at place {place}"
        )


def test_the_right_option_is_not_systematically_the_longest_or_the_shortest() -> None:
    longest = shortest = 0
    for question in SINGLE:
        lengths = {option.id: len(option.text) for option in question.options}
        right = lengths[str(key_of(question).answer)]
        longest += right == max(lengths.values())
        shortest += right == min(lengths.values())

    assert longest <= len(SINGLE) / 2
    assert shortest <= len(SINGLE) / 2


def test_a_multiple_choice_is_not_always_all_but_one() -> None:
    several = [question for question in QUESTIONS if isinstance(question, MultipleChoice)]

    shares = [len(key_of(question).answer) / len(question.options) for question in several]  # type: ignore[arg-type]

    assert all(0 < share < 1 for share in shares)


def test_the_chapters_have_the_questions_the_course_promises() -> None:
    counts = {chapter.id: len(chapter.asked) for chapter in BANK.chapters.values()}

    assert counts["basics"] == 3
    assert counts["choosing"] == 3
    assert counts["00"] >= 8
    assert counts["01"] >= 12
    assert counts["05"] >= 12


@pytest.mark.parametrize("chapter", ["00", "01", "05"])
def test_most_questions_of_a_lesson_are_answered_by_a_run(chapter: str) -> None:
    questions = BANK.chapter(chapter).questions

    assert sum(bool(question.computed) for question in questions) > len(questions) / 2


def test_every_type_of_question_is_used() -> None:
    used = {type(question) for question in QUESTIONS}

    assert used == {SingleChoice, MultipleChoice, Numeric, Prediction, PutInOrder, FindTheStep}


def test_no_misconception_and_no_key_function_of_the_course_is_left_over() -> None:
    named = {
        one.misconception for question in QUESTIONS for field in ("options", "wrong") for one in getattr(question, field, ())
    }
    computed = {question.computed for question in QUESTIONS}

    assert set(BANK.misconceptions) == named - {""}
    assert {function for function in known_keys() if not function.startswith("toy_")} == computed - {""}


@pytest.mark.parametrize("chapter", BANK.chapters, ids=str)
def test_a_chapter_shows_no_explanation_before_the_answers_are_asked_for(chapter: str) -> None:
    asked = BANK.chapter(chapter).asked

    shown = str(session_shown(Session.start(chapter, asked), key_of, BANK.misconceptions, "title"))

    for question in asked:
        explained = [one.because for field in ("options", "items", "wrong") for one in getattr(question, field, ())]
        assert not [text for text in explained if key_of(question).fill(text) in shown]
