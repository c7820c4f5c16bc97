"""Who is in sync, and what producers are told for it, in clusters that run."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from simulator import Crash, Cut, Drop, KafkaConsumer, KafkaProducer, KafkaTopic, Span, Trace
from tests.kafka import Logs, leaders, swift

SHOP = KafkaProducer("shop", every=20, count=100, linger_ms=0, request_timeout_ms=300, retry_backoff_ms=20)
ORDERS = KafkaTopic("orders", replication_factor=3, min_insync_replicas=2)
READER = KafkaConsumer("audit", work=0, auto_offset_reset="earliest", request_timeout_ms=300, fetch_max_wait_ms=100)
AWAY = Span(310, 1_500)


def away(broker: str, *others: str, during: Span = AWAY) -> list[Cut]:
    return [Cut(other, broker, during=during) for other in others]


def changes(trace: Trace, kind: str, replica: str = "broker-3") -> list[tuple[float, str]]:
    """When a replica left (``shrunk``) or entered the in-sync set of orders, and who was in it then."""
    return [
        (step.time, step["isr"])
        for step in trace.select(kind)
        if (step["partition"], step["replica"]) == ("orders-0", replica) and step.time > 0
    ]


def test_a_follower_that_cannot_fetch_leaves_the_set_at_the_next_look_after_the_lag_time_and_returns_with_all():
    trace = swift(SHOP, topics=[ORDERS], faults=away("broker-3", "broker-1"), duration=3_000)

    ((out, left),), ((back, whole),) = changes(trace, "shrunk"), changes(trace, "expanded")
    # It fetched last at 309 ms; the leader looks every 250 ms.
    assert (out, left) == (1_001.0, "broker-1 broker-2")
    assert (1_500 < back < 1_900, whole) == (True, "broker-1 broker-2 broker-3")


def test_a_request_that_is_held_back_keeps_nobody_in_the_set_who_has_gone_since():
    # The follower asks at 205 ms, is gone before the answer, and the next record comes at 420.
    trace = swift(
        evolve(SHOP, every=210, count=2),
        topics=[ORDERS],
        faults=away("broker-3", "broker-1", during=Span(250, 1_500)),
        duration=2_000,
    )

    assert changes(trace, "shrunk") == [(751.0, "broker-1 broker-2")]


@pytest.mark.parametrize(("acks", "stored"), [("all", False), (1, True), (0, True)])
def test_with_too_few_in_sync_acks_all_is_refused_and_anything_else_is_stored_and_not_read(acks: Any, stored: bool):
    gone = [Crash("broker-2", at=310, restart_after=1_500), Crash("broker-3", at=310, restart_after=1_500)]

    trace = swift(evolve(SHOP, acks=acks), READER, topics=[ORDERS], faults=gone, duration=4_000)

    in_between = Span(1_000, 1_800)
    refused = [step["reason"] for step in trace.select("rejected", node="broker-1") if step.time in in_between]
    appended = [step for step in trace.select("appended") if step.time in in_between and step["partition"] == "orders-0"]
    read = [step for step in trace.select("fetched") if step.time in in_between]
    assert set(refused) == (set() if stored else {"NOT_ENOUGH_REPLICAS"})
    assert (len(appended) > 0, len(read)) == (stored, 0)
    assert len(Logs(trace).of("orders-0")["broker-3"]) == 100
    assert len({step.message.id for step in trace.select("fetched") if step.message}) == 100


def test_nothing_is_read_that_not_all_in_sync_have():
    trace = swift(SHOP, READER, topics=[ORDERS], faults=away("broker-3", "broker-1"), duration=3_000)

    out = changes(trace, "shrunk")[0][0]
    read = [step.time for step in trace.select("fetched") if 320 < step.time < out]
    known = [step.time for step in trace.select("acknowledged") if 320 < step.time < out]
    assert (read, known) == ([], [])
    assert len(list(trace.select("acknowledged"))) == 100


def test_a_follower_that_is_fenced_is_not_asked_for_although_it_has_everything():
    cut = Cut("broker-3", "controller", during=AWAY)

    trace = swift(SHOP, topics=[ORDERS], faults=[cut], duration=3_000)

    asked = [step.time for step in trace.select("sent", node="broker-1") if step.message.kind == "alter_isr"]
    copied = [step for step in trace.select("replicated", node="broker-3") if step.time in Span(900, 1_500)]
    ((out, _),), ((back, _),) = changes(trace, "shrunk"), changes(trace, "expanded")
    assert (out, len(copied) > 0) == (801.0, True)
    assert all(at > 1_500 for at in asked)
    assert 1_500 < back < 1_800


def test_a_request_for_another_set_that_gets_lost_is_sent_again():
    lost = Drop("broker-1", "controller", kind="alter_isr", nth=1)

    trace = swift(SHOP, topics=[ORDERS], faults=[*away("broker-3", "broker-1"), lost], duration=3_000)

    assert changes(trace, "shrunk") == [(1_101.0, "broker-1 broker-2")]


def test_a_leader_that_was_not_told_of_the_larger_set_acknowledges_nothing_that_a_member_lacks():
    # broker-3 is back in the set, the leader hears nothing but that its request was out of date, and broker-3 is cut off again.
    before = away("broker-3", "broker-1")
    deaf = [
        Drop("controller", "broker-1", kind=kind, during=Span(1_500, 2_600)) for kind in ("leadership", "broker_heartbeat")
    ]
    no_answer = Drop("controller", "broker-1", kind="alter_isr", during=Span(1_500, 1_690))
    again = away("broker-3", "broker-1", "broker-2", during=Span(1_690, 2_600))
    both_go = [Crash("broker-1", at=2_300), Crash("broker-2", at=2_300)]

    trace = swift(
        evolve(SHOP, count=None), topics=[ORDERS], faults=[*before, *deaf, no_answer, *again, *both_go], duration=4_000
    )

    ((back, _),) = changes(trace, "expanded")
    refused = [step for step in trace.select("delivered", node="broker-1") if step.message.kind == "alter_isr"]
    assert back < 1_690 < refused[-1].time < 2_300
    assert leaders(trace)[-1] == "broker-3"
    kept = set(Logs(trace).of("orders-0")["broker-3"].values())
    assert {step.message.id for step in trace.select("acknowledged")} <= kept


def test_with_acks_0_nobody_answers_but_a_refusal_is_told_as_a_connection_would_be_closed():
    shop = evolve(SHOP, acks=0)

    quiet = swift(shop, topics=[ORDERS], duration=2_500)
    moved = swift(shop, topics=[ORDERS], faults=[Cut("broker-1", "controller", during=AWAY)], duration=2_500)

    def answers(trace: Trace) -> int:
        return sum(step.message.kind == "ack" for step in trace.select("sent", node="broker-1"))

    refused = [step["reason"] for step in moved.select("rejected")]
    assert (answers(quiet), answers(moved)) == (0, len(refused))
    assert set(refused) == {"NOT_LEADER_OR_FOLLOWER"}
