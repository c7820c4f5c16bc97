"""Tables and stories as text and as HTML, and the lines of a comparison that one asks for."""

from __future__ import annotations

import pytest

from simulator import run
from simulator.reading import compare, journey
from simulator.reading.contrasted import contrasted
from simulator.reading.tables import as_html, as_text
from simulator.scenarios import one_order, three_orders


def test_columns_are_aligned_and_numbers_to_the_right():
    text = as_text([("measure", "now"), ("sent again", "2"), ("lost", "1,000")], numbers=(1,))

    assert text.splitlines() == ["measure       now", "sent again      2", "lost        1,000"]


def test_what_a_cell_says_is_never_read_as_html():
    shown = as_html([("<script>", "1 & 2")], heads=("name", "<b>"), title="a <i>")

    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "&lt;script&gt;" in shown
    assert "1 &amp; 2" in shown


def test_a_story_is_a_table_with_a_row_for_each_step_in_a_notebook():
    story = journey(run(one_order(), seed=1), "order-1")

    shown = story._repr_html_()

    assert shown.count("<tr>") == len(story) == 24
    assert all(sentence.replace("'", "&#x27;") in shown for sentence in story.sentences)


def test_a_comparison_is_a_table_in_a_notebook_with_the_words_of_its_text():
    table = compare(run(three_orders(lost="nothing"), seed=1), run(three_orders(), seed=1)).table

    shown = table._repr_html_()

    assert all(row.name in shown and row.name in repr(table) for row in table.rows)
    assert [row.name for row in table.only("sent", "lost").rows] == ["sent again", "lost"]


def test_of_a_contrast_the_lines_that_matter_can_be_picked():
    traces = [run(three_orders(lost=lost), seed=1) for lost in ("nothing", "the reply")]
    facts = contrasted(*traces, names=("well", "ill"))

    picked = facts.only("customer feels", "lost")

    assert [fact.name for fact in picked.facts] == [
        "latency the customer feels, p50", "latency the customer feels, p99", "orders lost",
    ]  # fmt: skip
    assert "well" in picked._repr_html_()
    with pytest.raises(KeyError, match='No line has "wealth" in its name; the lines are: latency'):
        facts.only("wealth")
