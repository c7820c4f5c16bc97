"""A Kafka consumer group in runs: who reads which partition, and what becomes of that when members come, go, or are slow."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from attrs import evolve

from simulator import Crash, Cut, Drop, Duplicate, KafkaConsumer, KafkaProducer, KafkaTopic, Pause, Slow, Span, Trace
from tests.kafka import SWIFT, SWIFT_CLIENT, SWIFT_READER, keys, orders, swift

COORDINATOR = "broker-3"


def member(name: str, **settings: Any) -> KafkaConsumer:
    return KafkaConsumer(name, **{"group": "billing", "work": 5, "enable_auto_commit": False, **SWIFT_READER, **settings})


def shop(count: int = 100, every: float = 20) -> KafkaProducer:
    return KafkaProducer("shop", every, count=count, linger_ms=0, **SWIFT_CLIENT)


def group(*members: KafkaConsumer, partitions: int = 4, count: int = 100, duration: float = 4_000, **how: Any) -> Trace:
    topics = [KafkaTopic("orders", partitions, replication_factor=3, min_insync_replicas=2)]
    return swift(shop(count), *members, topics=topics, duration=duration, **how)


def reading(trace: Trace, at: float) -> dict[str, set[str]]:
    """What each consumer reads at a time."""
    held: dict[str, set[str]] = {}
    for step in trace.select("assigned", "revoked", "crashed"):
        if step.time > at:
            break
        mine = held.setdefault(step.node, set())
        if step.kind == "crashed":
            mine.clear()
        elif step.kind == "assigned":
            mine.add(step["partition"])
        else:
            mine.discard(step["partition"])
    return {name: mine for name, mine in held.items() if mine}


def idle(trace: Trace, node: str, since: float) -> float:
    """For how long a consumer had no partition at a time, at most, after a moment."""
    held, longest, empty = set(), 0.0, None
    for step in trace.select("assigned", "revoked", node=node):
        (held.add if step.kind == "assigned" else held.discard)(step["partition"])
        if empty is not None and held and step.time > since:
            longest = max(longest, step.time - max(empty, since))
        empty = None if held else (step.time if empty is None else empty)
    return longest


def moved(trace: Trace, since: float) -> list[str]:
    return [step["partition"] for step in trace.select("revoked") if step.time > since]


def all_of(partitions: int) -> set[str]:
    return {f"orders-{number}" for number in range(partitions)}


def test_the_members_of_a_group_share_the_partitions_and_each_record_is_worked_on_once():
    trace = group(member("a"), member("b"))

    shares = reading(trace, at=3_000)
    assert shares["a"] | shares["b"] == all_of(4)
    assert len(shares["a"]) == len(shares["b"]) == 2
    assert Counter(keys(trace, "processed")) == Counter(orders(100))


def test_groups_read_independently_of_each_other():
    trace = group(member("a"), member("other", group="shipping"))

    assert Counter(keys(trace, "processed", "a")) == Counter(keys(trace, "processed", "other")) == Counter(orders(100))


def test_consumers_beyond_the_partitions_read_nothing():
    trace = group(*(member(name) for name in "abc"), partitions=2)

    assert len(reading(trace, at=3_000)) == 2
    assert Counter(keys(trace, "processed")) == Counter(orders(100))


def test_a_consumer_of_several_topics_reads_them_all():
    topics = [KafkaTopic("orders", 2, replication_factor=3), KafkaTopic("payments", 2, replication_factor=3)]
    till = KafkaProducer("till", 20, topic="payments", count=50, linger_ms=0, **SWIFT_CLIENT)

    trace = swift(
        shop(50),
        till,
        member("a", topics=["orders", "payments"]),
        member("b", topics="payments"),
        topics=topics,
        duration=4_000,
    )

    places = reading(trace, at=3_000)
    assert places["a"] | places["b"] == {"orders-0", "orders-1", "payments-0", "payments-1"}
    assert {place.split("-")[0] for place in places["b"]} == {"payments"}
    assert Counter(keys(trace, "processed")) == Counter(orders(50)) + Counter(orders(50))


def test_a_member_that_joins_takes_its_share():
    trace = group(member("a"), member("b", start_at=1_000))

    assert reading(trace, at=900) == {"a": all_of(4)}
    assert {name: len(held) for name, held in reading(trace, at=3_000).items()} == {"a": 2, "b": 2}
    assert Counter(keys(trace, "processed")) == Counter(orders(100))


def test_a_member_that_is_closed_finishes_its_work_commits_and_is_replaced_at_once():
    trace = group(member("a"), member("b", close_at=1_000, work=50))

    left = next(trace.select("stopped", node="b")).time
    assert left < 1_600
    assert reading(trace, at=left + 500) == {"a": all_of(4)}
    assert [step["reason"] for step in trace.select("removed")] == ["a member left"]
    assert Counter(keys(trace, "processed")) == Counter(orders(100))


def test_a_member_that_crashes_is_missed_after_its_session_time_out():
    trace = group(member("a"), member("b"), faults=[Crash("b", at=1_000)])

    (out,) = trace.select("removed")
    assert 1_700 < out.time < 2_100
    assert out["reason"] == "a member's time was over"
    assert reading(trace, at=3_000) == {"a": all_of(4)}
    assert set(keys(trace, "processed")) == set(orders(100))


def test_a_member_that_crashes_and_returns_is_a_stranger():
    trace = group(member("a"), member("b"), faults=[Crash("b", at=1_000, restart_after=200)])

    assert [step["member"] for step in trace.select("admitted") if step["consumer"] == "b"] == ["b-2", "b-3"]
    assert {name: len(held) for name, held in reading(trace, at=3_900).items()} == {"a": 2, "b": 2}


def test_a_member_that_works_for_too_long_leaves_and_its_commit_is_refused():
    slow = member("b", work=300, max_poll_records=10, max_poll_interval_ms=1_000)

    trace = group(member("a"), slow, count=50, duration=8_000)

    assert "a member left" in {step["reason"] for step in trace.select("removed")}
    assert "lost" in {step["reason"] for step in trace.select("revoked", node="b")}
    assert max(Counter(keys(trace, "processed")).values()) > 1
    assert set(keys(trace, "processed")) == set(orders(50))


def test_a_consumer_that_waits_for_records_is_never_late_for_a_poll():
    quiet = [
        Cut(name, broker, during=Span(500, 2_000)) for name in ("shop",) for broker in ("broker-1", "broker-2", COORDINATOR)
    ]

    trace = group(member("a", max_poll_interval_ms=300), member("b", max_poll_interval_ms=300), faults=quiet)

    assert list(trace.select("removed")) == []


def test_a_zombie_that_wakes_up_can_no_longer_commit():
    trace = group(member("a"), member("b", max_poll_records=1), faults=[Pause("b", after="started", nth=10, lasting=2_000)])

    woken = next(trace.select("resumed", node="b")).time
    done = next(step for step in trace.select("processed", node="b") if step.time >= woken)
    assert {step["reason"] for step in trace.select("revoked", node="b")} >= {"lost"}
    assert Counter(keys(trace, "processed"))[done.message.key] == 2
    committed = [step for step in trace.select("committed") if step.message is not None]
    assert all(step["offset"] >= before["offset"] for before, step in _in_turn(committed))


def _in_turn(steps: list[Any]) -> list[tuple[Any, Any]]:
    """Successive commits of the same partition."""
    return [
        (one, other)
        for name in {step["partition"] for step in steps}
        for one, other in zip(
            [step for step in steps if step["partition"] == name],
            [step for step in steps if step["partition"] == name][1:],
            strict=False,
        )
    ]


def test_an_eager_group_gives_up_everything_and_a_cooperative_one_only_what_moves():
    eager, cooperative = (
        group(
            member("a", partition_assignment_strategy=assignor),
            member("b", partition_assignment_strategy=assignor),
            member("c", partition_assignment_strategy=assignor, start_at=1_000),
            partitions=6,
        )
        for assignor in ("range", "cooperative-sticky")
    )

    assert sorted(moved(eager, since=1_000)) == sorted(all_of(6))
    assert len(moved(cooperative, since=1_000)) == 2
    for trace in (eager, cooperative):
        assert {name: len(held) for name, held in reading(trace, at=3_900).items()} == {"a": 2, "b": 2, "c": 2}


def test_in_an_eager_rebalance_nobody_reads_until_the_slowest_is_there_and_in_a_cooperative_one_they_go_on():
    def stops(assignor: str) -> float:
        slow = member("a", work=250, max_poll_records=10, partition_assignment_strategy=assignor)
        quick = member("b", partition_assignment_strategy=assignor)
        late = member("c", partition_assignment_strategy=assignor, start_at=1_500)
        return idle(group(slow, quick, late, duration=12_000), "b", since=1_500)

    assert stops("range") > 200
    assert stops("cooperative-sticky") == 0


def test_a_slow_cooperative_leader_holds_the_new_assignment_up_until_it_polls():
    """It decides who reads what, and it does so when its application comes for the next records."""
    slow = member("a", work=150, max_poll_records=10, partition_assignment_strategy="cooperative-sticky")
    late = member("b", partition_assignment_strategy="cooperative-sticky", start_at=1_000)

    trace = group(slow, late, duration=8_000)

    called = next(step.time for step in trace.select("summoned") if step.time > 1_000)
    shared = next(step.time for step in trace.select("rebalanced") if step.time > called)
    polled = [step.time for step in trace.select("fetched", node="a") if called < step.time <= shared]
    assert shared - called > 500
    assert polled


def test_the_eager_sticky_assignor_moves_no_more_than_it_must():
    trace = group(*(member(name, partition_assignment_strategy="sticky") for name in "ab"),
                  member("c", partition_assignment_strategy="sticky", start_at=1_000), partitions=6)  # fmt: skip

    before, after = reading(trace, at=950), reading(trace, at=3_900)
    assert all(len(before[name] & after[name]) == 2 for name in "ab")
    assert {name: len(held) for name, held in after.items()} == {"a": 2, "b": 2, "c": 2}


def test_members_with_several_assignors_take_the_one_that_all_know():
    trace = group(member("a", partition_assignment_strategy=["range", "roundrobin"]),
                  member("b", partition_assignment_strategy=["roundrobin"]))  # fmt: skip

    assert {step["assignor"] for step in trace.select("joined")} == {"roundrobin"}


def test_a_member_that_no_assignor_joins_with_the_others_fails():
    trace = group(member("a", partition_assignment_strategy="range"),
                  member("b", partition_assignment_strategy="sticky", start_at=500))  # fmt: skip

    assert [(step.node, step["reason"]) for step in trace.select("failed")] == [("b", "INCONSISTENT_GROUP_PROTOCOL")]
    assert [step.node for step in trace.select("stopped")] == ["b"]
    assert Counter(keys(trace, "processed", "a")) == Counter(orders(100))


def test_a_member_that_finds_no_place_in_a_full_group_fails():
    brokers = [evolve(broker, group_max_size=1) for broker in SWIFT]

    trace = group(member("a"), member("b", start_at=500), brokers=brokers)

    assert [(step.node, step["reason"]) for step in trace.select("failed")] == [("b", "GROUP_MAX_SIZE_REACHED")]
    assert reading(trace, at=3_000) == {"a": all_of(4)}


def test_a_cooperative_member_commits_nothing_while_it_waits_for_its_new_assignment_and_makes_up_for_it():
    """Its group's leader is slow, so for a second and more it reads on without being able to commit (``generationIfStable``)."""
    cooperative = {"partition_assignment_strategy": "cooperative-sticky"}
    slow = member("a", work=150, max_poll_records=10, **cooperative)

    trace = group(slow, member("b", **cooperative), member("c", start_at=1_000, **cooperative), count=250, duration=25_000)

    joined = next(step.time for step in trace.select("joined", node="b") if step.time > 1_000)
    shared = next(step.time for step in trace.select("rebalanced") if step.time > joined)
    commits = [step.time for step in trace.select("sent", node="b") if step.message.kind == "commit"]
    assert [time for time in commits if joined < time < shared] == []
    assert [step for step in trace.select("processed", node="b") if joined < step.time < shared]
    assert set(keys(trace, "processed")) == set(orders(250))


def test_a_static_member_that_restarts_within_its_session_gets_its_partitions_back_without_a_rebalance():
    static = [member(name, group_instance_id=f"till-{name}") for name in "ab"]

    trace = group(*static, faults=[Crash("b", at=1_000, restart_after=300)])

    assert reading(trace, at=900) == reading(trace, at=3_000)
    assert len([step for step in trace.select("summoned") if step.time > 1_000]) == 0
    assert len(list(trace.select("rebalanced"))) == 1
    assert set(keys(trace, "processed")) == set(orders(100))


def test_a_static_member_that_stays_away_is_out_when_its_session_ends():
    static = [member(name, group_instance_id=f"till-{name}") for name in "ab"]

    trace = group(*static, faults=[Crash("b", at=1_000)])

    assert reading(trace, at=1_700) == {"a": reading(trace, at=900)["a"]}
    assert reading(trace, at=3_000) == {"a": all_of(4)}


def test_a_static_member_that_is_closed_keeps_its_place_until_its_session_ends():
    static = [member("a", group_instance_id="one"), member("b", group_instance_id="two", close_at=1_000)]

    trace = group(*static)

    (out,) = trace.select("removed")
    assert out["reason"] == "a member's time was over"
    assert out.time > next(trace.select("stopped")).time + 700


def test_a_static_member_that_does_not_poll_keeps_its_place_until_its_session_ends():
    slow = member("b", group_instance_id="two", work=300, max_poll_records=5, max_poll_interval_ms=600)

    trace = group(member("a", group_instance_id="one"), slow, count=40, duration=6_000)

    assert {step["reason"] for step in trace.select("removed")} <= {"another took its place", "a member's time was over"}
    assert "lost" in {step["reason"] for step in trace.select("revoked", node="b")}


def test_the_first_of_two_consumers_with_one_instance_id_is_fenced_and_stops():
    trace = group(member("a", group_instance_id="till"), member("b", group_instance_id="till", start_at=1_000))

    assert [(step.node, step["reason"]) for step in trace.select("failed")] == [("a", "FENCED_INSTANCE_ID")]
    assert [step.node for step in trace.select("stopped")] == ["a"]
    assert reading(trace, at=3_000) == {"b": all_of(4)}
    assert set(keys(trace, "processed")) == set(orders(100))


@pytest.mark.parametrize("kind", ["join", "sync", "group_heartbeat", "commit", "commit_ack", "offsets", "leave", "metadata"])
@pytest.mark.parametrize("way", [Drop, Duplicate])
@pytest.mark.parametrize("instance", [None, "till"])
def test_whatever_gets_lost_or_comes_twice_the_group_ends_well(kind, way, instance):
    faults = [way(*ends, kind=kind, nth=nth) for ends in ((COORDINATOR, "b"), ("b", COORDINATOR)) for nth in (1, 3)]

    trace = group(
        member("a"),
        member("b", group_instance_id=instance),
        member("c", start_at=800, close_at=1_500),
        faults=faults,
        duration=6_000,
    )

    assert {name: len(held) for name, held in reading(trace, at=5_900).items()} == {"a": 2, "b": 2}
    assert set(keys(trace, "processed")) == set(orders(100))
    assert list(trace.select("failed")) == []


@pytest.mark.parametrize("assignor", ["range", "cooperative-sticky"])
def test_a_group_outlives_its_coordinator(assignor):
    members = [member(name, partition_assignment_strategy=assignor) for name in "ab"]

    trace = group(*members, faults=[Crash(COORDINATOR, at=1_000)], duration=6_000)

    after = [step.node for step in trace.select("committed") if step.time > 2_000]
    assert set(after) == {"broker-1"}
    assert list(trace.select("removed")) == []
    assert len(list(trace.select("rebalanced"))) == 1
    assert Counter(keys(trace, "processed")) == Counter(orders(100))


def test_a_coordinator_that_crashes_in_the_middle_of_a_rebalance_is_replaced_by_one_that_knows_what_was_told():
    for moment in ("summoned", "rebalanced", "admitted"):
        members = [member("a"), member("b"), member("c", start_at=1_000)]

        trace = group(*members, faults=[Crash(COORDINATOR, after=moment, nth=2)], duration=8_000)

        shares = [len(held) for held in reading(trace, at=7_900).values()]
        assert sum(shares) == 4
        assert set(keys(trace, "processed")) == set(orders(100))


def test_a_coordinator_that_hands_over_in_good_order_tells_those_who_wait_to_ask_another():
    """A member waits for its partitions when the coordinator is shut down: it joins at the new one at once."""
    brokers = list(SWIFT)
    brokers[2] = evolve(brokers[2], shut_down_at=1_020)
    late = member("b", start_at=1_000, request_timeout_ms=20_000)

    trace = group(member("a", work=300, request_timeout_ms=20_000), late, brokers=brokers, duration=6_000)

    assert {step.node for step in trace.select("joined") if step.time > 1_100} == {"a", "b"}
    assert min(step.time for step in trace.select("assigned", node="b")) < 4_000


def test_without_a_replica_of_the_offsets_the_group_waits_for_its_coordinator_to_return():
    lone = SWIFT[:1]
    crash = Crash("broker-1", at=1_000, restart_after=1_000)

    trace = swift(shop(), member("a"), topics=[KafkaTopic("orders", 2)], brokers=lone, faults=[crash], duration=6_000)

    assert set(keys(trace, "processed")) == set(orders(100))
    assert {step.node for step in trace.select("committed")} == {"broker-1"}


def test_members_of_a_generation_never_share_a_partition():
    trace = group(member("a"), member("b"), member("c", start_at=700), member("d", start_at=1_300), partitions=6,
                  faults=[Crash("b", at=1_500, restart_after=100), Slow("a", COORDINATOR, by=60)], duration=6_000)  # fmt: skip

    held: dict[str, str] = {}
    for step in trace.select("assigned", "revoked"):
        if step.kind == "revoked":
            held.pop(step["partition"], None)
        else:
            assert held.get(step["partition"], "b") in (step.node, "b")
            held[step["partition"]] = step.node
