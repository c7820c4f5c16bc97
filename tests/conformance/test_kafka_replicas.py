"""Acks and in-sync replicas against what a real three-node Apache Kafka cluster answered and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.brokers.log.elections import Controller
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.replicas import Acks, Replica

pytestmark = pytest.mark.conformance

RECORDED = json.loads((Path(__file__).parent / "data" / "kafka_scenarios.json").read_text())["K1"]["result"]
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


@pytest.mark.parametrize("min_insync", [1, 2])
def test_writes_are_answered_and_kept_as_by_kafka(min_insync: int) -> None:
    found = play(min_insync)

    name = f"minisr{min_insync}"
    assert found["isr2"] == RECORDED[f"{name}_isr2"]
    assert found["isr1"] == RECORDED[f"{name}_isr1"]
    assert found["log"] == RECORDED[f"{name}_log_after"]["records"]
    assert found["end"] == RECORDED[f"{name}_log_after"]["high_watermark_or_lso"]
    assert found["rejoined"] == RECORDED["minisr2_after_rejoin_acks_all"]
