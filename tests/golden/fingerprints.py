"""Reference runs and the fingerprints that they must have, on every version of Python."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from attrs import evolve

from benchmarks.workload import reference
from simulator import (
    Caller,
    CircuitBreaker,
    Consumer,
    Crash,
    Cut,
    Drop,
    Duplicate,
    Election,
    Exponential,
    KafkaConsumer,
    KafkaProcessor,
    KafkaProducer,
    KafkaTopic,
    Link,
    ListedKeys,
    LogNormal,
    Pause,
    Producer,
    Retry,
    Scenario,
    Service,
    Slow,
    Span,
    Topic,
    Trace,
    Uniform,
    UniformKeys,
    run,
)
from simulator.message import thaw
from simulator.scenarios import SCENARIOS
from tests.kafka import SWIFT, SWIFT_CLIENT, SWIFT_READER, SWIFT_SESSION, cluster_of

PATH = Path(__file__).with_name("fingerprints.json")
SEED = 7


def everything_goes_wrong() -> Scenario:
    """Every fault, and every latency and client whose numbers need no logarithm: the same in the last bit everywhere."""
    return Scenario(
        [
            Producer("shop", 15, keys=UniformKeys(5), request_timeout_ms=50, retry_backoff_ms=10, delivery_timeout_ms=400),
            Producer("till", 40, keys=ListedKeys(["x", None, "y"]), acks=0),
            Topic("orders", partitions=3),
            Consumer(
                "billing", work=Uniform(5, 20), concurrency=2, idempotent=True, request_timeout_ms=90, fetch_max_wait_ms=60
            ),
            Consumer(
                "shipping", group="goods", commit="before", work=4, request_timeout_ms=90, auto_offset_reset="earliest"
            ),
            Consumer("returns", group="goods", commit_sync=True, work=9, request_timeout_ms=90),
        ],
        [
            Link("shop", "orders", latency=Uniform(1, 9)),
            Link("till", "orders", latency=2, bandwidth=5, ordered=True),
            Link("orders", "billing", latency=Uniform(1, 3), ordered=True),
            Link("orders", "shipping"),
            Link("orders", "returns", latency=Uniform(0, 30)),
        ],
        [
            Drop("shop", "orders", probability=0.1),
            Drop("orders", "shop", kind="ack", nth=4),
            Duplicate("orders", "billing", kind="records", probability=0.3, after=2, jitter=5),
            Slow("orders", "returns", factor=2, by=3, jitter=4, during=Span(300, 600)),
            Cut("orders", "shipping", during=Span(500, 700)),
            Cut("billing", "orders", direction="there", during=Span(900, 1_000)),
            Crash("billing", after="processed", nth=9, restart_after=70),
            Crash("orders", at=800, restart_after=30),
            Crash("shop", after="acknowledged", nth=20, restart_after=100),
            Pause("shipping", at=1_100, lasting=150),
            Pause("billing", after="fetched", nth=30, lasting=40),
        ],
        duration=2_000,
        name="everything goes wrong",
    )


def asking() -> Scenario:
    """Requests that queue, time out, are refused and tried again."""
    return Scenario(
        [
            Caller("customers", 12, timeout=60, retry=Retry(2, backoff=10), breaker=CircuitBreaker(4, reset_after=80)),
            Service("desk", workers=2, queue_limit=3, work=Uniform(10, 40), calls="bank", call_timeout=40, retry=Retry(1)),
            Service("bank", work=Uniform(2, 12), idempotent=True),
        ],
        [Link("customers", "desk", latency=Uniform(1, 3)), Link("desk", "bank")],
        [Drop("bank", "desk", probability=0.1), Crash("bank", at=700, restart_after=100), Pause("desk", at=300, lasting=90)],
        duration=1_500,
        name="asking",
    )


def a_cluster_in_trouble() -> Scenario:
    """Everything that a Kafka cluster does, while its brokers crash, sleep, stop and are cut off, and messages get lost."""
    topics = [
        KafkaTopic("orders", partitions=3, replication_factor=3, min_insync_replicas=2, segment_bytes=1_000, retention_ms=2_000),
        KafkaTopic("invoices", 2, replication_factor=3, min_insync_replicas=2),
        KafkaTopic("stock", replication_factor=2, cleanup_policy="compact", segment_bytes=500, min_cleanable_dirty_ratio=0.1,
                   unclean_leader_election_enable=True),
    ]  # fmt: skip
    brokers = [evolve(broker, log_retention_check_interval_ms=500, log_cleaner_backoff_ms=300) for broker in SWIFT]
    brokers[1] = evolve(brokers[1], shut_down_at=3_200, start_again_after=400)
    patience = {"delivery_timeout_ms": 2_000}
    return cluster_of(
        KafkaProducer("shop", 25, keys=UniformKeys(5), **SWIFT_CLIENT, **patience),
        KafkaProducer("till", 60, keys=["x", None, "y"], acks=1, **SWIFT_CLIENT, **patience),
        KafkaProducer(
            "store", 40, topic="stock", keys=UniformKeys(4), tombstone_every=9, acks=0, **SWIFT_CLIENT, **patience
        ),
        KafkaProducer("market", 90, transactional_id="market", abort_every=3, **SWIFT_CLIENT, **patience),
        KafkaProcessor("billing", work=4, processing_guarantee="exactly_once_v2", **SWIFT_READER, **patience),
        KafkaConsumer(
            "mail", topics="invoices", group="post", isolation_level="read_committed", work=Uniform(1, 9), **SWIFT_READER
        ),
        KafkaConsumer("print", topics="invoices", group="post", start_at=1_000, close_at=4_000, **SWIFT_READER),
        topics=topics,
        brokers=brokers,
        broker_session_timeout_ms=SWIFT_SESSION,
        leader_imbalance_check_interval_seconds=1.5,
        elections=[Election(1_900, "stock", election_type="unclean"), Election(4_500, "invoices", 1)],
        faults=[
            Crash("broker-1", after="appended", nth=30, restart_after=300),
            Crash("broker-3", at=2_000, restart_after=900),
            Crash("billing", after="processed", nth=25, restart_after=300),
            Crash("market", at=2_700, restart_after=100),
            Pause("broker-2", at=1_200, lasting=700),
            Cut("broker-1", "controller", during=Span(4_100, 4_900)),
            Cut("broker-1", "broker-3", during=Span(3_300, 3_600)),
            Cut("mail", "broker-2", direction="there", during=Span(900, 1_100)),
            Drop("broker-1", "broker-2", kind="replicate", probability=0.1),
            Drop("controller", "broker-3", kind="leadership", nth=2),
            Drop("broker-2", "shop", kind="ack", probability=0.2),
            Duplicate("broker-3", "controller", kind="broker_heartbeat", probability=0.3, after=40),
            Duplicate("shop", "broker-1", kind="produce", probability=0.2, after=3, jitter=9),
            Slow("broker-3", "broker-1", by=3, jitter=20, during=Span(500, 1_500)),
        ],
        duration=6_000,
        latency=Uniform(1, 4),
    ).but(name="a cluster in trouble")


def logarithms() -> Scenario:
    """Latencies whose last bit depends on the C library's logarithm."""
    return Scenario(
        [Producer("shop", 10), Topic("orders"), Consumer("billing", work=Exponential(6))],
        [Link("shop", "orders", latency=LogNormal(5, 1)), Link("orders", "billing", latency=Exponential(3))],
        duration=1_500,
        name="logarithms",
    )


EXACT = ("everything goes wrong", "asking", "a cluster in trouble")
"""The runs that are the same in every bit wherever Python computes as IEEE 754 says."""

RUNS: dict[str, Callable[[], Scenario]] = {
    "everything goes wrong": everything_goes_wrong,
    "asking": asking,
    "a cluster in trouble": a_cluster_in_trouble,
    "logarithms": logarithms,
    "reference workload": lambda: reference(1_000),
    **{f"scenario {name}": scenario for name, scenario in SCENARIOS.items()},
}


def fingerprint(trace: Trace) -> str:
    """What happened, with times to the nanosecond, in 16 digits."""
    told = hashlib.sha256()
    for step in trace:
        message = step.message and [step.message.id, step.message.kind, step.message.key, thaw(step.message.payload)]
        line = [round(step.time, 6), step.kind, step.node, message, step.cause, dict(step.data)]
        told.update(json.dumps(line).encode())
    return told.hexdigest()[:16]


def found(name: str) -> dict[str, str | int]:
    """What there is to say about one of the runs."""
    trace = run(RUNS[name](), SEED)
    exact = {"digest": trace.digest} if name in EXACT else {}
    return {"steps": len(trace), "fingerprint": fingerprint(trace), **exact}


def as_text() -> str:
    """All of them, as they are stored."""
    return json.dumps({name: found(name) for name in RUNS}, indent=1) + "\n"
