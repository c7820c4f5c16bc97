"""The links that a Kafka cluster and its clients need."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product

from simulator.brokers.log.nodes import KafkaBroker, KafkaController
from simulator.clients.kafka_settings import KafkaClient, KafkaReader
from simulator.network import Latency, Link, as_latency
from simulator.scenario import Node


def kafka_links(
    nodes: Iterable[Node], *, latency: float | Latency = 1.0, between_brokers: float | Latency | None = None
) -> list[Link]:
    """Links among a cluster's nodes: brokers with each other and with the controller, every client with every broker.

    ``latency`` is a client's way to a broker, ``between_brokers`` a broker's way to the others and the controller (the same
    if it is not given). Each link is ordered, as a TCP connection is: nothing overtakes on the way. Other nodes are passed over.
    """
    given = list(nodes)
    outside = as_latency(latency)
    inside = outside if between_brokers is None else as_latency(between_brokers)
    brokers = [node.name for node in given if isinstance(node, KafkaBroker)]
    controllers = [node.name for node in given if isinstance(node, KafkaController)]
    pairs = (*product(controllers, brokers), *combinations(brokers, 2))
    links = [Link(one, other, latency=inside, ordered=True) for one, other in pairs]
    for node in given:
        if isinstance(node, KafkaReader):
            links += [Link(each, node.name, latency=outside, ordered=True) for each in brokers]
        elif isinstance(node, KafkaClient):
            links += [Link(node.name, each, latency=outside, ordered=True) for each in brokers]
    return links
