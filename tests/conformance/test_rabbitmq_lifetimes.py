"""What comes and goes, at random: exclusive and auto-delete queues and exchanges, deleted ones, and what outlives a restart
of a real RabbitMQ server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tests.conformance.rabbitmq_twin import A_FEW, Twin, twin

pytestmark = pytest.mark.conformance

QUEUES = ("a", "b")
EXCHANGES = ("one", "two")
CHANNELS = ("red/1", "red/2", "blue/1")
FLAGS = st.fixed_dictionaries(
    {}, optional={"durable": st.booleans(), "exclusive": st.booleans(), "auto_delete": st.booleans()}
)

OPERATIONS = st.one_of(
    st.builds(lambda queue, flags: ("queue_declare", {"queue": queue, **flags}), st.sampled_from(QUEUES), FLAGS),
    st.builds(
        lambda exchange, auto_delete: (
            "exchange_declare", {"exchange": exchange, "exchange_type": "fanout", "auto_delete": auto_delete}
        ),
        st.sampled_from(EXCHANGES), st.booleans(),
    ),
    st.builds(
        lambda queue, exchange: ("queue_bind", {"queue": queue, "exchange": exchange}),
        st.sampled_from(QUEUES), st.sampled_from(EXCHANGES),
    ),
    st.builds(
        lambda queue, exchange: ("queue_unbind", {"queue": queue, "exchange": exchange}),
        st.sampled_from(QUEUES), st.sampled_from(EXCHANGES),
    ),
    st.just(("exchange_bind", {"destination": "two", "source": "one"})),
    st.builds(
        lambda exchange: ("basic_publish", {"exchange": exchange, "routing_key": "a", "body": "1", "mandatory": True}),
        st.sampled_from(["", *EXCHANGES]),
    ),
    st.builds(
        lambda queue, exclusive: ("basic_consume", {"queue": queue, "exclusive": exclusive}),
        st.sampled_from(QUEUES), st.booleans(),
    ),
    st.just(("basic_cancel", {})),
    st.builds(
        lambda queue, flag: ("queue_delete", {"queue": queue, **flag}),
        st.sampled_from(QUEUES), st.sampled_from([{}, {"if_unused": True}, {"if_empty": True}]),
    ),
    st.builds(lambda exchange: ("exchange_delete", {"exchange": exchange, "if_unused": True}), st.sampled_from(EXCHANGES)),
    st.builds(lambda queue: ("basic_get", {"queue": queue}), st.sampled_from(QUEUES)),
    st.just(("close", {})),
    st.just(("close_connection", {})),
)  # fmt: skip


@given(script=st.lists(st.tuples(st.sampled_from(CHANNELS), OPERATIONS), min_size=5, max_size=20))
@settings(A_FEW, max_examples=A_FEW.max_examples // 2)
def test_queues_and_exchanges_come_and_go_as_the_real_ones(rabbitmq, script):
    with twin(rabbitmq) as brokers:
        for number, (channel, (operation, arguments)) in enumerate(script):
            if operation == "close":
                brokers.close(channel)
            elif operation == "close_connection":
                brokers.close_connection(channel.split("/", maxsplit=1)[0])
            elif operation == "basic_consume":
                brokers.do(channel, operation, consumer_tag=f"consumer-{number}", **arguments)
            elif operation == "basic_cancel":
                for tag in brokers.consumers(channel)[:1]:
                    brokers.do(channel, operation, consumer_tag=tag)
            else:
                brokers.do(channel, operation, **arguments)


KEPT = 16
"""Queues that go through one restart together: the real server takes some seconds for it, however many they are."""


@st.composite
def a_kept_queue(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """How a queue is declared, what is published to it, and what becomes of the first messages before the restart."""
    quorum = draw(st.booleans())
    arguments: dict[str, Any] = {"x-queue-type": "quorum"} if quorum else {}
    if quorum and draw(st.booleans()):
        arguments["x-delivery-limit"] = draw(st.integers(0, 2))
    if not quorum and draw(st.booleans()):
        arguments["x-max-priority"] = 3
    if draw(st.booleans()):
        arguments |= {
            "x-max-length": draw(st.integers(1, 3)),
            "x-overflow": draw(st.sampled_from(["drop-head", "reject-publish"])),
        }
    declared = {"durable": quorum or draw(st.integers(0, 3)) > 0, "arguments": arguments}
    message = st.fixed_dictionaries(
        {"persistent": st.booleans()},
        optional={"priority": st.integers(0, 4), "expiration": st.sampled_from(["600000", "700000"])},
    )
    published = draw(st.lists(message, min_size=1, max_size=4))
    return declared, published, draw(st.lists(st.sampled_from(["hold", "ack", "requeue"]), max_size=3))


def _fill(brokers: Twin, name: str, declared: dict[str, Any], published: list[dict[str, Any]], fates: list[str]) -> None:
    brokers.do("shop/1", "queue_declare", queue=name, **declared)
    for number, properties in enumerate(published):
        brokers.do("shop/1", "basic_publish", exchange="", routing_key=name, body=f"message {number}", **properties)
    for fate in fates:
        answer = brokers.do("reader/1", "basic_get", queue=name)
        if answer is not None and fate == "ack":
            brokers.do("reader/1", "basic_ack", delivery_tag=answer[0])
        elif answer is not None and fate == "requeue":
            brokers.do("reader/1", "basic_nack", delivery_tag=answer[0])


@seed(2024)
@settings(A_FEW, max_examples=1)
@given(queues=st.lists(a_kept_queue(), min_size=KEPT, max_size=KEPT))
def test_any_queues_have_after_a_restart_what_the_real_ones_have(rabbitmq, queues):
    with twin(rabbitmq) as brokers:
        brokers.do("shop/1", "confirm_select")
        for number, (declared, published, fates) in enumerate(queues):
            _fill(brokers, f"queue {number}", declared, published, fates)

        brokers.restart()

        for number, (_, published, _) in enumerate(queues):
            for _ in range(len(published) + 1):
                brokers.do("after/1", "basic_get", queue=f"queue {number}")
