"""What a coordinator tells is replicated: when it crashes, another goes on from there."""

from __future__ import annotations

from typing import Any

from simulator import Crash, Cut, KafkaConsumer, KafkaProducer, Span
from tests.kafka import SWIFT_CLIENT, SWIFT_READER, swift

COORDINATOR = "broker-3"


def consumer(name: str, **settings: Any) -> KafkaConsumer:
    return KafkaConsumer(name, **({"group": "billing", "work": 5, "enable_auto_commit": False} | SWIFT_READER | settings))


def alone(start: float, end: float) -> list[Cut]:
    """The coordinator can't reach its followers for a while."""
    return [Cut(COORDINATOR, other, during=Span(start, end)) for other in ("broker-1", "broker-2")]


def test_members_are_told_their_partitions_when_these_are_replicated():
    trace = swift(KafkaProducer("shop", 20, count=20), consumer("a"), faults=alone(0, 5_000), duration=4_000)

    shared = next(trace.select("rebalanced")).time
    in_sync = next(step.time for step in trace.select("shrunk") if step["partition"] == "__consumer_offsets-0")
    assert shared < in_sync
    assert next(trace.select("assigned", node="a")).time > in_sync


def test_a_commit_is_confirmed_and_counts_when_it_is_replicated():
    trace = swift(KafkaProducer("shop", 100, count=8), consumer("a"), faults=alone(300, 5_000), duration=4_000)

    in_sync = max(step.time for step in trace.select("shrunk") if step["partition"] == "__consumer_offsets-0")
    meanwhile = [step for step in trace.select("committed") if 400 < step.time < in_sync]
    assert in_sync > 700
    assert meanwhile == []
    assert list(trace.select("committed"))[-1]["offset"] == 8


def test_a_static_member_s_new_id_outlives_the_coordinator_that_gave_it():
    static = [consumer(name, group_instance_id=f"till-{name}") for name in "ab"]
    faults = [Crash("b", at=1_000, restart_after=200), Crash(COORDINATOR, at=1_800)]

    trace = swift(KafkaProducer("shop", 20, count=100), *static, faults=faults, duration=6_000)

    assert list(trace.select("failed")) == []
    assert len(list(trace.select("rebalanced"))) == 1
    assert {step.message.key for step in trace.select("processed")} == {f"order-{n}" for n in range(1, 101)}


def test_a_partition_is_part_of_a_transaction_when_that_is_replicated():
    """The producer asks again and again while the first answer waits for the followers: it is told to wait."""
    shop = KafkaProducer("shop", 20, count=5, transactional_id="shop", delivery_timeout_ms=5_000, **SWIFT_CLIENT)

    trace = swift(shop, faults=alone(15, 1_000), duration=5_000)

    in_sync = max(
        step.time
        for step in trace.select("shrunk", "advanced")
        if step["partition"] == "__transaction_state-0" and step.time < 1_500
    )
    assert min(step.time for step in trace.select("appended") if step["partition"].startswith("orders")) > 500
    assert in_sync > 500
    assert [step["outcome"] for step in trace.select("concluded")] == ["commit"]


def test_a_coordinator_that_was_replaced_without_knowing_confirms_nothing_more():
    """Its controller and its followers are out of its reach; its clients are not."""
    cut = [Cut(COORDINATOR, other, during=Span(500, 3_000)) for other in ("controller", "broker-1", "broker-2")]

    trace = swift(KafkaProducer("shop", 20, count=150), consumer("a"), faults=cut, duration=6_000)

    by = {step.node: [each.time for each in trace.select("committed", node=step.node)] for step in trace.select("committed")}
    assert set(by) == {COORDINATOR, "broker-1"}
    assert max(by[COORDINATOR]) < min(by["broker-1"])
    assert {step.message.key for step in trace.select("processed")} == {f"order-{n}" for n in range(1, 151)}
