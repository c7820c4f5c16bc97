from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.brokers.log.group import Group
from simulator.brokers.log.members import Reply
from simulator.brokers.log.membership import Membership
from simulator.brokers.log.subscriptions import Subscription, TopicPartition
from tests.brokers.log.meetings import Meeting

RANGE = (("range", Subscription(["x"])),)


def eager(**more: object) -> Membership:
    return Membership(["x"], assignors=["range"], **more)  # type: ignore[arg-type]


def cooperative(**more: object) -> Membership:
    return Membership(["x"], assignors=["cooperative-sticky"], **more)  # type: ignore[arg-type]


def joined(group: Group, caller: str, *, now: float = 0) -> list[Reply]:
    """A dynamic member's two joins: the first gives it its id."""
    (invited,) = group.join(now, caller, "", RANGE)
    return group.join(now, caller, invited.member_id, RANGE)


def called(group: Group) -> list[Reply]:
    """What a new group's members are told when nobody has come for another millisecond."""
    return group.expire(1) or group.expire(2)


def stable(*names: str) -> tuple[Group, dict[str, str]]:
    """A group in which these callers have their assignments, and their member ids."""
    group = Group(group_initial_rebalance_delay_ms=1)
    for name in names:
        joined(group, name)
    ids = {str(reply.caller): reply.member_id for reply in called(group)}
    for name in reversed(names):
        group.sync(2, name, ids[name], group.generation, {ids[name]: [TopicPartition("x", 0)]})
    return group, ids


def test_a_new_member_is_first_told_its_id() -> None:
    group = Group()

    (reply,) = group.join(0, "a", "", RANGE)

    assert (reply.error, reply.member_id, group.members) == ("MEMBER_ID_REQUIRED", "member-1", ())


def test_a_new_group_waits_for_more_members_and_longer_while_they_come() -> None:
    group = Group()
    joined(group, "a")
    first = group.deadline
    joined(group, "b", now=2_000)

    early = group.expire(3_000)
    late = group.expire(6_000)

    assert (first, early, group.generation) == (3_000, [], 1)
    assert [(reply.caller, reply.error, reply.generation) for reply in late] == [("a", "NONE", 1), ("b", "NONE", 1)]


def test_only_the_leader_is_told_who_is_in() -> None:
    group = Group(group_initial_rebalance_delay_ms=1)
    joined(group, "a")
    joined(group, "b")

    a, b = called(group)

    assert a.leader == a.member_id
    assert [name for name, _ in a.members] == [a.member_id, b.member_id]
    assert b.members == ()


def test_followers_wait_until_the_leader_has_decided() -> None:
    group = Group(group_initial_rebalance_delay_ms=1)
    joined(group, "a")
    joined(group, "b")
    a, b = called(group)

    waiting = group.sync(1, "b", b.member_id, 1)
    decided = group.sync(2, "a", a.member_id, 1, {b.member_id: [TopicPartition("x", 0)]})

    assert waiting == []
    assert {reply.caller: reply.assignment for reply in decided} == {"a": (), "b": (TopicPartition("x", 0),)}
    assert group.state == "Stable"


def test_a_member_learns_from_its_heartbeat_that_it_has_to_join_again() -> None:
    group, ids = stable("a")
    before = group.heartbeat(10, "a", ids["a"], 1)
    joined(group, "b", now=11)

    after = group.heartbeat(12, "a", ids["a"], 1)

    assert [before[0].error, after[0].error] == ["NONE", "REBALANCE_IN_PROGRESS"]


def test_an_old_generation_and_an_unknown_member_are_refused() -> None:
    group, ids = stable("a")

    assert group.heartbeat(2, "a", ids["a"], 0)[0].error == "ILLEGAL_GENERATION"
    assert group.sync(2, "a", "stranger", 1)[0].error == "UNKNOWN_MEMBER_ID"
    assert group.may_commit(2, ids["a"], 0) == "ILLEGAL_GENERATION"
    assert group.may_commit(2, "stranger", 1) == "UNKNOWN_MEMBER_ID"


def test_offsets_may_be_committed_until_the_new_generation_begins() -> None:
    group, ids = stable("a")
    (invited,) = group.join(2, "b", "", RANGE)

    in_stable = group.may_commit(2, ids["a"], 1)
    group.join(3, "b", invited.member_id, RANGE)
    while_called = group.may_commit(3, ids["a"], 1)
    group.join(4, "a", ids["a"], RANGE)
    while_shared_out = group.may_commit(4, ids["a"], 2)

    assert (in_stable, while_called, while_shared_out) == ("NONE", "NONE", "REBALANCE_IN_PROGRESS")


def test_without_a_group_anyone_may_commit() -> None:
    assert Group().may_commit(0, "", -1) == "NONE"


def test_a_silent_member_is_out_when_its_session_ends() -> None:
    group, ids = stable("a", "b")
    group.heartbeat(40_000, "b", ids["b"], 1)

    before, after = group.expire(45_001), group.expire(45_002)

    assert (before, after) == ([], [])
    assert group.members == (ids["b"],)
    assert group.heartbeat(45_003, "b", ids["b"], 1)[0].error == "REBALANCE_IN_PROGRESS"


def test_a_rebalance_goes_on_without_a_member_that_does_not_come_in_time() -> None:
    group, ids = stable("a", "b")
    group.join(10, "a", ids["a"], (("range", Subscription(["x", "y"])),))
    for now in (40_000, 80_000, 120_000, 160_000, 200_000, 240_000, 280_000):
        group.heartbeat(now, "b", ids["b"], 1)

    replies = group.expire(300_010)

    assert [(reply.caller, reply.error) for reply in replies] == [("a", "NONE")]
    assert group.members == (ids["a"],)


def test_a_leader_that_brings_no_assignment_is_out_and_the_others_join_again() -> None:
    group = Group(group_initial_rebalance_delay_ms=1)
    joined(group, "a")
    joined(group, "b")
    _, b = called(group)
    group.sync(2, "b", b.member_id, 1)

    replies = group.expire(45_001) + group.expire(45_002)

    assert [(reply.caller, reply.error) for reply in replies] == [("b", "REBALANCE_IN_PROGRESS")]


def test_a_group_needs_an_assignor_that_all_know() -> None:
    group, _ = stable("a")

    (reply,) = group.join(2, "b", "", (("roundrobin", Subscription(["x"])),))

    assert reply.error == "INCONSISTENT_GROUP_PROTOCOL"


def test_a_full_group_takes_no_more_members() -> None:
    group = Group(group_initial_rebalance_delay_ms=1, group_max_size=2)
    for caller in "ab":
        joined(group, caller)

    assert joined(group, "c")[-1].error == "GROUP_MAX_SIZE_REACHED"
    assert len(group.members) == 2


def test_where_the_limit_was_lowered_whoever_joins_last_in_a_rebalance_is_out() -> None:
    group, ids = stable("a", "b")
    group.group_max_size = 1
    changed = (("range", Subscription(["x", "y"])),)
    group.join(3, "a", ids["a"], changed)

    replies = group.join(4, "b", ids["b"], changed)

    assert [(reply.caller, reply.error) for reply in replies] == [("b", "GROUP_MAX_SIZE_REACHED"), ("a", "NONE")]
    assert group.members == (ids["a"],)


def test_the_assignor_that_most_prefer_is_taken() -> None:
    told = Subscription(["x"])
    group = Group(group_initial_rebalance_delay_ms=1)
    for caller, names in (("a", "range sticky"), ("b", "sticky range"), ("c", "sticky range")):
        protocols = tuple((name, told) for name in names.split())
        (invited,) = group.join(0, caller, "", protocols)
        group.join(0, caller, invited.member_id, protocols)

    replies = called(group)

    assert {reply.protocol for reply in replies} == {"sticky"}


def test_a_session_timeout_that_the_broker_does_not_allow_is_refused() -> None:
    assert Group().join(0, "a", "", RANGE, session_timeout_ms=5_999)[0].error == "INVALID_SESSION_TIMEOUT"


def test_a_static_member_that_returns_gets_its_partitions_back_without_a_rebalance() -> None:
    meeting = Meeting({"x": 2})
    meeting.start("a", eager(instance_id="one"))
    meeting.start("b", eager(instance_id="two"))
    meeting.wait(4_000)
    generation = meeting.group.generation
    before = meeting.reading()

    meeting.crash("b")
    meeting.wait(20_000)
    meeting.start("b", eager(instance_id="two"))

    assert meeting.reading() == before == {"a": "x-0", "b": "x-1"}
    assert meeting.group.generation == generation


def test_a_second_consumer_with_the_same_instance_id_fences_the_first() -> None:
    meeting = Meeting({"x": 2})
    meeting.start("a", eager(instance_id="one"))

    meeting.start("twin", eager(instance_id="one"))
    meeting.wait(4_000)

    assert meeting.errors == [("a", "FENCED_INSTANCE_ID")]
    assert meeting.reading() == {"twin": "x-0 x-1"}


def test_a_static_member_keeps_its_place_until_its_session_ends() -> None:
    meeting = Meeting({"x": 2})
    meeting.start("a", eager(instance_id="one"))
    meeting.start("b", eager(instance_id="two"))
    meeting.wait(4_000)

    meeting.crash("b")
    meeting.wait(40_000)
    while_away = meeting.reading()
    meeting.wait(12_000)

    assert while_away == {"a": "x-0"}
    assert meeting.reading() == {"a": "x-0 x-1"}


def test_eager_members_stop_reading_everything_and_cooperative_ones_only_what_moves() -> None:
    gave_up = {}
    for consumer in (eager, cooperative):
        meeting = Meeting({"x": 4})
        meeting.start("a", consumer())
        meeting.start("b", consumer())
        meeting.wait(8_000)
        gave_up[consumer.__name__] = [str(partition) for name, partition in meeting.gave_up if name == "a"]
        assert meeting.reading() == {"a": "x-0 x-1", "b": "x-2 x-3"}

    assert gave_up == {"eager": ["x-0", "x-1", "x-2", "x-3"], "cooperative": ["x-2", "x-3"]}


def test_a_consumer_with_kafkas_default_assignors_is_eager() -> None:
    assert not Membership(["x"]).cooperative


def test_a_consumer_that_does_not_poll_in_time_is_due_to_leave() -> None:
    consumer = Membership(["x"], max_poll_interval_ms=300_000)
    consumer.polled(1_000)

    assert consumer.poll_due == 301_000


names = st.sampled_from("abcd")
doings = st.lists(
    st.one_of(
        st.tuples(st.just("start"), names),
        st.tuples(st.sampled_from(["close", "crash"]), names),
        st.tuples(st.just("wait"), st.sampled_from([1_000, 5_000, 50_000])),
    ),
    max_size=15,
)


@settings(max_examples=80)
@given(doings, st.sampled_from([eager, cooperative]), st.sampled_from([0, 3_000]), st.booleans())
def test_whoever_comes_and_goes_all_partitions_are_read_in_the_end_and_none_by_two_that_are_there(
    doing: list[tuple[str, object]], kind: type[Membership], delay: float, static: bool
) -> None:
    meeting = Meeting({"x": 5}, delay=delay)
    for what, whom in doing:
        if what == "wait":
            meeting.wait(float(whom))  # type: ignore[arg-type]
        elif what == "start" and whom not in meeting.consumers:
            meeting.start(str(whom), kind(instance_id=f"i-{whom}" if static else None))  # type: ignore[call-arg]
        elif what != "start" and whom in meeting.consumers:
            getattr(meeting, what)(str(whom))
    meeting.wait(400_000, step=3_000)

    read = sorted(each for one in meeting.consumers.values() for each in one.owned)
    assert meeting.shared == set()
    assert read == ([TopicPartition("x", n) for n in range(5)] if meeting.consumers else [])
    assert meeting.group.state == ("Stable" if meeting.consumers else "Empty")
