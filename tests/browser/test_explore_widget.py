"""Explore in a page of its own; Python's half answers as a kernel would."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from simulator.lab import Explore, explore
from simulator.views.bench import bench_script, bench_style
from tests.browser.barekit import BarePage
from tests.views.shop import shop

MODULE, STYLE = bench_script("explore.js"), bench_style()
DARK = "body { background: #15181c; color-scheme: dark }"
TRAITS = ("setup", "asked", "shown", "wanted", "replay", "step")


def show(bare_page: BarePage, widget: Explore, page_style: str = "") -> Page:
    state = json.loads(json.dumps({name: getattr(widget, name) for name in TRAITS}))
    bare_page.show(MODULE, state, STYLE, page_style)
    return bare_page.page


def answer(bare_page: BarePage, widget: Explore) -> None:
    """Carry what the page asked to Python, and what Python says back to the page."""
    widget.wanted = bare_page.get("wanted")
    if bare_page.get("asked"):
        widget.asked = bare_page.get("asked")
    bare_page.set("shown", widget.shown)
    bare_page.set("replay", widget.replay)


def cell(page: Page, row: str, column: int) -> str:
    text = page.get_by_role("row", name=row).get_by_role("cell").nth(column).text_content()
    assert text is not None
    return text


@pytest.fixture
def widget() -> Explore:
    return explore(shop, seed=7, orders_per_second=5)


def test_every_control_has_a_name_and_four_are_in_sight(bare_page, widget):
    page = show(bare_page, widget)

    expect(page.get_by_label("Style", exact=True)).to_be_visible()
    expect(page.get_by_role("slider", name="Orders per second")).to_be_visible()
    expect(page.get_by_role("slider", name="Work for one e-mail")).to_be_visible()
    expect(page.get_by_role("slider", name="Retries")).to_be_visible()
    expect(page.get_by_label("Email recognises repeats")).to_be_hidden()

    page.get_by_text("3 more settings").click()

    expect(page.get_by_label("Email recognises repeats")).to_be_visible()
    expect(page.get_by_role("group", name="The email service is down")).to_be_visible()
    expect(page.get_by_role("spinbutton", name="The email service is down: from")).to_have_value("1000")


def test_a_slider_moved_by_keyboard_runs_again_and_the_table_tells_was_and_now(bare_page, widget):
    page = show(bare_page, widget)
    slider = page.get_by_role("slider", name="Orders per second")

    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageUp")

    expect(slider).to_have_attribute("aria-valuetext", "16 orders/s")
    answer(bare_page, widget)

    assert widget.values["orders_per_second"] == 16
    assert int(cell(page, "made by clients", 0)) < int(cell(page, "made by clients", 1))
    assert cell(page, "made by clients", 2).startswith("+")
    expect(page.get_by_label("The code that makes this run")).to_have_text("run(shop(orders_per_second=16), seed=7)")
    expect(page.get_by_role("status")).to_contain_text("steps, answered")


def test_a_new_run_changes_what_is_there_instead_of_drawing_it_anew(bare_page, widget):
    page = show(bare_page, widget)
    page.get_by_role("tab", name="Charts").click()
    page.evaluate(
        """() => { window.kept = [...document.querySelectorAll('.eda-table td, .eda-chart, .eda-chip, input, select')];
                   window.tall = document.querySelector('.eda-lab').offsetHeight; }"""
    )
    before = page.locator(".eda-chart").nth(1).inner_html()

    page.get_by_role("slider", name="Work for one e-mail").press("PageUp")
    answer(bare_page, widget)

    assert page.locator(".eda-chart").nth(1).inner_html() != before
    assert page.evaluate("() => kept.every(element => element.isConnected)")
    assert page.evaluate("() => document.querySelector('.eda-lab').offsetHeight === tall")


def test_the_answer_to_an_older_question_does_not_pull_the_slider_back(bare_page, widget):
    page = show(bare_page, widget)
    slider = page.get_by_role("slider", name="Orders per second")
    slider.press("ArrowRight")
    older = bare_page.get("asked")
    slider.press("ArrowRight")

    widget.asked = older
    bare_page.set("shown", widget.shown)

    expect(slider).to_have_value("7")
    assert page.locator(".eda-lab").get_attribute("aria-busy") == "true"
    answer(bare_page, widget)
    expect(slider).to_have_value("7")
    assert page.locator(".eda-lab").get_attribute("aria-busy") is None


def test_values_set_from_python_move_the_controls(bare_page, widget):
    page = show(bare_page, widget)

    widget.set(style="request-response", orders_per_second=33, email_outage=None)
    bare_page.set("shown", widget.shown)

    expect(page.get_by_label("Style", exact=True)).to_have_value("0")
    expect(page.get_by_role("slider", name="Orders per second")).to_have_value("33")
    page.get_by_text("3 more settings").click()
    expect(page.get_by_role("checkbox", name="The email service is down")).not_to_be_checked()


def test_each_kind_of_control_asks_for_its_value(bare_page, widget):
    page = show(bare_page, widget)
    page.get_by_text("3 more settings").click()

    page.get_by_label("Style", exact=True).select_option("request-response")
    page.get_by_label("Email recognises repeats").check()
    page.get_by_role("spinbutton", name="The email service is down: to").fill("2500")

    values = bare_page.get("asked")["values"]
    assert (values["style"], values["idempotent"], values["email_outage"]) == ("request-response", True, [1_000, 2_500])
    page.get_by_role("checkbox", name="The email service is down").uncheck()
    assert bare_page.get("asked")["values"]["email_outage"] is None
    expect(page.get_by_role("spinbutton", name="The email service is down: from")).to_be_disabled()
    page.get_by_role("checkbox", name="The email service is down").check()
    assert bare_page.get("asked")["values"]["email_outage"] == [1_000, 2_500]


def test_a_pair_that_is_no_span_is_refused_where_it_is_typed(bare_page, widget):
    page = show(bare_page, widget)
    page.get_by_text("3 more settings").click()
    end = page.get_by_role("spinbutton", name="The email service is down: to")

    end.fill("500")

    expect(page.get_by_role("alert")).to_have_text("It must end after it begins.")
    expect(end).to_have_attribute("aria-invalid", "true")
    assert bare_page.get("asked") == {}
    end.fill("9000")
    expect(page.get_by_role("alert")).to_have_text("From 0 to 4,000 ms.")


def test_what_a_scenario_refuses_is_shown_and_the_last_run_stays(bare_page, widget):
    page = show(bare_page, widget)
    before = cell(page, "made by clients", 1)

    bare_page.set("shown", {**widget.shown, "number": 1, "complaint": "The queue is too short."})

    expect(page.get_by_role("status")).to_have_text("The queue is too short.")
    assert cell(page, "made by clients", 1) == before


def test_tabs_are_walked_with_the_arrows(bare_page, widget):
    page = show(bare_page, widget)
    outcome, charts, replay = (page.get_by_role("tab", name=name) for name in ("Outcome", "Charts", "Replay"))

    outcome.focus()
    page.keyboard.press("ArrowRight")

    expect(charts).to_be_focused()
    expect(charts).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel", name="Charts")).to_be_visible()
    expect(page.get_by_role("table")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(outcome).to_be_focused()
    page.keyboard.press("End")
    expect(replay).to_have_attribute("aria-selected", "true")
    assert bare_page.get("wanted")["replay"] is True
    page.keyboard.press("Home")
    assert bare_page.get("wanted")["replay"] is False


def test_a_broken_guarantee_leads_to_the_step_that_proves_it(bare_page):
    widget = explore(shop, style="request-response", seed=7)
    page = show(bare_page, widget)
    broken = next(verdict for verdict in widget.shown["verdicts"] if verdict["status"] == "broken")
    step = broken["evidence"][-1]

    page.get_by_role("group", name="What the verdicts say").get_by_role(
        "button", name=f"Show step {step['index']}:"
    ).first.click()
    answer(bare_page, widget)

    expect(page.get_by_role("tab", name="Replay")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".eda-player .eda-say")).to_have_text(step["sentence"])
    assert bare_page.get("step") == step["index"]


def test_a_step_in_a_part_that_is_not_here_is_fetched(bare_page):
    widget = explore(shop, style="request-response", seed=7, seconds=30)
    assert len(widget.trace) > 5_000
    page = show(bare_page, widget)
    page.get_by_role("tab", name="Replay").click()
    answer(bare_page, widget)

    late = len(widget.trace) - 3
    bare_page.page.evaluate(
        """late => { const shown = structuredClone(model.get('shown')); shown.verdicts = [{check: 'late', status: 'broken',
             sentence: 'Late.', evidence: [{index: late, sentence: 'it'}]}]; model.set('shown', shown); }""",
        late,
    )
    page.get_by_role("button", name=f"Show step {late}").click()
    widget.wanted = bare_page.get("wanted")
    bare_page.set("replay", widget.replay)

    expect(page.locator(".eda-clock")).to_contain_text(f"step {late} of")
    expect(page.locator(".eda-note")).to_contain_text("steps; here are")


def test_a_chosen_guarantee_says_what_holds(bare_page, widget):
    page = show(bare_page, widget)
    sentences = page.get_by_role("group", name="What the verdicts say")

    page.get_by_role("button", name="at most once").click()

    expect(sentences).to_contain_text("Nothing took effect twice at stock.")
    expect(page.get_by_role("button", name="at most once")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="at most once").click()
    expect(sentences).not_to_contain_text("Nothing took effect twice at stock.")


def test_the_buttons_below_reset_compare_and_change_the_seed(bare_page, widget):
    page = show(bare_page, widget)
    page.get_by_role("slider", name="Orders per second").press("PageUp")
    answer(bare_page, widget)

    page.get_by_role("button", name="Compare with this run").click()
    answer(bare_page, widget)
    assert cell(page, "made by clients", 2) == "0"
    expect(page.get_by_role("button", name="Compare with this run")).to_be_disabled()

    page.get_by_role("button", name="Another seed").click()
    answer(bare_page, widget)
    assert widget.seed == 8

    page.get_by_role("button", name="Reset this lesson").click()
    answer(bare_page, widget)
    assert (widget.seed, widget.values["orders_per_second"], widget.shown["same"]) == (7, 5, True)
    expect(page.get_by_role("slider", name="Orders per second")).to_have_value("5")


def test_the_code_can_be_copied(bare_page, widget):
    page = show(bare_page, widget)

    page.get_by_role("button", name="Copy").click()

    # A page of no origin has no clipboard: then the line is selected, ready to be copied.
    expect(page.get_by_role("button", name="Press Ctrl+C")).to_be_visible()
    assert page.evaluate("() => getSelection().toString()") == "run(shop(orders_per_second=5), seed=7)"


def test_keys_pressed_in_the_widget_do_not_reach_the_notebook(bare_page, widget):
    page = show(bare_page, widget)
    page.evaluate("() => { window.heard = []; document.addEventListener('keydown', event => heard.push(event.key)); }")

    page.get_by_role("slider", name="Orders per second").focus()
    for key in ("a", "d", "ArrowLeft", "Escape", "Tab"):
        page.keyboard.press(key)

    assert page.evaluate("() => heard") == ["Escape", "Tab"]


def test_a_silent_kernel_is_noticed(bare_page, widget):
    page = bare_page.page
    page.clock.install()
    show(bare_page, widget)

    page.get_by_role("slider", name="Orders per second").press("ArrowRight")
    page.clock.fast_forward(6_000)

    expect(page.get_by_role("status")).to_contain_text("Python has not answered yet")


@pytest.mark.parametrize("width", [1_200, 700, 400])
def test_nothing_sticks_out_of_a_narrow_window(bare_page, widget, width):
    bare_page.page.set_viewport_size({"width": width, "height": 800})
    page = show(bare_page, widget)
    page.get_by_text("3 more settings").click()
    expect(page.locator(".eda-status")).not_to_be_empty()

    widths = []
    for tab in ("Outcome", "Charts", "Replay"):
        page.get_by_role("tab", name=tab).click()
        answer(bare_page, widget)
        widths.append(page.evaluate("() => document.documentElement.scrollWidth"))

    assert max(widths) <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(bare_page: BarePage, theme: Any, axe: Callable[[Page, str], list[str]]) -> None:
    widget = explore(shop, style="request-response", seed=7, orders_per_second=4)
    bare_page.page.emulate_media(color_scheme=theme)
    page = show(bare_page, widget, DARK if theme == "dark" else "")
    page.get_by_text("3 more settings").click()
    violations = []
    for tab in ("Outcome", "Charts", "Replay"):
        page.get_by_role("tab", name=tab).click()
        answer(bare_page, widget)
        violations += axe(page, "#widget")

    assert violations == []


def test_it_cleans_up_behind_itself(bare_page, widget):
    page = show(bare_page, widget)

    page.evaluate("() => window.cleanUp()")
    bare_page.set("shown", {**widget.shown, "number": 9})

    expect(page.locator(".eda-lab")).to_have_count(0)
