"""Routing as a real RabbitMQ does it: against its recorded answers, and random topologies against a running server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.queue.exchanges import headers_match, topic_matches
from tests.conformance.rabbitmq_twin import A_FEW, twin
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance

TOPICS = recorded("rabbitmq_topic_routing")
HEADERS = recorded("rabbitmq_headers_routing")


@pytest.mark.parametrize("pattern", TOPICS["patterns"])
def test_a_topic_pattern_takes_the_keys_that_it_took_there(pattern):
    taken = [key for key in TOPICS["keys"] if topic_matches(pattern, key)]

    assert taken == TOPICS["matches"][pattern]


@pytest.mark.parametrize("binding", HEADERS["bindings"], ids=lambda binding: str(binding["arguments"]))
def test_a_headers_binding_takes_the_messages_that_it_took_there(binding):
    messages = HEADERS["messages_headers"]
    taken = [index for index, headers in enumerate(messages) if headers_match(binding["arguments"], headers or {})]

    assert taken == binding["matches_message_indexes"]


EXCHANGES, QUEUES = ("one", "two", "three"), ("a", "b", "c")
WORDS = st.lists(st.sampled_from(["eu", "us", ""]), max_size=3).map(".".join)
PATTERNS = st.lists(st.sampled_from(["eu", "us", "*", "#", ""]), max_size=3).map(".".join)
HEADER = st.dictionaries(st.sampled_from(["type", "x-part"]), st.sampled_from(["order", 1, True]), max_size=2)
TYPES = st.sampled_from(["direct", "fanout", "topic", "headers"])
MATCHES = st.sampled_from([{}, {"x-match": "any"}, {"x-match": "all"}, {"x-match": "any-with-x"}, {"x-match": "all-with-x"}])


@st.composite
def a_binding(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    operation, to = draw(
        st.one_of(
            st.tuples(st.just("queue"), st.sampled_from(QUEUES).map(lambda name: {"queue": name})),
            st.tuples(st.just("exchange"), st.sampled_from(EXCHANGES).map(lambda name: {"destination": name})),
        )
    )
    source = {"exchange" if operation == "queue" else "source": draw(st.sampled_from(EXCHANGES))}
    rest = {"routing_key": draw(PATTERNS), "arguments": draw(HEADER) | draw(MATCHES)}
    return f"{operation}_{draw(st.sampled_from(['bind', 'bind', 'bind', 'unbind']))}", {**to, **source, **rest}


@given(
    types=st.tuples(TYPES, TYPES, TYPES),
    alternates=st.tuples(*[st.sampled_from([None, None, *EXCHANGES, "nowhere"])] * 3),
    bindings=st.lists(a_binding(), min_size=1, max_size=8),
    publishings=st.lists(st.tuples(st.sampled_from(EXCHANGES), WORDS, HEADER, st.booleans()), min_size=1, max_size=6),
)
@A_FEW
def test_any_topology_routes_as_the_real_one(rabbitmq, types, alternates, bindings, publishings):
    with twin(rabbitmq) as brokers:
        for queue in QUEUES:
            brokers.do("shop/1", "queue_declare", queue=queue)
        for name, type_, alternate in zip(EXCHANGES, types, alternates, strict=True):
            arguments = {} if alternate is None else {"alternate-exchange": alternate}
            brokers.do("shop/1", "exchange_declare", exchange=name, exchange_type=type_, arguments=arguments)
        for operation, details in bindings:
            brokers.do("shop/1", operation, **details)

        for exchange, key, headers, mandatory in publishings:
            brokers.do(
                "shop/1", "basic_publish", exchange=exchange, routing_key=key, body="message", headers=headers,
                mandatory=mandatory,
            )  # fmt: skip
