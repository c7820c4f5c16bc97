"""Networks of queues that are each other's graves, at random: a dead letter goes where it goes on a real RabbitMQ server, with
the same history, and goes round in circles only where it does there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.rabbitmq_twin import A_FEW, twin

pytestmark = pytest.mark.conformance

QUEUES = ("a", "b", "c")
EXCHANGES = ("", "by key", "nowhere")
"""None that leads to several queues: of two processes that write to a third one, nobody knows in life who comes first."""


@st.composite
def a_grave(draw: st.DrawFn) -> dict[str, Any]:
    """A queue's arguments: where its dead letters go, and what makes some."""
    quorum = draw(st.booleans())
    arguments: dict[str, Any] = {"x-queue-type": "quorum"} if quorum else {}
    exchange = draw(st.sampled_from([None, *EXCHANGES]))
    if exchange is not None:
        arguments["x-dead-letter-exchange"] = exchange
        key = draw(st.sampled_from([None, *QUEUES]))
        if key is not None:
            arguments["x-dead-letter-routing-key"] = key
    if draw(st.integers(0, 2)) == 0:
        arguments["x-max-length"] = draw(st.integers(0, 2))
        arguments["x-overflow"] = draw(st.sampled_from(["drop-head", "reject-publish", "reject-publish-dlx"]))
    if draw(st.integers(0, 3)) == 0:
        arguments["x-message-ttl"] = 0
    if quorum and draw(st.booleans()):
        arguments["x-delivery-limit"] = draw(st.integers(0, 1))
    return arguments


OPERATIONS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(EXCHANGES[:2]), st.sampled_from([None, None, "60000", "0"])),
    st.tuples(st.just("get"), st.sampled_from(QUEUES), st.sampled_from(["keep", "ack", "requeue", "reject", "reject"])),
    st.tuples(st.just("give up"), st.booleans()),
)


@given(
    graves=st.tuples(a_grave(), a_grave(), a_grave()),
    script=st.lists(st.tuples(st.sampled_from(QUEUES), OPERATIONS), min_size=3, max_size=15),
)
@A_FEW
def test_dead_letters_go_where_they_go_there_and_tell_the_same_of_it(rabbitmq, graves, script):
    with twin(rabbitmq) as brokers:
        do = brokers.do
        do("shop/1", "exchange_declare", exchange="by key", exchange_type="direct")
        for queue, arguments in zip(QUEUES, graves, strict=True):
            do("shop/1", "queue_declare", queue=queue, durable=True, arguments=arguments)
            do("shop/1", "queue_bind", queue=queue, exchange="by key", routing_key=queue)
        do("shop/1", "confirm_select")
        held: list[int] = []

        for number, (key, (what, *details)) in enumerate(script):
            if what == "publish":
                exchange, expiration = details
                body, headers = f"message {number}", {"tenant": "a"}
                do(
                    "shop/1", "basic_publish", exchange=exchange, routing_key=key, body=body, headers=headers,
                    expiration=expiration,
                )  # fmt: skip
            elif what == "get":
                queue, then = details
                answer = do("reader/1", "basic_get", queue=queue)
                tag = None if answer is None else answer[0]
                if tag is None:
                    continue
                if then == "keep" and queue == "a":
                    held.append(tag)
                elif then == "ack":
                    do("reader/1", "basic_ack", delivery_tag=tag)
                else:
                    do("reader/1", "basic_reject", delivery_tag=tag, requeue=then == "requeue")
            elif held:
                (requeue,) = details
                do("reader/1", "basic_nack", delivery_tag=held[-1], multiple=True, requeue=requeue)
                held.clear()
