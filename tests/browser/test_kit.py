"""The kit itself: that a clean result means a clean page, and that a bad page is caught."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

WIDGET = """
function render({model, el}) {
  const button = document.createElement('button');
  const show = () => { button.textContent = `pressed ${model.get('count')} times`; };
  button.addEventListener('click', () => {
    model.set('count', model.get('count') + 1);
    model.save_changes();
  });
  model.on('change:count', show);
  show();
  el.append(button);
}
export default {render};
"""

CELL = f"""
import anywidget, traitlets
class Counter(anywidget.AnyWidget):
    _esm = {WIDGET!r}
    count = traitlets.Int(0).tag(sync=True)
counter = Counter()
counter
"""


def test_jupyterlab_shows_a_widget_and_its_clicks_reach_python(lab, axe):
    lab.open_cells(CELL)

    errors = lab.run_all()
    button = lab.cell(0).get_by_role("button", name="pressed 0 times")
    button.click()

    assert errors == []
    expect(lab.cell(0).get_by_role("button", name="pressed 1 times")).to_be_visible()
    assert lab.python("counter.count") == "1"
    assert axe(lab.page, ".jp-OutputArea-output") == []


def test_a_cell_that_raises_is_reported_with_its_number(lab):
    lab.open_cells("1 + 1", "1 / 0")

    errors = lab.run_all()

    assert errors == ["cell 1: ZeroDivisionError: division by zero"]


def test_a_bare_page_shows_a_widget_and_keeps_its_model(bare_page):
    bare_page.show(WIDGET, {"count": 2})

    bare_page.page.get_by_role("button", name="pressed 2 times").click()
    clicked = bare_page.get("count")
    bare_page.set("count", 9)

    assert (clicked, bare_page.saves()) == (3, 1)
    expect(bare_page.page.get_by_role("button")).to_have_text("pressed 9 times")


def test_axe_finds_a_button_without_a_name(bare_page, axe):
    bare_page.show("export default {render({el}) { el.innerHTML = '<button></button>'; }};", {})

    found = axe(bare_page.page, "#widget")

    assert [violation.split(":")[0] for violation in found] == ["button-name"]


def test_axe_refuses_a_selector_that_finds_nothing(bare_page, axe):
    bare_page.show(WIDGET, {"count": 0})

    with pytest.raises(Exception, match="No elements found"):
        axe(bare_page.page, ".no-such-widget")


def test_a_request_to_the_outside_is_noticed(bare_page):
    picture = "<img src=http://example.invalid/a.png>"
    bare_page.show(f"export default {{render({{el}}) {{ el.innerHTML = '{picture}'; }}}};", {})

    noticed = list(bare_page.outside)
    bare_page.outside.clear()

    assert noticed == ["http://example.invalid/a.png"]
