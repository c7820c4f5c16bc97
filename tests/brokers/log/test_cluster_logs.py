"""What stands in the replicas' logs: the same everywhere, once each, and what goes goes everywhere."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from simulator import Crash, Cut, Drop, Duplicate, KafkaConsumer, KafkaProducer, KafkaTopic, Span, Trace
from tests.kafka import SWIFT, Logs, swift

SHOP = KafkaProducer("shop", every=20, count=100, linger_ms=0, request_timeout_ms=300, retry_backoff_ms=20)
ORDERS = KafkaTopic("orders", replication_factor=3, min_insync_replicas=2)
READER = KafkaConsumer("audit", work=0, auto_offset_reset="earliest", request_timeout_ms=300, fetch_max_wait_ms=100)


def stored(trace: Trace, log: dict[int, int]) -> list[str]:
    """The records of a log, in its order."""
    return [str(trace.message(log[offset]).key) for offset in sorted(log)]


def test_every_replica_has_what_the_leader_has_at_the_same_offsets():
    trace = swift(SHOP, topics=[evolve(ORDERS, partitions=3)], duration=3_000)

    for number in range(3):
        one, other, third = Logs(trace).of(f"orders-{number}").values()
        assert one == other == third
        assert list(one) == list(range(len(one)))
    assert sum(len(Logs(trace).of(f"orders-{number}")["broker-1"]) for number in range(3)) == 100


def test_all_partitions_that_a_broker_leads_are_copied_from_the_first_moment_on():
    trace = swift(SHOP, topics=[evolve(ORDERS, partitions=9)], duration=1_000)

    made = {step.message.id: step.time for step in trace.select("created")}
    known = {step.message.id: step.time for step in trace.select("acknowledged")}
    assert max(known[record] - made[record] for record in known) < 10


def test_what_a_returning_leader_had_for_itself_is_cut_off_and_never_was_committed():
    cut = [Cut("broker-1", other, during=Span(300, 1_500)) for other in ("controller", "broker-2", "broker-3")]

    trace = swift(evolve(SHOP, acks=1), topics=[ORDERS], faults=cut, duration=4_000)

    logs = Logs(trace)
    (truncated,) = trace.select("truncated")
    one, other, third = logs.of("orders-0").values()
    assert (truncated.node, truncated["records"] > 0, logs.contradictions) == ("broker-1", True, [])
    assert one == other == third


@pytest.mark.parametrize(("idempotent", "copies"), [(True, 1), (False, 2)])
def test_a_new_leader_recognises_what_the_old_one_had_appended(idempotent: bool, copies: int):
    shop = evolve(SHOP, enable_idempotence=idempotent, max_in_flight_requests_per_connection=1)
    faults = [Drop("broker-1", "shop", kind="ack", nth=5), Crash("broker-1", at=110)]

    trace = swift(shop, topics=[ORDERS], faults=faults, duration=5_000)

    kept = stored(trace, Logs(trace).of("orders-0")["broker-2"])
    recognised = [step.node for step in trace.select("deduplicated")]
    assert kept.count("order-5") == copies
    assert recognised == (["broker-2"] if idempotent else [])
    assert len(set(kept)) == 100


def test_what_comes_before_its_turn_is_refused_and_all_is_stored_in_order():
    trace = swift(SHOP, topics=[ORDERS], faults=[Drop("shop", "broker-1", kind="produce", nth=5)], duration=4_000)

    reasons = {step["reason"] for step in trace.select("rejected")}
    assert reasons == {"OUT_OF_ORDER_SEQUENCE_NUMBER"}
    assert stored(trace, Logs(trace).of("orders-0")["broker-1"]) == [f"order-{n}" for n in range(1, 101)]


def test_read_committed_gets_nothing_beyond_an_open_transaction():
    shop = evolve(SHOP, transactional_id="shop", records_per_transaction=10)
    careful = evolve(READER, name="careful", isolation_level="read_committed")

    trace = swift(shop, READER, careful, topics=[ORDERS], duration=4_000)

    ends = [step.time for step in trace.select("marked", node="broker-1") if step["partition"] == "orders-0"]
    first = [step.time for step in trace.select("fetched", node="audit")][:10]
    careful_first = [step.time for step in trace.select("fetched", node="careful")][:10]
    assert first[0] < ends[0] < careful_first[0]
    assert len(list(trace.select("fetched", node="careful"))) == 100
    assert len(ends) == 10


TRIMMING: dict[str, Any] = {"brokers": [evolve(broker, log_retention_check_interval_ms=500) for broker in SWIFT]}
SHORT = evolve(ORDERS, segment_bytes=1_000, retention_ms=600)


def test_old_segments_go_on_every_replica_and_offsets_go_on():
    late = evolve(READER, start_at=2_100)

    trace = swift(SHOP, late, topics=[SHORT], duration=3_000, **TRIMMING)

    begins = {broker: min(log, default=100) for broker, log in Logs(trace).of("orders-0").items()}
    trimmed = {step.node for step in trace.select("trimmed")}
    (reset,) = trace.select("reset")
    read = [step["offset"] for step in trace.select("fetched")]
    assert trimmed == {"broker-1", "broker-2", "broker-3"}
    assert len(set(begins.values())) == 1
    assert 0 < reset["offset"] == read[0]
    assert read == list(range(read[0], 100))


def test_a_log_is_kept_to_a_size():
    small = evolve(ORDERS, segment_bytes=1_000, retention_ms=-1, retention_bytes=3_000)

    trace = swift(SHOP, topics=[small], duration=3_000, **TRIMMING)

    logs = Logs(trace).of("orders-0")
    assert {len(log) for log in logs.values()} == {30}


def test_a_replica_that_was_away_while_its_whole_log_went_begins_where_its_leader_does_and_has_lost_nothing():
    gone = Crash("broker-3", at=300, restart_after=2_000)

    trace = swift(SHOP, topics=[SHORT], faults=[gone], duration=3_400, **TRIMMING)

    logs = Logs(trace).of("orders-0")
    skipped = [step for step in trace.select("trimmed", node="broker-3") if step.time < 2_700]
    assert list(trace.select("truncated")) == []
    assert skipped[0]["offset"] > 15
    assert logs["broker-3"] == logs["broker-1"]


COMPACTED = evolve(ORDERS, cleanup_policy="compact", segment_bytes=500, min_cleanable_dirty_ratio=0.1)
CLEANING: dict[str, Any] = {"brokers": [evolve(broker, log_cleaner_backoff_ms=200) for broker in SWIFT]}


def test_compaction_leaves_each_key_s_latest_record_on_every_replica_at_its_offset():
    shop = evolve(SHOP, keys=["a", "b", "c"])

    trace = swift(shop, topics=[COMPACTED], duration=3_000, **CLEANING)

    first, second, third = Logs(trace).of("orders-0").values()
    appended = {step["offset"]: step.message.id for step in trace.select("appended") if step["partition"] == "orders-0"}
    assert first == second == third
    assert 3 <= len(first) <= 10
    assert first.items() <= appended.items()
    assert {max(offset for offset in first if trace.message(first[offset]).key == key) for key in "abc"} == {97, 98, 99}


def test_a_tombstone_takes_its_key_along_and_goes_itself_when_its_time_is_over():
    topic = evolve(COMPACTED, delete_retention_ms=300)
    shop = evolve(SHOP, keys=["gone", "stays"], count=20)
    closing = evolve(SHOP, name="closing", every=1_000, count=1, keys=["gone"], tombstone_every=1)
    filling = evolve(SHOP, name="filling", every=50, keys=["more"], count=None)

    trace = swift(shop, closing, filling, topics=[topic], duration=4_000, **CLEANING)

    tombstone = next(trace.select("created", node="closing")).message
    gone = [(step.time, step.message) for step in trace.select("compacted", node="broker-2") if step.message.key == "gone"]
    assert set(stored(trace, Logs(trace).of("orders-0")["broker-2"])) == {"stays", "more"}
    assert [message for _, message in gone][-1] == tombstone
    # It outlived the cleaning that took the record before it by at least its time.
    assert gone[-1][0] - gone[-2][0] >= 300


def test_a_record_without_a_key_is_refused_where_the_log_is_compacted():
    trace = swift(evolve(SHOP, keys=[None], count=1), topics=[COMPACTED], duration=500)

    assert [step["reason"] for step in trace.select("rejected")] == ["INVALID_RECORD"]


@pytest.mark.parametrize("kind", ["replicate", "alter_isr", "broker_heartbeat", "leadership"])
@pytest.mark.parametrize("lost", [True, False])
def test_messages_among_brokers_and_controller_that_get_lost_or_come_twice_change_no_log(kind: str, lost: bool):
    pairs = [
        ("broker-1", "broker-2"),
        ("broker-1", "broker-3"),
        ("broker-2", "broker-3"),
        *(("controller", b.name) for b in SWIFT),
    ]
    ways = [way for one, other in pairs for way in ((one, other), (other, one))]
    faults = [
        Drop(*way, kind=kind, probability=0.3) if lost else Duplicate(*way, kind=kind, probability=0.5, after=30)
        for way in ways
    ]
    calm = [evolve(fault, during=Span(0, 4_000)) for fault in faults]

    trace = swift(SHOP, topics=[ORDERS], faults=[*calm, Crash("broker-1", at=700, restart_after=900)], duration=6_000)

    logs = Logs(trace)
    one, other, third = logs.of("orders-0").values()
    assert one == other == third
    assert sorted(stored(trace, one)) == sorted(f"order-{n}" for n in range(1, 101))
    assert logs.contradictions == []
