"""The calls that a notebook makes, on the course's own bank."""

from __future__ import annotations

import subprocess
import sys

import ipywidgets
import pytest
import traitlets

import quizzes
from quizzes.keys import key_of
from quizzes.widget import QuizWidget


def right_answers(widget: QuizWidget) -> dict[str, object]:
    return {question.id: key_of(question).answer for question in widget.session.questions}


def test_a_chapters_quiz_is_answered_scored_and_remembered() -> None:
    quiz = quizzes.quiz("00")

    told = quiz.submit(right_answers(quiz))

    assert told.startswith(f"{quiz.score.of} of {quiz.score.of} right.")
    assert quizzes.score("00").right == quizzes.quiz("00").score.right == quiz.score.of
    assert quizzes.score("01").answered == 0


def test_an_exam_is_taken_once_beside_practice_and_again_after_a_reset() -> None:
    exam = quizzes.quiz("basics", mode="exam")
    exam.submit(right_answers(exam))

    assert quizzes.quiz("basics").session.phase == "answering"
    assert quizzes.quiz("basics", mode="exam").session.phase == "revealed"
    quizzes.reset("basics")
    assert quizzes.quiz("basics", mode="exam").session.phase == "answering"


def test_a_reset_forgets_one_chapter_or_everything() -> None:
    for chapter in ("00", "basics"):
        quiz = quizzes.quiz(chapter)
        quiz.submit(right_answers(quiz))

    assert quizzes.reset("00").startswith(f"{quizzes.quiz('00').score.of} records forgotten.")
    assert {record.chapter for record in quizzes.progress().records} == {"basics"}
    quizzes.reset("everything")
    assert quizzes.progress().records == ()


def test_a_lab_is_locked_by_one_call() -> None:
    lab = quizzes.predicted("01.outage", run=lambda: ipywidgets.HTML("the lab"))

    assert not lab.unlocked
    lab.answer("both-refuse", confidence="fairly sure")

    assert lab.result.value == "the lab"
    assert quizzes.progress().answers["01.outage"].right is False


def test_only_a_prediction_can_lock_a_run() -> None:
    with pytest.raises(quizzes.QuizError, match=r'"00\.wait" is a numeric question; only a prediction can lock a run'):
        quizzes.predicted("00.wait", run=lambda: None)


@pytest.mark.parametrize("call", [quizzes.quiz, quizzes.score, quizzes.reset, quizzes.review])
def test_an_unknown_chapter_is_refused_with_those_there_are(call: object) -> None:
    with pytest.raises(LookupError, match='"7b"'):
        call("7b")  # type: ignore[operator]


@pytest.mark.parametrize("chapter", ["00", "01"])
def test_a_review_before_there_is_anything_to_review_says_so(chapter: str) -> None:
    review = quizzes.review(chapter)

    assert review.view["status"] == "There is nothing to ask here yet."
    assert review.view["actions"] == []


def test_a_review_asks_three_questions_and_its_stored_text_does_not_depend_on_the_learner() -> None:
    before = repr(quizzes.review("02"))
    quiz = quizzes.quiz("00")
    quiz.submit(right_answers(quiz))

    review = quizzes.review("02")

    assert len(review.session.questions) == 3
    assert repr(review) == before


def test_a_mixed_set_asks_questions_of_every_chapter() -> None:
    mixed = quizzes.mixed(10)

    assert {question.chapter for question in mixed.session.questions} == {"00", "01", "05", "basics", "choosing"}


def test_a_quiz_and_a_replay_show_the_same_step() -> None:
    class Replay(traitlets.HasTraits):
        step = traitlets.Int(4)

    replay = Replay()
    quiz = quizzes.quiz("00", replay=replay)

    assert quiz.step == 4
    quiz.step = 7
    assert replay.step == 7


def test_importing_the_quizzes_loads_no_widgets_and_no_charts() -> None:
    heavy = ("anywidget", "ipywidgets", "matplotlib", "networkx", "numpy", "IPython")
    code = f"import sys, quizzes; print([name for name in {heavy} if name in sys.modules])"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "[]"
