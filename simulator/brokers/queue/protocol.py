"""What clients and the broker's node say to each other: the kinds of message, and what each carries.

A client that consumes opens a connection by ``consume``; the id of that message is the connection's *token*, and all that is
said on the connection names it, so that nothing speaks for a later one. As on TCP, what is said on a connection is heard in the
order in which it was said, each thing once: both ends count what they say (a delivery's number is its tag), and a connection on
which something stays missing is broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

CONSUME, ACK, NACK, HEARTBEAT, CLOSE, PUBLISH = "consume", "basic_ack", "basic_nack", "heartbeat", "close", "publish"

PROTOCOL = (CONSUME, ACK, NACK, HEARTBEAT, CLOSE, PUBLISH)
"""The kinds of message that the broker takes as a request; everything else is a record that is published."""

REPLY, REFUSAL, RETURN, DELIVER, CLOSED = "reply", "refusal", "return", "deliver", "closed"

Request: TypeAlias = tuple[str, Mapping[str, Any]]
"""An operation of a channel, and its arguments."""


class Consume(NamedTuple):
    """``consume``: what a connection is opened for."""

    declared: tuple[Request, ...]
    """What it declares before it consumes."""
    queues: tuple[str, ...]
    prefetch_count: int
    global_qos: bool
    auto_ack: bool
    exclusive: bool
    heartbeat: float
    """Milliseconds of silence after which each end takes the other for gone; 0: never."""


class Said(NamedTuple):
    """``basic_ack``, ``basic_nack``, ``heartbeat``, ``close``: what a client says on its connection."""

    token: int
    number: int
    """Counts what the client says on this connection, from 1."""
    delivery_tag: int = 0
    multiple: bool = False
    requeue: bool = False


class Delivery(NamedTuple):
    """``deliver``: a message on its way to a consumer."""

    token: int
    delivery_tag: int
    record: int
    """The id of the message that was once published."""
    redelivered: bool
    routing_key: str
    headers: Mapping[str, Any] | None
    """What the broker has added to the message's headers since (``x-death``, ``x-delivery-count``); None for nothing."""


class Alive(NamedTuple):
    """``heartbeat``, from the broker: how far its deliveries on this connection have got."""

    token: int
    delivery_tag: int


class Publishing(NamedTuple):
    """``publish``: a message that was published before is published again, by somebody else."""

    record: int
    exchange: str
    routing_key: str
    headers: Mapping[str, Any] | None
    """What brokers have added to its headers so far."""


T = TypeVar("T")


class InOrder(Generic[T]):
    """What arrives on one way of a connection, in the order of its numbers, each once."""

    def __init__(self) -> None:
        self._next = 1
        self._said = 0
        self._early: dict[int, T] = {}

    def is_copy(self, number: int) -> bool:
        """Whether this one came before."""
        return number < self._next or number in self._early

    def take(self, number: int, item: T) -> list[T]:
        """What can be had now that this has come: it and what waited for it, or nothing yet."""
        self._early[number] = item
        self.told(number)
        ready = []
        while self._next in self._early:
            ready.append(self._early.pop(self._next))
            self._next += 1
        return ready

    def told(self, number: int) -> None:
        """So much is known to have been said."""
        self._said = max(self._said, number)

    @property
    def waiting(self) -> tuple[T, ...]:
        """What has come and waits for something earlier."""
        return tuple(self._early[number] for number in sorted(self._early))

    @property
    def missing(self) -> int:
        """The first number that was said and has not come; 0 if there is none."""
        return self._next if self._said >= self._next else 0
