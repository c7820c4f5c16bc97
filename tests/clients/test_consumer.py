"""A consumer: fetch, work, commit; and what may be relied on when things go wrong."""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    Consumer,
    Crash,
    Cut,
    Drop,
    Duplicate,
    Link,
    ListedKeys,
    Pause,
    Producer,
    Scenario,
    Slow,
    Span,
    Topic,
    Trace,
    run,
)
from simulator.engine import run_with_states
from tests.strategies import link_faults, seeds

QUICK = {"work": 5, "auto_offset_reset": "earliest", "fetch_max_wait_ms": 50, "request_timeout_ms": 120}


def consuming(*faults: Any, records: int = 4, partitions: int = 1, duration: float = 3_000, **settings: Any) -> Trace:
    """Records come at 10, 20, 30 … ms to a topic; billing is 1 ms away from it and needs 5 ms for each."""
    return run(
        Scenario(
            [
                Producer("shop", 10, count=records, acks=0),
                Topic("orders", partitions),
                Consumer("billing", **(QUICK | settings)),
            ],
            [Link("shop", "orders", latency=0), Link("orders", "billing")],
            faults,
            duration=duration,
        )
    )


def keys(trace: Trace, kind: str = "processed", node: str = "billing") -> list[str]:
    return [str(step.message.key) for step in trace.select(kind, node=node)]


def offsets(trace: Trace, kind: str = "committed") -> list[int]:
    return [step["offset"] for step in trace.select(kind)]


def test_a_record_is_fetched_worked_on_and_committed():
    trace = consuming(records=1)

    (record,) = {step.message.id for step in trace.select("processed")}
    assert [(step.time, step.kind) for step in trace.select(message=record, node="billing")] == [
        (11, "fetched"), (11, "started"), (16, "processed"),
    ]  # fmt: skip
    assert [(step.time, step["offset"], step["group"]) for step in trace.select("committed")] == [(17, 1, "billing")]


def test_the_commit_follows_from_the_work_with_one_worker_and_with_several():
    for concurrency in (1, 3):
        trace = consuming(Pause("billing", at=5, lasting=100), concurrency=concurrency)

        for sent in trace.select("sent", node="billing"):
            if sent.message.kind == "commit":
                assert trace[sent.cause].kind == "processed"
                assert trace[sent.cause].time == sent.time


def test_a_consumer_begins_where_its_group_asks_to_and_says_so():
    late = Crash("billing", at=0, restart_after=100)

    earliest, latest = consuming(late), consuming(late, auto_offset_reset="latest", records=20)

    assert offsets(earliest, "assigned") == [0]
    assert keys(earliest) == [f"order-{n}" for n in range(1, 5)]
    assert offsets(latest, "assigned") == [10]
    assert keys(latest) == [f"order-{n}" for n in range(11, 21)]


def test_a_fetch_that_finds_nothing_is_asked_again_after_its_long_wait():
    trace = consuming(records=1)

    fetches = [step.time for step in trace.select("sent", node="billing") if step.message.kind == "fetch"]
    assert fetches[:4] == [2, 16, 68, 120]


def test_a_lost_fetch_or_a_lost_answer_is_asked_again():
    for lost in (Drop("billing", "orders", kind="fetch", nth=2), Drop("orders", "billing", kind="records", nth=2)):
        trace = consuming(lost)

        assert len(list(trace.select("timed_out", node="billing"))) == 1
        assert keys(trace) == [f"order-{n}" for n in range(1, 5)]


def test_a_lost_question_about_offsets_is_asked_again():
    trace = consuming(Drop("billing", "orders", kind="offsets", nth=1))

    assert [step.time for step in trace.select("assigned")] == [122]
    assert keys(trace) == [f"order-{n}" for n in range(1, 5)]


def test_an_answer_that_nobody_waits_for_any_more_is_ignored_and_read_again():
    trace = consuming(Slow("orders", "billing", kind="records", nth=2, by=200))

    assert [(step.message.kind, step["reason"]) for step in trace.select("ignored")] == [("records", "nobody waits for it")]
    assert Counter(keys(trace)) == {f"order-{n}": 1 for n in range(1, 5)}


def test_a_copy_of_an_answer_is_ignored():
    trace = consuming(Duplicate("orders", "billing", after=3))

    assert Counter(keys(trace)) == {f"order-{n}": 1 for n in range(1, 5)}
    assert {step.message.kind for step in trace.select("ignored")} == {"offsets", "records"}


def test_a_lost_commit_alone_does_no_harm():
    trace = consuming(Drop("billing", "orders", kind="commit", nth=2))

    assert Counter(keys(trace)) == {f"order-{n}": 1 for n in range(1, 5)}
    assert offsets(trace)[-1] == 4


def test_a_lost_commit_and_a_crash_make_the_work_happen_again():
    trace = consuming(Drop("billing", "orders", kind="commit", nth=2), Crash("billing", at=27, restart_after=10), records=2)

    assert [(step.message.key, step["attempt"]) for step in trace.select("processed")] == [
        ("order-1", 1), ("order-2", 1), ("order-2", 2),
    ]  # fmt: skip


def test_a_crash_right_after_the_work_comes_before_the_commit():
    trace = consuming(Crash("billing", after="processed", nth=2, restart_after=10))

    (crashed,) = trace.select("crashed")
    assert trace[crashed.cause].kind == "processed"
    assert [step["offset"] for step in trace.select("assigned")] == [0, 1]
    assert Counter(keys(trace))["order-2"] == 2


def test_a_synchronous_commit_is_sent_until_it_is_stored():
    lost, unheard = Drop("billing", "orders", kind="commit", nth=1), Drop("orders", "billing", kind="commit_ack", nth=1)
    trace = consuming(lost, unheard, commit_sync=True)

    assert offsets(trace)[:2] == [1, 1]
    assert len(list(trace.select("timed_out"))) == 2
    assert Counter(keys(trace)) == {f"order-{n}": 1 for n in range(1, 5)}


def test_a_commit_before_the_work_is_stored_before_the_work_begins():
    trace = consuming(commit="before")

    for started in trace.select("started"):
        stored = [step["offset"] for step in trace.select("committed") if step.time <= started.time]
        (fetched,) = trace.select("fetched", message=started.message.id)
        assert max(stored) > fetched["offset"]


def test_a_crash_between_commit_and_work_skips_the_work():
    trace = consuming(Crash("billing", after="started", nth=2, restart_after=10), commit="before")

    assert keys(trace) == ["order-1", "order-3", "order-4"]


def test_an_idempotent_consumer_skips_what_it_has_done_even_after_a_crash():
    trace = consuming(Crash("billing", after="processed", nth=2, restart_after=10), idempotent=True)

    assert Counter(keys(trace)) == {f"order-{n}": 1 for n in range(1, 5)}
    assert [(step.message.key, step["reason"]) for step in trace.select("skipped")] == [("order-2", "processed before")]


def test_idempotent_workers_with_copies_of_one_record_in_hand_do_it_once():
    trace = consuming(
        Duplicate("shop", "orders", after=0), Pause("billing", at=5, lasting=100), idempotent=True, concurrency=8, records=3
    )

    assert sorted(keys(trace)) == ["order-1", "order-2", "order-3"]
    assert sorted(keys(trace, "skipped")) == ["order-1", "order-2", "order-3"]


def test_a_consumer_works_on_as_many_records_at_a_time_as_it_may():
    def busy(concurrency: int) -> list[float]:
        trace = consuming(Crash("billing", at=0, restart_after=100), concurrency=concurrency, records=6)
        return [step.time for step in trace.select("processed")]

    assert busy(1) == [109, 114, 119, 124, 129, 134]
    assert busy(2) == [109, 109, 114, 114, 119, 119]
    assert busy(4) == [109, 109, 109, 109, 114, 114]
    assert busy(100) == [109] * 6


def test_workers_have_numbers():
    trace = consuming(Crash("billing", at=0, restart_after=100), concurrency=3, records=4)

    assert [step["worker"] for step in trace.select("started")] == [0, 1, 2, 0]


def test_a_fetch_brings_no_more_than_max_poll_records():
    trace = consuming(Crash("billing", at=0, restart_after=100), max_poll_records=2, records=5)

    assert offsets(trace) == [2, 4, 5]


def test_a_busy_partition_does_not_starve_the_others():
    trace = consuming(
        Crash("billing", at=0, restart_after=500), partitions=2, records=40, max_poll_records=5, duration=2_000
    )

    first_reads = [step["partition"] for step in trace.select("fetched")][:10]
    assert Counter(first_reads) == {0: 5, 1: 5}


def group(*members: str, partitions: int = 4, **settings: Any) -> Trace:
    return run(
        Scenario(
            [
                Producer("shop", 5, count=60, acks=0),
                Topic("orders", partitions),
                *(Consumer(name, group="team", **(QUICK | settings)) for name in members),
            ],
            [Link("shop", "orders"), *(Link("orders", name) for name in members)],
            duration=3_000,
        )
    )


def test_the_members_of_a_group_share_the_partitions_and_do_each_record_once():
    trace = group("ann", "bob", "cid")

    shares = {name: [step["partition"] for step in trace.select("assigned", node=name)] for name in ("ann", "bob", "cid")}
    assert shares == {"ann": [0, 1], "bob": [2], "cid": [3]}
    assert Counter(step.message.key for step in trace.select("processed")) == {f"order-{n}": 1 for n in range(1, 61)}


def test_more_members_than_partitions_leave_some_idle():
    trace = group("ann", "bob", "cid", partitions=2)

    assert keys(trace, node="cid") == []
    assert len(list(trace.select("processed"))) == 60


def test_two_groups_each_get_every_record():
    trace = run(
        Scenario(
            [
                Producer("shop", 10, count=5, acks=0),
                Topic("orders"),
                Consumer("billing", **QUICK),
                Consumer("email", **QUICK),
            ],
            [Link("shop", "orders"), Link("orders", "billing"), Link("orders", "email")],
            duration=1_000,
        )
    )

    assert keys(trace, node="billing") == keys(trace, node="email") == [f"order-{n}" for n in range(1, 6)]


def test_groups_of_the_same_name_at_different_topics_do_not_share():
    scenario = Scenario(
        [Topic("orders", 2), Topic("payments", 2), Consumer("a", group="team"), Consumer("b", group="team")],
        [Link("orders", "a"), Link("payments", "b")],
        duration=100,
    )

    assigned = [(step.node, step["partition"]) for step in run(scenario).select("assigned")]
    assert assigned == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


def test_a_consumers_durable_state_counts_how_often_it_did_each_record():
    scenario = consuming(records=2).scenario.but(faults=[Crash("billing", after="processed", nth=2, restart_after=10)])

    trace, states = run_with_states(scenario)

    times = Counter(step.message.id for step in trace.select("processed"))
    assert states["billing"] == {"processed": dict(times)}
    assert sorted(times.values()) == [1, 2]


UNTIL = 800
"""Whatever goes wrong begins before; afterwards there is time enough to recover."""

spells = st.builds(lambda start, lasting: Span(start, start + lasting), st.integers(0, UNTIL), st.integers(1, 200))
KINDS = ("OrderCreated", "offsets", "fetch", "records", "commit", "commit_ack")


def losses(one: str, other: str) -> st.SearchStrategy[Any]:
    """Drops and cuts, either way, that come to an end."""
    ends = st.sampled_from([(one, other), (other, one)])
    dropped = st.builds(
        lambda ends, kind, during, chance: Drop(*ends, kind=kind, during=during, probability=chance),
        ends, st.none() | st.sampled_from(KINDS), spells, st.sampled_from([0.3, 1.0]),
    )  # fmt: skip
    return st.one_of(dropped, st.builds(lambda ends, during: Cut(*ends, during=during), ends, spells))


def stumbles(node: str, *kinds: str) -> st.SearchStrategy[Any]:
    """Crashes that are followed by a restart, and pauses."""
    when = st.one_of(
        st.builds(lambda at: {"at": at}, st.integers(0, UNTIL)),
        st.builds(lambda after, nth: {"after": after, "nth": nth}, st.sampled_from(kinds), st.integers(1, 12)),
    )
    return st.one_of(
        st.builds(lambda when, again: Crash(node, restart_after=again, **when), when, st.integers(0, 150)),
        st.builds(lambda when, lasting: Pause(node, lasting=lasting, **when), when, st.integers(1, 150)),
    )


READS = ("delivered", "fetched", "started", "processed", "sent", "assigned", "restarted")
everything = st.lists(
    st.one_of(
        losses("shop", "orders"),
        losses("orders", "billing"),
        link_faults("orders", "billing", *KINDS),
        stumbles("billing", *READS),
        stumbles("billing", *READS),
        stumbles("orders", "appended", "committed", "sent"),
    ),
    max_size=6,
)


def with_trouble(faults: list[Any], seed: int, ordered: bool = False, acks: Any = "all", **settings: Any) -> Trace:
    """30 records in the first 600 ms, and time enough to recover from whatever goes wrong."""
    shop = Producer(
        "shop", 20, count=30, acks=acks, keys=ListedKeys(["x", "y", "z"]), request_timeout_ms=60, retry_backoff_ms=20,
    )  # fmt: skip
    return run(
        Scenario(
            [shop, Topic("orders", 2), Consumer("billing", **(QUICK | settings))],
            [Link("shop", "orders", ordered=ordered), Link("orders", "billing", ordered=ordered)],
            faults,
            duration=12_000,
        ),
        seed,
    )


def passing(fault: Any) -> Any:
    """The same fault, but over at some time."""
    lasting = isinstance(fault, Crash | Pause) or fault.during is not None or fault.nth is not None
    return fault if lasting else evolve(fault, during=Span(0, UNTIL))


@settings(max_examples=100)
@given(everything, seeds, st.integers(1, 3), st.booleans(), st.sampled_from([1, 4, 500]))
def test_a_commit_after_the_work_never_loses_a_record(faults: list[Any], seed: int, concurrency: int, sync: bool, most: int):
    trace = with_trouble(list(map(passing, faults)), seed, concurrency=concurrency, commit_sync=sync, max_poll_records=most)

    appended = {step.message.id for step in trace.select("appended")}
    processed = {step.message.id for step in trace.select("processed")}
    assert processed == appended


@settings(max_examples=100)
@given(everything, seeds, st.integers(1, 3), st.sampled_from([1, 4, 500]))
def test_a_commit_before_the_work_never_repeats_it(faults: list[Any], seed: int, concurrency: int, most: int):
    """Over ordered links, as TCP gives: over others an old commit may overtake a new one and take the group back."""
    once = [fault for fault in faults if getattr(fault, "source", "") != "shop"]

    trace = with_trouble(once, seed, ordered=True, acks=0, commit="before", concurrency=concurrency, max_poll_records=most)

    assert set(Counter(step.message.id for step in trace.select("processed")).values()) <= {1}


@settings(max_examples=100)
@given(everything, seeds, st.sampled_from(["after", "before"]), st.integers(1, 4))
def test_an_idempotent_consumer_has_each_effect_once(faults: list[Any], seed: int, commit: str, concurrency: int):
    trace = with_trouble(faults, seed, commit=commit, idempotent=True, concurrency=concurrency)

    assert set(Counter(step.message.id for step in trace.select("processed")).values()) <= {1}


@settings(max_examples=60)
@given(everything, seeds, st.sampled_from(["after", "before"]))
def test_one_worker_keeps_the_order_of_each_key_where_nobody_sends_again(faults: list[Any], seed: int, commit: str):
    undisturbed = [
        fault for fault in faults if getattr(fault, "source", "") != "shop" and getattr(fault, "target", "") != "shop"
    ]

    trace = with_trouble(undisturbed, seed, ordered=True, acks=0, commit=commit)

    first_effects: dict[str, list[int]] = {}
    for step in trace.select("processed"):
        done = first_effects.setdefault(step.message.key, [])
        if step.message.id not in done:
            done.append(step.message.id)
    assert all(done == sorted(done) for done in first_effects.values())


def test_the_guarantees_are_not_empty_things_do_go_wrong():
    """Each of the three can be broken by the fault that it is about, where it is not promised."""
    crash = Crash("billing", after="processed", nth=5, restart_after=10)
    begun = Crash("billing", after="started", nth=5, restart_after=10)

    repeated = with_trouble([crash], 1)
    skipped = with_trouble([begun], 1, commit="before")
    sent_twice = with_trouble([Drop("orders", "shop", kind="ack", nth=3)], 1)

    assert max(Counter(step.message.id for step in repeated.select("processed")).values()) == 2
    assert len({step.message.id for step in skipped.select("processed")}) < 30
    assert max(Counter(step.message.id for step in sent_twice.select("processed")).values()) == 2


def test_retries_can_break_the_order_of_a_key():
    trace = with_trouble([Drop("shop", "orders", kind="OrderCreated", nth=1)], 1)

    of_x = [step.message.id for step in trace.select("processed") if step.message.key == "x"]
    assert of_x != sorted(of_x)


def test_a_consumer_that_is_down_for_good_leaves_its_records_to_nobody():
    trace = consuming(Crash("billing", at=25))

    assert keys(trace) == ["order-1"]
