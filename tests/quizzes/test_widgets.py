from __future__ import annotations

import json
import threading
from pathlib import Path

import ipywidgets
import pytest

from quizzes.bank import Bank
from quizzes.progress import Progress
from quizzes.session import QuizError
from quizzes.widget import PredictedRun, QuizWidget
from tests.quizzes.test_session import RIGHT


def quiz(bank: Bank, progress: Progress, mode: str = "practice") -> QuizWidget:
    chapter = bank.chapter("00")
    return QuizWidget("00", chapter.title, chapter.asked, mode=mode, bank=bank, progress=progress)  # type: ignore[arg-type]


def prediction(bank: Bank, progress: Progress, run: object = lambda: "shown") -> PredictedRun:
    question = bank.question("00.guess")
    return PredictedRun(question, run, bank=bank, progress=progress)  # type: ignore[arg-type]


def press(widget: QuizWidget, name: str, answers: object = None, confidences: object = None) -> None:
    widget.action = {"name": name, "answers": answers or {}, "confidences": confidences or {}, "at": name}


def everything_the_browser_holds(widget: ipywidgets.Widget) -> str:
    state = widget.get_state()
    return json.dumps({name: value for name, value in state.items() if name not in {"_esm", "_css"}})


SECRETS = ("Nobody waits", "It is a log", "two legs", "Only the ack", "toy, not a run", "is-faster", "computed")


@pytest.mark.parametrize("mode", ["practice", "exam"])
def test_the_browser_and_the_stored_text_hold_no_key_before_the_answers_are_asked_for(
    bank: Bank, progress: Progress, mode: str
) -> None:
    widget = quiz(bank, progress, mode)
    held = everything_the_browser_holds(widget) + str(widget._repr_mimebundle_())

    assert not [secret for secret in SECRETS if secret.lower() in held.lower()]
    assert "50" not in json.dumps(widget.view)
    assert all(question["answers"] is None and question["mark"] == "" for question in widget.view["questions"])


def test_after_a_submit_the_browser_knows_what_was_missed_but_still_no_key(bank: Bank, progress: Progress) -> None:
    widget = quiz(bank, progress)

    press(widget, "submit", {**RIGHT, "00.number": "40"})

    held = everything_the_browser_holds(widget).lower()
    assert [question["mark"] for question in widget.view["questions"]] == ["right", "right", "missed", "right", "right"]
    assert not [secret for secret in SECRETS if secret.lower() in held]


def test_a_quiz_goes_by_buttons_from_submit_over_retry_to_the_answers(bank: Bank, progress: Progress) -> None:
    widget = quiz(bank, progress)

    press(widget, "submit", {**RIGHT, "00.number": "40"}, {"00.number": "certain"})
    assert widget.view["status"].startswith("4 of 5 right. Not right yet: question 3.")
    assert [action["label"] for action in widget.view["actions"]] == ["Retry the missed one", "See the answers"]

    press(widget, "retry")
    assert [question["open"] for question in widget.view["questions"]] == [False, False, True, False, False]

    press(widget, "submit", {"00.number": "50"})
    assert str(widget.score) == "5 of 5 right, 4 at the first try"

    press(widget, "reveal")
    assert widget.view["questions"][2]["answers"]["did"] == "50 ms"
    assert widget.answers["00.number"] == 50


def test_a_quiz_is_taken_up_again_after_the_kernel_died(bank: Bank, progress: Progress) -> None:
    quiz(bank, progress).submit({**RIGHT, "00.number": 40})

    again = quiz(bank, Progress())

    assert again.score.right == 4
    assert again.view["phase"] == "scored"


def test_a_new_sitting_forgets_what_was_entered(bank: Bank, progress: Progress) -> None:
    widget = quiz(bank, progress)
    widget.submit(RIGHT)
    widget.draft = {"answers": RIGHT}

    press(widget, "again")

    assert widget.draft == {}
    assert widget.view["phase"] == "answering"
    assert progress.score(bank.chapter("00").asked).right == 5


def test_a_second_press_of_submit_records_nothing_twice(bank: Bank, progress: Progress) -> None:
    widget = quiz(bank, progress)

    press(widget, "submit", RIGHT)
    widget.action = {"name": "submit", "answers": RIGHT, "at": "again"}

    assert len(progress.records) == 5
    assert "submitted already" in widget.view["status"]


def test_presses_from_many_threads_are_judged_one_after_the_other(bank: Bank, progress: Progress) -> None:
    widget = quiz(bank, progress)
    refused = []

    def submit() -> None:
        try:
            widget.submit(RIGHT)
        except QuizError as error:
            refused.append(error)

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 3
    assert len(progress.records) == 5


def test_a_quiz_that_cannot_save_says_so_and_goes_on(bank: Bank, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    widget = quiz(bank, Progress(tmp_path / "file" / "folder"))

    widget.submit(RIGHT)

    assert widget.score.right == 5
    assert widget.view["notice"].startswith("Your answers are not being saved: cannot ")


def test_a_stored_quiz_is_its_questions_as_text(bank: Bank, progress: Progress) -> None:
    widget = quiz(bank, progress)
    before = str(widget)

    widget.submit(RIGHT)

    text = widget._repr_mimebundle_()[0]["text/plain"]
    assert text == before == str(widget)
    assert "3 How long does it take?" in text
    assert "of the event-driven checkout" in " ".join(text.split())


def test_a_run_stays_locked_until_a_prediction_is_saved(bank: Bank, progress: Progress) -> None:
    runs = []
    locked = prediction(bank, progress, run=lambda: runs.append(1) or ipywidgets.HTML("the run"))
    card = locked.children[0]

    assert (len(locked.children), runs, locked.unlocked) == (1, [], False)

    card.action = {"name": "predict", "answers": {"00.guess": "error"}, "confidences": {"00.guess": "certain"}}

    assert locked.unlocked
    assert locked.children[1].value == "the run"
    assert runs == [1]
    assert card.view["status"] == "You said: It fails (certain)\nIt did: It goes on – not what you said"
    (record,) = progress.records
    assert (record.kind, record.answer, record.confidence, record.right) == ("predicted", "error", "certain", False)


def test_a_prediction_may_be_skipped_and_that_is_recorded(bank: Bank, progress: Progress) -> None:
    locked = prediction(bank, progress)

    locked.children[0].action = {"name": "skip"}

    assert locked.unlocked
    assert [record.kind for record in progress.records] == ["skipped"]
    assert locked.children[0].view["status"] == "You skipped.\nIt did: It goes on"


@pytest.mark.parametrize(
    ("answers", "confidences", "said"),
    [
        ({}, {}, "Choose what you think will happen, or skip."),
        ({"00.guess": "error"}, {}, "Say how sure you are: guess, fairly sure, certain."),
    ],
)
def test_half_a_prediction_unlocks_nothing(
    bank: Bank, progress: Progress, answers: dict[str, str], confidences: dict[str, str], said: str
) -> None:
    locked = prediction(bank, progress)

    locked.children[0].action = {"name": "predict", "answers": answers, "confidences": confidences}

    assert not locked.unlocked
    assert locked.children[0].view["status"] == said
    assert progress.records == ()


def test_a_prediction_made_before_unlocks_at_once_and_can_be_made_again(bank: Bank, progress: Progress) -> None:
    prediction(bank, progress).answer("accepted", "guess")

    reopened = prediction(bank, Progress())
    assert reopened.unlocked
    assert reopened.result == "shown"
    assert "as you said" in reopened.children[0].view["status"]

    reopened.again()
    assert not reopened.unlocked
    assert len(reopened.children) == 1


def test_two_presses_run_the_run_once(bank: Bank, progress: Progress) -> None:
    runs: list[int] = []
    locked = prediction(bank, progress)
    locked._run = lambda: runs.append(1) or locked.skip().result  # presses again while the run is under way

    locked.skip()

    assert runs == [1]
    assert len(progress.records) == 1


def test_a_run_that_fails_is_said_and_can_be_tried_again(bank: Bank, progress: Progress) -> None:
    outcomes = iter([ValueError("no such scenario"), None])

    def run() -> str:
        failure = next(outcomes)
        if failure:
            raise failure
        return "shown"

    locked = prediction(bank, progress, run)
    with pytest.raises(ValueError, match="no such scenario"):
        locked.skip()

    assert "The run failed (ValueError: no such scenario)" in locked.children[0].view["status"]
    assert locked.skip().result == "shown"


def test_the_browser_holds_no_outcome_before_the_prediction(bank: Bank, progress: Progress) -> None:
    locked = prediction(bank, progress)

    held = everything_the_browser_holds(locked.children[0]) + str(locked._repr_mimebundle_())

    assert "Nobody waits" not in held
    assert "toy, not a run" not in held


def test_a_stored_prediction_is_its_question_as_text_whatever_was_answered(bank: Bank, progress: Progress) -> None:
    before = prediction(bank, progress)._repr_mimebundle_()["text/plain"]

    prediction(bank, progress).answer("accepted", "guess")

    assert prediction(bank, progress)._repr_mimebundle_()["text/plain"] == before
    assert "stays locked until you have predicted" in before
