"""Acks and in-sync replicas against what a real three-node Apache Kafka cluster answered and kept: decisions, and a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator import (
    Crash,
    KafkaBroker,
    KafkaConsumer,
    KafkaController,
    KafkaProducer,
    KafkaTopic,
    ListedKeys,
    Scenario,
    Trace,
    kafka_links,
    run,
)
from simulator.brokers.log.elections import Controller
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.replicas import Acks, Replica
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

RECORDED = recorded("kafka_scenarios")["K1"]["result"]
ACKS: dict[str, Acks] = {"0": 0, "1": 1, "-1": "all"}


def play(min_insync: int) -> dict[str, Any]:
    """Two replicas; a write with each acks; the follower is killed; the same; it returns; acks=all once more."""
    controller = Controller(("1", "2"))
    leader, follower = (Replica(name, ("1", "2"), min_insync_replicas=min_insync) for name in ("1", "2"))

    def spread() -> None:
        leader.learn(0, controller.state)
        follower.learn(0, controller.state)

    def fetch() -> None:
        follower.take(leader.answer(0, follower.request()))

    def write(value: str, acks: Acks, *, replicated: bool) -> str | None:
        try:
            offset = leader.append([value], acks)
        except Refused as refused:
            # Without acks the broker answers nothing, so the client can't know.
            return "OK" if acks == 0 else refused.error
        for _ in range(2 if replicated else 0):
            fetch()
        told = leader.outcome(offset, acks)
        return "OK" if told == "NONE" else told

    spread()
    both = {name: write("x", acks, replicated=True) for name, acks in ACKS.items()}
    controller.fence("2")
    spread()
    alone = {name: write("y", acks, replicated=False) for name, acks in ACKS.items()}
    kept = [[offset, entry.record] for offset, entry in enumerate(leader.read(0))]
    readable = leader.high_watermark
    controller.unfence("2")
    spread()
    for _ in range(2):
        fetch()
    state, wanted = controller.state, leader.expand("2")
    assert wanted is not None
    controller.change_in_sync("1", state.leader_epoch, state.partition_epoch, wanted)
    spread()
    return {"isr2": both, "isr1": alone, "log": kept, "end": readable, "rejoined": write("z", "all", replicated=True)}


CRASH, RETURN, END = 21_000, 50_000, 75_000


def record_run(min_insync: int) -> Trace:
    """The same with nodes: a producer for each acks writes x before, y during and z after the follower is down."""
    producers = [
        KafkaProducer(
            f"acks={name}",
            20_000,
            topic="t",
            acks=acks,
            count=3,
            retries=0,
            enable_idempotence=False,
            keys=ListedKeys(["x", "y", "z"]),
        )
        for name, acks in ACKS.items()
    ]
    nodes = [
        KafkaController("controller", [KafkaTopic("t", replication_factor=2, min_insync_replicas=min_insync)]),
        KafkaBroker("1"),
        KafkaBroker("2"),
        *producers,
        KafkaConsumer("reader", topics="t", auto_offset_reset="earliest"),
    ]
    crash = Crash("2", at=CRASH, restart_after=RETURN - CRASH)
    return run(Scenario(nodes, kafka_links(nodes), [crash], duration=END))


def told_by(trace: Trace) -> dict[str, Any]:
    """As `play`, from a trace."""

    def answers(key: str) -> dict[str, str]:
        # Without acks the client is told nothing, and takes it for done.
        found = {"0": "OK"}
        for step in trace.select("acknowledged"):
            if step.message is not None and step.message.key == key:
                found[step.node.partition("=")[2]] = "OK"
        refused = {step.index: step["reason"] for step in trace.select("failed")}
        for step in trace.select("abandoned"):
            if step.message is not None and step.message.key == key:
                found[step.node.partition("=")[2]] = refused[step.cause]
        return found

    appended = (step for step in trace.select("appended", node="1") if step["partition"] == "t-0")
    kept = [[step["offset"], step.message.key] for step in appended if step.message is not None]
    readable = [step["offset"] + 1 for step in trace.select("fetched") if step.time < RETURN]
    return {
        "isr2": answers("x"),
        "isr1": answers("y"),
        "log": [entry for entry in kept if entry[1] != "z" and entry[0] < max(readable)],
        "end": max(readable),
        "rejoined": answers("z")["-1"],
    }


def played(min_insync: int) -> dict[str, Any]:
    return told_by(record_run(min_insync))


@pytest.mark.parametrize("by", [play, played], ids=["decisions", "nodes"])
@pytest.mark.parametrize("min_insync", [1, 2])
def test_writes_are_answered_and_kept_as_by_kafka(min_insync: int, by: Callable[[int], dict[str, Any]]) -> None:
    found = by(min_insync)

    name = f"minisr{min_insync}"
    assert found["isr2"] == RECORDED[f"{name}_isr2"]
    assert found["isr1"] == RECORDED[f"{name}_isr1"]
    assert found["log"] == RECORDED[f"{name}_log_after"]["records"]
    assert found["end"] == RECORDED[f"{name}_log_after"]["high_watermark_or_lso"]
    assert found["rejoined"] == RECORDED["minisr2_after_rejoin_acks_all"]


def test_a_crashed_follower_counts_for_seconds_and_a_returned_one_after_less_than_one() -> None:
    """How long exactly depends on settings of that cluster's which were not recorded."""
    trace = record_run(2)

    (shrunk,) = (step for step in trace.select("shrunk") if step["partition"] == "t-0")
    expanded = [step for step in trace.select("expanded") if step["partition"] == "t-0"][-1]
    for ours, theirs, least, most in (
        ((shrunk.time - CRASH) / 1_000, RECORDED["isr_shrink_seconds"], 1, 10),
        ((expanded.time - RETURN) / 1_000, RECORDED["isr_rejoin_seconds"], 0, 1),
    ):
        assert least < ours < most
        assert least < theirs < most
