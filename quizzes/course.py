"""The calls a notebook makes. Widgets are imported when one is shown, so that `import quizzes` is light."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quizzes.bank import course_bank
from quizzes.progress import Progress
from quizzes.questions import Prediction
from quizzes.review import mixed_set, to_review
from quizzes.score import Score
from quizzes.session import Mode, QuizError

if TYPE_CHECKING:
    from quizzes.widget import PredictedRun, QuizWidget

EVERYTHING = "everything"


def progress() -> Progress:
    """What was answered so far, from the learner's own file: `.answers`, `.records`, `.export(path)` …"""
    return Progress()


def score(chapter: str) -> Score:
    """How a chapter's quiz was answered, from the progress file; `LookupError` for an unknown chapter."""
    return Progress().score(course_bank().chapter(chapter).asked)


def reset(what: str) -> str:
    """Forget a chapter's answers and predictions (`reset("01")`), or all (`reset("everything")`).

    Widgets already on the page keep what they show until their cell is run again. Raises `LookupError` for an
    unknown chapter.
    """
    if what != EVERYTHING:
        course_bank().chapter(what)
    forgotten = Progress().reset(None if what == EVERYTHING else what)
    return f"{forgotten} records forgotten. Run the quiz's cell again to start anew."


def quiz(chapter: str, *only: str, mode: Mode = "practice", replay: object = None) -> QuizWidget:
    """The quiz of a chapter, resumed where it was left.

    Args:
        chapter: "00", "01", …, or "basics". only: the questions to ask, by their ids, "basics.eda" say; none
        means all. mode: "practice" gives the score and lets you retry; "exam"
        says nothing before the end, and has one try. replay: a `Replay`; pointing at a step in a
        find-the-step question moves it there, and the other way round.

    Raises `LookupError` for an unknown chapter or question.
    """
    from quizzes.widget import QuizWidget

    bank = course_bank()
    chosen = bank.chapter(chapter)
    asked = tuple(bank.question(one) for one in only) or chosen.asked
    name = " ".join([*(only or [chapter]), *(["exam"] if mode == "exam" else [])])
    shown = QuizWidget(name, chosen.title, asked, mode=mode, bank=bank, progress=Progress())
    if replay is not None:
        shown.follow(replay)
    return shown


def predicted(question: str, run: Callable[[], object] | None = None) -> PredictedRun:
    """A run that stays locked until the learner has predicted what it will do, or has skipped.

    Args:
        question: the prediction's id in the bank, like "01.outage".
        run: takes nothing, returns what is to be shown.

    Raises `LookupError` for an unknown question, `QuizError` for one that is no prediction.
    """
    from quizzes.widget import PredictedRun

    bank = course_bank()
    asked = bank.question(question)
    if not isinstance(asked, Prediction):
        raise QuizError(f'"{question}" is a {asked.type} question; only a prediction can lock a run')
    return PredictedRun(asked, run, bank=bank, progress=Progress())


def review(chapter: str, count: int = 3) -> QuizWidget:
    """Questions from at least two chapters before this one, those most in need first; none for 00 and 01."""
    from quizzes.widget import QuizWidget

    bank = course_bank()
    stored = Progress()
    questions = to_review(bank, stored, chapter, count)
    title = "Before you start: what do you remember?"
    # Which questions these are depends on the learner's answers, so the stored text must not list them.
    text = f"{title}\nUp to {count} questions from earlier chapters, chosen by what you answered so far."
    return QuizWidget(f"review {chapter}", title, questions, bank=bank, progress=stored, fresh=True, text=text)


def mixed(count: int = 12, *, mode: Mode = "practice") -> QuizWidget:
    """Questions from all chapters in turn, those most in need first."""
    from quizzes.widget import QuizWidget

    bank = course_bank()
    stored = Progress()
    questions = mixed_set(bank, stored, count)
    text = f"A mixed set\nUp to {count} questions from all chapters, chosen by what you answered so far."
    return QuizWidget("mixed", "A mixed set", questions, mode=mode, bank=bank, progress=stored, fresh=True, text=text)
