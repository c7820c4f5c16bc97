"""The checker against the histories and findings of Jepsen's own for Kafka."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.reading.anomalies import Anomaly, find, unseen
from simulator.reading.histories import Operation, Poll, Send
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

FIXTURES = recorded("kafka_anomalies")["fixtures"]
fixtures = pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: str(fixture["name"]))


def part(said: list[Any]) -> Send | Poll:
    if said[0] == "poll":
        return Poll(tuple((key, tuple((offset, value) for offset, value in pairs)) for key, pairs in said[1].items()))
    _, key, value = said
    return Send(key, value[1], value[0]) if isinstance(value, list) else Send(key, value)


def told(fixture: dict[str, Any]) -> list[Operation]:
    return [
        Operation(
            each["process"],
            each["type"],
            each["f"],
            tuple(part(said) for said in each["value"] if isinstance(said, list)),
            tuple(said for said in each["value"] if not isinstance(said, list)),
            frozenset(each.get("rebalanced_keys", ())),
        )
        for each in fixture["history"]
    ]


def as_recorded(anomaly: Anomaly, history: list[Operation]) -> dict[str, Any]:
    """An anomaly with the fields that the recorded one of this name has."""
    by_name: dict[str, dict[str, Any]] = {
        "writer": {"writer": history[anomaly.operations[0]].process},
        "reader": {"reader": history[anomaly.operations[-1]].process},
        "value": {"value": anomaly.values[0]},
        "values": {"values": list(anomaly.values), "delta": anomaly.delta},
        "duplicate": {"count": len(anomaly.offsets), "offsets": list(anomaly.offsets)},
        "ranks": {"index": anomaly.indexes[:1], "max_read_index": anomaly.indexes[1:]},
    }
    wanted = {
        "G1a": ("writer", "reader", "value"),
        "lost-write": ("value", "ranks"),
        "duplicate": ("value", "duplicate"),
        "precommitted-read": ("value",),
    }.get(anomaly.name, ("values",))
    found: dict[str, Any] = {"key": anomaly.key}
    for name in wanted:
        found |= by_name[name]
    if anomaly.name == "lost-write":
        found |= dict(zip(("index", "max_read_index"), anomaly.indexes, strict=True))
    if "values" in wanted or anomaly.name == "precommitted-read":
        one = len(anomaly.operations) == 1
        found |= {"op": anomaly.operations[0]} if one else {"ops": list(anomaly.operations)}
    return found


@fixtures
def test_a_history_has_the_anomalies_that_jepsen_names(fixture: dict[str, Any]) -> None:
    history = told(fixture)

    found = find(history)

    recorded = {name: each for name, each in fixture["errors"].items() if name != "unseen"}
    assert sorted({each.name for each in found}) == sorted(fixture["expect"])
    assert {name: [as_recorded(each, history) for each in found if each.name == name] for name in recorded} == recorded


@fixtures
def test_a_clean_end_leaves_unseen_what_jepsen_calls_unseen(fixture: dict[str, Any]) -> None:
    if fixture["unseen"] is not None:
        assert [unseen(told(fixture))] == fixture["unseen"]
    elif not fixture["errors"]:
        assert unseen(told(fixture)) == {}
