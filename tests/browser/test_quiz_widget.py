"""The quiz's ES module in a page of its own, drawn from the views that the Python side really makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from quizzes.bank import Bank
from quizzes.progress import Progress
from quizzes.widget import PredictedRun, QuizWidget
from quizzes.widget.card import MODULE, STYLE
from tests.browser.barekit import BarePage
from tests.quizzes.test_session import RIGHT
from tests.quizzes.toy import toy_bank

DARK = "body { background: #111; color-scheme: dark }"


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    (tmp_path / "bank").mkdir()
    return toy_bank(tmp_path / "bank")


@pytest.fixture
def quiz(bank: Bank, tmp_path: Path) -> QuizWidget:
    chapter = bank.chapter("00")
    return QuizWidget("00", chapter.title, chapter.asked, bank=bank, progress=Progress(tmp_path))


def show(bare_page: BarePage, widget: Any, page_style: str = "") -> None:
    state = {"view": widget.view, "draft": widget.draft, "action": {}, "step": 0}
    bare_page.show(MODULE, state, STYLE, page_style)


def answer(bare_page: BarePage, widget: QuizWidget) -> None:
    """Carry what the page sent to Python, and Python's view back to the page."""
    widget.action = bare_page.get("action")
    bare_page.set("draft", widget.draft)
    bare_page.set("view", widget.view)


def enter_all(page: Page) -> None:
    page.get_by_label("An error page").check()
    page.get_by_label("A Topic keeps what was appended").check()
    page.get_by_label("The trace holds every step").check()
    page.get_by_label("Your answer:").fill("40")
    page.get_by_role("button", name="Move down: The record is appended").click()
    page.get_by_role("button", name="Move down: The record is appended").click()
    page.get_by_label("the ack arrives at the shop").check()


def test_a_learner_submits_retries_what_was_missed_and_sees_the_answers(bare_page: BarePage, quiz: QuizWidget) -> None:
    page = bare_page.page
    show(bare_page, quiz)

    enter_all(page)
    expect(page.locator(".edl-count")).to_have_text("5 of 5 answered")
    page.get_by_role("group", name="Question 1").get_by_label("certain", exact=True).check()
    page.get_by_role("button", name="Submit").click()
    answer(bare_page, quiz)

    expect(page.get_by_role("status")).to_contain_text("3 of 5 right. Not right yet: questions 1 and 3.")
    expect(page.get_by_text("not right yet", exact=True)).to_have_count(2)
    assert quiz.answers["00.order"] == ("made", "sent", "stored")

    page.get_by_role("button", name="Retry the 2 missed").click()
    answer(bare_page, quiz)
    expect(page.get_by_label("An error page")).to_be_focused()
    expect(page.get_by_label("The trace holds every step")).to_be_disabled()
    page.get_by_label("The order is accepted").check()
    page.get_by_label("Your answer:").fill("50")
    page.get_by_role("button", name="Submit").click()
    answer(bare_page, quiz)

    expect(page.get_by_role("status")).to_contain_text("5 of 5 right")
    expect(page.get_by_text("The event waits in the topic.")).to_have_count(0)
    page.get_by_role("button", name="See the answers").click()
    answer(bare_page, quiz)
    expect(page.get_by_text("The event waits in the topic.")).to_be_visible()


def test_a_quiz_can_be_taken_by_keyboard_alone(bare_page: BarePage, quiz: QuizWidget) -> None:
    page = bare_page.page
    show(bare_page, quiz)

    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")

    expect(page.get_by_label("The order is accepted")).to_be_checked()
    page.get_by_role("button", name="Move down: The record is appended").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Move down: The record is appended")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("The record is appended: now 2 of 3.")
    page.keyboard.press("Enter")
    # At the bottom "down" is gone; the focus stays on the item.
    expect(page.get_by_role("button", name="Move up: The record is appended")).to_be_focused()
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    assert bare_page.get("draft")["answers"] == {"00.single": "accepted", "00.order": ["made", "sent", "stored"]}


def test_keys_pressed_in_the_quiz_do_not_reach_the_notebook(bare_page: BarePage, quiz: QuizWidget) -> None:
    page = bare_page.page
    show(bare_page, quiz)
    page.evaluate("() => { window.heard = []; document.addEventListener('keydown', event => heard.push(event.key)); }")

    page.get_by_label("Your answer:").focus()
    for key in ("a", "d", "ArrowDown", "Enter", "Shift+Enter", "Escape", "Tab"):
        page.keyboard.press(key)

    assert page.evaluate("() => heard") == ["Escape", "Tab"]


def test_a_blank_is_announced_and_the_focus_stays_on_submit(bare_page: BarePage, quiz: QuizWidget) -> None:
    page = bare_page.page
    show(bare_page, quiz)

    page.get_by_role("button", name="Submit").click()
    answer(bare_page, quiz)

    expect(page.get_by_role("status")).to_contain_text("Questions 1, 2, 3, 4 and 5 have no answer yet.")
    expect(page.get_by_role("button", name="Submit")).to_be_focused()


def test_pointing_at_a_step_moves_the_replay_and_the_replay_marks_its_step(bare_page: BarePage, quiz: QuizWidget) -> None:
    page = bare_page.page
    show(bare_page, quiz)

    page.get_by_label("shop sends it").check()
    assert bare_page.get("step") == 1
    assert bare_page.saves() >= 1

    bare_page.set("step", 2)
    expect(page.locator(".edl-step.is-current")).to_contain_text("orders appends it")
    expect(page.get_by_label("shop sends it")).to_be_checked()


def test_what_was_entered_survives_drawing_the_widget_again(bare_page: BarePage, quiz: QuizWidget) -> None:
    page = bare_page.page
    show(bare_page, quiz)
    enter_all(page)

    quiz.draft = bare_page.get("draft")
    show(bare_page, quiz)

    expect(page.get_by_label("An error page")).to_be_checked()
    expect(page.get_by_label("Your answer:")).to_have_value("40")
    expect(page.get_by_role("listitem").last).to_contain_text("The record is appended")


def test_text_from_a_bank_is_never_read_as_html(bare_page: BarePage, quiz: QuizWidget) -> None:
    view = {**quiz.view, "title": "<b>x</b>", "status": "<i>y</i>"}
    view["questions"] = [{**quiz.view["questions"][0], "prompt": "<img src=x onerror=alert(1)> `<script>`"}]
    quiz.view = view

    show(bare_page, quiz)

    expect(bare_page.page.locator("#widget :is(img, b, i, script)")).to_have_count(0)
    expect(bare_page.page.locator(".edl-prompt code")).to_have_text("<script>")


def test_a_prediction_is_asked_for_and_then_set_against_the_run(bare_page: BarePage, bank: Bank, tmp_path: Path) -> None:
    page = bare_page.page
    locked = PredictedRun(bank.question("00.guess"), lambda: "shown", bank=bank, progress=Progress(tmp_path))  # type: ignore[arg-type]
    card = locked.children[0]
    show(bare_page, card)

    page.get_by_label("It fails").check()
    page.get_by_label("fairly sure").check()
    page.get_by_role("button", name="Save my prediction and run").click()
    answer(bare_page, card)

    expect(page.get_by_role("status")).to_contain_text("You said: It fails (fairly sure)")
    expect(page.get_by_role("status")).to_be_focused()
    expect(page.get_by_text("it did this")).not_to_be_visible()
    page.get_by_text("Explanations, once you have looked at the run").click()
    expect(page.get_by_text("it did this")).to_be_visible()
    assert locked.result == "shown"


@pytest.mark.parametrize("width", [1000, 700, 360])
def test_nothing_sticks_out_of_a_narrow_window(bare_page: BarePage, quiz: QuizWidget, width: int) -> None:
    bare_page.page.set_viewport_size({"width": width, "height": 800})
    quiz.submit({**RIGHT, "00.number": 40, "00.step": 2})
    quiz.reveal()

    show(bare_page, quiz)

    assert bare_page.page.evaluate("() => document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_phase(
    bare_page: BarePage, quiz: QuizWidget, theme: Any, axe: Callable[[Page, str], list[str]]
) -> None:
    bare_page.page.emulate_media(color_scheme=theme)
    violations = []
    for action in (None, lambda: quiz.submit({**RIGHT, "00.number": 40, "00.step": 2}), quiz.reveal):
        if action:
            action()
        show(bare_page, quiz, DARK if theme == "dark" else "")
        violations += axe(bare_page.page, "#widget")

    assert violations == []
