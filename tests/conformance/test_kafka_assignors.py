"""Assignments against those of Apache Kafka's own classes (recorded) and of two Python clients (run here)."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.log.assignors import ASSIGNORS, COOPERATIVE, range_assign
from simulator.brokers.log.subscriptions import Assignment, Subscription
from tests.conformance.kafka_picture import ClusterPicture
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

CASES = recorded("kafka_assignors")["cases"]
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{len(case['members'])} members of {case['topics']}")
names = pytest.mark.parametrize("name", ASSIGNORS)


def shown(assigned: Assignment) -> dict[str, list[str]]:
    return {member: sorted(map(str, taken)) for member, taken in assigned.items()}


def joined(members: dict[str, list[str]], earlier: Assignment, generation: int) -> dict[str, Subscription]:
    return {
        name: Subscription(topics, earlier.get(name, ()), generation if name in earlier else -1)
        for name, topics in members.items()
    }


@cases
@names
def test_a_new_group_is_assigned_as_by_kafka(case: dict[str, Any], name: str) -> None:
    assigned = ASSIGNORS[name](case["topics"], joined(case["members"], {}, 0))

    assert shown(assigned) == case[name]


@cases
def test_the_members_of_a_plain_topics_group_share_it_as_by_kafka(case: dict[str, Any]) -> None:
    for topic, count in case["topics"].items():
        by_kafka = {
            member: [int(each.rpartition("-")[2]) for each in case["range"][member] if each.startswith(f"{topic}-")]
            for member, topics in case["members"].items()
            if topic in topics
        }

        assert range_assign(count, by_kafka) == by_kafka
        assert range_assign(count, sorted(by_kafka, reverse=True)) == by_kafka


def stages(case: dict[str, Any], name: str) -> list[list[dict[str, list[str]]]]:
    """A member c9 joins, then c0 leaves; a cooperative group rebalances until nothing is on the way any more."""
    everyone = {**case["members"], "c9": list(case["topics"])}
    assigned: Assignment = {}
    generation = 0
    found = []
    for members in (case["members"], everyone, {each: everyone[each] for each in everyone if each != "c0"}):
        rounds: list[dict[str, list[str]]] = []
        while not rounds or name in COOPERATIVE:
            generation += 1
            assigned = ASSIGNORS[name](case["topics"], joined(members, assigned, generation - 1))
            if rounds and shown(assigned) == rounds[-1]:
                break
            rounds.append(shown(assigned))
        found.append(rounds)
    return found


def stayed(before: dict[str, list[str]], now: dict[str, list[str]]) -> int:
    """How many partitions are where they were."""
    return sum(len(set(taken) & set(before.get(member, ()))) for member, taken in now.items())


def sizes(found: dict[str, list[str]]) -> list[int]:
    return sorted(map(len, found.values()))


def everything(partitions: dict[str, int]) -> list[str]:
    return sorted(f"{topic}-{number}" for topic, count in partitions.items() for number in range(count))


@cases
@pytest.mark.parametrize("name", ["range", "roundrobin"])
def test_a_group_that_changes_is_assigned_as_by_kafka(case: dict[str, Any], name: str) -> None:
    assert stages(case, name) == case[f"sequence_{name}"]


@cases
@pytest.mark.parametrize("name", ["sticky", "cooperative-sticky"])
def test_a_group_that_changes_keeps_as_much_and_as_even_as_with_kafka(case: dict[str, Any], name: str) -> None:
    """Which of several equal members keeps one more depends in Kafka on the order of a hash map, so it is left open."""
    ours, theirs = stages(case, name), case[f"sequence_{name}"]

    assert [len(rounds) for rounds in ours] == [len(rounds) for rounds in theirs]
    for ending in (rounds[-1] for rounds in ours):
        assert sorted(each for taken in ending.values() for each in taken) == everything(case["topics"])
    our_rounds, their_rounds = list(chain(*ours)), list(chain(*theirs))
    assert [sizes(found) for found in our_rounds] == [sizes(found) for found in their_rounds]
    assert [stayed(*pair) for pair in pairwise(our_rounds)] == [stayed(*pair) for pair in pairwise(their_rounds)]


def by_aiokafka(name: str, partitions: dict[str, int], members: dict[str, Subscription]) -> dict[str, list[str]]:
    coordinator = pytest.importorskip("aiokafka.coordinator", reason="pip install aiokafka, to compare with its assignors")
    from aiokafka.coordinator.assignors.range import RangePartitionAssignor
    from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
    from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

    assert coordinator
    kinds = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor}
    described = {
        member: StickyPartitionAssignor._metadata(list(each.topics), list(each.owned), each.generation)
        if name == "sticky"
        else ConsumerProtocolMemberMetadata(0, list(each.topics), b"")
        for member, each in members.items()
    }
    assigned = kinds[name].assign(ClusterPicture(partitions), described)
    return {
        member: sorted(f"{topic}-{number}" for topic, numbers in given.assignment for number in numbers)
        for member, given in assigned.items()
    }


class _Member(NamedTuple):
    member_id: str
    group_instance_id: str | None
    metadata: Any


def by_kafka_python(name: str, partitions: dict[str, int], members: dict[str, Subscription]) -> dict[str, list[str]]:
    pytest.importorskip("kafka.coordinator.assignors", reason="pip install kafka-python, to compare with its assignors")
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

    kinds = {
        "range": RangePartitionAssignor,
        "roundrobin": RoundRobinPartitionAssignor,
        "cooperative-sticky": CooperativeStickyAssignor,
    }

    def described(told: Subscription) -> Any:
        owned = [
            ConsumerProtocolSubscription.TopicPartition(
                topic=topic, partitions=[each.partition for each in told.owned if each.topic == topic]
            )
            for topic in TOPICS
        ]
        return ConsumerProtocolSubscription(
            version=2, topics=sorted(told.topics), user_data=b"", owned_partitions=owned, generation_id=told.generation
        )

    joining = [_Member(member, told.instance_id, described(told)) for member, told in members.items()]
    assigned = kinds[name]().assign(ClusterPicture(partitions), joining)
    return {
        member: sorted(f"{topic}-{number}" for topic, numbers in given.assigned_partitions for number in numbers)
        for member, given in assigned.items()
    }


TOPICS = ("t0", "t1", "t2")
topics_of = st.dictionaries(st.sampled_from(TOPICS), st.integers(1, 7), min_size=1)
some_topics = st.lists(st.sampled_from(TOPICS), unique=True, min_size=1)
groups = st.dictionaries(st.sampled_from("abcde"), some_topics, min_size=1)


@given(topics_of, groups)
def test_range_and_round_robin_agree_with_aiokafka_on_any_group(
    partitions: dict[str, int], members: dict[str, list[str]]
) -> None:
    subscriptions = joined(members, {}, 0)

    for name in ("range", "roundrobin"):
        assigned = ASSIGNORS[name](partitions, subscriptions)

        assert shown(assigned) == by_aiokafka(name, partitions, subscriptions)


@given(topics_of, groups, st.booleans())
def test_range_and_round_robin_agree_with_kafka_python_on_static_members_too(
    partitions: dict[str, int], members: dict[str, list[str]], static: bool
) -> None:
    """Static members go by their instance ids, here in the opposite order of their member ids. Not compared is what
    kafka-python's round robin does where members want different topics: it raises."""
    places = dict(zip(sorted(members), sorted(members, reverse=True), strict=True))
    alike = {name: sorted({topic for topics in members.values() for topic in topics}) for name in members}

    for name, wanted in (("range", members), ("roundrobin", alike)):
        subscriptions = {
            member: Subscription(topics, instance_id=f"instance {places[member]}" if static else None)
            for member, topics in wanted.items()
        }

        assigned = ASSIGNORS[name](partitions, subscriptions)

        assert shown(assigned) == by_kafka_python(name, partitions, subscriptions)


@given(topics_of, st.sets(st.sampled_from("abcde"), min_size=1), st.sets(st.sampled_from("abcdefg"), min_size=1))
def test_sticky_is_as_even_and_as_sticky_as_aiokafka_where_all_subscribe_alike(
    partitions: dict[str, int], earlier: set[str], later: set[str]
) -> None:
    first = ASSIGNORS["sticky"](partitions, joined({each: list(TOPICS) for each in sorted(earlier)}, {}, 0))
    members = joined({each: list(TOPICS) for each in sorted(later)}, first, 1)

    ours = shown(ASSIGNORS["sticky"](partitions, members))
    theirs = by_aiokafka("sticky", partitions, members)

    assert sizes(ours) == sizes(theirs)
    assert stayed(shown(first), ours) >= stayed(shown(first), theirs)


@given(topics_of, groups, groups)
def test_sticky_is_as_even_as_aiokafka_where_members_want_different_topics(
    partitions: dict[str, int], earlier: dict[str, list[str]], later: dict[str, list[str]]
) -> None:
    """Both keep what KIP-54 promises; in a few groups one of the two moves a partition more than the other."""
    first = ASSIGNORS["sticky"](partitions, joined(earlier, {}, 0))
    members = joined(later, first, 1)

    assert sizes(shown(ASSIGNORS["sticky"](partitions, members))) == sizes(by_aiokafka("sticky", partitions, members))


@given(topics_of, st.sets(st.sampled_from("abcde"), min_size=1), st.sets(st.sampled_from("abcdefg"), min_size=1))
def test_cooperative_sticky_withholds_as_much_as_kafka_python(
    partitions: dict[str, int], earlier: set[str], later: set[str]
) -> None:
    first = ASSIGNORS["sticky"](partitions, joined({each: list(TOPICS) for each in sorted(earlier)}, {}, 0))
    members = joined({each: list(TOPICS) for each in sorted(later)}, first, 1)

    ours = shown(ASSIGNORS["cooperative-sticky"](partitions, members))
    theirs = by_kafka_python("cooperative-sticky", partitions, members)

    assert sum(sizes(ours)) == sum(sizes(theirs))
