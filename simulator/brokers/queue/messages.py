"""What a broker like RabbitMQ keeps of a message, and what it tells about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from attrs import evolve, field, frozen

from simulator.message import Message

TRANSIENT, PERSISTENT = 1, 2
"""The two delivery modes."""

HEADER, HEADER_AS_JSON = "header ", "header as JSON "
"""Before the name of an application's own header, among the headers of a message; the others are the broker's. The second is for
what is no text: to a headers exchange a number is not the text of its digits."""

_NONE: Mapping[str, Any] = MappingProxyType({})


class Address(NamedTuple):
    """Where a publisher's message is to go, and the application's own headers."""

    exchange: str
    routing_key: str
    headers: Mapping[str, Any]


def address(message: Message) -> Address:
    """What a message says of its way. Without a word about it, it goes to the default exchange under its own key."""
    said = dict(message.headers)
    own = {
        name.removeprefix(HEADER_AS_JSON).removeprefix(HEADER): json.loads(value)
        if name.startswith(HEADER_AS_JSON)
        else value
        for name, value in said.items()
        if name.startswith((HEADER, HEADER_AS_JSON))
    }
    return Address(said.get("exchange", ""), said.get("routing_key", message.key or ""), own)


def header(name: str, value: Any) -> tuple[str, str]:
    """An application's own header, as a message has it. ``value``: a text, a number, or true or false."""
    return (f"{HEADER}{name}", value) if isinstance(value, str) else (f"{HEADER_AS_JSON}{name}", json.dumps(value))


@frozen
class Content:
    """What a publisher hands over: a body, which the broker never looks at, and the properties that it does look at."""

    body: Any = None
    delivery_mode: int = field(default=TRANSIENT, kw_only=True)
    headers: Mapping[str, Any] = field(default=_NONE, kw_only=True)
    priority: int | None = field(default=None, kw_only=True)
    expiration: str | None = field(default=None, kw_only=True)
    """The message's own time to live in milliseconds, as a text: so AMQP has it."""
    size: int = field(default=0, kw_only=True)
    """Bytes of the body, which count towards ``x-max-length-bytes``."""


class Envelope(NamedTuple):
    """A content as it was published: to which exchange, under which routing key."""

    exchange: str
    routing_key: str
    content: Content


class Item:
    """A message in a queue."""

    __slots__ = ("delivered", "delivery_count", "envelope", "expiry", "number", "place")

    def __init__(self, number: int, place: int, envelope: Envelope, expiry: float | None) -> None:
        self.number = number
        """Counts from 1 in the order in which the queue took its messages."""
        self.place = place
        """Where it stands: ready messages are handed out in ascending order of their places."""
        self.envelope = envelope
        self.expiry = expiry
        """From when on it is expired, in ms; None: never."""
        self.delivered = False
        """Whether it was handed out before: the next delivery is marked as redelivered."""
        self.delivery_count = 0
        """How often it came back, as a quorum queue counts."""

    def as_delivered(self, *, counted: bool) -> Envelope:
        """The message as a client gets it, where it is ``counted`` with how often it came back before."""
        message = self.envelope
        if not counted:
            return message
        headers = {**message.content.headers, "x-delivery-count": self.delivery_count}
        return message._replace(content=evolve(message.content, headers=headers))


class DeclareOk(NamedTuple):
    """The answer to a queue's declaration."""

    queue: str
    message_count: int
    """Messages that are ready; not those that a consumer holds."""
    consumer_count: int


class GetOk(NamedTuple):
    """The answer to ``basic.get``."""

    delivery_tag: int
    redelivered: bool
    message: Envelope
    message_count: int
    """Messages that are still ready."""


class Deliver(NamedTuple):
    """To a consumer: ``basic.deliver``."""

    channel: int
    consumer_tag: str
    delivery_tag: int
    redelivered: bool
    queue: str
    message: Envelope


class Return(NamedTuple):
    """To a publisher: ``basic.return``, a mandatory message that no queue got."""

    channel: int
    message: Envelope


class Confirm(NamedTuple):
    """To a publisher: ``basic.ack`` or ``basic.nack`` for its publishing of this number, counted from 1 on its channel."""

    channel: int
    delivery_tag: int
    ack: bool


class Cancel(NamedTuple):
    """To a consumer: ``basic.cancel``, since its queue is gone."""

    channel: int
    consumer_tag: str
    queue: str


class Routed(NamedTuple):
    """A message came, and these queues are to get it."""

    queues: tuple[str, ...]
    message: Envelope


class Enqueued(NamedTuple):
    """A queue took a message."""

    queue: str
    place: int
    message: Envelope


class HandedOut(NamedTuple):
    """A queue gave a message to a channel: as a delivery, or as the answer to ``basic.get``. Without acknowledgement
    (``no_ack``) it is out of the queue; else the queue keeps it until it is settled."""

    queue: str
    place: int
    channel: int
    no_ack: bool
    message: Envelope


class Requeued(NamedTuple):
    """A message that a channel held is ready again, at this place; it was known by the other."""

    queue: str
    was: int
    place: int
    reason: str
    """``nack``, ``recover``, ``channel closed`` or ``broker restarted``."""
    message: Envelope


class Dequeued(NamedTuple):
    """A message left its queue for good."""

    queue: str
    place: int
    reason: str
    """``acked``, or for a message that was not: ``rejected``, ``expired``, ``maxlen``, ``delivery_limit``, ``purged``,
    ``queue deleted``, ``not persistent``."""
    message: Envelope


class DeadLettered(NamedTuple):
    """What left a queue unacknowledged goes to the dead-letter exchange; these queues get it."""

    queue: str
    reason: str
    exchange: str
    queues: tuple[str, ...]
    message: Envelope


class QueueMade(NamedTuple):
    """There is a queue now that was not there before."""

    queue: str


class BindingMade(NamedTuple):
    """There is a binding now that was not there before, to a queue or another exchange."""

    exchange: str
    to: str
    routing_key: str


class QueueGone(NamedTuple):
    """A queue is gone, with all that was in it and all that was bound to it."""

    queue: str
    reason: str
    """``deleted``, ``its last consumer left``, ``nobody used it``, ``its connection closed`` or ``broker restarted``."""


Effect: TypeAlias = (
    Deliver
    | Return
    | Confirm
    | Cancel
    | Routed
    | Enqueued
    | HandedOut
    | Requeued
    | Dequeued
    | DeadLettered
    | QueueMade
    | BindingMade
    | QueueGone
)
"""What came of an operation, in order: the first four go to clients, the others say what happened in the broker."""
