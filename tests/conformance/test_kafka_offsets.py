"""Where a group begins to read and reads on, against a real Apache Kafka cluster: what decides it, and nodes that do it.

Ten records stand in a log. A group reads two and commits; another one is new.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator import (
    Consumer,
    Crash,
    KafkaBroker,
    KafkaConsumer,
    KafkaController,
    KafkaProducer,
    KafkaTopic,
    Link,
    ListedKeys,
    Producer,
    Scenario,
    Topic,
    Trace,
    kafka_links,
    run,
)
from simulator.brokers.log.offsets import Offsets
from simulator.brokers.log.partitions import Partitions
from simulator.brokers.log.subscriptions import TopicPartition
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

REAL = recorded("kafka_scenarios")["K11"]["result"]
KEYS = [f"m{number}" for number in range(10)]
SETTINGS = {"work": 5, "max_poll_records": 1, "auto_offset_reset": "earliest"}


def test_a_plain_topics_groups_begin_where_kafkas_do() -> None:
    log = Partitions(1)
    for record in range(10):
        log.append(0, record)

    log.commit("g", 0, 1 + 1)

    def read_by(group: str, *, earliest: bool) -> list[str]:
        return [KEYS[record] for _, _, record in log.read([(0, log.start(group, 0, earliest))], 500)]

    assert log.start("g", 0, True) == REAL["committed_after_commit_of_message_offset_1"]
    assert read_by("g", earliest=True) == REAL["restart_reads"]
    assert read_by("new", earliest=True)[0] == REAL["new_group_reset_earliest"]
    assert read_by("new", earliest=False) == ([] if REAL["new_group_reset_latest"] is None else None)


def test_a_coordinator_keeps_the_next_offset_to_read() -> None:
    offsets, partition = Offsets(), TopicPartition("t", 0)

    offsets.commit(partition, 1 + 1)

    assert offsets.fetch(partition) == REAL["committed_after_commit_of_message_offset_1"]


def from_a_topic(*faults: Any, **settings: Any) -> Trace:
    """The log is a plain topic; its consumer begins 100 ms late."""
    reader = Consumer("reader", **(SETTINGS | settings))
    late = Crash("reader", at=0, restart_after=100)
    return run(
        Scenario(
            [Producer("writer", 1, keys=ListedKeys(KEYS), count=10), Topic("log"), reader],
            [Link("writer", "log"), Link("log", "reader")],
            [late, *faults],
            duration=2_000,
        )
    )


def from_a_cluster(*faults: Any, **settings: Any) -> Trace:
    """The log is a partition of a cluster, and its consumer a member of a group that commits after each record."""
    nodes = [
        KafkaController("controller", [KafkaTopic("log")]),
        KafkaBroker("broker", group_initial_rebalance_delay_ms=0, group_min_session_timeout_ms=0),
        KafkaProducer("writer", 1, topic="log", keys=ListedKeys(KEYS), count=10),
        KafkaConsumer(
            "reader",
            topics="log",
            start_at=500,
            enable_auto_commit=False,
            # So that after its crash its former self is out of the group soon.
            session_timeout_ms=1_000,
            heartbeat_interval_ms=300,
            **(SETTINGS | settings),
        ),
    ]
    return run(Scenario(nodes, kafka_links(nodes), faults, duration=10_000))


either = pytest.mark.parametrize("reading", [from_a_topic, from_a_cluster], ids=["from a topic", "from a cluster"])


def read(trace: Trace) -> list[str | None]:
    return [step.message and step.message.key for step in trace.select("fetched")]


@either
def test_the_committed_offset_is_the_next_to_read_and_a_restart_reads_from_there(reading: Callable[..., Trace]) -> None:
    trace = reading(Crash("reader", after="fetched", nth=3, restart_after=10))

    committed = [step["offset"] for step in trace.select("committed")][:2]
    again = [step["offset"] for step in trace.select("assigned")][-1]
    assert committed[-1] == again == REAL["committed_after_commit_of_message_offset_1"]
    assert read(trace)[3:] == REAL["restart_reads"]


@either
def test_a_new_group_begins_with_the_earliest_record_or_behind_the_latest(reading: Callable[..., Trace]) -> None:
    earliest, latest = reading(), reading(auto_offset_reset="latest")

    assert read(earliest)[0] == REAL["new_group_reset_earliest"]
    assert REAL["new_group_reset_latest"] is None
    assert read(latest) == []


def test_a_new_group_that_must_not_choose_ends_with_an_error() -> None:
    trace = from_a_cluster(auto_offset_reset="none")

    # librdkafka's client tells it by this name; Kafka's own raises NoOffsetForPartitionException.
    assert REAL["new_group_reset_error"] == "_AUTO_OFFSET_RESET"
    assert read(trace) == []
    assert [step.node for step in trace.select("failed")] == ["reader"]
    assert [step.node for step in trace.select("stopped")] == ["reader"]
