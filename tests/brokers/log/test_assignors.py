from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.log.assignors import (
    assign_cooperative_sticky,
    assign_ranges,
    assign_round_robin,
    assign_sticky,
    range_assign,
)
from simulator.brokers.log.subscriptions import Assignment, Subscription, TopicPartition


def subscribed(**topics: str) -> dict[str, Subscription]:
    """``subscribed(a="x y")``: a member ``a`` that reads the topics x and y."""
    return {member: Subscription(names.split()) for member, names in topics.items()}


def after(assigned: Assignment, members: dict[str, Subscription], generation: int = 1) -> dict[str, Subscription]:
    """The same members, as they join again with what they were assigned."""
    return {
        name: Subscription(member.topics, assigned.get(name, ()), generation if name in assigned else -1)
        for name, member in members.items()
    }


def shown(assigned: Assignment) -> dict[str, str]:
    return {member: " ".join(map(str, sorted(each))) for member, each in assigned.items()}


def test_ranges_give_the_first_member_one_more_of_each_topic() -> None:
    members = subscribed(a="x y", b="x y")

    assigned = assign_ranges({"x": 3, "y": 3}, members)

    assert shown(assigned) == {"a": "x-0 x-1 y-0 y-1", "b": "x-2 y-2"}


def test_round_robin_deals_all_partitions_of_all_topics() -> None:
    members = subscribed(a="x y", b="x y")

    assigned = assign_round_robin({"x": 3, "y": 3}, members)

    assert shown(assigned) == {"a": "x-0 x-2 y-1", "b": "x-1 y-0 y-2"}


def test_round_robin_passes_over_who_does_not_subscribe() -> None:
    members = subscribed(c0="t0", c1="t0 t1", c2="t0 t1 t2")

    assigned = assign_round_robin({"t0": 1, "t1": 2, "t2": 3}, members)

    assert shown(assigned) == {"c0": "t0-0", "c1": "t1-0", "c2": "t1-1 t2-0 t2-1 t2-2"}


def test_sticky_is_more_even_where_subscriptions_differ() -> None:
    members = subscribed(c0="t0", c1="t0 t1", c2="t0 t1 t2")

    assigned = assign_sticky({"t0": 1, "t1": 2, "t2": 3}, members)

    assert shown(assigned) == {"c0": "t0-0", "c1": "t1-0 t1-1", "c2": "t2-0 t2-1 t2-2"}


def test_when_a_member_leaves_only_its_partitions_move_with_sticky() -> None:
    partitions = {f"t{n}": 2 for n in range(4)}
    members = subscribed(c0="t0 t1 t2 t3", c1="t0 t1 t2 t3", c2="t0 t1 t2 t3")
    first = assign_sticky(partitions, members)

    del members["c1"]
    second = assign_sticky(partitions, after(first, members))

    assert all(set(first[member]) <= set(second[member]) for member in members)
    assert sorted(map(len, second.values())) == [4, 4]


def test_a_partition_changes_hands_only_after_its_owner_gave_it_up() -> None:
    members = subscribed(a="x")
    alone = assign_cooperative_sticky({"x": 4}, members)

    members = after(alone, members) | subscribed(b="x")
    first = assign_cooperative_sticky({"x": 4}, members)
    second = assign_cooperative_sticky({"x": 4}, after(first, members, 2))

    assert shown(first) == {"a": "x-0 x-1", "b": ""}
    assert shown(second) == {"a": "x-0 x-1", "b": "x-2 x-3"}


def test_a_member_that_slept_through_a_rebalance_has_no_claim() -> None:
    late = Subscription(["x"], [TopicPartition("x", 0)], 3)
    current = Subscription(["x"], [TopicPartition("x", 0)], 4)

    assigned = assign_sticky({"x": 2}, {"a": late, "b": current})

    assert shown(assigned) == {"a": "x-1", "b": "x-0"}


def test_static_members_are_ordered_by_instance_id_before_all_others() -> None:
    members = {
        "m-1": Subscription(["x"]),
        "m-2": Subscription(["x"], instance_id="second"),
        "m-3": Subscription(["x"], instance_id="first"),
    }

    assigned = assign_ranges({"x": 3}, members)

    assert shown(assigned) == {"m-1": "x-2", "m-2": "x-1", "m-3": "x-0"}


def test_a_topic_that_does_not_exist_is_passed_over_by_all() -> None:
    members = subscribed(a="x ghost", b="ghost")

    for assign in (assign_ranges, assign_round_robin, assign_sticky, assign_cooperative_sticky):
        assigned = assign({"x": 1}, members)

        assert shown(assigned) == {"a": "x-0", "b": ""}


TOPICS = ("t0", "t1", "t2", "t3")
topics_of = st.dictionaries(st.sampled_from(TOPICS), st.integers(1, 6), min_size=1)
subscriptions = st.lists(st.sampled_from(TOPICS), unique=True, min_size=1).map(Subscription)
groups = st.dictionaries(st.sampled_from("abcdef"), subscriptions, min_size=1)


def everything(partitions: dict[str, int], members: dict[str, Subscription]) -> list[TopicPartition]:
    wanted = {topic for member in members.values() for topic in member.topics}
    return [TopicPartition(topic, n) for topic in sorted(wanted & partitions.keys()) for n in range(partitions[topic])]


@given(topics_of, groups)
def test_every_assignor_gives_everything_once_to_someone_who_wants_it(
    partitions: dict[str, int], members: dict[str, Subscription]
) -> None:
    for assign in (assign_ranges, assign_round_robin, assign_sticky, assign_cooperative_sticky):
        assigned = assign(partitions, members)

        assert sorted(each for taken in assigned.values() for each in taken) == everything(partitions, members)
        assert all(each.topic in members[member].topics for member, taken in assigned.items() for each in taken)


@given(topics_of, groups, groups)
def test_sticky_stays_as_even_as_subscriptions_allow_whoever_comes_and_goes(
    partitions: dict[str, int], earlier: dict[str, Subscription], later: dict[str, Subscription]
) -> None:
    first = assign_sticky(partitions, earlier)

    assigned = assign_sticky(partitions, after(first, later))

    assert sorted(each for taken in assigned.values() for each in taken) == everything(partitions, later)
    for taken in assigned.values():
        for poor, subscription in later.items():
            could_take = any(each.topic in subscription.topics for each in taken)
            assert not could_take or len(taken) <= len(assigned[poor]) + 1


@given(topics_of, groups)
def test_sticky_moves_nothing_when_nothing_changed(partitions: dict[str, int], members: dict[str, Subscription]) -> None:
    first = assign_sticky(partitions, members)

    again = assign_sticky(partitions, after(first, members))

    assert shown(again) == shown(first)


@given(topics_of, groups, groups)
def test_cooperative_hands_over_in_at_most_two_rebalances_and_never_has_two_owners(
    partitions: dict[str, int], earlier: dict[str, Subscription], later: dict[str, Subscription]
) -> None:
    before = assign_cooperative_sticky(partitions, earlier)

    first = assign_cooperative_sticky(partitions, after(before, later))
    second = assign_cooperative_sticky(partitions, after(first, later, 2))

    for taker, taken in first.items():
        still_held = {each for other in later if other != taker for each in before.get(other, ())}
        assert not still_held & set(taken)
    assert sorted(each for taken in second.values() for each in taken) == everything(partitions, later)
    assert shown(assign_cooperative_sticky(partitions, after(second, later, 3))) == shown(second)


@given(st.integers(1, 50), st.sets(st.text(min_size=1, max_size=5), min_size=1, max_size=10))
def test_of_one_topic_every_partition_has_one_reader_and_shares_differ_by_one_at_most(partitions: int, members: set[str]):
    assigned = range_assign(partitions, members)

    assert set(assigned) == members
    assert sorted(partition for share in assigned.values() for partition in share) == list(range(partitions))
    sizes = [len(share) for share in assigned.values()]
    assert max(sizes) - min(sizes) <= 1


def test_a_group_without_members_reads_nothing():
    assert range_assign(3, []) == {}
