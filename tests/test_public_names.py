"""What a reader of the README types."""

from __future__ import annotations

import attrs
import pytest

import simulator
from simulator import Consumer, Drop, Link, Message, Producer, Scenario, Topic, run
from simulator.reading import checks, measures
from simulator.views import Replay


def test_the_example_runs_as_it_stands():
    lost_commit = Scenario(
        nodes=[Producer("shop", every=100), Topic("orders", partitions=2), Consumer("billing", work=30)],
        links=[Link("shop", "orders"), Link("orders", "billing")],
        faults=[Drop("billing", "orders", kind="commit", nth=2)],
        duration=2_000,
    )
    trace = run(lost_commit, seed=7)

    repeated = measures.duplicates(trace, "billing")
    verdict = checks.processed_once(trace, "billing")
    replay = Replay(trace)

    assert repeated == []
    assert verdict.holds
    assert verdict.sentence
    assert isinstance(verdict.evidence, tuple)
    assert replay is not None
    assert len(list(trace.select("created"))) == 20
    assert [(step.message.kind, step["reason"]) for step in trace.select("lost")] == [("commit", "Drop")]


def test_every_public_name_is_there_and_explained():
    for name in simulator.__all__:
        public = getattr(simulator, name)
        assert public.__doc__, name


def test_the_values_are_immutable():
    for value in (Producer("shop"), Link("a", "b"), Drop("a", "b")):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            value.source = value.name = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Message(1, "note").kind = "other"  # type: ignore[misc]
