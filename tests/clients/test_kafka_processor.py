"""Read, process, write: what is done twice, what counts twice, and what counts once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from simulator import Crash, Drop, KafkaConsumer, KafkaProcessor, KafkaProducer, KafkaTopic, Pause, Span, Trace
from tests.kafka import SWIFT_CLIENT, SWIFT_READER, keys, orders, swift

TOPICS = [
    KafkaTopic("orders", 2, replication_factor=3, min_insync_replicas=2),
    KafkaTopic("invoices", replication_factor=3, min_insync_replicas=2),
]
COORDINATOR = "broker-3"
ONCE, AT_LEAST_ONCE = "exactly_once_v2", "at_least_once"


def processor(name: str = "billing", **settings: Any) -> KafkaProcessor:
    usual: dict[str, Any] = {
        "group": "billing",
        "work": 10,
        "linger_ms": 0,
        "max_poll_records": 4,
        "processing_guarantee": ONCE,
        "delivery_timeout_ms": 2_000,
        "transaction_timeout_ms": 1_500,
    }
    return KafkaProcessor(name, **(usual | SWIFT_READER | settings))


def chain(*processors: KafkaProcessor, faults: Any = (), count: int = 30, duration: float = 8_000) -> Trace:
    shop = KafkaProducer("shop", 20, count=count, linger_ms=0, **SWIFT_CLIENT)
    readers = (
        KafkaConsumer(name, topics="invoices", work=0, isolation_level=level, **SWIFT_READER)
        for name, level in (("strict", "read_committed"), ("lax", "read_uncommitted"))
    )
    return swift(shop, *(processors or (processor(),)), *readers, topics=TOPICS, faults=faults, duration=duration)


def test_each_record_read_becomes_one_record_written_with_the_same_key():
    for guarantee in (AT_LEAST_ONCE, ONCE):
        trace = chain(processor(processing_guarantee=guarantee))

        assert Counter(keys(trace, "processed", "strict")) == Counter(orders(30))
        assert {step.message.kind for step in trace.select("fetched", node="strict")} == {"InvoiceCreated"}


def test_what_it_writes_and_how_far_it_has_read_are_one_transaction_for_each_poll():
    trace = chain(count=4)

    told = [
        step.kind
        for step in trace.select("begun", "pledged", "decided", "committed")
        if step.message is None or step.node == COORDINATOR
    ]
    assert told[: told.index("decided") + 1].count("begun") == 1
    assert told.index("begun") < told.index("pledged") < told.index("decided") < told.index("committed")


CRASH = Crash("billing", after="acknowledged", nth=7, restart_after=200)
"""What it has written last is stored; that it has read what it was made from is not known yet."""


def test_at_least_once_a_crash_before_the_commit_writes_again_what_was_written():
    trace = chain(processor(processing_guarantee=AT_LEAST_ONCE), faults=[CRASH])

    written = Counter(keys(trace, "processed", "strict"))
    assert set(written) == set(orders(30))
    assert max(written.values()) == 2


def test_exactly_once_the_same_crash_leaves_one_of_each_for_who_reads_committed():
    trace = chain(processor(), faults=[CRASH])

    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(30))
    assert max(Counter(keys(trace, "processed", "lax")).values()) == 2


@pytest.mark.parametrize("guarantee", [AT_LEAST_ONCE, ONCE])
def test_the_work_itself_is_done_again_whatever_the_guarantee(guarantee):
    trace = chain(processor(processing_guarantee=guarantee), faults=[CRASH])

    assert max(Counter(keys(trace, "processed", "billing")).values()) == 2


def test_of_a_transaction_that_is_aborted_neither_what_was_written_nor_what_was_read_counts():
    trace = chain(faults=[CRASH])

    pledged = [(step["partition"], step["offset"]) for step in trace.select("pledged")]
    committed = [(step["partition"], step["offset"]) for step in trace.select("committed") if step["group"] == "billing"]
    assert [step["outcome"] for step in trace.select("decided")].count("abort") == 1
    assert set(committed) <= set(pledged)
    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(30))


def test_who_takes_over_waits_for_the_transaction_of_its_predecessor_to_end():
    """The zombie is frozen with its transaction open: until that is aborted, nobody knows where to go on."""
    zombie = Pause("a", after="processed", nth=6, lasting=3_000)

    trace = chain(processor("a"), processor("b", start_at=100), faults=[zombie])

    assert "it was open for too long" in {step["reason"] for step in trace.select("decided")}
    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(30))


def test_a_zombie_that_wakes_up_writes_nothing_that_counts_and_begins_anew():
    trace = chain(processor("a"), processor("b"), faults=[Pause("a", after="processed", nth=6, lasting=3_000)])

    assert {step["reason"] for step in trace.select("failed", node="a")} <= {"PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"}
    assert list(trace.select("failed", node="a"))
    assert "stopped" not in {step.kind for step in trace}
    assert len(list(trace.select("identified", node=COORDINATOR))) == 3
    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(30))


def test_a_zombie_is_refused_by_the_group_although_its_transaction_is_still_open():
    """Its session ends long before its transaction times out: its offsets come from a generation that is over."""
    slow = processor("a", transaction_timeout_ms=8_000)

    trace = chain(slow, processor("b"), faults=[Pause("a", after="processed", nth=6, lasting=2_500)], duration=12_000)

    assert "a member's time was over" in {step["reason"] for step in trace.select("removed")}
    assert list(trace.select("failed", node="a")) == []
    assert "abort" in {step["outcome"] for step in trace.select("decided")}
    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(30))


@pytest.mark.parametrize("guarantee", [AT_LEAST_ONCE, ONCE])
def test_what_cannot_be_written_is_read_again(guarantee):
    lost = [
        Drop("billing", broker, kind="produce", during=Span(200, 1_200)) for broker in ("broker-1", "broker-2", COORDINATOR)
    ]

    trace = chain(
        processor(processing_guarantee=guarantee, delivery_timeout_ms=400, transaction_timeout_ms=5_000), faults=lost
    )

    assert keys(trace, "abandoned", "billing")
    assert set(keys(trace, "processed", "strict")) == set(orders(30))


@pytest.mark.parametrize("moment", ["pledged", "decided", "marked", "begun"])
def test_a_coordinator_that_crashes_in_the_middle_of_a_transaction_changes_nothing(moment):
    trace = chain(faults=[Crash(COORDINATOR, after=moment, nth=2, restart_after=2_000)], duration=10_000)

    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(30))


def test_two_processors_share_the_work_and_each_writes_under_its_own_name():
    trace = chain(processor("a"), processor("b"))

    assert {step["transaction"] for step in trace.select("begun")} == {"a", "b"}
    assert Counter(keys(trace, "processed", "strict")) == Counter(orders(30))


def test_exactly_once_it_reads_committed_itself():
    second = KafkaProcessor(
        "audit", topics="invoices", to="orders", work=0, processing_guarantee=ONCE, isolation_level="read_uncommitted",
        delivery_timeout_ms=2_000, transaction_timeout_ms=1_500, **SWIFT_READER,
    )  # fmt: skip
    shop = KafkaProducer(
        "shop",
        20,
        topic="invoices",
        count=20,
        transactional_id="shop",
        abort_every=2,
        delivery_timeout_ms=2_000,
        **SWIFT_CLIENT,
    )

    trace = swift(shop, second, topics=TOPICS, duration=4_000)

    assert set(keys(trace, "processed", "audit")) == {*orders(5), *orders(15)[10:]}
