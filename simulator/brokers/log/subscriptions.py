"""What a group's member says of itself when it joins, and what it is given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from attrs import field, frozen


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names)


def _partitions(partitions: Iterable[TopicPartition]) -> tuple[TopicPartition, ...]:
    return tuple(partitions)


@frozen
class Subscription:
    """What a member tells the group's leader: what it wants to read, and what it reads already.

    Source: ``ConsumerPartitionAssignor.Subscription`` of Apache Kafka 4.0.
    """

    topics: tuple[str, ...] = field(converter=_names)
    owned: tuple[TopicPartition, ...] = field(default=(), converter=_partitions)
    generation: int = -1
    """The generation in which it was given what it owns; -1: none. The latest wins where two members claim the same."""
    instance_id: str | None = None
    """``group.instance.id``: the name of a static member, the same after a restart."""


Assignment = dict[str, list[TopicPartition]]
"""Each member's partitions; a member without any has an empty list."""
