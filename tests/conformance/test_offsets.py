"""Where a consumer begins to read and reads on after a crash, against a real cluster."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import Consumer, Crash, Link, ListedKeys, Producer, Scenario, Topic, Trace, run
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

REAL = recorded("kafka_offsets")["result"]
KEYS = [f"m{number}" for number in range(10)]


def reading(*faults: Any, **settings: Any) -> Trace:
    """Ten records stand in the log; a consumer that begins 100 ms late reads them one by one."""
    reader = Consumer("reader", **({"work": 5, "max_poll_records": 1, "auto_offset_reset": "earliest"} | settings))
    late = Crash("reader", at=0, restart_after=100)
    return run(
        Scenario(
            [Producer("writer", 1, keys=ListedKeys(KEYS), count=10), Topic("log"), reader],
            [Link("writer", "log"), Link("log", "reader")],
            [late, *faults],
            duration=2_000,
        )
    )


def read(trace: Trace) -> list[str | None]:
    return [step.message and step.message.key for step in trace.select("fetched")]


def test_the_committed_offset_is_the_next_to_read_and_a_restart_reads_from_there():
    trace = reading(Crash("reader", after="fetched", nth=3, restart_after=10))

    committed = [step["offset"] for step in trace.select("committed")][:2]
    again = [step["offset"] for step in trace.select("assigned")][-1]
    assert committed[-1] == again == REAL["committed_after_commit_of_message_offset_1"]
    assert read(trace)[3:] == REAL["restart_reads"]


def test_a_new_group_begins_with_the_earliest_record_or_behind_the_latest():
    earliest, latest = reading(), reading(auto_offset_reset="latest")

    assert read(earliest)[0] == REAL["new_group_reset_earliest"]
    assert REAL["new_group_reset_latest"] is None
    assert read(latest) == []
