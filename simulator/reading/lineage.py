"""Where messages come from: the birth of each record or request, and the client's message that it all goes back to."""

from __future__ import annotations

import json
from typing import NamedTuple

from simulator.message import thaw
from simulator.reading.memo import remembered
from simulator.trace import STEP, Trace
from simulator.vocabulary import CREATED

_MESSAGE, _CAUSE = 1, 2


class Birth(NamedTuple):
    """When and where a record or request came into being."""

    step: int
    """The index of the step."""
    time: float
    """Milliseconds."""
    node: int
    """A place in ``trace.nodes``."""


@remembered
def births(trace: Trace) -> dict[int, Birth]:
    """The birth of each record and request by its message id, in order of time: its first ``created`` or ``published`` step.

    Messages of a protocol (acks, fetches, commits, replies) have none.
    """
    found: dict[int, Birth] = {}
    for index, time, _, node, message, _, _, _, _ in trace.rows("created", "published"):
        if message and message not in found:
            found[message] = Birth(index, time, node)
    return found


@remembered
def origins(trace: Trace) -> dict[int, int]:
    """For each born message, the message of a client that it goes back to (its own id if it is one).

    A service that works on a message and then makes another one carries on what the first began. Follow that back and
    the request of a caller, the event that a service published because of it, and what a consumer of that event made in
    turn all have one origin: the operation, as the client sees it.
    """
    born = births(trace)
    clients = {place for place, node in enumerate(trace.scenario.nodes) if node.role == "producer"}
    steps, _ = trace.buffers
    found: dict[int, int] = {}
    for message, birth in born.items():
        if birth.node in clients:
            found[message] = message
            continue
        parent, cause = message, STEP.unpack_from(steps, birth.step * STEP.size)[_CAUSE]
        while cause >= 0 and parent in (0, message):
            step = STEP.unpack_from(steps, cause * STEP.size)
            parent, cause = step[_MESSAGE], step[_CAUSE]
        found[message] = _origin(trace, parent or message, message, found)
    return found


def _origin(trace: Trace, parent: int, otherwise: int, found: dict[int, int]) -> int:
    """A protocol message stands for what it answers."""
    while parent and parent not in found:
        parent = trace.message(parent).in_reply_to
    return found.get(parent, otherwise)


class Piece(NamedTuple):
    """Which part of which operation a message carries: two messages with the same piece ask for the same thing."""

    origin: int
    kind: int
    """A place in ``trace.values``, as the next one."""
    key: int
    payload: str
    """As JSON."""


@remembered
def pieces(trace: Trace) -> dict[int, Piece]:
    """The piece of each born message. A service may be asked for two things by one operation: these are two pieces."""
    origin = origins(trace)
    found: dict[int, Piece] = {}
    for number, (kind, key, _, _) in enumerate(trace.message_rows(), start=1):
        if number in origin:
            payload = trace.message(number).payload if origin[number] != number else None
            said = "" if payload is None else json.dumps(thaw(payload), sort_keys=True)
            found[number] = Piece(origin[number], kind, key, said)
    return found


def is_birth_of_a_client(trace: Trace, kind: int, node: int) -> bool:
    """Whether a step of this kind at this node is where a chain of causes begins: a client acts of its own accord."""
    return kind == CREATED and trace.scenario.nodes[node].role == "producer"


def label(trace: Trace, message: int, shared: frozenset[str] | set[str] = frozenset()) -> str:
    """What a person calls a message: its key, with its number where several messages share that key."""
    told = trace.message(message)
    if told.key is None:
        return f"{told.kind} {message}"
    return f"{told.key} (message {message})" if told.key in shared else told.key


@remembered
def shared_keys(trace: Trace) -> set[str]:
    """The keys that more than one operation of a client uses, so that the key alone does not say which is meant."""
    clients = {place for place, node in enumerate(trace.scenario.nodes) if node.role == "producer"}
    born = births(trace)
    once: set[int] = set()
    twice: set[int] = set()
    for message, (_, key, _, _) in enumerate(trace.message_rows(), start=1):
        birth = born.get(message)
        if birth is not None and key and (not clients or birth.node in clients):
            (twice if key in once else once).add(key)
    return {str(trace.values[key]) for key in twice}
