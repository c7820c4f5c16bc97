"""A Kafka consumer: where it begins, when it commits, and what it does again after a crash."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve

from simulator import Crash, Cut, Drop, Election, KafkaConsumer, KafkaProducer, KafkaTopic, Slow, Span, Trace
from tests.kafka import SWIFT, SWIFT_CLIENT, SWIFT_READER, keys, orders, swift

LONE = [KafkaTopic("orders")]
REPLICATED = [KafkaTopic("orders", replication_factor=3, min_insync_replicas=2)]
COORDINATOR = "broker-3"
BY_HAND = {"enable_auto_commit": False}


def consuming(
    *faults: Any, count: int = 20, every: float = 20, topics: Any = LONE, duration: float = 4_000, **settings: Any
) -> Trace:
    billing = KafkaConsumer("billing", **{"work": 5, **SWIFT_READER, **settings})
    shop = KafkaProducer("shop", every, count=count, linger_ms=0, **SWIFT_CLIENT)
    return swift(shop, billing, topics=topics, faults=faults, duration=duration)


def places(trace: Trace, kind: str) -> list[tuple[float, int]]:
    """(time, offset) of these steps about orders."""
    return [(step.time, step["offset"]) for step in trace.select(kind) if step["partition"].startswith("orders")]


def test_a_record_is_fetched_worked_on_and_committed():
    trace = consuming(count=1, **BY_HAND)

    record = next(trace.select("created")).message.id
    assert [step.kind for step in trace.select(message=record, node="billing")] == ["fetched", "started", "processed"]
    assert [offset for _, offset in places(trace, "committed")] == [1]


@pytest.mark.parametrize(("reset", "least", "most"), [("earliest", 0, 0), ("latest", 25, 30)])
def test_where_a_group_has_no_place_it_begins_as_auto_offset_reset_says(reset, least, most):
    trace = consuming(auto_offset_reset=reset, start_at=500, count=50)

    (begins,) = [offset for _, offset in places(trace, "reset")]
    assert [offset for _, offset in places(trace, "assigned")] == [-1]
    assert least <= begins <= most
    assert keys(trace, "processed") == orders(50)[begins:]


def test_a_consumer_that_may_not_choose_where_to_begin_fails():
    trace = consuming(auto_offset_reset="none")

    assert [step["reason"] for step in trace.select("failed")] == ["no offset is committed, and auto_offset_reset is none"]
    assert [step.node for step in trace.select("stopped")] == ["billing"]


def test_a_group_goes_on_where_it_committed():
    trace = consuming(Crash("billing", at=250, restart_after=500), **BY_HAND)

    (_, first), (back, second) = places(trace, "assigned")
    assert first == -1
    assert second == max(offset for time, offset in places(trace, "committed") if time < back) > 0


@pytest.mark.parametrize("reset", ["earliest", "latest"])
def test_a_place_that_retention_has_taken_is_reset_and_what_went_is_never_read(reset):
    short = [KafkaTopic("orders", retention_ms=300, segment_ms=100)]
    brokers = [evolve(broker, log_retention_check_interval_ms=100) for broker in SWIFT]
    shop = KafkaProducer("shop", 20, count=100, linger_ms=0, **SWIFT_CLIENT)
    billing = KafkaConsumer("billing", work=5, **BY_HAND, **(SWIFT_READER | {"auto_offset_reset": reset}))
    away = Crash("billing", at=300, restart_after=1_000)

    trace = swift(shop, billing, topics=short, brokers=brokers, faults=[away], duration=4_000)

    ((_, before),) = [place for place in places(trace, "assigned") if place[0] > 1_000]
    ((_, again),) = [place for place in places(trace, "reset") if place[0] > 1_000]
    read = [offset for time, offset in places(trace, "fetched") if time > 1_000]
    assert again - before > 10
    assert read == list(range(again, 100))


def test_without_a_reset_such_a_place_is_the_application_s_problem():
    short = [KafkaTopic("orders", retention_ms=300, segment_ms=100)]
    brokers = [evolve(broker, log_retention_check_interval_ms=100) for broker in SWIFT]
    shop = KafkaProducer("shop", 20, count=100, linger_ms=0, **SWIFT_CLIENT)
    first = KafkaConsumer("first", group="billing", work=5, close_at=300, **BY_HAND, **SWIFT_READER)
    second = KafkaConsumer("second", group="billing", start_at=1_500, **(SWIFT_READER | {"auto_offset_reset": "none"}))

    trace = swift(shop, first, second, topics=short, brokers=brokers, duration=4_000)

    assert [step["reason"] for step in trace.select("failed")] == ["OFFSET_OUT_OF_RANGE, and auto_offset_reset is none"]
    assert [step.node for step in trace.select("stopped")] == ["first", "second"]


def test_with_auto_commit_the_places_of_the_polls_before_are_committed_as_it_polls():
    trace = consuming(auto_commit_interval_ms=100, count=40)

    commits = places(trace, "committed")
    done = [step.time for step in trace.select("processed")]
    assert all(offset <= len([time for time in done if time < at]) for at, offset in commits)
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(commits)]
    assert min(gaps) >= 100
    assert commits[-1][1] == 40


def test_auto_commit_goes_on_while_nothing_comes():
    trace = consuming(auto_commit_interval_ms=1_500, count=3)

    assert [offset for _, offset in places(trace, "committed")] == [3]


def test_a_consumer_that_is_closed_commits_what_it_has_done():
    trace = consuming(auto_commit_interval_ms=60_000, count=40, close_at=400)

    assert places(trace, "committed")[-1][1] == len(keys(trace, "processed"))
    assert next(trace.select("stopped")).time > places(trace, "committed")[-1][0]


def test_a_consumer_that_is_closed_in_the_middle_of_its_work_finishes_what_the_poll_has_given():
    trace = consuming(count=10, every=1, work=100, close_at=300, max_poll_records=5, **BY_HAND)

    last = list(trace.select("processed"))[-1].time
    assert last > 300
    assert places(trace, "committed")[-1][1] == len(keys(trace, "processed"))


def test_a_consumer_can_be_closed_although_its_coordinator_is_gone():
    brokers = [SWIFT[0]]
    shop = KafkaProducer("shop", 20, count=20, linger_ms=0, **SWIFT_CLIENT)
    billing = KafkaConsumer("billing", work=5, close_at=1_000, default_api_timeout_ms=700, **SWIFT_READER)

    trace = swift(shop, billing, topics=LONE, brokers=brokers, faults=[Crash("broker-1", at=900)], duration=4_000)

    assert 1_600 < next(trace.select("stopped", node="billing")).time < 2_200


@pytest.mark.parametrize("sync", [True, False])
def test_committing_after_the_work_a_crash_between_the_two_makes_it_work_again(sync):
    trace = consuming(
        Crash("billing", after="processed", nth=5, restart_after=100), max_poll_records=1, commit_sync=sync, **BY_HAND
    )

    assert Counter(keys(trace, "processed")) == Counter(orders(20)) + Counter(["order-5"])


def test_committing_before_the_work_a_crash_between_the_two_leaves_it_undone():
    trace = consuming(
        Crash("billing", after="started", nth=5, restart_after=100), max_poll_records=1, commit="before", **BY_HAND
    )

    assert Counter(keys(trace, "processed")) == Counter(orders(20)) - Counter(["order-5"])


def test_nobody_works_on_a_record_whose_commit_before_the_work_was_refused():
    """Its work on one poll takes so long that it is out; what it has fetched meanwhile is read again."""
    slow = {"work": 400, "max_poll_records": 3, "max_poll_interval_ms": 900, "commit": "before"}

    trace = consuming(count=12, every=1, duration=9_000, **slow, **BY_HAND)

    assert max(Counter(keys(trace, "processed")).values()) == 1
    assert "lost" in {step["reason"] for step in trace.select("revoked")}
    assert Counter(keys(trace, "processed")) == Counter(orders(12))


def test_an_idempotent_consumer_skips_what_it_has_done_before_a_crash():
    trace = consuming(Crash("billing", after="processed", nth=5, restart_after=100), idempotent=True, **BY_HAND)

    assert Counter(keys(trace, "processed")) == Counter(orders(20))
    assert "order-5" in keys(trace, "skipped")


def test_a_commit_that_gets_lost_is_made_up_for():
    for sync, told in ((True, "timed_out"), (False, "timed_out")):
        trace = consuming(Drop("billing", COORDINATOR, kind="commit", nth=2), commit_sync=sync, **BY_HAND)

        assert [step.message.kind for step in trace.select(told, node="billing")] == ["commit"]
        assert places(trace, "committed")[-1][1] == 20


def test_a_commit_that_was_lost_is_made_up_for_even_if_no_record_comes_any_more():
    lost = Drop("billing", COORDINATOR, kind="commit", during=Span(0, 700))

    trace = consuming(lost, auto_commit_interval_ms=200, count=10)

    assert places(trace, "committed")[-1][1] == 10


def test_the_places_of_all_partitions_are_committed_not_only_of_those_that_gave_records_last():
    """One commit gets lost; the partition that it was about has no more records, and still the next commit tells its place."""
    shop = KafkaProducer("shop", 20, count=20, keys=["a", "b", "c", "d"], linger_ms=0, **SWIFT_CLIENT)
    billing = KafkaConsumer("billing", work=1, commit_sync=False, max_poll_records=1, **BY_HAND, **SWIFT_READER)

    trace = swift(
        shop, billing, topics=[KafkaTopic("orders", partitions=3)], duration=3_000,
        faults=[Drop("billing", COORDINATOR, kind="commit", nth=nth) for nth in range(1, 19)],
    )  # fmt: skip

    stored = Counter(step["partition"] for step in trace.select("appended") if step["partition"].startswith("orders"))
    last = {step["partition"]: step["offset"] for step in trace.select("committed")}
    assert last == {f"orders-{number}": stored[f"orders-{number}"] for number in range(3)}


def test_a_consumer_reads_on_at_the_new_leader():
    trace = consuming(Crash("broker-1", at=250), topics=REPLICATED, **BY_HAND)

    assert Counter(keys(trace, "processed")) == Counter(orders(20))


def test_a_consumer_waits_for_a_partition_without_a_leader_and_reads_the_others_meanwhile():
    topics = [KafkaTopic("orders", partitions=2)]
    crash = Crash("broker-2", at=250, restart_after=2_000)

    trace = consuming(crash, topics=topics, count=60, duration=6_000, **BY_HAND)

    while_away = {step["partition"] for step in trace.select("fetched") if 800 < step.time < 2_200}
    assert while_away == {"orders-0"}
    assert Counter(keys(trace, "processed")) == Counter(orders(60))


def test_a_lost_fetch_or_its_lost_answer_is_asked_again():
    for lost in (Drop("billing", "broker-1", kind="fetch", nth=3), Drop("broker-1", "billing", kind="records", nth=3)):
        trace = consuming(lost, **BY_HAND)

        assert [step.message.kind for step in trace.select("timed_out", node="billing")] == ["fetch"]
        assert keys(trace, "processed") == orders(20)


def test_an_answer_that_comes_after_the_question_was_given_up_is_ignored():
    trace = consuming(Slow("broker-1", "billing", kind="records", nth=3, by=350), **BY_HAND)

    assert ("records", "nobody waits for it") in {(step.message.kind, step["reason"]) for step in trace.select("ignored")}
    assert keys(trace, "processed") == orders(20)


def test_one_answer_serves_many_polls():
    trace = consuming(count=20, every=1, start_at=300, max_poll_records=2, **BY_HAND)

    fetches = {step.cause for step in trace.select("fetched")}
    assert keys(trace, "processed") == orders(20)
    assert len(fetches) == 1
    assert [offset for _, offset in places(trace, "committed")] == list(range(2, 21, 2))


def test_while_it_works_a_consumer_asks_for_no_more_than_it_asked_when_it_polled():
    trace = consuming(count=40, every=20, work=300, max_poll_records=2, **BY_HAND)

    asked = [step.time for step in trace.select("sent", node="billing") if step.message.kind == "fetch"]
    assert all(later - earlier > 1 for earlier, later in pairwise(asked))
    busy = [step.time for step in trace.select("started")]
    assert not [time for time in asked if any(begun < time < begun + 299 for begun in busy)]


def test_a_consumer_that_starts_late_is_not_there_before():
    trace = consuming(start_at=500)

    assert min(step.time for step in trace.select("sent", node="billing")) >= 500


def test_a_consumer_that_crashes_after_it_was_closed_stays_closed():
    trace = consuming(Crash("billing", at=900, restart_after=100), close_at=500)

    assert [step.time for step in trace.select("processed") if step.time > 900] == []


def test_a_preferred_leader_that_takes_the_lead_back_costs_nothing():
    trace = consuming(
        Cut("broker-1", "controller", during=Span(100, 900)), topics=REPLICATED, count=100, duration=5_000, **BY_HAND
    )

    assert Counter(keys(trace, "processed")) == Counter(orders(100))


def test_an_election_by_hand_moves_the_readers_too():
    billing = KafkaConsumer("billing", work=1, **BY_HAND, **SWIFT_READER)
    shop = KafkaProducer("shop", 20, count=150, linger_ms=0, **SWIFT_CLIENT)

    trace = swift(
        shop, billing, topics=REPLICATED, elections=[Election(2_000, "orders")],
        faults=[Crash("broker-1", at=300, restart_after=500)], duration=5_000,
    )  # fmt: skip

    served = [step.node for step in trace.select("sent") if step.message.kind == "records" and step.message.payload]
    assert set(served) == {"broker-1", "broker-2"}
    assert served[-1] == "broker-1"
    assert Counter(keys(trace, "processed")) == Counter(orders(150))
