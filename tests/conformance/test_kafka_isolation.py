"""What a reader of committed records is given, against the part of aiokafka's consumer that leaves out the others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.brokers.log.elections import Leadership
from simulator.brokers.log.entries import Entry
from simulator.brokers.log.partition import IsolationLevel, Partition
from simulator.brokers.log.replicas import Replica

pytestmark = pytest.mark.conformance

MARKERS = {"abort": b"\0\0\0\0", "commit": b"\0\0\0\1"}
"""The key of the record in a control batch: a version, and what it says."""


@define
class Record:
    """A record as aiokafka's consumer has it unpacked."""

    offset: int
    key: bytes | None
    value: bytes | None = b""
    timestamp: int = 0
    timestamp_type: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()
    checksum: int | None = None


@define
class Batch:
    """What a broker has appended at once, as aiokafka's consumer has it unpacked."""

    producer_id: int
    is_transactional: bool
    is_control_batch: bool
    records: list[Record]
    _left: Iterator[Record] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._left = iter(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __next__(self) -> Record:
        return next(self._left)

    @property
    def base_offset(self) -> int:
        return self.records[0].offset

    @property
    def next_offset(self) -> int:
        return self.records[-1].offset + 1


@define
class Fetched:
    """The batches of one answer."""

    batches: list[Batch]

    def has_next(self) -> bool:
        return bool(self.batches)

    def next_batch(self) -> Batch:
        return self.batches.pop(0)


@define
class Told:
    """A partition, and what its script says of its transactions: a broker would send that along."""

    partition: Partition
    aborted: list[tuple[int, int, int]] = field(factory=list)
    """Producer, first record's and marker's offset of each aborted transaction."""
    open: dict[int, int] = field(factory=dict)
    """The first offset of each open transaction, by producer."""


def given_by_aiokafka(told: Told, start: int, isolation: IsolationLevel) -> tuple[list[int], int]:
    """The offsets of the records that aiokafka hands on of what a leader would send, and from where it reads on."""
    fetcher = pytest.importorskip("aiokafka.consumer.fetcher", reason="pip install aiokafka, to compare with its consumer")
    from aiokafka.structs import TopicPartition

    committed, log = isolation == "read_committed", told.partition.log
    limit = min([log.end, *told.open.values()]) if committed else log.end
    sent = [entry for entry in log if start <= entry.offset < limit]
    batches = [
        Batch(head.producer_id, head.transactional, bool(head.marker), [_unpacked(entry) for entry in (head, *rest)])
        for _, (head, *rest) in groupby(sent, key=lambda entry: (entry.producer_id, entry.batch, entry.marker))
    ]
    aborted = [(producer, first) for producer, first, last in told.aborted if first < limit and last >= start]
    level = fetcher.READ_COMMITTED if committed else fetcher.READ_UNCOMMITTED
    handed_on = fetcher.PartitionRecords(
        TopicPartition("t", 0), Fetched(batches), aborted if committed else None, start, None, None, False, level
    )
    return [record.offset for record in handed_on], handed_on.next_fetch_offset


def _unpacked(entry: Entry) -> Record:
    return Record(entry.offset, MARKERS[entry.marker] if entry.marker else str(entry.record).encode())


PRODUCERS = st.integers(1, 3)
OPERATIONS: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.tuples(st.just("write"), PRODUCERS, st.integers(1, 3)),
    st.tuples(st.just("write"), PRODUCERS, st.integers(1, 3)),
    st.tuples(st.just("end"), PRODUCERS, st.sampled_from(["commit", "abort"])),
    st.tuples(st.just("write without a transaction")),
)


def played(script: list[tuple[Any, ...]]) -> Told:
    """The only replica of a partition after all this."""
    told = Told(Partition(Replica("broker", ["broker"])))
    told.partition.replica.learn(0, Leadership("broker", 0, ("broker",)))
    epochs, written = dict.fromkeys((1, 2, 3), 0), dict.fromkeys((1, 2, 3), 0)
    for what, *details in script:
        if what == "write":
            producer, count = details
            first = written[producer]
            written[producer] += count
            entry = Entry(0, "order", producer_id=producer, producer_epoch=epochs[producer], batch=first, transactional=True)
            batch = [entry._replace(sequence=first + n) for n in range(count)]
            told.open.setdefault(producer, told.partition.produce(0, batch, "all").offset)
        elif what == "end":
            producer, outcome = details
            # Every transaction has an epoch of its own, and in each a producer counts from 0 (KIP-890).
            epochs[producer] += 1
            written[producer] = 0
            ended = Entry(
                0, "end", producer_id=producer, producer_epoch=epochs[producer], transactional=True, marker=outcome
            )
            at = told.partition.mark(0, ended).offset
            began = told.open.pop(producer, None)
            if outcome == "abort" and began is not None:
                told.aborted.append((producer, began, at))
        else:
            told.partition.produce(0, [Entry(0, "order")], "all")
    return told


@given(
    st.lists(OPERATIONS, min_size=10, max_size=30),
    st.integers(0, 20),
    st.sampled_from(["read_committed", "read_uncommitted"]),
)
@settings(max_examples=100)
def test_readers_get_what_aiokafka_would_hand_on(
    script: list[tuple[Any, ...]], start: int, isolation: IsolationLevel
) -> None:
    told = played(script)
    start = min(start, told.partition.replica.end)

    found = told.partition.read(start, 500, isolation)

    assert ([entry.offset for entry in found.entries], found.following) == given_by_aiokafka(told, start, isolation)
