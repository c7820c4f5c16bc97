"""A cluster as a client has it in mind, for the decisions of Python's Kafka clients that are called by themselves here."""

from __future__ import annotations


class ClusterPicture:
    """As much of it as their partitioners and assignors ask for."""

    def __init__(self, partitions: dict[str, int]) -> None:
        self._partitions = partitions

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self._partitions[topic])) if topic in self._partitions else None

    available_partitions_for_topic = partitions_for_topic

    def topics(self) -> set[str]:
        return set(self._partitions)
