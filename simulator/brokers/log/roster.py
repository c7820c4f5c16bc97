"""Who is in a consumer group, under which ids, and what its members agree on. Sources: as `simulator.brokers.log.group`."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.brokers.log.members import KeptMember, Member, Protocols


class Roster:
    """A group's members by id, in the order in which they came."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.invited: dict[str, float] = {}
        """Ids that were given out, and until when their owner may join with them."""
        self.made = 0
        """How many ids were given out."""
        self._instances: dict[str, str] = {}
        """Each static member's current id."""

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members.values())

    def __len__(self) -> int:
        return len(self.members)

    @property
    def deadline(self) -> float:
        """When a session or an invitation runs out."""
        return min([*(member.session_ends for member in self), *self.invited.values()], default=float("inf"))

    def late(self, now: float) -> list[str]:
        """The members whose sessions are over; who was invited and did not come is forgotten."""
        self.invited = {name: until for name, until in self.invited.items() if until > now}
        return [member.id for member in self if member.session_ends <= now]

    def new_id(self, prefix: str) -> str:
        """An id that nobody has. The real ones end in a random UUID."""
        self.made += 1
        return f"{prefix}-{self.made}"

    def add(self, name: str, instance_id: str | None) -> Member:
        """A new member."""
        self.invited.pop(name, None)
        member = self.members[name] = Member(name, instance_id)
        if instance_id is not None:
            self._instances[instance_id] = name
        return member

    def static(self, instance_id: str | None) -> Member | None:
        """The member with this instance id, if there is one."""
        return self.members[self._instances[instance_id]] if instance_id in self._instances else None

    def replace(self, old: Member) -> Member:
        """A static member under a new id, in its old place and with what it had."""
        instance = str(old.instance_id)
        new = Member(self.new_id(instance), instance)
        new.protocols, new.assignment = old.protocols, old.assignment
        self.members = {each.id: each for each in (new if member is old else member for member in self)}
        self._instances[instance] = new.id
        return new

    def forget(self, member: Member) -> None:
        """A member is out."""
        del self.members[member.id]
        if member.instance_id is not None:
            del self._instances[member.instance_id]

    def unknown(self, member_id: str, instance_id: str | None) -> str:
        """Why one that calls itself so is no member; empty if it is one."""
        known = self.static(instance_id)
        if known is not None and known.id != member_id:
            return "FENCED_INSTANCE_ID"
        return "" if member_id in self.members else "UNKNOWN_MEMBER_ID"

    def agrees(self, offered: Protocols, member_id: str, instance_id: str | None) -> bool:
        """Whether the others all know one of the assignors that this member, or its next self, offers."""
        others = [
            member
            for member in self
            if member.id != member_id and (instance_id is None or member.instance_id != instance_id)
        ]
        return any(all(name in dict(member.protocols) for member in others) for name, _ in offered)

    def vote(self) -> str:
        """The assignor that most members like best of those that all know; at a tie, the one voted for first."""
        members = list(self)
        common = {name for name, _ in members[0].protocols if all(name in dict(each.protocols) for each in members)}
        votes: dict[str, int] = {}
        for member in members:
            favourite = next(name for name, _ in member.protocols if name in common)
            votes[favourite] = votes.get(favourite, 0) + 1
        return max(votes, key=votes.__getitem__)

    def kept(self) -> tuple[KeptMember, ...]:
        """What another coordinator needs to know of them."""
        return tuple(
            KeptMember(
                each.id, each.instance_id, each.session_timeout, each.rebalance_timeout, each.protocols, each.assignment
            )
            for each in self
        )

    def restore(self, now: float, generation: int, kept: tuple[KeptMember, ...]) -> None:
        """These are the members of this generation: each has its session's time from now on to be heard of."""
        for each in kept:
            member = self.add(each.id, each.instance_id)
            member.session_timeout, member.rebalance_timeout = each.session_timeout, each.rebalance_timeout
            member.protocols, member.assignment = each.protocols, each.assignment
            member.generation, member.seen = generation, now
