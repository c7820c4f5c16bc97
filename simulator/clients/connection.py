"""A client's connection to a broker like RabbitMQ, on which it consumes: opened, kept alive, and opened again if it breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import frozen

from simulator.brokers.queue.node import RabbitMQ
from simulator.brokers.queue.protocol import (
    ACK,
    CLOSE,
    CLOSED,
    CONSUME,
    DELIVER,
    HEARTBEAT,
    NACK,
    REFUSAL,
    Alive,
    Consume,
    Delivery,
    InOrder,
    Said,
)  # fmt: skip
from simulator.message import Message
from simulator.scenario import Scenario
from simulator.vocabulary import FAILED, IGNORED, TIMED_OUT

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class Arrival:
    """A delivery, and the step by which it arrived."""

    delivery: Delivery
    step: int


def _nothing(*_: Any) -> None:
    """Whoever listens does not mind."""


class Connection:
    """One life of a consumer's connection to its broker.

    ``delivered`` is called for each delivery, in the order in which the broker made them; ``opened`` with the numbers of messages
    that were ready in its queues; ``lost`` when the broker has forgotten the connection, and with it all that was delivered on
    it: then it is opened again at once.
    """

    def __init__(
        self,
        sim: Sim,
        broker: str,
        wanted: Consume,
        *,
        reconnect_after: float,
        delivered: Callable[[Arrival], object],
        opened: Callable[[tuple[int, ...]], object] = _nothing,
        lost: Callable[[], object] = _nothing,
    ) -> None:
        self._sim = sim
        self._broker = broker
        self._wanted = wanted
        self._reconnect_after = reconnect_after
        self._delivered, self._opened, self._lost = delivered, opened, lost
        self.token = 0
        """The id of the request that opened it; 0: it is not open, and nobody asks for that now."""
        self._is_open = False
        self._numbers = 0
        self._heard: InOrder[Arrival] = InOrder()
        self._watched = False
        self._spoke = 0.0

    def open(self) -> None:
        """Ask the broker for a connection until it answers."""
        request = self._sim.message(CONSUME, None, self._wanted)
        self.token, self._is_open, self._numbers = request.id, False, 0
        self._heard, self._watched = InOrder(), False
        self._ask(request, 1)
        if self._wanted.heartbeat:
            self._sim.call_later(self._wanted.heartbeat / 2, self._show_life, request.id)

    def _ask(self, request: Message, attempt: int) -> None:
        sim = self._sim
        if self._is_open or self.token != request.id:
            return
        if attempt > 1:
            sim.record(TIMED_OUT, request, sim.index_of(self._broker), attempt - 1, sim.value("indefinite"))
        self._spoke = sim.now
        sim.send(self._broker, request, attempt)
        sim.call_later(self._reconnect_after, self._ask, request, attempt + 1)

    def ack(self, token: int, delivery_tag: int, key: str | None = None, *, multiple: bool = False) -> None:
        """Acknowledge a delivery (or all up to it), if the connection on which it came is still this one."""
        self._say(ACK, token, key, delivery_tag, multiple)

    def nack(self, token: int, delivery_tag: int, key: str | None = None, *, requeue: bool) -> None:
        """Give a delivery back, if the connection on which it came is still this one."""
        self._say(NACK, token, key, delivery_tag, False, requeue)

    def close(self) -> None:
        """Close it for good; what was delivered and not settled is the broker's again."""
        self._say(CLOSE, self.token, None)
        self.token = 0

    def _say(self, kind: str, token: int, key: str | None, *said: Any) -> None:
        if token != self.token or not token:
            return
        self._numbers += 1
        self._spoke = self._sim.now
        self._sim.send(self._broker, self._sim.envelope(kind, key, Said(token, self._numbers, *said)))

    def _show_life(self, token: int) -> None:
        if token != self.token:
            return
        half = self._wanted.heartbeat / 2
        if self._sim.now - self._spoke >= half:
            self._say(HEARTBEAT, token, None)
        self._sim.call_later(half, self._show_life, token)

    def take(self, message: Message) -> None:
        """A message has come that is about this connection, or about an earlier one."""
        sim = self._sim
        if message.kind == DELIVER:
            self._take_delivery(message)
        elif message.kind == HEARTBEAT:
            alive = Alive(*message.payload)
            if alive.token == self.token:
                self._heard.told(alive.delivery_tag)
                self._look_after()
        elif message.kind == CLOSED:
            if message.payload == self.token:
                self._reopen()
            else:
                sim.record(IGNORED, message, sim.value("that connection is closed already"))
        elif message.in_reply_to != self.token or self._is_open:
            sim.record(IGNORED, message, sim.value("nobody waits for it"))
        elif message.kind == REFUSAL:
            sim.record(FAILED, sim.message_of(message.in_reply_to), sim.value(message.payload))
            self.token = 0
            sim.call_later(self._reconnect_after, self._open_unless_open)
        else:
            self._is_open = True
            self._opened(message.payload)

    def _open_unless_open(self) -> None:
        if not self.token:
            self.open()

    def _take_delivery(self, message: Message) -> None:
        sim, delivery = self._sim, Delivery(*message.payload)
        if delivery.token != self.token or self._heard.is_copy(delivery.delivery_tag):
            why = "a copy" if delivery.token == self.token else "its connection is closed"
            sim.record(IGNORED, message, sim.value(why))
            return
        token = self.token
        for arrival in self._heard.take(delivery.delivery_tag, Arrival(delivery, sim.cause)):
            if self.token == token:
                self._delivered(arrival)
        self._look_after()

    def _look_after(self, token: int = 0, known: int = 0) -> None:
        """Open it anew if a delivery stays missing; ``known``: it has been missing for long enough."""
        if token and token != self.token:
            return
        missing = self._heard.missing
        if known and missing == known:
            self._say(CLOSE, self.token, None)
            self._reopen()
            return
        if known:
            self._watched = False
        if missing and not self._watched:
            self._watched = True
            self._sim.call_later(self._reconnect_after, self._look_after, self.token, missing)

    def _reopen(self) -> None:
        sim = self._sim
        for arrival in self._heard.waiting:
            record = sim.message_of(arrival.delivery.record)
            sim.record(IGNORED, record, sim.value("its connection is closed"), cause=arrival.step)
        self._lost()
        self.open()


def source_brokers(scenario: Scenario, name: str) -> list[RabbitMQ]:
    """The brokers that links come from to a node."""
    return [node for node in map(scenario.node, scenario.upstream(name)) if isinstance(node, RabbitMQ)]
