"""How the broker's node tells what happened in the broker: as steps of the trace, and to its clients."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from simulator.brokers.queue.broker import Broker
from simulator.brokers.queue.messages import (
    BindingMade,
    Cancel,
    Confirm,
    DeadLettered,
    Deliver,
    Dequeued,
    Effect,
    Enqueued,
    HandedOut,
    QueueGone,
    QueueMade,
    Requeued,
    Return,
    Routed,
)  # fmt: skip
from simulator.brokers.queue.protocol import DELIVER, REFUSAL, REPLY, RETURN, Delivery
from simulator.message import Message
from simulator.vocabulary import BOUND, DECLARED, DISMANTLED, DISPATCHED, READIED, REQUEUED, ROUTED, SETTLED, UNSUBSCRIBED

if TYPE_CHECKING:
    from simulator.engine import Sim

Fact: TypeAlias = Routed | Enqueued | HandedOut | Requeued | Dequeued | DeadLettered
"""What happens to a message inside the broker."""

_ADDED = ("x-death", "x-first-death-", "x-delivery-count")
"""How the names of the headers begin that a broker adds."""


def added(headers: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the broker has added to a message's headers; None for nothing."""
    found = {name: value for name, value in headers.items() if name.startswith(_ADDED)} if headers else None
    return found or None


class Telling:
    """One life of the broker's node, as far as others learn of it."""

    def __init__(self, sim: Sim, broker: Broker) -> None:
        self._sim = sim
        self._broker = broker
        self.clients: dict[int, str] = {}
        """Who is at the other end of a channel."""
        self.tokens: dict[str, int] = {}
        """The token of each client's connection."""
        self.publishing: Message | None = None
        """What is answered by confirmations."""
        self.to_nobody = False
        """While it starts: who was to learn of anything is gone, as all connections are."""
        self._untold: deque[Effect] = sim.durable.setdefault("untold", deque())
        """What has happened and is not in the trace yet: a crash in the middle of the telling does not undo it."""
        self._stood: dict[tuple[str, int], int] = {}
        """The step by which each message came to stand where it stands: why it expires when it does."""

    def tell(self, begun: int | None = None, *, by_itself: bool = False) -> None:
        """Record what happened in the broker and send what clients are to know; ``begun`` is the step that it follows from, if
        that is not the last one; ``by_itself``: it follows from whatever put each message where it stood."""
        untold = self._untold
        begun = self._sim.cause if begun is None else begun
        untold.extend(self._broker.take_effects())
        last: dict[int, int] = {}
        while untold:
            effect = untold.popleft()
            if isinstance(effect, Cancel):
                self.unsubscribed(effect.queue, self.clients[effect.channel], "queue deleted")
            elif isinstance(effect, QueueMade | BindingMade | QueueGone):
                self._record_layout(effect, -1 if by_itself else begun)
            elif isinstance(effect, Confirm | Return | Deliver):
                self._send(effect)
            else:
                number = effect.message.content.body
                cause = last.get(number)
                if cause is None:
                    cause = self._why(effect) if by_itself else begun
                last[number] = self._record(effect, cause)

    def unsubscribed(self, queue: str, consumer: str, reason: str) -> None:
        """Record that a queue has lost a consumer."""
        sim = self._sim
        sim.record(UNSUBSCRIBED, None, sim.value(queue), sim.index_of(consumer), sim.value(reason))

    def _why(self, effect: Fact) -> int:
        return -1 if isinstance(effect, Routed) else self._stood.get((effect.queue, getattr(effect, "place", 0)), -1)

    def _record_layout(self, effect: QueueMade | BindingMade | QueueGone, cause: int) -> None:
        sim, value = self._sim, self._sim.value
        if isinstance(effect, QueueMade):
            sim.record(DECLARED, None, value(effect.queue), cause=cause)
        elif isinstance(effect, BindingMade):
            sim.record(BOUND, None, value(effect.exchange), value(effect.to), value(effect.routing_key), cause)
        else:
            sim.record(DISMANTLED, None, value(effect.queue), value(effect.reason), cause=cause)

    def _record(self, effect: Fact, cause: int) -> int:
        sim = self._sim
        record, value = sim.message_of(effect.message.content.body), sim.value
        if isinstance(effect, Routed):
            step = sim.record(ROUTED, record, value(effect.message.exchange), len(effect.queues), cause=cause)
            # The answers belong to the routing, not to what consumers get of it.
            for answer in [each for each in self._untold if isinstance(each, Confirm | Return)]:
                self._untold.remove(answer)
                self._send(answer)
            return step
        if isinstance(effect, DeadLettered):
            return sim.record(ROUTED, record, value(effect.exchange), len(effect.queues), cause=cause)
        queue, place = value(effect.queue), effect.place
        if isinstance(effect, HandedOut):
            if effect.no_ack:
                self._untold.appendleft(Dequeued(effect.queue, place, "auto ack", effect.message))
            # A channel that was opened before a crash is nobody's any more.
            to = self.clients.get(effect.channel, sim.name)
            return sim.record(DISPATCHED, record, queue, place, sim.index_of(to), cause=cause)
        if isinstance(effect, Dequeued):
            self._stood.pop((effect.queue, place), None)
            return sim.record(SETTLED, record, queue, place, value(effect.reason), cause=cause)
        if isinstance(effect, Requeued):
            step = sim.record(REQUEUED, record, queue, place, effect.was, cause=cause)
        else:
            step = sim.record(READIED, record, queue, place, cause=cause)
        self._stood[effect.queue, place] = step
        return step

    def _send(self, effect: Confirm | Return | Deliver) -> None:
        sim = self._sim
        if self.to_nobody:
            return
        to = self.clients[effect.channel]
        if isinstance(effect, Confirm):
            assert self.publishing is not None, "only what a client publishes is confirmed"
            message = self.publishing
            kind, why = (REPLY, None) if effect.ack else (REFUSAL, "basic.nack: a queue refused it")
            sim.send(to, sim.envelope(kind, message.key, why, (), message.id))
            return
        content = effect.message.content
        record = sim.message_of(content.body)
        if isinstance(effect, Return):
            sim.send(to, sim.envelope(RETURN, record.key, "NO_ROUTE", (), record.id))
        elif to in self.tokens:
            extra = added(content.headers)
            payload = Delivery(
                self.tokens[to], effect.delivery_tag, record.id, effect.redelivered, effect.message.routing_key, extra
            )
            # Only what the broker has added can be changed behind the message's back.
            make = sim.envelope if extra is None else sim.message
            sim.send(to, make(DELIVER, record.key, payload, (), 0, record.size))
