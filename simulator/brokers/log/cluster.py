"""What a cluster holds, as data: its topics, and which broker has which replica. No clock, no network.

Source for the names and defaults of topics' settings: topic configuration of Apache Kafka 4.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from attrs import field, frozen

from simulator.brokers.log.retention import DAY_MS
from simulator.brokers.log.subscriptions import TopicPartition
from simulator.validation import at_least, not_negative, number_from, positive, probability
from simulator.values import Part

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
INTERNAL = (OFFSETS_TOPIC, TRANSACTIONS_TOPIC)
"""The topics in which the coordinators keep what they must not lose. Each has one partition here (50 in Kafka), so one broker
coordinates all groups and one all transactions."""


def _policies(given: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(given.split(",")) if isinstance(given, str) else tuple(given)


@frozen
class KafkaTopic(Part):
    """A topic of a cluster. Times in milliseconds; -1 for no limit, as in Kafka."""

    name: str
    partitions: int = field(default=1, metadata=at_least(1))
    replication_factor: int = field(default=1, metadata=at_least(1), kw_only=True)
    min_insync_replicas: int = field(default=1, metadata=at_least(1), kw_only=True)
    unclean_leader_election_enable: bool = field(default=False, kw_only=True)
    cleanup_policy: tuple[str, ...] = field(default=("delete",), converter=_policies, kw_only=True)
    """"delete", "compact" or both."""
    segment_bytes: int = field(default=1_073_741_824, metadata=at_least(1), kw_only=True)
    segment_ms: float = field(default=7 * DAY_MS, metadata=positive("ms"), kw_only=True)
    retention_ms: float = field(default=7 * DAY_MS, metadata=number_from(-1, "ms"), kw_only=True)
    retention_bytes: int = field(default=-1, metadata=at_least(-1), kw_only=True)
    delete_retention_ms: float = field(default=DAY_MS, metadata=not_negative("ms"), kw_only=True)
    min_cleanable_dirty_ratio: float = field(default=0.5, metadata=probability(), kw_only=True)
    min_compaction_lag_ms: float = field(default=0.0, metadata=not_negative("ms"), kw_only=True)

    def problems(self, called: str) -> Iterator[str]:
        """One sentence for each thing that a broker would refuse."""
        unknown = [policy for policy in self.cleanup_policy if policy not in ("delete", "compact")]
        if unknown or not self.cleanup_policy:
            yield f'{called}: cleanup_policy is {self.cleanup_policy!r} (INVALID_CONFIG); it takes "delete", "compact" or both.'
        if self.name in INTERNAL:
            yield f"{called}: the cluster keeps a topic of this name itself (INVALID_TOPIC_EXCEPTION); take another."
        elif not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", self.name) or self.name in (".", ".."):
            yield (
                f"{called}: this is no name of a topic (INVALID_TOPIC_EXCEPTION); it takes 1 to 249 letters (a-z), digits,"
                ' ".", "_" and "-", and is not "." or "..".'
            )


class Layout:
    """Every partition of a cluster with its number, and the brokers that hold its replicas, the preferred leader first.

    The internal topics come last. Replicas are dealt out round robin from the first broker on, those of the internal topics
    from the last one on (Kafka begins at a random one).
    """

    def __init__(self, topics: Sequence[KafkaTopic], brokers: Sequence[str]) -> None:
        self.brokers = tuple(brokers)
        # Kafka waits with its internal topics until there are three brokers, unless it is told that fewer will do. It compacts
        # them; here nothing in them ever goes, which leaves the same to whoever reads them.
        replicas = min(3, len(self.brokers))
        internal = (
            KafkaTopic(OFFSETS_TOPIC, replication_factor=replicas, retention_ms=-1),
            KafkaTopic(
                TRANSACTIONS_TOPIC, replication_factor=replicas, min_insync_replicas=min(2, replicas), retention_ms=-1
            ),
        )
        self.topics = {topic.name: topic for topic in (*topics, *internal)}
        self.partitions = [TopicPartition(topic.name, n) for topic in self.topics.values() for n in range(topic.partitions)]
        self.numbers = {partition: number for number, partition in enumerate(self.partitions)}
        self.names = [str(partition) for partition in self.partitions]
        self.replicas = [self._placed(partition) for partition in self.partitions]

    def of(self, number: int) -> KafkaTopic:
        """The topic of a partition."""
        return self.topics[self.partitions[number].topic]

    def numbers_of(self, topic: str) -> list[int]:
        """The numbers of a topic's partitions."""
        return [self.numbers[TopicPartition(topic, each)] for each in range(self.topics[topic].partitions)]

    @cached_property
    def offsets(self) -> int:
        """The partition whose leader coordinates the groups."""
        return self.numbers[TopicPartition(OFFSETS_TOPIC, 0)]

    @cached_property
    def transactions(self) -> int:
        """The partition whose leader coordinates the transactions."""
        return self.numbers[TopicPartition(TRANSACTIONS_TOPIC, 0)]

    def _placed(self, partition: TopicPartition) -> tuple[str, ...]:
        count = len(self.brokers)
        wanted = min(self.topics[partition.topic].replication_factor, count)
        first = partition.partition if partition.topic not in INTERNAL else count - 1
        return tuple(self.brokers[(first + place) % count] for place in range(wanted))
