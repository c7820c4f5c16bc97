"""What a broker coordinates is in replicated logs: when it crashes, another goes on from there."""

from __future__ import annotations

from collections import Counter

from simulator import Crash, Drop, KafkaConsumer, KafkaProducer, Trace
from tests.kafka import cluster

COORDINATOR = "broker-3"


def coordinators(trace: Trace, kind: str) -> set[str]:
    """The brokers that took such a step."""
    return {step.node for step in trace.select(kind)}


def test_a_group_goes_on_at_the_new_coordinator_where_it_committed_at_the_old_one():
    def billing(name: str, start_at: float, close_at: float | None = None) -> KafkaConsumer:
        return KafkaConsumer(
            name, group="billing", work=10, start_at=start_at, close_at=close_at, enable_auto_commit=False,
            auto_offset_reset="earliest", request_timeout_ms=2_000,
        )  # fmt: skip

    trace = cluster(
        KafkaProducer("shop", every=100, count=100),
        billing("first", 0, close_at=7_000),
        billing("second", 20_000),
        faults=[Crash(COORDINATOR, at=8_000)],
        duration=60_000,
    )

    assert coordinators(trace, "committed") == {COORDINATOR, "broker-1"}
    assert Counter(step.message.key for step in trace.select("processed")) == {f"order-{n}": 1 for n in range(1, 101)}


def test_what_the_old_coordinator_decided_of_a_transaction_the_new_one_carries_out():
    shop = KafkaProducer("shop", every=100, count=5, transactional_id="shop", request_timeout_ms=2_000)
    no_markers = Drop(COORDINATOR, "broker-1", kind="write_marker")

    trace = cluster(shop, faults=[no_markers, Crash(COORDINATOR, at=2_000)], duration=60_000)

    assert coordinators(trace, "decided") == {COORDINATOR}
    assert coordinators(trace, "concluded") == {"broker-1"}
    assert [(step["partition"], step["outcome"]) for step in trace.select("marked")] == [("orders-0", "commit")]
