"""When clients act, and about what."""

from __future__ import annotations

import math
from collections import Counter
from itertools import accumulate, islice
from random import Random
from statistics import fmean, stdev
from typing import Any

import pytest

from simulator import Bursty, Every, ListedKeys, Numbered, Poisson, Span, UniformKeys, ZipfKeys
from simulator.clients.arrivals import Arrivals, Keys, as_arrivals, as_keys


class OnlyRandom:
    """All that a stream is asked for: the one method whose draws are the same in every version of Python."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed).random


def gaps(arrivals: Arrivals, count: int, seed: int = 1, start: float = 0.0) -> list[float]:
    stream: Any = OnlyRandom(seed)
    return list(islice(arrivals.gaps(stream, start), count))


def keys(chosen: Keys, count: int, seed: int = 1, made: int = 0) -> list[str | None]:
    stream: Any = OnlyRandom(seed)
    choose = chosen.chooser(stream, made)
    return [choose() for _ in range(count)]


def test_every_is_clockwork():
    assert gaps(Every(25), 4) == [25, 25, 25, 25]


def test_poisson_waits_are_exponential():
    waits = gaps(Poisson(100), 20_000)

    assert fmean(waits) == pytest.approx(10, abs=4 * 10 / math.sqrt(20_000))
    assert stdev(waits) == pytest.approx(10, rel=0.05)
    assert sum(wait > 10 for wait in waits) / 20_000 == pytest.approx(math.exp(-1), abs=0.015)


def test_a_burst_has_its_own_rate_from_its_start_to_its_end():
    times = list(accumulate(gaps(Bursty(50, 500, Span(10_000, 20_000)), 7_000)))

    before, during, after = (sum(start <= time < start + 10_000 for time in times) for start in (0, 10_000, 20_000))
    assert before == pytest.approx(500, abs=4 * math.sqrt(500))
    assert during == pytest.approx(5_000, abs=4 * math.sqrt(5_000))
    assert after == pytest.approx(500, abs=4 * math.sqrt(500))


def test_a_burst_may_also_be_a_lull():
    times = list(accumulate(gaps(Bursty(500, 50, Span(2_000, 4_000)), 3_000)))

    assert sum(2_000 <= time < 4_000 for time in times) == pytest.approx(100, abs=40)


def test_a_burst_is_where_it_is_for_whoever_begins_late():
    times = [5_000 + time for time in accumulate(gaps(Bursty(10, 1_000, Span(0, 2_000)), 200, start=5_000))]

    assert times[-1] - times[0] == pytest.approx(20_000, rel=0.3)


def test_a_number_means_one_every_so_many_milliseconds():
    assert as_arrivals(5) == Every(5)
    assert as_arrivals(Poisson(5)) == Poisson(5)


def test_numbered_keys_are_all_new():
    assert keys(Numbered("order-"), 3) == ["order-1", "order-2", "order-3"]


def test_numbered_and_listed_keys_go_on_after_what_was_made_before():
    assert keys(Numbered("order-"), 2, made=3) == ["order-4", "order-5"]
    assert keys(ListedKeys(["x", "y", None]), 4, made=4) == ["y", None, "x", "y"]


def test_listed_keys_come_again_and_again():
    assert keys(ListedKeys(["x", None]), 5) == ["x", None, "x", None, "x"]


def test_uniform_keys_are_equally_likely():
    seen = Counter(keys(UniformKeys(4, "c"), 20_000))

    assert set(seen) == {"c1", "c2", "c3", "c4"}
    assert all(count == pytest.approx(5_000, abs=4 * math.sqrt(20_000 * 0.25 * 0.75)) for count in seen.values())


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_zipf_keys_have_weights_that_fall_with_their_rank(exponent: float):
    seen = Counter(keys(ZipfKeys(10, exponent, "c"), 20_000))

    total = sum(rank**-exponent for rank in range(1, 11))
    for rank in range(1, 11):
        share = rank**-exponent / total
        assert seen[f"c{rank}"] == pytest.approx(20_000 * share, abs=4 * math.sqrt(20_000 * share) + 1)


@pytest.mark.parametrize("chosen", [UniformKeys(3), ZipfKeys(3)])
def test_the_rarest_draws_give_a_key_too(chosen: Keys):
    class Extreme(Random):
        def random(self) -> float:
            return math.nextafter(1.0, 0.0)

    assert chosen.chooser(Extreme())() == "customer-3"


def test_a_list_means_these_keys():
    assert as_keys(["x", None]) == ListedKeys(["x", None])
    assert as_keys(Numbered()) == Numbered()
