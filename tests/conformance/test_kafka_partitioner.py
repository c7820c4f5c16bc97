"""Which partition a key belongs to, against what four implementations agree on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.log.partitioner import murmur2, partition_for_key

pytestmark = pytest.mark.conformance

KEYS = json.loads((Path(__file__).parent / "data" / "kafka_murmur2.json").read_text())["keys"]


@pytest.mark.parametrize("recorded", KEYS, ids=lambda recorded: recorded["key_hex"] or "empty")
def test_a_key_has_the_hash_and_the_partitions_that_were_recorded(recorded: dict[str, Any]) -> None:
    key = bytes.fromhex(recorded["key_hex"])

    assert murmur2(key) == recorded["murmur2_signed32"]
    assert {count: (murmur2(key) & 0x7FFFFFFF) % int(count) for count in recorded["partition"]} == recorded["partition"]


@given(st.text(), st.integers(1, 1_000))
def test_any_key_goes_to_the_same_partition_as_with_real_clients(key: str, partitions: int) -> None:
    aiokafka = pytest.importorskip("aiokafka.partitioner", reason="pip install aiokafka, to compare with its partitioner")
    kafka = pytest.importorskip("kafka.partitioner", reason="pip install kafka-python, to compare with its partitioner")

    partition = partition_for_key(key, partitions)

    assert partition == (aiokafka.murmur2(key.encode()) & 0x7FFFFFFF) % partitions
    assert partition == (kafka.murmur2(key.encode()) & 0x7FFFFFFF) % partitions
