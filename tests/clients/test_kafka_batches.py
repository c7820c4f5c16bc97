"""What a Kafka producer puts into one request, how many it has under way, and what that does to the order."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest

from simulator import Drop, KafkaBroker, KafkaProducer, KafkaTopic, ListedKeys, Slow, Trace
from tests.kafka import SWIFT_CLIENT, cluster, log, orders, swift

ONE_PARTITION = [KafkaTopic("orders")]


def batches(trace: Trace) -> list[tuple[float, int]]:
    """When each batch was closed, and how many records were in it."""
    return [(step.time, step["records"]) for step in trace.select("batched")]


def under_way(trace: Trace, producer: str = "shop") -> int:
    """How many produce requests were under way at a time at most."""
    open_requests, most = set(), 0
    for step in trace.select("sent", "delivered", "timed_out"):
        if step.message is None or step.node != producer:
            continue
        if step.kind == "sent" and step.message.kind == "produce":
            open_requests.add(step.message.id)
        elif step.kind == "timed_out":
            open_requests.discard(step.message.id)
        elif step.message.kind == "ack":
            open_requests.discard(step.message.in_reply_to)
        most = max(most, len(open_requests))
    return most


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

    assert sorted(log(trace)) == orders(4)
    assert (log(trace) == orders(4)) == in_order


def test_a_batch_that_must_wait_for_others_to_come_back_takes_more_records():
    shop = KafkaProducer(
        "shop", every=1, count=6, linger_ms=0, enable_idempotence=False, max_in_flight_requests_per_connection=1
    )

    trace = cluster(shop, topics=ONE_PARTITION, latency=5)

    assert batches(trace) == [(1.0, 1), (11.0, 5)]


def test_nothing_leaves_before_an_idempotent_producer_has_its_id():
    shop = KafkaProducer("shop", every=1, count=6, linger_ms=0)

    trace = cluster(shop, topics=ONE_PARTITION, faults=[Slow("shop", "broker-1", kind="init_producer", by=100)])

    assert batches(trace) == [(102.0, 6)]


def test_no_more_requests_are_under_way_to_a_broker_than_it_says():
    for most in (1, 2, 5):
        shop = KafkaProducer("shop", every=1, count=100, linger_ms=0, max_in_flight_requests_per_connection=most)

        trace = cluster(shop, topics=[KafkaTopic("orders", partitions=1)], latency=10)

        assert under_way(trace) == most
        assert log(trace) == orders(100)


def test_every_partition_has_its_turn_when_few_requests_may_be_under_way():
    shop = KafkaProducer("shop", every=1, count=200, linger_ms=0, batch_size=100, max_in_flight_requests_per_connection=1)

    trace = cluster(
        shop, topics=[KafkaTopic("orders", partitions=3)], brokers=[KafkaBroker("broker-1")], latency=10, duration=600
    )

    sent = Counter(step["partition"] for step in trace.select("batched"))
    assert max(sent.values()) - min(sent.values()) <= 1


def test_records_without_a_key_stay_with_a_partition_for_the_bytes_of_a_batch():
    shop = KafkaProducer("shop", every=10, count=100, keys=[None], size=100, batch_size=1_000, linger_ms=0)

    trace = cluster(shop, topics=[KafkaTopic("orders", partitions=4)])

    places = [step["partition"] for step in trace.select("appended") if step["partition"].startswith("orders")]
    assert [len(set(places[at : at + 10])) for at in range(0, 100, 10)] == [1] * 10
    assert len(set(places)) > 1


def test_a_partition_is_not_left_in_the_middle_of_a_batch_unless_twice_its_bytes_have_gone_there():
    shop = KafkaProducer("shop", every=1, count=70, keys=[None], size=100, batch_size=1_000, linger_ms=15)

    trace = cluster(shop, topics=[KafkaTopic("orders", partitions=4)])

    runs = [len(list(run)) for _, run in groupby(step["partition"] for step in trace.select("batched"))]
    assert [step["records"] for step in trace.select("batched")][:6] == [10] * 6
    assert set(runs[:-1]) == {1}


def test_records_without_a_key_rather_go_where_fewer_batches_wait():
    shop = KafkaProducer("shop", every=1, count=400, keys=[None], size=100, batch_size=100, linger_ms=0)
    nothing_comes = Drop("shop", "broker-1", kind="produce")

    trace = cluster(shop, topics=[KafkaTopic("orders", partitions=2)], faults=[nothing_comes], duration=1_000)

    made = Counter(step["partition"] for step in trace.select("batched"))
    assert made["orders-1"] > 300
    # The first batch goes alone, and is not answered.
    assert made["orders-0"] == 1


def test_records_with_and_without_a_key_may_share_a_batch():
    shop = KafkaProducer("shop", every=1, count=4, keys=ListedKeys(["a", None]), linger_ms=20)

    trace = cluster(shop, topics=ONE_PARTITION)

    assert [records for _, records in batches(trace)] == [4]


def test_a_batch_that_waits_for_its_next_attempt_holds_up_those_behind_it():
    shop = KafkaProducer(
        "shop",
        every=50,
        count=10,
        linger_ms=0,
        enable_idempotence=False,
        max_in_flight_requests_per_connection=1,
        **SWIFT_CLIENT,
    )

    trace = swift(shop, topics=ONE_PARTITION, faults=[Drop("shop", "broker-1", kind="produce", nth=2)], duration=3_000)

    assert log(trace) == orders(10)
