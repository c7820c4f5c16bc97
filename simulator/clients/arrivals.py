"""When clients act, and about what: arrival processes and key distributions. All of them values."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, count, cycle, islice
from random import Random

from attrs import field, frozen

from simulator.validation import at_least, not_negative, positive
from simulator.values import Part, Span


class Arrivals(Part):
    """When the next one comes. ``gaps`` gives the waits from one to the next, in milliseconds, from a time ``start`` on."""

    def gaps(self, stream: Random, start: float = 0.0) -> Iterator[float]:
        raise NotImplementedError


@frozen
class Every(Arrivals):
    """One every ``ms`` milliseconds, like clockwork; the first after one such wait."""

    ms: float = field(metadata=positive("ms"))

    def gaps(self, stream: Random, start: float = 0.0) -> Iterator[float]:
        while True:
            yield self.ms


@frozen
class Poisson(Arrivals):
    """Customers who don't know of each other: exponential waits, ``per_second`` of them on average."""

    per_second: float = field(metadata=positive("per second"))

    def gaps(self, stream: Random, start: float = 0.0) -> Iterator[float]:
        mean, draw, log = 1000.0 / self.per_second, stream.random, math.log
        while True:
            yield -mean * log(1.0 - draw())


@frozen
class Bursty(Arrivals):
    """Poisson arrivals whose rate is ``per_second``, and ``burst_per_second`` during the burst."""

    per_second: float = field(metadata=positive("per second"))
    burst_per_second: float = field(metadata=positive("per second"))
    burst: Span

    def gaps(self, stream: Random, start: float = 0.0) -> Iterator[float]:
        # Thinning (Lewis and Shedler, 1979): draw at the higher rate, keep each in proportion to the rate at its time.
        top = max(self.per_second, self.burst_per_second)
        mean, draw, log = 1000.0 / top, stream.random, math.log
        now = last = start
        while True:
            now += -mean * log(1.0 - draw())
            rate = self.burst_per_second if now in self.burst else self.per_second
            if draw() * top < rate:
                yield now - last
                last = now

    def problems(self, called: str) -> Iterator[str]:
        yield from self.burst.problems(called)


def as_arrivals(value: float | Arrivals) -> Arrivals:
    """A plain number means one every so many milliseconds."""
    return value if isinstance(value, Arrivals) else Every(value)


def _as_tuple(keys: Sequence[str | None]) -> tuple[str | None, ...]:
    # A text is a sequence too, of its letters; it stays as it is and is refused with the rest of the scenario's problems.
    return tuple(keys) if isinstance(keys, list | tuple) else keys  # type: ignore[return-value]


class Keys(Part):
    """Which key each one has. ``chooser`` gives a function that tells the next key, after so many as were ``made`` before."""

    def chooser(self, stream: Random, made: int = 0) -> Callable[[], str | None]:
        raise NotImplementedError


@frozen
class Numbered(Keys):
    """A new key each time: ``order-1``, ``order-2``, and so on."""

    prefix: str = "order-"

    def chooser(self, stream: Random, made: int = 0) -> Callable[[], str | None]:
        numbers, prefix = count(made + 1), self.prefix
        return lambda: f"{prefix}{next(numbers)}"


@frozen
class UniformKeys(Keys):
    """One of ``count`` keys, all equally likely."""

    count: int = field(metadata=at_least(1))
    prefix: str = "customer-"

    def chooser(self, stream: Random, made: int = 0) -> Callable[[], str | None]:
        names, draw, number = [f"{self.prefix}{n}" for n in range(1, self.count + 1)], stream.random, self.count
        return lambda: names[int(draw() * number)]


@frozen
class ZipfKeys(Keys):
    """One of ``count`` keys, the n-th with a weight of 1 / n**exponent: a few are hot, as in real traffic."""

    count: int = field(metadata=at_least(1))
    exponent: float = field(default=1.0, metadata=not_negative())
    prefix: str = "customer-"

    def chooser(self, stream: Random, made: int = 0) -> Callable[[], str | None]:
        names, draw = [f"{self.prefix}{n}" for n in range(1, self.count + 1)], stream.random
        cumulated = list(accumulate(n**-self.exponent for n in range(1, self.count + 1)))
        total = cumulated[-1]
        # The draw is below the total but for rounding, so the last name is given where rounding reaches it.
        last = self.count - 1
        return lambda: names[min(bisect(cumulated, draw() * total), last)]


@frozen
class ListedKeys(Keys):
    """These keys, in this order, again and again; None in the list is a record without a key."""

    keys: tuple[str | None, ...] = field(converter=_as_tuple)

    def chooser(self, stream: Random, made: int = 0) -> Callable[[], str | None]:
        return islice(cycle(self.keys), made % len(self.keys), None).__next__

    def problems(self, called: str) -> Iterator[str]:
        if not isinstance(self.keys, tuple) or not all(isinstance(key, str | None) for key in self.keys):
            yield f'{called}: the keys are {self.keys!r}; give a list of texts, as in ["order-1", "order-2"], or None for no key.'
        elif not self.keys:
            yield f"{called}: the list of keys is empty; give at least one (None for a record without a key)."


def as_keys(value: Keys | Sequence[str | None]) -> Keys:
    """A plain list means `ListedKeys`."""
    return value if isinstance(value, Keys) else ListedKeys(value)
