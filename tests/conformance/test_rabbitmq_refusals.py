"""What a real RabbitMQ server refuses is refused here, under the same name."""

from __future__ import annotations

import pytest

from tests.conformance.rabbitmq_twin import twin

pytestmark = pytest.mark.conformance

VALUES = {
    "x-message-ttl": [0, -1, "5", True, 315_360_000_000, 315_360_000_001],
    "x-expires": [0, 1_000_000, -1],
    "x-max-length": [0, -1, "5"],
    "x-max-length-bytes": [0, -1],
    "x-overflow": ["drop-head", "reject-publish", "reject-publish-dlx", "drop-tail", 1],
    "x-dead-letter-exchange": ["nowhere", 5],
    "x-dead-letter-routing-key": ["key", 5],
    "x-max-priority": [0, 10, -1, 256],
    "x-single-active-consumer": [True, "yes"],
    "x-delivery-limit": [0, 3, -1],
    "x-queue-mode": ["lazy", "eager"],
    "x-unheard-of": [3],
}


@pytest.mark.parametrize("kind", ["classic", "quorum", "odd"])
def test_arguments_of_a_queue(rabbitmq, kind):
    with twin(rabbitmq) as brokers:
        for name, values in VALUES.items():
            for number, value in enumerate(values):
                arguments = {name: value, "x-queue-type": kind}
                brokers.do("shop/1", "queue_declare", queue=f"{name} {number}", durable=True, arguments=arguments)


@pytest.mark.parametrize("settings", [{}, {"durable": True, "auto_delete": True}, {"durable": True, "exclusive": True}])
def test_a_quorum_queue_is_durable_shared_and_stays(rabbitmq, settings):
    with twin(rabbitmq) as brokers:
        answer = brokers.do("shop/1", "queue_declare", queue="q", arguments={"x-queue-type": "quorum"}, **settings)

    assert answer == ("refused", "PRECONDITION_FAILED", 406)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"durable": True}),
        ({}, {"auto_delete": True}),
        ({}, {"exclusive": True}),
        ({"exclusive": True}, {"exclusive": True}),
        ({"exclusive": True}, {}),
        ({}, {"arguments": {"x-queue-type": "classic"}}),
        ({"durable": True}, {"durable": True, "arguments": {"x-queue-type": "quorum"}}),
        ({"arguments": {"x-queue-type": "classic"}}, {}),
        ({"arguments": {"x-message-ttl": 5_000_000}}, {"arguments": {"x-message-ttl": 6_000_000}}),
        ({}, {"arguments": {"x-unheard-of": 1}}),
        ({"arguments": {"x-overflow": "drop-head"}}, {}),
    ],
)
def test_a_second_declaration_must_say_the_same(rabbitmq, first, second):
    with twin(rabbitmq) as brokers:
        brokers.do("shop/1", "queue_declare", queue="q", **first)
        brokers.do("shop/1", "queue_declare", queue="q", **second)
        brokers.do("other/1", "queue_declare", queue="q", **second)


OPERATIONS = [
    ("queue_declare", {"queue": "q"}),
    ("queue_declare", {"queue": "amq.mine"}),
    ("queue_declare", {"queue": "none", "passive": True}),
    ("queue_delete", {"queue": "none"}),
    ("queue_purge", {"queue": "none"}),
    ("queue_bind", {"queue": "q", "exchange": "none", "routing_key": "key"}),
    ("queue_bind", {"queue": "none", "exchange": "amq.direct", "routing_key": "key"}),
    ("queue_bind", {"queue": "q", "exchange": "", "routing_key": "key"}),
    ("queue_bind", {"queue": "q", "exchange": "amq.headers", "routing_key": "", "arguments": {"x-match": "some"}}),
    ("queue_bind", {"queue": "q", "exchange": "amq.topic", "routing_key": "", "arguments": {"x-match": "some"}}),
    ("queue_unbind", {"queue": "q", "exchange": "amq.direct", "routing_key": "key"}),
    ("queue_unbind", {"queue": "none", "exchange": "amq.direct", "routing_key": "key"}),
    ("queue_unbind", {"queue": "q", "exchange": "none", "routing_key": "key"}),
    ("queue_unbind", {"queue": "q", "exchange": "", "routing_key": "q"}),
    ("exchange_declare", {"exchange": "e", "exchange_type": "odd"}),
    ("exchange_declare", {"exchange": ""}),
    ("exchange_declare", {"exchange": "e", "arguments": {"alternate-exchange": "none"}}),
    ("exchange_declare", {"exchange": "e", "arguments": {"alternate-exchange": 5}}),
    ("exchange_declare", {"exchange": "e", "arguments": {"unheard-of": 5}}),
    ("exchange_declare", {"exchange": "amq.mine"}),
    ("exchange_declare", {"exchange": "amq.direct"}),
    ("exchange_declare", {"exchange": "amq.direct", "durable": True}),
    ("exchange_declare", {"exchange": "amq.direct", "passive": True}),
    ("exchange_declare", {"exchange": "none", "passive": True}),
    ("exchange_delete", {"exchange": "amq.direct"}),
    ("exchange_delete", {"exchange": ""}),
    ("exchange_delete", {"exchange": "none"}),
    ("exchange_bind", {"destination": "amq.topic", "source": "none"}),
    ("exchange_bind", {"destination": "none", "source": "amq.topic"}),
    ("exchange_bind", {"destination": "", "source": "amq.topic"}),
    ("exchange_bind", {"destination": "amq.topic", "source": "amq.headers", "arguments": {"x-match": "some"}}),
    ("exchange_bind", {"destination": "amq.topic", "source": "amq.headers", "arguments": {"x-match": 5}}),
    ("exchange_unbind", {"destination": "none", "source": "amq.topic"}),
    ("exchange_unbind", {"destination": "amq.fanout", "source": "amq.topic"}),
    ("basic_publish", {"exchange": "none", "routing_key": "q", "body": "1"}),
    ("basic_publish", {"exchange": "", "routing_key": "q", "body": "1", "expiration": "soon"}),
    ("basic_publish", {"exchange": "", "routing_key": "q", "body": "1", "expiration": "-1"}),
    ("basic_publish", {"exchange": "", "routing_key": "q", "body": "1", "expiration": "1.5"}),
    ("basic_publish", {"exchange": "", "routing_key": "q", "body": "1", "expiration": ""}),
    ("basic_publish", {"exchange": "", "routing_key": "q", "body": "1", "expiration": "315360000001"}),
    ("basic_get", {"queue": "none"}),
    ("basic_consume", {"queue": "none", "consumer_tag": "c"}),
    ("basic_qos", {"prefetch_count": 65_535}),
    ("basic_qos", {"prefetch_count": 65_535, "global_qos": True}),
    ("basic_cancel", {"consumer_tag": "none"}),
    ("basic_ack", {"delivery_tag": 7}),
    ("basic_ack", {"delivery_tag": 0}),
    ("basic_ack", {"delivery_tag": 0, "multiple": True}),
    ("basic_ack", {"delivery_tag": 3, "multiple": True}),
    ("basic_nack", {"delivery_tag": 3}),
    ("basic_reject", {"delivery_tag": 3}),
]


@pytest.mark.parametrize(("operation", "arguments"), OPERATIONS, ids=lambda value: str(value).replace("/", "|"))
def test_operations(rabbitmq, operation, arguments):
    with twin(rabbitmq) as brokers:
        brokers.do("shop/1", "queue_declare", queue="q")

        brokers.do("one/1", operation, **arguments)
        brokers.do("one/1", operation, **arguments)
