"""What the replay shows of brokers, in a page without any kernel."""

from __future__ import annotations

from collections import Counter

import pytest
from playwright.sync_api import Page, expect

from simulator import Trace, run
from simulator.reading.routes import routes
from simulator.views.player import player_script, player_style
from simulator.views.replay_data import replay_data
from simulator.views.scene import Picture
from simulator.views.style import LOOKS, SHAPES
from tests.browser.barekit import BarePage
from tests.views.systems import SYSTEMS, replication, routing, sharing

DARK = "body { background: #15181c; color-scheme: dark }"


def show(bare_page: BarePage, trace: Trace, page_style: str = "", step: int = -1) -> Page:
    bare_page.show(player_script("replay.js"), {"data": replay_data(trace), "step": step}, player_style(), page_style)
    return bare_page.page


def seen_texts(page: Page) -> Counter[str]:
    """The texts in sight in nodes; what is under way between them is not among them."""
    texts: list[str] = page.evaluate(
        """() => {
          const seen = each => each.nodeType !== Node.ELEMENT_NODE || getComputedStyle(each).display !== 'none';
          return [...document.querySelectorAll('.eda-node text')].filter(seen)
            .flatMap(each => [...each.childNodes].filter(seen).map(part => part.textContent)).filter(text => text);
        }"""
    )
    return Counter(texts)


def seen_shapes(page: Page) -> Counter[str]:
    """The shapes in sight in nodes, by their paths."""
    paths: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('.eda-node path')].filter(each => getComputedStyle(each).display !== 'none')
          .map(each => each.getAttribute('d'))"""
    )
    known = set(SHAPES.values())
    return Counter(path for path in paths if path in known)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_browser_and_the_still_show_the_same(bare_page, system):
    trace = run(system(), seed=1)
    page = show(bare_page, trace)
    data = replay_data(trace)
    picture = Picture(data)

    for step in range(0, len(trace), max(7, len(trace) // 24)):
        bare_page.set("step", step)

        marks = list(picture.go(step).marks())
        assert seen_texts(page) == Counter(mark.text for mark in marks if mark.kind == "text" and mark.text), f"step {step}"
        shapes = Counter(SHAPES[LOOKS[mark.text].shape] for mark in marks if mark.kind == "shape")
        assert seen_shapes(page) == shapes, f"step {step}"


@pytest.mark.parametrize("system", SYSTEMS)
def test_back_then_forward_draws_the_same_picture(bare_page, system):
    trace = run(system(), seed=1)
    page = show(bare_page, trace)
    steps = list(range(0, len(trace), max(1, len(trace) // 15)))

    def drawn(step: int) -> str:
        bare_page.set("step", step)
        text: str = page.evaluate("() => [...document.querySelectorAll('.eda-node')].map(each => each.outerHTML).join('')")
        return text.replace(' style=""', "")

    forwards = [drawn(step) for step in steps]
    backwards = [drawn(step) for step in reversed(steps)]

    assert backwards[::-1] == forwards
    assert len(set(forwards)) > len(steps) / 2


def test_a_change_at_the_controller_shows_at_the_broker_it_is_about(bare_page):
    trace = run(replication(), seed=1)
    fenced = next(trace.select("fenced"))
    page = show(bare_page, trace, step=fenced.index - 1)
    broker = page.locator(".eda-node").nth(trace.node_index("broker-1"))
    before = broker.locator(".eda-sync").all_text_contents()

    bare_page.set("step", fenced.index)

    assert before == ["in sync"]
    expect(broker.locator(".eda-sync")).to_have_text(["fenced"])
    expect(broker.locator(".eda-replica")).to_have_class("eda-replica eda-out")


def test_a_change_at_a_member_shows_at_its_coordinator(bare_page):
    trace = run(sharing(), seed=1)
    coordinator = next(trace.select("rebalanced")).node
    revoked = [step for step in trace.select("revoked") if step.node == "billing-2"][-1]
    page = show(bare_page, trace, step=revoked.index)

    expect(page.locator(".eda-node").nth(trace.node_index(coordinator)).get_by_text("reads nothing").first).to_be_visible()


def test_protocol_brings_a_cluster_s_chatter_back(bare_page):
    trace = run(replication(), seed=1)
    page = show(bare_page, trace)
    count = page.locator(".eda-slider").get_attribute("max")

    page.get_by_label("protocol messages").check()

    assert page.locator(".eda-slider").get_attribute("max") == str(len(trace))
    assert int(count or 0) < len(trace) / 4


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
        assert -1 <= box["x"] <= 400 - min(box["width"], 300), trace.nodes[node]


@pytest.mark.parametrize("page_style", ["", DARK], ids=["light", "dark"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_axe_finds_nothing_serious(bare_page, axe, system, page_style):
    trace = run(system(), seed=1)
    page = show(bare_page, trace, page_style, step=len(trace) // 2)

    assert axe(page, "#widget") == []
