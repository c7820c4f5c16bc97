"""The node of a broker like RabbitMQ: takes what clients publish, gives consumers what is theirs, and acts when time is up.

Its messages: ``consume`` opens a consumer's connection, ``basic_ack`` and ``basic_nack`` name a delivery by its tag,
``heartbeat`` shows that a consumer is alive, ``close`` ends its connection; everything else is published, to the
exchange and with the routing key and properties that its headers name. It answers a publishing that wants to be confirmed by
``reply`` or ``refusal``, one that no queue gets by ``return``, hands out ``deliver``, and tells by ``closed`` that it knows a
connection no longer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from attrs import field, frozen

from simulator.brokers.queue.broker import Broker
from simulator.brokers.queue.channel import CHANNEL_CLOSED, Channel
from simulator.brokers.queue.declared import Bound, ExchangeDeclared, QueueDeclared, as_queues, set_up
from simulator.brokers.queue.errors import AmqpError
from simulator.brokers.queue.messages import (
    Cancel,
    Confirm,
    Content,
    DeadLettered,
    Deliver,
    Dequeued,
    Effect,
    Enqueued,
    HandedOut,
    Requeued,
    Return,
    Routed,
    address,
)  # fmt: skip
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.vocabulary import (
    DISPATCHED,
    IGNORED,
    READIED,
    REJECTED,
    REQUEUED,
    ROUTED,
    SETTLED,
    SUBSCRIBED,
    UNSUBSCRIBED,
)  # fmt: skip

if TYPE_CHECKING:
    from simulator.engine import Sim, Timer

CONSUME, ACK, NACK, HEARTBEAT, CLOSE = "consume", "basic_ack", "basic_nack", "heartbeat", "close"

PROTOCOL = (CONSUME, ACK, NACK, HEARTBEAT, CLOSE)
"""The kinds of message that the broker takes as a request; everything else is published."""

REPLY, REFUSAL, RETURN, DELIVER, CLOSED = "reply", "refusal", "return", "deliver", "closed"


Fact: TypeAlias = Routed | Enqueued | HandedOut | Requeued | Dequeued | DeadLettered
"""What happens inside the broker."""


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, list | tuple) else (values,)


@frozen
class RabbitMQ(Node):
    """A broker like RabbitMQ 3.10, one node. It decides as a real one does, see `simulator.brokers.queue.broker`.

    A crash takes the connections, transient queues and exchanges, and from a durable classic queue the messages that are not
    persistent. Simplified: a persistent message is on disk, and confirmed, as soon as it is in its queue; links stand for
    connections, but what a link loses is not sent again as TCP would.
    """

    role: ClassVar[str] = "broker"

    queues: tuple[QueueDeclared, ...] = field(default=(), converter=as_queues, kw_only=True)
    """`QueueDeclared`, or a name alone for a durable classic queue."""
    exchanges: tuple[ExchangeDeclared, ...] = field(default=(), converter=_as_tuple, kw_only=True)
    bindings: tuple[Bound, ...] = field(default=(), converter=_as_tuple, kw_only=True)

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        if "broker" not in sim.durable:
            sim.durable["broker"] = self.set_up()
        return _Front(sim, sim.durable["broker"]).take

    def set_up(self) -> Broker:
        """A broker with all that was declared. Raises AmqpError for what a real one refuses."""
        return set_up(self.exchanges, self.queues, self.bindings)

    def problems(self, scenario: Scenario) -> Iterator[str]:
        parts = (*self.exchanges, *self.queues, *self.bindings)
        strange = [each for each in parts if not isinstance(each, ExchangeDeclared | QueueDeclared | Bound)]
        if strange:
            yield f"{self}: {strange[0]!r} is no part of a broker; it has exchanges, queues and bindings, each in its own list."
            return
        try:
            self.set_up()
        except AmqpError as error:
            yield f"{self}: {error}"
        if not scenario.downstream(self.name) and not scenario.upstream(self.name):
            yield f"{self}: nothing is linked to it; add a Link from a publisher, or to a subscriber."


class _Connection:
    """A consumer's connection, as the broker knows it."""

    __slots__ = ("channel", "heartbeat", "seen", "timer", "token")

    def __init__(self, channel: Channel, token: int, heartbeat: float, seen: float) -> None:
        self.channel = channel
        self.token = token
        """The id of the message that opened it: a client names it in what it says, and so does not speak for a later one."""
        self.heartbeat = heartbeat
        self.seen = seen
        self.timer: Timer | None = None


class _Front:
    """One life of the broker's node, from its start to its crash."""

    def __init__(self, sim: Sim, broker: Broker) -> None:
        self._sim = sim
        self._broker = broker
        self._connections: dict[str, _Connection] = {}
        self._clients: dict[int, str] = {}
        """Who is at the other end of a channel."""
        self._publishers: dict[str, Channel] = {}
        self._publishing: Message | None = None
        self._alarm: Timer | None = None
        self._alarm_at = 0.0
        self._starting = True
        self._untold: deque[Effect] = sim.durable.setdefault("untold", deque())
        """What has happened and is not in the trace yet: a crash in the middle of the telling does not undo it."""
        self._stood: dict[tuple[str, int], int] = {}
        """The step by which each message came to stand where it stands: why it expires when it does."""
        answers = (self._consume, self._ack, self._nack, self._heartbeat, self._close)
        self._answers: dict[str, Callable[[Message, str], None]] = dict(zip(PROTOCOL, answers, strict=True))
        self._begin()

    def _begin(self) -> None:
        """Start on what was there before a crash, if there was one. Whoever was connected learns that he is no longer."""
        sim, broker = self._sim, self._broker
        broker.now = max(broker.now, sim.now)
        if "connected" in sim.durable:
            # What is not durable is lost in a crash, and there before one.
            broker.restart()
        before: dict[str, int] = sim.durable.setdefault("connected", {})
        sim.spawn(self._reset(before))
        self._tell()
        self._starting = False
        self._watch()

    def _reset(self, connected: dict[str, int]) -> Generator[Any, Any, None]:
        while connected:
            name, token = connected.popitem()
            self._sim.send(name, self._sim.envelope(CLOSED, None, token))
        yield from ()

    def take(self, message: Message, source: str) -> None:
        self._catch_up()
        answer = self._answers.get(message.kind)
        if answer is None:
            self._publish(message, source)
        else:
            answer(message, source)
        self._watch()

    # Time.

    def _watch(self) -> None:
        """Be called when the next thing happens by itself."""
        due = self._broker.next_deadline()
        if self._alarm is not None and (due is None or due != self._alarm_at):
            self._alarm.cancel()
            self._alarm = None
        if due is not None and self._alarm is None:
            self._alarm_at = due
            self._alarm = self._sim.call_later(max(0.0, due - self._sim.now), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._catch_up()
        self._watch()

    def _catch_up(self) -> None:
        due = self._broker.next_deadline()
        if due is not None and due <= self._sim.now:
            # A behaviour of its own, so that what follows from a message is not taken to follow from that.
            self._sim.spawn(self._act_by_itself())
        else:
            self._broker.advance(self._sim.now)

    def _act_by_itself(self) -> Generator[Any, Any, None]:
        self._broker.advance(self._sim.now)
        self._tell(by_itself=True)
        yield from ()

    # What clients ask.

    def _publish(self, message: Message, publisher: str) -> None:
        sim = self._sim
        channel = self._publishers.get(publisher)
        if channel is None or not channel.is_open:
            channel = self._publishers[publisher] = self._broker.channel(publisher)
            self._clients[channel.number] = publisher
        said = dict(message.headers)
        exchange, routing_key, headers = address(message)
        content = Content(
            message.id,
            delivery_mode=int(said.get("delivery_mode", "1")),
            headers=headers,
            priority=int(said["priority"]) if "priority" in said else None,
            expiration=said.get("expiration"),
            size=message.size,
        )
        if "acks" not in said:
            channel.confirm_select()
        self._publishing = message
        try:
            channel.basic_publish(exchange, routing_key, content, mandatory="mandatory" in said)
        except AmqpError as error:
            sim.record(REJECTED, message, sim.value(str(error)))
            sim.send(publisher, sim.envelope(REFUSAL, message.key, str(error), (), message.id))
        self._tell()
        self._publishing = None

    def _consume(self, request: Message, consumer: str) -> None:
        sim = self._sim
        queue, prefetch_count, auto_ack, exclusive, heartbeat = request.payload
        asked = sim.cause
        known = self._connections.get(consumer)
        if known is not None and known.token == request.id:
            # Sent again, since the answer was lost or late.
            sim.send(consumer, sim.envelope(REPLY, None, None, (), request.id))
            return
        if known is not None:
            self._end(consumer)
        channel = self._broker.channel(consumer)
        self._clients[channel.number] = consumer
        opened = self._connections[consumer] = _Connection(channel, request.id, heartbeat, sim.now)
        sim.durable["connected"][consumer] = request.id
        try:
            channel.basic_qos(prefetch_count)
            subscribed = sim.record(SUBSCRIBED, request, sim.value(queue), sim.index_of(consumer), prefetch_count, asked)
            channel.basic_consume(queue, consumer_tag=consumer, auto_ack=auto_ack, exclusive=exclusive)
        except AmqpError as error:
            self._unsubscribed(queue, consumer, error.name)
            sim.record(REJECTED, request, sim.value(str(error)))
            sim.send(consumer, sim.envelope(REFUSAL, None, str(error), (), request.id))
            del self._connections[consumer], sim.durable["connected"][consumer]
            return
        sim.send(consumer, sim.envelope(REPLY, None, None, (), request.id))
        self._tell(subscribed)
        if heartbeat:
            opened.timer = sim.call_later(heartbeat, self._listen, consumer, opened)

    def _ack(self, request: Message, consumer: str) -> None:
        token, tag, multiple = request.payload
        self._on_channel(request, consumer, token, lambda channel: channel.basic_ack(tag, multiple=multiple))

    def _nack(self, request: Message, consumer: str) -> None:
        token, tag, multiple, requeue = request.payload
        self._on_channel(
            request, consumer, token, lambda channel: channel.basic_nack(tag, multiple=multiple, requeue=requeue)
        )

    def _heartbeat(self, request: Message, consumer: str) -> None:
        self._on_channel(request, consumer, request.payload, lambda channel: None)

    def _close(self, request: Message, consumer: str) -> None:
        self._on_channel(request, consumer, request.payload, lambda channel: self._end(consumer))

    def _on_channel(self, request: Message, consumer: str, token: int, act: Callable[[Channel], None]) -> None:
        sim = self._sim
        connection = self._connections.get(consumer)
        if connection is None or connection.token != token:
            sim.record(IGNORED, request, sim.value("its connection is closed"))
            sim.send(consumer, sim.envelope(CLOSED, None, token))
            return
        connection.seen = sim.now
        try:
            act(connection.channel)
        except AmqpError as error:
            sim.record(REJECTED, request, sim.value(str(error)))
            self._forget(consumer, error.name)
            sim.send(consumer, sim.envelope(CLOSED, None, token))
        self._tell()

    # Connections.

    def _listen(self, consumer: str, connection: _Connection) -> None:
        """Close the connection of a consumer that has been silent for too long."""
        if self._connections.get(consumer) is not connection:
            return
        left = connection.seen + connection.heartbeat - self._sim.now
        if left > 0:
            connection.timer = self._sim.call_later(left, self._listen, consumer, connection)
        else:
            self._catch_up()
            self._end(consumer)
            self._watch()

    def _end(self, consumer: str) -> None:
        """Close a consumer's connection: what it held is ready again."""
        connection = self._forget(consumer, CHANNEL_CLOSED)
        connection.channel.close()
        self._tell()

    def _forget(self, consumer: str, reason: str) -> _Connection:
        connection = self._connections.pop(consumer)
        del self._sim.durable["connected"][consumer]
        if connection.timer is not None:
            connection.timer.cancel()
        for subscription in connection.channel.consumers.values():
            self._unsubscribed(subscription.queue, consumer, reason)
        return connection

    def _unsubscribed(self, queue: str, consumer: str, reason: str) -> None:
        sim = self._sim
        sim.record(UNSUBSCRIBED, None, sim.value(queue), sim.index_of(consumer), sim.value(reason))

    # What comes of it.

    def _tell(self, begun: int | None = None, *, by_itself: bool = False) -> None:
        """Record what happened in the broker and send what clients are to know; ``begun`` is the step that it follows from, if
        that is not the last one."""
        untold = self._untold
        begun = self._sim.cause if begun is None else begun
        untold.extend(self._broker.take_effects())
        last: dict[int, int] = {}
        while untold:
            effect = untold.popleft()
            if isinstance(effect, Cancel):
                self._unsubscribed(effect.queue, self._clients[effect.channel], "queue deleted")
            elif isinstance(effect, Confirm | Return | Deliver):
                self._send(effect)
            else:
                number = effect.message.content.body
                cause = last.get(number)
                if cause is None:
                    cause = self._why(effect) if by_itself else begun
                last[number] = self._record(effect, cause)

    def _why(self, effect: Fact) -> int:
        return -1 if isinstance(effect, Routed) else self._stood.get((effect.queue, getattr(effect, "place", 0)), -1)

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
            to = self._clients.get(effect.channel, sim.name)
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
        if self._starting:
            # Who was to get it is gone, as all connections are.
            return
        to = self._clients[effect.channel]
        if isinstance(effect, Confirm):
            assert self._publishing is not None
            message = self._publishing
            kind, why = (REPLY, None) if effect.ack else (REFUSAL, "basic.nack: a queue refused it")
            sim.send(to, sim.envelope(kind, message.key, why, (), message.id))
            return
        record = sim.message_of(effect.message.content.body)
        if isinstance(effect, Return):
            sim.send(to, sim.envelope(RETURN, record.key, "NO_ROUTE", (), record.id))
        elif to in self._connections:
            payload = (self._connections[to].token, effect.delivery_tag, record.id, int(effect.redelivered))
            sim.send(to, sim.envelope(DELIVER, record.key, payload, (), 0, record.size))
