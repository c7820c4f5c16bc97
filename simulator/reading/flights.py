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


def carried(message: Message) -> tuple[int, ...]:
    """The ids of the records that a message brings along: to a consumer, or in a cluster to a partition's leader or followers.

    None for a message that is a record itself, or part of a protocol.
    """
    payload = message.payload
    if not isinstance(payload, tuple):
        return ()
    if message.kind == "deliver":
        # Connection, delivery tag, record, redelivered.
        return payload[2:3]
    if message.kind == "records":
        # The payload is flat: partition, offset, record, and again. In a cluster a record below 1 is none.
        return tuple(record for record in payload[2::3] if record > 0)
    if message.kind == "replicate" and message.in_reply_to:
        return copied(payload)
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
