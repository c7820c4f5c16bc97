"""The real systems that the conformance tests talk to, started once for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import rabbitmq_server
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
