"""What comes out of callers and services agrees with queueing theory.

The intervals are batch means (Averill Law, "Simulation Modeling and Analysis", chapter 9): one long run, its first batch dropped
as warm-up, the other twenty as good as independent, and Student's t for 99.9 %. Seeds are fixed, so nothing here can flake.
"""

import math
from functools import lru_cache
from heapq import heappop, heappush
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Caller, Drop, Exponential, Fixed, Link, LogNormal, Poisson, Retry, Scenario, Service, Trace, run
from simulator.reading import measures

WORK = 10.0
"""The mean time of work, in milliseconds."""

BATCHES = 20
STUDENT_99_9 = 3.883
"""Student's t with 19 degrees of freedom, two-sided, 99.9 %."""

CUSTOMERS = {0.3: 20_000, 0.6: 40_000, 0.9: 100_000}
SYSTEMS = ["M/M/1", "M/M/3", "M/D/1"]


class Theory(NamedTuple):
    wait: float
    """Mean time in the queue, in milliseconds."""
    number: float
    """Mean number in the system."""


def theory(system: str, load: float) -> Theory:
    """Donald Gross and others, "Fundamentals of Queueing Theory", chapters 2 and 5."""
    servers = servers_of(system)
    arrivals = load * servers / WORK
    if system == "M/D/1":
        wait = load * WORK / (2 * (1 - load))
    else:
        offered = load * servers
        last = offered**servers / math.factorial(servers) / (1 - load)
        waits_at_all = last / (sum(offered**n / math.factorial(n) for n in range(servers)) + last)
        wait = waits_at_all * WORK / (servers * (1 - load))
    return Theory(wait, arrivals * (wait + WORK))


def servers_of(system: str) -> int:
    return int(system[-1])


class Customer(NamedTuple):
    arrived: float
    started: float
    left: float


@lru_cache
def observed(system: str, load: float) -> list[Customer]:
    """All customers of one run, in order of arrival."""
    servers = servers_of(system)
    per_second = 1_000 * load * servers / WORK
    work = Fixed(WORK) if "D" in system else Exponential(WORK)
    scenario = Scenario(
        nodes=[Caller("customers", Poisson(per_second)), Service("desk", workers=servers, work=work)],
        links=[Link("customers", "desk", latency=0)],
        duration=1_000 * CUSTOMERS[load] / per_second,
    )
    trace = run(scenario, seed=20, max_steps=10_000_000, progress=False)
    times: dict[int, list[float]] = {}
    for row in trace.rows("created", "started", "processed"):
        times.setdefault(row[4], []).append(row[1])
    return [Customer(*each) for each in times.values() if len(each) == 3]


def batches(customers: list[Customer]) -> list[tuple[float, float]]:
    """(from, to) for each batch after the first."""
    length = customers[-1].left / (BATCHES + 1)
    return [(length * n, length * (n + 1)) for n in range(1, BATCHES + 1)]


def present(customers: list[Customer], since: str, until: str, spans: list[tuple[float, float]]) -> list[float]:
    """How many were between two of their moments, on average over time, in each span."""
    changes = sorted([(getattr(each, since), 1) for each in customers] + [(getattr(each, until), -1) for each in customers])
    found, number, place, last = [], 0, 0, 0.0
    for start, end in spans:
        area = 0.0
        while place < len(changes) and changes[place][0] < end:
            time, change = changes[place]
            area += number * (time - max(last, start)) if time > start else 0.0
            number += change
            last = time
            place += 1
        area += number * (end - max(last, start))
        found.append(area / (end - start))
    return found


def interval(values: list[float]) -> tuple[float, float]:
    """(mean, half the width of its confidence interval)."""
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, STUDENT_99_9 * math.sqrt(variance / len(values))


@pytest.mark.parametrize("load", CUSTOMERS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_mean_wait_is_what_theory_says(system, load):
    customers = observed(system, load)

    waits: list[list[float]] = [[] for _ in range(BATCHES + 1)]
    for each in customers:
        waits[min(int(each.arrived / customers[-1].left * (BATCHES + 1)), BATCHES)].append(each.started - each.arrived)
    mean, half = interval([math.fsum(batch) / len(batch) for batch in waits[1:]])

    expected = theory(system, load).wait
    assert abs(mean - expected) <= half
    assert half < 0.35 * expected


@pytest.mark.parametrize("load", CUSTOMERS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_mean_number_in_the_system_is_what_theory_says(system, load):
    customers = observed(system, load)

    mean, half = interval(present(customers, "arrived", "left", batches(customers)))

    expected = theory(system, load).number
    assert abs(mean - expected) <= half
    assert half < 0.35 * expected


@pytest.mark.parametrize("load", CUSTOMERS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_utilisation_is_the_load(system, load):
    customers = observed(system, load)

    busy = present(customers, "started", "left", batches(customers))
    mean, half = interval([each / servers_of(system) for each in busy])

    assert abs(mean - load) <= half
    assert half < 0.05


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_single_wait_follows_from_arrivals_and_work(system):
    """Kiefer and Wolfowitz's recursion (1955), with one server Lindley's (1952): first come, first served, by who is free."""
    customers = observed(system, 0.6)

    free = [0.0] * servers_of(system)
    for each in customers:
        start = max(each.arrived, heappop(free))
        assert start == each.started
        heappush(free, each.left)


def test_the_measures_say_the_same_as_the_batches():
    servers, load = 3, 0.6
    scenario = Scenario(
        nodes=[Caller("customers", Poisson(180)), Service("desk", workers=servers, work=Exponential(WORK))],
        links=[Link("customers", "desk", latency=0)],
        duration=60_000,
    )

    trace = run(scenario, seed=4)

    assert measures.utilisation(trace, "desk") == pytest.approx(load, rel=0.05)
    assert measures.little(trace, "desk").number == pytest.approx(theory("M/M/3", load).number, rel=0.15)


def number_over_time(trace: Trace, came: str, went: tuple[str, ...], node: str) -> float:
    """The time-average number between coming and going at a node, found by walking through time."""
    area, number, last = [], 0, 0.0
    for row in trace.rows(came, *went):
        if row[3] == trace.node_index(node):
            area.append(number * (row[1] - last))
            number += 1 if trace[row[0]].kind == came else -1
            last = row[1]
    assert number == 0
    return math.fsum(area) / trace.scenario.duration


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    per_second=st.floats(5, 200),
    work=st.sampled_from([Fixed(8.0), Exponential(10.0), LogNormal(5.0, 1.0)]),
    workers=st.integers(1, 4),
    queue_limit=st.sampled_from([None, 0, 3]),
    latency=st.sampled_from([Fixed(0.0), Exponential(5.0)]),
    loss=st.sampled_from([0.0, 0.1]),
)
def test_littles_law_holds_on_every_trace(seed, per_second, work, workers, queue_limit, latency, loss):
    """L = λ W, exactly, on every path that begins and ends empty (Shaler Stidham, 1974): for customers and at the desk."""
    scenario = Scenario(
        nodes=[
            Caller("customers", Poisson(per_second), count=80, timeout=2_000, retry=Retry(1)),
            Service("desk", work=work, workers=workers, queue_limit=queue_limit),
        ],
        links=[Link("customers", "desk", latency=latency)],
        faults=[Drop("desk", "customers", probability=loss)],
        duration=100_000,
    )

    trace = run(scenario, seed)

    born = {step.message.id: step.time for step in trace.select("created")}
    ended = list(trace.select("completed", "abandoned", node="customers"))
    stays = [step.time - born[step.message.id] for step in ended]
    rate, mean_stay = len(stays) / scenario.duration, math.fsum(stays) / len(stays)
    number = number_over_time(trace, "created", ("completed", "abandoned"), "customers")
    assert number == pytest.approx(rate * mean_stay, rel=1e-9)

    little = measures.little(trace, "desk")
    at_the_desk = number_over_time(trace, "delivered", ("processed", "rejected"), "desk")
    assert at_the_desk == pytest.approx(little.number, rel=1e-9)
    assert little.number == pytest.approx(little.rate * little.time, rel=1e-9)
    assert little.waiting_number == pytest.approx(little.rate * little.waiting_time, rel=1e-9, abs=1e-12)
