from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.brokers.log.elections import Controller, Leadership
from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.replicas import Acks, FetchRequest, Replica
from simulator.brokers.log.retention import Log
from simulator.reading.anomalies import find
from simulator.reading.histories import Operation, Poll, Send
from tests.brokers.log.cluster import BROKERS, Cluster, Doing


def led(isr: tuple[str, ...] = BROKERS, **settings: int) -> Replica:
    """Broker a, leading in epoch 1 since the time 0."""
    leader = Replica("a", BROKERS, **settings)  # type: ignore[arg-type]
    leader.learn(0, Leadership("a", 1, isr))
    return leader


def follower(log: list[Entry] | None = None, name: str = "b") -> Replica:
    replica = Replica(name, BROKERS, log=log or [])
    replica.learn(0, Leadership("a", 1, BROKERS))
    return replica


def test_consumers_read_only_what_all_in_sync_replicas_have() -> None:
    leader, b, c = led(), follower(), follower(name="c")
    leader.append(["x", "y"])

    before = leader.read(0)
    for replica in (b, c, b, c):
        replica.take(leader.answer(0, replica.request()))

    assert before == ()
    assert [entry.record for entry in leader.read(0)] == ["x", "y"]


def test_a_follower_learns_the_high_watermark_one_fetch_later() -> None:
    leader, b = led(("a", "b")), follower()
    leader.append(["x"])

    marks = []
    for _ in range(3):
        b.take(leader.answer(0, b.request()))
        marks.append((leader.high_watermark, b.high_watermark))

    assert marks == [(0, 0), (1, 0), (1, 1)]


def test_acks_all_is_refused_with_too_few_in_sync_and_acks_1_is_stored_unread() -> None:
    leader = led(("a",), min_insync_replicas=2)

    with pytest.raises(Refused, match="NOT_ENOUGH_REPLICAS: 1 in sync"):
        leader.append(["x"], "all")
    leader.append(["y"], 1)

    assert (leader.end, leader.read(0)) == (1, ())


def test_a_write_whose_replicas_fall_out_of_sync_before_it_is_committed_waits() -> None:
    leader = led(("a", "b"), min_insync_replicas=2)
    offset = leader.append(["x"])

    leader.learn(1, Leadership("a", 1, ("a",), 1))

    assert leader.outcome(offset) is None


def test_a_write_that_is_committed_when_the_set_has_shrunk_is_told_so() -> None:
    leader, b = led(("a", "b"), min_insync_replicas=2), follower()
    offset = leader.append(["x"])
    for _ in range(2):
        b.take(leader.answer(0, b.request()))

    leader.learn(1, Leadership("a", 1, ("a",), 1))

    assert leader.outcome(offset) == "NOT_ENOUGH_REPLICAS_AFTER_APPEND"


def test_a_slow_replica_leaves_the_set_after_the_lag_time_and_comes_back_with_everything() -> None:
    leader, b, c = led(replica_lag_time_max_ms=100), follower(), follower(name="c")
    leader.append(["x"])
    for now in (50, 60):
        b.take(leader.answer(now, b.request()))

    early, late = leader.shrink(100), leader.shrink(101)
    leader.learn(101, Leadership("a", 1, ("a", "b"), 1))
    for now in (110, 120):
        c.take(leader.answer(now, c.request()))
    again = leader.expand("c")

    assert (early, late, again) == (None, ("a", "b"), BROKERS)


def test_an_idle_replica_that_has_everything_stays_in_the_set() -> None:
    leader, b = led(("a", "b"), replica_lag_time_max_ms=100), follower()
    b.take(leader.answer(1, b.request()))

    assert leader.shrink(1_000_000) is None


def test_a_replica_that_is_not_heard_of_stays_out_although_nothing_is_committed_without_it() -> None:
    leader, b = led(("a", "b"), replica_lag_time_max_ms=100, min_insync_replicas=2), follower()
    leader.append(["x"])
    leader.shrink(101)
    leader.learn(101, Leadership("a", 1, ("a",), 1))

    unheard = leader.expand("b")
    leader.answer(110, b.request())
    heard = leader.expand("b")

    assert leader.high_watermark == 0
    assert (unheard, heard) == (None, ("a", "b"))


def test_the_high_watermark_waits_for_a_replica_that_may_be_in_the_set_already() -> None:
    leader, b = led(("a",)), follower()
    b.take(leader.answer(0, b.request()))

    proposed = leader.expand("b")
    leader.append(["x"])

    assert proposed == ("a", "b")
    assert leader.high_watermark == 0


def test_a_returning_replica_cuts_off_what_the_leader_does_not_have() -> None:
    leader = Replica("a", BROKERS, log=[Entry(0, "x")])
    leader.learn(0, Leadership("a", 2, ("a",)))
    leader.append(["z"])
    back = Replica("b", BROKERS, log=[Entry(0, "x"), Entry(1, "y"), Entry(1, "y2")], high_watermark=1)
    back.learn(0, Leadership("a", 2, ("a",)))

    cut = back.take(leader.answer(0, back.request()))
    back.take(leader.answer(0, back.request()))

    assert cut == 2
    assert back.log == leader.log
    assert [(entry.epoch, entry.record) for entry in leader.log] == [(0, "x"), (2, "z")]


def test_an_answer_that_was_held_back_is_no_sign_of_life_of_the_follower() -> None:
    leader, b = led(("a", "b"), replica_lag_time_max_ms=100), follower()
    asked = b.request()
    leader.answer(0, asked)

    leader.append(["x"])
    late = leader.answer(90, asked, held_back=True)

    assert [entry.record for entry in late.entries] == ["x"]
    assert leader.shrink(101) == ("a",)


@pytest.mark.parametrize("error", ["NONE", "INVALID_UPDATE_VERSION", "FENCED_LEADER_EPOCH"])
def test_a_set_that_may_be_the_true_one_counts_until_the_controller_s_decision_is_known(error: str) -> None:
    leader, b = led(("a",)), follower()
    leader.answer(0, b.request())
    leader.expand("b")

    leader.proposal_answered(error)
    leader.append(["x"])
    before = leader.high_watermark
    leader.learn(1, Leadership("a", 1, ("a",), 1))

    assert (before, leader.high_watermark) == (0, 1)


def test_a_follower_that_the_controller_calls_ineligible_is_not_waited_for() -> None:
    leader, b = led(("a",)), follower()
    leader.answer(0, b.request())
    leader.expand("b")

    leader.proposal_answered("INELIGIBLE_REPLICA")
    leader.append(["x"])

    assert leader.high_watermark == 1


def test_what_is_known_already_does_not_make_the_leader_forget_whom_it_asked_for() -> None:
    leader, b = led(("a",)), follower()
    leader.answer(0, b.request())
    leader.expand("b")

    leader.learn(1, Leadership("a", 1, ("a",)))
    leader.append(["x"])

    assert leader.high_watermark == 0


def test_where_an_epoch_began_is_not_guessed_from_what_compaction_has_left() -> None:
    leader = Replica("a", BROKERS, log=Log(cleanup_policy=["compact"], segment_bytes=1))
    for epoch, keys in ((1, "xy"), (2, "zzx")):
        leader.learn(0, Leadership("a", epoch, ("a",)))
        leader.append([Entry(0, key, key=key) for key in keys])
    leader.log.compact(1)
    leader.reopen()
    leader.learn(0, Leadership("a", 3, ("a",)))
    longer = Replica("b", BROKERS, log=[Entry(1, "x"), Entry(1, "y"), Entry(1, "lost")])
    longer.learn(0, Leadership("a", 3, ("a",)))

    cut = longer.take(leader.answer(0, longer.request()))

    assert [entry.offset for entry in leader.log] == [0, 1, 3, 4]
    assert (cut, longer.end) == (1, 2)


def trimmed(records: int, start: int) -> Replica:
    """A leader that has let go of all before an offset."""
    leader = Replica("a", BROKERS)
    leader.learn(0, Leadership("a", 1, ("a",)))
    leader.append([f"{offset}" for offset in range(records)])
    leader.log.begin_at(start)
    leader.reopen()
    leader.learn(0, Leadership("a", 2, ("a",)))
    return leader


@pytest.mark.parametrize("left", [0, 1])
def test_a_follower_of_whose_log_nothing_is_left_begins_where_the_leader_does_and_loses_nothing(left: int) -> None:
    leader = trimmed(4, 4 - left)
    back = Replica("b", BROKERS, log=[Entry(1, "0"), Entry(1, "1")])
    back.learn(0, Leadership("a", 2, ("a",)))

    cuts = [back.take(leader.answer(0, back.request())) for _ in range(3)]

    assert cuts == [0, 0, 0]
    assert (back.log == leader.log, back.log.start, back.end, back.high_watermark) == (True, 4 - left, 4, 4)


def test_a_follower_whose_emptied_log_ends_after_the_leader_s_goes_back_to_it() -> None:
    leader = led(("a",))
    leader.append(["x"])
    beyond = follower()
    beyond.log.begin_at(5)

    beyond.take(leader.answer(0, beyond.request()))
    leader.append(["y"])
    beyond.take(leader.answer(0, beyond.request()))

    assert [(entry.offset, entry.record) for entry in beyond.log] == [(1, "y")]


def test_who_follows_an_older_epoch_is_fenced_and_who_follows_a_newer_must_wait() -> None:
    leader = led()

    with pytest.raises(Refused, match="FENCED_LEADER_EPOCH"):
        leader.answer(0, FetchRequest("b", 0, 0, -1))
    with pytest.raises(Refused, match="UNKNOWN_LEADER_EPOCH"):
        leader.answer(0, FetchRequest("b", 2, 0, -1))


def test_a_follower_neither_takes_writes_nor_serves_consumers() -> None:
    b = follower()

    with pytest.raises(Refused, match="go to a"):
        b.append(["x"])
    with pytest.raises(Refused, match="NOT_LEADER_OR_FOLLOWER"):
        b.read(0)


def test_reading_beyond_the_end_is_out_of_range() -> None:
    with pytest.raises(Refused, match="OFFSET_OUT_OF_RANGE"):
        led().read(1)


def test_the_first_live_replica_in_sync_leads_next_and_the_epoch_counts_it() -> None:
    controller = Controller(BROKERS)

    after = controller.fence("a")

    assert (after.leader, after.leader_epoch, after.isr) == ("b", 1, ("b", "c"))


def test_without_a_replica_in_sync_nobody_leads_unless_an_unclean_election_is_allowed() -> None:
    clean, unclean = Controller(BROKERS), Controller(BROKERS, unclean_leader_election_enable=True)

    for controller in (clean, unclean):
        controller.fence("b")
        controller.fence("c")
        controller.unfence("c")
        controller.fence("a")

    assert (clean.state.leader, clean.state.isr) == (None, ("a",))
    assert (unclean.state.leader, unclean.state.isr) == ("c", ("c",))


def test_the_last_replica_in_sync_leads_again_when_it_returns() -> None:
    controller = Controller(BROKERS)
    for broker in ("c", "b", "a"):
        controller.fence(broker)

    controller.unfence("b")
    before = controller.state.leader
    controller.unfence("a")

    assert (before, controller.state.leader) == (None, "a")


def test_the_preferred_leader_takes_over_once_it_is_in_sync() -> None:
    controller = Controller(BROKERS)
    controller.fence("a")
    controller.unfence("a")

    with pytest.raises(Refused, match="PREFERRED_LEADER_NOT_AVAILABLE"):
        controller.elect_preferred()
    state = controller.state
    controller.change_in_sync("b", state.leader_epoch, state.partition_epoch, BROKERS)
    after = controller.elect_preferred()

    assert (after.leader, after.leader_epoch) == ("a", 2)
    with pytest.raises(Refused, match="ELECTION_NOT_NEEDED"):
        controller.elect_preferred()


def test_a_leader_that_was_replaced_cannot_change_the_set() -> None:
    controller = Controller(BROKERS)
    before = controller.state
    controller.fence("a")

    with pytest.raises(Refused, match="FENCED_LEADER_EPOCH"):
        controller.change_in_sync("a", before.leader_epoch, before.partition_epoch, ("a",))


def test_a_controlled_shutdown_hands_the_lead_over_while_the_broker_still_runs() -> None:
    cluster = Cluster(acks=1).do([("send",), ("fetch", "b"), ("fetch", "c"), ("shut_down", "a"), ("send",)])

    assert cluster.leader is cluster.up["b"]
    assert not cluster.up["a"].leads
    assert (sorted(cluster.acknowledged), cluster.heal().lost()) == ([1, 2], [])


def test_a_controlled_shutdown_loses_what_acks_1_was_told_too_early() -> None:
    cluster = Cluster(acks=1).do([("send",), ("shut_down", "a")])

    assert cluster.heal().lost() == [1]


OPERATIONS: list[Doing] = [
    ("send",),
    *(("fetch", broker) for broker in BROKERS),
    *(("crash", broker) for broker in BROKERS),
    *(("restart", broker) for broker in BROKERS),
    ("passing", 101),
]
runs = st.lists(st.sampled_from(OPERATIONS), max_size=40)


def shortest_loss(most: int, *, acks: Acks, min_insync: int, unclean: bool) -> tuple[Doing, ...] | None:
    """The fewest operations after which something that was acknowledged is gone for good."""
    for length in range(1, most + 1):
        for operations in product(OPERATIONS, repeat=length):
            cluster = Cluster(acks=acks, min_insync=min_insync, unclean=unclean).do(operations)
            if cluster.acknowledged and cluster.heal().lost():
                return operations
    return None


def test_the_shortest_loss_with_acks_1_is_a_crash_before_the_next_fetch() -> None:
    found = shortest_loss(3, acks=1, min_insync=1, unclean=True)

    assert found == (("send",), ("crash", "a"))


def test_jepsens_checker_names_the_loss_from_what_clients_saw() -> None:
    cluster = Cluster(acks=1).do([("send",), ("crash", "a"), ("send",), ("fetch", "c"), ("fetch", "c")])
    leader = cluster.leader
    assert leader is not None
    sends = [Operation("p", "ok", "send", (Send("x", value, offset),)) for value, offset in cluster.acknowledged.items()]
    read = tuple((offset, entry.record) for offset, entry in enumerate(leader.read(0)))

    found = find([*sends, Operation("c", "ok", "poll", (Poll((("x", read),)),))])

    assert {(each.name, each.values) for each in found} == {
        ("inconsistent-offsets", (1, 2)),
        ("lost-write", (1,)),
        ("nonmonotonic-send", (1, 2)),
    }


def test_acks_all_with_one_in_sync_replica_loses_by_an_unclean_election_and_only_by_one() -> None:
    # Followers fall behind, the leader alone acknowledges, then goes; one that fell behind leads.
    story = [("crash", "b"), ("crash", "c"), ("send",), ("crash", "a"), ("restart", "b")]

    unclean = Cluster(min_insync=1, unclean=True).do(story)
    clean = Cluster(min_insync=1, unclean=False).do(story)

    assert (unclean.heal().lost(), clean.heal().lost()) == ([1], [])


def test_no_short_run_loses_with_acks_all_and_two_in_sync() -> None:
    assert shortest_loss(4, acks="all", min_insync=2, unclean=False) is None


@settings(max_examples=400)
@given(runs)
def test_acks_all_with_two_in_sync_and_clean_elections_loses_no_acknowledged_write(operations: list[Doing]) -> None:
    cluster = Cluster(acks="all", min_insync=2).do(operations).heal()

    assert cluster.lost() == []
    assert cluster.contradictions == []


KEEPING_UP = [each for each in OPERATIONS if each[0] in ("send", "fetch")]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(KEEPING_UP), max_size=30), st.sampled_from(BROKERS), st.integers(0, 30), st.integers(0, 30))
def test_acks_all_with_two_in_sync_survives_any_one_crash_even_with_unclean_elections_while_two_keep_up(
    operations: list[Doing], crashed: str, at: int, back: int
) -> None:
    operations = [*operations[:at], ("crash", crashed), *operations[at:]]
    operations.insert(at + 1 + back, ("restart", crashed))

    cluster = Cluster(acks="all", min_insync=2, unclean=True).do(operations).heal()

    assert cluster.lost() == []
    assert cluster.contradictions == []


def test_with_unclean_elections_a_leader_that_was_left_alone_takes_old_acknowledged_writes_with_it() -> None:
    alone = [("send",), ("fetch", "c"), ("passing", 101), ("fetch", "c"), ("send",), ("passing", 101), ("crash", "a")]

    unclean = Cluster(acks="all", min_insync=2, unclean=True).do(alone)
    clean = Cluster(acks="all", min_insync=2, unclean=False).do(alone)

    assert unclean.acknowledged == clean.acknowledged == {1: 0}
    assert (unclean.controller.state.leader, unclean.heal().lost()) == ("b", [1])
    assert (clean.controller.state.leader, clean.heal().lost()) == (None, [])


@settings(max_examples=200)
@given(runs, st.sampled_from(["all", 1, 0]), st.sampled_from([1, 2, 3]))
def test_clean_elections_never_change_what_a_consumer_has_read(operations: list[Doing], acks: Acks, least: int) -> None:
    cluster = Cluster(acks=acks, min_insync=least).do(operations).heal()

    assert cluster.contradictions == []


@settings(max_examples=200)
@given(runs, st.sampled_from(["all", 1]), st.booleans())
def test_once_healed_all_replicas_have_the_same_log(operations: list[Doing], acks: Acks, unclean: bool) -> None:
    cluster = Cluster(acks=acks, min_insync=1, unclean=unclean).do(operations).heal()

    assert cluster.up["a"].log == cluster.up["b"].log == cluster.up["c"].log
    assert set(cluster.controller.state.isr) == set(BROKERS)
    assert {replica.high_watermark for replica in cluster.up.values()} == {cluster.up["a"].end}
