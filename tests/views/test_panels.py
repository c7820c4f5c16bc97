"""What nodes show of what they hold: everything inside its panel, and for every part that a step lights one that is drawn."""

from __future__ import annotations

import pytest

from simulator import Trace, run
from simulator.reading.routes import routes
from simulator.views.marks import LIT, PASSED, Mark
from simulator.views.panel import CHIP_HEIGHT
from simulator.views.replay_data import replay_data
from simulator.views.scene import Picture
from tests.views.systems import SYSTEMS, cleaning, groups, hiding, replication, routing, sharing, transactions


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
            assert row["x"] + row.get("slots", 0) * row.get("slot", 0) <= node["w"]
            assert row["y"] + CHIP_HEIGHT <= node["h"]
            assert row["left"] + row.get("width", 0) <= node["w"]


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
    rows = {row["label"]: row for row in rabbit["rows"] if row.get("among", [""])[0] == "holder billing"}

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


# A cluster's brokers.


@pytest.fixture(scope="module")
def replicated() -> Trace:
    return run(replication(), seed=1)


def marks_at(trace: Trace, step: int, node: str) -> list[Mark]:
    """What is drawn inside one node, but for lines and areas."""
    data = replay_data(trace)
    number = trace.node_index(node)
    left, top = data["layouts"][0]["at"][number]
    right, bottom = left + data["nodes"][number]["w"], top + data["nodes"][number]["h"]
    return [
        mark
        for mark in Picture(data).go(step).marks()
        if mark.kind in {"box", "text", "shape"} and left <= mark.at[0] <= right and top <= mark.at[1] <= bottom
    ]


def shown_at(trace: Trace, step: int, node: str) -> tuple[list[str], list[str]]:
    """The texts and the shapes inside one node."""
    inside = marks_at(trace, step, node)
    return [mark.text for mark in inside if mark.kind == "text"], [mark.text for mark in inside if mark.kind == "shape"]


def cells_at(trace: Trace, step: int, node: str) -> list[Mark]:
    """The boxes of the records inside one node."""
    return [mark for mark in marks_at(trace, step, node) if mark.kind == "box" and mark.colour == "event"]


def test_who_leads_is_told_by_a_shape_and_by_words(replicated):
    before = next(replicated.select("crashed")).index - 1

    leader, follower = (shown_at(replicated, before, name) for name in ("broker-1", "broker-2"))

    assert "leader, epoch 0" in leader[0]
    assert "leader" in leader[1]
    assert "follows broker-1, epoch 0" in follower[0]
    assert "leader" not in follower[1]


def test_what_is_not_below_the_high_watermark_is_an_outline_only(replicated):
    before = next(replicated.select("crashed")).index - 1

    leader, follower = (cells_at(replicated, before, name) for name in ("broker-1", "broker-2"))

    assert {"hw 2", "end 4"} <= set(shown_at(replicated, before, "broker-1")[0])
    assert ["dashed" in mark.style for mark in leader] == [mark.tint == 0 for mark in leader] == [False, False, True, True]
    # The follower has the second record, and does not know yet that it is committed.
    assert ["dashed" in mark.style for mark in follower] == [False, True]


def test_a_replica_that_is_fenced_or_out_of_sync_says_so(replicated):
    fenced = next(replicated.select("fenced")).index
    back = next(step for step in replicated.select("truncated")).index

    assert "fenced" in shown_at(replicated, fenced, "broker-1")[0]
    assert "in sync" in shown_at(replicated, fenced, "broker-2")[0]
    assert "out of sync" in shown_at(replicated, back, "broker-1")[0]
    assert "in sync" in shown_at(replicated, len(replicated) - 1, "broker-1")[0]


def test_all_replicas_of_a_partition_show_the_same_offsets_in_the_same_places(replicated):
    cut = next(replicated.select("truncated")).index

    offsets = [
        [(mark.at[0], mark.text) for mark in marks_at(replicated, cut, name) if mark.kind == "text" and mark.at[2] == 8.5]
        for name in ("broker-1", "broker-2", "broker-3")
    ]

    assert "end 2" in shown_at(replicated, cut, "broker-1")[0]
    assert offsets[0] == offsets[1] == offsets[2]
    assert len(offsets[0]) > 2


def test_the_controller_has_a_table_of_who_leads_and_who_is_in_sync(replicated):
    shrunk = next(step for step in replicated.select("shrunk") if step["partition"] == "orders-0").index

    texts, _ = shown_at(replicated, shrunk, "controller")

    assert {"orders-0", "broker-2", "1", "broker-2 broker-3", "broker-1: its session timed out"} <= set(texts)


def test_the_cluster_s_own_books_are_no_logs_in_the_picture(replicated):
    data = replay_data(replicated)

    assert not [field for _, field, _ in data["paths"] if field.startswith("log __")]
    assert "__" not in "".join(row["label"] for node in data["nodes"] for row in node["rows"])


def test_what_a_transaction_wrote_waits_for_its_marker(replicated):
    trace = run(transactions(), seed=1)
    first, second, _ = trace.select("marked", node="broker-1")

    open_one, ended, aborted = (
        shown_at(trace, step, "broker-1")[1] for step in (first.index - 1, first.index, second.index)
    )

    assert open_one.count("waiting") == 2
    assert "waiting" not in ended
    assert aborted.count("refused") == 3
    assert {"C", "A"} <= set(shown_at(trace, second.index, "broker-1")[0])


def test_a_coordinator_tells_where_its_transactions_stand():
    trace = run(transactions(), seed=1)
    decided = next(trace.select("decided"))

    assert "shop: PrepareCommit" in shown_at(trace, decided.index, decided.node)[0]


def test_places_that_were_trimmed_or_cleaned_out_have_shapes_of_their_own():
    trace = run(cleaning(), seed=1)
    data = replay_data(trace)

    shapes = shown_at(trace, len(trace) - 1, "broker-1")[1]

    assert {"trimmed", "compacted"} <= set(shapes)
    assert {"trimmed", "compacted"} <= set(data["legend"])


def test_a_group_s_coordinator_shows_generation_members_and_what_each_reads():
    trace = run(sharing(), seed=1)
    assigned = [step for step in trace.select("assigned") if step.time > 1_500][-1]
    coordinator = next(trace.select("rebalanced")).node

    texts, _ = shown_at(trace, assigned.index, coordinator)

    generation = [step for step in trace.select("rebalanced") if step.index < assigned.index][-1]["generation"]
    assert f"generation {generation},  Stable" in texts
    assert {"group billing", "billing-1", "billing-2", "billing-3", "reads nothing"} <= set(texts)
    assert any(assigned["partition"] in text.split() for text in texts)


def test_only_its_coordinator_shows_a_group():
    trace = run(sharing(), seed=1)
    coordinator = next(trace.select("rebalanced")).node

    shown = {
        name: "group billing" in shown_at(trace, len(trace) - 1, name)[0] for name in ("broker-1", "broker-2", "broker-3")
    }

    assert [name for name, there in shown.items() if there] == [coordinator]
