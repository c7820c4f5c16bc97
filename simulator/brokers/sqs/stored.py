"""A message as a queue keeps it, and the small values that go in and out of a queue."""

from __future__ import annotations

from typing import NamedTuple

DELAYED, AVAILABLE, IN_FLIGHT = "delayed", "available", "in flight"
"""The three states of a stored message. Only an available one can be received; one is in flight when it was received, and
neither deleted nor visible again."""


class Stored:
    """One message in a queue."""

    __slots__ = (
        "body", "changed", "first_received_at", "group", "handle", "handles", "number", "origin",
        "receive_count", "received_at", "received_here", "record", "sent_at", "servers", "size", "state", "stray",
        "visible_at",
    )  # fmt: skip

    def __init__(self, number: int, record: int, body: str, size: int, sent_at: float) -> None:
        self.number = number
        """Its message id: it counts the messages of this queue, from 1."""
        self.record = record
        """The number by which whoever sent it knows it."""
        self.body = body
        self.size = size
        self.sent_at = sent_at
        """Retention counts from here."""
        self.group = ""
        self.origin = ""
        """The queue that it was moved here from."""
        self.state = AVAILABLE
        self.visible_at = sent_at
        """When it becomes, or became, visible."""
        self.received_at = 0.0
        """When it was last received; the twelve hours count from here."""
        self.first_received_at: float | None = None
        self.receive_count = 0
        """How often it was received, in whatever queues (``ApproximateReceiveCount``)."""
        self.received_here = 0
        """How often it was received from this queue: what a redrive policy counts."""
        self.handle = 0
        """The receipt handle of its last receive."""
        self.handles: list[int] = []
        self.changed = False
        """Whether its visibility was changed since its last receive."""
        self.servers: tuple[int, ...] = ()
        """Where its copies are (standard queues)."""
        self.stray: tuple[int, ...] = ()
        """The servers that missed its last receive, and would hand it out again."""


class Sent(NamedTuple):
    """What ``SendMessage`` answers."""

    message_id: int
    sequence_number: str | None = None
    """FIFO only: 20 digits, larger than that of any message before it; not consecutive."""
    duplicate: bool = False
    """FIFO only: accepted, but recognised as one that came before, and so not stored again. (AWS does not tell.)"""


class Received(NamedTuple):
    """One message of what ``ReceiveMessage`` answers; times in milliseconds."""

    message_id: int
    record: int
    body: str
    receipt_handle: int
    approximate_receive_count: int
    sent_timestamp: float
    approximate_first_receive_timestamp: float
    visible_at: float
    """When it will be visible again, if nobody deletes it or changes that. (AWS does not tell.)"""
    message_group_id: str | None = None
    sequence_number: str | None = None


class Letter(NamedTuple):
    """A message on its way from one queue to another: to a dead-letter queue, or back from it."""

    origin: str
    number: int
    """Its message id there."""
    record: int
    body: str
    size: int
    sent_at: float
    receive_count: int
    group: str
    source: str
    """For a message that leaves a dead-letter queue: the queue that it once came from, or that it is to go to."""
    redriven: bool = False
    """Moved by a message move task: it arrives as a new message."""


class Change(NamedTuple):
    """Something that happened to a message by the passing of time."""

    stored: Stored
    what: str
    """``"delay over"``, ``"visibility timeout over"`` or ``"retention period over"``."""


def sequence_number(number: int) -> str:
    """A message's sequence number: 20 digits that grow, with gaps."""
    return f"{number * 256:020d}"


def told(stored: Stored, *, fifo: bool) -> Received:
    """A message as whoever received it is told of it."""
    return Received(
        message_id=stored.number,
        record=stored.record,
        body=stored.body,
        receipt_handle=stored.handle,
        approximate_receive_count=stored.receive_count,
        sent_timestamp=stored.sent_at,
        approximate_first_receive_timestamp=stored.first_received_at or 0.0,
        visible_at=stored.visible_at,
        message_group_id=stored.group if fifo else None,
        sequence_number=sequence_number(stored.number) if fifo else None,
    )


def letter_of(stored: Stored, queue: str, *, redriven: bool) -> Letter:
    """A message as it leaves a queue for another one."""
    return Letter(
        queue, stored.number, stored.record, stored.body, stored.size, stored.sent_at,
        stored.receive_count, stored.group, stored.origin, redriven,
    )  # fmt: skip
