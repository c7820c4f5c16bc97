"""What may go wrong in a Kafka cluster of three brokers, at random, and is over within three seconds."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from attrs import evolve
from hypothesis import strategies as st

from simulator import KafkaBroker, KafkaConsumer, KafkaProducer, KafkaTopic, Trace
from tests.guarantees.faults import crashes, lasts, on_links, pauses, times
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
OUTSIDE = [(client.name, name) for client in (SHOP, AUDIT) for name in NAMES]

trouble = st.lists(
    st.one_of(
        crashes(NAMES, "appended", "replicated", "sent", "delivered", "promoted"),
        pauses(NAMES),
        on_links(AMONG, "replicate", "leadership", "alter_isr", "broker_heartbeat"),
        on_links(OUTSIDE, "produce", "ack", "fetch", "records", "metadata"),
    ),
    max_size=6,
)
"""Any number of things, at once too."""


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
