"""One life of the broker's node: what clients ask of it, their connections, and what happens with time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from simulator.brokers.queue.broker import Broker
from simulator.brokers.queue.channel import CHANNEL_CLOSED, Channel
from simulator.brokers.queue.declared import ask, consume_on
from simulator.brokers.queue.errors import AmqpError
from simulator.brokers.queue.messages import Content, address
from simulator.brokers.queue.protocol import (
    ACK,
    CLOSE,
    CLOSED,
    CONSUME,
    HEARTBEAT,
    NACK,
    PUBLISH,
    REFUSAL,
    REPLY,
    Alive,
    Consume,
    InOrder,
    Publishing,
    Said,
)  # fmt: skip
from simulator.brokers.queue.telling import Telling
from simulator.message import Message
from simulator.vocabulary import IGNORED, REJECTED, SUBSCRIBED

if TYPE_CHECKING:
    from simulator.engine import Sim, Timer

_BROKEN_AFTER = 1_000.0
"""Milliseconds after which a connection is broken on which something that a client said stays missing. (TCP would send it again,
and give up only after minutes.)"""


class _Connection:
    """A consumer's connection, as the broker knows it."""

    __slots__ = ("channel", "heard", "heartbeat", "queues", "ready", "seen", "timer", "token", "watched")

    def __init__(self, channel: Channel, token: int, asked: Consume, ready: tuple[int, ...], seen: float) -> None:
        self.channel = channel
        self.token = token
        self.queues = asked.queues
        self.ready = ready
        """How many messages were ready in each queue when it was opened."""
        self.heartbeat = asked.heartbeat
        self.seen = seen
        self.timer: Timer | None = None
        self.heard: InOrder[tuple[Message, int]] = InOrder()
        """What the client said, each with the step by which it arrived."""
        self.watched = False
        """Whether somebody looks after what is missing."""


class Front:
    """One life of the broker's node, from its start to its crash."""

    def __init__(self, sim: Sim, broker: Broker) -> None:
        self._sim = sim
        self._broker = broker
        self._telling = Telling(sim, broker)
        self._connections: dict[str, _Connection] = {}
        self._publishers: dict[str, Channel] = {}
        self._alarm: Timer | None = None
        self._alarm_at = 0.0
        self._answers: dict[str, Callable[[Message, str], None]] = {
            CONSUME: self._consume,
            **dict.fromkeys((ACK, NACK, HEARTBEAT, CLOSE), self._hear),
        }
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
        self._telling.to_nobody = True
        self._telling.tell()
        self._telling.to_nobody = False
        self._watch()

    def _reset(self, connected: dict[str, int]) -> Generator[Any, Any, None]:
        while connected:
            name, token = connected.popitem()
            self._sim.send(name, self._sim.envelope(CLOSED, None, token))
        yield from ()

    def take(self, message: Message, source: str) -> None:
        """A message has come."""
        self._catch_up()
        self._answers.get(message.kind, self._publish)(message, source)
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
        self._telling.tell(by_itself=True)
        yield from ()

    # What publishers ask.

    def _publish(self, message: Message, publisher: str) -> None:
        sim, telling = self._sim, self._telling
        channel = self._publishers.get(publisher)
        if channel is None or not channel.is_open:
            # A connection of its own: what ends the one on which a client consumes does not end this one.
            channel = self._publishers[publisher] = self._broker.channel(f"{publisher}, publishing")
            telling.clients[channel.number] = publisher
        exchange, routing_key, content = self._addressed(message)
        said = {name for name, _ in message.headers}
        if "acks" not in said:
            channel.confirm_select()
        telling.publishing = message
        try:
            channel.basic_publish(exchange, routing_key, content, mandatory="mandatory" in said)
        except AmqpError as error:
            sim.record(REJECTED, message, sim.value(str(error)))
            sim.send(publisher, sim.envelope(REFUSAL, message.key, str(error), (), message.id))
        telling.tell()
        telling.publishing = None

    def _addressed(self, message: Message) -> tuple[str, str, Content]:
        """Where a message goes, and what the broker has to know of it."""
        if message.kind != PUBLISH:
            goes = address(message)
            return goes.exchange, goes.routing_key, _content(message, goes.headers)
        again = Publishing(*message.payload)
        record = self._sim.message_of(again.record)
        return again.exchange, again.routing_key, _content(record, {**address(record).headers, **(again.headers or {})})

    # What consumers ask.

    def _consume(self, request: Message, consumer: str) -> None:
        sim, telling, begun = self._sim, self._telling, self._sim.cause
        known = self._connections.get(consumer)
        if known is not None and known.token > request.id:
            sim.record(IGNORED, request, sim.value("a later connection is open"))
            return
        if known is not None and known.token == request.id:
            # Sent again, since the answer was lost or late.
            sim.send(consumer, sim.envelope(REPLY, None, known.ready, (), request.id))
            return
        if known is not None:
            self._end(consumer)
        asked = Consume(*request.payload)
        channel = self._broker.channel(consumer)
        telling.clients[channel.number] = consumer
        try:
            for each in asked.declared:
                ask(channel, each)
            telling.tell(begun)
            ready = consume_on(channel, asked)
        except AmqpError as error:
            self._broker.close_connection(consumer)
            telling.tell(begun)
            sim.record(REJECTED, request, sim.value(str(error)))
            sim.send(consumer, sim.envelope(REFUSAL, None, str(error), (), request.id))
            return
        opened = self._connections[consumer] = _Connection(channel, request.id, asked, ready, sim.now)
        sim.durable["connected"][consumer] = telling.tokens[consumer] = request.id
        for queue in asked.queues:
            begun = sim.record(SUBSCRIBED, request, sim.value(queue), sim.index_of(consumer), asked.prefetch_count, begun)
        sim.send(consumer, sim.envelope(REPLY, None, ready, (), request.id))
        telling.tell(begun)
        if asked.heartbeat:
            opened.timer = sim.call_later(asked.heartbeat, self._listen, consumer, opened)

    def _hear(self, message: Message, consumer: str) -> None:
        """Do what a client says on its connection, in the order in which it said it."""
        sim, said = self._sim, Said(*message.payload)
        connection = self._connections.get(consumer)
        if connection is None or connection.token != said.token:
            sim.record(IGNORED, message, sim.value("its connection is closed"))
            sim.send(consumer, sim.envelope(CLOSED, None, said.token))
            return
        connection.seen = sim.now
        if connection.heard.is_copy(said.number):
            sim.record(IGNORED, message, sim.value("a copy"))
            return
        arrived = sim.cause
        if message.kind == HEARTBEAT:
            sim.send(consumer, sim.envelope(HEARTBEAT, None, Alive(said.token, connection.channel.delivery_tag)))
        for earlier, since in connection.heard.take(said.number, (message, arrived)):
            if self._connections.get(consumer) is connection:
                self._do(earlier, since, consumer, connection)
        self._look_after(consumer, connection)

    def _do(self, message: Message, since: int, consumer: str, connection: _Connection) -> None:
        sim, said = self._sim, Said(*message.payload)
        try:
            if message.kind == ACK:
                connection.channel.basic_ack(said.delivery_tag, multiple=said.multiple)
            elif message.kind == NACK:
                connection.channel.basic_nack(said.delivery_tag, multiple=said.multiple, requeue=said.requeue)
            elif message.kind == CLOSE:
                self._end(consumer, since)
        except AmqpError as error:
            sim.record(REJECTED, message, sim.value(str(error)), cause=since)
            self._end(consumer, reason=error.name)
            sim.send(consumer, sim.envelope(CLOSED, None, said.token))
        self._telling.tell(since)

    # Connections.

    def _look_after(self, consumer: str, connection: _Connection, known: int = 0) -> None:
        """Break a connection on which something stays missing; ``known``: it has been missing for long enough."""
        if self._connections.get(consumer) is not connection:
            return
        missing = connection.heard.missing
        if known and missing == known:
            self._catch_up()
            self._end(consumer, reason="something that it said got lost")
            self._sim.send(consumer, self._sim.envelope(CLOSED, None, connection.token))
            self._watch()
            return
        if known:
            connection.watched = False
        if missing and not connection.watched:
            connection.watched = True
            self._sim.call_later(_BROKEN_AFTER, self._look_after, consumer, connection, missing)

    def _listen(self, consumer: str, connection: _Connection) -> None:
        """Close the connection of a consumer that has been silent for too long."""
        if self._connections.get(consumer) is not connection:
            return
        left = connection.seen + connection.heartbeat - self._sim.now
        if left > 0:
            connection.timer = self._sim.call_later(left, self._listen, consumer, connection)
        else:
            self._catch_up()
            self._end(consumer, reason="it was silent for too long")
            self._watch()

    def _end(self, consumer: str, begun: int | None = None, reason: str = CHANNEL_CLOSED) -> None:
        """Close a consumer's connection: what it held is ready again."""
        connection = self._connections.pop(consumer)
        del self._sim.durable["connected"][consumer], self._telling.tokens[consumer]
        if connection.timer is not None:
            connection.timer.cancel()
        for queue in connection.queues:
            self._telling.unsubscribed(queue, consumer, reason)
        self._broker.close_connection(consumer)
        self._telling.tell(begun)


def _content(record: Message, headers: Mapping[str, Any]) -> Content:
    """What the broker has to know of a message with these headers."""
    said = dict(record.headers)
    return Content(
        record.id,
        delivery_mode=int(said.get("delivery_mode", "1")),
        headers=headers,
        priority=int(said["priority"]) if "priority" in said else None,
        # A dead letter has lost its expiration, so that it does not expire again.
        expiration=None if "x-death" in headers else said.get("expiration"),
        size=record.size,
    )
