"""The quiz and a locked run in a real JupyterLab, with a real kernel and a progress file."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.labkit import Lab

HERE = Path(__file__).parents[2]
PREPARE = f"""
import os, sys, tempfile, pathlib
sys.path.insert(0, {str(HERE)!r})
os.environ["EVENT_DRIVEN_LAB_DATA"] = tempfile.mkdtemp()
"""
TOY = """
from quizzes.progress import Progress
from quizzes.widget import PredictedRun
from tests.quizzes.toy import toy_bank
import ipywidgets
bank = toy_bank(pathlib.Path(tempfile.mkdtemp()))
locked = PredictedRun(bank.question("00.guess"), lambda: ipywidgets.HTML("the run itself"), bank=bank, progress=Progress())
locked
"""


def test_a_quiz_is_answered_in_the_page_and_its_score_is_read_from_python(lab: Lab) -> None:
    lab.open_cells(PREPARE, 'from quizzes import quiz, score\nthe_quiz = quiz("basics")\nthe_quiz')
    assert lab.run_all() == []
    cell = lab.cell(1).locator(".jp-OutputArea")

    first = cell.get_by_role("group", name="Question 1")
    first.get_by_role("radio").first.focus()
    for key in ("Space", "ArrowDown", "ArrowDown", "a", "d", "d"):
        lab.page.keyboard.press(key)
    cell.get_by_role("group", name="Question 2").get_by_label("The one that stores").check()
    cell.get_by_role("group", name="Question 3").get_by_label("The tables are copied").check()
    cell.get_by_role("button", name="Submit").click()

    expect(cell.get_by_role("status")).to_contain_text("2 of 3 right. Not right yet: question 3.")
    assert lab.cell_count() == 2
    assert lab.python("the_quiz.score") == "2 of 3 right"
    assert lab.python('score("basics").right') == "2"


def test_a_run_is_shown_once_the_learner_has_predicted(lab: Lab) -> None:
    lab.open_cells(PREPARE, TOY)
    assert lab.run_all() == []
    cell = lab.cell(1).locator(".jp-OutputArea")
    expect(cell.get_by_text("What will the run do?")).to_be_visible()
    expect(cell.get_by_text("the run itself")).to_have_count(0)

    cell.get_by_role("button", name="Save my prediction and run").click()
    expect(cell.get_by_role("status")).to_have_text("Choose what you think will happen, or skip.")
    cell.get_by_label("It goes on").check()
    cell.get_by_label("certain", exact=True).check()
    cell.get_by_role("button", name="Save my prediction and run").click()

    expect(cell.get_by_text("the run itself")).to_be_visible()
    expect(cell.get_by_role("status")).to_contain_text("It did: It goes on – as you said")
    assert lab.python("locked.unlocked") == "True"
