"""The calls of one node: attempts, timeouts, retries and circuit breakers, whoever makes the calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from simulator.clients.breaker import Breaker, CircuitBreaker, State
from simulator.clients.retry import NO_RETRY, Retry
from simulator.message import Message
from simulator.vocabulary import (
    ABANDONED,
    ACKNOWLEDGED,
    CLOSED,
    COMPLETED,
    FAILED,
    HALF_OPENED,
    IGNORED,
    OPENED,
    REJECTED,
    TIMED_OUT,
)  # fmt: skip

if TYPE_CHECKING:
    from simulator.engine import Sim, Timer

REPLY, REFUSAL, ACK = "reply", "refusal", "ack"


class Outcome(NamedTuple):
    """How a call ended."""

    failure: str
    """Why it came to nothing; "" if it didn't."""
    step: int
    """The index of the step that ended it."""


_TURNS: dict[State, int] = {"open": OPENED, "half-open": HALF_OPENED, "closed": CLOSED}


class _Call:
    """One request until it is answered or given up."""

    __slots__ = ("attempt", "message", "then", "ticket", "timer", "to", "waiting")

    def __init__(self, to: str, message: Message, then: tuple[Callable[[Outcome], object], ...]) -> None:
        self.to = to
        self.message = message
        self.then = then
        self.attempt = 0
        self.ticket = 0
        self.timer: Timer | None = None
        self.waiting = False


class Calls:
    """What a node has asked others and waits for.

    Each attempt sends the same message again. An answer counts for the attempt that waits when it comes; between two
    attempts, and after the last, nobody waits and it is ignored. So a timeout says nothing about what the other node
    did: its outcome is "indefinite".
    """

    __slots__ = ("_breaker", "_breakers", "_draw", "_pending", "_retry", "_sim", "_timeout")

    def __init__(self, sim: Sim, timeout: float | None, retry: Retry | None, breaker: CircuitBreaker | None) -> None:
        self._sim = sim
        self._timeout = timeout
        self._retry = retry or NO_RETRY
        self._draw = sim.random("retry").random
        self._breaker = breaker
        self._breakers: dict[str, Breaker] = {}
        self._pending: dict[int, _Call] = {}

    def begin(self, to: str, message: Message, *then: Callable[[Outcome], object]) -> None:
        """Send a request and see to it until it is answered or given up.

        A request that is under way already is not made a second time: whoever begins it again learns its outcome too.
        """
        known = self._pending.get(message.id)
        if known is not None:
            known.then += then
            return
        call = self._pending[message.id] = _Call(to, message, then)
        self._attempt(call)

    def settle(self, answer: Message) -> None:
        """Take in a message that answers another one."""
        sim = self._sim
        call = self._pending.get(answer.in_reply_to)
        if call is None or not call.waiting:
            sim.record(IGNORED, answer, sim.value("nobody waits for it"))
            return
        if call.timer is not None:
            call.timer.cancel()
        if answer.kind == REFUSAL:
            call.waiting = False
            sim.record(FAILED, call.message, sim.value(answer.payload))
            self._failed(call)
            self._again(call, f"{call.to} refused")
            return
        del self._pending[answer.in_reply_to]
        if answer.kind == ACK:
            step = sim.record(ACKNOWLEDGED, call.message, *(answer.payload or ()))
        else:
            step = sim.record(COMPLETED, call.message, call.attempt, sim.index_of(call.to))
        if self._breaker is not None:
            breaker = self._breakers[call.to]
            before = breaker.state
            breaker.succeeded(call.ticket)
            self._tell(breaker, before, call)
        for then in call.then:
            then(Outcome("", step))

    def _attempt(self, call: _Call) -> None:
        if self._breaker is not None and not self._admitted(call, self._breaker):
            self._sim.record(REJECTED, call.message, self._sim.value("breaker open"))
            self._give_up(call, "breaker open")
            return
        call.attempt += 1
        call.waiting = True
        self._sim.send(call.to, call.message, call.attempt)
        if self._timeout is not None:
            call.timer = self._sim.call_later(self._timeout, self._time_out, call)

    def _time_out(self, call: _Call) -> None:
        sim = self._sim
        call.waiting = False
        sim.record(TIMED_OUT, call.message, sim.index_of(call.to), call.attempt, sim.value("indefinite"))
        self._failed(call)
        self._again(call, f"{call.to} did not answer in time")

    def _again(self, call: _Call, reason: str) -> None:
        if call.attempt > self._retry.retries:
            self._give_up(call, reason)
            return
        wait = self._retry.wait(call.attempt, self._draw)
        if wait:
            self._sim.call_later(wait, self._attempt, call)
        else:
            self._attempt(call)

    def _give_up(self, call: _Call, reason: str) -> None:
        del self._pending[call.message.id]
        step = self._sim.record(ABANDONED, call.message, self._sim.value(reason))
        for then in call.then:
            then(Outcome(reason, step))

    def _admitted(self, call: _Call, settings: CircuitBreaker) -> bool:
        breaker = self._breakers.get(call.to)
        if breaker is None:
            breaker = self._breakers[call.to] = Breaker(settings)
        before = breaker.state
        ticket = breaker.admit(self._sim.now)
        self._tell(breaker, before, call)
        call.ticket = ticket or 0
        return ticket is not None

    def _failed(self, call: _Call) -> None:
        if self._breaker is not None:
            breaker = self._breakers[call.to]
            before = breaker.state
            breaker.failed(call.ticket, self._sim.now)
            self._tell(breaker, before, call)

    def _tell(self, breaker: Breaker, before: State, call: _Call) -> None:
        if breaker.state != before:
            self._sim.record(_TURNS[breaker.state], call.message, self._sim.index_of(call.to))
