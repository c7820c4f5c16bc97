"""The brokers' lesson as a learner goes through it in a real JupyterLab: build bindings, mend a queue, compare three brokers."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lessonkit import NOTEBOOKS, WIDGETS, cell, fits, opened, predict

BROKERS = NOTEBOOKS / "05-message-brokers.ipynb"


@pytest.fixture
def lesson(lab):
    """The lesson, run from its first cell to its last."""
    assert opened(lab, BROKERS, 120_000) == []
    return lab


def test_all_cells_run_and_fit_a_wide_window_and_a_narrow_one(lesson, axe):
    for width in (1280, 700):
        fits(lesson, axe, width)


def test_a_binding_is_changed_and_its_queue_gets_other_messages(lesson, axe):
    here = cell(lesson, BROKERS, "05.led")
    predict(here, "All three")
    expect(here.get_by_role("status").first).to_contain_text("It did: Billing and the EU desk")
    expect(here.locator(".eda-say").first).to_contain_text("the exchange shop of rabbitmq routes order-1 to 1 queue.")

    pattern = here.get_by_label("What audit is bound by")
    pattern.fill("order.#")
    pattern.press("Enter")

    expect(here.locator(".eda-say").first).to_contain_text("routes order-1 to 2 queues.")
    expect(here.get_by_text("Every guarantee that this run can be held to holds.")).to_be_visible()
    assert axe(lesson.page, WIDGETS) == []


def test_the_replays_open_where_the_lesson_says(lesson):
    for question, step in (
        ("05.head-of-line", "billing-2 processed order-12."),
        ("05.redrive", "shovel moves order-2 back to rabbitmq."),
        ("05.visibility", "orders ignored the request to delete for order-2"),
        ("05.groups", "billing-1 crashed"),
        ("05.acks", "broker-1 crashed"),
        ("05.rebalance", "broker-1 calls the members of billing together (billing-3 joins)."),
        ("05.exactly-once", "invoicing crashed"),
    ):
        here = cell(lesson, BROKERS, question)
        here.get_by_role("button", name="Skip and run").click()

        # A cluster's replay takes a moment where other tests run beside this one.
        here.locator(".eda-say").first.wait_for()
        expect(here.locator(".eda-say").first).to_contain_text(step)


def test_a_queue_is_mended_by_changing_the_scenario(lesson):
    here = cell(lesson, BROKERS, "05.keep-moving")
    expect(here.get_by_role("status").first).to_have_text("Not yet: 3 of 5 hold.")
    expect(here.locator(".eda-say").first).to_contain_text("order-3 left the queue orders of rabbitmq: it was rejected.")

    solved = 'poison_message(requeue=False, dead_letter_exchange=True).but_node("shop", confirm=True, delivery_mode=2)'

    assert lesson.python(f'print(judge("05.keep-moving", {solved}).headline)').strip() == "Solved: all 5 hold."


def test_three_brokers_are_predicted_compared_and_chosen_from(lesson):
    here = cell(lesson, BROKERS, "05.careful")
    expect(here.get_by_role("table")).to_have_count(0)

    predict(here, "None of them")

    table = here.get_by_role("table")
    table.wait_for()
    expect(table.get_by_role("row", name="out of order")).to_contain_text("33")
    expect(here.get_by_role("status").first).to_contain_text("as you said")

    # Which of them one would take, with reasons, comes next.
    choice = cell(lesson, BROKERS, 'quiz("choosing")')
    for choose in ("Kafka, with the customer as the key", "RabbitMQ: exchanges for the way", "SQS, a standard queue with a"):
        choice.get_by_label(choose).check()
    choice.get_by_role("button", name="Submit").click()
    expect(choice.get_by_role("status")).to_contain_text("3 of 3 right.")
