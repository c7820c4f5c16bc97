"""The same orders, the same work and the same trouble, with each of three brokers in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from simulator.brokers.log.cluster import KafkaTopic
from simulator.brokers.log.nodes import KafkaBroker, KafkaController
from simulator.brokers.queue.node import RabbitMQ
from simulator.brokers.sqs.node import SqsQueue
from simulator.clients.arrivals import Poisson, UniformKeys
from simulator.clients.kafka_consumer import KafkaConsumer
from simulator.clients.kafka_links import kafka_links
from simulator.clients.kafka_producer import KafkaProducer
from simulator.clients.publisher import Publisher
from simulator.clients.retry import Retry
from simulator.clients.sqs_consumer import SqsConsumer
from simulator.clients.sqs_producer import SqsProducer
from simulator.clients.subscriber import Subscriber
from simulator.network import Crash, Cut, Fault, Link, LogNormal
from simulator.scenario import Node, Scenario
from simulator.values import Range, Span

Which = Literal["Kafka", "RabbitMQ", "SQS", "SQS FIFO"]

_WORKERS = ("billing-1", "billing-2")
_WORK = LogNormal(40.0, 0.4)
_DISTANCE = 5.0
_PATIENCE = 750.0
"""How long every client waits for an answer before it asks again."""

_BREAKS = (1_200.0, 3_600.0, 7_700.0, 8_900.0, 2_300.0, 9_600.0, 600.0, 4_400.0)
"""When the network breaks, the first ones first."""

_BREAK = 200.0
_DOWN_AT, _DOWN_FOR = 5_000.0, 2_000.0


def three_brokers(
    broker: Annotated[Which, "the broker between the shop and billing"] = "Kafka",
    careful: Annotated[bool, "everything is set to lose nothing"] = True,
    broker_fails: Annotated[bool, "a machine of the broker is down from 5 to 7 s"] = True,
    billing_crashes: Annotated[bool, "billing-1 crashes in the middle of its work on its 30th order"] = True,
    breaks: Annotated[int, Range(0, 8, label="How often the network between shop and broker breaks for 200 ms")] = 3,
    orders_per_second: Annotated[float, Range(5, 40, unit="orders/s", label="Orders per second")] = 20,
) -> Scenario:
    """Two hundred orders of twenty customers, two consumers, and one broker of your choice.

    The shop makes the same orders at the same times whatever the broker, and each is as much work. ``careful`` sets all
    that the broker offers against loss: confirmed and replicated or persistent writes, and acknowledgement after the
    work. Otherwise the shop does not wait (where the broker lets it), and billing acknowledges first.
    """
    build = {"Kafka": _kafka, "RabbitMQ": _rabbitmq, "SQS": _sqs, "SQS FIFO": _sqs}[broker]
    workload = {"every": Poisson(orders_per_second), "keys": UniformKeys(20, prefix="customer-"), "count": 200}
    nodes, links, entrances, machine = build(broker, careful, workload)
    faults: list[Fault] = []
    for start in _BREAKS[:breaks]:
        faults += [Cut("shop", entrance, during=Span(start, start + _BREAK)) for entrance in entrances]
    if billing_crashes:
        faults.append(Crash("billing-1", after="started", nth=30, restart_after=1_000))
    if broker_fails and machine:
        faults.append(Crash(machine, at=_DOWN_AT, restart_after=_DOWN_FOR))
    return Scenario(nodes=nodes, links=links, faults=faults, duration=30_000, name="three_brokers")


_Built = tuple[Sequence[Node], Sequence[Link], Sequence[str], str]
"""Nodes, links, the nodes that the shop speaks to, and the one that stands for a machine that fails ("" where none does)."""


def _kafka(_: Which, careful: bool, workload: dict[str, Any]) -> _Built:
    brokers = [
        KafkaBroker(f"broker-{number}", broker_heartbeat_interval_ms=1_000, group_initial_rebalance_delay_ms=0)
        for number in (1, 2, 3)
    ]
    topic = KafkaTopic("orders", 4, replication_factor=3 if careful else 1, min_insync_replicas=2 if careful else 1)
    nodes = [
        KafkaController("controller", topic, broker_session_timeout_ms=3_000),
        *brokers,
        KafkaProducer("shop", acks="all" if careful else 0, request_timeout_ms=_PATIENCE, **workload),
        *(
            KafkaConsumer(
                name,
                group="billing",
                group_instance_id=name,
                work=_WORK,
                enable_auto_commit=False,
                commit="after" if careful else "before",
                auto_offset_reset="earliest",
                session_timeout_ms=6_000,
                heartbeat_interval_ms=1_000,
                request_timeout_ms=_PATIENCE,
            )
            for name in _WORKERS
        ),
    ]
    return nodes, kafka_links(nodes, latency=_DISTANCE, between_brokers=1), [each.name for each in brokers], "broker-1"


def _rabbitmq(_: Which, careful: bool, workload: dict[str, Any]) -> _Built:
    shop = Publisher(
        "shop",
        routing_key="orders",
        delivery_mode=2 if careful else 1,
        confirm=careful,
        timeout=_PATIENCE,
        retry=Retry(10),
        **workload,
    )
    billing = [
        Subscriber(
            name, "orders", group="billing", work=_WORK, prefetch_count=10, ack="after" if careful else "auto", heartbeat=2
        )
        for name in _WORKERS
    ]
    return [shop, RabbitMQ("rabbitmq", queues=["orders"]), *billing], _around("rabbitmq"), ["rabbitmq"], "rabbitmq"


def _sqs(which: Which, careful: bool, workload: dict[str, Any]) -> _Built:
    fifo = which == "SQS FIFO"
    queue = SqsQueue("orders.fifo" if fifo else "orders", fifo_queue=fifo, visibility_timeout=5, unreachable=0.005)
    shop = SqsProducer("shop", timeout=_PATIENCE, retry=Retry(10), **workload)
    billing = [
        SqsConsumer(name, group="billing", work=_WORK, max_number_of_messages=10, delete="after" if careful else "before")
        for name in _WORKERS
    ]
    return [shop, queue, *billing], _around(queue.name), [queue.name], ""


def _around(broker: str) -> list[Link]:
    return [Link("shop", broker, latency=_DISTANCE), *(Link(broker, name, latency=_DISTANCE) for name in _WORKERS)]
