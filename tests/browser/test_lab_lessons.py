"""The lessons as a learner goes through them in a real JupyterLab: run all, predict, move a slider, step a replay, answer."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lessonkit import NOTEBOOKS, WIDGETS, cell, fits, opened, predict

START = NOTEBOOKS / "00-start-here.ipynb"
WHAT_IS_IT = NOTEBOOKS / "01-what-is-event-driven-architecture.ipynb"


@pytest.mark.parametrize("notebook", [START, WHAT_IS_IT], ids=lambda path: path.stem[:2])
def test_all_cells_run_and_fit_a_wide_window_and_a_narrow_one(lab, axe, notebook):
    errors = opened(lab, notebook)

    assert errors == []
    for width in (1280, 700):
        fits(lab, axe, width)


def test_a_prediction_in_one_cell_leaves_the_choice_in_another_alone(lab):
    assert opened(lab, START) == []
    lab.page.set_viewport_size({"width": 1280, "height": 16_000})
    slow, lost = (cell(lab, START, question) for question in ("00.slow-payment", "00.lost-reply"))

    slow.get_by_label("Charged twice").check()
    lost.get_by_label("Never").check()

    expect(slow.get_by_label("Charged twice")).to_be_checked()
    expect(lost.get_by_label("Never")).to_be_checked()


def test_a_run_is_locked_until_predicted_and_then_a_slider_changes_it(lab, axe):
    assert opened(lab, START) == []
    here = cell(lab, START, "00.slow-payment")
    expect(here.get_by_label("Time a payment takes")).to_have_count(0)

    predict(here, "Charged once, and the customer gets no answer")

    expect(here.get_by_role("status").first).to_contain_text("It did: Charged twice")
    expect(here.get_by_text("order-1 was processed twice by payment.")).to_be_visible()
    slider = here.get_by_label("Time a payment takes")
    cells = lab.cell_count()
    slider.focus()
    for _ in range(60):
        lab.page.keyboard.press("ArrowLeft")
    expect(here.get_by_text("Every guarantee that this run can be held to holds.")).to_be_visible()
    expect(here.get_by_text("order-1 was processed twice by payment.")).to_have_count(0)
    assert lab.cell_count() == cells
    assert axe(lab.page, WIDGETS) == []


def test_a_replay_is_stepped_back_by_keyboard_and_python_knows_where_it_stands(lab):
    assert opened(lab, START) == []
    here = cell(lab, START, "replay = Replay(trace)")
    cells = lab.cell_count()

    here.get_by_role("slider").first.focus()
    lab.page.keyboard.press("End")
    for _ in range(3):
        lab.page.keyboard.press("ArrowLeft")

    expect(here.locator(".eda-say").first).to_contain_text("checkout processed order-1.")
    lab.wait_idle()
    assert lab.python("replay.step") == "20"
    assert lab.cell_count() == cells


def test_an_exercise_leads_to_the_failing_step_and_is_solved_by_changing_the_scenario(lab, axe):
    assert opened(lab, WHAT_IS_IT) == []
    here = cell(lab, WHAT_IS_IT, "01.charge-once")
    expect(here.get_by_role("status").first).to_have_text("Not yet: 3 of 7 hold.")
    expect(here.locator(".eda-say").first).to_contain_text("payment processed order-2, for the 2nd time.")

    here.get_by_role("button", name="Show the run: two replies get lost").click()

    expect(here.locator(".eda-say").first).to_contain_text("payment processed order-2, for the 3rd time.")
    assert axe(lab.page, WIDGETS) == []
    solved = 'judge("01.charge-once", three_orders(idempotent=True))'
    assert lab.python(f"print({solved}.headline)").strip() == "Solved: all 7 hold."


def test_two_shops_side_by_side_follow_one_knob(lab):
    assert opened(lab, WHAT_IS_IT) == []
    here = cell(lab, WHAT_IS_IT, "01.latency")
    predict(here, "About as long")
    table = here.get_by_role("table")
    row = table.get_by_role("row", name="latency the customer feels, p50")
    expect(row).to_contain_text("101.5")

    slider = here.get_by_label("Time a payment takes")
    slider.focus()
    for _ in range(5):
        lab.page.keyboard.press("ArrowRight")

    expect(row).not_to_contain_text("101.5")
    expect(row).to_contain_text("19")
    lab.wait_idle()
    # The numbers below the widget are of a run that no slider changes, so the text about them stays true.
    assert lab.python("calm.values['payment_ms'] == 40") == "True"


def test_the_quiz_of_a_lesson_is_answered_and_its_score_read_from_python(lab):
    assert opened(lab, WHAT_IS_IT) == []
    here = cell(lab, WHAT_IS_IT, 'quiz("basics", "basics.eda")')

    here.get_by_label("The shop publishes OrderCreated and answers the customer.").check()
    here.get_by_role("button", name="Submit").click()

    expect(here.get_by_role("status")).to_contain_text("1 of 1 right.")
    assert lab.python("from quizzes import score; score('basics').right") == "1"
