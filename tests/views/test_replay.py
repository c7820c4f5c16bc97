"""The replay's data, its Python side, and what stands in for it where no widget can be."""

from __future__ import annotations

import base64
import json
import re

import pytest
import traitlets

from simulator import Consumer, Cut, Drop, Link, Producer, Scenario, Span, Topic, run
from simulator.reading import first, sentence
from simulator.reading.frames import Chip, frames
from simulator.scenarios import SCENARIOS
from simulator.trace import Trace
from simulator.views.animation import animated_svg
from simulator.views.page import write_page
from simulator.views.replay import Replay
from simulator.views.replay_data import MOST_STEPS, replay_data
from simulator.views.scene import Picture
from tests.reading.written import Shop
from tests.views.systems import hiding, replication


@pytest.fixture(scope="module")
def trace() -> Trace:
    return run(SCENARIOS["lost_commit"](), seed=7)


@pytest.fixture(scope="module")
def long_trace() -> Trace:
    scenario = Scenario(
        nodes=[Producer("shop", every=2), Topic("orders"), Consumer("billing", work=1)],
        links=[Link("shop", "orders"), Link("orders", "billing")],
        duration=2_000,
    )
    return run(scenario)


def state_in(data, step):
    """What the browser would hold at a step, by the same edits."""
    held: dict = {}
    for path, value in [*data["start"], *(edit for at in range(step + 1) for edit in forward(data["edits"][at]))]:
        node, field, entry = data["paths"][path]
        held[data["nodes"][node]["name"], field, entry] = data["values"][value]
    return {path: value for path, value in held.items() if value is not None}


def forward(edits):
    return zip(edits[::3], edits[2::3], strict=True)


def state_of(frame):
    return {
        (node, field, entry): list(value) if isinstance(value, Chip) else value
        for node, fields in frame.state.items()
        for field, held in fields.items()
        for entry, value in held.items()
    }


def test_the_edits_lead_the_browser_to_every_frame(trace):
    data = json.loads(json.dumps(replay_data(trace)))

    every = frames(trace)

    assert all(state_in(data, step) == state_of(every[step]) for step in range(len(trace)))


def test_a_part_begins_with_the_state_before_it(trace):
    data = json.loads(json.dumps(replay_data(trace, first=30, last=50)))

    every = frames(trace)

    assert (data["first"], len(data["time"]), data["before"]) == (30, 21, trace[29].time)
    assert state_in(data, -1) == state_of(every[29])
    assert state_in(data, 20) == state_of(every[50])


def test_a_cause_outside_the_part_is_none(trace):
    data = replay_data(trace, first=30)

    assert min(data["cause"]) == -1
    assert all(cause < step for step, cause in enumerate(data["cause"]))


def test_every_step_has_its_sentence(trace):
    assert replay_data(trace)["sentence"] == [sentence(step) for step in trace]


def test_every_flight_is_there_from_its_sending_to_its_end(trace):
    flown = replay_data(trace)["flights"]

    assert [(flight[4], flight[0]) for flight in flown] == [(step.index, step.message.id) for step in trace.select("sent")]
    for _, _, _, _, sent, end, left, arrives, _, lost in flown:
        assert left == trace[sent].time
        if end < len(trace):
            assert (trace[end].kind == "lost") == bool(lost)
            assert arrives == trace[end].time


def test_what_is_still_under_way_at_the_end_has_not_arrived():
    pen = Shop()
    pen.made(5, "order-1")

    (flight,) = replay_data(pen.trace())["flights"]

    assert (flight[4], flight[5]) == (1, 2)
    assert flight[7] > 5


def test_only_a_protocol_going_its_usual_way_is_quiet(trace):
    data = replay_data(trace)
    quiet = [trace[step] for step, each in enumerate(data["quiet"]) if each == "1"]
    lost = first(trace, "loss")

    assert {step.kind for step in quiet} == {"sent", "delivered"}
    assert {step.message.kind for step in quiet} <= {"ack", "fetch", "commit", "records", "offsets"}
    assert data["quiet"][lost.index] == data["quiet"][lost.cause] == "0"


def test_records_on_their_way_to_a_consumer_are_no_protocol(trace):
    data = replay_data(trace)
    looks = {number: data["looks"][look] for number, look, _, _ in data["messages"]}
    full = next(step for step in trace.select("sent") if step.message.kind == "records" and step.message.payload)

    assert looks[full.message.id] == "event"
    assert data["quiet"][full.index] == "0"


def test_what_a_queue_hands_out_or_gives_up_is_no_protocol():
    ran = run(hiding(), seed=1)
    data = replay_data(ran)

    seen = {step.message.kind for step in ran.select("sent") if data["quiet"][step.index] == "0"}
    hidden = {step.message.kind for step in ran.select("sent") if data["quiet"][step.index] == "1"}

    assert {"messages", "letter"} <= seen
    assert {"receive_message", "delete_message"} <= hidden


def test_a_cluster_s_chatter_is_hidden_until_it_is_asked_for():
    ran = run(replication(), seed=1)
    data = replay_data(ran)
    seen = [ran[step] for step, quiet in enumerate(data["quiet"]) if quiet == "0"]
    hidden = [ran[step] for step, quiet in enumerate(data["quiet"]) if quiet == "1"]

    assert len(seen) < len(ran) / 4
    assert {"produce", "records"} <= {step.message.kind for step in seen if step.kind == "sent"}
    assert {"broker_heartbeat", "replicate", "metadata", "group_heartbeat", "fetch"} <= {
        step.message.kind for step in hidden if step.kind == "sent"
    }
    assert {"crashed", "fenced", "shrunk", "promoted", "truncated", "replicated", "advanced"} <= {step.kind for step in seen}
    assert not [step for step in seen if str(step.data.get("partition", "")).startswith("__")]
    assert not [step for step in seen if step.time == 0]


def test_upkeep_that_a_broken_node_or_link_swallows_is_no_news_but_a_lost_batch_is():
    ran = run(replication(), seed=1)
    quiet = replay_data(ran)["quiet"]
    lost = {step.message.kind: quiet[step.index] for step in ran.select("lost")}

    assert lost["replicate"] == "1"
    assert lost["produce"] == "0"


def test_upkeep_that_a_fault_strikes_on_purpose_is_news():
    ran = run(replication().but(faults=[Drop("broker-1", "broker-2", kind="replicate", nth=3)]), seed=1)
    (dropped,) = [step for step in ran.select("lost") if step["reason"] == "Drop"]

    quiet = replay_data(ran)["quiet"]

    assert quiet[dropped.index] == quiet[dropped.cause] == "0"


def test_of_the_high_watermark_only_the_leader_s_is_told():
    ran = run(replication(), seed=1)
    quiet = replay_data(ran)["quiet"]
    orders = [step for step in ran.select("advanced") if step["partition"] == "orders-0" and step.time < 1_000]

    assert {step.node for step in orders if quiet[step.index] == "0"} == {"broker-1"}
    assert {step.node for step in orders if quiet[step.index] == "1"} == {"broker-2", "broker-3"}


def test_a_part_knows_who_led_before_it():
    ran = run(replication(), seed=1)
    begin = next(ran.select("truncated")).index

    whole, part = replay_data(ran)["quiet"], replay_data(ran, first=begin)["quiet"]

    assert part == whole[begin:]


def test_requests_and_replies_are_told_from_events():
    ran = run(SCENARIOS["three_orders"](), seed=7)
    data = replay_data(ran)
    looks = {ran.message(number).kind: data["looks"][look] for number, look, _, _ in data["messages"]}

    assert looks == {"PlaceOrder": "request", "ChargeCard": "request", "reply": "reply"}


def test_the_places_to_jump_to_are_the_firsts_in_order(trace):
    marks = dict(replay_data(trace)["marks"])

    assert marks["first duplicate"] == first(trace, "duplicate").index
    assert list(marks.values()) == sorted(marks.values())


def test_labels_are_numbers_where_all_keys_count_the_same_thing(trace):
    labels = {name: label for _, _, label, name in replay_data(trace)["messages"]}

    assert labels["OrderCreated order-2"] == "2"


def test_a_cut_is_told_with_its_time():
    scenario = SCENARIOS["lost_commit"]().but(faults=[Cut("orders", "billing", during=Span(10, 20))])

    data = replay_data(Trace.of(scenario, [(0.0, "crashed", "shop", None, None, {})]))

    assert data["cuts"] == [[1, 10, 20, 2]]


def test_a_focus_may_be_a_node_a_key_or_a_message(trace):
    order = next(step.message for step in trace.select("created") if step.message.key == "order-2")

    node, key, message = (replay_data(trace, focus=focus)["focus"] for focus in ("billing", "order-2", order.id))

    assert (node["nodes"], node["messages"]) == ([trace.node_index("billing")], None)
    assert order.id in key["messages"]
    assert set(message["messages"]) <= set(key["messages"])
    assert all(
        step.message.id in message["messages"] for step in trace.select("sent") if step.message.in_reply_to == order.id
    )


@pytest.mark.parametrize(
    ("focus", "told"),
    [("biling", 'did you mean "billing"?'), ("order-22", 'did you mean "order-2"?'), (999, "no message 999")],
)
def test_an_unknown_focus_is_refused_with_what_there_is(trace, focus, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        replay_data(trace, focus=focus)


def test_too_many_steps_are_refused_with_a_way_to_choose_a_part(long_trace):
    with pytest.raises(ValueError, match=rf"at most {MOST_STEPS:,}.*Replay\(trace, first=0, last={MOST_STEPS - 1}\)"):
        Replay(long_trace)

    assert len(Replay(long_trace, first=-100).data["time"]) == 100


def test_a_part_that_ends_before_it_begins_is_refused(trace):
    with pytest.raises(ValueError, match="begin at step 20 and end at step 10"):
        replay_data(trace, first=20, last=10)


def test_a_trace_without_steps_is_refused(trace):
    with pytest.raises(ValueError, match="no steps"):
        replay_data(Trace.of(trace.scenario, []))


def test_python_can_read_and_move_the_step(trace):
    replay = Replay(trace, at=5)
    seen = []
    replay.observe(lambda change: seen.append(change["new"]), "step")

    moved = replay.goto(12).goto(-1)

    assert moved is replay
    assert (replay.step, seen) == (-1, [12, -1])
    assert Replay(trace).step == -1


def test_a_step_that_is_not_in_the_replay_is_refused(trace, tmp_path):
    replay = Replay(trace, first=10, last=20)

    for wrong in (
        lambda: replay.goto(21),
        lambda: Replay(trace, at=len(trace)),
        lambda: Replay(trace, first=10, last=20, at=5),
        lambda: write_page(trace, tmp_path / "run.html", at=-2),
    ):
        with pytest.raises(ValueError, match="There is no step"):
            wrong()
    with pytest.raises(traitlets.TraitError, match="it has the steps 10 to 20"):
        replay.step = 8


def test_a_stored_notebook_has_a_picture_and_a_line_of_text(trace):
    bundle, _ = Replay(trace)._repr_mimebundle_()

    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == f"<Replay of lost commit: {len(trace)} steps, seed 7; on show: step -1>"
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_the_same_replay_has_the_same_picture(trace):
    pictures = {Replay(trace)._repr_mimebundle_()[0]["image/png"] for _ in range(2)}

    assert len(pictures) == 1


def test_the_picture_shows_the_step_that_was_asked_for(trace):
    asked = Replay(trace, at=20)._repr_mimebundle_()[0]["image/png"]
    other = Replay(trace, at=40)._repr_mimebundle_()[0]["image/png"]

    assert asked != other


def test_without_matplotlib_the_widget_still_shows(trace, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "simulator.views.still", None)

    bundle, _ = Replay(trace)._repr_mimebundle_()

    assert "image/png" not in bundle
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_still_draws_what_the_frame_holds(trace):
    data = json.loads(json.dumps(replay_data(trace)))
    step = first(trace, "duplicate").index

    marks = list(Picture(data).go(step).marks())

    assert "again" in {mark.text for mark in marks if mark.kind == "shape"}
    assert {"shop", "orders", "billing"} <= {mark.text for mark in marks if mark.kind == "text"}


def test_a_page_asks_nothing_of_the_network(trace, tmp_path):
    text = write_page(trace, tmp_path / "run.html").read_text(encoding="utf-8")

    assert "default-src 'none'" in text
    assert not re.findall(r'(?:src|href|url\()\s*=?\s*["\']?(?:https?:)?//', text)


def test_a_name_with_markup_in_it_does_not_break_the_page(trace, tmp_path):
    named = Trace.of(trace.scenario.but(name="</script><b>"), [(0.0, "crashed", "shop", None, None, {})])

    text = write_page(named, tmp_path / "run.html").read_text(encoding="utf-8")

    assert "</script><b>" not in text
    assert text.count("</script>") == 2


def test_an_animation_is_small_and_loops(trace, tmp_path):
    text = animated_svg(trace, tmp_path / "run.svg", last=first(trace, "duplicate").index).read_text(encoding="utf-8")

    assert len(text.encode()) < 150_000
    assert text.count("<svg") == 1
    assert 'repeatCount="indefinite"' in text
    assert "prefers-color-scheme:dark" in text


def test_the_times_of_an_animation_never_run_back(tmp_path):
    dropped = Scenario(
        nodes=[Producer("shop", count=3), Topic("orders"), Consumer("billing")],
        links=[Link("shop", "orders"), Link("orders", "billing")],
        faults=[Drop("shop", "orders", nth=2)],
        duration=600,
    )

    text = animated_svg(run(dropped), tmp_path / "run.svg").read_text(encoding="utf-8")

    for times in re.findall(r'keyTimes="([^"]*)"', text):
        numbers = [float(part) for part in times.split(";")]
        assert numbers == sorted(numbers)
        assert numbers[0] == 0
    for times, values in re.findall(r'keyTimes="([^"]*)" values="([^"]*)"', text):
        assert times.count(";") == values.count(";")
