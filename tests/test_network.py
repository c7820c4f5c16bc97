"""What becomes of a transmission: latencies, bandwidth, order, and the faults of links."""

from __future__ import annotations

import math
from random import Random
from statistics import fmean, stdev
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from simulator import (
    BehaviourError,
    Cut,
    Drop,
    Duplicate,
    Exponential,
    Fixed,
    Link,
    LogNormal,
    Message,
    Node,
    Pause,
    Scenario,
    Slow,
    Span,
    Uniform,
    run,
)
from simulator.network import Channel, Lane, Latency
from tests.actors import Talker, arrivals, arrived, happened, talk

MEANS = [
    (Fixed(5), 5.0),
    (Uniform(2, 8), 5.0),
    (Exponential(5), 5.0),
    (LogNormal(5, 0.5), 5 * math.exp(0.125)),
]


class OnlyRandom:
    """A stream that can do nothing but `random`."""

    def __init__(self, *drawn: float) -> None:
        self._drawn = list(drawn)

    def random(self) -> float:
        return self._drawn.pop(0) if self._drawn else 0.5


@pytest.mark.parametrize(("latency", "mean"), MEANS, ids=lambda each: type(each).__name__)
def test_a_latency_has_the_mean_of_its_distribution(latency: Latency, mean: float):
    draw = latency.sampler(Random(1))

    drawn = [draw() for _ in range(20_000)]

    four_errors = 4 * stdev(drawn) / math.sqrt(len(drawn))
    assert abs(fmean(drawn) - mean) <= four_errors
    assert min(drawn) >= 0


def test_an_exponential_latency_spreads_as_wide_as_its_mean_and_a_uniform_one_stays_within_its_bounds():
    exponential, uniform = Exponential(5).sampler(Random(2)), Uniform(2, 8).sampler(Random(2))

    assert stdev(exponential() for _ in range(20_000)) == pytest.approx(5, rel=0.05)
    assert all(2 <= uniform() <= 8 for _ in range(20_000))


def test_half_of_all_log_normal_latencies_are_below_the_median():
    draw = LogNormal(20, 1).sampler(Random(3))

    assert sum(draw() < 20 for _ in range(20_000)) == pytest.approx(10_000, abs=4 * math.sqrt(5_000))


@pytest.mark.parametrize("latency", [latency for latency, _ in MEANS], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("drawn", [0.0, 0.5, math.nextafter(1.0, 0.0)])
def test_a_latency_draws_from_random_alone_and_is_finite_at_both_ends(latency: Latency, drawn: float):
    stream: Any = OnlyRandom(drawn)

    ms = latency.sampler(stream)()

    assert 0 <= ms < math.inf


def test_a_number_as_latency_is_a_fixed_one():
    assert Link("a", "b", latency=3).latency == Fixed(3)
    assert arrived(talk(latency=3)) == [(3, 0), (13, 1), (23, 2), (33, 3)]


def test_an_own_latency_that_is_negative_is_refused_before_time_goes_back():
    @frozen
    class TimeMachine(Latency):
        def sampler(self, stream: Random) -> Any:
            return lambda: -1.0

    with pytest.raises(BehaviourError, match=r"TimeMachine\(\) drew -1.0 ms; a message can't arrive before it was sent"):
        run(talk(latency=TimeMachine()))


def test_a_drop_loses_what_fits_and_says_so():
    trace = run(talk(Drop("a", "b", nth=2)))

    (lost,) = trace.select("lost")
    assert arrivals(trace) == [(1, 0), (21, 2), (31, 3)]
    assert (lost.time, lost.node, lost["to"], lost["reason"]) == (10, "a", "b", "Drop")
    assert lost.cause is not None
    assert trace[lost.cause].kind == "sent"


def test_a_fault_only_concerns_its_direction():
    assert len(arrived(talk(Drop("b", "a")))) == 4


def test_a_fault_only_concerns_its_kind_and_its_key():
    def said(*faults: Any) -> list[int]:
        talker = Talker("a", "b", tuple(range(6)), kinds=("order", "payment"), keys=("x", "y", "z"))
        return [number for _, number in arrived(Scenario([talker, Node("b")], [Link("a", "b")], faults))]

    assert said(Drop("a", "b", kind="order")) == [1, 3, 5]
    assert said(Drop("a", "b", key="y")) == [0, 2, 3, 5]
    assert said(Drop("a", "b", kind="order", key="y")) == [0, 1, 2, 3, 5]
    assert said(Drop("a", "b", kind="payment", nth=2)) == [0, 1, 2, 4, 5]
    assert said(Drop("a", "b", kind="gossip")) == [0, 1, 2, 3, 4, 5]


def test_a_window_begins_with_its_start_and_ends_before_its_end():
    assert arrived(talk(Drop("a", "b", during=Span(10, 30)))) == [(1, 0), (31, 3)]


def test_nth_counts_only_what_fits_the_rest():
    assert arrived(talk(Drop("a", "b", during=Span(5, 100), nth=2))) == [(1, 0), (11, 1), (31, 3)]


def test_a_probability_strikes_about_that_often():
    trace = run(talk(Drop("a", "b", probability=0.3), times=range(4_000), duration=5_000))

    assert len(happened(trace, "lost")) == pytest.approx(1_200, abs=4 * math.sqrt(4_000 * 0.3 * 0.7))


def test_a_duplicate_arrives_again_behind_its_first_copy():
    trace = run(talk(Duplicate("a", "b", after=4, nth=1), times=(0, 2)))

    copies = [(step.time, step["copy"], step.cause) for step in trace.select("delivered", message=1)]
    (duplicated,) = trace.select("duplicated")
    assert copies == [(1, 0, 0), (5, 1, 0)]
    assert (duplicated.cause, duplicated["copies"]) == (0, 2)
    assert arrivals(trace) == [(1, 0), (3, 1), (5, 0)]


def test_a_duplicates_jitter_adds_anything_up_to_itself():
    late = [time - 1 for time, _ in arrived(talk(Duplicate("a", "b", after=4, jitter=10), times=[0] * 200)) if time > 1]

    assert len(late) == 200
    assert 4 <= min(late) < 6
    assert 12 < max(late) <= 14


def test_slow_multiplies_and_adds():
    assert arrived(talk(Slow("a", "b", factor=3, by=10, nth=1), times=[0], latency=2)) == [(16, 0)]


def test_unequal_delays_reorder():
    assert arrived(talk(Slow("a", "b", by=15, nth=1), times=[0, 10])) == [(11, 1), (16, 0)]


def test_a_cut_stops_both_directions_and_one_only_where_asked():
    def both_ways(cut: Cut) -> tuple[list[int], list[int]]:
        nodes = [Talker("a", "b", (0, 10, 20)), Talker("b", "a", (0, 10, 20))]
        trace = run(Scenario(nodes, [Link("a", "b")], [cut]))
        return [number for _, number in arrivals(trace, "b")], [number for _, number in arrivals(trace, "a")]

    assert both_ways(Cut("a", "b", during=Span(5, 15))) == ([0, 2], [0, 2])
    assert both_ways(Cut("b", "a", during=Span(5, 15))) == ([0, 2], [0, 2])
    assert both_ways(Cut("a", "b", during=Span(5, 15), direction="there")) == ([0, 2], [0, 1, 2])
    assert both_ways(Cut("b", "a", during=Span(5, 15), direction="there")) == ([0, 1, 2], [0, 2])


def test_a_cut_leaves_what_is_in_flight():
    trace = run(talk(Cut("a", "b", during=Span(5, 15)), latency=8))

    assert arrivals(trace) == [(8, 0), (28, 2), (38, 3)]
    assert [(step.time, step["reason"]) for step in trace.select("lost")] == [(10, "Cut")]


def test_what_two_faults_lose_is_lost_once():
    trace = run(talk(Drop("a", "b", nth=1), Cut("a", "b", during=Span(0, 5))))

    assert [(step.time, step["reason"]) for step in trace.select("lost")] == [(0, "Drop")]


TIMES = tuple(range(0, 120, 10))
windows = st.builds(lambda start, length: Span(start, start + length), st.integers(0, 120), st.integers(0, 120))
meant = st.fixed_dictionaries(
    {},
    optional={
        "nth": st.integers(1, 6),
        "during": windows,
        "kind": st.sampled_from(["order", "payment"]),
        "key": st.sampled_from(["x", "y", "z"]),
    },
)
certain_faults = st.one_of(
    st.builds(lambda how: Drop("a", "b", **how), meant),
    st.builds(lambda how: Cut("a", "b", **how), meant),
    st.builds(lambda how: Duplicate("a", "b", after=0, **how), meant),
    st.builds(lambda by, how: Slow("a", "b", by=by, **how), st.integers(0, 50), meant),
)


def chatter(faults: Any, **link: Any) -> Scenario:
    talker = Talker("a", "b", TIMES, kinds=("order", "payment"), keys=("x", "y", "z"))
    return Scenario([talker, Node("b")], [Link("a", "b", **link)], faults, duration=1_000)


def expected_arrivals(faults: list[Any]) -> list[tuple[float, int]]:
    """What the faults say, counted by hand: each strikes by itself, whatever the others do."""
    seen = [0] * len(faults)
    expected: list[tuple[float, int]] = []
    for number, time in enumerate(TIMES):
        kind, key = ("order", "payment")[number % 2], ("x", "y", "z")[number % 3]
        copies, delay = 1, 1.0
        lost = False
        for place, fault in enumerate(faults):
            fits = fault.kind in (None, kind) and fault.key in (None, key) and (fault.during is None or time in fault.during)
            seen[place] += fits
            if not fits or fault.nth not in (None, seen[place]):
                continue
            lost = lost or isinstance(fault, Drop | Cut)
            copies += isinstance(fault, Duplicate)
            delay += fault.by if isinstance(fault, Slow) else 0
        expected += [] if lost else [(time + delay, number)] * copies
    return sorted(expected)


@given(st.lists(certain_faults, max_size=8), st.randoms(use_true_random=False))
def test_faults_compose_in_any_order_and_number(faults: list[Any], shuffled: Random):
    in_another_order = list(faults)
    shuffled.shuffle(in_another_order)

    assert sorted(arrived(chatter(faults))) == expected_arrivals(faults)
    assert sorted(arrived(chatter(in_another_order))) == expected_arrivals(faults)


def test_overlapping_slow_spells_add_up():
    early, late = Slow("a", "b", by=100, during=Span(0, 20)), Slow("a", "b", by=7, during=Span(10, 30))

    assert sorted(arrived(talk(early, late))) == [(28, 2), (31, 3), (101, 0), (118, 1)]


any_faults = st.one_of(
    st.builds(lambda p, how: Drop("a", "b", probability=p, **how), st.floats(0, 1), meant),
    st.builds(lambda p, after, jitter: Duplicate("a", "b", probability=p, after=after, jitter=jitter),
              st.floats(0, 1), st.floats(0, 50), st.floats(0, 50)),
    st.builds(lambda p, by, factor, jitter: Slow("a", "b", probability=p, by=by, factor=factor, jitter=jitter),
              st.floats(0, 1), st.floats(0, 50), st.floats(0, 5), st.floats(0, 50)),
)  # fmt: skip


@given(st.lists(any_faults, max_size=8), st.integers(0, 1_000))
def test_nothing_arrives_before_it_was_sent_and_every_copy_is_accounted_for(faults: list[Any], seed: int):
    trace = run(chatter(faults, latency=Uniform(0, 40)).but(duration=100_000), seed)

    for sent in trace.select("sent"):
        followed = [step for step in trace if step.cause == sent.index]
        copies = [step for step in followed if step.kind == "delivered"]
        told = [step["copies"] for step in followed if step.kind == "duplicated"]
        lost = [step for step in followed if step.kind == "lost"]
        assert all(copy.time >= sent.time for copy in copies)
        assert sorted(copy["copy"] for copy in copies) == list(range(len(copies)))
        assert (len(copies), told) in ((0, []), (1, []), (len(copies), [len(copies)]))
        assert len(lost) == (0 if copies else 1)


@given(st.lists(any_faults, max_size=6), st.integers(0, 1_000), st.lists(st.floats(0, 100), min_size=2, max_size=20))
def test_an_ordered_link_never_reorders(faults: list[Any], seed: int, times: list[float]):
    pauses = [Pause("b", at=20, lasting=30), Pause("b", at=40, lasting=25)]

    trace = run(talk(*faults, *pauses, times=sorted(times), latency=LogNormal(10, 1), ordered=True, duration=10**6), seed)

    order = [number for _, number in arrivals(trace)]
    assert order == sorted(order)


def test_without_order_unequal_latencies_do_reorder():
    order = [number for _, number in arrived(talk(times=range(50), latency=Uniform(0, 100)))]

    assert order != sorted(order)


def test_an_ordered_link_is_exact_to_the_last_bit():
    link = Link("a", "b", ordered=True)
    draw = Random(4).random
    message = Message(1, "note")

    for _ in range(20_000):
        lane = Lane()
        first, second = draw() * 10, 10 + draw() * 10
        early = Channel(link, lane, lambda: 1_000.0 / 3, ()).delays(first, message)[0]
        late = Channel(link, lane, lambda: 0.0, ()).delays(second, message)[0]
        assert second + late >= first + early


def test_bandwidth_is_shared_by_all_that_goes_one_way():
    nodes = [
        Talker("a", "b", (0, 0, 0), kinds=("order", "payment"), size=100),
        Talker("b", "a", (0,), size=100),
    ]

    trace = run(Scenario(nodes, [Link("a", "b", latency=1, bandwidth=10)]))

    assert arrivals(trace) == [(11, 0), (21, 1), (31, 2)]
    assert arrivals(trace, "a") == [(11, 0)]


def test_a_wire_that_has_been_idle_is_free():
    trace = run(Scenario([Talker("a", "b", (0, 50), size=100), Node("b")], [Link("a", "b", latency=0, bandwidth=10)]))

    assert arrivals(trace) == [(10, 0), (60, 1)]


def test_one_more_fault_changes_no_draw_of_the_others():
    drop = Drop("a", "b", probability=0.5)
    silent = Slow("a", "b", by=1, probability=0.5, during=Span(2_000, 3_000))
    before = talk(drop, times=range(100))

    after = before.but(faults=[silent, drop, Drop("b", "a", probability=0.5)])

    assert arrived(after) == arrived(before)


def test_two_faults_that_say_the_same_strike_independently():
    drop = Drop("a", "b", probability=0.5)

    survivors = len(arrived(talk(drop, drop, times=range(4_000), duration=5_000)))

    assert survivors == pytest.approx(1_000, abs=4 * math.sqrt(4_000 * 0.25 * 0.75))


def test_whole_numbers_and_floats_that_are_equal_make_equal_runs():
    written = talk(
        Drop("a", "b", during=Span(0, 500), probability=1),
        Duplicate("a", "b", probability=0.5, after=2),
        Pause("b", at=5, lasting=10),
        times=range(500, 600, 5),
        latency=Uniform(1, 5),
    )
    as_floats = written.but(
        faults=[
            evolve(written.faults[0], during=Span(0.0, 500.0), probability=1.0),
            evolve(written.faults[1], after=2.0),
            evolve(written.faults[2], at=5.0, lasting=10.0),
        ],
        duration=1_000.0,
    )

    assert as_floats == written
    assert run(as_floats, 3) == run(written, 3)
