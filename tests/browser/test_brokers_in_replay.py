"""What the replay shows of brokers, in a page without any kernel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from simulator import Scenario, Trace, run
from simulator.reading.routes import routes
from simulator.views.player import player_script, player_style
from simulator.views.replay_data import replay_data
from simulator.views.scene import Picture
from tests.browser.barekit import BarePage
from tests.views.systems import groups, hiding, routing

DARK = "body { background: #15181c; color-scheme: dark }"
SYSTEMS: list[Callable[[], Scenario]] = [routing, hiding, groups]


def show(bare_page: BarePage, trace: Trace, page_style: str = "", step: int = -1) -> Page:
    bare_page.show(player_script("replay.js"), {"data": replay_data(trace), "step": step}, player_style(), page_style)
    return bare_page.page


def seen_texts(page: Page) -> Counter[str]:
    """The texts in sight in nodes; what is under way between them is not among them."""
    texts: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('.eda-node text')].filter(each => getComputedStyle(each).display !== 'none')
          .map(each => [...each.childNodes].map(part => part.textContent)).flat().filter(text => text)"""
    )
    return Counter(texts)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_browser_and_the_still_show_the_same(bare_page, system):
    trace = run(system(), seed=1)
    page = show(bare_page, trace)
    data = replay_data(trace)

    for step in range(0, len(trace), 7):
        bare_page.set("step", step)

        drawn = [mark.text for mark in Picture(data).go(step).marks() if mark.kind == "text" and mark.text]
        assert seen_texts(page) == Counter(drawn), f"step {step}"


def test_the_bindings_that_a_message_fits_are_lit_and_told(bare_page):
    trace = run(routing(), seed=1)
    first, *_ = trace.select("routed")
    page = show(bare_page, trace, step=first.index)

    lit = page.locator(".eda-mark-text.eda-is-lit:not(.eda-when-lit)").all_text_contents()

    assert {"order.*.paid", "order.eu.#", "#.paid"} <= set(lit)
    assert "refund.#" not in lit
    assert page.locator(".eda-mark-text.eda-is-passed").all_text_contents() == ["refund.#", "if none fits"]
    expect(page.get_by_role("status")).to_contain_text(routes(trace)[first.index].words)


def test_stepping_on_puts_the_lights_out(bare_page):
    trace = run(routing(), seed=1)
    first, *_ = trace.select("routed")
    page = show(bare_page, trace, step=first.index)

    bare_page.set("step", first.index - 1)

    expect(page.locator(".eda-is-lit, .eda-is-passed")).to_have_count(0)
    expect(page.locator(".eda-note")).to_have_count(0)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_narrow_page_scrolls_the_picture_to_the_node_of_the_step(bare_page, system):
    bare_page.page.set_viewport_size({"width": 400, "height": 800})
    trace = run(system(), seed=1)
    page = show(bare_page, trace, "body { margin: 0 }")

    for node in range(len(trace.nodes)):
        step = next(step for step in trace if trace.node_index(step.node) == node)
        bare_page.set("step", step.index)

        assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
        box = page.locator(".eda-box").nth(node).bounding_box()
        assert box
        assert -1 <= box["x"] < 400 - min(box["width"], 300), trace.nodes[node]


@pytest.mark.parametrize("page_style", ["", DARK], ids=["light", "dark"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_axe_finds_nothing_serious(bare_page, axe, system, page_style):
    trace = run(system(), seed=1)
    page = show(bare_page, trace, page_style, step=len(trace) // 2)

    assert axe(page, "#widget") == []
