"""Traces: what can be asked of them, and writing them by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from simulator import Link, Message, Node, Scenario, Trace, run
from simulator.vocabulary import BY_CODE, KINDS
from tests.actors import hard_work, talk
from tests.strategies import seeds, streams

SHOP = Scenario([Node("shop"), Node("orders")], [Link("shop", "orders")], name="by hand")
ORDER = Message(1, "OrderCreated", "order-1", {"items": [1, 2]}, (("trace", "t1"),), 0, 120)
WRITTEN = [
    (0.0, "created", "shop", ORDER, None, {}),
    (0.5, "sent", "shop", ORDER, 0, {"to": "orders", "attempt": 1}),
    (2.0, "delivered", "orders", ORDER, 1, {"source": "shop", "copy": 0}),
    (2.0, "paused", "orders", None, None, {"until": 7.5}),
]


def test_a_step_tells_its_fields_and_its_data():
    step = Trace.of(SHOP, WRITTEN)[1]

    assert (step.index, step.time, step.kind, step.node, step.cause) == (1, 0.5, "sent", "shop", 0)
    assert step.message is not None
    assert step.message.headers == (("trace", "t1"),)
    assert step.data == {"to": "orders", "attempt": 1}
    assert (step["to"], step["attempt"]) == ("orders", 1)


def test_a_trace_is_a_sequence_of_steps():
    trace = Trace.of(SHOP, WRITTEN)

    assert len(trace) == 4
    assert [step.index for step in trace] == [0, 1, 2, 3]
    assert trace[-1] == trace[3]
    assert trace[1:3] == [trace[1], trace[2]]
    assert trace[0] in trace
    assert trace.times == (0.0, 2.0)


def test_there_is_no_step_beyond_the_last():
    with pytest.raises(IndexError, match="There is no step 4; this trace has the steps 0 to 3"):
        Trace.of(SHOP, WRITTEN)[4]


def test_an_empty_trace_is_one_too():
    trace = Trace.of(SHOP, [])

    assert (len(trace), trace.times, list(trace)) == (0, (0.0, 0.0), [])


def test_select_narrows_by_kind_node_and_message():
    trace = run(hard_work())

    assert {step.kind for step in trace.select("sent", "processed")} == {"sent", "processed"}
    assert {step.node for step in trace.select(node="b")} == {"b"}
    assert [step.kind for step in trace.select(message=2)] == ["sent", "delivered", "processed"]
    assert [step.kind for step in trace.select("delivered", node=["a", "b"], message=2)] == ["delivered"]
    assert list(trace.select(node=[])) == []


def test_what_is_not_there_can_not_be_asked_for():
    trace = Trace.of(SHOP, WRITTEN)

    with pytest.raises(KeyError, match='no kind of step "delivred"; did you mean "delivered"'):
        trace.select("delivred").__next__()
    with pytest.raises(KeyError, match='no node "order"; did you mean "orders"'):
        list(trace.select(node="order"))
    with pytest.raises(KeyError, match="no message 2; this trace has the messages 1 to 1"):
        trace.message(2)
    with pytest.raises(KeyError, match='no node "shopp"; did you mean "shop"'):
        trace.node_index("shopp")


@settings(max_examples=30)
@given(streams(), seeds)
def test_rows_say_what_steps_say(scenario: Scenario, seed: int):
    trace = run(scenario, seed)

    told = [
        (row[0], row[1], BY_CODE[row[2]].name, trace.nodes[row[3]], row[4] or None, row[5] if row[5] >= 0 else None)
        for row in trace.rows()
    ]
    assert told == [
        (step.index, step.time, step.kind, step.node, step.message and step.message.id, step.cause) for step in trace
    ]
    some = ("sent", "processed", "lost")
    assert [row[0] for row in trace.rows(*some)] == [step.index for step in trace.select(*some)]
    assert [row[0] for row in trace.rows(*some)] == [step.index for step in trace if step.kind in some]


def test_equal_traces_are_equal_and_have_one_digest():
    one, same, other_seed = run(talk(), 1), run(talk(), 1), run(talk(), 2)

    assert one == same
    assert hash(one) == hash(same)
    assert one.digest == same.digest
    assert one != other_seed
    assert one != "a trace"


@pytest.mark.parametrize(
    "changed",
    [
        [*WRITTEN[:2], (2.5, *WRITTEN[2][1:]), (2.5, *WRITTEN[3][1:])],
        [*WRITTEN[:3], (2.0, "paused", "orders", None, None, {"until": 7.25})],
        [*WRITTEN[:3], (2.0, "paused", "orders", None, 2, {"until": 7.5})],
        WRITTEN[:3],
        [(time, kind, node, message and message._replace(payload={"items": [1, 3]}), cause, data)
         for time, kind, node, message, cause, data in WRITTEN],
        [(time, kind, node, message and message._replace(headers=()), cause, data)
         for time, kind, node, message, cause, data in WRITTEN],
    ],
)  # fmt: skip
def test_any_difference_makes_another_digest(changed: Any):
    assert Trace.of(SHOP, changed).digest != Trace.of(SHOP, WRITTEN).digest


def test_a_trace_tells_what_it_is_of():
    assert repr(run(talk().but(name="small talk"), 3)) == (
        "<Trace of small talk: 8 steps, 31 ms, seed 3. It ran to the end of its duration.>"
    )


def test_a_trace_by_hand_is_immutable_whatever_was_given():
    trace = Trace.of(SHOP, WRITTEN)

    payload = trace.message(1).payload
    assert payload == {"items": (1, 2)}
    with pytest.raises(TypeError):
        payload["items"] = ()
    assert trace.buffers[0].readonly
    assert trace.buffers[1].readonly


def wrong(place: int, **changes: Any) -> list[Any]:
    names = ("time", "kind", "node", "message", "cause", "data")
    step = dict(zip(names, WRITTEN[place], strict=True)) | changes
    return [*WRITTEN[:place], tuple(step[name] for name in names), *WRITTEN[place + 1 :]]


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (wrong(1, kind="snt"), 'Step 1: there is no kind of step "snt"; did you mean "sent"'),
        (wrong(1, node="shp"), 'Step 1: there is no node "shp"; did you mean "shop"'),
        (wrong(1, cause=1), "Step 1: its cause 1 is not an earlier step"),
        (wrong(1, cause=-1), "Step 1: its cause -1 is not an earlier step"),
        (wrong(2, time=0.25), "Step 2: its time is 0.25; it must be at least 0.5"),
        (wrong(0, time=-1), "Step 0: its time is -1; it must be at least 0.0"),
        (wrong(3, time=float("nan")), "Step 3: its time is nan"),
        (wrong(1, data={"to": "orders"}), "A 'sent' step carries .'to', 'attempt'.; it was given .'to'."),
        (wrong(1, data={"to": "order", "attempt": 1}), 'names no node "order"; did you mean "orders"'),
        (wrong(2, message=ORDER._replace(kind="OrderPaid")), "Message 1 is given twice with different contents"),
        (wrong(0, message=ORDER._replace(id=3)), "without gaps; there is no message 2"),
        (wrong(3, data={"until": float("inf")}), "A step tells texts, finite numbers or None, not inf"),
    ],
)
def test_a_trace_by_hand_is_checked(steps: Any, sentence: str):
    with pytest.raises((ValueError, TypeError), match=sentence):
        Trace.of(SHOP, steps)


def test_every_kind_is_a_past_participle_with_a_doc_and_at_most_three_fields():
    for name, kind in KINDS.items():
        assert BY_CODE[kind.code] is kind
        assert name.endswith(("ed", "sent", "lost", "timed_out", "redriven", "shrunk", "begun", "reset", "bound"))
        assert kind.doc
        assert len(kind.fields) <= 3
