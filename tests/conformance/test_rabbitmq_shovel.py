"""Our shovel beside RabbitMQ's own: the same dead letters, moved by the same settings, lie in the same places with the same
history."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pika
import pytest

from simulator import Bound, Crash, Link, Publisher, QueueDeclared, RabbitMQ, Scenario, Shovel, Subscriber
from simulator.engine import run_with_states
from tests.conformance.rabbitmq_twin import plain

pytestmark = pytest.mark.conformance

PATIENCE = 20.0
"""Seconds within which the real shovels must have done their work."""

MESSAGES = 4
QUEUES = ("work", "dead", "audit")
SHOVELS: dict[str, dict[str, Any]] = {
    "two of them": {"dest_queue": "work", "src_delete_after": 2},
    "all that is there": {"dest_queue": "audit", "src_delete_after": "queue-length", "src_prefetch_count": 1},
    "without confirms": {"dest_queue": "audit", "src_delete_after": 3, "ack_mode": "on-publish"},
    "to an exchange": {"dest_exchange": "amq.direct", "dest_exchange_key": "work", "src_delete_after": 3},
    "by its own key": {"dest_exchange": "amq.direct", "src_delete_after": 1},
}
Found = dict[str, list[tuple[str, Any]]]
"""By queue: the routing key and the history of each message."""


def named(case: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with the names of this case's own queues."""
    queues = ("src_queue", "dest_queue", "dest_exchange_key")
    given = {"src_queue": "dead", **settings}
    return {name: f"{case}: {value}" if name in queues else value for name, value in given.items()}


def ours(case: str, settings: Mapping[str, Any]) -> Found:
    work, dead, audit = names = [f"{case}: {queue}" for queue in QUEUES]
    queues = [QueueDeclared(work, dead_letter_exchange="", dead_letter_routing_key=dead), dead, audit]
    scenario = Scenario(
        [
            Publisher("shop", 10, routing_key=work, count=MESSAGES, expiration=600_000, delivery_mode=2),
            RabbitMQ("rabbit", queues=queues, bindings=[Bound("amq.direct", name, name) for name in names]),
            Subscriber("billing", work, poison=[f"order-{number + 1}" for number in range(MESSAGES)], requeue=False),
            Shovel("redrive", at=1_000, **named(case, settings)),
        ],
        [Link("shop", "rabbit"), Link("rabbit", "billing"), Link("rabbit", "redrive")],
        # Whoever set them aside is gone when the shovel begins.
        [Crash("billing", at=500), Crash("rabbit", at=600, restart_after=1)],
        duration=5_000,
    )
    broker = run_with_states(scenario)[1]["rabbit"]["broker"]
    envelopes = {queue: [item.envelope for item in broker.queues[queue].ready] for queue in names}
    return {
        queue: [(each.routing_key, plain(each.content.headers["x-death"])) for each in found]
        for queue, found in envelopes.items()
    }


def set_aside(channel: Any, case: str) -> None:
    """The same dead letters on the real server."""
    work, dead, audit = (f"{case}: {queue}" for queue in QUEUES)
    channel.queue_declare(dead)
    channel.queue_declare(audit)
    channel.queue_declare(work, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
    for number in range(MESSAGES):
        channel.basic_publish("", work, f"{number}".encode(), pika.BasicProperties(expiration="600000"))
        method, *_ = channel.basic_get(work)
        channel.basic_reject(method.delivery_tag, requeue=False)


def parameter(case: str, settings: Mapping[str, Any], uri: str) -> dict[str, Any]:
    value = {name.replace("_", "-"): held for name, held in named(case, settings).items()}
    return {"component": "shovel", "vhost": "/", "name": case, "value": {"src-uri": uri, "dest-uri": uri, **value}}


def until_they_have(channel: Any, counts: dict[str, int]) -> None:
    until = time.monotonic() + PATIENCE
    while {name: channel.queue_declare(name, passive=True).method.message_count for name in counts} != counts:
        assert time.monotonic() < until, f"the real shovels did not come to {counts}"
        time.sleep(0.05)


def message(channel: Any, queue: str) -> tuple[str, Any]:
    method, properties, _ = channel.basic_get(queue, auto_ack=True)
    return method.routing_key, plain(properties.headers["x-death"])


def test_dead_letters_lie_where_real_shovels_leave_them(rabbitmq):
    expected = {queue: found for case, settings in SHOVELS.items() for queue, found in ours(case, settings).items()}
    connection = rabbitmq.connect()
    channel = connection.channel()
    for case in SHOVELS:
        set_aside(channel, case)
        for queue in QUEUES:
            channel.queue_bind(f"{case}: {queue}", "amq.direct", f"{case}: {queue}")
    uri = f"amqp://127.0.0.1:{rabbitmq.port}"
    shovels = rabbitmq.folder / "shovels.json"
    shovels.write_text(json.dumps({"parameters": [parameter(case, given, uri) for case, given in SHOVELS.items()]}))

    rabbitmq.control("import_definitions", str(shovels))
    until_they_have(channel, {queue: len(found) for queue, found in expected.items()})
    found = {queue: [message(channel, queue) for _ in there] for queue, there in expected.items()}

    for queue in expected:
        channel.queue_delete(queue)
    connection.close()
    assert found == expected
