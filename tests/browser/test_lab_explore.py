"""Explore and contrast in a real JupyterLab, with a real kernel behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.labkit import Lab

HERE = Path(__file__).parents[2]
PREPARE = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from simulator.lab import contrast, explore
from tests.views.shop import shop
"""

# Looks at every frame from now on: whether anything that was drawn is gone, and whether what stands below has moved.
WATCH = """root => {
  const seen = window.seen = {frames: 0, blank: 0, heights: new Set(), pictures: new Set()};
  const look = () => {
    seen.frames += 1;
    const charts = [...root.querySelectorAll('[role=tabpanel]:not([hidden]) .eda-chart')];
    if (!charts.length || charts.some(chart => !chart.childElementCount)) seen.blank += 1;
    seen.pictures.add(charts.map(chart => chart.innerHTML).join());
    seen.heights.add(root.offsetHeight);
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


def opened(lab: Lab, code: str):
    lab.open_cells(PREPARE, code)
    assert lab.run_all() == []
    widget = lab.cell(1).locator(".eda-lab")
    widget.first.wait_for()
    return widget


def test_a_slider_moved_by_keyboard_changes_the_picture_without_a_blank_frame_or_a_jump(lab: Lab) -> None:
    widget = opened(lab, "e = explore(shop, seed=7, orders_per_second=5, tab='charts')\ne")
    expect(widget.locator(".eda-chart").first).to_be_visible()
    widget.evaluate(WATCH)

    widget.get_by_role("slider", name="Orders per second").focus()
    for _ in range(4):
        lab.page.keyboard.press("PageUp")

    expect(widget.get_by_label("The code that makes this run")).to_have_text("run(shop(orders_per_second=45), seed=7)")
    seen = lab.page.evaluate("() => ({...seen, heights: seen.heights.size, pictures: seen.pictures.size})")
    assert seen["blank"] == 0
    assert seen["heights"] == 1
    assert seen["pictures"] > 1
    assert lab.python("e.values['orders_per_second'], len(e.trace) > 2_000") == "(45, True)"
    assert lab.cell_count() == 2


def test_a_burst_of_changes_ends_on_the_last_one(lab: Lab) -> None:
    widget = opened(lab, "e = explore(shop, seed=7, orders_per_second=5)\ne")
    slider = widget.get_by_role("slider", name="Orders per second")

    slider.evaluate(
        """slider => { for (let value = 6; value <= 85; value += 1) {
             slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); } }"""
    )

    expect(widget.get_by_label("The code that makes this run")).to_have_text("run(shop(orders_per_second=85), seed=7)")
    expect(slider).to_have_value("85")
    assert widget.get_attribute("aria-busy") is None
    assert lab.python("e.values['orders_per_second'] == e.shown['values']['orders_per_second'] == 85") == "True"


def test_a_change_is_answered_while_a_cell_is_busy(lab: Lab) -> None:
    widget = opened(lab, "import threading\nlet_go = threading.Event()\ne = explore(shop, seed=7, orders_per_second=5)\ne")
    lab.page.evaluate(
        """() => { window.busy = window.notebook.sessionContext.session.kernel.requestExecute({code: 'let_go.wait(20)'}); }"""
    )

    widget.get_by_role("slider", name="Orders per second").press("PageUp")

    code = widget.get_by_label("The code that makes this run")
    expect(code).to_have_text("run(shop(orders_per_second=15), seed=7)")
    widget.get_by_role("button", name="Another seed").click()
    expect(code).to_have_text("run(shop(orders_per_second=15), seed=8)")
    lab.page.evaluate("() => { window.busy.dispose(); }")
    lab.server.end_kernels()


def test_the_tabs_and_the_way_to_the_proof_by_keyboard(lab: Lab) -> None:
    widget = opened(lab, "e = explore(shop, seed=7, style='request-response', orders_per_second=5)\ne")
    widget.get_by_role("tab", name="Outcome").focus()
    lab.page.keyboard.press("ArrowRight")
    expect(widget.get_by_role("tab", name="Charts")).to_be_focused()

    widget.get_by_role("button", name="Show step").first.focus()
    lab.page.keyboard.press("Enter")

    expect(widget.get_by_role("tab", name="Replay")).to_have_attribute("aria-selected", "true")
    expect(widget.locator(".eda-player .eda-say")).not_to_have_text("Nothing has happened yet.")
    broken = "next(v for v in e.shown['verdicts'] if v['status'] == 'broken')"
    assert lab.python(f"e.step == {broken}['evidence'][0]['index']") == "True"
    assert lab.cell_count() == 2


def test_values_set_in_python_move_the_controls(lab: Lab) -> None:
    widget = opened(lab, "e = explore(shop, seed=7, orders_per_second=5)\ne")

    lab.python("_ = e.set(orders_per_second=31, style='request-response')")

    expect(widget.get_by_role("slider", name="Orders per second")).to_have_value("31")
    expect(widget.get_by_label("Style", exact=True)).to_have_value("0")


def test_two_runs_are_stepped_on_one_clock_and_python_reads_it(lab: Lab) -> None:
    widget = opened(lab, "c = contrast(shop, vary='style', seed=7, orders_per_second=5, tab='replay')\nc")
    picture = widget.get_by_role("group", name="Picture of event-driven")
    expect(picture.locator(".eda-node").first).to_be_visible()

    picture.focus()
    for _ in range(4):
        lab.page.keyboard.press("ArrowRight")

    clock = widget.locator(".eda-duet .eda-clock")
    expect(clock).not_to_have_text("0.0 ms")
    told = (clock.text_content() or "").removesuffix(" ms")
    lab.wait_idle()
    assert lab.python("f'{c.clock:,.1f}'") == f"'{told}'"
    widget.get_by_role("tab", name="Outcome").click()
    expect(widget.get_by_role("row", name="orders lost")).to_contain_text("event-driven")
    assert lab.cell_count() == 2


def test_axe_finds_nothing_serious_in_jupyterlab(lab: Lab, axe: Callable[[Page, str], list[str]]) -> None:
    both = "display(explore(shop, seed=7), contrast(shop, vary='style', seed=7))"
    widget = opened(lab, f"from IPython.display import display\n{both}")
    expect(widget).to_have_count(2)

    assert axe(lab.page, ".eda-lab") == []
