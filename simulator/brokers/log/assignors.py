"""Which member of a consumer group reads which partition: what its leader decides between joining and syncing.

The names in `ASSIGNORS` are those that Apache Kafka's assignors have in the group protocol. Racks are left out: all
brokers and members are taken to stand in the same place. Sources: ``RangeAssignor``, ``RoundRobinAssignor``,
``StickyAssignor`` and ``CooperativeStickyAssignor`` in ``org.apache.kafka.clients.consumer`` (4.0); KIP-54, KIP-429,
KIP-345.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from simulator.brokers.log.sticky import balanced, withheld
from simulator.brokers.log.subscriptions import Assignment, Subscription, TopicPartition

Assignor = Callable[[Mapping[str, int], Mapping[str, Subscription]], Assignment]
"""From each topic's number of partitions and each member's subscription to each member's partitions. A topic that is not
among the former does not exist, and is passed over."""


def range_assign(partitions: int, members: Iterable[str]) -> dict[str, list[int]]:
    """Neighbouring partitions for each member, in the members' alphabetical order; the first ones get one more where
    it does not come out even. Source: ``org.apache.kafka.clients.consumer.RangeAssignor``, for one topic."""
    ordered = sorted(members)
    return _ranges(partitions, ordered)


def assign_ranges(partitions: Mapping[str, int], members: Mapping[str, Subscription]) -> Assignment:
    """``range``: each topic by itself, split into neighbouring partitions among the members that subscribe to it.

    So partitions with the same number in two topics of the same size go to the same member; and the first members get
    one more of *each* topic that does not come out even.
    """
    found: Assignment = {member: [] for member in members}
    for topic in sorted(partitions):
        takers = [member for member in _ordered(members) if topic in members[member].topics]
        for member, numbers in _ranges(partitions[topic], takers).items():
            found[member] += [TopicPartition(topic, number) for number in numbers]
    return found


def assign_round_robin(partitions: Mapping[str, int], members: Mapping[str, Subscription]) -> Assignment:
    """``roundrobin``: all partitions of all topics dealt out one by one, passing over who does not subscribe."""
    found: Assignment = {member: [] for member in members}
    ordered = _ordered(members)
    wanted = {topic for subscription in members.values() for topic in subscription.topics}
    turn = 0
    for topic in sorted(wanted & partitions.keys()):
        for number in range(partitions[topic]):
            while topic not in members[ordered[turn % len(ordered)]].topics:
                turn += 1
            found[ordered[turn % len(ordered)]].append(TopicPartition(topic, number))
            turn += 1
    return found


def assign_sticky(partitions: Mapping[str, int], members: Mapping[str, Subscription]) -> Assignment:
    """``sticky``: as even as the subscriptions allow, and of such assignments one that moves few partitions."""
    return balanced(partitions, members)


def assign_cooperative_sticky(partitions: Mapping[str, int], members: Mapping[str, Subscription]) -> Assignment:
    """``cooperative-sticky``: the sticky assignment, without the partitions that someone else still has to give up.

    Who has to give one up does so and joins again; the rebalance after that hands it on. So nobody stops reading what
    stays with it (KIP-429).
    """
    found = balanced(partitions, members)
    waiting = withheld(found, members)
    return {member: [each for each in taken if each not in waiting] for member, taken in found.items()}


ASSIGNORS: dict[str, Assignor] = {
    "range": assign_ranges,
    "roundrobin": assign_round_robin,
    "sticky": assign_sticky,
    "cooperative-sticky": assign_cooperative_sticky,
}
"""Every assignor by its name in the group protocol."""

COOPERATIVE = frozenset({"cooperative-sticky"})
"""The assignors whose members keep reading during a rebalance; with all others they first give up everything."""


def _ranges(partitions: int, ordered: list[str]) -> dict[str, list[int]]:
    if not ordered:
        return {}
    share, extra = divmod(partitions, len(ordered))
    assigned, first = {}, 0
    for place, member in enumerate(ordered):
        size = share + (place < extra)
        assigned[member] = list(range(first, first + size))
        first += size
    return assigned


def _ordered(members: Mapping[str, Subscription]) -> list[str]:
    """Static members first, by instance id; then the others, by member id (a new one at every start)."""
    return sorted(members, key=lambda name: (members[name].instance_id is None, members[name].instance_id or name))
