"""Several runs in one table."""

import pytest

from simulator import run
from simulator.reading import alongside, outcome
from simulator.scenarios import one_order, three_orders

RUNS = {"one": run(one_order()), "three": run(three_orders()), "whole": run(three_orders(lost="nothing"))}


def test_each_run_has_a_column_with_its_own_outcome():
    table = alongside(RUNS)

    for name, trace in RUNS.items():
        assert {each.name: each.value for each in outcome(trace)} == {
            line.name: table[line.name][name] for line in table.lines if line.name in {each.name for each in outcome(trace)}
        }


def test_what_one_run_has_no_word_for_is_left_open():
    table = alongside({"whole": RUNS["whole"], "given up": run(three_orders(retries=0))})

    assert table["given up"] == {"whole": None, "given up": 1}


def test_one_table_minus_another_says_what_is_more():
    more = alongside({"run": RUNS["three"]}) - alongside({"run": RUNS["whole"]})

    assert more["processed twice"] == {"run": 1}
    assert "+1" in repr(more.only("processed twice"))


def test_a_word_that_is_in_no_line_is_refused_with_the_lines_there_are():
    with pytest.raises(KeyError, match="messages on the wire"):
        alongside(RUNS).only("kilometres")
    with pytest.raises(KeyError, match="messages on the wire"):
        alongside(RUNS)["kilometres"]


def test_the_table_is_text_with_aligned_columns_and_html():
    table = alongside(RUNS).only("made", "twice")

    assert repr(table) == (
        "measure          one  three  whole\nmade by clients    1      3      3\nprocessed twice    0      1      0"
    )
    assert table._repr_html_().startswith("<table>")
