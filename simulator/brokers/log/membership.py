"""A consumer's side of its group: what it tells, what it gives up and when, and whether it is still taken to be alive.

Sources: ``ConsumerCoordinator`` and ``AbstractCoordinator`` of Apache Kafka's Java client (4.0); KIP-62 (the heartbeat is sent
beside the work, ``max.poll.interval.ms`` watches the work), KIP-429 (incremental cooperative rebalancing).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from simulator.brokers.log.assignors import ASSIGNORS, COOPERATIVE
from simulator.brokers.log.members import Protocols, Reply
from simulator.brokers.log.subscriptions import Assignment, Subscription, TopicPartition

LOST = ("UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_INSTANCE_ID")
"""The errors that tell a member that its partitions are someone else's."""


class Change(NamedTuple):
    """What an assignment means for what is being read."""

    revoked: tuple[TopicPartition, ...]
    """To be given up, after committing."""
    added: tuple[TopicPartition, ...]
    rejoin: bool = False
    """Whether another rebalance must hand on what was given up."""


class Membership:
    """One consumer in its group. ``owned`` is what it reads.

    With an assignor that is not cooperative among its ``assignors`` it is *eager*: it gives up everything before it joins
    again, so that nobody reads until all have joined and synced. Otherwise it gives up only what it is told to.
    """

    def __init__(
        self,
        topics: Sequence[str],
        *,
        assignors: Sequence[str] = ("range", "cooperative-sticky"),
        instance_id: str | None = None,
        session_timeout_ms: float = 45_000.0,
        heartbeat_interval_ms: float = 3_000.0,
        max_poll_interval_ms: float = 300_000.0,
    ) -> None:
        self.topics = tuple(topics)
        self.assignors = tuple(assignors)
        self.instance_id = instance_id
        self.session_timeout_ms = session_timeout_ms
        self.heartbeat_interval_ms = heartbeat_interval_ms
        self.max_poll_interval_ms = max_poll_interval_ms
        self.cooperative = all(name in COOPERATIVE for name in self.assignors)
        self.member_id = ""
        self.generation = -1
        self.owned: tuple[TopicPartition, ...] = ()
        self._given: tuple[TopicPartition, ...] = ()
        """Its last assignment; ``sticky`` is told that instead of what it reads."""
        self._given_in = -1
        """The generation in which it got that."""
        self._polled = 0.0
        self._polls = False
        self._heard_of = 0.0
        self._heard = 0.0

    def protocols(self) -> Protocols:
        """What it tells when it joins. Source for the exception: ``StickyAssignor.subscriptionUserData``."""
        return tuple(
            (
                name,
                Subscription(self.topics, self._given if name == "sticky" else self.owned, self._given_in, self.instance_id),
            )
            for name in self.assignors
        )

    def rejoin(self) -> tuple[TopicPartition, ...]:
        """It has to join (again): what it gives up for that, after committing."""
        revoked, self.owned = ((), self.owned) if self.cooperative else (self.owned, ())
        return revoked

    def joined(self, now: float, reply: Reply, partitions: Mapping[str, int]) -> Assignment | None:
        """It is in; if it leads, the assignment that it decides, from each topic's number of partitions."""
        self.member_id, self.generation = reply.member_id, reply.generation
        self._heard = now
        if not reply.members:
            return None
        return ASSIGNORS[reply.protocol](partitions, dict(reply.members))

    def synced(self, reply: Reply) -> Change:
        """Its assignment is here."""
        before, now = self.owned, reply.assignment
        revoked = tuple(each for each in before if each not in now)
        self.owned = self._given = now
        self._given_in = self.generation
        added = tuple(each for each in now if each not in before)
        return Change(revoked, added, rejoin=self.cooperative and bool(revoked))

    def refused(self, reply: Reply) -> tuple[TopicPartition, ...]:
        """It was answered with an error: what it has lost, without a chance to commit.

        MEMBER_ID_REQUIRED gives it its id. After UNKNOWN_MEMBER_ID and ILLEGAL_GENERATION it joins anew; FENCED_INSTANCE_ID
        is the end: another consumer has taken its place.
        """
        if reply.error == "MEMBER_ID_REQUIRED":
            self.member_id = reply.member_id
            return ()
        if reply.error not in LOST:
            return ()
        if reply.error == "UNKNOWN_MEMBER_ID":
            self.member_id = ""
        lost, self.owned, self.generation = self.owned, (), -1
        return lost

    def left(self) -> tuple[TopicPartition, ...]:
        """It is out, and will come as a stranger: what it read until now may be someone else's already."""
        lost, self.owned, self.generation, self.member_id = self.owned, (), -1, ""
        return lost

    def polls(self) -> None:
        """The application asks for records. As long as it waits for them it can't be late for the next time."""
        self._polls = True

    def polled(self, now: float) -> None:
        """The application has its records."""
        self._polls, self._polled = False, now

    def heartbeat_sent(self, now: float) -> None:
        """The coordinator was told that it lives."""
        self._heard_of = now

    def heard(self, now: float) -> None:
        """The coordinator has answered a heartbeat."""
        self._heard = now

    def misses_coordinator(self, now: float) -> bool:
        """Whether it has not heard of the coordinator for so long that it had better look for another one."""
        return now - self._heard >= self.session_timeout_ms

    @property
    def heartbeat_due(self) -> float:
        """When the next heartbeat is to be sent."""
        return self._heard_of + self.heartbeat_interval_ms

    @property
    def poll_due(self) -> float:
        """When it must leave the group for not having polled: its work on the last records took too long."""
        return math.inf if self._polls else self._polled + self.max_poll_interval_ms
