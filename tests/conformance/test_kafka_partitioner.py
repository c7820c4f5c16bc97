"""The partition of a key, against Apache Kafka's own clients."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.log.partitioner import murmur2, partition_for_key
from tests.conformance.kafka_picture import ClusterPicture
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

KEYS = recorded("kafka_murmur2")["keys"]


@pytest.mark.parametrize("case", KEYS, ids=lambda case: case["key_hex"] or "empty")
def test_murmur2_and_the_partition_are_kafkas_bit_for_bit(case: dict[str, Any]):
    key = bytes.fromhex(case["key_hex"])

    assert murmur2(key) == case["murmur2_signed32"]
    text = key.decode("utf-8", errors="ignore")
    if text.encode() == key:
        assert {count: partition_for_key(text, int(count)) for count in case["partition"]} == case["partition"]


def test_the_recorded_keys_cover_every_length_of_tail_and_signs_of_hash():
    assert {len(case["key_hex"]) // 2 % 4 for case in KEYS} == {0, 1, 2, 3}
    assert {case["murmur2_signed32"] < 0 for case in KEYS} == {True, False}
    assert any(not bytes.fromhex(case["key_hex"]).isascii() for case in KEYS)


@given(st.text(), st.integers(1, 1_000))
def test_any_key_goes_to_the_same_partition_as_with_real_clients(key: str, partitions: int):
    aiokafka = pytest.importorskip("aiokafka.partitioner", reason="pip install aiokafka, to compare with its partitioner")
    kafka = pytest.importorskip("kafka.partitioner", reason="pip install kafka-python, to compare with its partitioner")
    numbers, said = list(range(partitions)), key.encode()
    picture = ClusterPicture({"topic": partitions})

    partition = partition_for_key(key, partitions)

    assert partition == aiokafka.DefaultPartitioner()(said, numbers, numbers)
    assert partition == kafka.DefaultPartitioner().partition("topic", key, said, None, None, picture)
