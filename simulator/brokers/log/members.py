"""What a group's coordinator keeps of each member, and what it answers."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

from simulator.brokers.log.subscriptions import Subscription, TopicPartition

Protocols = tuple[tuple[str, Subscription], ...]
"""The assignors that a member knows, its favourite first, each with what it tells that assignor."""


class Reply(NamedTuple):
    """What one caller is answered: at once, or when all others have come."""

    caller: Any
    to: Literal["join", "sync", "heartbeat", "leave"]
    error: str = "NONE"
    member_id: str = ""
    generation: int = -1
    protocol: str = ""
    """The assignor that all members know."""
    leader: str = ""
    members: tuple[tuple[str, Subscription], ...] = ()
    """For the leader of the group only: what it decides the assignment from."""
    assignment: tuple[TopicPartition, ...] = ()


class KeptMember(NamedTuple):
    """What a coordinator keeps of one member."""

    id: str
    instance_id: str | None
    session_timeout: float
    rebalance_timeout: float
    protocols: Protocols
    assignment: tuple[TopicPartition, ...]


class Kept(NamedTuple):
    """What a coordinator keeps of a group that has just got an assignment (Kafka: ``GroupMetadataValue``)."""

    generation: int
    protocol: str
    leader: str
    made: int
    """How many member ids were given out: none is given twice."""
    members: tuple[KeptMember, ...]


class Member:
    """What a group's coordinator keeps of one member."""

    __slots__ = (
        "assignment",
        "generation",
        "id",
        "instance_id",
        "joining",
        "protocols",
        "rebalance_timeout",
        "seen",
        "session_timeout",
        "syncing",
    )

    def __init__(self, name: str, instance_id: str | None) -> None:
        self.id = name
        self.instance_id = instance_id
        self.protocols: Protocols = ()
        self.generation = -1
        """The last one that it joined."""
        self.session_timeout = self.rebalance_timeout = 0.0
        self.seen = 0.0
        self.assignment: tuple[TopicPartition, ...] = ()
        self.joining: Any = None
        """Who waits for an answer to its join."""
        self.syncing: Any = None

    @property
    def session_ends(self) -> float:
        """When it is out if it is not heard of before; never as long as it waits for an answer, and so can't send anything."""
        waits = self.joining is not None or self.syncing is not None
        return math.inf if waits else self.seen + self.session_timeout

    def waiting(self, error: str) -> list[Reply]:
        """What whoever waits for it is answered, if nothing can come of that any more."""
        asked: list[tuple[Any, Literal["join", "sync"]]] = [(self.joining, "join"), (self.syncing, "sync")]
        return [Reply(caller, to, error, self.id) for caller, to in asked if caller is not None]

    def told(self, protocol: str) -> Subscription:
        """What it tells this assignor."""
        return dict(self.protocols)[protocol]
