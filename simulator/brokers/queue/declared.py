"""What a broker is set up with, as data: exchanges, queues and bindings, under RabbitMQ's names and defaults.

``ExchangeDeclared("orders", exchange_type="topic")``, ``QueueDeclared("billing", max_length=100)``,
``Bound("orders", "billing", "order.*")``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from simulator.brokers.queue.broker import Broker
from simulator.brokers.queue.channel import Channel
from simulator.brokers.queue.protocol import Consume, Request
from simulator.values import Part

_ARGUMENTS = (
    "message_ttl", "expires", "max_length", "max_length_bytes", "overflow", "dead_letter_exchange", "dead_letter_routing_key",
    "max_priority", "single_active_consumer", "delivery_limit",
)  # fmt: skip


class Declared(Part):
    """Something that a broker is set up with."""

    def request(self) -> Request:
        """How a client asks for it: an operation of a channel, and its arguments."""
        raise NotImplementedError

    def declare(self, channel: Channel) -> None:
        """Declare it as a client would. Raises AmqpError for what a real broker refuses."""
        ask(channel, self.request())


def ask(channel: Channel, request: Request) -> None:
    """Do on a channel what a client asked for. Raises AmqpError."""
    operation, arguments = request
    getattr(channel, operation)(**arguments)


@frozen
class ExchangeDeclared(Declared):
    """An exchange of a `RabbitMQ` broker. Durable, as its definitions files have it."""

    name: str
    exchange_type: str = field(default="direct", kw_only=True)
    """"direct", "fanout", "topic" or "headers"."""
    durable: bool = field(default=True, kw_only=True)
    auto_delete: bool = field(default=False, kw_only=True)
    internal: bool = field(default=False, kw_only=True)
    alternate_exchange: str | None = field(default=None, kw_only=True)

    def request(self) -> Request:
        given = {} if self.alternate_exchange is None else {"alternate-exchange": self.alternate_exchange}
        return "exchange_declare", {
            "exchange": self.name,
            "exchange_type": self.exchange_type,
            "durable": self.durable,
            "auto_delete": self.auto_delete,
            "internal": self.internal,
            "arguments": given,
        }


@frozen
class QueueDeclared(Declared):
    """A queue of a `RabbitMQ` broker. A setting that is None is not named in the declaration: then it is the broker's default,
    which for every limit is none. Times in milliseconds, as there."""

    name: str
    queue_type: str = field(default="classic", kw_only=True)
    """"classic" or "quorum"."""
    durable: bool = field(default=True, kw_only=True)
    exclusive: bool = field(default=False, kw_only=True)
    """It is one connection's alone and goes with it. So it is for a `Subscriber` to declare, not for the broker to begin with."""
    auto_delete: bool = field(default=False, kw_only=True)
    message_ttl: int | None = field(default=None, kw_only=True)
    expires: int | None = field(default=None, kw_only=True)
    max_length: int | None = field(default=None, kw_only=True)
    max_length_bytes: int | None = field(default=None, kw_only=True)
    overflow: str | None = field(default=None, kw_only=True)
    """"drop-head" (the broker's default), "reject-publish" or "reject-publish-dlx"."""
    dead_letter_exchange: str | None = field(default=None, kw_only=True)
    """"" is the default exchange: its routing key is a queue's name."""
    dead_letter_routing_key: str | None = field(default=None, kw_only=True)
    max_priority: int | None = field(default=None, kw_only=True)
    single_active_consumer: bool | None = field(default=None, kw_only=True)
    delivery_limit: int | None = field(default=None, kw_only=True)

    def request(self) -> Request:
        values = ((name, getattr(self, name)) for name in _ARGUMENTS)
        given = {f"x-{name.replace('_', '-')}": value for name, value in values if value is not None}
        given["x-queue-type"] = self.queue_type
        return "queue_declare", {
            "queue": self.name,
            "durable": self.durable,
            "exclusive": self.exclusive,
            "auto_delete": self.auto_delete,
            "arguments": given,
        }


def _as_pairs(arguments: Mapping[str, Any] | tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    return tuple(arguments.items()) if isinstance(arguments, Mapping) else tuple((name, value) for name, value in arguments)


@frozen
class Bound(Declared):
    """A binding of a `RabbitMQ` broker: from an exchange to a queue, or to another exchange (``to_exchange``)."""

    exchange: str
    to: str
    routing_key: str = ""
    arguments: tuple[tuple[str, Any], ...] = field(default=(), converter=_as_pairs, kw_only=True)
    """For a headers exchange: ``{"x-match": "any", "region": "eu"}``."""
    to_exchange: bool = field(default=False, kw_only=True)

    def request(self) -> Request:
        ends = (
            {"destination": self.to, "source": self.exchange}
            if self.to_exchange
            else {"queue": self.to, "exchange": self.exchange}
        )
        operation = "exchange_bind" if self.to_exchange else "queue_bind"
        return operation, {**ends, "routing_key": self.routing_key, "arguments": dict(self.arguments)}


def as_queues(values: Any) -> tuple[QueueDeclared, ...]:
    """A plain name means a durable classic queue of that name."""
    given = (values,) if isinstance(values, str | QueueDeclared) else tuple(values)
    return tuple(QueueDeclared(each) if isinstance(each, str) else each for each in given)


def set_up(*declared: Iterable[Declared]) -> Broker:
    """A broker with all of this, declared in this order. Raises AmqpError for what a real one refuses."""
    broker = Broker()
    channel = broker.channel("set-up")
    for each in (each for parts in declared for each in parts):
        each.declare(channel)
    channel.close()
    broker.take_effects()
    return broker


def consume_on(channel: Channel, asked: Consume) -> tuple[int, ...]:
    """Consume on a channel as was asked; tells how many messages were ready in each queue before. Raises AmqpError."""
    ready = tuple(channel.queue_declare(queue, passive=True).message_count for queue in asked.queues)
    channel.basic_qos(asked.prefetch_count, global_qos=asked.global_qos)
    for queue in asked.queues:
        channel.basic_consume(queue, consumer_tag=queue, auto_ack=asked.auto_ack, exclusive=asked.exclusive)
    return ready
