"""Where a group goes on reading, against what a real Apache Kafka cluster did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.brokers.log.offsets import Offsets
from simulator.brokers.log.partitions import Partitions
from simulator.brokers.log.subscriptions import TopicPartition

pytestmark = pytest.mark.conformance

RECORDED = json.loads((Path(__file__).parent / "data" / "kafka_scenarios.json").read_text())["K11"]["result"]


def test_a_group_goes_on_where_it_committed_and_a_new_one_as_its_reset_says() -> None:
    log = Partitions(1)
    for record in range(10):
        log.append(0, record)
    after_reading_offset_1 = 2

    log.commit("g", 0, after_reading_offset_1)

    def read_by(group: str, *, earliest: bool) -> list[str]:
        return [f"m{record}" for _, _, record in log.read([(0, log.start(group, 0, earliest))], 500)]

    assert log.start("g", 0, True) == RECORDED["committed_after_commit_of_message_offset_1"]
    assert read_by("g", earliest=True) == RECORDED["restart_reads"]
    assert read_by("new", earliest=True)[0] == RECORDED["new_group_reset_earliest"]
    assert read_by("new", earliest=False) == ([] if RECORDED["new_group_reset_latest"] is None else None)


def test_a_committed_offset_is_the_next_one_to_read() -> None:
    offsets, partition = Offsets(), TopicPartition("t", 0)

    offsets.commit(partition, 1 + 1)

    assert offsets.fetch(partition) == RECORDED["committed_after_commit_of_message_offset_1"]
