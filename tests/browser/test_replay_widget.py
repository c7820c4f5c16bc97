"""The replay in a page without any kernel, as a file of its own, and in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from simulator import run
from simulator.reading import first, sentence, why
from simulator.scenarios import SCENARIOS
from simulator.trace import Trace
from simulator.views.page import write_page
from simulator.views.player import player_script, player_style
from simulator.views.replay_data import replay_data
from tests.browser.barekit import BarePage
from tests.browser.labkit import Lab

DARK = "body { background: #15181c; color-scheme: dark }"


@pytest.fixture(scope="module")
def trace() -> Trace:
    return run(SCENARIOS["lost_commit"](), seed=7)


def show(bare_page: BarePage, trace: Trace, page_style: str = "", step: int = -1, **part: object) -> Page:
    data = replay_data(trace, **part)  # type: ignore[arg-type]
    bare_page.show(player_script("replay.js"), {"data": data, "step": step}, player_style(), page_style)
    return bare_page.page


def picture(page: Page) -> str:
    """What is drawn, without the order in which messages under way were put there."""
    drawn: str = page.evaluate(
        """() => {
          const stage = document.querySelector('.eda-stage').cloneNode(true);
          const sky = stage.querySelector('.eda-sky');
          sky.replaceChildren(...[...sky.children].sort((a, b) => a.outerHTML < b.outerHTML ? -1 : 1));
          return stage.outerHTML.replace(/ style=""/g, '');
        }"""
    )
    return drawn


def say(page: Page):
    return page.get_by_role("status")


def visible_steps(trace: Trace) -> list[int]:
    return [step for step, quiet in enumerate(replay_data(trace)["quiet"]) if quiet == "0"]


def test_arrow_keys_step_and_the_step_reaches_python(bare_page, trace):
    page = show(bare_page, trace)
    shown = visible_steps(trace)

    page.locator(".eda-theatre").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")

    expect(say(page)).to_have_text(sentence(trace[shown[1]]))
    assert bare_page.get("step") == shown[1]
    assert bare_page.saves() == 4


def test_home_and_end_go_to_the_ends(bare_page, trace):
    page = show(bare_page, trace)
    page.locator(".eda-theatre").focus()

    page.keyboard.press("End")
    expect(say(page)).to_have_text(sentence(trace[visible_steps(trace)[-1]]))
    expect(page.get_by_role("button", name="Step forward")).to_be_disabled()
    page.keyboard.press("Home")

    expect(say(page)).to_have_text("Nothing has happened yet.")
    expect(page.get_by_role("button", name="Step back")).to_be_disabled()


def test_back_then_forward_draws_the_same_picture_at_every_step(bare_page, trace):
    page = show(bare_page, trace)
    page.get_by_label("protocol messages").check()
    page.locator(".eda-theatre").focus()
    forwards = []
    for _ in range(len(trace)):
        page.keyboard.press("ArrowRight")
        forwards.append(picture(page))

    backwards = []
    for _ in range(len(trace)):
        backwards.append(picture(page))
        page.keyboard.press("ArrowLeft")

    assert len(set(forwards)) > len(trace) / 2
    assert backwards[::-1] == forwards


def test_no_key_but_tab_and_escape_leaves_the_replay(bare_page, trace):
    page = show(bare_page, trace)
    page.evaluate(
        "() => { window.leaked = []; document.addEventListener('keydown', event => window.leaked.push(event.key)); }"
    )

    for selector in (".eda-theatre", ".eda-slider", ".eda-steps", ".eda-play", ".eda-tools select"):
        page.locator(selector).first.focus()
        for key in ("Escape", "a", "d", "ArrowRight", "ArrowDown", "Enter"):
            page.keyboard.press(key)
    page.locator(".eda-theatre").focus()
    page.keyboard.press("Tab")

    assert page.evaluate("() => window.leaked") == ["Escape"] * 5 + ["Tab"]


def test_the_slider_steps_by_arrow_and_says_where_it_is(bare_page, trace):
    page = show(bare_page, trace)
    slider = page.get_by_role("slider", name="Step")

    slider.focus()
    page.keyboard.press("ArrowRight")

    first_shown = visible_steps(trace)[0]
    expect(slider).to_have_attribute("aria-valuetext", f"Step {first_shown}: {sentence(trace[first_shown])}")


def test_scrubbing_goes_anywhere(bare_page, trace):
    page = show(bare_page, trace)
    shown = visible_steps(trace)

    page.get_by_role("slider", name="Step").fill("20")

    expect(say(page)).to_have_text(sentence(trace[shown[19]]))


def test_up_and_down_step_in_the_list(bare_page, trace):
    page = show(bare_page, trace)
    shown = visible_steps(trace)

    page.get_by_role("listbox", name="Steps").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)

    expect(page.locator(".eda-row[aria-selected=true]")).to_contain_text(sentence(trace[shown[0]]))


def test_protocol_messages_are_stepped_over_until_they_are_asked_for(bare_page, trace):
    page = show(bare_page, trace)
    page.locator(".eda-theatre").focus()
    page.keyboard.press("ArrowRight")
    assert bare_page.get("step") == visible_steps(trace)[0] > 0

    page.get_by_label("protocol messages").check()
    page.locator(".eda-theatre").focus()
    page.keyboard.press("ArrowLeft")

    assert bare_page.get("step") == visible_steps(trace)[0] - 1
    assert page.locator(".eda-flight").count() > 0


def test_a_jump_leads_to_the_first_duplicate(bare_page, trace):
    page = show(bare_page, trace)

    page.get_by_label("Jump to").select_option(label="first duplicate")

    expect(say(page)).to_have_text(sentence(first(trace, "duplicate")))


def test_the_causes_of_a_step_are_told_and_lead_back(bare_page, trace):
    page = show(bare_page, trace)
    twice = first(trace, "duplicate")
    chain = why(trace, twice)
    page.get_by_label("Jump to").select_option(label="first duplicate")
    causes = page.get_by_role("region", name="Why")

    expect(causes.get_by_role("button").first).to_contain_text(chain.sentences[-2])
    causes.get_by_role("button").nth(1).click()

    expect(say(page)).to_have_text(chain.sentences[-3])
    assert bare_page.get("step") == chain.indexes[-3]


def test_a_click_on_a_step_goes_there(bare_page, trace):
    page = show(bare_page, trace)
    shown = visible_steps(trace)

    page.locator(".eda-row").nth(5).click()

    assert bare_page.get("step") == shown[4]
    expect(page.locator(".eda-row[aria-selected=true]")).to_have_count(1)


def test_python_moves_the_replay(bare_page, trace):
    page = show(bare_page, trace)

    bare_page.set("step", 30)

    expect(say(page)).to_have_text(sentence(trace[30]))
    assert bare_page.saves() == 0


def test_it_begins_where_it_was_asked_to(bare_page, trace):
    page = show(bare_page, trace, step=12)

    expect(say(page)).to_have_text(sentence(trace[12]))


def test_it_plays_to_the_end_and_stops_there(bare_page, trace):
    page = show(bare_page, trace)
    page.get_by_label("Speed").select_option("10×")

    page.get_by_role("button", name="Play").click()
    expect(say(page)).to_have_attribute("aria-live", "off")

    expect(say(page)).to_have_text(sentence(trace[visible_steps(trace)[-1]]), timeout=20_000)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    expect(say(page)).to_have_attribute("aria-live", "polite")
    assert bare_page.get("step") == visible_steps(trace)[-1]


ECHO = """() => {
  const save = model.save_changes.bind(model);
  window.echoes = 0;
  model.save_changes = () => {
    const told = model.get('step');
    save();
    setTimeout(() => { window.echoes += 1; model.set('step', told); }, 60);
  };
}"""


def test_an_echo_of_the_kernel_does_not_stop_it(bare_page, trace):
    page = show(bare_page, trace)
    page.evaluate(ECHO)
    page.get_by_label("Speed").select_option("10×")

    page.get_by_role("button", name="Play").click()

    expect(say(page)).to_have_text(sentence(trace[visible_steps(trace)[-1]]), timeout=20_000)
    assert page.evaluate("() => window.echoes") > 0


def test_space_plays_and_pauses(bare_page, trace):
    page = show(bare_page, trace)
    page.locator(".eda-theatre").focus()

    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("Space")

    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_nodes_show_what_they_hold(bare_page, trace):
    page = show(bare_page, trace)
    stored = next(trace.select("appended"))

    bare_page.set("step", stored.index - 1)
    before = page.locator(".eda-cells.eda-full").count()
    bare_page.set("step", stored.index)

    assert before == 0
    expect(page.locator(".eda-cells.eda-full text")).to_have_text([str(stored.message.key).removeprefix("order-")])


def test_what_is_lost_is_marked_as_such(bare_page, trace):
    page = show(bare_page, trace)

    bare_page.set("step", first(trace, "loss").index)

    expect(page.locator(".eda-flight text").first).to_contain_text("lost")


def test_a_node_that_is_down_says_so(bare_page, trace):
    page = show(bare_page, trace)

    bare_page.set("step", first(trace, "crash").index)

    expect(page.locator(".eda-off .eda-badge")).to_contain_text("down")


def test_a_focus_dims_everything_else(bare_page, trace):
    page = show(bare_page, trace, focus="billing")

    expect(page.locator(".eda-node.eda-dim .eda-name")).to_have_count(2)


def test_other_data_take_the_place_of_the_first_at_once(bare_page, trace):
    page = show(bare_page, trace, step=20)
    other = run(SCENARIOS["three_orders"](), seed=7)

    bare_page.set("data", replay_data(other))

    expect(page.locator(".eda-title")).to_contain_text("three orders")
    expect(say(page)).to_have_text(sentence(other[20]))


@pytest.mark.parametrize("width", [1280, 700, 400])
def test_nothing_overflows_the_page(bare_page, trace, width):
    bare_page.page.set_viewport_size({"width": width, "height": 800})
    page = show(bare_page, trace, "body { margin: 0 }", step=30)

    scrolled, stage = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.querySelector('.eda-stage').getBoundingClientRect().width]"
    )

    assert scrolled <= width
    assert stage <= width


def test_a_narrow_page_shows_the_flow_downwards(bare_page, trace):
    bare_page.page.set_viewport_size({"width": 500, "height": 800})
    page = show(bare_page, trace)
    boxes = [page.locator(".eda-box").nth(at).bounding_box() for at in range(3)]

    tops = [box["y"] for box in boxes if box]

    assert tops == sorted(tops)
    assert len(set(tops)) == 3


@pytest.mark.parametrize("page_style", ["", DARK], ids=["light", "dark"])
def test_axe_finds_nothing_serious(bare_page, axe, trace, page_style):
    page = show(bare_page, trace, page_style, step=30)

    assert axe(page, "#widget") == []


def test_a_page_steps_without_any_kernel(browser: Browser, trace: Trace, tmp_path: Path):
    written = write_page(trace, tmp_path / "run.html", at=10)
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))

    page.goto(written.as_uri())
    expect(say(page)).to_have_text(sentence(trace[10]))
    page.locator(".eda-theatre").focus()
    page.keyboard.press("End")

    expect(say(page)).to_have_text(sentence(trace[visible_steps(trace)[-1]]))
    assert (asked, errors) == ([written.as_uri()], [])
    context.close()


PREPARE = """
from simulator import run
from simulator.scenarios import SCENARIOS
from simulator.views.replay import Replay
trace = run(SCENARIOS["lost_commit"](), seed=7)
replay = Replay(trace)
replay
"""


def test_in_jupyterlab_keys_step_the_replay_and_leave_the_notebook_alone(lab: Lab, trace: Trace, axe):
    lab.open_cells(PREPARE)
    assert lab.run_all() == []
    cell = lab.cell(0)
    cells = lab.cell_count()
    cell.locator(".eda-theatre").click()

    for key in ("ArrowRight", "ArrowRight", "a", "b", "d", "d", "ArrowLeft"):
        lab.page.keyboard.press(key)
    shown = visible_steps(trace)[0]
    expect(say(cell)).to_have_text(sentence(trace[shown]))  # type: ignore[arg-type]

    assert lab.cell_count() == cells
    assert lab.python("replay.step") == str(shown)
    lab.python("replay.goto(20)")
    expect(say(cell)).to_have_text(sentence(trace[20]))  # type: ignore[arg-type]
    assert axe(lab.page, ".eda-replay") == []
    stored = lab.outputs(0)[0]["data"]
    assert stored["text/plain"].startswith("<Replay of lost commit")
    assert stored["image/png"].startswith("iVBOR")
