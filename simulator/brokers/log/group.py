"""A consumer group as its coordinator sees it: who is in, what generation it is, when it must be shared out anew.

The classic protocol: members join, one of them is told all subscriptions and decides the assignment, all sync to get theirs.
Sources: ``ClassicGroup`` and ``GroupMetadataManager`` of Apache Kafka 4.0; KIP-134 (initial delay), KIP-345 (static
members), KIP-394 (a new member is first told its id). Left out: the protocol of KIP-848, in which the broker assigns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from simulator.brokers.log.members import Kept, KeptMember, Member, Protocols, Reply
from simulator.brokers.log.subscriptions import Subscription, TopicPartition

State = Literal["Empty", "PreparingRebalance", "CompletingRebalance", "Stable"]


class Group:
    """One group at its coordinator. Time is passed in; `deadline` says when `expire` must be called at the latest.

    ``caller`` is whatever the answer is to be sent to; every method returns the answers that are due now, its own caller's
    among them unless that one has to wait.
    """

    def __init__(
        self,
        *,
        group_initial_rebalance_delay_ms: float = 3_000.0,
        group_min_session_timeout_ms: float = 6_000.0,
        group_max_session_timeout_ms: float = 1_800_000.0,
    ) -> None:
        self.group_initial_rebalance_delay_ms = group_initial_rebalance_delay_ms
        self._session_timeouts = (group_min_session_timeout_ms, group_max_session_timeout_ms)
        self.state: State = "Empty"
        self.generation = 0
        self.protocol = ""
        self.leader = ""
        self._members: dict[str, Member] = {}
        self._instances: dict[str, str] = {}
        """Each static member's current id."""
        self._invited: dict[str, float] = {}
        """Ids that were given out, and until when their owner may join with them."""
        self._made = 0
        self._rebalance_ends = math.inf
        self._waits_for_more = False
        """Whether this is a new group's first rebalance, which doesn't end just because all known members are there."""
        self._initial_rest = 0.0
        """For how much longer that may be prolonged."""
        self._newcomers = False

    @property
    def members(self) -> tuple[str, ...]:
        """The members' ids."""
        return tuple(self._members)

    @property
    def deadline(self) -> float:
        """When something runs out: a member's session, a rebalance, an invitation. Infinite if nothing does."""
        sessions = (self._session_ends(member) for member in self._members.values())
        return min([self._rebalance_ends, *sessions, *self._invited.values()])

    def kept(self) -> Kept:
        """What the coordinator keeps of a group with a new assignment, so that another one can go on from there."""
        return Kept(
            self.generation,
            self.protocol,
            self.leader,
            self._made,
            tuple(
                KeptMember(
                    each.id, each.instance_id, each.session_timeout, each.rebalance_timeout, each.protocols, each.assignment
                )
                for each in self._members.values()
            ),
        )

    def restore(self, now: float, kept: Kept) -> None:
        """Go on from what another coordinator has kept: every member has its session's time to be heard of."""
        self.state = "Stable" if kept.members else "Empty"
        self.generation, self.protocol, self.leader = kept.generation, kept.protocol, kept.leader
        self._made = kept.made
        for each in kept.members:
            member = self._members[each.id] = Member(each.id, each.instance_id)
            member.session_timeout, member.rebalance_timeout = each.session_timeout, each.rebalance_timeout
            member.protocols, member.assignment = each.protocols, each.assignment
            member.generation, member.seen = kept.generation, now
            if each.instance_id is not None:
                self._instances[each.instance_id] = each.id

    def join(
        self,
        now: float,
        caller: Any,
        member_id: str,
        protocols: Sequence[tuple[str, Subscription]],
        *,
        client_id: str = "",
        instance_id: str | None = None,
        session_timeout_ms: float = 45_000.0,
        rebalance_timeout_ms: float = 300_000.0,
    ) -> list[Reply]:
        """A member wants in, or in again: with an empty id if it has none; the one that it is given then begins with its
        ``client_id``. A consumer's ``max.poll.interval.ms`` is its ``rebalance_timeout_ms``.

        Errors: INVALID_SESSION_TIMEOUT, INCONSISTENT_GROUP_PROTOCOL (it knows no assignor that all others know),
        MEMBER_ID_REQUIRED (join again with the id in the answer), UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
        """
        offered = tuple(protocols)
        timeouts = (session_timeout_ms, rebalance_timeout_ms)
        error = self._unfit(member_id, instance_id, offered, session_timeout_ms)
        if error:
            return [Reply(caller, "join", error, member_id)]
        if member_id in self._members:
            return self._again(now, caller, self._members[member_id], offered, timeouts)
        if not member_id and instance_id in self._instances:
            return self._replace(now, caller, str(instance_id), offered, timeouts)
        if not member_id and instance_id is None:
            invited = self._new_id(client_id or "member")
            self._invited[invited] = now + session_timeout_ms
            return [Reply(caller, "join", "MEMBER_ID_REQUIRED", invited)]
        self._invited.pop(member_id, None)
        return self._add(now, caller, member_id or self._new_id(str(instance_id)), instance_id, offered, timeouts)

    def sync(
        self,
        now: float,
        caller: Any,
        member_id: str,
        generation: int,
        assignments: Mapping[str, Sequence[TopicPartition]] | None = None,
        *,
        instance_id: str | None = None,
    ) -> list[Reply]:
        """A member asks for its assignment; the leader brings everybody's. Followers wait for the leader.

        Errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS (join again).
        """
        error = self._unknown(member_id, instance_id) or self._wrong_generation(generation)
        if not error and self.state == "PreparingRebalance":
            error = "REBALANCE_IN_PROGRESS"
        if error:
            return [Reply(caller, "sync", error, member_id)]
        member = self._members[member_id]
        member.seen = now
        if self.state == "Stable":
            return [self._synced(member, caller)]
        member.syncing = caller
        if member_id != self.leader or assignments is None:
            return []
        for each in self._members.values():
            each.assignment = tuple(assignments.get(each.id, ()))
        self.state = "Stable"
        replies = []
        for each in self._members.values():
            if each.syncing is not None:
                replies.append(self._synced(each, each.syncing))
                each.syncing, each.seen = None, now
        # Who has not asked yet has the time of a rebalance to do so; then its session decides.
        self._rebalance_ends = math.inf
        return replies

    def heartbeat(
        self, now: float, caller: Any, member_id: str, generation: int, *, instance_id: str | None = None
    ) -> list[Reply]:
        """A member is alive. Errors: as `sync`; REBALANCE_IN_PROGRESS is how it learns that it has to join again."""
        error = self._unknown(member_id, instance_id) or self._wrong_generation(generation)
        if not error:
            self._members[member_id].seen = now
            if self.state == "PreparingRebalance":
                error = "REBALANCE_IN_PROGRESS"
        return [Reply(caller, "heartbeat", error or "NONE", member_id)]

    def leave(self, now: float, caller: Any, member_id: str, *, instance_id: str | None = None) -> list[Reply]:
        """A member goes, or (told by its instance id alone) is taken out by an administrator.

        A consumer leaves when it is closed, unless it is static, and when it did not poll within
        ``max.poll.interval.ms``. Errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
        """
        if not member_id and instance_id is not None:
            member_id = self._instances.get(instance_id, "")
        if member_id in self._invited:
            del self._invited[member_id]
            return [Reply(caller, "leave", member_id=member_id), *self._maybe_complete(now)]
        error = self._unknown(member_id, instance_id)
        if error:
            return [Reply(caller, "leave", error, member_id)]
        return [Reply(caller, "leave", member_id=member_id), *self._remove(now, [member_id])]

    def close(self) -> list[Reply]:
        """Another coordinator has the group from now on: those who wait for an answer have to ask that one."""
        waiting: list[tuple[Any, Literal["join", "sync"], str]] = []
        for each in self._members.values():
            waiting += [(each.joining, "join", each.id), (each.syncing, "sync", each.id)]
        return [Reply(who, to, "NOT_COORDINATOR", name) for who, to, name in waiting if who is not None]

    def may_commit(
        self, now: float, member_id: str, generation: int, *, instance_id: str | None = None, transactional: bool = False
    ) -> str:
        """Whether offsets are stored that a member of this generation commits: ``NONE``, or why not.

        While members are still called together it is allowed, so that who gives up partitions can commit them first; in a
        transaction also while they get their new ones. Without a generation (-1) anyone may, as long as the group is empty.
        Source: ``ClassicGroup.validateOffsetCommit``.
        """
        if generation < 0 and not member_id and self.state == "Empty":
            return "NONE"
        error = self._unknown(member_id, instance_id) or self._wrong_generation(generation)
        if not error and self.state == "CompletingRebalance" and not transactional:
            error = "REBALANCE_IN_PROGRESS"
        if not error:
            self._members[member_id].seen = now
        return error or "NONE"

    def expire(self, now: float) -> list[Reply]:
        """Everything that has run out by now: sessions end, a rebalance goes on without those who did not come."""
        for invited in [each for each, until in self._invited.items() if until <= now]:
            del self._invited[invited]
        gone = [member.id for member in self._members.values() if self._session_ends(member) <= now]
        replies = self._remove(now, gone) + self._maybe_complete(now)
        if self._rebalance_ends > now:
            return replies
        if self.state == "CompletingRebalance":
            # They joined, but did not come for their assignment; or the leader brought none.
            late = [
                each.id for each in self._members.values() if each.generation == self.generation and each.syncing is None
            ]
            return replies + self._remove(now, late)
        if self._newcomers and self._initial_rest > 0:
            # As long as members keep coming to a new group, it is worth while to wait for more.
            self._wait_for_more(now)
            return replies
        return replies + self._complete_join(now)

    def _unknown(self, member_id: str, instance_id: str | None) -> str:
        if instance_id is not None and instance_id in self._instances and self._instances[instance_id] != member_id:
            return "FENCED_INSTANCE_ID"
        return "" if member_id in self._members else "UNKNOWN_MEMBER_ID"

    def _unfit(self, member_id: str, instance_id: str | None, offered: Protocols, session_timeout: float) -> str:
        """Why a member can't be let in; empty if it can."""
        low, high = self._session_timeouts
        if not low <= session_timeout <= high:
            return "INVALID_SESSION_TIMEOUT"
        if member_id and member_id not in self._invited:
            error = self._unknown(member_id, instance_id)
            if error:
                return error
        others = [
            member
            for member in self._members.values()
            if member.id != member_id and (instance_id is None or member.instance_id != instance_id)
        ]
        agreed = any(all(name in dict(member.protocols) for member in others) for name, _ in offered)
        return "" if agreed else "INCONSISTENT_GROUP_PROTOCOL"

    def _wrong_generation(self, generation: int) -> str:
        return "" if generation == self.generation else "ILLEGAL_GENERATION"

    def _new_id(self, prefix: str) -> str:
        # The real ones end in a random UUID.
        self._made += 1
        return f"{prefix}-{self._made}"

    def _session_ends(self, member: Member) -> float:
        # Who waits for an answer cannot be expected to send anything.
        waits = member.joining is not None or member.syncing is not None
        return math.inf if waits else member.seen + member.session_timeout

    def _add(
        self,
        now: float,
        caller: Any,
        name: str,
        instance_id: str | None,
        offered: Protocols,
        timeouts: tuple[float, float],
    ) -> list[Reply]:
        member = self._members[name] = Member(name, instance_id)
        if instance_id is not None:
            self._instances[instance_id] = name
        self._newcomers = self._waits_for_more
        return self._wait_to_join(now, caller, member, offered, timeouts)

    def _again(
        self, now: float, caller: Any, member: Member, offered: Protocols, timeouts: tuple[float, float]
    ) -> list[Reply]:
        unchanged = member.protocols == offered
        leads_stable = self.state == "Stable" and member.id == self.leader
        if self.state in ("CompletingRebalance", "Stable") and unchanged and not leads_stable:
            # It has missed the answer to its last join.
            member.seen = now
            return [self._joined(member, caller)]
        return self._wait_to_join(now, caller, member, offered, timeouts)

    def _replace(
        self, now: float, caller: Any, instance_id: str, offered: Protocols, timeouts: tuple[float, float]
    ) -> list[Reply]:
        """A static member has restarted: the same member under a new id, and its former self is fenced."""
        old = self._members[self._instances[instance_id]]
        waiting: list[tuple[Any, Literal["join", "sync"]]] = [(old.joining, "join"), (old.syncing, "sync")]
        replies = [Reply(who, to, "FENCED_INSTANCE_ID", old.id) for who, to in waiting if who is not None]
        new = Member(self._new_id(instance_id), instance_id)
        new.protocols, new.assignment = old.protocols, old.assignment
        self._members = {
            new.id if each == old.id else each: new if each == old.id else member for each, member in self._members.items()
        }
        self._instances[instance_id] = new.id
        if self.leader == old.id:
            self.leader = new.id
        if self.state == "Stable" and self._chosen(offered) == self._chosen(old.protocols):
            # Same assignor, same topics: it gets back what it had, and the others notice nothing.
            new.protocols, new.seen = offered, now
            new.session_timeout, new.rebalance_timeout = timeouts
            return [*replies, self._joined(new, caller)._replace(members=())]
        return [*replies, *self._wait_to_join(now, caller, new, offered, timeouts)]

    def _chosen(self, protocols: Protocols) -> tuple[str, ...] | None:
        told = dict(protocols).get(self.protocol)
        return None if told is None else tuple(sorted(told.topics))

    def _wait_to_join(
        self, now: float, caller: Any, member: Member, offered: Protocols, timeouts: tuple[float, float]
    ) -> list[Reply]:
        member.protocols, member.joining, member.seen = offered, caller, now
        member.session_timeout, member.rebalance_timeout = timeouts
        replies = self._prepare(now)
        return replies + self._maybe_complete(now)

    def _prepare(self, now: float) -> list[Reply]:
        """Call all members together, unless that is under way."""
        if self.state == "PreparingRebalance":
            return []
        replies: list[Reply] = []
        for member in self._members.values():
            if member.syncing is not None:
                replies.append(Reply(member.syncing, "sync", "REBALANCE_IN_PROGRESS", member.id))
                member.syncing, member.seen = None, now
        longest = max(member.rebalance_timeout for member in self._members.values())
        if self.state == "Empty" and self.group_initial_rebalance_delay_ms > 0:
            self._waits_for_more, self._initial_rest = True, longest
            self._wait_for_more(now)
        else:
            self._rebalance_ends = now + longest
        self.state = "PreparingRebalance"
        return replies

    def _wait_for_more(self, now: float) -> None:
        wait = min(self.group_initial_rebalance_delay_ms, self._initial_rest)
        self._rebalance_ends, self._initial_rest = now + wait, self._initial_rest - wait
        self._newcomers = False

    def _maybe_complete(self, now: float) -> list[Reply]:
        """Go on as soon as everybody is there; a new group waits a while for those who may still come."""
        if self.state != "PreparingRebalance" or self._waits_for_more or self._invited:
            return []
        return self._complete_join(now) if all(member.joining is not None for member in self._members.values()) else []

    def _complete_join(self, now: float) -> list[Reply]:
        for member in [each for each in self._members.values() if each.joining is None and each.instance_id is None]:
            self._forget(member)
        self._waits_for_more = False
        self._rebalance_ends = math.inf
        present = [member for member in self._members.values() if member.joining is not None]
        if self._members and not present:
            # Only static members, all of them away: they keep their places until their sessions end.
            self._rebalance_ends = now + max(member.rebalance_timeout for member in self._members.values())
            return []
        self.generation += 1
        if not present:
            self.state, self.protocol, self.leader = "Empty", "", ""
            return []
        if self.leader not in {member.id for member in present}:
            self.leader = present[0].id
        self.protocol = self._vote()
        self.state = "CompletingRebalance"
        self._rebalance_ends = now + max(member.rebalance_timeout for member in self._members.values())
        replies = []
        for member in present:
            replies.append(self._joined(member, member.joining))
            member.joining, member.seen, member.generation = None, now, self.generation
        return replies

    def _vote(self) -> str:
        """The assignor that most members like best of those that all know; at a tie, the one voted for first."""
        members = list(self._members.values())
        common = {name for name, _ in members[0].protocols if all(name in dict(each.protocols) for each in members)}
        votes: dict[str, int] = {}
        for member in members:
            favourite = next(name for name, _ in member.protocols if name in common)
            votes[favourite] = votes.get(favourite, 0) + 1
        return max(votes, key=votes.__getitem__)

    def _joined(self, member: Member, caller: Any) -> Reply:
        leads = member.id == self.leader
        all_told = tuple((each.id, each.told(self.protocol)) for each in self._members.values()) if leads else ()
        return Reply(caller, "join", "NONE", member.id, self.generation, self.protocol, self.leader, all_told)

    def _synced(self, member: Member, caller: Any) -> Reply:
        return Reply(caller, "sync", "NONE", member.id, self.generation, self.protocol, self.leader, (), member.assignment)

    def _forget(self, member: Member) -> None:
        del self._members[member.id]
        if member.instance_id is not None:
            del self._instances[member.instance_id]

    def _remove(self, now: float, gone: Sequence[str]) -> list[Reply]:
        replies: list[Reply] = []
        for name in gone:
            member = self._members[name]
            waiting: list[tuple[Any, Literal["join", "sync"]]] = [(member.joining, "join"), (member.syncing, "sync")]
            replies += [Reply(who, to, "UNKNOWN_MEMBER_ID", name) for who, to in waiting if who is not None]
            self._forget(member)
        if not gone:
            return []
        if self.state == "PreparingRebalance":
            return replies + self._maybe_complete(now)
        if self._members:
            return replies + self._prepare(now)
        self.state, self.protocol, self.leader = "Empty", "", ""
        self.generation += 1
        self._rebalance_ends = math.inf
        return replies
