"""What a message may carry."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import BehaviourError, Link, Node, Scenario, run
from simulator.message import freeze, thaw
from tests.actors import Talker

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_thawing_gives_back_what_was_frozen(value: Any):
    assert thaw(freeze(value)) == value


def test_what_is_frozen_can_not_be_changed_any_more():
    items = [1]
    frozen = freeze({"items": items, "note": {"gift": True}})

    items.append(2)

    assert frozen == {"items": (1,), "note": {"gift": True}}
    with pytest.raises(TypeError):
        frozen["note"]["gift"] = False


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({1, 2}, "A payload holds what JSON can say .*, not set"),
        ([object], "not type"),
        ({"deep": [float("nan")]}, "JSON has no number nan"),
        ({1: "one"}, r"A payload's names must be text, as in JSON; these are \[1\]"),
    ],
)
def test_what_json_can_not_say_is_refused(value: Any, sentence: str):
    with pytest.raises(TypeError, match=sentence):
        freeze(value)


def test_a_behaviour_that_sends_what_json_can_not_say_is_told_its_own_line():
    class Smuggler(Node):
        def behave(self, sim: Any) -> None:
            sim.message("parcel", payload=object())

    with pytest.raises(BehaviourError, match=r'Smuggler\("b"\) failed .* of test_message.py: TypeError: A payload holds'):
        run(Scenario([Smuggler("b")]))


def test_ids_count_from_one_in_the_order_of_making():
    trace = run(Scenario([Talker("a", "b", (5, 1, 3)), Node("b")], [Link("a", "b")]))

    assert [(step.message.id, step.time) for step in trace.select("sent")] == [(1, 1), (2, 3), (3, 5)]
