"""What a node's behaviour waits for: timers, messages under way, messages to come, and the behaviour that waits.

A message under way, a timer and a behaviour that sleeps are each one scheduled engine event: a small object with
``callbacks``, which is all that SimPy asks of one. None of them is a process, which keeps a step cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import simpy

from simulator.message import Message
from simulator.vocabulary import DELIVERED, LOST

if TYPE_CHECKING:
    from simulator.engine.running import Run
    from simulator.engine.sim import Sim

BEFORE, HELD, USUAL, AFTER = -1, 0, 1, 2
"""Which comes first of what happens at one moment: faults of nodes, what a pause held up, everything else, and last the
end of the run."""


class Stop(BaseException):
    """Leaves the run from wherever it is. No ``except Exception`` in a node's code can hold it up."""


class Fallen(BaseException):
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


class Flight:
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


_ARRIVE = (Flight._arrive,)
_ARRIVE_GUARDED = (Flight._arrive_guarded,)


class Receive:
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

    def begin(self, task: Task) -> Message | None:
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


class Task:
    """A behaviour written as a generator, run until it next waits."""

    __slots__ = ("_alarm", "_deadline", "_generator", "_incarnation", "_sim", "cause", "waiting")

    def __init__(self, sim: Sim, generator: Generator[Any, Any, None]) -> None:
        self._sim = sim
        self._generator = generator
        self._incarnation = sim._incarnation
        self._alarm: float | None = None
        self._deadline = 0.0
        self.waiting: Receive | None = None
        self.cause = sim._run.cause

    def wait_until(self, deadline: float, waiting: Receive) -> None:
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
                if awaited.__class__ is Receive:
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
            if isinstance(event, Signal):
                self.cause = event.cause
            timer = Timer(self._sim, self.resume, (event.value,))
            timer._fire_guarded() if self._sim._guarded else timer._fire()


class Signal(simpy.Event):
    """A SimPy event that remembers what made it succeed."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.env)
        self.cause = -1
        self._run = run

    def succeed(self, value: Any = None) -> simpy.Event:
        self.cause = self._run.cause
        return super().succeed(value)
