"""Runs that would not end, break, or are stopped: what was learned so far is kept, and said."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import simulator
from simulator import BehaviourError, Link, Node, Producer, RunStopped, Scenario, Topic, run
from simulator.reading import measures
from tests.actors import Talker, hard_work, talk

ROOT = Path(simulator.__file__).parent.parent


class Chatterbox(Node):
    """Records for ever without ever waiting."""

    def behave(self, sim: Any) -> Any:
        while True:
            sim.note("skipped", reason="again")
        yield


class Idler(Node):
    """Waits for ever, each time for ``nap`` ms, and records nothing."""

    nap = 0.0

    def behave(self, sim: Any) -> Any:
        yield sim.sleep(5)
        while True:
            yield sim.sleep(self.nap)


class Dozer(Idler):
    nap = 1e-9


class PingPong(Node):
    """A message back and forth without any delay: simulated time stands still."""

    def behave(self, sim: Any) -> Any:
        other = (sim.upstream + sim.downstream)[0]
        if sim.downstream:
            sim.send(other, sim.message("ping"))
        return lambda message, source: sim.send(source, message)


def test_a_run_stops_at_its_step_budget_with_the_trace_so_far_and_says_what_to_do():
    with pytest.warns(RunStopped) as told:
        trace = run(hard_work(), max_steps=7)

    assert (len(trace), trace.ended) == (7, "budget")
    assert list(trace) == list(run(hard_work()))[:7]
    (warning,) = told
    assert str(warning.message) == (
        "The run stopped at its step budget, at 41 of 1,000 ms, after 7 steps: "
        "shorten the duration, slow the producers, or raise max_steps."
    )
    assert warning.filename == __file__


def test_a_behaviour_that_records_for_ever_without_waiting_is_stopped():
    with pytest.warns(RunStopped, match="stopped at its step budget, at 0 of 10,000 ms, after 500 steps"):
        trace = run(Scenario([Chatterbox("a")]), max_steps=500)

    assert len(trace) == 500


def test_messages_that_go_round_without_any_delay_are_stopped():
    with pytest.warns(RunStopped, match="step budget"):
        trace = run(Scenario([PingPong("a"), PingPong("b")], [Link("a", "b", latency=0)]), max_steps=5_000)

    assert trace.times == (0, 0)


@pytest.mark.parametrize("idler", [Idler("lazy"), Dozer("lazy")])
def test_a_behaviour_that_waits_for_nothing_for_ever_is_stopped_and_named(idler: Node):
    with pytest.warns(RunStopped) as told:
        trace = run(Scenario([Talker("a", "b", (1, 90)), Node("b"), idler], [Link("a", "b")]))

    assert (trace.ended, trace.times) == ("stalled", (1, 2))
    assert str(told[0].message) == (
        "The run stopped at 5 of 10,000 ms, after 2 steps, since 1,000,000 engine events in a row led to no step: "
        f'look in {type(idler).__name__}("lazy") for a loop that waits 0 ms, or next to nothing, again and again.'
    )


@pytest.mark.parametrize("steps", [0, -1])
def test_a_budget_of_nothing_is_refused(steps: int):
    with pytest.raises(ValueError, match="it must be at least 1"):
        run(talk(), max_steps=steps)


@pytest.mark.parametrize("seed", ["7", 1.5, None, True])
def test_a_seed_that_is_no_whole_number_is_refused(seed: Any):
    with pytest.raises(TypeError, match="it must be a whole number"):
        run(talk(), seed)


def test_a_function_that_makes_a_scenario_is_not_one():
    with pytest.raises(TypeError, match=r"run takes a Scenario, not <function talk.*; call the function that makes one"):
        run(talk)  # type: ignore[arg-type]


class StopButton(Node):
    """Pressed by ``at`` ms."""

    at = 50.0

    def behave(self, sim: Any) -> Any:
        yield sim.sleep(self.at)
        raise KeyboardInterrupt


def test_an_interrupt_in_the_middle_gives_a_trace_that_can_be_used():
    nodes = [Producer("shop", every=10), Topic("orders"), StopButton("you")]
    with pytest.warns(RunStopped) as told:
        trace = run(Scenario(nodes, [Link("shop", "orders")]))

    assert trace.ended == "interrupted"
    assert list(trace) == list(run(Scenario(nodes[:2], [Link("shop", "orders")], duration=49)))
    assert measures.latency(trace, "shop").count == 4
    assert (
        str(told[0].message) == "The run was interrupted at 50 of 10,000 ms, after 28 steps; the trace holds all until then."
    )


def test_after_an_interrupt_the_next_run_is_as_ever():
    before = run(talk(), 5)
    with pytest.warns(RunStopped):
        run(Scenario([StopButton("you")]))

    assert run(talk(), 5) == before


class Clumsy(Node):
    """Fails at its third message."""

    def behave(self, sim: Any) -> Any:
        return lambda message, source: self.take(message)

    def take(self, message: Any) -> float:
        return 1 / (2 - message.payload)


def test_an_error_in_a_node_names_node_and_line_and_carries_the_trace():
    with pytest.raises(BehaviourError) as caught:
        run(Scenario([Talker("a", "b", (0, 10, 20, 30)), Clumsy("b")], [Link("a", "b")]))

    line = Clumsy.take.__code__.co_firstlineno + 1
    assert str(caught.value) == (
        f'Clumsy("b") failed at 21 ms, after 6 steps, in line {line} of test_guard_rails.py: '
        "ZeroDivisionError: division by zero."
    )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert (len(caught.value.trace), caught.value.trace.ended) == (6, "failed")


def failing(behave: Any, *links: Link) -> str:
    """What is said when ``behave`` is the behaviour of node "b"."""
    cls = type("Faulty", (Node,), {"behave": behave, "__slots__": ()})
    with pytest.raises(BehaviourError) as caught:
        run(Scenario([Node("a"), cls("b"), Node("c")], links))
    return str(caught.value)


def yields(make: Any) -> Any:
    def behave(self: Any, sim: Any) -> Any:
        yield make(sim)

    return behave


@pytest.mark.parametrize(
    ("behave", "sentence"),
    [
        (yields(lambda sim: 5), r"of test_guard_rails.py: TypeError: it yielded 5; a behaviour waits by yielding sim.sleep"),
        (yields(lambda sim: sim.sleep(-1)), "ValueError: it sleeps for -1 ms; a wait is a number of 0 or more"),
        (yields(lambda sim: sim.sleep(float("nan"))), "it sleeps for nan ms"),
        (yields(lambda sim: sim.call_later(-2, print)), "it sets a timer to -2 ms"),
        (yields(lambda sim: sim.spawn(print)), "it spawned <built-in function print>; spawn takes a generator"),
        (yields(lambda sim: sim.send("c", sim.message("x"))), 'no link joins "b" and "c"; there are: "a"'),
        (yields(lambda sim: sim.send("aa", sim.message("x"))), 'no link joins "b" and "aa"; did you mean "a"'),
        (yields(lambda sim: sim.note("dreamt")), 'There is no kind of step "dreamt"'),
        (yields(lambda sim: sim.note("rejected")), "A 'rejected' step carries ['reason']; it was given []"),
        (yields(lambda sim: sim.note("rejected", reason=("a", "tuple"))), "A step tells texts, finite numbers or None"),
        (lambda self, sim: 5, 'Faulty("b") failed at 0 ms, after 0 steps: TypeError: behave gave 5; it gives a generator'),
    ],
)
def test_what_a_behaviour_can_not_do_is_said_in_a_sentence_with_the_nodes_name(behave: Any, sentence: str):
    said = failing(behave, Link("a", "b"))

    assert said.startswith('Faulty("b") failed at 0 ms')
    assert sentence in said


def test_the_line_is_the_nodes_own_even_where_a_library_raised_the_error():
    import json

    def behave(self: Any, sim: Any) -> Any:
        yield sim.sleep(3)
        json.loads("{")

    assert f"in line {behave.__code__.co_firstlineno + 2} of test_guard_rails.py: JSONDecodeError" in failing(behave)


def test_the_collector_of_garbage_is_on_again_after_a_run_an_error_and_an_interrupt():
    assert gc.isenabled()
    enabled = []

    class Looks(Node):
        def behave(self, sim: Any) -> None:
            enabled.append(gc.isenabled())

    run(Scenario([Looks("a")]))
    after = [gc.isenabled()]
    with pytest.raises(BehaviourError):
        run(Scenario([Talker("a", "nobody", (1,))]))
    after.append(gc.isenabled())
    with pytest.warns(RunStopped):
        run(Scenario([StopButton("a")]))
    after.append(gc.isenabled())

    assert (enabled, after) == ([False], [True, True, True])


def test_whoever_keeps_the_collector_off_finds_it_off():
    gc.disable()
    try:
        run(talk())

        assert not gc.isenabled()
    finally:
        gc.enable()


def test_runs_in_threads_at_once_give_the_traces_that_they_give_alone():
    started = threading.Barrier(2)

    class Meets(Node):
        """Makes sure that the two runs are under way at the same time."""

        def behave(self, sim: Any) -> None:
            started.wait(30)

    scenario = hard_work(times=range(0, 5_000, 3), duration=5_100)
    together = scenario.but(nodes=[*scenario.nodes, Meets("meets")])
    found: dict[int, Any] = {}
    threads = [threading.Thread(target=lambda seed=seed: found.update({seed: run(together, seed)})) for seed in (1, 2)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {seed: list(trace) for seed, trace in found.items()} == {seed: list(run(scenario, seed)) for seed in (1, 2)}
    assert gc.isenabled()


def test_a_bar_is_shown_where_it_is_asked_for_and_for_no_run_that_is_over_at_once(capsys: pytest.CaptureFixture[str]):
    run(talk(times=range(3_000), duration=4_000))
    quiet = capsys.readouterr().err
    run(talk(times=range(3_000), duration=4_000), progress=True)
    shown = capsys.readouterr().err

    assert quiet == ""
    assert "ms" in shown


def test_a_long_run_shows_how_far_it_is(capsys: pytest.CaptureFixture[str]):
    trace = run(talk(times=(n / 200 for n in range(160_000)), latency=0))

    assert len(trace) > 300_000
    assert "ms" in capsys.readouterr().err


HEAVY = ["IPython", "anywidget", "ipywidgets", "matplotlib", "networkx", "numpy", "tqdm", "typer"]


def test_importing_the_simulator_and_running_it_pulls_in_nothing_heavy():
    code = (
        "import sys, simulator, simulator.reading\n"
        "from simulator import *\n"
        "run(Scenario([Producer('shop'), Topic('orders')], [Link('shop', 'orders')]))\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )

    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
