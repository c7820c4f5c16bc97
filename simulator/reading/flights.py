"""What was under way between nodes: every copy of every message, from its sending to its end."""

from __future__ import annotations

from typing import NamedTuple

from simulator.brokers.log.protocol import copied
from simulator.message import Message
from simulator.reading.wire import batch
from simulator.trace import Trace
from simulator.vocabulary import DUPLICATED, LOST, SENT


class Flight(NamedTuple):
    """One copy of a message on its way, from the step that sent it to the step that ended it."""

    message: int
    copy: int
    source: str
    target: str
    sent: int
    """The index of the ``sent`` step."""
    end: int | None
    """The index of its ``delivered`` or ``lost`` step; None if it was still under way when the run ended."""
    left: float
    """Milliseconds."""
    arrived: float | None
    """When it arrived or was lost; None where it was still under way."""
    lost: str
    """Why it was lost; empty if it was not."""


_RECORDS = {
    # Connection, delivery tag, record, redelivered.
    "deliver": slice(2, 3),
    # Record, where to, headers.
    "publish": slice(0, 1),
    # Partition, offset, record, and again.
    "records": slice(2, None, 3),
    # Record, receipt handle, count, and again.
    "messages": slice(0, None, 3),
    "send_message_batch": slice(None),
    # Queue, number, record, and what else the next queue must know of it.
    "letter": slice(2, 3),
}
"""Where in the payload of each kind of message the records stand."""


def carried(message: Message) -> tuple[int, ...]:
    """The ids of the records that a message brings along: to a consumer or another queue, or in a cluster to a partition's leader
    or followers. None for a message that is a record itself, or part of a protocol.
    """
    payload = message.payload
    if not isinstance(payload, tuple):
        return ()
    if message.kind == "replicate" and message.in_reply_to:
        return copied(payload)
    if message.kind in _RECORDS:
        # A cluster's brokers also answer with errors and with nothing but a place: what is below 1 is no record.
        return tuple(number for number in payload[_RECORDS[message.kind]] if isinstance(number, int) and number > 0)
    asked = batch(message)
    return asked.records if asked is not None else ()


def flights(trace: Trace) -> list[Flight]:
    """Every copy of every message that was ever under way, in the order in which they were sent."""
    found: list[Flight] = []
    open_by_send: dict[int, list[int]] = {}
    for index, time, code, node, message, cause, a, b, c in trace.rows("sent", "duplicated", "delivered", "lost"):
        if code == SENT:
            open_by_send[index] = [len(found)]
            found.append(Flight(message, 0, trace.nodes[node], trace.nodes[a], index, None, time, None, ""))
        elif code == DUPLICATED:
            for copy in range(1, b):
                open_by_send[cause].append(len(found))
                found.append(found[open_by_send[cause][0]]._replace(copy=copy))
        elif open_by_send.get(cause):
            copy, reason = (c, str(trace.values[b])) if code == LOST else (b, "")
            places = open_by_send[cause]
            place = next((each for each in places if found[each].copy == copy), places[0])
            places.remove(place)
            found[place] = found[place]._replace(end=index, arrived=time, lost=reason)
    return found
