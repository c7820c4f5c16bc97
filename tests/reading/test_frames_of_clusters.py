"""The state of a Kafka cluster at every step: equal to what brokers have on disk, and to what a coordinator reads there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from simulator import Crash
from simulator.engine import run_with_states
from simulator.reading.frames import Chip, Frame, apply, frames
from tests.reading.clusters import BROKERS, a_run, system
from tests.reading.written import Cluster


def replicas_of(states: dict) -> list[tuple[str, str, object]]:
    """(broker, partition, what the broker has of it on disk)."""
    names = list(states["controller"]["leadership"])
    return [(broker, names[number], kept) for broker in BROKERS for number, kept in states[broker]["partitions"].items()]


@settings(max_examples=15, deadline=None)
@given(a_run())
def test_what_is_folded_is_what_brokers_and_their_controller_keep(ran):
    trace, states = ran
    last = frames(trace)[-1]

    for broker, partition, kept in replicas_of(states):
        held = last[broker].get(f"log {partition}", {})
        assert {offset: chip.message for offset, chip in held.items()} == {entry.offset: entry.record for entry in kept.log}
        assert last[broker].get("high watermark", {}).get(partition, 0) == kept.replica.high_watermark
        check_transactions(held, kept)
    told = last["controller"]
    for partition, decided in states["controller"]["leadership"].items():
        assert (told["leader"][partition], told["epoch"][partition]) == (decided.leader or "nobody", decided.leader_epoch)
        assert told["in sync"][partition] == " ".join(decided.isr)
    for reader in ("invoicing", "billing-1", "billing-2"):
        assert last.processed(reader) == states[reader].get("processed", {})


def check_transactions(chips: dict[int, Chip], kept: object) -> None:
    """The chips of a log stand as the replica knows of its open and its aborted transactions."""
    records = [entry for entry in kept.log if entry.transactional and not entry.marker]
    aborted = kept.transactions.aborted(0, kept.log.end)
    is_open = {entry.producer_id for entry in records if kept.transactions.is_open(entry.producer_id)}
    ended = {entry.producer_id: entry.offset for entry in kept.log if entry.marker}

    assert {offset for offset, chip in chips.items() if chip.state == "waiting"} == {
        each.offset for each in records if each.producer_id in is_open and each.offset > ended.get(each.producer_id, -1)
    }
    assert {each.offset for each in records if chips[each.offset].state == "refused"} == {
        each.offset
        for each in records
        if any(gone.producer_id == each.producer_id and gone.first <= each.offset <= gone.last for gone in aborted)
    }


def test_edits_agree_with_the_frames_forwards_and_backwards():
    trace, _ = run_with_states(
        system(Crash("one", at=1_200, restart_after=300), least=1, unclean=True).but(duration=2_500), 5
    )
    every = frames(trace)
    state: dict = {}
    edits = list(every.edits())

    for index, step in enumerate(edits):
        apply(state, step)
        if index % 50 == 0:
            assert state == every[index].state
    for index in range(len(edits) - 1, 0, -1):
        apply(state, edits[index], backwards=True)
        if index % 50 == 1:
            assert state == every[index - 1].state


def coordinator(frame: Frame, partition: str = "__consumer_offsets-0") -> str:
    """The broker that leads a coordinator's partition, as it knows itself."""
    (leader,) = (broker for broker in BROKERS if frame[broker].get("leader", {}).get(partition) == broker)
    return leader


def test_a_new_coordinator_knows_what_the_old_one_knew():
    trace, _ = run_with_states(system(Crash("three", at=3_000)), 3)
    every = frames(trace)
    crash = next(trace.select("crashed")).index
    taking_over = next(
        step.index for step in trace.select("promoted") if step.index > crash and "offsets" in step["partition"]
    )

    before, after = every[crash - 1], every[taking_over]

    assert (coordinator(before), coordinator(after)) != ("three", "three")
    assert coordinator(before) == "three"
    assert not [name for name in every[crash]["three"] if name.startswith(("committed", "members", "group"))]
    for group in ("billing", "invoicing"):
        old, new = before.committed("three", group), after.committed(coordinator(after), group)
        assert old.keys() == new.keys()
        # A commit may have been in the log already, and was not confirmed.
        assert all(new[partition] >= offset for partition, offset in old.items())
        assert after[coordinator(after)][f"members {group}"] == before["three"][f"members {group}"]
        assert after[coordinator(after)][f"group {group}"]["state"] == "Stable"


def test_a_returning_broker_has_its_log_and_no_role_until_it_is_told():
    trace, _ = run_with_states(system(Crash("one", at=3_000, restart_after=500)), 3)
    every = frames(trace)
    restart = next(trace.select("restarted")).index

    assert (
        every[restart].log("one", "orders-0") == every[next(trace.select("crashed")).index - 1].log("one", "orders-0") != ()
    )
    assert {"leader", "epoch"}.isdisjoint(every[restart]["one"])
    assert every[restart]["one"]["high watermark"]["orders-0"] > 0
    assert every[-1]["one"]["leader"]["orders-0"] in BROKERS


def test_a_cut_takes_records_out_of_one_replica_and_its_mark_with_them():
    pen = Cluster()
    first, second = pen.order(10, "order-1", 0), pen.made(20, "order-2")
    pen.appended(21, second, 1)
    pen.advanced(22, 2, "one")
    pen(50, "truncated", "one", partition="orders-0", offset=1, records=1)
    again = pen.appended(60, second, 1)
    every = frames(pen.trace())

    assert every[again - 1].log("one", "orders-0") == every[again - 1].log("two", "orders-0") == (first.id,)
    assert every[again - 1]["one"]["high watermark"] == {"orders-0": 1}
    assert every[again]["one"]["log orders-0"][1] == Chip(second.id, "event")


def test_what_is_trimmed_or_compacted_leaves_the_other_offsets_as_they_are():
    pen = Cluster()
    orders = [pen.order(10 * place, f"order-{place}", place) for place in range(4)]
    trimmed = pen(50, "trimmed", "one", partition="orders-0", offset=1, records=1)
    compacted = pen(60, "compacted", "one", orders[2], partition="orders-0", offset=2)
    every = frames(pen.trace())

    assert list(every[trimmed]["one"]["log orders-0"]) == [1, 2, 3]
    assert every[trimmed]["one"]["log start"] == {"orders-0": 1}
    assert every[compacted].log("one", "orders-0") == (orders[1].id, orders[3].id)
    assert every[compacted].log("two", "orders-0") == tuple(order.id for order in orders)


@pytest.mark.parametrize(("commit", "record", "marker"), [(True, "event", "done"), (False, "refused", "refused")])
def test_a_transaction_s_record_waits_for_the_marker(commit, record, marker):
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen.batched(1, order, transaction=7)
    pen.stored(2, order, 0)
    ends = pen.marked(9, 7, 1, commit=commit)
    trace = pen.trace()
    every = frames(trace)
    at_marker = next(trace.select("marked")).index

    for broker in ("one", "two"):
        assert every[at_marker - 1][broker]["log orders-0"] == {0: Chip(order.id, "waiting")}
        assert every[-1][broker]["log orders-0"] == {0: Chip(order.id, record), 1: Chip(ends.id, marker)}


def test_a_transaction_whose_marker_is_cut_off_is_open_again():
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen.batched(1, order, transaction=7)
    pen.stored(2, order, 0)
    pen.marked(9, 7, 1, commit=True)
    pen(20, "truncated", "two", partition="orders-0", offset=1, records=1)
    last = frames(pen.trace())[-1]

    assert last["two"]["log orders-0"] == {0: Chip(order.id, "waiting")}
    assert last["one"]["log orders-0"][0].state == "event"


def test_a_batch_stands_for_its_records_where_its_producer_waits():
    pen = Cluster()
    orders = [pen.made(1, "order-1"), pen.made(1, "order-2")]
    request = pen.batched(2, *orders)
    sent = pen.sent(2, request)
    late = pen(90, "timed_out", "shop", request, to="one", attempt=1, outcome="indefinite")
    again = pen.sent(91, request, attempt=2)
    refused = pen(95, "failed", "shop", request, reason="NOT_LEADER_OR_FOLLOWER")
    pen.acknowledged(99, orders[0], 0)
    every = frames(pen.trace())

    looks = [{chip.state for chip in every[at]["shop"]["waiting"].values()} for at in (sent, late, again, refused)]

    assert looks == [{"waiting"}, {"unknown"}, {"waiting"}, {"refused"}]
    assert list(every[-1]["shop"]["waiting"]) == [orders[1].id]


def test_a_producer_that_wants_no_acknowledgement_forgets_what_it_has_sent():
    pen = Cluster(acks=0)
    order = pen.made(1, "order-1")
    waiting = frames(pen.trace())[-1]["shop"]["waiting"]
    request = pen.message("produce", payload=(0, 0, -1, -1, 0, -1, order.id))
    pen(2, "batched", "shop", request, partition="orders-0", records=1, bytes=100)

    assert list(waiting) == [order.id]
    assert "waiting" not in frames(pen.trace())[-1]["shop"]


def test_a_consumer_reads_what_it_was_assigned_until_it_gives_it_up():
    pen = Cluster()
    assigned = pen.assigned(5, "billing", -1)
    reset = pen(7, "reset", "billing", partition="orders-0", offset=4)
    pen(9, "revoked", "billing", partition="orders-0", group="billing", reason="the group is called together")
    every = frames(pen.trace())

    assert every[assigned]["billing"]["next"] == {"orders-0": "latest"}
    assert every[reset]["billing"]["next"] == {"orders-0": 4}
    assert "next" not in every[-1]["billing"]


def test_a_group_is_told_by_its_coordinator():
    pen = Cluster()
    pen(1, "admitted", "one", group="billing", member="member-1", consumer="billing")
    called = pen(1, "summoned", "one", group="billing", generation=0, reason="billing joins")
    agreed = pen(5, "rebalanced", "one", group="billing", generation=1, members=1)
    pen(90, "removed", "one", group="billing", member="member-1", reason="a member left")
    every = frames(pen.trace())

    assert every[called]["one"]["group billing"] == {"generation": 0, "state": "PreparingRebalance"}
    assert every[agreed]["one"]["group billing"] == {"generation": 1, "state": "Stable"}
    assert every[agreed]["one"]["members billing"] == {"member-1": "billing"}
    assert every[-1]["one"]["group billing"]["state"] == "Empty"


def test_a_transaction_is_told_by_its_coordinator():
    pen = Cluster()
    request = pen.message("init_producer", "till")
    pen(1, "identified", "one", request, producer=7, epoch=2, transaction="till")
    begun = pen(2, "begun", "one", transaction="till", producer=7, epoch=2)
    decided = pen(3, "decided", "one", transaction="till", outcome="commit", reason="its producer asked for it")
    pen(4, "concluded", "one", transaction="till", outcome="commit")
    every = frames(pen.trace())

    assert every[begun]["one"]["producers"] == {"till": "id 7, epoch 2"}
    assert every[begun]["one"]["transactions"] == {"till": "Ongoing"}
    assert every[decided]["one"]["transactions"] == {"till": "PrepareCommit"}
    assert "transactions" not in every[-1]["one"]


def test_a_node_that_ends_in_good_order_is_down_until_it_starts_again():
    pen = Cluster()
    stopped = pen(5, "stopped", "one")
    restarted = pen(9, "restarted", "one", incarnation=1)
    every = frames(pen.trace())

    assert [every[at].status("one") for at in (stopped - 1, stopped, restarted)] == ["up", "down", "up"]
    assert "leader" not in every[stopped]["one"]
