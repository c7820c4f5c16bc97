"""Random scripts on our broker and on a real RabbitMQ server: after every operation a client sees the same of both."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.rabbitmq_twin import A_FEW, Twin, twin

pytestmark = pytest.mark.conformance

CHANNELS = ("one/1", "one/2", "two/1")


@st.composite
def a_queue(draw: st.DrawFn) -> dict[str, Any]:
    """A queue's arguments, without times: what real time does to a random script nobody can foresee."""
    quorum = draw(st.booleans())
    arguments: dict[str, Any] = {"x-queue-type": "quorum"} if quorum else {}
    length = draw(st.sampled_from([None, None, 2, 4]))
    if length is not None:
        arguments["x-max-length"] = length
        arguments["x-overflow"] = draw(st.sampled_from(["drop-head", "reject-publish", "reject-publish-dlx"]))
    if draw(st.integers(0, 4)) == 0:
        arguments["x-max-length-bytes"] = draw(st.sampled_from([0, 25, 60]))
    if draw(st.booleans()):
        arguments |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    if draw(st.integers(0, 3)) == 0:
        arguments["x-single-active-consumer"] = True
    if quorum and draw(st.booleans()):
        arguments["x-delivery-limit"] = draw(st.integers(0, 2))
    if not quorum and draw(st.booleans()):
        arguments["x-max-priority"] = 3
    return arguments


def publishings(priorities: bool) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "priority": st.integers(0, 5) if priorities else st.none(),
            "expiration": st.sampled_from([None, None, None, "60000", "0"]),
        },
    )


NUMBER = st.integers(0, 5)
OPERATIONS = st.one_of(
    st.tuples(st.just("publish"), publishings(priorities=True)),
    st.tuples(st.just("publish"), publishings(priorities=True)),
    st.tuples(st.just("publish"), publishings(priorities=True)),
    st.tuples(st.just("get"), st.booleans()),
    st.tuples(st.just("consume"), st.sampled_from([None, 0, 1, 2, 3]), st.booleans()),
    st.tuples(st.just("limit"), st.sampled_from([0, 1, 2, 3])),
    st.tuples(st.just("ack"), NUMBER, st.booleans()),
    st.tuples(st.just("ack"), NUMBER, st.booleans()),
    st.tuples(st.just("nack"), NUMBER, st.booleans(), st.booleans()),
    st.tuples(st.just("reject"), NUMBER, st.booleans()),
    st.tuples(st.just("cancel"), NUMBER),
    st.tuples(st.just("recover")),
    st.tuples(st.just("close")),
    st.tuples(st.just("purge")),
    st.tuples(st.just("unknown tag")),
)


class _Player:
    """Turns what was drawn into operations that make sense where the script has got to."""

    def __init__(self, brokers: Twin) -> None:
        self._do = brokers.do
        self._brokers = brokers
        self._bodies = 0
        self._tags = 0

    def play(self, channel: str, what: str, *details: Any) -> None:
        getattr(self, f"_{what.replace(' ', '_')}")(channel, *details)

    def _publish(self, channel: str, properties: dict[str, Any]) -> None:
        self._bodies += 1
        body = f"message {self._bodies}"
        self._do("publisher/1", "basic_publish", exchange="", routing_key="work", body=body, **properties)

    def _get(self, channel: str, auto_ack: bool) -> None:
        self._do(channel, "basic_get", queue="work", auto_ack=auto_ack)

    def _consume(self, channel: str, prefetch_count: int | None, auto_ack: bool) -> None:
        self._tags += 1
        if prefetch_count is not None:
            self._do(channel, "basic_qos", prefetch_count=prefetch_count)
        self._do(channel, "basic_consume", queue="work", consumer_tag=f"consumer-{self._tags}", auto_ack=auto_ack)

    def _limit(self, channel: str, prefetch_count: int) -> None:
        self._do(channel, "basic_qos", prefetch_count=prefetch_count, global_qos=True)

    def _ack(self, channel: str, which: int, multiple: bool) -> None:
        held = self._brokers.held(channel)
        if held:
            self._do(channel, "basic_ack", delivery_tag=held[which % len(held)], multiple=multiple)

    def _nack(self, channel: str, which: int, multiple: bool, requeue: bool) -> None:
        held = self._brokers.held(channel)
        if held:
            self._do(channel, "basic_nack", delivery_tag=held[which % len(held)], multiple=multiple, requeue=requeue)

    def _reject(self, channel: str, which: int, requeue: bool) -> None:
        held = self._brokers.held(channel)
        if held:
            self._do(channel, "basic_reject", delivery_tag=held[which % len(held)], requeue=requeue)

    def _cancel(self, channel: str, which: int) -> None:
        tags = self._brokers.consumers(channel)
        if tags:
            self._do(channel, "basic_cancel", consumer_tag=tags[which % len(tags)])

    def _recover(self, channel: str) -> None:
        self._do(channel, "basic_recover")

    def _close(self, channel: str) -> None:
        self._brokers.close(channel)

    def _purge(self, channel: str) -> None:
        self._do(channel, "queue_purge", queue="work")

    def _unknown_tag(self, channel: str) -> None:
        self._do(channel, "basic_ack", delivery_tag=1_000)


@given(arguments=a_queue(), script=st.lists(st.tuples(st.sampled_from(CHANNELS), OPERATIONS), min_size=5, max_size=25))
@A_FEW
def test_consumers_and_queues_behave_as_the_real_ones(rabbitmq, arguments, script):
    with twin(rabbitmq) as brokers:
        brokers.do("publisher/1", "queue_declare", queue="dead", durable=True)
        brokers.do("publisher/1", "queue_declare", queue="work", durable=True, arguments=arguments)
        brokers.do("publisher/1", "confirm_select")
        player = _Player(brokers)

        for channel, (what, *details) in script:
            player.play(channel, what, *details)
