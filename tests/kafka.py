"""A Kafka cluster of three brokers with some clients, run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator import Election, KafkaBroker, KafkaController, KafkaTopic, Node, Scenario, Trace, kafka_links, run

BROKERS = (KafkaBroker("broker-1"), KafkaBroker("broker-2"), KafkaBroker("broker-3"))


def cluster(
    *clients: Node,
    topics: Sequence[KafkaTopic] = (KafkaTopic("orders", replication_factor=3),),
    brokers: Sequence[KafkaBroker] = BROKERS,
    elections: Sequence[Election] = (),
    faults: Sequence[Any] = (),
    duration: float = 30_000,
    seed: int = 1,
) -> Trace:
    """The run of these clients on a cluster with these topics. At first the last broker coordinates groups and transactions."""
    nodes = [KafkaController("controller", topics, elections=elections), *brokers, *clients]
    return run(Scenario(nodes=nodes, links=kafka_links(nodes), faults=faults, duration=duration), seed=seed)
