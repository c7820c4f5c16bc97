"""What is modelled and what is not, as a notebook shows it."""

from __future__ import annotations

import html

import pytest

from simulator.fidelity import SYSTEMS, fidelity_of
from simulator.views.fidelity import fidelity

brokers = pytest.mark.parametrize("broker", SYSTEMS)


@brokers
def test_every_mechanism_stands_in_each_form(broker):
    shown = fidelity(broker)

    for row in fidelity_of(broker).mechanisms:
        assert row.name in repr(shown)
        assert row.name in shown._repr_markdown_()
        assert f">{html.escape(row.name)}<br>" in shown._repr_html_()


def test_it_is_the_same_each_time():
    first, second = fidelity("kafka"), fidelity("kafka")

    assert first == second
    assert first._repr_html_() == second._repr_html_()


def test_areas_are_folded_and_one_alone_is_not():
    whole = fidelity("rabbitmq")
    one_area = whole.only("Exchanges and routing")

    assert whole._repr_html_().count("<details><summary>") == len(whole.system.areas())
    assert one_area._repr_html_().count("<details open><summary>") == 1


def test_rows_are_found_by_area_name_status_or_setting():
    queue = fidelity("sqs")

    assert [row.name for row in queue.only("VisibilityTimeout").system.mechanisms] == ["Visibility timeout"]
    assert {row.status for row in queue.only("left out").system.mechanisms} == {"left out"}
    assert {row.area for row in queue.only("fifo queues").system.mechanisms} == {"FIFO queues"}


def test_a_default_that_differs_here_is_told_beside_the_real_one():
    assert "durable (queue)</code> = false (here true)" in fidelity("rabbitmq")._repr_html_()


def test_a_word_that_is_in_no_row_is_refused_with_what_there_is():
    with pytest.raises(KeyError, match='No row of Amazon SQS has "partition" in it; the areas are: Standard queues'):
        fidelity("sqs").only("partition")


def test_an_unknown_broker_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match='There is no table of "kafak"; did you mean "kafka"'):
        fidelity("kafak")
