"""A Kafka cluster with all sorts of clients, and what may go wrong in it."""

from __future__ import annotations

from hypothesis import strategies as st

from simulator import (
    Crash,
    Cut,
    KafkaBroker,
    KafkaConsumer,
    KafkaController,
    KafkaProcessor,
    KafkaProducer,
    KafkaTopic,
    Pause,
    Scenario,
    Span,
    Uniform,
    UniformKeys,
    kafka_links,
)  # fmt: skip
from simulator.engine import run_with_states
from simulator.network import Fault
from simulator.trace import Trace

BROKERS = ("one", "two", "three")


def system(*faults: Fault, acks: str | int = "all", least: int = 2, unclean: bool = False, keeps: int = -1) -> Scenario:
    """Orders from two producers, one of them in transactions; a group of two, and a processor that makes invoices of them."""
    patience = {"request_timeout_ms": 800.0}
    settings = {**patience, "delivery_timeout_ms": 4_000.0}
    group = {**patience, "auto_offset_reset": "earliest", "session_timeout_ms": 6_000.0, "heartbeat_interval_ms": 500.0}
    nodes = [
        KafkaProducer("shop", 70, acks=acks, keys=UniformKeys(5), **settings),
        KafkaProducer("till", 90, transactional_id="till", records_per_transaction=3, abort_every=3, **settings),
        KafkaController(
            "controller",
            [
                KafkaTopic(
                    "orders", 2, replication_factor=3, min_insync_replicas=least, unclean_leader_election_enable=unclean,
                    segment_bytes=500, retention_bytes=keeps,
                ),
                KafkaTopic(
                    "invoices", replication_factor=3, min_insync_replicas=least, cleanup_policy="compact", segment_bytes=500,
                    min_cleanable_dirty_ratio=0.1,
                ),
            ],
            broker_session_timeout_ms=900,
            leader_imbalance_check_interval_seconds=2,
        ),
        *(
            KafkaBroker(
                name, broker_heartbeat_interval_ms=200, replica_lag_time_max_ms=800, replica_socket_timeout_ms=600,
                replica_fetch_backoff_ms=100, group_initial_rebalance_delay_ms=200, log_retention_check_interval_ms=700,
                log_cleaner_backoff_ms=700,
            )
            for name in BROKERS
        ),
        KafkaProcessor("invoicing", topics="orders", work=4, processing_guarantee="exactly_once_v2", **settings | group),
        KafkaConsumer("billing-1", group="billing", work=4, auto_commit_interval_ms=400, **group),
        KafkaConsumer("billing-2", group="billing", work=4, auto_commit_interval_ms=400, start_at=1_000, **group),
    ]  # fmt: skip
    return Scenario(nodes, kafka_links(nodes, latency=Uniform(1, 4)), faults=faults, duration=6_000)


brokers = st.sampled_from(BROKERS)
moments = st.integers(500, 5_500)
faults = st.one_of(
    st.builds(
        lambda node, at, back: Crash(node, at=at, restart_after=back),
        st.sampled_from([*BROKERS, "billing-1", "invoicing", "till", "shop"]), moments, st.sampled_from([None, 300, 1_500]),
    ),
    st.builds(
        lambda ends, at, lasting: Cut(*ends, during=Span(at, at + lasting)),
        st.sampled_from([("one", "two"), ("two", "three"), ("one", "controller"), ("shop", "one"), ("billing-1", "three")]),
        moments, st.integers(200, 2_000),
    ),
    st.builds(lambda node, at, lasting: Pause(node, at=at, lasting=lasting), brokers, moments, st.integers(200, 2_000)),
)  # fmt: skip


@st.composite
def a_run(draw: st.DrawFn, *, careful: bool = False) -> tuple[Trace, dict[str, dict[str, object]]]:
    """A run in which up to three things go wrong, and what its nodes have on disk. ``careful``: set to lose nothing."""
    chosen = draw(st.lists(faults, max_size=3))
    careless = {
        "acks": draw(st.sampled_from(["all", 1, 0])),
        "least": draw(st.sampled_from([1, 2])),
        "unclean": draw(st.booleans()),
        "keeps": draw(st.sampled_from([-1, 1_200])),
    }
    return run_with_states(system(*chosen, **({} if careful else careless)), draw(st.integers(0, 99)))
