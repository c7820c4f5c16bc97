"""A transactional Kafka producer: all or nothing, one writer at a time, whoever crashes."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator import Crash, Drop, Duplicate, KafkaConsumer, KafkaProducer, KafkaTopic, Pause, Slow, Span, Trace
from tests.kafka import SWIFT_CLIENT, SWIFT_READER, keys, log, orders, swift

REPLICATED = [KafkaTopic("orders", partitions=2, replication_factor=3, min_insync_replicas=2)]
COORDINATOR = "broker-3"

strict = KafkaConsumer("strict", work=0, isolation_level="read_committed", **SWIFT_READER)
lax = KafkaConsumer("lax", work=0, isolation_level="read_uncommitted", **SWIFT_READER)


def shop(name: str = "shop", **settings: object) -> KafkaProducer:
    mine = {
        "every": 20,
        "count": 20,
        "linger_ms": 0,
        "transactional_id": "till",
        "delivery_timeout_ms": 3_000,
        **SWIFT_CLIENT,
    }
    return KafkaProducer(name, **(mine | settings))  # type: ignore[arg-type]


def outcomes(trace: Trace, kind: str = "concluded") -> list[str]:
    return [step["outcome"] for step in trace.select(kind)]


def markers(trace: Trace, partition: str) -> list[tuple[int, str]]:
    return [(step["offset"], step["outcome"]) for step in trace.select("marked") if step["partition"] == partition]


def test_a_transaction_begins_with_the_first_record_and_is_committed_with_a_marker_in_every_partition():
    trace = swift(shop(count=5), strict, topics=REPLICATED)

    told = [step.kind for step in trace.select("identified", "begun", "decided", "marked", "concluded")]
    assert told == ["identified", "begun", "decided", "marked", "marked", "concluded"]
    assert {step["partition"] for step in trace.select("marked")} == {"orders-0", "orders-1"}
    assert next(trace.select("begun")).time >= next(trace.select("created")).time
    assert sorted(keys(trace, "processed", "strict")) == orders(5)


def test_nobody_who_reads_committed_is_given_a_record_before_its_transaction_is_committed():
    trace = swift(shop(count=5, every=100), strict, lax, topics=REPLICATED)

    decided = next(trace.select("decided")).time
    assert min(step.time for step in trace.select("fetched", node="strict")) > decided
    assert min(step.time for step in trace.select("fetched", node="lax")) < decided


def test_what_is_aborted_is_in_the_log_and_only_who_reads_uncommitted_is_given_it():
    trace = swift(shop(abort_every=2), strict, lax, topics=REPLICATED)

    committed = [*orders(5), *orders(15)[10:]]
    assert outcomes(trace) == ["commit", "abort", "commit", "abort"]
    assert Counter(keys(trace, "processed", "strict")) == Counter(committed)
    assert set(keys(trace, "processed", "lax")) > set(committed)


def test_a_marker_takes_an_offset_that_no_reader_is_given():
    trace = swift(shop(), strict, topics=[KafkaTopic("orders", replication_factor=3)])

    assert markers(trace, "orders-0") == [(5, "commit"), (11, "commit"), (17, "commit"), (23, "commit")]
    assert [step["offset"] for step in trace.select("fetched", node="strict")] == [
        offset for offset in range(23) if offset % 6 != 5
    ]


def test_every_transaction_has_an_epoch_of_its_own():
    trace = swift(shop(), topics=REPLICATED)

    assert [step["epoch"] for step in trace.select("begun")] == [0, 1, 2, 3]
    assert len({step["producer"] for step in trace.select("begun")}) == 1


def test_an_open_transaction_holds_up_who_reads_committed_even_for_what_others_commit():
    slow = shop("slow", transactional_id="slow", count=1, records_per_transaction=2, transaction_timeout_ms=2_000)
    quick = shop("quick", transactional_id="quick", every=100, records_per_transaction=1)

    trace = swift(slow, quick, strict, topics=[KafkaTopic("orders", replication_factor=3)], duration=4_000)

    ended = next(step.time for step in trace.select("decided") if step["transaction"] == "slow")
    assert min(step.time for step in trace.select("fetched", node="strict")) > ended
    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(20))


def test_a_transaction_that_is_open_for_too_long_is_aborted_and_its_producer_fenced():
    slow = shop(every=700, count=3, records_per_transaction=3, transaction_timeout_ms=1_000)

    trace = swift(slow, strict, topics=REPLICATED, duration=6_000)

    assert outcomes(trace) == ["abort"]
    assert [step["reason"] for step in trace.select("decided")] == ["it was open for too long"]
    assert [step.node for step in trace.select("stopped")] == ["shop"]
    assert keys(trace, "processed", "strict") == []


def test_a_restarted_producer_fences_its_former_self_and_aborts_what_that_left_open():
    trace = swift(shop(), strict, topics=REPLICATED, faults=[Crash("shop", at=150, restart_after=100)], duration=4_000)

    assert outcomes(trace)[:2] == ["commit", "abort"]
    assert [step["reason"] for step in trace.select("decided") if step["outcome"] == "abort"] == [
        "a successor fenced its producer"
    ]
    assert set(keys(trace, "processed", "strict")).isdisjoint({"order-6", "order-7"})
    assert len(keys(trace, "processed", "strict")) == len(set(keys(trace, "processed", "strict")))


def test_of_two_producers_with_one_transactional_id_the_older_is_fenced_and_stops():
    older, newer = shop("older", count=40), shop("newer", every=500, count=5)

    trace = swift(older, newer, strict, topics=REPLICATED, faults=[Pause("newer", at=0, lasting=300)], duration=5_000)

    fenced = [(step.node, step["reason"]) for step in trace.select("abandoned")]
    assert {node for node, _ in fenced} == {"older"}
    assert {reason for _, reason in fenced} <= {"PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"}
    assert [step.node for step in trace.select("stopped")] == ["older"]


def test_a_zombie_is_refused_by_the_partitions_too():
    """The zombie's last batch comes when its successor has already ended its transaction."""
    late = Slow("zombie", "broker-1", kind="produce", during=Span(150, 600), by=1_500)
    zombie = shop("zombie", keys=["a"], count=30)
    successor = shop("successor", every=1_000, count=2, request_timeout_ms=250)

    trace = swift(
        zombie, successor, strict, topics=[KafkaTopic("orders", replication_factor=3)],
        faults=[Pause("successor", at=0, lasting=300), late], duration=6_000,
    )  # fmt: skip

    assert "INVALID_PRODUCER_EPOCH" in {step["reason"] for step in trace.select("rejected", node="broker-1")}
    assert "zombie" in {step.node for step in trace.select("stopped")}


@pytest.mark.parametrize("kind", ["init_producer", "add_partitions", "produce", "ack", "end_transaction"])
@pytest.mark.parametrize("way", [Drop, Duplicate])
def test_whatever_gets_lost_or_comes_twice_each_transaction_is_committed_once(kind, way):
    shops = [
        way(*ends, kind=kind, nth=2)
        for broker in ("broker-1", "broker-2", COORDINATOR)
        for ends in (("shop", broker), (broker, "shop"))
    ]

    trace = swift(shop(), strict, topics=REPLICATED, faults=shops, duration=6_000)

    assert outcomes(trace) == ["commit"] * 4
    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(20))


def test_markers_that_get_lost_are_sent_again_and_written_once():
    lost = [
        Drop(COORDINATOR, "broker-1", kind="write_marker", nth=1),
        Drop("broker-1", COORDINATOR, kind="write_marker", nth=2),
    ]

    trace = swift(shop(), strict, topics=REPLICATED, faults=lost, duration=4_000)

    assert len(markers(trace, "orders-0")) == len(set(markers(trace, "orders-0"))) == 4
    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(20))


def test_a_marker_that_comes_again_does_not_end_the_next_transaction():
    """The copy is 150 ms late: by then the next transaction has written to that partition."""
    copies = [Duplicate(COORDINATOR, "broker-1", kind="write_marker", after=150)]
    lone = [KafkaTopic("orders", replication_factor=3)]

    trace = swift(shop(abort_every=2, every=40), strict, lax, topics=lone, faults=copies, duration=5_000)

    assert Counter(keys(trace, "processed", "strict")) == Counter([*orders(5), *orders(15)[10:]])
    assert [outcome for _, outcome in markers(trace, "orders-0")] == ["commit", "abort"] * 2


@pytest.mark.parametrize("moment", ["begun", "decided", "concluded"])
def test_a_coordinator_that_crashes_in_the_middle_is_replaced_and_the_outcome_stays(moment):
    trace = swift(shop(), strict, topics=REPLICATED, faults=[Crash(COORDINATOR, after=moment)], duration=10_000)

    assert "broker-1" in {step.node for step in trace.select("concluded")}
    assert set(outcomes(trace, "decided")) == {"commit"}
    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(20))


def test_too_few_replicas_of_the_coordinators_log_are_waited_for():
    down = [Crash("broker-1", at=200, restart_after=2_000), Crash("broker-2", at=250, restart_after=2_000)]

    trace = swift(shop(delivery_timeout_ms=8_000), strict, topics=REPLICATED, faults=down, duration=15_000)

    assert "stopped" not in {step.kind for step in trace}
    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(20))


def test_a_time_out_that_cannot_be_kept_is_tried_again():
    slow = shop(every=600, count=3, records_per_transaction=4, transaction_timeout_ms=1_000)
    down = [Crash("broker-1", at=700, restart_after=3_000), Crash("broker-2", at=750, restart_after=3_000)]

    trace = swift(slow, strict, topics=REPLICATED, faults=down, duration=10_000)

    assert outcomes(trace) == ["abort"]
    assert next(trace.select("decided")).time > 3_000


def test_a_transaction_in_which_a_record_is_given_up_is_aborted_and_the_next_goes_on():
    lost = Drop("shop", "broker-1", kind="produce", during=Span(150, 900))

    trace = swift(
        shop(keys=["a", "b", "c"], delivery_timeout_ms=600, count=30),
        strict,
        topics=[KafkaTopic("orders")],
        faults=[lost],
        duration=8_000,
    )

    assert "abort" in outcomes(trace)
    assert outcomes(trace)[-1] == "commit"
    aborted = {step.message.id for step in trace.select("abandoned")}
    assert aborted.isdisjoint({step.message.id for step in trace.select("processed", node="strict")})


def test_the_records_of_a_committed_transaction_keep_their_order():
    trace = swift(shop(), strict, topics=[KafkaTopic("orders", replication_factor=3)])

    assert keys(trace, "processed", "strict") == orders(20) == log(trace)
