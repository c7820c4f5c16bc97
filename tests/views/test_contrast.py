"""Two designs on one clock: what contrast runs, tells and sends, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import run
from simulator.lab import Contrast, contrast
from tests.views.shop import shop


def test_one_parameter_differs_and_everything_else_is_shared():
    widget = contrast(shop, vary="style", seed=7, orders_per_second=5)

    assert widget.left == run(shop("request-response", orders_per_second=5), seed=7)
    assert widget.right == run(shop("event-driven", orders_per_second=5), seed=7)
    assert "style" not in [each["name"] for each in widget.setup["controls"]]
    assert widget.setup["names"] == ["request-response", "event-driven"]
    assert widget.shown["code"] == 'contrast(shop, vary="style", seed=7, orders_per_second=5)'


def test_a_change_runs_both_again():
    widget = contrast(shop, vary="style", seed=7)
    shown = widget.shown

    widget.asked = {
        "number": 1, "values": {**shown["values"], "email_outage": None}, "seed": 7, "was": shown["was"],
    }  # fmt: skip

    assert (widget.left.scenario.faults, widget.right.scenario.faults) == ((), ())
    assert not [row for row in widget.shown["table"] if "down" in row["name"]]


def test_any_two_values_of_a_parameter_can_be_contrasted():
    widget = contrast(shop, vary="retries", between=(0, 5), style="request-response")

    assert widget.setup["names"] == ["retries 0", "retries 5"]
    assert widget.shown["code"] == 'contrast(shop, vary="retries", between=(0, 5), seed=0, style="request-response")'


def test_two_scenarios_are_run_as_they_are():
    one, other = shop(), shop(email_outage=None)

    widget = contrast(one, other, seed=3)

    assert widget.left == run(one, seed=3)
    assert widget.right == run(other, seed=3)
    assert widget.setup["controls"] == []
    assert widget.setup["names"] == ["left", "right"]


def test_two_traces_are_taken_as_they_are():
    one, other = run(shop("request-response"), seed=5), run(shop("event-driven"), seed=5)

    widget = contrast(one, other)

    assert (widget.left, widget.right, widget.seed) == (one, other, 5)
    assert widget.setup["names"] == ["shop, request-response", "shop, event-driven"]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({"vary": ""}, "Say by vary= in which parameter"),
        ({"vary": "stlye"}, 'did you mean "style"'),
        ({"vary": "retries"}, "between="),
        ({"vary": "retries", "between": (0, 50)}, "it must be a whole number from 0 to 5"),
    ],
)
def test_what_cannot_be_contrasted_is_refused_with_the_remedy(arguments: dict[str, Any], remedy: str):
    with pytest.raises(ValueError, match=remedy):
        contrast(shop, **arguments)


def test_a_scenario_alone_is_refused():
    with pytest.raises(ValueError, match="two scenarios or traces"):
        contrast(shop())


def test_the_table_names_the_better_one():
    widget = contrast(shop, vary="style", seed=7)

    rows = {row["name"]: row for row in widget.shown["table"]}

    assert rows["orders lost"]["cells"][2] == "event-driven"
    assert rows["must change to add a consumer"]["more"] == ["orders", "nobody"]
    assert widget.facts["orders lost"].winner == "right"


def replay_of(widget: Contrast, at: float) -> Any:
    widget.wanted = {"replay": True, "at": at}
    return widget.replay


def test_both_replays_cover_the_same_stretch_of_time():
    widget = contrast(shop, vary="style", seed=7, seconds=10)

    part = replay_of(widget, 0)

    assert part["from"] == 0
    assert part["to"] < 10_000
    for side, trace in zip(part["sides"], (widget.left, widget.right), strict=True):
        within = [step for step in trace if step.time <= part["to"]]
        assert len(side["time"]) == len(within)


@pytest.mark.parametrize("at", [0, 1, 2_500.5, 9_999, 10_000])
def test_the_part_that_is_sent_holds_the_moment_that_was_asked_for(at: float):
    widget = contrast(shop, vary="style", seed=7, seconds=10)

    part = replay_of(widget, at)

    assert part["from"] <= at <= part["to"]


def test_going_from_part_to_part_comes_to_the_end():
    widget = contrast(shop, vary="style", seed=7, seconds=10)
    at, parts = 0.0, 0

    while at < 10_000:
        part = replay_of(widget, at)
        assert part["to"] > at
        at, parts = part["to"] + 0.001, parts + 1

    assert parts < 12


def test_what_is_counted_ends_at_what_the_table_says():
    widget = contrast(shop, vary="style", seed=7)

    accepted, given_up, _ = widget.shown["tallies"][0]

    good = widget.facts["orders accepted"].said[0]
    assert good == f"{len(accepted['times'])} of {len(accepted['times']) + len(given_up['times'])}"


def test_a_stored_notebook_shows_a_picture_and_one_line():
    first, second = (contrast(shop, vary="style", seed=7)._repr_mimebundle_()[0] for _ in range(2))

    assert first["image/png"] == second["image/png"]
    assert first["text/plain"].startswith("<Contrast of request-response and event-driven, seed 7")
    assert "\n" not in first["text/plain"]
