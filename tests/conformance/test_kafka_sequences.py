"""Idempotent appends against the answers of a real three-node Apache Kafka cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.brokers.log.errors import Refused
from simulator.brokers.log.sequences import Sequences

pytestmark = pytest.mark.conformance

RECORDED = json.loads((Path(__file__).parent / "data" / "kafka_scenarios.json").read_text())["K5"]["result"]


def test_the_same_batches_get_the_same_answers_as_from_kafka() -> None:
    sequences, log, answers = Sequences(), [], []

    def send(producer: int, epoch: int, sequence: int, values: list[str]) -> list[int]:
        try:
            offset = sequences.check(producer, epoch, sequence, len(values))
        except Refused as refused:
            return [refused.code, -1]
        if offset is None:
            offset = len(log)
            log.extend(values)
            sequences.appended(0, producer, epoch, sequence, len(values), offset)
        return [0, offset]

    for step, said in enumerate(RECORDED["steps"][:-1]):
        values = [f"s{step}_{n}" for n in range(said["n"])]
        answers.append(send(1, said["epoch"], said["base_sequence"], values))
    new_producer = send(2, 0, 5, ["q"])

    assert answers == [said["error_offset"] for said in RECORDED["steps"][:-1]]
    assert new_producer == RECORDED["steps"][-1]["new_pid_first_sequence_5"]
    assert [[offset, value] for offset, value in enumerate(log)] == RECORDED["log"]
