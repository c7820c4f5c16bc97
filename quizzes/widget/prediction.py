"""A prediction before a run: it stays locked until the learner has said what it will do, or has skipped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ipywidgets
from IPython.core.formatters import format_display_data

from quizzes.bank import Bank
from quizzes.keys import key_of
from quizzes.progress import Progress, ProgressError, Record
from quizzes.questions import Answer, AnswerError, Prediction
from quizzes.score import CONFIDENCES
from quizzes.session import QuizError
from quizzes.shown import answers_shown, as_text
from quizzes.widget.card import Card, with_text

_HINT = (
    "The run below stays locked until you have predicted. Run this cell in JupyterLab to answer;\n"
    'from Python: .answer("…", confidence="fairly sure") or .skip(). The answers are called {ids}.'
)


class PredictedRun(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The question, and below it the run once it is unlocked.

    `run` takes nothing and returns what is to be shown: a widget, a figure, or anything a notebook can
    display. It is called in the thread of the click. A prediction made earlier, in another session too,
    unlocks at once.
    """

    def __init__(self, question: Prediction, run: Callable[[], object] | None, *, bank: Bank, progress: Progress) -> None:
        self._question = question
        self._run = run
        self._table = bank.misconceptions
        self._progress = progress
        self._lock = threading.RLock()
        self._phase = "asking"
        self._answer: Answer | None = None
        self._confidence = ""
        self.result: object = None
        """What `run` returned; None while it is locked."""
        ids = ", ".join(f'"{option.id}"' for option in question.options)
        self._text = as_text("Predict, then run", [question], key_of, _HINT.format(ids=ids))
        self._card = Card(self._text)
        self._card.observe(self._on_action, "action")
        super().__init__(children=(self._card,))
        self.add_class("edl-predicted")
        notice = ""
        earlier: tuple[Record, ...] = ()
        try:
            earlier = tuple(r for r in progress.of(question.id) if r.kind in {"predicted", "skipped"})
        except ProgressError as error:
            notice = f"Your prediction will not be saved: {error}"
        if earlier:
            self._answer, self._confidence = earlier[-1].answer, earlier[-1].confidence
            self._unlock(notice)
        else:
            self._draw(notice=notice or progress.notice)

    @property
    def unlocked(self) -> bool:
        """Whether the run has been shown."""
        return self._phase == "done"

    def answer(self, option: str, confidence: str = "") -> PredictedRun:
        """Predict from Python and run. Raises `QuizError` for an unknown option or confidence."""
        try:
            answer = self._question.read(option)
        except AnswerError as error:
            raise QuizError(str(error)) from error
        if answer is None:
            raise QuizError("Choose what you think will happen, or skip.")
        if confidence not in CONFIDENCES:
            raise QuizError(f"Say how sure you are: {', '.join(CONFIDENCES)}.")
        return self._save("predicted", answer, confidence)

    def skip(self) -> PredictedRun:
        """Run without predicting; it is recorded as skipped."""
        return self._save("skipped", None, "")

    def again(self) -> PredictedRun:
        """Lock the run and ask again."""
        with self._lock:
            self._phase, self._answer, self._confidence, self.result = "asking", None, "", None
            self._card.draft = {}
            self.children = (self._card,)
            self._draw()
        return self

    def _save(self, kind: Any, answer: Answer | None, confidence: str) -> PredictedRun:
        with self._lock:
            # A second press while the first one's run is under way changes nothing.
            if self._phase != "asking":
                return self
            self._answer, self._confidence = answer, confidence
            self._phase = "running"
            self._draw(status="Running …")
        right = answer is not None and self._question.right(answer, key_of(self._question))
        record = Record(
            question=self._question.id,
            kind=kind,
            quiz=self._question.id,
            answer=answer,
            confidence=confidence,
            right=right if answer is not None else None,
        )
        notice = ""
        try:
            self._progress.add([record])
        except ProgressError as error:
            notice = f"Your prediction is not saved: {error}"
        self._unlock(notice or self._progress.notice)
        return self

    def _unlock(self, notice: str) -> None:
        try:
            self.result = self._run() if self._run is not None else None
        except BaseException as error:
            with self._lock:
                self._phase = "asking"
                self._draw(status=f"The run failed ({type(error).__name__}: {error}). Your prediction is kept.")
            raise
        with self._lock:
            self._phase = "done"
            shown = () if self.result is None else (_as_widget(self.result),)
            self.children = (self._card, *shown)
            self._draw(notice=notice)

    def _draw(self, *, status: str = "", complaint: bool = False, notice: str = "") -> None:
        key = key_of(self._question)
        done = self._phase == "done"
        answers = answers_shown(self._question, self._answer, key, self._table) if done else None
        if self._phase == "asking":
            actions = [
                {"name": "predict", "label": "Save my prediction and run", "main": True},
                {"name": "skip", "label": "Skip and run", "main": False},
            ]
        else:
            actions = [{"name": "again", "label": "Predict again", "main": False}] if done else []
        question = self._question.shown(key) | {
            "number": 0,
            "open": self._phase == "asking",
            "mark": "",
            "given": self._answer,
            "confidence": self._confidence,
            "answers": answers,
        }
        self._card.draw(
            {
                "kind": "prediction",
                "title": "Predict, then run",
                "mode": "practice",
                "phase": self._phase,
                "status": status or (self._outcome(answers) if answers else ""),
                "complaint": complaint,
                "notice": notice,
                "questions": [question],
                "actions": actions,
            }
        )

    def _outcome(self, answers: dict[str, Any]) -> str:
        if self._answer is None:
            return f"You skipped.\nIt did: {answers['did']}"
        hit = "as you said" if self._answer == answers["key"] else "not what you said"
        return f"You said: {answers['said']} ({self._confidence})\nIt did: {answers['did']} – {hit}"

    def _on_action(self, change: Any) -> None:
        action = change["new"]
        try:
            if action.get("name") == "predict":
                chosen = action.get("answers", {}).get(self._question.id, "")
                self.answer(chosen, action.get("confidences", {}).get(self._question.id, ""))
            elif action.get("name") == "skip":
                self.skip()
            elif action.get("name") == "again":
                self.again()
        except QuizError as error:
            with self._lock:
                self._draw(status=str(error), complaint=True)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return with_text(super()._repr_mimebundle_(**kwargs), self._text)

    def __repr__(self) -> str:
        return self._text


def _as_widget(result: object) -> ipywidgets.Widget:
    if isinstance(result, ipywidgets.Widget):
        return result
    data, metadata = format_display_data(result)  # type: ignore[no-untyped-call]
    return ipywidgets.Output(outputs=({"output_type": "display_data", "data": data, "metadata": metadata},))
