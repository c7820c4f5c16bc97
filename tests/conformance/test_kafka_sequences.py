"""Idempotent appends against the answers of a real three-node Apache Kafka cluster: what decides them, and a broker."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import pytest
from attrs import frozen

from simulator import KafkaBroker, KafkaController, KafkaTopic, Link, Node, Scenario, run
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.protocol import Produce
from simulator.brokers.log.sequences import Sequences
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

RECORDED = recorded("kafka_scenarios")["K5"]["result"]


class Batch(NamedTuple):
    """What a producer sends, without regard for what it was answered."""

    producer: int
    epoch: int
    sequence: int
    values: tuple[str, ...]


SENT = (
    *(
        Batch(1, said["epoch"], said["base_sequence"], tuple(f"s{step}_{n}" for n in range(said["n"])))
        for step, said in enumerate(RECORDED["steps"][:-1])
    ),
    Batch(2, 0, 5, ("q",)),
)
ANSWERED = [*(said["error_offset"] for said in RECORDED["steps"][:-1]), RECORDED["steps"][-1]["new_pid_first_sequence_5"]]


class Outcome(NamedTuple):
    """Each batch's error and offset, and what stands in the log at the end."""

    answers: list[list[int]]
    log: list[list[Any]]


def by_decisions() -> Outcome:
    """One partition's memory of its producers, and a list for a log."""
    sequences, log = Sequences(), list[str]()

    def send(batch: Batch) -> list[int]:
        producer, epoch, sequence, values = batch
        try:
            offset = sequences.check(producer, epoch, sequence, len(values))
        except Refused as refused:
            return [refused.code, -1]
        if offset is None:
            offset = len(log)
            log.extend(values)
            sequences.appended(0, producer, epoch, sequence, len(values), offset)
        return [0, offset]

    answers = [send(batch) for batch in SENT]
    return Outcome(answers, [[offset, value] for offset, value in enumerate(log)])


@frozen
class Headstrong(Node):
    """A client that sends what it was told to, batch after batch, each when the one before is answered."""

    def behave(self, sim: Any) -> Generator[Any, Any, None]:
        for producer, epoch, sequence, values in SENT:
            records = tuple(sim.message("OrderCreated", value).id for value in values)
            batch = Produce("all", False, producer, epoch, 0, sequence, records)
            sim.send("broker", sim.message("produce", None, batch.packed()))
            yield sim.receive()


def by_a_broker() -> Outcome:
    """A run with one broker, read from its trace."""
    nodes = [KafkaController("controller", [KafkaTopic("t")]), KafkaBroker("broker"), Headstrong("client")]
    links = [Link("controller", "broker"), Link("client", "broker")]

    trace = run(Scenario(nodes, links, duration=1_000))

    acks = [step.message.payload for step in trace.select("delivered", node="client") if step.message is not None]
    appended = [step for step in trace.select("appended", node="broker") if step["partition"] == "t-0"]
    return Outcome(
        [[error, offset] for error, _, offset in acks],
        [[step["offset"], step.message.key] for step in appended if step.message is not None],
    )


@pytest.mark.parametrize("by", [by_decisions, by_a_broker])
def test_the_same_batches_get_the_same_answers_as_from_kafka(by: Callable[[], Outcome]) -> None:
    found = by()

    assert found.answers == ANSWERED
    assert found.log == RECORDED["log"]
