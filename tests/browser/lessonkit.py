"""What the tests of the lessons do as a learner does: open a notebook, find a cell, predict."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.labkit import Lab

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
FRESH = "import os, tempfile; os.environ['EVENT_DRIVEN_LAB_DATA'] = tempfile.mkdtemp()"
WIDGETS = ".jp-OutputArea-output .eda"
FITS = "selector => [...document.querySelectorAll(selector)].every(node => node.scrollWidth <= node.clientWidth + 1)"
TWICE = """(nodes, name) => nodes.map(node => node[name]).filter((found, at, all) => all.indexOf(found) < at)"""
EVERY_CELL = 30_000
"""Pixels: in a window as tall as this JupyterLab draws every cell, so that axe and the measuring see them all."""


def opened(lab: Lab, notebook: Path, limit_ms: int = 60_000) -> list[str]:
    """Open a lesson as one who has not answered anything yet, and run it all; the errors."""
    lab.open(notebook)
    lab.python(FRESH)
    return lab.run_all(limit_ms)


def fits(lab: Lab, axe, width: int) -> None:
    """All widgets of the open notebook are usable in a window of this width."""
    lab.page.set_viewport_size({"width": width, "height": EVERY_CELL})
    expect(lab.page.locator(WIDGETS).last).to_be_visible()
    assert axe(lab.page, WIDGETS) == []
    assert lab.page.locator(f"{WIDGETS} [id]").evaluate_all(TWICE, "id") == []
    # A replay finds its new layout a moment after the window has changed.
    lab.page.wait_for_function(FITS, arg=WIDGETS)


def cell(lab: Lab, notebook: Path, source: str) -> Locator:
    """The only cell with this in its source."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    (found,) = [
        place for place, each in enumerate(cells) if each["cell_type"] == "code" and source in "".join(each["source"])
    ]
    return lab.cell(found)


def predict(card: Locator, choice: str) -> None:
    """Save a prediction."""
    card.get_by_label(choice).check()
    card.get_by_label("fairly sure", exact=True).check()
    card.get_by_role("button", name="Save my prediction and run").click()
