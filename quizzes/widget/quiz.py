"""The quiz widget: a session behind a lock, drawn after every action and recorded in the progress file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import traitlets

from quizzes.bank import Bank
from quizzes.keys import key_of
from quizzes.progress import Progress, ProgressError, Record
from quizzes.questions import Answer, Question
from quizzes.score import Score
from quizzes.session import Mode, QuizError, Session
from quizzes.shown import Table, as_text, session_shown, standing
from quizzes.widget.card import Card

_HINT = 'To answer, run this cell in JupyterLab; what is asked here is "{name}".'


class QuizWidget(Card):
    """A quiz in the notebook; `score` and `answers` are readable from Python, and survive the kernel in a
    file.

    `name` identifies the sitting in the progress file. `fresh` starts anew where else the last sitting is
    resumed. `text` stands where no widget can be shown, in place of the list of questions.
    """

    def __init__(
        self,
        name: str,
        title: str,
        questions: Iterable[Question],
        *,
        mode: Mode = "practice",
        bank: Bank,
        progress: Progress,
        fresh: bool = False,
        text: str = "",
    ) -> None:
        asked = tuple(questions)
        self._lock = threading.RLock()
        self._title = title
        self._table: Table = bank.misconceptions
        self._progress = progress
        records: tuple[Record, ...] = ()
        trouble = ""
        try:
            records = () if fresh else progress.records
        except ProgressError as error:
            trouble = f"Your answers are not being saved: {error}"
        self._session = Session.resume(name, asked, records, mode)
        super().__init__(text or as_text(title, asked, key_of, _HINT.format(name=name)))
        self._redraw(trouble or progress.notice)

    @property
    def session(self) -> Session:
        """Where the learner stands."""
        return self._session

    @property
    def score(self) -> Score:
        """How many are right so far in this sitting."""
        return self._session.score

    @property
    def answers(self) -> dict[str, Answer | None]:
        """What was submitted last, by question."""
        return {one: given.answer for one, given in self._session.given.items()}

    def submit(self, answers: Mapping[str, object], confidences: Mapping[str, str] | None = None) -> str:
        """Submit answers from Python, by question id; returns what the learner is told.

        Raises `QuizError` when nothing is open, or for a question or a confidence that does not exist.
        """
        return self._do(lambda session: session.submit(answers, confidences or {}, key_of))

    def retry(self) -> str:
        """Open the missed questions again. Raises `QuizError` when there are none, and in an exam."""
        return self._do(lambda session: (session.retry(), ()))

    def reveal(self) -> str:
        """Show the answers. Raises `QuizError` before the first submit."""
        return self._do(lambda session: session.reveal())

    def again(self) -> str:
        """Start a new sitting. Raises `QuizError` in an exam that was taken."""
        return self._do(lambda session: (session.again(), ()))

    def follow(self, replay: Any) -> None:
        """Keep the step pointed at here and the one a replay shows the same, both ways."""
        self._link = traitlets.link((replay, "step"), (self, "step"))

    def _do(self, step: Callable[[Session], tuple[Session, tuple[Record, ...]]]) -> str:
        with self._lock:
            before = self._session.phase
            self._session, records = step(self._session)
            notice = self._store(records)
            if self._session.phase != before and self._session.phase == "answering" and not self._session.given:
                self.draft = {}
            self._redraw(notice)
            return str(self.view["status"]) or standing(self._session)

    def _store(self, records: tuple[Record, ...]) -> str:
        if not records:
            return ""
        try:
            self._progress.add(records)
        except ProgressError as error:
            return f"Your answers are not being saved: {error}"
        return self._progress.notice

    def _redraw(self, notice: str = "", status: str = "") -> None:
        shown = session_shown(self._session, key_of, self._table, self._title, status)
        self.draw({**shown, "notice": notice})

    @traitlets.observe("action")
    def _on_action(self, change: Any) -> None:
        action = change["new"]
        name = action.get("name")
        try:
            if name == "submit":
                self.submit(action.get("answers", {}), action.get("confidences", {}))
            elif name == "retry":
                self.retry()
            elif name == "reveal":
                self.reveal()
            elif name == "again":
                self.again()
        except QuizError as error:
            # A second press that crossed the answer to the first; the page is brought up to date.
            self._redraw(status=f"{str(error)[:1].upper()}{str(error)[1:]}.")
        except Exception as error:
            self._redraw(status=f"This did not work: {error}")
            raise
