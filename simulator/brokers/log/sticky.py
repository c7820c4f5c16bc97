"""Assignments that are as even as they can be and move little: the decisions behind the two sticky assignors.

Where all members subscribe to the same topics, the outcome is that of Apache Kafka's own class (4.0,
``AbstractStickyAssignor``). Where they do not, it keeps what KIP-54 promises: everything that someone subscribes to is
assigned; nobody has two more than another who could take one of them; what need not move stays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from simulator.brokers.log.subscriptions import Assignment, Subscription, TopicPartition


def balanced(partitions: Mapping[str, int], members: Mapping[str, Subscription]) -> Assignment:
    """The sticky assignment of these topics' partitions to these members."""
    if not members:
        return {}
    kept = _still_owned(partitions, members)
    wanted = [frozenset(subscription.topics) for subscription in members.values()]
    if all(each == wanted[0] for each in wanted):
        topics = sorted(wanted[0] & partitions.keys())
        return _among_equals([TopicPartition(topic, n) for topic in topics for n in range(partitions[topic])], kept)
    return _among_different(partitions, members, kept)


def withheld(assigned: Assignment, members: Mapping[str, Subscription]) -> set[TopicPartition]:
    """The assigned partitions that are on the way from one member to another, who must wait for it."""
    owners = _owners(members)
    claimed = {each for subscription in members.values() for each in subscription.owned}
    return {each for member, taken in assigned.items() for each in taken if each in claimed and owners.get(each) != member}


def _owners(members: Mapping[str, Subscription]) -> dict[TopicPartition, str | None]:
    """Who reads each partition now: of several that claim it, the one with the latest generation; None if they tie."""
    owner: dict[TopicPartition, str | None] = {}
    latest: dict[TopicPartition, int] = {}
    for member in sorted(members):
        generation = members[member].generation
        for each in members[member].owned:
            if each not in latest or generation > latest[each]:
                owner[each], latest[each] = member, generation
            elif generation == latest[each] and owner[each] != member:
                owner[each] = None
    return owner


def _still_owned(partitions: Mapping[str, int], members: Mapping[str, Subscription]) -> Assignment:
    """What each member owns of what there is and what it subscribes to, by number and then by topic."""
    kept: Assignment = {member: [] for member in sorted(members)}
    for each, owner in _owners(members).items():
        if owner is not None and each.topic in members[owner].topics and each.partition < partitions.get(each.topic, 0):
            kept[owner].append(each)
    for owned in kept.values():
        # Of a member that must give some up, those go that come last in this order: it spreads them over its topics.
        owned.sort(key=lambda each: (each.partition, each.topic))
    return kept


def _among_equals(everything: list[TopicPartition], kept: Assignment) -> Assignment:
    """All members subscribe to the same: each gets the quota, some get one more.

    Members that own more keep up to their quota; then the rest is dealt out, first to those below the quota, round and
    round, and at last to those who may have one more.
    """
    quota, with_one_more = divmod(len(everything), len(kept))
    below: list[str] = []
    at_quota: list[str] = []
    assigned: Assignment = {}
    for member, owned in kept.items():
        if len(owned) < quota:
            assigned[member] = owned[:]
            below.append(member)
        elif len(owned) > quota and with_one_more:
            assigned[member] = owned[: quota + 1]
            with_one_more -= 1
        else:
            assigned[member] = owned[:quota]
            at_quota.append(member)
    taken = {each for owned in assigned.values() for each in owned}
    line = deque(below)
    may_have_more = deque(at_quota)
    for each in everything:
        if each in taken:
            continue
        if line:
            member = line.popleft()
            assigned[member].append(each)
            if len(assigned[member]) < quota:
                line.append(member)
            else:
                may_have_more.append(member)
        else:
            assigned[may_have_more.popleft()].append(each)
    return {member: sorted(each) for member, each in assigned.items()}


def _among_different(partitions: Mapping[str, int], members: Mapping[str, Subscription], kept: Assignment) -> Assignment:
    """Members subscribe to different topics: give what is free to whoever has least, then move while that helps."""
    takers = {topic: [member for member in kept if topic in members[member].topics] for topic in sorted(partitions)}
    owner = {each: member for member, owned in kept.items() for each in owned}
    load = {member: len(owned) for member, owned in kept.items()}

    def least(topic: str) -> str:
        return min(takers[topic], key=lambda member: (load[member], member))

    # Topics with few takers leave little choice, so they come first.
    order = [
        TopicPartition(topic, number)
        for topic in sorted(takers, key=lambda topic: (len(takers[topic]), topic))
        if takers[topic]
        for number in range(partitions[topic])
    ]
    before = dict(owner)
    for each in order:
        if each not in owner:
            owner[each] = least(each.topic)
            load[owner[each]] += 1
    # What was free moves first, so that what was owned moves only where it must.
    movable = [each for each in order if each not in before] + [each for each in order if each in before]
    moved = True
    while moved:
        moved = False
        for each in movable:
            to = least(each.topic)
            if load[owner[each]] > load[to] + 1:
                load[owner[each]] -= 1
                load[to] += 1
                owner[each] = to
                moved = True
    assigned: Assignment = {member: [] for member in kept}
    for each in sorted(owner):
        assigned[owner[each]].append(each)
    return assigned
