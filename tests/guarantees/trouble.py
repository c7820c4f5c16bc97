"""What may go wrong in a Kafka cluster of three brokers, at random, and is over within three seconds."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from attrs import evolve
from hypothesis import strategies as st

from simulator import (
    Crash,
    Cut,
    Drop,
    Duplicate,
    KafkaBroker,
    KafkaConsumer,
    KafkaProducer,
    KafkaTopic,
    Pause,
    Slow,
    Span,
    Trace,
)
from tests.kafka import SWIFT, swift

NAMES = tuple(broker.name for broker in SWIFT)

ORDERS = KafkaTopic("orders", partitions=2, replication_factor=3, min_insync_replicas=2)
SHOP = KafkaProducer(
    "shop", every=30, count=80, keys=["a", "b", "c"], linger_ms=0, request_timeout_ms=250, retry_backoff_ms=20,
    delivery_timeout_ms=4_000,
)  # fmt: skip
AUDIT = KafkaConsumer(
    "audit", auto_offset_reset="earliest", work=0, request_timeout_ms=300, fetch_max_wait_ms=100, session_timeout_ms=500,
    heartbeat_interval_ms=100,
)  # fmt: skip

AMONG = [*combinations(NAMES, 2), *(("controller", name) for name in NAMES)]

seeds = st.integers(0, 2**32)
times = st.integers(50, 2_500)
lasts = st.integers(20, 1_500)
spans = st.builds(lambda start, lasting: Span(start, min(start + lasting, 3_000)), times, lasts)


def crashes(*brokers: str) -> st.SearchStrategy[Crash]:
    """A broker goes, at some time or after some step of its own, and comes back."""
    steps = st.sampled_from(["appended", "replicated", "sent", "delivered", "promoted"])
    when = st.one_of(
        st.fixed_dictionaries({"at": times}), st.fixed_dictionaries({"after": steps, "nth": st.integers(1, 60)})
    )
    return st.builds(
        lambda broker, back, when: Crash(broker, restart_after=back, **when), st.sampled_from(brokers), lasts, when
    )


def on_links(ends: list[tuple[str, str]], *kinds: str) -> st.SearchStrategy[Any]:
    """A link is cut, or loses, doubles or delays some of what goes one way."""
    ways = st.sampled_from([way for one, other in ends for way in ((one, other), (other, one))])
    some = st.fixed_dictionaries(
        {"kind": st.sampled_from(kinds), "during": spans, "probability": st.sampled_from([0.1, 0.5, 1.0])}
    )
    return st.one_of(
        st.builds(
            lambda way, during, how: Cut(*way, during=during, direction=how), ways, spans, st.sampled_from(["both", "there"])
        ),
        st.builds(lambda way, some: Drop(*way, **some), ways, some),
        st.builds(lambda way, some, after: Duplicate(*way, after=after, **some), ways, some, st.integers(0, 100)),
        st.builds(lambda way, some, by: Slow(*way, by=by, **some), ways, some, st.integers(1, 100)),
    )


pauses = st.builds(lambda broker, at, lasting: Pause(broker, at=at, lasting=lasting), st.sampled_from(NAMES), times, lasts)


def among(*clients: str) -> st.SearchStrategy[list[Any]]:
    """Any number of things, at once too, that go wrong among the brokers and between them and these clients."""
    outside = [(client, name) for client in clients for name in NAMES]
    return st.lists(
        st.one_of(
            crashes(*NAMES),
            pauses,
            on_links(AMONG, "replicate", "leadership", "alter_isr", "broker_heartbeat"),
            on_links(outside, "produce", "ack", "fetch", "records", "metadata"),
        ),
        max_size=6,
    )


trouble = among("shop")


@st.composite
def stopping(draw: st.DrawFn) -> list[KafkaBroker]:
    """The brokers, one of which an operator may stop in good order and start again."""
    brokers = list(SWIFT)
    place = draw(st.none() | st.integers(0, 2))
    if place is not None:
        brokers[place] = evolve(brokers[place], shut_down_at=draw(times), start_again_after=draw(lasts))
    return brokers


def played(*clients: Any, seed: int, faults: Any, topic: KafkaTopic = ORDERS, **how: Any) -> Trace:
    """A run that goes on until everything has healed."""
    return swift(*clients, seed=seed, topics=[topic], faults=faults, **{"duration": 7_000, **how})
