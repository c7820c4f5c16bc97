"""Which member of a consumer group reads which partition."""

from __future__ import annotations

from collections.abc import Iterable


def range_assign(partitions: int, members: Iterable[str]) -> dict[str, list[int]]:
    """Neighbouring partitions for each member, in the members' alphabetical order; the first ones get one more where
    it does not come out even. Source: ``org.apache.kafka.clients.consumer.RangeAssignor``, for one topic."""
    ordered = sorted(members)
    if not ordered:
        return {}
    share, extra = divmod(partitions, len(ordered))
    assigned, first = {}, 0
    for place, member in enumerate(ordered):
        size = share + (place < extra)
        assigned[member] = list(range(first, first + size))
        first += size
    return assigned
