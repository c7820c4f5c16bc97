"""Which member reads which partition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.log.assignors import range_assign


@given(st.integers(1, 50), st.sets(st.text(min_size=1, max_size=5), min_size=1, max_size=10))
def test_every_partition_has_exactly_one_reader_and_shares_differ_by_one_at_most(partitions: int, members: set[str]):
    assigned = range_assign(partitions, members)

    assert set(assigned) == members
    assert sorted(partition for share in assigned.values() for partition in share) == list(range(partitions))
    sizes = [len(share) for share in assigned.values()]
    assert max(sizes) - min(sizes) <= 1


def test_a_group_without_members_reads_nothing():
    assert range_assign(3, []) == {}
