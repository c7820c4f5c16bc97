"""What happened more often than it should, or in another order than it should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from simulator.message import Message
from simulator.reading.fates import Of
from simulator.reading.lineage import births, pieces
from simulator.reading.memo import remembered
from simulator.reading.parties import is_topic, members, names_topic_in_cluster
from simulator.reading.replicas import stored
from simulator.trace import Step, Trace


@frozen
class Duplicate:
    """One message (or one operation) that took effect more than once."""

    message: Message
    """The one that took effect first."""
    name: str
    steps: tuple[Step, ...]
    """Each time it took effect."""

    @property
    def times(self) -> int:
        """How often it took effect."""
        return len(self.steps)


@frozen
class Reordering:
    """A message that took effect after one of the same key and the same client that was made later."""

    key: str
    name: str
    earlier: Message
    """Made first, but done second."""
    later: Message
    steps: tuple[Step, Step]
    """The later one's effect, then the earlier one's."""


@remembered
def effects(trace: Trace, name: str) -> list[tuple[int, int]]:
    """(step index, message id) of each effect at a node or group: what was processed there, or for a topic, appended.

    In a cluster's topic, what was cut off again or whose transaction was not committed has no effect.
    """
    if names_topic_in_cluster(trace, name):
        return [(place.step, place.record) for place in stored(trace, name)]
    places = members(trace, name)
    kind = "appended" if is_topic(trace, name) else "processed"
    return [(row[0], row[4]) for row in trace.rows(kind) if row[3] in places]


def duplicates(trace: Trace, name: str, *, of: Of = "message") -> list[Duplicate]:
    """What took effect more than once at a node or in a group (at a topic: is in the log more than once), by first effect.

    A retry sends the same message again, so two messages that say the same are no duplicate. With ``of="operation"`` they
    are one if a client's one operation led to both: a service that is asked twice asks the next one in new messages.
    """
    piece: Mapping[int, Any] = pieces(trace) if of == "operation" else {}
    found: dict[Any, list[int]] = {}
    first: dict[Any, int] = {}
    for index, number in effects(trace, name):
        same = piece.get(number, number)
        found.setdefault(same, []).append(index)
        first.setdefault(same, number)
    return [
        Duplicate(trace.message(first[same]), name, tuple(trace[index] for index in indexes))
        for same, indexes in found.items()
        if len(indexes) > 1
    ]


def reorderings(trace: Trace, name: str) -> list[Reordering]:
    """What took effect too late for its key at a node or in a group (at a topic: came too late into the log), in order of time.

    Compared are first effects only (a repeat is a duplicate, not a reordering), among messages of one key that one
    node made: no broker promises an order between two that don't know of each other.
    """
    return list(_reorderings(trace, name))


@remembered
def _reorderings(trace: Trace, name: str) -> tuple[Reordering, ...]:
    born = births(trace)
    keys = [key for _, key, _, _ in trace.message_rows()]
    newest: dict[tuple[int, int], tuple[int, int, int]] = {}
    seen: set[int] = set()
    found: list[Reordering] = []
    for index, number in effects(trace, name):
        if number in seen or number not in born or not keys[number - 1]:
            continue
        seen.add(number)
        birth = born[number]
        lane = (keys[number - 1], birth.node)
        ahead = newest.get(lane)
        if ahead is None or birth.step > ahead[0]:
            newest[lane] = (birth.step, index, number)
            continue
        earlier = trace.message(number)
        steps = (trace[ahead[1]], trace[index])
        found.append(Reordering(str(earlier.key), name, earlier, trace.message(ahead[2]), steps))
    return tuple(found)
