"""What a topic keeps: logs and committed offsets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.log.partitions import Partitions


def test_offsets_count_from_zero_in_each_partition():
    partitions = Partitions(2)

    assert [partitions.append(place, record) for place, record in [(0, 11), (1, 12), (0, 13)]] == [0, 0, 1]
    assert (partitions.end(0), partitions.end(1)) == (2, 1)


def test_reading_goes_partition_by_partition_up_to_the_limit():
    partitions = Partitions(2)
    for record in range(6):
        partitions.append(record % 2, record)

    assert partitions.read([(1, 0), (0, 1)], most=10) == [(1, 0, 1), (1, 1, 3), (1, 2, 5), (0, 1, 2), (0, 2, 4)]
    assert partitions.read([(1, 1), (0, 1)], most=3) == [(1, 1, 3), (1, 2, 5), (0, 1, 2)]
    assert partitions.read([(0, 3), (1, 99)], most=3) == []


def test_a_group_begins_at_its_committed_offset_or_as_it_asks():
    partitions = Partitions(1)
    for record in range(5):
        partitions.append(0, record)
    partitions.commit("billing", 0, 3)

    assert partitions.start("billing", 0, earliest=True) == 3
    assert partitions.start("shipping", 0, earliest=True) == 0
    assert partitions.start("shipping", 0, earliest=False) == 5


def test_a_commit_may_go_back_as_in_kafka():
    partitions = Partitions(1)

    partitions.commit("billing", 0, 3)
    partitions.commit("billing", 0, 1)

    assert partitions.start("billing", 0, earliest=True) == 1


@given(st.lists(st.integers(1, 20), max_size=60), st.integers(1, 5))
def test_records_without_a_key_go_round_and_a_repeat_goes_where_it_went_before(records: list[int], count: int):
    partitions = Partitions(count)

    turns = [(record, partitions.turn(record)) for record in records]

    first = dict(reversed(turns))
    assert all(first[record] == turn for record, turn in turns)
    used = list(first.values())
    assert max(map(used.count, range(count))) - min(map(used.count, range(count))) <= 1
