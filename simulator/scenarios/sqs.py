"""What a queue like Amazon SQS does with orders: hides them, brings them back, keeps the order within a group."""

from __future__ import annotations

from typing import Annotated

from simulator.brokers.sqs.attributes import RedrivePolicy
from simulator.brokers.sqs.node import SqsQueue
from simulator.clients.sqs_consumer import SqsConsumer
from simulator.clients.sqs_producer import SqsProducer
from simulator.network import Crash, Drop, Fault, Link
from simulator.scenario import Node, Scenario
from simulator.values import Range

_CUSTOMERS = ("anna", "anna", "ben", "anna", "ben", "ben")


def visibility_timeout(
    visibility_timeout: Annotated[int, Range(1, 10, unit="s", label="Visibility timeout")] = 2,
    work_ms: Annotated[float, Range(500, 8_000, unit="ms", label="Time the work on an order takes")] = 3_000,
    extend: Annotated[bool, "billing hides an order anew while it works on it"] = False,
    max_receive_count: Annotated[int | None, Range(1, 10, label="Receives until it is given up")] = None,
    consumers: Annotated[int, Range(1, 4, label="Consumers that share the queue")] = 2,
    crash: Annotated[bool, "billing-1 crashes while it works on its first order"] = False,
) -> Scenario:
    """Two orders, two consumers, and the work on an order takes longer than the queue hides it.

    An order that is received stays in the queue, hidden for the visibility timeout; whoever has worked on it deletes
    it. Where the work takes longer, the order is visible again meanwhile and the next one receives it too. A longer
    timeout helps, at a price: after a crash it takes that long until anybody can have the order.
    """
    names = [f"billing-{number}" for number in range(1, consumers + 1)]
    policy = None if max_receive_count is None else RedrivePolicy("dead-orders", max_receive_count)
    queue = SqsQueue("orders", visibility_timeout=visibility_timeout, redrive_policy=policy)
    # Three renewals in a timeout: one that is lost or late does no harm.
    heartbeat = visibility_timeout * 1_000 / 3 if extend else None
    nodes: list[Node] = [SqsProducer("shop", every=500, count=2), queue]
    links = [Link("shop", "orders", latency=10)]
    if policy is not None:
        nodes.append(SqsQueue("dead-orders"))
        links.append(Link("orders", "dead-orders", latency=10))
    for name in names:
        nodes.append(SqsConsumer(name, group="billing", work=work_ms, heartbeat=heartbeat))
        links.append(Link("orders", name, latency=10))
    faults: list[Fault] = [Crash("billing-1", after="started", restart_after=500)] if crash else []
    return Scenario(nodes=nodes, links=links, faults=faults, duration=15_000, name="visibility_timeout")


def message_groups(
    fifo_queue: Annotated[bool, "a FIFO queue, with a message group for each customer"] = True,
    crash: Annotated[bool, "billing-1 crashes while it works on anna's first order"] = True,
    lost_answer: Annotated[bool, "the queue's answer to the third order is lost, and the shop sends it again"] = False,
    visibility_timeout: Annotated[int, Range(1, 10, unit="s", label="Visibility timeout")] = 3,
) -> Scenario:
    """Six orders of two customers, and the consumer that has anna's first order in hand crashes.

    A standard queue hands out whatever is visible: anna's later orders are done before her first. A FIFO queue hands
    out nothing of a group while one of its messages is in flight: anna's orders wait until the visibility timeout has
    brought back her first, and ben's go on. It also recognises an order that it was sent a second time.
    """
    name = "orders.fifo" if fifo_queue else "orders"
    workers = ("billing-1", "billing-2")
    faults: list[Fault] = []
    if crash:
        faults.append(Crash("billing-1", after="started", restart_after=1_500))
    if lost_answer:
        faults.append(Drop(name, "shop", kind="reply", nth=3))
    return Scenario(
        nodes=[
            SqsProducer("shop", every=100, keys=[*_CUSTOMERS], count=len(_CUSTOMERS)),
            SqsQueue(name, fifo_queue=fifo_queue, visibility_timeout=visibility_timeout),
            *(SqsConsumer(worker, group="billing", work=150) for worker in workers),
        ],
        links=[Link("shop", name, latency=5), *(Link(name, worker, latency=5) for worker in workers)],
        faults=faults,
        duration=8_000,
        name="message_groups",
    )
