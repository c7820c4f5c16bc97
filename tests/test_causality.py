"""What holds for every trace, whatever the scenario and whatever goes wrong in it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings

from simulator import Scenario, Trace, run
from simulator.vocabulary import KINDS
from tests.strategies import seeds, streams

OUT_OF_THE_BLUE = {"created", "crashed", "paused", "sent", "assigned"}
"""What may happen without a cause: a client acts, a fault strikes, a behaviour begins."""


@settings(max_examples=50)
@given(streams(), seeds)
def test_every_step_has_an_earlier_cause_and_time_never_goes_back(scenario: Scenario, seed: int):
    trace = run(scenario, seed)

    last = 0.0
    for step in trace:
        assert last <= step.time <= scenario.duration
        last = step.time
        if step.cause is None:
            assert step.kind in OUT_OF_THE_BLUE, step
        else:
            assert 0 <= step.cause < step.index
            assert trace[step.cause].time <= step.time


@settings(max_examples=50)
@given(streams(), seeds)
def test_what_arrives_or_is_lost_follows_from_its_sending_and_no_copy_comes_twice(scenario: Scenario, seed: int):
    trace = run(scenario, seed)

    copies: Counter[tuple[int, int]] = Counter()
    for step in trace.select("delivered", "lost"):
        assert step.cause is not None
        sent = trace[step.cause]
        assert (sent.kind, sent.message) == ("sent", step.message)
        ends = (step["source"], step.node) if step.kind == "delivered" else (step.node, step["to"])
        assert (sent.node, sent["to"]) == ends
        copies[step.cause, step["copy"]] += 1
    assert set(copies.values()) <= {1}


@settings(max_examples=50)
@given(streams(), seeds)
def test_a_node_that_is_down_or_frozen_does_nothing(scenario: Scenario, seed: int):
    trace = run(scenario, seed)

    state = dict.fromkeys(scenario.names, "up")
    allowed = {
        "up": set(KINDS) - {"restarted", "resumed"},
        # The network tells in the sender's name what got lost, whatever has become of the sender.
        "down": {"restarted", "lost"},
        "frozen": {"resumed", "crashed", "paused", "lost"},
    }
    becomes = {"crashed": "down", "restarted": "up", "paused": "frozen", "resumed": "up"}
    for step in trace:
        assert step.kind in allowed[state[step.node]], step
        state[step.node] = becomes.get(step.kind, state[step.node])


@settings(max_examples=50)
@given(streams(), seeds)
def test_a_log_only_grows_and_what_is_read_is_what_was_written(scenario: Scenario, seed: int):
    trace = run(scenario, seed)

    logs: dict[int, list[int]] = {}
    for step in trace.select("appended", "fetched"):
        assert step.message is not None
        log = logs.setdefault(step["partition"], [])
        if step.kind == "appended":
            assert step["offset"] == len(log)
            log.append(step.message.id)
        else:
            assert log[step["offset"]] == step.message.id


@settings(max_examples=40)
@given(streams(), seeds)
def test_on_ordered_links_nothing_overtakes_whatever_goes_wrong(scenario: Scenario, seed: int):
    trace = run(scenario, seed)

    ends = [(link.source, link.target) for link in scenario.links if link.ordered]
    ordered = {*ends, *((target, source) for source, target in ends)}
    newest: dict[tuple[str, str], int] = {}
    for step in trace.select("delivered"):
        pair = (step["source"], step.node)
        if pair in ordered:
            assert step.cause is not None
            assert step.cause >= newest.get(pair, 0)
            newest[pair] = step.cause


def test_the_random_scenarios_reach_every_kind_of_step_that_streams_have():
    """The properties above would say little if their scenarios were tame."""
    seen: set[str] = set()

    @settings(max_examples=50)
    @given(streams(), seeds)
    def look(scenario: Scenario, seed: int) -> None:
        trace: Trace = run(scenario, seed)
        seen.update(step.kind for step in trace)

    look()
    assert seen >= {
        "lost", "duplicated", "crashed", "restarted", "paused", "resumed", "acknowledged", "timed_out", "abandoned", "ignored",
        "processed", "committed",
    }  # fmt: skip
