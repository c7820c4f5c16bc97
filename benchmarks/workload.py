"""The reference workload: what the engine's speed is measured on."""

from __future__ import annotations

from simulator import Consumer, Drop, Duplicate, Link, Poisson, Producer, Scenario, Topic, Uniform, ZipfKeys

PRODUCERS, PARTITIONS, CONSUMERS = 3, 6, 3
PER_SECOND, KEYS = 100.0, 1_000
LOW, HIGH, LOSS, DUPLICATES, COPY_AFTER = 1.0, 9.0, 0.01, 0.01, 3.0
FETCH_LATENCY, WORK = 1.0, 5.0


def reference(duration: float) -> Scenario:
    """Three producers with Poisson arrivals and Zipf keys, over links with jitter, loss and duplicates, to six partitions;
    a group of three consumers that fetch, work and commit."""
    producers = [f"producer-{number}" for number in range(1, PRODUCERS + 1)]
    consumers = [f"consumer-{number}" for number in range(1, CONSUMERS + 1)]
    return Scenario(
        nodes=[
            *(Producer(name, Poisson(PER_SECOND), keys=ZipfKeys(KEYS)) for name in producers),
            Topic("orders", PARTITIONS),
            *(Consumer(name, group="billing", work=WORK, auto_offset_reset="earliest") for name in consumers),
        ],
        links=[
            *(Link(name, "orders", latency=Uniform(LOW, HIGH)) for name in producers),
            *(Link("orders", name, latency=FETCH_LATENCY) for name in consumers),
        ],
        faults=[
            fault
            for name in producers
            for fault in (
                Drop(name, "orders", probability=LOSS),
                Duplicate(name, "orders", probability=DUPLICATES, after=COPY_AFTER),
            )
        ],
        duration=duration,
        name="reference",
    )
