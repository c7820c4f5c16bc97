"""Many durations as one small value."""

from __future__ import annotations

import math
from collections.abc import Iterable

from attrs import field, frozen


def _sorted(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(sorted(values))


@frozen(repr=False)
class Distribution:
    """Durations in milliseconds, sorted. All its numbers are None where there is nothing to tell them from."""

    values: tuple[float, ...] = field(converter=_sorted, default=())

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """The arithmetic mean."""
        return math.fsum(self.values) / len(self.values) if self.values else None

    @property
    def max(self) -> float | None:
        """The longest."""
        return self.values[-1] if self.values else None

    @property
    def p50(self) -> float | None:
        """The median."""
        return self.percentile(50)

    @property
    def p90(self) -> float | None:
        """Nine of ten are no longer than this."""
        return self.percentile(90)

    @property
    def p99(self) -> float | None:
        """99 of 100 are no longer than this."""
        return self.percentile(99)

    def percentile(self, share: float) -> float | None:
        """The smallest value that at least ``share`` percent are no longer than (nearest-rank: always one that occurred).

        Raises ValueError for a share outside 0..100.
        """
        if not 0 <= share <= 100:
            raise ValueError(f"A percentile lies between 0 and 100; it was asked for {share}.")
        if not self.values:
            return None
        # Ranks like 0.9 * 10 come out a hair above a whole number and must not be pushed up by it.
        rank = math.ceil(round(share / 100 * len(self.values), 9))
        return self.values[max(rank, 1) - 1]

    def __repr__(self) -> str:
        if not self.values:
            return "<no durations>"
        return (
            f"<{self.count:,} durations: mean {self.mean:.1f} ms, p50 {self.p50:.1f} ms, p90 {self.p90:.1f} ms, "
            f"p99 {self.p99:.1f} ms, max {self.max:.1f} ms>"
        )
