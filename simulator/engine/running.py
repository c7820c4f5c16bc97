"""`run`: from a scenario and a seed to a trace, within a budget."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import simpy

from simulator.engine.sim import Sim, Trigger
from simulator.engine.waiting import AFTER, BEFORE, Fallen, Stop
from simulator.network import Network, NodeFault
from simulator.scenario import Node, Scenario
from simulator.storage import TraceFileError, Writer
from simulator.streams import Streams
from simulator.trace import Recorder, Trace

_CHUNK = 2_000
"""Engine events between two looks at the progress bar and the file."""

_PROGRESS_FROM = 300_000
"""Steps after which a run counts as long and shows how far it is."""

_QUIET = 1_000_000
"""Engine events without a step after which a run counts as going in circles."""


class RunStopped(UserWarning):
    """A run ended before its duration, at its step budget or by an interrupt; its trace holds all until then."""


class BehaviourError(RuntimeError):
    """A node's own code raised an error. ``trace`` holds the run up to there; the cause is the error itself."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.trace: Trace


def _act(fn: Callable[..., Any], args: tuple[Any, ...], _: object) -> None:
    """What the engine does to a node may end in a crash of it."""
    with suppress(Fallen):
        fn(*args)


class Run:
    """One run: its environment, its randomness and its trace belong to nobody else."""

    def __init__(self, scenario: Scenario, seed: int, max_steps: int) -> None:
        self.scenario = scenario
        self.max_steps = max_steps
        self.env = simpy.Environment()
        self.streams = Streams(seed)
        self.recorder = Recorder(scenario.names)
        self.network = Network(scenario.links, scenario.faults, self.streams)
        self.cause = -1
        self.sims = {node.name: Sim(self, node, index) for index, node in enumerate(scenario.nodes)}
        for fault in scenario.faults:
            if isinstance(fault, NodeFault):
                sim = self.sims[fault.node]
                sim._guarded = True
                if fault.at is not None:
                    self.at(fault.at, self._strike_out_of_the_blue, sim, fault)
                else:
                    sim._triggers.append(Trigger(fault))
                    sim.record = sim._record_and_pull  # type: ignore[method-assign]

    def at(self, delay: float, fn: Callable[..., Any], *args: Any, priority: int = BEFORE) -> None:
        """Let the engine itself act later, whatever state the nodes are in."""
        event = simpy.Event(self.env)
        event._ok, event._value = True, None
        assert event.callbacks is not None
        event.callbacks.append(partial(_act, fn, args))
        self.env.schedule(event, priority, delay)  # type: ignore[arg-type]

    def _strike_out_of_the_blue(self, sim: Sim, fault: NodeFault) -> None:
        self.cause = -1
        sim._strike(fault)

    def play(self, progress: bool | None, writer: Writer | None) -> str:
        """Run to the end and tell which of `ENDINGS` it was."""
        step, recorder = self.env.step, self.recorder
        over = False
        quiet = written = 0

        def end() -> None:
            nonlocal over
            over = True
            raise Stop

        self.at(self.scenario.duration, end, priority=AFTER)
        bar = _Progress(self, progress)
        try:
            for sim in self.sims.values():
                self.cause = -1
                sim._guard(sim._begin)
            while True:
                for _ in range(_CHUNK):
                    step()
                quiet = quiet + _CHUNK if recorder.count == written else 0
                if quiet >= _QUIET:
                    return "stalled"
                written = recorder.count
                bar.show()
                if writer is not None:
                    writer.write(recorder)
        except Stop:
            return "duration" if over else "budget"
        except KeyboardInterrupt:
            recorder.settle()
            return "interrupted"
        finally:
            bar.close()


class _Progress:
    """A bar for long runs, and for none that a learner would not have to wait for."""

    def __init__(self, run: Run, wanted: bool | None) -> None:
        self._run = run
        self._from = _PROGRESS_FROM if wanted is None else 0 if wanted else None
        self._bar: Any = None

    def show(self) -> None:
        if self._from is None or self._run.recorder.count < self._from:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=self._run.scenario.duration, unit=" ms", leave=False, unit_scale=True)
        self._bar.update(self._run.env.now - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Collector:
    """Pauses the cyclic garbage collector, which would walk all that a run keeps again and again.

    Runs in several threads may overlap: the first to enter pauses it, the last to leave puts it back as it was.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._was_enabled = True

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._was_enabled:
                gc.enable()


_collector_paused = _Collector()


def run(
    scenario: Scenario,
    seed: int = 0,
    *,
    max_steps: int = 2_000_000,
    progress: bool | None = None,
    save_to: str | Path | None = None,
) -> Trace:
    """Run a scenario and give its trace. The same scenario and seed give the same trace, byte for byte.

    ``max_steps`` is the budget: a run that would write more is stopped there, with a `RunStopped` warning, and so is
    one that is interrupted; the trace holds what happened until then. ``progress`` shows a bar: always, never, or
    (None) on long runs. With ``save_to`` the trace is also written to that file while the run goes on, in the form of
    `Trace.save`.

    Raises BehaviourError, which carries the trace so far, when a node's own code raises an error.
    """
    return run_with_states(scenario, seed, max_steps=max_steps, progress=progress, save_to=save_to)[0]


def run_with_states(
    scenario: Scenario,
    seed: int = 0,
    *,
    max_steps: int = 2_000_000,
    progress: bool | None = None,
    save_to: str | Path | None = None,
) -> tuple[Trace, dict[str, dict[str, Any]]]:
    """`run`, and each node's durable state as the run left it: what a test holds a folded frame against."""
    if not isinstance(scenario, Scenario):
        raise TypeError(f"run takes a Scenario, not {scenario!r}; call the function that makes one.")
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise TypeError(f"The seed is {seed!r}; it must be a whole number.")
    if max_steps < 1:
        raise ValueError(f"max_steps is {max_steps}; it must be at least 1.")
    going = Run(scenario, seed, max_steps)
    writing: Any = nullcontext()
    if save_to is not None:
        writing = Writer(save_to, scenario, seed)
    with writing as writer, _collector_paused:
        try:
            ended = going.play(progress, writer)
        except TraceFileError:
            raise
        except Exception as error:
            failed = Trace(scenario, seed, going.recorder, "failed")
            if writer is not None:
                writer.close(failed)
            told_error = BehaviourError(_tell_error(error, going))
            told_error.trace = failed
            raise told_error from error
        trace = Trace(scenario, seed, going.recorder, ended)
        if writer is not None:
            writer.close(trace)
    if ended != "duration":
        warnings.warn(_tell_stop(ended, going), RunStopped, stacklevel=3)
    return trace, {name: sim.durable for name, sim in going.sims.items()}


def _tell_stop(ended: str, going: Run) -> str:
    where = f"at {going.env.now:,.0f} of {going.scenario.duration:,.0f} ms, after {going.recorder.count:,} steps"
    if ended == "budget":
        return f"The run stopped at its step budget, {where}: shorten the duration, slow the producers, or raise max_steps."
    if ended == "stalled":
        next_up = getattr(going.env._queue[0][-1], "_sim", None)
        named = str(next_up.node) if isinstance(next_up, Sim) else "the nodes"
        return (
            f"The run stopped {where}, since {_QUIET:,} engine events in a row led to no step: "
            f"look in {named} for a loop that waits 0 ms, or next to nothing, again and again."
        )
    return f"The run was interrupted {where}; the trace holds all until then."


_HERE = Path(__file__).parent
_CORE = {
    str(file) for file in (*_HERE.glob("*.py"), *(_HERE.with_name(f"{name}.py") for name in ("message", "network", "trace")))
}


def _tell_error(error: Exception, going: Run) -> str:
    """Which node failed, and in which line: the last one in the node's own file, or else in whatever is not the engine."""
    node: Node | None = None
    lines: dict[str, int] = {}
    trail = error.__traceback__
    while trail is not None:
        file, held = trail.tb_frame.f_code.co_filename, trail.tb_frame.f_locals
        for name in ("sim", "self", "to"):
            owner = getattr(held.get(name), "_sim", held.get(name))
            if isinstance(owner, Sim):
                node = owner.node
        if file not in _CORE and "simpy" not in Path(file).parts:
            lines.pop(file, None)
            lines[file] = trail.tb_lineno
        trail = trail.tb_next
    own = "" if node is None else type(node).behave.__code__.co_filename
    file = own if own in lines else next(reversed(lines), "")
    place = f", in line {lines[file]} of {Path(file).name}" if file else ""
    return (
        f"{node or 'A node'} failed at {going.env.now:,.0f} ms, after {going.recorder.count:,} steps{place}: "
        f"{type(error).__name__}: {error}."
    )
