"""`run`: a scenario becomes a trace. The one place that knows SimPy's environment.

A message under way, a timer and a behaviour that sleeps are each one scheduled engine event: a small object with
``callbacks``, which is all that SimPy asks of one. None of them is a process, which keeps a step cheap.
"""

from __future__ import annotations

import gc
import math
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import simpy

from simulator.message import Message, freeze
from simulator.network import Channel, Crash, Network, NodeFault, Pause
from simulator.scenario import Node, Scenario, told
from simulator.storage import TraceFileError, Writer
from simulator.streams import Streams
from simulator.trace import STEP, Recorder, Trace
from simulator.validation import did_you_mean
from simulator.vocabulary import (
    CRASHED,
    DELIVERED,
    DUPLICATED,
    KINDS,
    LOST,
    PAUSED,
    RESTARTED,
    RESUMED,
    SENT,
)  # fmt: skip

_CHUNK = 2_000
"""Engine events between two looks at the progress bar and the file."""

_PROGRESS_FROM = 300_000
"""Steps after which a run counts as long and shows how far it is."""

_QUIET = 1_000_000
"""Engine events without a step after which a run counts as going in circles."""

_BEFORE, _HELD, _USUAL, _AFTER = -1, 0, 1, 2
"""Which comes first of what happens at one moment: faults of nodes, what a pause held up, everything else, and last the
end of the run."""

_pack = STEP.pack


class RunStopped(UserWarning):
    """A run ended before its duration, at its step budget or by an interrupt; its trace holds all until then."""


class BehaviourError(RuntimeError):
    """A node's own code raised an error. ``trace`` holds the run up to there; the cause is the error itself."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.trace: Trace


class _Stop(BaseException):
    """Leaves the run from wherever it is. No ``except Exception`` in a node's code can hold it up."""


class _Fallen(BaseException):
    """Leaves the behaviour of a node that has just crashed."""


class Timer:
    """Something that a node does later. `cancel` calls it off; a crash of the node does too."""

    __slots__ = ("_args", "_cause", "_fn", "_incarnation", "_sim", "callbacks")
    _ok = True

    def __init__(self, sim: Sim, fn: Callable[..., Any] | None, args: tuple[Any, ...]) -> None:
        self.callbacks = _FIRE_GUARDED if sim._guarded else _FIRE
        self._sim = sim
        self._incarnation = sim._incarnation
        self._fn = fn
        self._args = args
        self._cause = sim._run.cause

    def cancel(self) -> None:
        """Call it off; it does no harm where the timer has gone off already."""
        self._fn = None

    def _fire(self) -> None:
        fn = self._fn
        if fn is not None:
            self._sim._run.cause = self._cause
            fn(*self._args)

    def _fire_guarded(self) -> None:
        """The same at a node that a fault may have struck since, or may strike now."""
        sim = self._sim
        if sim._incarnation != self._incarnation:
            return
        if sim._frozen_until is not None:
            sim._postpone(self, _FIRE_GUARDED)
        else:
            sim._guard(self._fire)


_FIRE = (Timer._fire,)
_FIRE_GUARDED = (Timer._fire_guarded,)


class _Flight:
    """One copy of a message under way."""

    __slots__ = ("callbacks", "copy", "message", "sent", "source", "to")
    _ok = True

    def __init__(self, to: Sim, source: Sim, message: Message, sent: int, copy: int) -> None:
        self.callbacks = _ARRIVE_GUARDED if to._guarded else _ARRIVE
        self.to = to
        self.source = source
        self.message = message
        self.sent = sent
        self.copy = copy

    def _arrive(self) -> None:
        to, message = self.to, self.message
        to.record(DELIVERED, message, self.source._index, self.copy, 0, self.sent)
        react = to._react
        if react is not None:
            react(message, self.source.name)
        else:
            to._offer(message)

    def _arrive_guarded(self) -> None:
        """The same at a node that may be down or frozen, or that a fault may strike now."""
        to = self.to
        if to._frozen_until is not None:
            to._postpone(self, _ARRIVE_GUARDED)
        elif to._down:
            self.fail()
        else:
            to._guard(self._arrive)

    def fail(self) -> None:
        """Get lost, since the node it is meant for is down."""
        source = self.source
        reason = source.value("receiver down")
        source._guard(source.record, LOST, self.message, self.to._index, reason, self.copy, self.sent)


_ARRIVE = (_Flight._arrive,)
_ARRIVE_GUARDED = (_Flight._arrive_guarded,)


class _Receive:
    """What a behaviour waits for: the next message that fits."""

    __slots__ = ("_in_reply_to", "_kinds", "_sim", "_task", "timeout")

    def __init__(self, sim: Sim, kinds: tuple[str, ...], in_reply_to: int | None, timeout: float | None) -> None:
        self._sim = sim
        self._kinds = kinds
        self._in_reply_to = in_reply_to
        self.timeout = timeout

    def fits(self, message: Message) -> bool:
        if self._in_reply_to is not None and message.in_reply_to != self._in_reply_to:
            return False
        return not self._kinds or message.kind in self._kinds

    def begin(self, task: _Task) -> Message | None:
        """The first message in the inbox that fits; None if the task must wait for one."""
        sim = self._sim
        for message in sim._inbox:
            if self.fits(message):
                sim._inbox.remove(message)
                return message
        self._task = task
        sim._waiting.append(self)
        if self.timeout is not None:
            task.wait_until(sim._env._now + self.timeout, self)
        return None

    def give_up(self) -> None:
        self._sim._waiting.remove(self)
        self._task.resume(None)

    def answer(self, message: Message) -> None:
        task = self._task
        task.waiting = None
        task.cause = self._sim._run.cause
        task.resume(message)


class _Task:
    """A behaviour written as a generator, run until it next waits."""

    __slots__ = ("_alarm", "_deadline", "_generator", "_incarnation", "_sim", "cause", "waiting")

    def __init__(self, sim: Sim, generator: Generator[Any, Any, None]) -> None:
        self._sim = sim
        self._generator = generator
        self._incarnation = sim._incarnation
        self._alarm: float | None = None
        self._deadline = 0.0
        self.waiting: _Receive | None = None
        self.cause = sim._run.cause

    def wait_until(self, deadline: float, waiting: _Receive) -> None:
        """Give the wait up at its deadline. Most waits end long before, so one alarm serves many: it looks, and is set anew."""
        self._deadline = deadline
        self.waiting = waiting
        if self._alarm is None or self._alarm > deadline:
            self._alarm = deadline
            self._sim.call_later(deadline - self._sim._env._now, self._ring, deadline)

    def _ring(self, alarm: float) -> None:
        if self._alarm == alarm:
            self._alarm = None
        waiting = self.waiting
        if waiting is None:
            return
        if self._deadline <= self._sim._env._now:
            self.waiting = None
            waiting.give_up()
        elif self._alarm is None:
            self.wait_until(self._deadline, waiting)

    def resume(self, value: Any) -> None:
        sim = self._sim
        if sim._incarnation != self._incarnation:
            return
        run = sim._run
        run.cause = self.cause
        send = self._generator.send
        try:
            awaited = send(value)
            while True:
                if awaited.__class__ is Timer:
                    awaited._fn, awaited._args = self.resume, (None,)
                    break
                if awaited.__class__ is _Receive:
                    message = awaited.begin(self)
                    if message is None:
                        break
                    awaited = send(message)
                elif isinstance(awaited, simpy.Event):
                    if awaited.callbacks is not None:
                        awaited.callbacks.append(self._wake)
                        break
                    awaited = send(awaited.value)
                else:
                    # Thrown where it was yielded, so that the error tells that line.
                    awaited = self._generator.throw(
                        TypeError(
                            f"it yielded {awaited!r}; a behaviour waits by yielding sim.sleep(…), sim.receive(…) or sim.event()"
                        )
                    )
        except StopIteration:
            pass
        self.cause = run.cause

    def _wake(self, event: simpy.Event) -> None:
        """A SimPy event came: what a timer minds (a crash since, a pause, a fault in the middle) is minded here too."""
        if self._sim._incarnation == self._incarnation:
            if isinstance(event, _Signal):
                self.cause = event.cause
            timer = Timer(self._sim, self.resume, (event.value,))
            timer._fire_guarded() if self._sim._guarded else timer._fire()


class _Signal(simpy.Event):
    """A SimPy event that remembers what made it succeed."""

    def __init__(self, run: _Run) -> None:
        super().__init__(run.env)
        self.cause = -1
        self._run = run

    def succeed(self, value: Any = None) -> simpy.Event:
        self.cause = self._run.cause
        return super().succeed(value)


class Sim:
    """A node's place in a run: what its behaviour sees of the world."""

    def __init__(self, run: _Run, node: Node, index: int) -> None:
        self.name = node.name
        self.node = node
        self.durable: dict[str, Any] = {}
        """What outlives a crash."""
        self._run = run
        self._env = run.env
        self._recorder = run.recorder
        self._steps = run.recorder.steps
        self._index = index
        self._incarnation = 0
        self._down = False
        self._up_at = 0.0
        """When a node that is down begins again; infinite for never."""
        self._frozen_until: float | None = None
        self._held: list[Timer | _Flight] = []
        """What came due while the node is frozen, in order."""
        self._struck = -1
        """The step by which the node went down or froze."""
        self._guarded = False
        self._triggers: list[_Trigger] = []
        self._channels: dict[tuple[str, str], tuple[Channel, Sim, Callable[[], float] | None]] = {}
        self._inbox: deque[Message] = deque()
        self._waiting: list[_Receive] = []
        self._react: Callable[[Message, str], Any] | None = None
        self.envelope = run.recorder.message
        """`message` for a payload that is known to be immutable: the brokers' protocols, which need the speed."""
        self.message_of = run.recorder.message_of
        """The message with this number, as one that was named in another's payload."""
        self.value = run.recorder.value
        """The number that stands for a text (or None, or a number) in a step's VALUE field."""

    @property
    def now(self) -> float:
        """Milliseconds since the run began."""
        return self._env._now

    @property
    def cause(self) -> int:
        """The step that what this behaviour does now follows from: what it did or received last."""
        return self._run.cause

    @property
    def scenario(self) -> Scenario:
        """The scenario that runs."""
        return self._run.scenario

    @property
    def downstream(self) -> list[str]:
        """The nodes that links lead to from here."""
        return self._run.scenario.downstream(self.name)

    @property
    def upstream(self) -> list[str]:
        """The nodes that links come here from."""
        return self._run.scenario.upstream(self.name)

    def index_of(self, name: str) -> int:
        """A node's place in the scenario, as steps with a NODE field want it."""
        return self._run.sims[name]._index

    def random(self, purpose: str) -> Random:
        """This node's random stream for a purpose. It goes on where it was after a crash. Use `Random.random` alone where a
        trace must stay the same from one version of Python to the next."""
        return self._run.streams(f"node/{self.name}/{purpose}")

    def record(
        self, kind: int, message: Message | None = None, a: int = 0, b: int = 0, c: int = 0, cause: int | None = None
    ) -> int:
        """Write a step of this node now and tell its index; ``kind`` is a constant of `simulator.vocabulary`, a, b, c
        its data.

        Its cause is what this behaviour did or received last, unless given.
        """
        run, steps = self._run, self._steps
        index = len(steps) >> 5
        if index >= run.max_steps:
            raise _Stop
        steps += _pack(
            self._env._now,
            0 if message is None else message[0],
            run.cause if cause is None else cause,
            a,
            b,
            c,
            self._index,
            kind,
        )
        run.cause = index
        return index

    def _record_and_pull(self, kind: int, message: Message | None = None, *data: Any, **named: Any) -> int:
        """`record` for a node with a fault that waits for a step: takes its place, so that the others don't pay for it."""
        index = Sim.record(self, kind, message, *data, **named)
        self._pull_triggers(kind, message)
        return index

    def note(self, kind: str, message: Message | None = None, *, cause: int | None = None, **data: Any) -> int:
        """`record` for steps that are not many: the kind and its data by name, checked."""
        if kind not in KINDS:
            raise ValueError(f'There is no kind of step "{kind}"; {did_you_mean(kind, KINDS)}')
        return self.record(KINDS[kind].code, message, *self._recorder.encode(KINDS[kind], data), cause=cause)  # type: ignore[misc]

    def send(self, to: str, message: Message, attempt: int = 1) -> int:
        """Put a message on the link to a node that is joined to this one; tells the index of its `sent` step."""
        reached = self._channels.get((to, message[1]))
        if reached is None:
            reached = self._open(to, message.kind)
        channel, receiver, sample = reached
        env = self._env
        sent = Sim.record(self, SENT, message, receiver._index, attempt)
        if sample is not None:
            env.schedule(_Flight(receiver, self, message, sent, 0), _USUAL, sample())  # type: ignore[arg-type]
        else:
            self._transmit(channel, receiver, message, sent)
        if self._triggers:
            # Only now: what was sent has left before a crash that strikes right after the sending.
            self._pull_triggers_since(sent, message)
        return sent

    def _transmit(self, channel: Channel, receiver: Sim, message: Message, sent: int) -> None:
        env = self._env
        copies = channel.delays(env._now, message)
        for copy, delay in enumerate(copies):
            env.schedule(_Flight(receiver, self, message, sent, copy), _USUAL, delay)  # type: ignore[arg-type]
        if not copies:
            Sim.record(self, LOST, message, receiver._index, self.value(channel.reason), 0, sent)
        elif len(copies) > 1:
            Sim.record(self, DUPLICATED, message, receiver._index, len(copies), 0, sent)
        self._run.cause = sent

    def _open(self, to: str, kind: str) -> tuple[Channel, Sim, Callable[[], float] | None]:
        run = self._run
        if to not in run.sims or not run.scenario.linked(self.name, to):
            linked = [link.other(self.name) for link in run.scenario.links]
            neighbours = [name for name in linked if name is not None]
            raise ValueError(f'no link joins "{self.name}" and "{to}"; {did_you_mean(to, neighbours)}')
        channel = run.network.channel(self.name, to, kind)
        reached = self._channels[to, kind] = (channel, run.sims[to], channel.plain)
        return reached

    def message(
        self,
        kind: str,
        key: str | None = None,
        payload: Any = None,
        headers: tuple[tuple[str, str], ...] = (),
        in_reply_to: int = 0,
        size: int = 0,
    ) -> Message:
        """Make a message. Raises TypeError for a payload that JSON cannot say."""
        return self.envelope(kind, key, freeze(payload), headers, in_reply_to, size)

    def sleep(self, ms: float) -> Timer:
        """``yield sim.sleep(30)`` waits 30 ms."""
        if not ms >= 0:
            raise ValueError(f"it sleeps for {ms} ms; a wait is a number of 0 or more")
        timer = Timer(self, None, ())
        self._env.schedule(timer, _USUAL, ms)  # type: ignore[arg-type]
        return timer

    def call_later(self, ms: float, fn: Callable[..., Any], *args: Any) -> Timer:
        """Call ``fn(*args)`` in ``ms`` milliseconds, unless this node crashes or the timer is cancelled before."""
        if not ms >= 0:
            raise ValueError(f"it sets a timer to {ms} ms; a wait is a number of 0 or more")
        timer = Timer(self, fn, args)
        self._env.schedule(timer, _USUAL, ms)  # type: ignore[arg-type]
        return timer

    def receive(self, *kinds: str, in_reply_to: Message | None = None, timeout: float | None = None) -> _Receive:
        """``message = yield sim.receive("reply", timeout=500)``: the next message of these kinds (any, if none is named), or
        the answer to this one; None when the time is up. Messages that nobody waits for stay, in order, for whoever
        asks next."""
        return _Receive(self, kinds, None if in_reply_to is None else in_reply_to.id, timeout)

    def spawn(self, behaviour: Generator[Any, Any, None]) -> None:
        """Start one more behaviour of this node; a crash ends it too."""
        if not isinstance(behaviour, Generator):
            raise TypeError(f"it spawned {behaviour!r}; spawn takes a generator: call a function that has a yield in it")
        run = self._run
        cause = run.cause
        _Task(self, behaviour).resume(None)
        run.cause = cause

    def event(self) -> simpy.Event:
        """A SimPy event to yield and to ``succeed`` with a value: how one behaviour of a node wakes another."""
        return _Signal(self._run)

    def _offer(self, message: Message) -> None:
        """Give a message to the first behaviour that waits for one like it, or keep it."""
        for waiting in self._waiting:
            if waiting.fits(message):
                self._waiting.remove(waiting)
                waiting.answer(message)
                return
        self._inbox.append(message)

    def _begin(self) -> None:
        behaviour = self.node.behave(self)
        if isinstance(behaviour, Generator):
            _Task(self, behaviour).resume(None)
        elif behaviour is None or callable(behaviour):
            self._react = behaviour
        else:
            raise TypeError(f"behave gave {behaviour!r}; it gives a generator, a function of (message, sender), or None")

    def _guard(self, act: Callable[..., Any], *args: Any) -> None:
        """Act on behalf of a node that a fault may strike in the middle of it."""
        with suppress(_Fallen):
            act(*args)

    def _pull_triggers(self, kind: int, message: Message | None) -> None:
        """Let every fault that waits for this step strike; raises _Fallen if one of them ended the node's life."""
        incarnation = self._incarnation
        # All of them count the step before any strikes: a fault never hides a step from another.
        for fault in [trigger.fault for trigger in self._triggers if trigger.counts(kind, message)]:
            if isinstance(fault, Pause):
                # The code that took the step goes on to its next wait; then, at the same moment, the node freezes.
                self._run.at(0.0, self._pause, fault.lasting, self._run.cause)
            else:
                self._strike(fault)
        if self._incarnation != incarnation:
            raise _Fallen

    def _pull_triggers_since(self, sent: int, message: Message) -> None:
        """The same for a sending, and for the loss or duplication that the network has recorded behind it."""
        run = self._run
        for step in range(sent, run.recorder.count):
            run.cause = step
            self._pull_triggers(STEP.unpack_from(self._steps, step * STEP.size)[-1], message)
        run.cause = sent

    def _strike(self, fault: NodeFault) -> None:
        if isinstance(fault, Crash):
            self._crash(fault.restart_after)
        elif isinstance(fault, Pause):
            self._pause(fault.lasting, self._run.cause)
        else:
            raise TypeError(f"the engine knows no fault {told(fault)}")

    def _crash(self, restart_after: float | None) -> None:
        run, was_down = self._run, self._down
        until = math.inf if restart_after is None else self.now + restart_after
        # Down is down for as long as any of the crashes says.
        self._up_at = max(self._up_at, until) if was_down else until
        if restart_after is not None and self._up_at == until:
            run.at(restart_after, self._restart, until)
        if was_down:
            return
        self._incarnation += 1
        self._down = True
        self._frozen_until = None
        self._inbox, self._waiting, self._react = deque(), [], None
        self._struck = crashed = Sim.record(self, CRASHED)
        held, self._held = self._held, []
        for event in held:
            if isinstance(event, _Flight):
                event.fail()
        run.cause = crashed
        self._pull_triggers(CRASHED, None)

    def _restart(self, at: float) -> None:
        if not self._down or self._up_at != at:
            return
        self._down = False
        self._run.cause = self._struck
        self.record(RESTARTED, None, self._incarnation)
        self._begin()

    def _pause(self, lasting: float, cause: int) -> None:
        """Freeze, or freeze for longer. A node that is down does not notice."""
        until = float(self.now + lasting)
        if self._down or self._frozen_until is not None and self._frozen_until >= until:
            return
        self._frozen_until = until
        self._run.cause = cause
        self._struck = Sim.record(self, PAUSED, None, self.value(until))
        self._run.at(lasting, self._resume, until)
        self._pull_triggers(PAUSED, None)

    def _resume(self, until: float) -> None:
        if self._frozen_until != until:
            return
        self._frozen_until = None
        held, self._held = self._held, []
        for event in held:
            self._env.schedule(event, _HELD)  # type: ignore[arg-type]
        self._run.cause = self._struck
        self.record(RESUMED)

    def _postpone(self, event: Timer | _Flight, callbacks: Any) -> None:
        """Let what comes due while the node is frozen wait for the end of it, in order, and before all that comes due then."""
        event.callbacks = callbacks
        self._held.append(event)


class _Trigger:
    """A node's fault that waits for its nth step of a kind."""

    def __init__(self, fault: NodeFault) -> None:
        self.fault = fault
        self._code = KINDS[str(fault.after)].code
        self._left = fault.nth

    def counts(self, kind: int, message: Message | None) -> bool:
        """Take note of a step; whether it is the one that the fault waits for."""
        key = self.fault.key
        if kind != self._code or key is not None and (message is None or message.key != key):
            return False
        self._left -= 1
        return self._left == 0


def _act(fn: Callable[..., Any], args: tuple[Any, ...], _: object) -> None:
    """What the engine does to a node may end in a crash of it."""
    with suppress(_Fallen):
        fn(*args)


class _Run:
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
                    sim._triggers.append(_Trigger(fault))
                    sim.record = sim._record_and_pull  # type: ignore[method-assign]

    def at(self, delay: float, fn: Callable[..., Any], *args: Any, priority: int = _BEFORE) -> None:
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
            raise _Stop

        self.at(self.scenario.duration, end, priority=_AFTER)
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
        except _Stop:
            return "duration" if over else "budget"
        except KeyboardInterrupt:
            recorder.settle()
            return "interrupted"
        finally:
            bar.close()


class _Progress:
    """A bar for long runs, and for none that a learner would not have to wait for."""

    def __init__(self, run: _Run, wanted: bool | None) -> None:
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
    going = _Run(scenario, seed, max_steps)
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


def _tell_stop(ended: str, going: _Run) -> str:
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


_CORE = {str(Path(__file__).with_name(f"{name}.py")) for name in ("engine", "message", "network", "trace")}


def _tell_error(error: Exception, going: _Run) -> str:
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
