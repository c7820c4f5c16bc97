"""What a Kafka producer puts into one request, how many it has under way, and what that does to the order."""

from __future__ import annotations

import pytest

from simulator import Drop, KafkaProducer, KafkaTopic, Trace
from tests.kafka import cluster

ONE_PARTITION = [KafkaTopic("orders")]


def batches(trace: Trace) -> list[tuple[float, int]]:
    """When each batch was closed, and how many records were in it."""
    return [(step.time, step["records"]) for step in trace.select("batched")]


def log(trace: Trace) -> list[str]:
    """The keys in the order in which the leader has them."""
    return [str(step.message.key) for step in trace.select("appended") if step["partition"] == "orders-0"]


def test_records_for_one_partition_share_a_request_until_the_first_of_them_has_lingered():
    trace = cluster(KafkaProducer("shop", every=2, count=10, linger_ms=5), topics=ONE_PARTITION)

    assert batches(trace) == [(7.0, 3), (13.0, 3), (19.0, 3), (25.0, 1)]
    assert len(list(trace.select("acknowledged"))) == 10


def test_a_full_batch_does_not_linger():
    trace = cluster(KafkaProducer("shop", every=2, count=6, linger_ms=1_000, size=100, batch_size=200), topics=ONE_PARTITION)

    assert batches(trace) == [(4.0, 2), (8.0, 2), (12.0, 2)]


def test_without_lingering_each_record_is_a_request():
    trace = cluster(KafkaProducer("shop", every=2, count=3, linger_ms=0), topics=ONE_PARTITION)

    assert batches(trace) == [(2.0, 1), (4.0, 1), (6.0, 1)]


@pytest.mark.parametrize(("idempotent", "at_once", "in_order"), [(False, 5, False), (False, 1, True), (True, 5, True)])
def test_a_request_that_is_lost_comes_after_those_behind_it_unless_it_is_alone_or_numbered(idempotent, at_once, in_order):
    shop = KafkaProducer(
        "shop", every=2, count=4, linger_ms=0, request_timeout_ms=50,
        enable_idempotence=idempotent, max_in_flight_requests_per_connection=at_once,
    )  # fmt: skip

    trace = cluster(shop, topics=ONE_PARTITION, faults=[Drop("shop", "broker-1", kind="produce", nth=2)], duration=5_000)

    assert sorted(log(trace)) == ["order-1", "order-2", "order-3", "order-4"]
    assert (log(trace) == sorted(log(trace))) == in_order
