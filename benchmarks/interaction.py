"""From input to new picture in a real JupyterLab: `python -m benchmarks.interaction`. Needs Chromium and playwright.

A slider of `explore` is moved as by a hand, again and again, with each tab in sight; the time runs from the input event to
the end of the first frame in which what that tab shows is of the new run. Run, verdicts, table and charts are in it, both ways
through the kernel's sockets too. Frames are watched meanwhile: whether one was blank, and whether the widget's height changed.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.browser.labkit import CHROMIUM_ARGUMENTS, HOW_TO_INSTALL, Lab, find_chromium, running_lab

HERE = Path(__file__).parents[1]

SCENARIOS = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from typing import Annotated
from simulator import Consumer, Link, Poisson, Producer, Range, Scenario, Topic
from simulator.lab import explore
from simulator.scenarios import checkout

def records(
    work: Annotated[int, Range(1, 100, unit="ms")] = 10,
    count: Annotated[int, Range(10, 10_000)] = 1_000,
) -> Scenario:
    return Scenario(
        nodes=[Producer("shop", Poisson(100), count=count), Topic("orders", partitions=3), Consumer("billing", work=work)],
        links=[Link("shop", "orders"), Link("orders", "billing")],
        duration=10_000,
    )
"""

CASES = [
    ("1,000 records through a topic", "explore(records, seed=7)", "Work"),
    ("checkout, 1,200 messages (the lesson's)", "explore(checkout, seed=7)", "Time a payment takes"),
    ("checkout, 1,000 orders", "explore(checkout, seed=7, orders_per_second=83)", "Time a payment takes"),
]

MEASURE = """async ([root, name, times]) => {
  const slider = [...root.querySelectorAll('input[type=range]')].find(input => input.labels[0]?.textContent === name);
  const code = root.querySelector('.eda-code');
  const taken = [];
  const heights = new Set();
  let blank = 0, frames = 0, watching = true;
  const look = () => {
    const panel = root.querySelector('[role=tabpanel]:not([hidden])');
    frames += 1;
    blank += !panel.textContent.trim();
    heights.add(root.offsetHeight);
    if (watching) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  for (let at = 0; at < times; at += 1) {
    const before = code.textContent;
    const begin = performance.now();
    slider.value = Number(slider.min) + 5 + (at * 37) % 60;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    while (code.textContent === before && performance.now() - begin < 5000) await new Promise(requestAnimationFrame);
    // What a frame's callback finds changed is painted in this same frame; the next task runs after it.
    await new Promise(next => setTimeout(next));
    taken.push(performance.now() - begin);
    await new Promise(next => setTimeout(next, 120));
  }
  watching = false;
  return {taken, blank, frames, heights: heights.size};
}"""


def measure(lab: Lab, page: Page, code: str, slider: str, tab: str, times: int) -> dict[str, Any]:
    """Move the slider so many times with this tab in sight."""
    root = lab.cell(1).locator(".eda-lab")
    root.locator(f"[data-tab={tab}]").click()
    page.wait_for_timeout(500)
    found: dict[str, Any] = page.evaluate(MEASURE, [root.element_handle(), slider, times])
    return found


def main() -> None:
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit(HOW_TO_INSTALL)
    folders = [Path(tempfile.mkdtemp()) for _ in range(2)]
    with sync_playwright() as playwright, running_lab(*folders) as server:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(30_000)
        lab = Lab(page, server)
        lab.start()
        print(f"{'ms from input to new picture':42}{'tab':10}{'median':>8}{'p90':>8}{'frames':>8}{'blank':>7}{'heights':>9}")
        for number, (name, code, slider) in enumerate(CASES):
            lab.open_cells(SCENARIOS, f"e = {code}\ne", name=f"bench-{number}.ipynb")
            errors = lab.run_all()
            if errors:
                raise SystemExit("\n".join(errors))
            lab.cell(1).locator(".eda-lab").wait_for()
            for tab in ("outcome", "charts", "replay"):
                measure(lab, page, code, slider, tab, 3)
                found = measure(lab, page, code, slider, tab, 30)
                p90 = sorted(found["taken"])[int(len(found["taken"]) * 0.9)]
                median = statistics.median(found["taken"])
                watched = f"{found['frames']:8}{found['blank']:7}{found['heights']:9}"
                print(f"{name:42}{tab:10}{median:8.0f}{p90:8.0f}{watched}", flush=True)
            print(" " * 4 + lab.python("f'{len(e.trace):,} steps, {e.trace.messages:,} messages'"))
        browser.close()


if __name__ == "__main__":
    main()
