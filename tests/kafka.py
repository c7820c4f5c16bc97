"""A Kafka cluster of three brokers with some clients, run; and what its trace tells of replicas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from simulator import Election, KafkaBroker, KafkaController, KafkaTopic, Node, Scenario, Trace, kafka_links, run
from simulator.vocabulary import BY_CODE

BROKERS = (KafkaBroker("broker-1"), KafkaBroker("broker-2"), KafkaBroker("broker-3"))

SWIFT = tuple(
    evolve(
        broker,
        broker_heartbeat_interval_ms=100,
        replica_lag_time_max_ms=500,
        replica_fetch_wait_max_ms=100,
        replica_fetch_backoff_ms=50,
        replica_socket_timeout_ms=300,
        group_initial_rebalance_delay_ms=50,
        group_min_session_timeout_ms=100,
    )
    for broker in BROKERS
)
"""Brokers that notice within half a second what others take half a minute for."""

SWIFT_SESSION = 500.0
"""A ``broker_session_timeout_ms`` that suits them."""


SWIFT_CLIENT: dict[str, Any] = {"request_timeout_ms": 300, "retry_backoff_ms": 20, "retry_backoff_max_ms": 200}
"""The settings of a client that suits them."""

SWIFT_READER: dict[str, Any] = SWIFT_CLIENT | {
    "session_timeout_ms": 1_000,
    "heartbeat_interval_ms": 200,
    "fetch_max_wait_ms": 100,
    "auto_offset_reset": "earliest",
}
"""The settings of a client that reads, and begins at the beginning."""


def cluster_of(
    *clients: Node,
    topics: Sequence[KafkaTopic] = (KafkaTopic("orders", replication_factor=3),),
    brokers: Sequence[KafkaBroker] = BROKERS,
    elections: Sequence[Election] = (),
    faults: Sequence[Any] = (),
    duration: float = 30_000,
    latency: Any = 1.0,
    **controller: Any,
) -> Scenario:
    """These clients on a cluster with these topics. At first the last broker coordinates groups and transactions."""
    nodes = [KafkaController("controller", topics, elections=elections, **controller), *brokers, *clients]
    return Scenario(nodes=nodes, links=kafka_links(nodes, latency=latency), faults=faults, duration=duration)


def cluster(*clients: Node, seed: int = 1, **how: Any) -> Trace:
    """The run of `cluster_of`."""
    return run(cluster_of(*clients, **how), seed=seed)


def swift(*clients: Node, seed: int = 1, **how: Any) -> Trace:
    """The run of a cluster whose brokers notice quickly."""
    return cluster(*clients, seed=seed, **{"brokers": SWIFT, "broker_session_timeout_ms": SWIFT_SESSION, **how})


def leaders(trace: Trace, partition: str = "orders-0") -> list[str | None]:
    """Who was made to lead a partition, one after the other."""
    return [step["leader"] for step in trace.select("elected") if step["partition"] == partition]


def keys(trace: Trace, kind: str, node: str | None = None) -> list[str]:
    """The keys of the messages of these steps, in order."""
    return [str(step.message.key) for step in trace.select(kind, node=node) if step.message is not None]


def log(trace: Trace, partition: str = "orders-0") -> list[str]:
    """The keys of a partition's records, in the order in which its leaders appended them."""
    return [str(step.message.key) for step in trace.select("appended") if step["partition"] == partition]


def orders(count: int) -> list[str]:
    """The keys of a producer's first records."""
    return [f"order-{number}" for number in range(1, count + 1)]


class Logs:
    """Every replica's log as the steps of a run leave it: the id of the record at each offset, by (broker, partition)."""

    def __init__(self, trace: Trace) -> None:
        self.logs: dict[tuple[str, str], dict[int, int]] = {}
        self.marks: dict[tuple[str, str], int] = {}
        """The high watermarks that the replicas know of."""
        self.committed: dict[tuple[str, int], int] = {}
        """What stood below some replica's high watermark at some time: the record, by (partition, offset)."""
        self.contradictions: list[int] = []
        """The steps by which something that was committed changed: cut off, or replaced by something else."""
        changes = {
            "appended": self._store,
            "replicated": self._store,
            "marked": self._store,
            "advanced": self._advance,
            "truncated": self._cut,
            "trimmed": self._trim,
            "compacted": self._take_out,
        }
        for index, _, kind, node, message, _, partition, offset, _ in trace.rows(*changes):
            changes[BY_CODE[kind].name](index, (trace.nodes[node], trace.values[-partition]), offset, message)

    def of(self, partition: str) -> dict[str, dict[int, int]]:
        """The logs of a partition's replicas, by broker."""
        return {broker: log for (broker, held), log in self.logs.items() if held == partition}

    def _store(self, index: int, place: tuple[str, str], offset: int, message: int) -> None:
        self.logs.setdefault(place, {})[offset] = message
        if offset < self.marks.get(place, 0):
            self._see(index, place, offset)

    def _advance(self, index: int, place: tuple[str, str], offset: int, _: int) -> None:
        for each in range(self.marks.get(place, 0), offset):
            self._see(index, place, each)
        self.marks[place] = offset

    def _cut(self, index: int, place: tuple[str, str], offset: int, _: int) -> None:
        if offset < self.marks.get(place, 0):
            self.contradictions.append(index)
            self.marks[place] = offset
        log = self.logs[place]
        self.logs[place] = {each: record for each, record in log.items() if each < offset}

    def _trim(self, index: int, place: tuple[str, str], offset: int, _: int) -> None:
        self.logs[place] = {each: record for each, record in self.logs.get(place, {}).items() if each >= offset}

    def _take_out(self, index: int, place: tuple[str, str], offset: int, _: int) -> None:
        del self.logs[place][offset]

    def _see(self, index: int, place: tuple[str, str], offset: int) -> None:
        record = self.logs.get(place, {}).get(offset)
        if record is not None and self.committed.setdefault((place[1], offset), record) != record:
            self.contradictions.append(index)
