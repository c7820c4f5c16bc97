"""Same scenario, same seed: the same trace, everywhere; and a change changes nothing but its consequences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

import simulator
from simulator import (
    Consumer,
    Drop,
    Link,
    Node,
    Poisson,
    Producer,
    Scenario,
    Topic,
    Trace,
    Uniform,
    ZipfKeys,
    run,
)
from tests.golden.fingerprints import EXACT, PATH, RUNS, SEED, found
from tests.strategies import seeds, streams

ROOT = Path(simulator.__file__).parent.parent
STORED = json.loads(PATH.read_text(encoding="utf-8"))


@settings(max_examples=30)
@given(streams(), seeds)
def test_the_same_scenario_and_seed_give_the_same_trace(scenario: Scenario, seed: int):
    assert run(scenario, seed) == run(scenario, seed)


@pytest.mark.parametrize("name", RUNS)
def test_a_reference_run_has_its_stored_fingerprint(name: str):
    """Where a change was meant, store the new ones: python -m tests.golden."""
    assert found(name) == STORED[name]


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_another_process_with_another_hash_seed_gives_the_same_digests(hash_seed: str):
    code = (
        "from tests.golden.fingerprints import EXACT, RUNS, SEED\n"
        "from simulator import run\n"
        "for name in EXACT: print(run(RUNS[name](), SEED).digest)"
    )
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}

    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert told.stdout.split() == [run(RUNS[name](), SEED).digest for name in EXACT]


def test_another_seed_gives_another_trace():
    scenario = RUNS["everything goes wrong"]()

    assert len({run(scenario, seed).digest for seed in range(5)}) == 5


SHOP = Scenario(
    [
        Producer("shop", Poisson(50), keys=ZipfKeys(20)),
        Topic("orders", partitions=3),
        Consumer("billing", work=Uniform(1, 9), auto_offset_reset="earliest"),
        Producer("sensor", Poisson(80), keys=[None]),
        Topic("readings", partitions=4),
        Consumer("monitor", work=Uniform(1, 3), auto_offset_reset="earliest"),
    ],
    [
        Link("shop", "orders", latency=Uniform(1, 20)),
        Link("orders", "billing", latency=Uniform(1, 5)),
        Link("sensor", "readings", latency=Uniform(1, 20)),
        Link("readings", "monitor", latency=Uniform(1, 5)),
    ],
    [Drop("shop", "orders", probability=0.1), Drop("sensor", "readings", probability=0.1)],
    duration=3_000,
)


def told(trace: Trace, *nodes: str) -> list[tuple[object, ...]]:
    """All that happened at these nodes, but for numbers that count the whole run's messages and steps."""
    return [
        (step.time, step.kind, step.node, step.message and (step.message.kind, step.message.key), dict(step.data))
        for step in trace.select(node=nodes)
    ]


ELSEWHERE = ("sensor", "readings", "monitor")


@pytest.mark.parametrize(
    "changed",
    [
        SHOP.but(nodes=[Node("newcomer"), *SHOP.nodes]),
        SHOP.but(nodes=[*SHOP.nodes, Producer("market", Poisson(30))], links=[*SHOP.links, Link("market", "orders")]),
        SHOP.but(nodes=SHOP.nodes[3:], links=SHOP.links[2:], faults=SHOP.faults[1:]),
        SHOP.but_node("shop", every=Poisson(200)),
        SHOP.but_node("shop", keys=ZipfKeys(500)),
        SHOP.but_node("orders", partitions=5),
        SHOP.but_node("billing", work=Uniform(20, 30)),
        SHOP.but(links=[Link("shop", "orders", latency=50), *SHOP.links[1:]]),
        SHOP.but(faults=[Drop("shop", "orders", probability=0.9), *SHOP.faults]),
        SHOP.but(faults=SHOP.faults[1:]),
    ],
    ids=[
        "a node more", "a producer more", "all nodes less", "arrivals", "keys", "partitions", "work", "a latency",
        "a fault more", "a fault less",
    ],
)  # fmt: skip
def test_a_change_here_leaves_everything_elsewhere_as_it_was(changed: Scenario):
    before, after = run(SHOP, 11), run(changed, 11)

    assert told(after, *ELSEWHERE) == told(before, *ELSEWHERE)
    assert len(told(before, *ELSEWHERE)) > 1_000


def test_a_change_of_a_consumer_leaves_what_its_producer_does_as_it_was():
    before, after = run(SHOP, 11), run(SHOP.but_node("billing", work=Uniform(20, 30)), 11)

    assert told(after, "shop") == told(before, "shop")
    assert told(after, "billing") != told(before, "billing")


def test_one_producer_more_leaves_the_others_customers_as_they_were():
    market = SHOP.but(nodes=[*SHOP.nodes, Producer("market", Poisson(30))], links=[*SHOP.links, Link("market", "orders")])

    def customers(trace: Trace) -> list[tuple[float, object]]:
        return [(step.time, step.message and step.message.key) for step in trace.select("created", node="shop")]

    assert customers(run(market, 11)) == customers(run(SHOP, 11))


def test_a_longer_run_begins_like_the_shorter_one():
    short, long = run(SHOP, 11), run(SHOP.but(duration=4_000), 11)

    assert list(short) == list(long)[: len(short)]
