"""`Sim`: a node's place in a run, and what a fault does to it there."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, Any

import simpy

from simulator.engine.waiting import HELD, USUAL, Fallen, Flight, Receive, Signal, Stop, Task, Timer
from simulator.message import Message, freeze
from simulator.network import Channel, Crash, NodeFault, Pause
from simulator.scenario import Node, Scenario, told
from simulator.trace import STEP
from simulator.validation import did_you_mean
from simulator.vocabulary import CRASHED, DUPLICATED, KINDS, LOST, PAUSED, RESTARTED, RESUMED, SENT

if TYPE_CHECKING:
    from simulator.engine.running import Run

_pack = STEP.pack


class Sim:
    """A node's place in a run: what its behaviour sees of the world."""

    def __init__(self, run: Run, node: Node, index: int) -> None:
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
        self._held: list[Timer | Flight] = []
        """What came due while the node is frozen, in order."""
        self._struck = -1
        """The step by which the node went down or froze."""
        self._guarded = False
        self._triggers: list[Trigger] = []
        self._act: list[tuple[NodeFault, int]] | None = None
        """While the node does several things as one: the faults that wait for its end, each with the step that pulled it."""
        self._channels: dict[tuple[str, str], tuple[Channel, Sim, Callable[[], float] | None]] = {}
        self._inbox: deque[Message] = deque()
        self._waiting: list[Receive] = []
        self._react: Callable[[Message, str], Any] | None = None
        self.envelope = run.recorder.message
        """`message` for a payload that is known to be immutable: the brokers' protocols, which need the speed."""
        self.message_of = run.recorder.message_of
        """The message with this number, as one that was named in another's payload."""
        self.value = run.recorder.value
        """The number that stands for a text (or None, or a number) in a step's VALUE field."""
        self.partition = run.recorder.partition
        """The number that stands for a partition, given by name, in a step's PARTITION field."""

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
            raise Stop
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

    @contextmanager
    def as_one(self) -> Iterator[None]:
        """``with sim.as_one():`` what is done and recorded within is one act, as when several records are stored at once: a
        fault that waits for one of its steps strikes at its end."""
        if not self._triggers or self._act is not None:
            yield
            return
        self._act = []
        try:
            yield
        finally:
            pulled, self._act = self._act, None
            self._strike_all(pulled)

    def send(self, to: str, message: Message, attempt: int = 1) -> int:
        """Put a message on the link to a node that is joined to this one; tells the index of its `sent` step."""
        reached = self._channels.get((to, message[1]))
        if reached is None:
            reached = self._open(to, message.kind)
        channel, receiver, sample = reached
        env = self._env
        sent = Sim.record(self, SENT, message, receiver._index, attempt)
        if sample is not None:
            env.schedule(Flight(receiver, self, message, sent, 0), USUAL, sample())  # type: ignore[arg-type]
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
            env.schedule(Flight(receiver, self, message, sent, copy), USUAL, delay)  # type: ignore[arg-type]
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
        self._env.schedule(timer, USUAL, ms)  # type: ignore[arg-type]
        return timer

    def call_later(self, ms: float, fn: Callable[..., Any], *args: Any) -> Timer:
        """Call ``fn(*args)`` in ``ms`` milliseconds, unless this node crashes or the timer is cancelled before."""
        if not ms >= 0:
            raise ValueError(f"it sets a timer to {ms} ms; a wait is a number of 0 or more")
        timer = Timer(self, fn, args)
        self._env.schedule(timer, USUAL, ms)  # type: ignore[arg-type]
        return timer

    def receive(self, *kinds: str, in_reply_to: Message | None = None, timeout: float | None = None) -> Receive:
        """``message = yield sim.receive("reply", timeout=500)``: the next message of these kinds (any, if none is named), or
        the answer to this one; None when the time is up. Messages that nobody waits for stay, in order, for whoever
        asks next."""
        return Receive(self, kinds, None if in_reply_to is None else in_reply_to.id, timeout)

    def spawn(self, behaviour: Generator[Any, Any, None]) -> None:
        """Start one more behaviour of this node; a crash ends it too."""
        if not isinstance(behaviour, Generator):
            raise TypeError(f"it spawned {behaviour!r}; spawn takes a generator: call a function that has a yield in it")
        run = self._run
        cause = run.cause
        Task(self, behaviour).resume(None)
        run.cause = cause

    def event(self) -> simpy.Event:
        """A SimPy event to yield and to ``succeed`` with a value: how one behaviour of a node wakes another."""
        return Signal(self._run)

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
            Task(self, behaviour).resume(None)
        elif behaviour is None or callable(behaviour):
            self._react = behaviour
        else:
            raise TypeError(f"behave gave {behaviour!r}; it gives a generator, a function of (message, sender), or None")

    def _guard(self, act: Callable[..., Any], *args: Any) -> None:
        """Act on behalf of a node that a fault may strike in the middle of it."""
        with suppress(Fallen):
            act(*args)

    def _pull_triggers(self, kind: int, message: Message | None) -> None:
        """Let every fault that waits for this step strike; raises Fallen if one of them ended the node's life."""
        # All of them count the step before any strikes: a fault never hides a step from another.
        pulled = [(trigger.fault, self._run.cause) for trigger in self._triggers if trigger.counts(kind, message)]
        if self._act is not None:
            self._act += pulled
        elif pulled:
            self._strike_all(pulled)

    def _strike_all(self, pulled: list[tuple[NodeFault, int]]) -> None:
        incarnation = self._incarnation
        for fault, step in pulled:
            if isinstance(fault, Pause):
                # The code that took the step goes on to its next wait; then, at the same moment, the node freezes.
                self._run.at(0.0, self._pause, fault.lasting, step)
            else:
                self._run.cause = step
                self._strike(fault)
        if self._incarnation != incarnation:
            raise Fallen

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
            if isinstance(event, Flight):
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
            self._env.schedule(event, HELD)  # type: ignore[arg-type]
        self._run.cause = self._struck
        self.record(RESUMED)

    def _postpone(self, event: Timer | Flight, callbacks: Any) -> None:
        """Let what comes due while the node is frozen wait for the end of it, in order, and before all that comes due then."""
        event.callbacks = callbacks
        self._held.append(event)


class Trigger:
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
