"""What the nodes of a Kafka cluster say to each other: kinds of message, and how what they say is packed.

Nearly all is said in whole numbers, which take little room in a trace: a partition by its number in the `Layout`, a broker by
its place in it (-1: none), a record by its message's id, an error by its number on Kafka's wire. Simplified: a ``produce``
request holds one batch for one partition, and ``metadata`` tells the coordinators too, which Kafka's clients ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from simulator.brokers.log.elections import Leadership
from simulator.brokers.log.entries import Entry
from simulator.brokers.log.replicas import Acks, Diverging, FetchRequest, FetchResponse
from simulator.message import Message

REQUESTS = (
    "produce", "fetch", "replicate", "list_offsets", "metadata", "leadership", "alter_isr", "broker_heartbeat", "join", "sync",
    "group_heartbeat", "leave", "commit", "offsets", "init_producer", "add_partitions", "end_transaction", "write_marker",
)  # fmt: skip
"""The kinds of message that a broker takes."""

NO_VALUE = ("value", "null")
"""The header of a record without a value: a tombstone."""

Names = Sequence[str]
"""The brokers' names, in the layout's order."""

_ACKS: dict[int, Acks] = {-1: "all", 0: 0, 1: 1}
_ON_THE_WIRE: dict[Acks, int] = {acks: number for number, acks in _ACKS.items()}
_MARKERS = ("", "commit", "abort")

Found = Callable[[int], Message]
"""The message with this id."""


class Produce(NamedTuple):
    """A batch on its way to the leader of its partition."""

    acks: Acks
    transactional: bool
    producer_id: int
    producer_epoch: int
    partition: int
    sequence: int
    """The number of its first record; -1 without idempotence."""
    records: tuple[int, ...]

    def packed(self) -> tuple[int, ...]:
        head = (_ON_THE_WIRE[self.acks], int(self.transactional), self.producer_id, self.producer_epoch)
        return (*head, self.partition, self.sequence, *self.records)

    @classmethod
    def of(cls, payload: Any) -> Produce:
        acks, transactional, producer, epoch, partition, sequence, *records = payload
        return cls(_ACKS[acks], bool(transactional), producer, epoch, partition, sequence, tuple(records))

    def entries(self, found: Found, now: float) -> list[Entry]:
        """The batch as the log keeps it. Simplified: its records have the time of the leader (``LogAppendTime``)."""
        return [
            Entry(
                0,
                number,
                key=(message := found(number)).key,
                tombstone=NO_VALUE in message.headers,
                timestamp=int(now),
                size=max(1, message.size),
                producer_id=self.producer_id,
                producer_epoch=self.producer_epoch,
                sequence=self.sequence + place if self.sequence >= 0 else -1,
                batch=self.sequence,
                transactional=self.transactional,
            )
            for place, number in enumerate(self.records)
        ]


TAKEN, UNREGISTERED, RELEASED = range(3)
"""What the answer to a ``broker_heartbeat`` begins with: it is taken; it is not, since an earlier life of the broker may still
be there; the broker may stop. News follows. The heartbeat itself says (life, version of the news, whether it wants to stop)."""


class News(NamedTuple):
    """What the controller tells a broker: what has changed, or everything."""

    version: int
    """Counts the changes."""
    active: tuple[str, ...]
    """The brokers that may lead and be in sync: neither fenced nor about to stop."""
    states: tuple[tuple[int, Leadership], ...]
    """Partitions, by number, and who leads them."""

    def packed(self, brokers: Names) -> tuple[int, ...]:
        flat = [self.version, sum(1 << place for place, broker in enumerate(brokers) if broker in self.active)]
        for partition, state in self.states:
            leader = -1 if state.leader is None else brokers.index(state.leader)
            flat += (partition, leader, state.leader_epoch, state.partition_epoch, len(state.isr))
            flat += map(brokers.index, state.isr)
        return tuple(flat)

    @classmethod
    def of(cls, flat: Sequence[int], brokers: Names) -> News:
        active = tuple(broker for place, broker in enumerate(brokers) if flat[1] >> place & 1)
        states: list[tuple[int, Leadership]] = []
        at = 2
        while at < len(flat):
            partition, leader, epoch, version, count = flat[at : at + 5]
            at += 5
            isr = tuple(brokers[each] for each in flat[at : at + count])
            at += count
            states.append((partition, Leadership(None if leader < 0 else brokers[leader], epoch, isr, version)))
        return cls(flat[0], active, tuple(states))


def pack_fetch(partition: int, request: FetchRequest) -> tuple[int, int, int, int]:
    """What a follower asks about one partition."""
    return partition, request.leader_epoch, request.offset, request.last_epoch


def pack_copies(partition: int, error: int, response: FetchResponse | None) -> tuple[int, ...]:
    """What a leader answers about one partition: an error, or its entries and how far all is committed."""
    if response is None:
        return (partition, error, -1, -1, -1, -1, -1, 0)
    diverging = response.diverging or Diverging(-2, -1)
    head = (partition, 0, response.leader_epoch, response.high_watermark, response.log_start, *diverging)
    flat: list[int] = [*head, len(response.entries)]
    for each in response.entries:
        flags = each.transactional + 2 * _MARKERS.index(each.marker)
        flat += (each.offset, each.epoch, _number(each), int(each.timestamp), each.producer_id, each.producer_epoch)
        flat += (each.sequence, each.batch, flags)
    return tuple(flat)


def unpack_copies(flat: Sequence[int], found: Found) -> Iterator[tuple[int, int, FetchResponse | None]]:
    """(partition, error, response) for each partition in an answer."""
    at = 0
    while at < len(flat):
        partition, error, epoch, mark, start, div_epoch, div_end, count = flat[at : at + 8]
        at += 8
        entries = tuple(_copied(flat[place : place + 9], found) for place in range(at, at + 9 * count, 9))
        at += 9 * count
        diverging = None if div_epoch == -2 else Diverging(div_epoch, div_end)
        yield partition, error, None if error else FetchResponse(epoch, entries, mark, start, diverging)


def copied(flat: Sequence[int]) -> tuple[int, ...]:
    """The ids of the records in an answer to ``replicate``."""
    ids: list[int] = []
    at = 0
    while at < len(flat):
        count = flat[at + 7]
        at += 8
        ids += flat[at + 2 : at + 9 * count : 9]
        at += 9 * count
    return tuple(ids)


def _copied(row: Sequence[int], found: Found) -> Entry:
    offset, epoch, number, timestamp, producer, producer_epoch, sequence, batch, flags = row
    message = found(number)
    return Entry(
        epoch,
        number,
        offset,
        message.key,
        NO_VALUE in message.headers,
        timestamp,
        max(1, message.size),
        producer,
        producer_epoch,
        sequence,
        batch,
        bool(flags & 1),
        _MARKERS[flags >> 1],  # type: ignore[arg-type]
    )


def _number(entry: Entry) -> int:
    assert isinstance(entry.record, int)
    return entry.record


def triples(flat: Sequence[int]) -> Iterable[tuple[int, int, int]]:
    """(partition, offset, record) of an answer to ``fetch``. Record 0: nothing to read before this offset; -1: the second
    number is an error's."""
    return zip(flat[::3], flat[1::3], flat[2::3], strict=True)
