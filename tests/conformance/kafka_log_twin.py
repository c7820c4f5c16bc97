"""The same operations on a topic of ours and on one of librdkafka's mock cluster, through Kafka's real client.

Each operation has one name and one set of arguments on both sides, and gives what a client can see. Nothing waits for a time
as such: a real client is polled until it shows what was asked for, and the test fails if it does not come to that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Protocol

from simulator.brokers.log.elections import Leadership
from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.offsets import Offsets
from simulator.brokers.log.partition import Partition
from simulator.brokers.log.partitioner import partition_for_key
from simulator.brokers.log.partitions import Partitions
from simulator.brokers.log.replicas import Replica
from simulator.brokers.log.subscriptions import TopicPartition
from tests.conformance.kafka_mock import MockCluster

PATIENCE = 30.0
"""Seconds within which a real client must show what is waited for, however busy the machine is."""

Reset = Literal["earliest", "latest", "none"]
Read = dict[int, list[tuple[int, str]] | str]
"""Of each partition the offsets and keys of its records, or the name of the error that ended reading."""

NO_OFFSET = "no offset, and no reset"
"""A reader that must not choose by itself does not know where to begin: ``NoOffsetForPartitionException`` and
``OffsetOutOfRangeException`` in Kafka's Java client, ``_AUTO_OFFSET_RESET`` in librdkafka."""


class Side(Protocol):
    """A topic with its readers."""

    def produce(self, keys: Sequence[str]) -> list[tuple[int, int]]:
        """Append a record for each key; where each stands."""

    def commit(self, group: str, places: Mapping[int, int]) -> None:
        """Store where the group goes on."""

    def committed(self, group: str) -> dict[int, int | None]:
        """Where the group goes on."""

    def resume(self, group: str, reset: Reset) -> Read:
        """Read all that the group has not read."""

    def read(self, places: Mapping[int, int | None], reset: Reset) -> Read:
        """Read from these places on, or from where the reset says, to the end."""

    def watermarks(self) -> list[tuple[int, int]]:
        """Each partition's first offset, and the one after its last."""


class Replicated:
    """A topic of one broker's partitions, a group's offsets, and a client that goes where ``auto.offset.reset`` sends it."""

    def __init__(self, partitions: int) -> None:
        self._partitions = [Partition(Replica("broker", ["broker"])) for _ in range(partitions)]
        for each in self._partitions:
            each.replica.learn(0, Leadership("broker", 0, ("broker",)))
        self._groups: dict[str, Offsets] = {}

    def produce(self, keys: Sequence[str]) -> list[tuple[int, int]]:
        found = []
        for key in keys:
            number = partition_for_key(key, len(self._partitions))
            found.append((number, self._partitions[number].produce(0, [Entry(0, key, key=key)], "all").offset))
        return found

    def commit(self, group: str, places: Mapping[int, int]) -> None:
        for number, offset in places.items():
            self._offsets(group).commit(TopicPartition("topic", number), offset)

    def committed(self, group: str) -> dict[int, int | None]:
        return {n: self._offsets(group).fetch(TopicPartition("topic", n)) for n in range(len(self._partitions))}

    def resume(self, group: str, reset: Reset) -> Read:
        return self.read(self.committed(group), reset)

    def read(self, places: Mapping[int, int | None], reset: Reset) -> Read:
        return {number: self._read(self._partitions[number], offset, reset) for number, offset in places.items()}

    def watermarks(self) -> list[tuple[int, int]]:
        return [(each.log.start, each.replica.high_watermark) for each in self._partitions]

    def _read(self, partition: Partition, offset: int | None, reset: Reset) -> list[tuple[int, str]] | str:
        if offset is not None:
            try:
                found = partition.read(offset, 500, "read_uncommitted")
            except Refused as refused:
                if refused.error != "OFFSET_OUT_OF_RANGE":
                    raise
            else:
                return [(entry.offset, str(entry.record)) for entry in found.entries]
        if reset == "none":
            return NO_OFFSET
        return self._read(partition, partition.log.start if reset == "earliest" else partition.replica.high_watermark, reset)

    def _offsets(self, group: str) -> Offsets:
        return self._groups.setdefault(group, Offsets())


class Plain:
    """What a `Topic` on one broker without replicas keeps: the numbers of its records, and offsets."""

    def __init__(self, partitions: int) -> None:
        self._kept = Partitions(partitions)
        self._keys: list[str] = []

    def produce(self, keys: Sequence[str]) -> list[tuple[int, int]]:
        found = []
        for key in keys:
            number = partition_for_key(key, len(self._kept.logs))
            found.append((number, self._kept.append(number, len(self._keys))))
            self._keys.append(key)
        return found

    def commit(self, group: str, places: Mapping[int, int]) -> None:
        for number, offset in places.items():
            self._kept.commit(group, number, offset)

    def committed(self, group: str) -> dict[int, int | None]:
        return {number: self._kept.committed.get((group, number)) for number in range(len(self._kept.logs))}

    def resume(self, group: str, reset: Reset) -> Read:
        starts = {n: self._kept.start(group, n, reset == "earliest") for n in range(len(self._kept.logs))}
        return self.read(starts, reset)

    def read(self, places: Mapping[int, int | None], reset: Reset) -> Read:
        return {
            number: [(at, self._keys[record]) for _, at, record in self._kept.read([(number, offset or 0)], 500)]
            for number, offset in places.items()
        }

    def watermarks(self) -> list[tuple[int, int]]:
        return [(0, self._kept.end(number)) for number in range(len(self._kept.logs))]


class Real:
    """A topic of the mock cluster, and Kafka's client."""

    def __init__(self, cluster: MockCluster, partitions: int, **settings: Any) -> None:
        """``settings`` are its producer's, by Kafka's names."""
        import confluent_kafka

        self._kafka = confluent_kafka
        self.cluster = cluster
        self.topic = cluster.topic(partitions)
        self._count = partitions
        self._names: dict[str, str] = {}
        self._consumers: dict[tuple[str, Reset], Any] = {}
        self.producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": cluster.bootstrap,
                "partitioner": "murmur2_random",
                "linger.ms": 0,
                "log_level": 3,
                **settings,
            }
        )

    def close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    def produce(self, keys: Sequence[str]) -> list[tuple[int, int]]:
        return [place for place in self.sent(keys)() if isinstance(place, tuple)]

    def sent(self, keys: Sequence[str], **more: Any) -> Callable[[], list[tuple[int, int] | str]]:
        """Hand records over, and get what waits until it is known what became of each: where it stands, or the error."""
        outcomes: dict[int, tuple[int, int] | str] = {}

        def told(place: int) -> Callable[[Any, Any], None]:
            def tell(error: Any, message: Any) -> None:
                outcomes[place] = error.name() if error else (message.partition(), message.offset())

            return tell

        for place, key in enumerate(keys):
            self.producer.produce(self.topic, value=key.encode(), key=key.encode(), on_delivery=told(place), **more)

        def wait() -> list[tuple[int, int] | str]:
            left = self.producer.flush(PATIENCE)
            assert not left, f"{left} of {len(keys)} records were neither written nor given up within {PATIENCE:.0f} s."
            return [outcomes[place] for place in range(len(keys))]

        return wait

    def commit(self, group: str, places: Mapping[int, int]) -> None:
        self._consumer(group, "none").commit(offsets=self._at(places), asynchronous=False)

    def committed(self, group: str) -> dict[int, int | None]:
        told = self._consumer(group, "none").committed(self._at(dict.fromkeys(range(self._count), 0)), PATIENCE)
        return {each.partition: each.offset if each.offset >= 0 else None for each in told}

    def resume(self, group: str, reset: Reset) -> Read:
        return self._read(self._consumer(group, reset), dict.fromkeys(range(self._count), self._kafka.OFFSET_STORED))

    def read(self, places: Mapping[int, int | None], reset: Reset) -> Read:
        return self._read(self._consumer("reader", reset), places)

    def watermarks(self) -> list[tuple[int, int]]:
        consumer = self._consumer("reader", "none")
        return [consumer.get_watermark_offsets(each, PATIENCE) for each in self._at(dict.fromkeys(range(self._count), 0))]

    def _read(self, consumer: Any, places: Mapping[int, int | None]) -> Read:
        errors = self._kafka.KafkaError
        found: dict[int, Any] = {number: [] for number in places}
        consumer.assign(self._at(places))
        unread = set(places)
        until = time.monotonic() + PATIENCE
        while unread:
            assert time.monotonic() < until, f"The partitions {unread} were not read to their end within {PATIENCE:.0f} s."
            message = consumer.poll(1)
            if message is None:
                continue
            number, error = message.partition(), message.error()
            if error is None:
                found[number].append((message.offset(), message.key().decode()))
            else:
                unread.discard(number)
                if error.code() == errors._AUTO_OFFSET_RESET:
                    found[number] = NO_OFFSET
                else:
                    assert error.code() == errors._PARTITION_EOF, error
        consumer.unassign()
        return found

    def _consumer(self, group: str, reset: Reset) -> Any:
        if (group, reset) not in self._consumers:
            self._consumers[group, reset] = self._kafka.Consumer(
                {
                    "bootstrap.servers": self.cluster.bootstrap,
                    "group.id": self._names.setdefault(group, self.cluster.new_name(group)),
                    "auto.offset.reset": "error" if reset == "none" else reset,
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "fetch.wait.max.ms": 10,
                    "log_level": 3,
                }
            )
        return self._consumers[group, reset]

    def _at(self, places: Mapping[int, int | None]) -> list[Any]:
        return [self._kafka.TopicPartition(self.topic, number, offset) for number, offset in places.items()]


class Twin:
    """Both sides. `do` asks both for the same, and they must say the same."""

    def __init__(self, ours: Side, real: Real) -> None:
        self.ours = ours
        self.real = real

    def do(self, operation: str, *arguments: Any) -> Any:
        said = getattr(self.ours, operation)(*arguments)
        answered = getattr(self.real, operation)(*arguments)
        assert said == answered, f"{operation}{arguments}: we say {said}, Kafka's client {answered}."
        return said


@contextmanager
def twin(cluster: MockCluster, partitions: int, ours: Callable[[int], Side] = Replicated) -> Iterator[Twin]:
    """A topic of each, gone afterwards."""
    real = Real(cluster, partitions)
    try:
        yield Twin(ours(partitions), real)
    finally:
        real.close()
