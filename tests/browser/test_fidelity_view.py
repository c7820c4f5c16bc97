"""What is modelled and what is not, in a page: it can be read by everyone, and unfolded."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from simulator.fidelity import SYSTEMS
from simulator.views.fidelity import fidelity


@pytest.mark.parametrize("broker", SYSTEMS)
def test_it_is_accessible_folded_and_unfolded(bare_page, axe, broker):
    page = bare_page.page
    page.set_content(f"<html lang=en><title>Fidelity</title><main>{fidelity(broker)._repr_html_()}</main></html>")

    folded = axe(page, "main")
    for summary in page.locator("summary").all():
        summary.click()

    assert folded == []
    assert axe(page, "main") == []


def test_an_area_unfolds_to_what_its_rows_mean(bare_page):
    page = bare_page.page
    page.set_content(f"<html lang=en><title>Fidelity</title><main>{fidelity('sqs')._repr_html_()}</main></html>")
    meaning = page.get_by_text("A received message is hidden")
    expect(meaning).to_be_hidden()

    page.locator("summary", has_text="A message's life").click()

    expect(meaning).to_be_visible()
    expect(page.get_by_role("rowheader", name="Visibility timeout")).to_be_visible()
