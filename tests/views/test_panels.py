"""What nodes show of what they hold: everything inside its panel, and for every part that a step lights one that is drawn."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulator import Scenario, Trace, run
from simulator.reading.routes import routes
from simulator.views.marks import LIT, PASSED
from simulator.views.panel import CHIP_HEIGHT
from simulator.views.replay_data import replay_data
from simulator.views.scene import Picture
from tests.views.systems import groups, hiding, routing

SYSTEMS: list[Callable[[], Scenario]] = [routing, hiding, groups]


@pytest.fixture(scope="module")
def routed() -> Trace:
    return run(routing(), seed=1)


def texts(data, step: int) -> list[str]:
    return [mark.text for mark in Picture(data).go(step).marks() if mark.kind == "text" and mark.text]


def corners(kind: str, at: list[float]) -> list[tuple[float, float]]:
    if kind == "box":
        return [(at[0], at[1]), (at[0] + at[2], at[1] + at[3])]
    return list(zip(at[::2], at[1::2], strict=True)) if kind in {"line", "area"} else [(at[0], at[1])]


@pytest.mark.parametrize("system", SYSTEMS)
def test_everything_is_inside_its_panel(system):
    data = replay_data(run(system(), seed=1))

    for node in data["nodes"]:
        for kind, at, *_ in node["marks"]:
            assert all(0 <= x <= node["w"] and 0 <= y <= node["h"] for x, y in corners(kind, at)), (node["name"], kind, at)
        for row in node["rows"]:
            assert row["left"] >= 0
            assert row["x"] + row["slots"] * row["slot"] <= node["w"]
            assert row["y"] + CHIP_HEIGHT <= node["h"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_part_that_a_step_lights_is_drawn(system):
    data = replay_data(run(system(), seed=1))
    drawn = {(number, mark[7]) for number, node in enumerate(data["nodes"]) for mark in node["marks"]}

    for parts in data["lit"].values():
        for node, part, state, _ in parts:
            assert (node, part) in drawn
            assert state in {LIT, PASSED}


def test_a_routed_step_lights_what_its_message_fits_and_marks_what_it_does_not(routed):
    first, *_ = routed.select("routed")
    data = replay_data(routed)

    states = {
        part.split("|")[2] + part.split("|")[3]: state for _, part, state, _ in data["lit"][str(first.index)] if "|" in part
    }

    assert states == {
        "billingorder.*.paid": LIT,
        "emailorder.eu.#": LIT,
        "audit#.paid": LIT,
        "auditrefund.#": PASSED,
        "unrouted": PASSED,
    }
    assert "key order.eu.paid" in texts(data, first.index)
    assert "key order.eu.paid" not in texts(data, first.index - 1)


def test_a_readied_step_lights_only_the_way_to_its_queue(routed):
    ready = next(step for step in routed.select("readied") if step["queue"] == "email")

    lit = replay_data(routed)["lit"][str(ready.index)]

    assert [part for _, part, _, _ in lit] == ["way orders|queue|email|order.eu.#|{}"]


def test_a_dead_letter_lights_the_arrow_from_its_queue(routed):
    buried = next(index for index, route in routes(routed).items() if route.died_in)

    lit = replay_data(routed)["lit"][str(buried)]

    assert [routed.node_index("rabbit"), "dead billing", LIT, ""] in lit


def test_what_explains_a_step_stands_beside_its_sentence(routed):
    first, *_ = routed.select("routed")

    assert replay_data(routed)["notes"][str(first.index)] == f"{routes(routed)[first.index].words}."


def test_a_queue_shows_what_is_ready_and_at_which_consumer_the_rest_is(routed):
    given = next(step for step in routed.select("dispatched") if step["to"] == "billing-2")
    data = replay_data(routed)
    rabbit = data["nodes"][routed.node_index("rabbit")]
    rows = {row["label"]: row for row in rabbit["rows"] if row["among"][0] == "holder billing"}

    state = Picture(data).go(given.index)._state[routed.node_index("rabbit")]

    assert rows.keys() == {"billing-1", "billing-2"}
    assert (rows["billing-1"]["slots"], rows["billing-2"]["slots"]) == (2, 1)
    assert state["holder billing"][given["place"]] == "billing-2"
    assert {"prefetch 1", "prefetch 2", "prefetch ∞"} <= set(texts(data, given.index))


def test_a_message_that_came_back_looks_so(routed):
    requeued = next(iter(routed.select("requeued")))

    marks = list(Picture(replay_data(routed)).go(requeued.index).marks())

    assert "back" in {mark.text for mark in marks if mark.kind == "shape"}


def test_what_is_hidden_shows_how_often_it_was_handed_out_and_until_when():
    trace = run(hiding(), seed=1)
    again = next(step for step in trace.select("received") if step["count"] == 2)

    shown = texts(replay_data(trace), again.index)

    assert {"2×", f"{round(again.time) + 2_000:,}"} <= set(shown)


def test_a_queue_tells_where_its_messages_go_in_the_end():
    trace = run(hiding(), seed=1)

    shown = texts(replay_data(trace), 0)

    assert {"visibility_timeout 2 s", "after 2 receives → dead", "dead-letter queue of orders"} <= set(shown)


def test_a_message_that_comes_back_to_a_queue_looks_so_and_one_that_comes_late_does_not():
    trace = run(hiding(), seed=1)
    first, *_, last = trace.select("reappeared")
    data = replay_data(trace)

    looks = [{mark.text for mark in Picture(data).go(step.index).marks() if mark.kind == "shape"} for step in (first, last)]

    assert ["back" in each for each in looks] == [False, True]


def test_the_rest_of_a_group_is_blocked_while_one_of_it_is_in_flight():
    trace = run(groups(), seed=1)
    data = replay_data(trace)
    queue = trace.node_index("orders.fifo")
    received = next(step for step in trace.select("received") if step.message.key == "ann" and step["number"] > 1)

    picture = Picture(data).go(received.index)
    shapes = [mark.text for mark in picture.marks() if mark.kind == "shape"]

    assert [row["label"] for row in data["nodes"][queue]["rows"] if row["label"]] == ["ann", "bob", "cem"]
    assert shapes.count("blocked") == 2
    assert "blocked" in data["legend"]
    assert {"1 in flight:", "blocked", "free"} <= set(texts(data, received.index))


def test_events_of_one_key_are_told_apart():
    trace = run(groups(), seed=1)

    labels = {label for _, _, label, name in replay_data(trace)["messages"] if name == "OrderCreated ann"}

    assert labels == {"ann1", "ann2", "ann3", "ann4"}
