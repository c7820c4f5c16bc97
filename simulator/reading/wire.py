"""What the messages of a Kafka cluster say, as far as a reading has to know: which records a batch holds, what a marker ends.

How they are packed is known to ``simulator.brokers.log.protocol``. An event of the domain that happens to be called like a
request says nothing, and in a trace without a cluster nothing does.
"""

from __future__ import annotations

from typing import NamedTuple

from simulator.brokers.log.protocol import Produce
from simulator.message import Message
from simulator.reading.clusters import cluster
from simulator.reading.memo import remembered
from simulator.trace import Trace

_IN_PRODUCE = 6
"""Where in a ``produce`` request its records begin."""

_IN_COMMIT = 5
"""Where in a commit its places begin: behind member, instance, generation, and the producer's id and epoch."""


def batch(message: Message) -> Produce | None:
    """The batch in a producer's request; None for any other message."""
    said = message.payload if message.kind == "produce" and not message.in_reply_to else None
    return Produce.of(said) if isinstance(said, tuple) and len(said) > _IN_PRODUCE else None


class Marker(NamedTuple):
    """What ends a transaction in a partition."""

    producer: int
    commits: bool


class Wire(NamedTuple):
    """What a trace's messages say, by their ids."""

    markers: dict[int, Marker]
    """The orders to write a marker; in a log they are the markers themselves."""
    writers: dict[int, int]
    """For what is written in a transaction (records, and groups' offsets): its producer's id."""
    partitions: tuple[str, ...]
    """The cluster's partitions by their numbers in messages."""
    consumers: dict[tuple[str, str], str]
    """By group and member id: the node that was admitted under it."""

    def offsets(self, message: Message) -> list[tuple[str, int]]:
        """(partition, next offset) for each place that a commit to a cluster's coordinator names."""
        flat = message.payload[_IN_COMMIT:] if message.kind == "commit" and isinstance(message.payload, tuple) else ()
        return [(self.partitions[number], offset) for number, offset in zip(flat[::2], flat[1::2], strict=True)]


@remembered
def wire(trace: Trace) -> Wire:
    """What the messages of a trace say."""
    values = trace.values
    there = cluster(trace)
    partitions = tuple(there.layout.names) if there is not None else ()
    consumers = {(str(values[row[6]]), str(values[row[7]])): trace.nodes[row[8]] for row in trace.rows("admitted")}
    markers: dict[int, Marker] = {}
    writers: dict[int, int] = {}
    if there is not None:
        for number, (kind, _, answered, _) in enumerate(trace.message_rows(), start=1):
            told = values[kind]
            if answered or told not in ("produce", "write_marker", "commit"):
                continue
            message = trace.message(number)
            asked = batch(message)
            if asked is not None and asked.transactional:
                writers.update(dict.fromkeys(asked.records, asked.producer_id))
            elif told == "write_marker" and message.payload:
                markers[number] = Marker(message.payload[0], bool(message.payload[2]))
            elif told == "commit" and len(message.payload or ()) > _IN_COMMIT and message.payload[3] >= 0:
                writers[number] = message.payload[3]
    return Wire(markers, writers, partitions, consumers)


class Membership(NamedTuple):
    """Who is in a group, as its coordinator writes it down."""

    generation: int
    members: tuple[str, ...]


def membership(message: Message) -> Membership | None:
    """What a record of the kind ``group_metadata`` says of the group that is its key; None for any other message."""
    if message.kind != "group_metadata" or not isinstance(message.payload, tuple):
        return None
    return Membership(message.payload[0], tuple(member[0] for member in message.payload[-1]))


class TransactionState(NamedTuple):
    """Where a transaction stands, as its coordinator writes it down."""

    producer: int
    epoch: int
    state: str


def transaction_state(message: Message) -> TransactionState | None:
    """What a record of the kind ``transaction_state`` says of the transactional id that is its key; None for any other."""
    if message.kind != "transaction_state" or not isinstance(message.payload, tuple):
        return None
    producer, epoch, _, state, *_ = message.payload
    return TransactionState(producer, epoch, state)
