"""A topic at work: appends, acknowledgements, fetches that wait, commits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from simulator import Consumer, Crash, Link, Node, Producer, Scenario, Topic, Trace, run
from simulator.brokers.log.partitioner import partition_for_key
from simulator.engine import run_with_states
from tests.strategies import seeds, streams


class Reader(Node):
    """Sends requests to the topic as the test says, and keeps nothing."""

    def behave(self, sim: Any) -> Any:
        for after, kind, key, payload in self.requests:
            yield sim.sleep(after)
            sim.send("orders", sim.message(kind, key, payload, self.headers))

    requests: tuple[tuple[float, str, str | None, tuple[int, ...]], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


Request = tuple[float, str, str | None, tuple[int, ...]]
"""How long after the last one, its kind, key and payload."""


def asked(*requests: Request, partitions: int = 1, records: int = 3, headers: Any = (), **more: Any) -> Trace:
    """The answers of a topic whose records come at 10, 20, 30 … ms, over links that take no time."""
    asker = type("Asker", (Reader,), {"requests": requests, "headers": headers, "__slots__": ()})
    return run(
        Scenario(
            [Producer("shop", 10, keys=["a"], count=records), Topic("orders", partitions), asker("reader")],
            [Link("shop", "orders", latency=0), Link("orders", "reader", latency=0)],
            duration=2_000,
            **more,
        )
    )


def read(trace: Trace) -> list[tuple[float, list[tuple[int, int]]]]:
    """When records were given out, and which: (partition, offset)."""
    return [(time, list(zip(flat[::3], flat[1::3], strict=True))) for time, flat in answers(trace)]


def answers(trace: Trace, kind: str = "records") -> list[tuple[float, tuple[int, ...]]]:
    return [
        (step.time, step.message.payload) for step in trace.select("delivered", node="reader") if step.message.kind == kind
    ]


def test_a_record_is_appended_and_acknowledged_with_its_place():
    trace = asked()

    appended = [(step.time, step["partition"], step["offset"]) for step in trace.select("appended")]
    assert appended == [(10, 0, 0), (20, 0, 1), (30, 0, 2)]
    assert [step["offset"] for step in trace.select("acknowledged")] == [0, 1, 2]


def test_records_go_to_the_partition_of_their_key():
    scenario = Scenario(
        [Producer("shop", 1, keys=["a", "b", "c", "d", "e"], count=50), Topic("orders", 4)], [Link("shop", "orders")]
    )

    for step in run(scenario).select("appended"):
        assert step["partition"] == partition_for_key(str(step.message.key), 4)


def test_records_without_a_key_are_spread_evenly():
    scenario = Scenario([Producer("shop", 10, keys=[None], count=12), Topic("orders", 3)], [Link("shop", "orders")])

    assert [step["partition"] for step in run(scenario).select("appended")] == [0, 1, 2] * 4


@settings(max_examples=40)
@given(streams(), seeds)
def test_records_of_one_key_share_a_partition_and_so_do_all_copies_of_one(scenario: Scenario, seed: int):
    trace = run(scenario, seed)

    of_key: dict[str, set[int]] = {}
    of_record: dict[int, set[int]] = {}
    for step in trace.select("appended"):
        of_record.setdefault(step.message.id, set()).add(step["partition"])
        if step.message.key is not None:
            of_key.setdefault(step.message.key, set()).add(step["partition"])
    assert all(len(partitions) == 1 for partitions in [*of_key.values(), *of_record.values()])


def test_a_fetch_is_answered_at_once_where_there_is_something_to_read():
    assert read(asked((25, "fetch", None, (500, 100, 0, 0)))) == [(25, [(0, 0), (0, 1)])]


def test_a_fetch_waits_for_a_record_to_come():
    assert read(asked((12, "fetch", None, (500, 100, 0, 1)))) == [(20, [(0, 1)])]


def test_a_fetch_is_answered_with_nothing_when_its_wait_is_over():
    assert answers(asked((40, "fetch", None, (500, 100, 0, 3)))) == [(140, ())]


def test_a_fetch_takes_no_more_records_than_it_asks_for():
    assert read(asked((40, "fetch", None, (2, 100, 0, 0)))) == [(40, [(0, 0), (0, 1)])]


def test_two_fetches_that_wait_are_both_answered():
    trace = asked((12, "fetch", None, (500, 100, 0, 1)), (1, "fetch", None, (500, 100, 0, 1)))

    assert read(trace) == [(20, [(0, 1)]), (20, [(0, 1)])]


def test_a_fetch_of_several_partitions_waits_for_any_of_them_and_is_answered_once():
    place = partition_for_key("a", 2)

    trace = asked((1, "fetch", None, (500, 100, 0, 0, 1, 0)), partitions=2)

    assert read(trace) == [(10, [(place, 0)])]


def test_commits_are_stored_for_each_group_and_told_on_request():
    trace = asked(
        (35, "commit", "billing", (0, 2)),
        (1, "offsets", "billing", (1, 0)),
        (1, "offsets", "shipping", (1, 0)),
        (1, "offsets", "shipping", (0, 0)),
    )

    (committed,) = trace.select("committed")
    assert (committed.time, committed["partition"], committed["offset"], committed["group"]) == (35, 0, 2, "billing")
    assert answers(trace, "offsets") == [(36, (0, 2)), (37, (0, 0)), (38, (0, 3))]


def test_a_commit_is_answered_only_where_an_answer_is_wanted():
    commit = (35.0, "commit", "billing", (0, 2))

    assert answers(asked(commit), "commit_ack") == []
    assert [time for time, _ in answers(asked(commit, headers=(("reply", "wanted"),)), "commit_ack")] == [35]


def test_a_crash_loses_no_record_and_no_commit_but_forgets_who_waits():
    waiting = (12.0, "fetch", None, (500, 100, 0, 1))
    later = (20.0, "offsets", "billing", (1, 0))
    commit = (1.0, "commit", "billing", (0, 1))

    trace = asked(commit, waiting, later, faults=[Crash("orders", at=15, restart_after=2)])

    assert answers(trace) == []
    assert answers(trace, "offsets") == [(33, (0, 1))]
    assert [step["offset"] for step in trace.select("appended")] == [0, 1, 2]


def test_what_is_given_out_are_the_records_that_were_appended():
    trace = asked((40, "fetch", None, (500, 100, 0, 0)))

    ((_, flat),) = answers(trace)
    assert list(flat[2::3]) == [step.message.id for step in trace.select("appended")]


def test_a_topics_durable_state_is_its_logs_and_offsets():
    reader = Consumer("billing", work=1, auto_offset_reset="earliest", request_timeout_ms=100)
    scenario = Scenario(
        [Producer("shop", 10, keys=["a"], count=3), Topic("orders"), reader],
        [Link("shop", "orders"), Link("orders", "billing")],
        [Crash("orders", at=25, restart_after=2)],
        duration=1_000,
    )

    trace, states = run_with_states(scenario)

    kept = states["orders"]["partitions"]
    assert [list(log) for log in kept.logs] == [[step.message.id for step in trace.select("appended")]]
    assert kept.committed == {("billing", 0): 3}


def test_a_topic_that_nobody_is_linked_to_is_refused():
    with pytest.raises(ValueError, match="nothing is linked to it; add a Link from a producer, or to a consumer"):
        Scenario([Topic("orders")])
