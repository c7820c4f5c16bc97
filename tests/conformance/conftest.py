"""The real systems that the conformance tests talk to, started once for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import kafka_mock as kafka
from tests.conformance import rabbitmq_server
from tests.conformance.kafka_mock import MockCluster
from tests.conformance.rabbitmq_server import RabbitMQServer


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQServer]:
    """A real RabbitMQ server of this session's own."""
    pytest.importorskip("pika", reason="RabbitMQ's client pika is missing; pip install pika")
    if rabbitmq_server.program() is None:
        pytest.skip(f"RabbitMQ is missing; {rabbitmq_server.HOW_TO_INSTALL}")
    folder: Path = tmp_path_factory.mktemp("rabbitmq")
    with rabbitmq_server.running(folder) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_mock() -> Iterator[MockCluster]:
    """A mock cluster of three brokers, for the real clients of this session."""
    client = pytest.importorskip("confluent_kafka", reason=f"Kafka's client is missing; {kafka.HOW_TO_INSTALL}")
    try:
        library = kafka.library(client)
    except (AttributeError, OSError) as missing:
        pytest.skip(f"librdkafka's mock cluster can't be reached here ({missing}); it can on Linux and macOS")
    with kafka.running(library) as cluster:
        yield cluster
