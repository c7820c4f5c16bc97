"""Contrast in a page of its own; Python's half answers as a kernel would."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from simulator.lab import Contrast, contrast
from simulator.reading import sentence
from simulator.views.bench import bench_script, bench_style
from tests.browser.barekit import BarePage
from tests.views.shop import shop

MODULE, STYLE = bench_script("duet.js", "contrast.js"), bench_style("contrast.css")
DARK = "body { background: #15181c; color-scheme: dark }"
TRAITS = ("setup", "asked", "shown", "wanted", "replay", "clock")


def show(bare_page: BarePage, widget: Contrast, page_style: str = "") -> Page:
    state = json.loads(json.dumps({name: getattr(widget, name) for name in TRAITS}))
    bare_page.show(MODULE, state, STYLE, page_style)
    return bare_page.page


def answer(bare_page: BarePage, widget: Contrast) -> None:
    """Carry what the page asked to Python, and what Python says back to the page."""
    widget.wanted = bare_page.get("wanted")
    if bare_page.get("asked"):
        widget.asked = bare_page.get("asked")
    bare_page.set("shown", widget.shown)
    bare_page.set("replay", widget.replay)


def saying(page: Page, side: str):
    return page.get_by_role("region", name=side, exact=True).locator(".eda-say")


def loud_times(widget: Contrast) -> list[float]:
    """When something that is more than protocol happens in either run, within the part that was sent."""
    return sorted({
        time
        for side in widget.replay["sides"]
        for time, quiet in zip(side["time"], side["quiet"], strict=True)
        if quiet == "0"
    })  # fmt: skip


@pytest.fixture
def widget() -> Contrast:
    return contrast(shop, vary="style", seed=7, orders_per_second=5, tab="replay")


def test_one_step_takes_both_runs_to_the_next_moment_of_either(bare_page, widget):
    page = show(bare_page, widget)
    times = loud_times(widget)

    for _ in range(3):
        page.get_by_role("button", name="On to what happens next").click()

    expect(page.locator(".eda-duet .eda-clock")).to_have_text(f"{times[2]:,.1f} ms")
    assert bare_page.get("clock") == times[2]
    for side, trace in (("request-response", widget.left), ("event-driven", widget.right)):
        last = [step for step in trace if round(step.time, 3) <= times[2]][-1]
        expect(saying(page, side)).to_have_text(sentence(last))


def test_stepping_back_shows_what_was_there_before(bare_page, widget):
    page = show(bare_page, widget)
    on, back = (
        page.get_by_role("button", name=name) for name in ("On to what happens next", "Back to what happened before")
    )
    pictures = []
    for _ in range(6):
        on.click()
        pictures.append([saying(page, side).text_content() for side in widget.setup["names"]])

    for before in reversed(pictures[:-1]):
        back.click()
        assert [saying(page, side).text_content() for side in widget.setup["names"]] == before


def test_keys_step_jump_and_play(bare_page, widget):
    page = show(bare_page, widget)
    times = loud_times(widget)
    clock = page.locator(".eda-duet .eda-clock")
    page.get_by_role("group", name="Picture of event-driven").focus()

    page.keyboard.press("ArrowRight")
    expect(clock).to_have_text(f"{times[0]:,.1f} ms")
    page.keyboard.press("End")
    expect(clock).to_have_text("4,000.0 ms")
    expect(page.get_by_role("button", name="To the end")).to_be_disabled()
    page.keyboard.press("Home")
    expect(clock).to_have_text("0.0 ms")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(clock).not_to_have_text("0.0 ms")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_playing_goes_on_without_being_asked(bare_page, widget):
    page = show(bare_page, widget)
    page.get_by_label("Pace").select_option("4 × faster")

    page.get_by_role("button", name="Play", exact=True).click()

    expect(page.locator(".eda-duet .eda-clock")).to_have_text("4,000.0 ms", timeout=20_000)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_what_is_counted_up_ends_at_the_tables_numbers(bare_page, widget):
    page = show(bare_page, widget)

    page.get_by_role("slider", name="Time of both runs").press("End")

    good, made = widget.facts["orders accepted"].said[0].split(" of ")
    side = page.get_by_role("region", name="request-response", exact=True).get_by_role("listitem")
    expect(side.filter(has_text="accepted")).to_have_text(f"{good} accepted")
    expect(side.filter(has_text="given up")).to_have_text(f"{int(made) - int(good)} given up")


def test_a_moment_outside_of_what_is_here_is_fetched(bare_page):
    widget = contrast(shop, vary="style", seed=7, seconds=20, tab="replay")
    page = show(bare_page, widget)

    page.get_by_role("slider", name="Time of both runs").press("End")
    page.wait_for_function("() => model.get('wanted').at === 20000")
    answer(bare_page, widget)

    expect(page.locator(".eda-duet .eda-clock")).to_have_text("20.000 s")
    assert page.locator(".eda-duet").get_attribute("aria-busy") is None
    page.get_by_role("button", name="Back to what happened before").click()
    expect(saying(page, "event-driven")).not_to_have_text("Nothing has happened yet.")


def test_the_clock_follows_python(bare_page, widget):
    page = show(bare_page, widget)

    bare_page.set("clock", 1_500.0)

    expect(page.locator(".eda-duet .eda-clock")).to_have_text("1,500.0 ms")
    side = page.get_by_role("region", name="event-driven", exact=True)
    expect(side.locator(".eda-badge").filter(has_text="down")).to_be_visible()


def test_a_change_runs_both_and_the_table_names_the_better(bare_page, widget):
    page = show(bare_page, widget)
    page.get_by_role("tab", name="Outcome").click()

    page.get_by_role("slider", name="Orders per second").press("PageUp")
    answer(bare_page, widget)

    row = page.get_by_role("row", name="orders lost")
    expect(row.get_by_role("cell").nth(2)).to_have_text("event-driven")
    expect(row.get_by_role("cell").nth(0)).to_have_text(str(int(widget.facts["orders lost"].left or 0)))
    change = page.get_by_role("row", name="must change to add a consumer")
    expect(change.get_by_role("cell").nth(1)).to_contain_text("nobody")
    code = 'contrast(shop, vary="style", seed=7, orders_per_second=15)'
    expect(page.get_by_label("The code that makes this run")).to_have_text(code)


def test_two_scenarios_have_no_controls_and_no_buttons(bare_page):
    widget = contrast(shop(), shop(email_outage=None), names=("with", "without"))

    page = show(bare_page, widget)

    expect(page.get_by_role("slider")).to_have_count(0)
    expect(page.get_by_role("button", name="Reset this lesson")).to_have_count(0)
    expect(page.get_by_role("columnheader", name="without")).to_be_visible()


@pytest.mark.parametrize("width", [1_200, 700, 400])
def test_nothing_sticks_out_of_a_narrow_window(bare_page, widget, width):
    bare_page.page.set_viewport_size({"width": width, "height": 800})
    page = show(bare_page, widget)
    page.get_by_text("2 more settings").click()
    expect(page.locator(".eda-status")).not_to_be_empty()

    widths = []
    for tab in ("Outcome", "Charts", "Side by side"):
        page.get_by_role("tab", name=tab).click()
        answer(bare_page, widget)
        widths.append(page.evaluate("() => document.documentElement.scrollWidth"))

    assert max(widths) <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    bare_page: BarePage, widget: Contrast, theme: Any, axe: Callable[[Page, str], list[str]]
) -> None:
    bare_page.page.emulate_media(color_scheme=theme)
    page = show(bare_page, widget, DARK if theme == "dark" else "")
    violations = []
    for tab in ("Outcome", "Charts", "Side by side"):
        page.get_by_role("tab", name=tab).click()
        violations += axe(page, "#widget")

    assert violations == []


def test_it_cleans_up_behind_itself(bare_page, widget):
    page = show(bare_page, widget)
    page.get_by_role("button", name="Play", exact=True).click()

    page.evaluate("() => window.cleanUp()")
    bare_page.set("shown", {**widget.shown, "number": 9})

    expect(page.locator(".eda-lab")).to_have_count(0)
