"""A consumer group as its coordinator sees it: who is in, what generation it is, when it must be shared out anew.

The classic protocol: members join, one of them is told all subscriptions and decides the assignment, all sync to get theirs.
Sources: ``ClassicGroup`` and ``GroupMetadataManager`` of Apache Kafka 4.0; KIP-134 (initial delay), KIP-345 (static
members), KIP-394 (a new member is first told its id). Left out: the protocol of KIP-848, in which the broker assigns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from simulator.brokers.log.members import Kept, Member, Protocols, Reply
from simulator.brokers.log.roster import Roster
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
        group_max_size: int = 2_147_483_647,
    ) -> None:
        self.group_initial_rebalance_delay_ms = group_initial_rebalance_delay_ms
        self.group_max_size = group_max_size
        self._session_timeouts = (group_min_session_timeout_ms, group_max_session_timeout_ms)
        self.state: State = "Empty"
        self.generation = 0
        self.protocol = ""
        self.leader = ""
        self._roster = Roster()
        self._rebalance_ends = math.inf
        self._waits_for_more = False
        """Whether this is a new group's first rebalance, which doesn't end just because all known members are there."""
        self._initial_rest = 0.0
        """For how much longer that may be prolonged."""
        self._newcomers = False

    @property
    def members(self) -> tuple[str, ...]:
        """The members' ids."""
        return tuple(self._roster.members)

    @property
    def deadline(self) -> float:
        """When something runs out: a member's session, a rebalance, an invitation. Infinite if nothing does."""
        return min(self._rebalance_ends, self._roster.deadline)

    def kept(self) -> Kept:
        """What the coordinator keeps of a group with a new assignment, so that another one can go on from there."""
        return Kept(self.generation, self.protocol, self.leader, self._roster.made, self._roster.kept())

    def restore(self, now: float, kept: Kept) -> None:
        """Go on from what another coordinator has kept: every member has its session's time to be heard of."""
        self.state = "Stable" if kept.members else "Empty"
        self.generation, self.protocol, self.leader = kept.generation, kept.protocol, kept.leader
        self._roster.restore(now, kept.generation, kept.members)
        self._roster.made = kept.made

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

        Errors: INVALID_SESSION_TIMEOUT, GROUP_MAX_SIZE_REACHED, INCONSISTENT_GROUP_PROTOCOL (it knows no assignor that all
        others know), MEMBER_ID_REQUIRED (join again with the id in the answer), UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
        """
        offered = tuple(protocols)
        timeouts = (session_timeout_ms, rebalance_timeout_ms)
        error = self._unfit(member_id, instance_id, offered, session_timeout_ms)
        if error:
            out = [member_id] if error == "GROUP_MAX_SIZE_REACHED" and member_id in self._roster.members else []
            return [Reply(caller, "join", error, member_id), *self._remove(now, out)]
        roster, static = self._roster, self._roster.static(instance_id)
        if member_id in roster.members:
            return self._again(now, caller, roster.members[member_id], offered, timeouts)
        if not member_id and static is not None:
            return self._replace(now, caller, static, offered, timeouts)
        if not member_id and instance_id is None:
            invited = roster.new_id(client_id or "member")
            roster.invited[invited] = now + session_timeout_ms
            return [Reply(caller, "join", "MEMBER_ID_REQUIRED", invited)]
        member = roster.add(member_id or roster.new_id(str(instance_id)), instance_id)
        self._newcomers = self._waits_for_more
        return self._wait_to_join(now, caller, member, offered, timeouts)

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
        error = self._roster.unknown(member_id, instance_id) or self._wrong_generation(generation)
        if not error and self.state == "PreparingRebalance":
            error = "REBALANCE_IN_PROGRESS"
        if error:
            return [Reply(caller, "sync", error, member_id)]
        member = self._roster.members[member_id]
        member.seen = now
        if self.state == "Stable":
            return [self._synced(member, caller)]
        member.syncing = caller
        if member_id != self.leader or assignments is None:
            return []
        for each in self._roster:
            each.assignment = tuple(assignments.get(each.id, ()))
        self.state = "Stable"
        replies = []
        for each in self._roster:
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
        error = self._roster.unknown(member_id, instance_id) or self._wrong_generation(generation)
        if not error:
            self._roster.members[member_id].seen = now
            if self.state == "PreparingRebalance":
                error = "REBALANCE_IN_PROGRESS"
        return [Reply(caller, "heartbeat", error or "NONE", member_id)]

    def leave(self, now: float, caller: Any, member_id: str, *, instance_id: str | None = None) -> list[Reply]:
        """A member goes, or (told by its instance id alone) is taken out by an administrator.

        A consumer leaves when it is closed, unless it is static, and when it did not poll within
        ``max.poll.interval.ms``. Errors: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
        """
        if not member_id and instance_id is not None:
            static = self._roster.static(instance_id)
            member_id = "" if static is None else static.id
        if member_id in self._roster.invited:
            del self._roster.invited[member_id]
            return [Reply(caller, "leave", member_id=member_id), *self._maybe_complete(now)]
        error = self._roster.unknown(member_id, instance_id)
        if error:
            return [Reply(caller, "leave", error, member_id)]
        return [Reply(caller, "leave", member_id=member_id), *self._remove(now, [member_id])]

    def close(self) -> list[Reply]:
        """Another coordinator has the group from now on: those who wait for an answer have to ask that one."""
        return [reply for member in self._roster for reply in member.waiting("NOT_COORDINATOR")]

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
        error = self._roster.unknown(member_id, instance_id) or self._wrong_generation(generation)
        if not error and self.state == "CompletingRebalance" and not transactional:
            error = "REBALANCE_IN_PROGRESS"
        if not error:
            self._roster.members[member_id].seen = now
        return error or "NONE"

    def expire(self, now: float) -> list[Reply]:
        """Everything that has run out by now: sessions end, a rebalance goes on without those who did not come."""
        replies = self._remove(now, self._roster.late(now)) + self._maybe_complete(now)
        if self._rebalance_ends > now:
            return replies
        if self.state == "CompletingRebalance":
            # They joined, but did not come for their assignment; or the leader brought none.
            late = [each.id for each in self._roster if each.generation == self.generation and each.syncing is None]
            return replies + self._remove(now, late)
        if self._newcomers and self._initial_rest > 0:
            # As long as members keep coming to a new group, it is worth while to wait for more.
            self._wait_for_more(now)
            return replies
        return replies + self._complete_join(now)

    def _unfit(self, member_id: str, instance_id: str | None, offered: Protocols, session_timeout: float) -> str:
        """Why a member can't be let in; empty if it can."""
        low, high = self._session_timeouts
        if not low <= session_timeout <= high:
            return "INVALID_SESSION_TIMEOUT"
        if self._is_full(member_id):
            return "GROUP_MAX_SIZE_REACHED"
        if member_id and member_id not in self._roster.invited:
            error = self._roster.unknown(member_id, instance_id)
            if error:
                return error
        return "" if self._roster.agrees(offered, member_id, instance_id) else "INCONSISTENT_GROUP_PROTOCOL"

    def _is_full(self, member_id: str) -> bool:
        """Whether there is no place for one more: those that wait to join have theirs, and whoever comes last may find none.

        Source: ``GroupMetadataManager.acceptJoiningMember``.
        """
        known = self._roster.members.get(member_id)
        if self.state == "PreparingRebalance":
            joining = sum(member.joining is not None for member in self._roster)
            return (known is None or known.joining is None) and joining >= self.group_max_size
        return self.state != "Empty" and known is None and len(self._roster) >= self.group_max_size

    def _wrong_generation(self, generation: int) -> str:
        return "" if generation == self.generation else "ILLEGAL_GENERATION"

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
        self, now: float, caller: Any, old: Member, offered: Protocols, timeouts: tuple[float, float]
    ) -> list[Reply]:
        """A static member has restarted: the same member under a new id, and its former self is fenced."""
        replies = old.waiting("FENCED_INSTANCE_ID")
        new = self._roster.replace(old)
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
        for member in self._roster:
            if member.syncing is not None:
                replies.append(Reply(member.syncing, "sync", "REBALANCE_IN_PROGRESS", member.id))
                member.syncing, member.seen = None, now
        longest = max(member.rebalance_timeout for member in self._roster)
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
        if self.state != "PreparingRebalance" or self._waits_for_more or self._roster.invited:
            return []
        return self._complete_join(now) if all(member.joining is not None for member in self._roster) else []

    def _complete_join(self, now: float) -> list[Reply]:
        for member in [each for each in self._roster if each.joining is None and each.instance_id is None]:
            self._roster.forget(member)
        self._waits_for_more = False
        self._rebalance_ends = math.inf
        present = [member for member in self._roster if member.joining is not None]
        if self._roster and not present:
            # Only static members, all of them away: they keep their places until their sessions end.
            self._rebalance_ends = now + max(member.rebalance_timeout for member in self._roster)
            return []
        self.generation += 1
        if not present:
            self.state, self.protocol, self.leader = "Empty", "", ""
            return []
        if self.leader not in {member.id for member in present}:
            self.leader = present[0].id
        self.protocol = self._roster.vote()
        self.state = "CompletingRebalance"
        self._rebalance_ends = now + max(member.rebalance_timeout for member in self._roster)
        replies = []
        for member in present:
            replies.append(self._joined(member, member.joining))
            member.joining, member.seen, member.generation = None, now, self.generation
        return replies

    def _joined(self, member: Member, caller: Any) -> Reply:
        leads = member.id == self.leader
        all_told = tuple((each.id, each.told(self.protocol)) for each in self._roster) if leads else ()
        return Reply(caller, "join", "NONE", member.id, self.generation, self.protocol, self.leader, all_told)

    def _synced(self, member: Member, caller: Any) -> Reply:
        return Reply(caller, "sync", "NONE", member.id, self.generation, self.protocol, self.leader, (), member.assignment)

    def _remove(self, now: float, gone: Sequence[str]) -> list[Reply]:
        replies: list[Reply] = []
        for name in gone:
            member = self._roster.members[name]
            replies += member.waiting("UNKNOWN_MEMBER_ID")
            self._roster.forget(member)
        if not gone:
            return []
        if self.state == "PreparingRebalance":
            return replies + self._maybe_complete(now)
        if self._roster:
            return replies + self._prepare(now)
        self.state, self.protocol, self.leader = "Empty", "", ""
        self.generation += 1
        self._rebalance_ends = math.inf
        return replies
