"""Brokers that copy from each other over links, and what becomes of a write when one of them goes."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from simulator import Crash, Cut, Election, KafkaConsumer, KafkaProducer, Span, Trace
from tests.kafka import BROKERS, cluster

SHOP = KafkaProducer("shop", every=50, count=100, linger_ms=0, request_timeout_ms=1_000)
LATE_READER = KafkaConsumer("audit", work=0, start_at=40_000, auto_offset_reset="earliest", request_timeout_ms=2_000)
ALONE = [Cut("broker-1", other, during=Span(900, 1_500)) for other in ("broker-2", "broker-3")]
"""For a while nobody can copy from the leader."""


def keys(trace: Trace, kind: str) -> set[str]:
    return {str(step.message.key) for step in trace.select(kind)}


def leaders(trace: Trace) -> list[str]:
    """Who led the partition of orders, one after the other."""
    return [step["leader"] for step in trace.select("elected") if step["partition"] == "orders-0"]


def in_sync(trace: Trace, kind: str) -> list[float]:
    """When the third broker left (``shrunk``) or entered the in-sync set of orders."""
    return [step.time for step in trace.select(kind) if (step["partition"], step["replica"]) == ("orders-0", "broker-3")]


@pytest.mark.parametrize(("acks", "loses"), [(1, True), ("all", False)])
def test_a_leader_that_crashes_takes_with_it_what_only_it_had_which_acks_all_never_acknowledged(acks: Any, loses: bool):
    crash = Crash("broker-1", at=1_200, restart_after=20_000)

    trace = cluster(evolve(SHOP, acks=acks), LATE_READER, faults=[*ALONE, crash], duration=60_000)

    lost = keys(trace, "acknowledged") - keys(trace, "processed")
    assert leaders(trace)[:2] == ["broker-1", "broker-2"]
    assert (len(lost) > 0) == loses
    cut_off = [step["records"] for step in trace.select("truncated") if step["partition"] == "orders-0"]
    assert len(cut_off) == 1


def test_a_broker_that_cannot_fetch_leaves_the_in_sync_set_after_the_lag_time_and_returns_when_it_has_everything():
    cut = Cut("broker-1", "broker-3", during=Span(5_000, 60_000))

    trace = cluster(SHOP, evolve(SHOP, name="later", every=20_000, count=None), faults=[cut], duration=80_000)

    (out,), (back,) = in_sync(trace, "shrunk"), in_sync(trace, "expanded")
    assert 35_000 <= out <= 51_000
    assert 60_000 <= back <= 80_000


def test_a_broker_that_shuts_down_in_good_order_has_handed_over_before_it_stops_and_nothing_is_given_up():
    brokers = [evolve(BROKERS[0], shut_down_at=1_010), *BROKERS[1:]]

    trace = cluster(SHOP, LATE_READER, brokers=brokers, duration=60_000)

    (stopped,) = trace.select("stopped")
    took_over = [step.time for step in trace.select("elected") if step["leader"] == "broker-2"]
    assert stopped.node == "broker-1"
    assert took_over[0] <= stopped.time
    assert keys(trace, "processed") == keys(trace, "created") == keys(trace, "acknowledged")


def test_an_operator_gives_the_lead_back_to_the_preferred_leader():
    crash = Crash("broker-1", at=1_000, restart_after=15_000)

    trace = cluster(SHOP, faults=[crash], elections=[Election(25_000, "orders")], duration=40_000)

    assert leaders(trace) == ["broker-1", "broker-2", "broker-1"]
