"""Nodes in time: what a behaviour can wait for, and what a crash or a pause does to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import Crash, Drop, Duplicate, Fixed, Link, Node, Pause, Scenario, Slow, Span, Trace, Uniform, run
from simulator.engine import run_with_states
from simulator.vocabulary import PROCESSED, SKIPPED, STARTED
from tests.actors import Talker, Worker, arrivals, happened, hard_work, talk

LIFE = ("crashed", "restarted", "paused", "resumed")


class Notebook(Node):
    """Writes down (time, word) as its behaviour goes; `said` finds it in the trace."""

    def note(self, sim: Any, word: str) -> None:
        sim.note("skipped", reason=word)


def said(trace: Trace, node: str = "b") -> list[tuple[float, str]]:
    return [(step.time, step["reason"]) for step in trace.select("skipped", node=node)]


def test_a_behaviour_waits_by_sleeping():
    class Sleeper(Notebook):
        def behave(self, sim: Any) -> Any:
            yield sim.sleep(5)
            self.note(sim, "awake")
            yield sim.sleep(2.5)
            self.note(sim, "awake again")

    assert said(run(Scenario([Sleeper("b")]))) == [(5, "awake"), (7.5, "awake again")]


def test_messages_that_nobody_waits_for_stay_in_order_for_whoever_asks_next():
    class Late(Notebook):
        def behave(self, sim: Any) -> Any:
            yield sim.sleep(100)
            while True:
                message = yield sim.receive()
                self.note(sim, str(message.payload))

    trace = run(Scenario([Talker("a", "b", (0, 10, 200)), Late("b")], [Link("a", "b")]))

    assert said(trace) == [(100, "0"), (100, "1"), (201, "2")]


def test_a_behaviour_may_wait_for_one_kind_and_leave_the_others():
    class Picky(Notebook):
        def behave(self, sim: Any) -> Any:
            payment = yield sim.receive("payment")
            order = yield sim.receive("order")
            self.note(sim, f"{payment.payload}, {order.payload}")

    talker = Talker("a", "b", (0, 10), kinds=("order", "payment"))

    assert said(run(Scenario([talker, Picky("b")], [Link("a", "b")]))) == [(11, "1, 0")]


def test_a_wait_is_over_when_its_time_is_up_and_a_later_message_is_not_lost_by_it():
    class Impatient(Notebook):
        def behave(self, sim: Any) -> Any:
            for timeout in (30, 5, 50):
                message = yield sim.receive(timeout=timeout)
                self.note(sim, "nothing" if message is None else str(message.payload))

    trace = run(Scenario([Talker("a", "b", (9, 39)), Impatient("b")], [Link("a", "b")]))

    assert said(trace) == [(10, "0"), (15, "nothing"), (40, "1")]


def test_an_answer_goes_to_the_behaviour_that_asked():
    class Asker(Notebook):
        def behave(self, sim: Any) -> Any:
            for number in (1, 2):
                sim.spawn(self.ask(sim, number))
            yield sim.sleep(0)

        def ask(self, sim: Any, number: int) -> Any:
            request = sim.message("request", payload=number)
            sim.send("c", request)
            answer = yield sim.receive(in_reply_to=request)
            self.note(sim, f"{number} had {answer.in_reply_to == request.id}")

    nodes = [Asker("b"), Worker("c", 10, answers=True)]
    trace = run(Scenario(nodes, [Link("b", "c")], [Slow("c", "b", by=50, nth=1)]))

    assert said(trace) == [(22, "2 had True"), (62, "1 had True")]


def test_one_behaviour_wakes_all_that_wait_and_what_they_do_follows_from_it():
    class Orchestra(Notebook):
        def behave(self, sim: Any) -> Any:
            start = sim.event()
            for name in ("viola", "cello"):
                sim.spawn(self.player(sim, start, name))
            yield sim.sleep(10)
            self.note(sim, "baton")
            start.succeed("largo")

        def player(self, sim: Any, start: Any, name: str) -> Any:
            self.note(sim, f"{name} waits")
            tempo = yield start
            self.note(sim, f"{name} plays {tempo}")
            self.note(sim, f"{name} had {(yield start)}")

    trace = run(Scenario([Orchestra("b")]))

    assert [word for time, word in said(trace) if time == 10] == [
        "baton", "viola plays largo", "viola had largo", "cello plays largo", "cello had largo",
    ]  # fmt: skip
    (baton,) = [step.index for step in trace if step.data.get("reason") == "baton"]
    assert [step.cause for step in trace if "plays" in step["reason"]] == [baton, baton]


def test_a_timer_that_is_called_off_stays_off():
    class Waverer(Notebook):
        def behave(self, sim: Any) -> None:
            first = sim.call_later(10, self.note, sim, "first")
            sim.call_later(20, self.note, sim, "second")
            sim.call_later(5, first.cancel)

    assert said(run(Scenario([Waverer("b")]))) == [(20, "second")]


def test_a_reaction_is_called_for_each_delivery_with_its_sender():
    class Reactor(Notebook):
        def behave(self, sim: Any) -> Any:
            return lambda message, source: self.note(sim, f"{message.payload} from {source}")

    trace = run(Scenario([Talker("a", "b", (0, 5)), Reactor("b")], [Link("a", "b")]))

    assert said(trace) == [(1, "0 from a"), (6, "1 from a")]


def test_a_run_includes_what_happens_at_its_very_end_and_nothing_after():
    assert [time for time, _ in arrivals(run(talk(times=(98, 99, 100), duration=100)))] == [99, 100]


def test_a_crash_loses_memory_and_work_under_way_and_keeps_what_is_durable():
    trace, states = run_with_states(hard_work(Crash("b", at=32, restart_after=5)))

    assert happened(trace, *LIFE) == [(32, "crashed"), (37, "restarted")]
    assert [(step.time, step["attempt"]) for step in trace.select("processed")] == [(11, 1), (31, 2), (51, 1), (71, 2)]
    assert states["b"] == {"done": 4}


def test_a_crash_in_the_middle_of_work_ends_it():
    trace = run(hard_work(Crash("b", at=25, restart_after=1)))

    assert [(step.time, step.message.payload) for step in trace.select("processed")] == [(11, 0), (51, 2), (71, 3)]


def test_timers_and_spawned_behaviours_die_in_a_crash():
    class Busy(Notebook):
        def behave(self, sim: Any) -> Any:
            sim.call_later(50, self.note, sim, "timer")
            sim.spawn(self.other(sim))
            self.note(sim, "begun")
            yield sim.sleep(50)
            self.note(sim, "slept")

        def other(self, sim: Any) -> Any:
            yield sim.sleep(50)
            self.note(sim, "spawned")

    trace = run(Scenario([Busy("b")], [], [Crash("b", at=20, restart_after=10)]))

    assert said(trace) == [(0, "begun"), (30, "begun"), (80, "timer"), (80, "spawned"), (80, "slept")]


def test_an_inbox_does_not_outlive_a_crash():
    class Late(Notebook):
        def behave(self, sim: Any) -> Any:
            yield sim.sleep(50)
            message = yield sim.receive(timeout=0)
            self.note(sim, str(message))

    trace = run(Scenario([Talker("a", "b", (0,)), Late("b")], [Link("a", "b")], [Crash("b", at=20, restart_after=5)]))

    assert said(trace) == [(75, "None")]


def test_what_reaches_a_node_that_is_down_is_lost_and_the_sender_tells():
    trace = run(hard_work(Crash("b", at=5, restart_after=30)))

    (lost,) = trace.select("lost")
    assert (lost.time, lost.node, lost["to"], lost["reason"]) == (21, "a", "b", "receiver down")
    assert lost.cause is not None
    assert (trace[lost.cause].kind, trace[lost.cause].message) == ("sent", lost.message)


def test_each_copy_that_reaches_a_node_that_is_down_is_lost_by_itself():
    trace = run(talk(Duplicate("a", "b", after=5), Crash("b", at=0.5), times=[0]))

    assert [(step.time, step["copy"]) for step in trace.select("lost")] == [(1, 0), (6, 1)]


def test_a_crash_without_a_restart_is_for_good():
    trace = run(hard_work(Crash("b", at=25)))

    assert happened(trace, *LIFE) == [(25, "crashed")]
    assert len(list(trace.select("lost"))) == 2


def test_a_crash_right_after_the_sending_has_sent():
    trace = run(talk(Crash("a", after="sent", nth=2)))

    assert arrivals(trace) == [(1, 0), (11, 1)]
    assert happened(trace, "crashed") == [(10, "crashed")]


def test_a_crash_right_after_a_step_stops_what_would_have_come_next():
    class Careless(Node):
        def behave(self, sim: Any) -> Any:
            while True:
                message = yield sim.receive()
                sim.record(PROCESSED, message, 1)
                sim.send("a", sim.message("answer"))

    nodes = [Talker("a", "b", (0, 10)), Careless("b")]
    trace = run(Scenario(nodes, [Link("a", "b")], [Crash("b", after="processed", nth=2)]))

    assert [step.time for step in trace.select("processed")] == [1, 11]
    assert [step.time for step in trace.select("sent", node="b")] == [1]
    (crashed,) = trace.select("crashed")
    assert crashed.cause is not None
    assert trace[crashed.cause].kind == "processed"


def test_a_crash_may_wait_for_the_key_that_it_is_about():
    talker = Talker("a", "b", (0, 10, 20, 30), keys=("x", "y"))
    trace = run(Scenario([talker, Node("b")], [Link("a", "b")], [Crash("b", after="delivered", key="y", nth=2)]))

    assert happened(trace, "crashed") == [(31, "crashed")]


@pytest.mark.parametrize(
    ("after", "at"),
    [("delivered", 1), ("sent", 0), ("lost", 10), ("duplicated", 20), ("paused", 50), ("resumed", 60), ("restarted", 80)],
)
def test_a_crash_may_follow_a_step_of_any_kind(after: str, at: float):
    faults = [
        Drop("a", "b", nth=2),
        Duplicate("a", "b", nth=3),
        Pause("a", at=50, lasting=10),
        Pause("b", at=50, lasting=10),
        Crash("a", at=75, restart_after=5),
        Crash("b", at=75, restart_after=5),
    ]
    struck = "b" if after == "delivered" else "a"

    trace = run(talk(*faults, Crash(struck, after=after, restart_after=0)))

    caused = [step for step in trace.select("crashed", node=struck) if step.cause is not None]
    assert [(step.time, trace[step.cause].kind) for step in caused if step.cause is not None] == [(at, after)]


def test_a_crash_that_waits_for_another_crash_finds_the_node_down_and_keeps_it_down_longer():
    trace = run(hard_work(Crash("b", at=5, restart_after=10), Crash("b", after="crashed", restart_after=50)))

    assert happened(trace, *LIFE) == [(5, "crashed"), (55, "restarted")]


@pytest.mark.parametrize("order", [1, -1])
def test_overlapping_crashes_keep_the_node_down_until_the_last_of_them_is_over(order: int):
    faults = [Crash("b", at=100, restart_after=1_000), Crash("b", at=500, restart_after=2_000)]

    trace = run(talk(*faults[::order], duration=5_000))

    assert happened(trace, *LIFE) == [(100, "crashed"), (2_500, "restarted")]


def test_a_crash_within_another_one_changes_nothing():
    trace = run(talk(Crash("b", at=100, restart_after=500), Crash("b", at=200, restart_after=100)))

    assert happened(trace, *LIFE) == [(100, "crashed"), (600, "restarted")]


def test_of_overlapping_crashes_one_for_good_wins():
    trace = run(talk(Crash("b", at=100, restart_after=200), Crash("b", at=150)))

    assert happened(trace, *LIFE) == [(100, "crashed")]


def test_two_crashes_that_wait_for_the_same_step_are_one():
    twice = [Crash("b", after="processed", nth=2, restart_after=5), Crash("b", after="processed", nth=2, restart_after=9)]

    trace = run(hard_work(*twice))

    assert happened(trace, *LIFE) == [(31, "crashed"), (40, "restarted")]
    assert len(list(trace.select("processed"))) == 4


def test_a_fault_never_hides_a_step_from_another():
    faults = [Crash("b", after="processed", nth=1, restart_after=5), Pause("b", after="processed", nth=2, lasting=30)]

    trace = run(hard_work(*faults))

    assert happened(trace, *LIFE) == [(11, "crashed"), (16, "restarted"), (31, "paused"), (61, "resumed")]


class Storekeeper(Node):
    """Stores three things for each message that reaches it, as one act."""

    def behave(self, sim: Any) -> Any:
        def store(message: Any, _: str) -> None:
            with sim.as_one():
                for _ in range(3):
                    sim.durable["stored"] = sim.durable.get("stored", 0) + 1
                    sim.record(PROCESSED, message, sim.durable["stored"])
            sim.durable["told"] = sim.durable["stored"]

        return store


def test_a_fault_strikes_at_the_end_of_what_is_one_act_and_every_step_of_it_counts():
    faults = [Crash("b", after="processed", nth=2, restart_after=5), Pause("b", after="processed", nth=4, lasting=30)]
    scenario = talk(*faults, times=(0, 20))

    trace, states = run_with_states(scenario.but(nodes=[scenario.node("a"), Storekeeper("b")]))

    stored = [(step.time, step["attempt"]) for step in trace.select("processed")]
    assert stored == [(1, 1), (1, 2), (1, 3), (21, 4), (21, 5), (21, 6)]
    assert happened(trace, *LIFE) == [(1, "crashed"), (6, "restarted"), (21, "paused"), (51, "resumed")]
    assert [trace[step.cause]["attempt"] for step in trace.select("crashed", "paused")] == [2, 4]
    assert states["b"] == {"stored": 6, "told": 6}


def test_a_fault_strikes_in_an_act_that_comes_to_nothing_too():
    class Clumsy(Notebook):
        def behave(self, sim: Any) -> Any:
            try:
                with sim.as_one():
                    self.note(sim, "begun")
                    raise ValueError
            except ValueError:
                self.note(sim, "failed")

    trace = run(Scenario([Clumsy("b")], faults=[Crash("b", after="skipped")]))

    assert (said(trace), happened(trace, *LIFE)) == ([(0, "begun")], [(0, "crashed")])


def test_a_node_begins_as_often_as_it_falls():
    trace = run(hard_work(*(Crash("b", after="delivered", nth=n, restart_after=2) for n in (1, 2, 3))))

    assert [(step.time, step["incarnation"]) for step in trace.select("restarted")] == [(3, 1), (23, 2), (43, 3)]
    assert [step.time for step in trace.select("processed")] == [71]


def test_a_pause_loses_nothing_and_lets_all_wait():
    trace, states = run_with_states(hard_work(Pause("b", at=25, lasting=100)))

    assert happened(trace, *LIFE) == [(25, "paused"), (125, "resumed")]
    assert [(step.time, step["attempt"]) for step in trace.select("processed")] == [(11, 1), (125, 2), (135, 3), (145, 4)]
    assert [time for time, _ in arrivals(trace)] == [1, 21, 125, 125]
    assert states["b"] == {"done": 4}


def test_what_waited_for_the_end_of_a_pause_comes_before_what_arrives_just_then():
    trace = run(talk(Pause("b", at=12, lasting=8), times=(5, 10), latency=10, ordered=True))

    assert arrivals(trace) == [(20, 0), (20, 1)]


@pytest.mark.parametrize("order", [1, -1])
def test_overlapping_pauses_last_until_the_end_of_the_last_and_keep_the_order(order: int):
    pauses = [Pause("b", at=12, lasting=8), Pause("b", at=18, lasting=12)]

    trace = run(talk(*pauses[::order], times=(12, 18, 28, 29)))

    assert happened(trace, *LIFE) == [(12, "paused"), (18, "paused"), (30, "resumed")]
    assert arrivals(trace) == [(30, 0), (30, 1), (30, 2), (30, 3)]


def test_a_pause_within_another_one_changes_nothing():
    trace = run(talk(Pause("b", at=10, lasting=50), Pause("b", at=20, lasting=10)))

    assert happened(trace, *LIFE) == [(10, "paused"), (60, "resumed")]


def test_a_crash_ends_a_pause_and_loses_what_was_waiting():
    trace = run(talk(Pause("b", at=5, lasting=100), Crash("b", at=15, restart_after=10)))

    assert happened(trace, *LIFE) == [(5, "paused"), (15, "crashed"), (25, "restarted")]
    assert [(step.time, step["reason"]) for step in trace.select("lost")] == [(15, "receiver down"), (21, "receiver down")]
    assert arrivals(trace) == [(1, 0), (31, 3)]


def test_a_node_that_is_down_does_not_notice_a_pause():
    trace = run(talk(Crash("b", at=5, restart_after=10), Pause("b", at=7, lasting=100)))

    assert happened(trace, *LIFE) == [(5, "crashed"), (15, "restarted")]


def test_a_pause_after_a_step_begins_when_the_code_that_took_it_next_waits():
    class Thorough(Node):
        def behave(self, sim: Any) -> Any:
            while True:
                message = yield sim.receive()
                sim.record(STARTED, message)
                sim.record(PROCESSED, message, 1)
                yield sim.sleep(5)
                sim.record(SKIPPED, message, sim.value("tidied up"))

    nodes = [Talker("a", "b", (0,)), Thorough("b")]
    trace = run(Scenario(nodes, [Link("a", "b")], [Pause("b", after="started", lasting=50)]))

    assert [(step.time, step.kind) for step in trace.select(node="b")] == [
        (1, "delivered"), (1, "started"), (1, "processed"), (1, "paused"), (51, "resumed"), (51, "skipped"),
    ]  # fmt: skip
    assert trace[-3].cause is not None
    assert trace[trace[-3].cause].kind == "started"


def test_a_pause_may_strike_in_the_middle_of_what_another_one_held_up():
    faults = [Pause("b", at=5, lasting=95), Pause("b", after="delivered", nth=2, lasting=100)]

    trace = run(talk(*faults, times=(0, 10, 20)))

    assert arrivals(trace) == [(1, 0), (100, 1), (200, 2)]


node_faults = st.one_of(
    st.builds(
        lambda at, after: Crash("b", at=at, restart_after=after), st.integers(0, 200), st.none() | st.integers(0, 100)
    ),
    st.builds(lambda at, lasting: Pause("b", at=at, lasting=lasting), st.integers(0, 200), st.integers(1, 100)),
)


@given(st.lists(node_faults, max_size=6))
def test_the_ups_and_downs_of_a_node_are_the_union_of_its_faults(faults: list[Any]):
    trace = run(hard_work(*faults, times=range(0, 300, 7), duration=400))

    down = [Span(f.at, 10**9 if f.restart_after is None else f.at + f.restart_after) for f in faults if isinstance(f, Crash)]
    for step in trace.select("delivered", "processed", node="b"):
        assert not any(step.time in span for span in down)
    for step in trace.select("lost"):
        # At the very moment of a restart, too, what was on its way may still find the node down.
        assert any(span.start <= step.time <= span.end for span in down)


@given(st.lists(node_faults, max_size=6))
def test_the_order_of_a_nodes_faults_in_the_list_decides_nothing_but_ties(faults: list[Any]):
    times = [fault.at for fault in faults]
    if len(set(times)) < len(times):
        faults = [fault for place, fault in enumerate(faults) if fault.at not in times[:place]]

    forwards, backwards = (run(hard_work(*order, times=range(0, 300, 7), duration=400)) for order in (faults, faults[::-1]))

    assert [step[1:] for step in forwards] == [step[1:] for step in backwards]


def test_the_durable_states_that_a_run_left_are_given_by_node():
    _, states = run_with_states(hard_work(Crash("b", at=15, restart_after=40)))

    assert states == {"a": {}, "b": {"done": 2}}


def test_a_node_knows_its_neighbours_and_the_scenario():
    class Curious(Notebook):
        def behave(self, sim: Any) -> None:
            self.note(sim, f"{sim.upstream} {sim.name} {sim.downstream} {sim.scenario.name} {sim.now}")

    scenario = Scenario(
        [Node("a"), Curious("b"), Node("c"), Node("d")], [Link("a", "b"), Link("b", "c"), Link("b", "d")], name="known"
    )

    assert said(run(scenario)) == [(0, "['a'] b ['c', 'd'] known 0")]


def test_a_nodes_random_stream_goes_on_after_a_crash():
    class Gambler(Notebook):
        def behave(self, sim: Any) -> None:
            self.note(sim, str(sim.random("dice").random()))

    calm = [Crash("b", at=1, restart_after=1), Crash("b", at=5, restart_after=1)]
    first, second, third = (word for _, word in said(run(Scenario([Gambler("b")], [], calm), 1)))
    again = said(run(Scenario([Gambler("b")], [], calm), 2))[0][1]

    assert len({first, second, third, again}) == 4


def test_latencies_of_two_kinds_on_one_link_draw_by_themselves():
    def times_of_notes(kinds: tuple[str, ...]) -> list[float]:
        talker = Talker("a", "b", tuple(range(0, 100, 10)), kinds=kinds)
        trace = run(Scenario([talker, Node("b")], [Link("a", "b", latency=Uniform(0, 5))]))
        return [step.time for step in trace.select("delivered") if step.message.kind == "note"]

    assert times_of_notes(("note", "gossip")) != times_of_notes(("note",))[::2]
    assert [t % 10 for t in times_of_notes(("note", "gossip"))] == pytest.approx(
        [t % 10 for t in times_of_notes(("note",))[:5]]
    )


def test_a_latency_of_nothing_arrives_at_the_same_moment():
    assert arrivals(run(talk(times=[5], latency=Fixed(0)))) == [(5, 0)]
