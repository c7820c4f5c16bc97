"""A Kafka producer: what it does about answers that are late, lost or bad, and about a cluster that changes under it."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator import Crash, Cut, Drop, Duplicate, Election, KafkaConsumer, KafkaProducer, KafkaTopic, Slow, Span, Trace
from tests.kafka import SWIFT_CLIENT, SWIFT_READER, keys, leaders, log, orders, swift

REPLICATED = [KafkaTopic("orders", replication_factor=3, min_insync_replicas=2)]
ALONE = [KafkaTopic("orders")]


def shop(**settings: object) -> KafkaProducer:
    return KafkaProducer("shop", **{"every": 20, "count": 20, "linger_ms": 0, **SWIFT_CLIENT, **settings})  # type: ignore[arg-type]


def reasons(trace: Trace, kind: str, node: str = "shop") -> Counter[str]:
    return Counter(str(step["reason"]) for step in trace.select(kind, node=node))


def test_a_record_is_made_batched_sent_and_acknowledged():
    trace = swift(shop(count=1), topics=REPLICATED)

    record = next(trace.select("created")).message
    (told,) = trace.select("acknowledged", message=record.id)
    assert (told.node, told["partition"], told["offset"]) == ("shop", "orders-0", 0)
    assert [step["partition"] for step in trace.select("batched")] == ["orders-0"]


@pytest.mark.parametrize(
    "lost", [Drop("shop", "broker-1", kind="produce", nth=3), Drop("broker-1", "shop", kind="ack", nth=3)]
)
def test_an_idempotent_producer_stores_each_record_once_and_in_order_whatever_gets_lost(lost):
    trace = swift(shop(), topics=ALONE, faults=[lost])

    assert log(trace) == orders(20)
    assert Counter(keys(trace, "acknowledged")) == Counter(orders(20))


def test_behind_an_answer_that_is_missing_no_more_is_sent_than_brokers_remember():
    lost = Drop("broker-1", "shop", kind="ack", nth=3)

    trace = swift(shop(), topics=ALONE, faults=[lost])

    before = next(step.time for step in trace.select("timed_out", node="shop"))
    assert len([step for step in trace.select("batched") if 60 <= step.time < before]) == 5
    assert keys(trace, "deduplicated") == ["order-3"]


def test_without_idempotence_a_lost_acknowledgement_stores_the_record_twice():
    trace = swift(shop(enable_idempotence=False), topics=ALONE, faults=[Drop("broker-1", "shop", kind="ack", nth=3)])

    assert Counter(log(trace)) == Counter(orders(20)) + Counter(["order-3"])


def test_a_copy_that_the_network_makes_of_a_request_is_stored_twice_only_without_idempotence():
    for idempotent, extra in ((True, []), (False, ["order-3"])):
        copied = Duplicate("shop", "broker-1", kind="produce", nth=3, after=30)

        trace = swift(shop(enable_idempotence=idempotent), topics=ALONE, faults=[copied])

        assert Counter(log(trace)) == Counter(orders(20)) + Counter(extra)


def test_an_answer_that_comes_after_its_batch_was_sent_again_is_ignored():
    late = Slow("broker-1", "shop", kind="ack", nth=20, by=310)

    trace = swift(shop(), topics=ALONE, faults=[late])

    assert keys(trace, "acknowledged") == orders(20)
    assert log(trace) == orders(20)


def test_a_batch_is_sent_again_with_growing_waits_until_its_time_is_over():
    lost = Drop("shop", "broker-1", kind="produce")

    trace = swift(
        shop(count=1, delivery_timeout_ms=2_000, request_timeout_ms=100), topics=ALONE, faults=[lost], duration=5_000
    )

    sent = [step.time for step in trace.select("sent", node="shop") if step.message.kind == "produce"]
    late = [step.time for step in trace.select("timed_out", node="shop")]
    waits = [again - before for before, again in zip(late, sent[1:], strict=False)]
    for wait, nominal in zip(waits, [20, 40, 80, 160, 200, 200], strict=False):
        assert 0.8 * nominal <= wait <= min(1.2 * nominal, 200)
    assert len(waits) >= 5
    assert [(step.time, step["reason"]) for step in trace.select("abandoned")] == [(2_020, "delivery_timeout_ms is over")]


def test_a_producer_that_may_not_try_again_gives_up_at_the_first_failure():
    lost = Drop("shop", "broker-1", kind="produce", nth=2)

    trace = swift(shop(retries=0), topics=ALONE, faults=[lost])

    assert keys(trace, "abandoned") == ["order-2"]
    assert reasons(trace, "abandoned") == {"no retries left": 1}
    assert log(trace) == [key for key in orders(20) if key != "order-2"]


def test_what_is_refused_for_good_is_not_tried_again_and_the_rest_goes_on():
    compacted = [KafkaTopic("orders", cleanup_policy="compact")]

    trace = swift(shop(keys=["a", None, "b"]), topics=compacted)

    assert reasons(trace, "failed") == reasons(trace, "abandoned") == {"INVALID_RECORD": 7}
    assert Counter(log(trace)) == {"a": 7, "b": 6}
    assert max(step["attempt"] for step in trace.select("sent", node="shop")) == 1


def test_too_few_replicas_are_waited_for():
    away = [Cut("broker-1", other, during=Span(100, 1_500)) for other in ("broker-2", "broker-3")]
    topics = [KafkaTopic("orders", replication_factor=3, min_insync_replicas=3)]

    trace = swift(shop(), topics=topics, faults=away, duration=6_000)

    assert set(reasons(trace, "failed")) & {"NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS_AFTER_APPEND"}
    assert log(trace) == orders(20)
    assert keys(trace, "abandoned") == []


def test_a_new_leader_is_found_and_what_was_not_acknowledged_is_sent_to_it():
    trace = swift(shop(every=50), topics=REPLICATED, faults=[Crash("broker-1", at=300)], duration=4_000)

    assert leaders(trace)[:2] == ["broker-1", "broker-2"]
    assert keys(trace, "acknowledged") == orders(20)
    assert {step.node for step in trace.select("appended") if step["partition"] == "orders-0"} == {"broker-1", "broker-2"}


def test_what_rests_is_tried_at_once_when_another_leads():
    patient = shop(count=10, retry_backoff_ms=1_000, retry_backoff_max_ms=1_000, metadata_max_age_ms=100)

    trace = swift(patient, topics=REPLICATED, faults=[Crash("broker-1", at=110)], duration=4_000)

    late = min(step.time for step in trace.select("timed_out", node="shop"))
    again = min(step.time for step in trace.select("sent", node="shop") if step["attempt"] == 2)
    assert again - late < 800


def test_a_partition_without_a_leader_is_waited_for():
    trace = swift(shop(), topics=ALONE, faults=[Crash("broker-1", at=100, restart_after=2_000)], duration=6_000)

    assert None in leaders(trace)
    assert keys(trace, "acknowledged") == orders(20)
    assert log(trace) == orders(20)


def test_a_partition_without_a_leader_is_asked_about_no_more_often_than_the_backoff_allows():
    trace = swift(
        shop(every=1, count=1_000), topics=ALONE, faults=[Crash("broker-1", at=100, restart_after=3_000)], duration=3_000
    )

    asked = [
        step.time for step in trace.select("sent", node="shop") if step.message.kind == "metadata" and step.time > 1_000
    ]
    assert 8 <= len(asked) <= 14


def test_with_acks_0_nothing_is_waited_for_and_what_a_crash_takes_is_not_noticed():
    trace = swift(shop(acks=0), topics=ALONE, faults=[Drop("shop", "broker-1", kind="produce", nth=2)])

    assert keys(trace, "acknowledged") == keys(trace, "abandoned") == []
    assert log(trace) == [key for key in orders(20) if key != "order-2"]


def test_with_acks_0_a_producer_that_talks_to_the_wrong_broker_finds_the_right_one():
    trace = swift(
        shop(acks=0, every=50, count=60), topics=REPLICATED, duration=4_000,
        faults=[Crash("broker-1", at=300, restart_after=1_000)], elections=[Election(2_500, "orders")],
    )  # fmt: skip

    assert leaders(trace)[:2] == ["broker-1", "broker-2"]
    assert {step.node for step in trace.select("appended") if step["partition"] == "orders-0"} == {"broker-1", "broker-2"}


def test_who_leads_is_asked_now_and_then_although_nothing_goes_wrong():
    trace = swift(shop(count=1, metadata_max_age_ms=1_000), topics=ALONE, duration=3_500)

    asked = [step.time for step in trace.select("sent", node="shop") if step.message.kind == "metadata"]
    assert asked == [1_000, 2_000, 3_000]


def test_a_gap_that_nothing_will_fill_makes_the_producer_count_anew_in_that_partition_alone():
    """The first record of a partition is given up while the second is under way: only its own numbers are at stake."""
    topics = [KafkaTopic("orders", partitions=2)]
    to_one = Drop("shop", "broker-1", kind="produce", during=Span(100, 460))
    acks_of_two = Drop("broker-2", "shop", kind="ack", during=Span(100, 460))

    trace = swift(
        shop(every=20, count=30, delivery_timeout_ms=350, request_timeout_ms=100), topics=topics,
        faults=[to_one, acks_of_two], duration=5_000,
    )  # fmt: skip

    stored = Counter(log(trace, "orders-0")) + Counter(log(trace, "orders-1"))
    epochs = {step.message.payload[3] for step in trace.select("batched")}
    assert max(stored.values()) == 1
    assert keys(trace, "abandoned")
    assert set(keys(trace, "acknowledged")) | set(keys(trace, "abandoned")) == set(orders(30))
    assert len(epochs) > 1


def test_a_producer_that_crashes_makes_no_record_twice_and_what_it_had_in_memory_is_gone():
    trace = swift(shop(linger_ms=50), topics=ALONE, faults=[Crash("shop", at=210, restart_after=100)])

    assert keys(trace, "created") == orders(20)
    assert set(orders(20)) - set(log(trace)) == {"order-10"}


def test_a_restarted_producer_has_a_new_id():
    trace = swift(shop(), topics=ALONE, faults=[Crash("shop", at=210, restart_after=100)])

    assert len({step["producer"] for step in trace.select("identified")}) == 2


def test_a_producer_asks_other_brokers_for_its_id_if_one_does_not_answer():
    trace = swift(shop(), topics=ALONE, faults=[Drop("shop", "broker-1", kind="init_producer")])

    assert [step.node for step in trace.select("identified")] == ["broker-2"]
    assert log(trace) == orders(20)


def test_every_so_manieth_record_is_a_tombstone():
    trace = swift(shop(tombstone_every=5, count=10), topics=ALONE)

    empty = [step.message.key for step in trace.select("created") if step.message.headers]
    assert empty == ["order-5", "order-10"]


def test_what_is_acknowledged_is_read():
    billing = KafkaConsumer("billing", work=1, **SWIFT_READER)

    trace = swift(shop(), billing, topics=REPLICATED)

    assert keys(trace, "processed") == orders(20)
