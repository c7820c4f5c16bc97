"""What explore shows and tells, without a browser: the kernel's half of the widget."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from simulator import Link, Range, Scenario, Service, Span, run
from simulator.lab import Explore, explore
from tests.views.shop import shop


def ask(widget: Explore, number: int, **values: Any) -> None:
    """What the browser does when a control is moved."""
    shown = widget.shown
    widget.asked = {
        "number": number, "values": {**shown["values"], **values}, "seed": shown["seed"], "was": shown["was"],
    }  # fmt: skip


def test_it_begins_with_the_start_values_and_compares_the_run_with_itself():
    widget = explore(shop, seed=7, orders_per_second=5)

    assert widget.trace == run(shop(orders_per_second=5), seed=7)
    assert widget.values["orders_per_second"] == 5
    assert widget.scenario.name == "shop, event-driven"
    assert widget.shown["same"]
    assert {row["cells"][2] for row in widget.shown["table"]} <= {"0", "–"}


def test_a_change_in_the_browser_runs_the_scenario_again():
    widget = explore(shop, seed=7)

    ask(widget, 1, email_outage=[500, 3_000], idempotent=True)

    assert widget.values["email_outage"] == Span(500, 3_000)
    assert widget.trace == run(shop(email_outage=Span(500, 3_000), idempotent=True), seed=7)
    assert widget.shown["number"] == 1
    assert widget.shown["code"] == "run(shop(email_outage=Span(500, 3_000), idempotent=True), seed=7)"


def test_was_is_the_start_until_another_run_is_chosen():
    widget = explore(shop, seed=7, orders_per_second=5)
    ask(widget, 1, orders_per_second=40)
    made = next(row for row in widget.shown["table"] if row["name"] == "made by clients")
    before = made["cells"]

    shown = widget.shown
    widget.asked = {**widget.asked, "number": 2, "was": {"values": shown["values"], "seed": shown["seed"]}}

    after = next(row for row in widget.shown["table"] if row["name"] == "made by clients")["cells"]
    assert int(before[0]) < int(before[1])
    assert after[0] == after[1] == before[1]
    assert widget.shown["same"]


def test_set_from_python_changes_values_and_keeps_the_rest():
    widget = explore(shop, seed=7, retries=4)

    told = widget.set(orders_per_second=10, seed=8)

    assert told is widget
    assert (widget.values["orders_per_second"], widget.values["retries"], widget.seed) == (10, 4, 8)
    assert widget.comparison.divergence is not None


def test_reset_goes_back_to_the_start():
    widget = explore(shop, seed=7, orders_per_second=5)
    widget.set(orders_per_second=50, seed=9)

    widget.reset()

    assert (widget.values["orders_per_second"], widget.seed, widget.shown["same"]) == (5, 7, True)


def test_an_older_question_does_not_undo_a_newer_one():
    widget = explore(shop, seed=7)
    ask(widget, 5, orders_per_second=50)

    ask(widget, 4, orders_per_second=2)

    assert widget.values["orders_per_second"] == 50
    assert widget.shown["number"] == 5


def test_a_question_that_is_overtaken_while_it_runs_shows_nothing():
    slow_runs, newer_is_done = threading.Event(), threading.Event()

    def run_slowly(scenario: Scenario, seed: int) -> Any:
        if scenario.name == "shop, request-response":
            slow_runs.set()
            newer_is_done.wait(10)
        return run(scenario, seed)

    widget = Explore(shop, run=run_slowly, seed=7)
    older = threading.Thread(target=ask, args=(widget, 1), kwargs={"style": "request-response"})
    older.start()
    slow_runs.wait(10)

    ask(widget, 2, orders_per_second=33)
    newer_is_done.set()
    older.join()

    assert widget.values["style"] == "event-driven"
    assert widget.shown["values"]["orders_per_second"] == 33
    assert widget.trace.scenario.name == "shop, event-driven"


def test_what_a_scenario_refuses_is_told_and_the_last_run_stays():
    def narrow(workers: Range | int = 1) -> Scenario:
        return Scenario(nodes=[Service("a", workers=workers), Service("b")], links=[Link("a", "b")])

    narrow.__annotations__ = {"workers": int}
    widget = explore(narrow, workers=2)
    before = widget.trace

    ask(widget, 1, workers=0)

    assert "workers is 0" in widget.shown["complaint"]
    assert widget.shown["number"] == 1
    assert widget.trace is before


def test_a_start_value_that_a_parameter_cannot_take_is_refused():
    with pytest.raises(ValueError, match="orders_per_second is 1000; it must be a whole number from 1 to 100"):
        explore(shop, orders_per_second=1_000)


def test_an_unknown_tab_is_refused():
    with pytest.raises(ValueError, match="one of outcome, charts, replay"):
        explore(shop, tab="table")


def test_the_replay_is_only_sent_where_it_is_looked_at():
    widget = explore(shop, seed=7, orders_per_second=2)
    assert widget.replay == {}

    widget.wanted = {"replay": True, "at": None}
    first = widget.replay
    ask(widget, 1, orders_per_second=3)
    widget.wanted = {"replay": True, "at": None, "of": 1}

    assert first["of"] == 0
    assert len(first["data"]["time"]) == len(run(shop(orders_per_second=2), seed=7))
    assert widget.replay["of"] == 1


def test_of_a_long_run_the_replay_shows_the_part_around_a_step():
    widget = explore(shop, seed=7, seconds=20)
    assert len(widget.trace) > 5_000

    widget.wanted = {"replay": True, "at": 4_000}

    data = widget.replay["data"]
    assert data["first"] <= 4_000 < data["first"] + len(data["time"])
    assert "here are" in widget.replay["note"]


def test_the_replay_opens_at_the_step_that_is_asked_for():
    widget = explore(shop, seed=7, orders_per_second=2, tab="replay", at="processed")

    assert widget.step == next(widget.trace.select("processed")).index


def test_of_a_long_run_the_replay_shows_the_part_that_it_opens_at():
    widget = explore(shop, seed=7, seconds=20, tab="replay", at=lambda step: step.time > 15_000)

    data = widget.replay["data"]
    assert data["first"] <= widget.step < data["first"] + len(data["time"])


def test_what_the_replay_should_open_at_and_what_never_happens_leaves_it_at_the_beginning():
    assert explore(shop, seed=7, orders_per_second=2, tab="replay", at="open breaker").step == -1


def test_verdicts_come_with_the_steps_that_prove_them():
    widget = explore(shop, style="request-response", seed=7)

    broken = [verdict for verdict in widget.shown["verdicts"] if verdict["status"] == "broken"]

    assert broken
    for verdict in broken:
        for step in verdict["evidence"]:
            assert widget.trace[step["index"]].index == step["index"]
            assert step["sentence"].endswith(".")


def test_a_run_that_is_cut_short_says_so(monkeypatch):
    monkeypatch.setattr("simulator.lab.MOST_STEPS", 200)

    widget = explore(shop, seed=7)

    assert len(widget.trace) == 200
    assert "step budget" in widget.shown["complaint"]


def test_what_the_browser_gets_is_small_json():
    widget = explore(shop, seed=7, seconds=20)

    sent = json.dumps([widget.setup, widget.shown])

    assert len(sent) < 30_000


def test_a_stored_notebook_shows_a_picture_and_one_line():
    first, second = (explore(shop, seed=7)._repr_mimebundle_()[0] for _ in range(2))

    assert first["image/png"] == second["image/png"]
    assert first["text/plain"] == second["text/plain"] == repr(explore(shop, seed=7))
    assert "\n" not in first["text/plain"]
