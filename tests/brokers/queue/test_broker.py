"""What the broker decides: routing aside, which message goes where, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.queue.broker import Broker
from simulator.brokers.queue.channel import Channel
from simulator.brokers.queue.errors import AmqpError
from simulator.brokers.queue.messages import (
    Confirm,
    Content,
    DeadLettered,
    Deliver,
    Dequeued,
    Enqueued,
    HandedOut,
    Return,
)  # fmt: skip


def broker_with(**arguments: Any) -> tuple[Broker, Channel]:
    """A broker with a durable queue "work", and a channel to it."""
    broker = Broker()
    channel = broker.channel("shop")
    given = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    channel.queue_declare("work", durable=True, arguments=given)
    broker.take_effects()
    return broker, channel


def publish(channel: Channel, *bodies: str, to: str = "work", **properties: Any) -> None:
    for body in bodies:
        channel.basic_publish("", to, Content(body, **properties))


def delivered(broker: Broker) -> list[tuple[str, Any]]:
    """(consumer tag, body) of the deliveries since this was last asked."""
    return [(each.consumer_tag, each.message.content.body) for each in broker.take_effects() if isinstance(each, Deliver)]


def test_a_published_message_is_routed_enqueued_handed_out_and_settled():
    broker, channel = broker_with()
    channel.basic_consume("work", consumer_tag="billing")
    publish(channel, "order-1")
    channel.basic_ack(1)

    kinds = [type(effect) for effect in broker.take_effects()[1:]]

    assert kinds == [Enqueued, HandedOut, Deliver, Dequeued]


def test_a_consumer_holds_no_more_than_its_prefetch():
    broker, channel = broker_with()
    channel.basic_qos(prefetch_count=2)
    channel.basic_consume("work", consumer_tag="billing")
    publish(channel, "1", "2", "3")

    before = delivered(broker)
    channel.basic_ack(1)

    assert [body for _, body in before] == ["1", "2"]
    assert delivered(broker) == [("billing", "3")]


def test_a_global_prefetch_count_is_shared_by_all_consumers_of_a_channel():
    broker, channel = broker_with()
    channel.queue_declare("more")
    channel.basic_qos(prefetch_count=3, global_qos=True)
    for queue in ("work", "more"):
        channel.basic_consume(queue, consumer_tag=f"reader of {queue}")
    publish(channel, "1", "2")
    publish(channel, "3", "4", to="more")

    first = delivered(broker)
    channel.basic_ack(1)

    assert [body for _, body in first] == ["1", "2", "3"]
    assert delivered(broker) == [("reader of more", "4")]


def test_a_quorum_queue_refuses_a_global_prefetch_count_under_the_real_name():
    _, channel = broker_with(queue_type="quorum")
    channel.basic_qos(prefetch_count=3, global_qos=True)

    with pytest.raises(AmqpError, match=r"NOT_IMPLEMENTED - .* leave global_qos out") as refused:
        channel.basic_consume("work")

    assert (refused.value.code, refused.value.closes_connection) == (540, True)


def test_a_full_quorum_queue_refuses_each_publisher_until_a_fifth_of_it_is_free_and_takes_a_new_one_earlier():
    broker, channel = broker_with(queue_type="quorum", max_length=5, overflow="reject-publish")
    channel.confirm_select()
    publish(channel, *"1234567")
    reader, newcomer = broker.channel("reader"), broker.channel("newcomer")
    newcomer.confirm_select()

    reader.basic_get("work", auto_ack=True)
    publish(channel, "refused still")
    publish(newcomer, "taken")

    confirms = [effect.ack for effect in broker.take_effects() if isinstance(effect, Confirm)]
    assert confirms == [True] * 6 + [False, False, True]


def test_nothing_expires_before_the_broker_is_told_that_it_is_late():
    broker, channel = broker_with(message_ttl=100)
    publish(channel, "1")

    assert broker.next_deadline() == 100.0
    broker.advance(99.9)
    assert channel.queue_declare("work", passive=True).message_count == 1
    broker.advance(100.0)
    assert channel.queue_declare("work", passive=True).message_count == 0
    assert broker.next_deadline() is None


def test_a_jump_over_several_deadlines_keeps_their_order():
    broker, channel = broker_with(message_ttl=100, dead_letter_exchange="", dead_letter_routing_key="later")
    channel.queue_declare("later", arguments={"x-message-ttl": 50, "x-dead-letter-exchange": ""})
    publish(channel, "1")
    broker.take_effects()

    broker.advance(1_000)

    deaths = [(each.queue, each.reason) for each in broker.take_effects() if isinstance(each, DeadLettered)]
    assert deaths == [("work", "expired"), ("later", "expired")]
    assert broker.now == 1_000


def test_confirms_number_the_publishings_of_their_channel():
    broker, channel = broker_with(max_length=1, overflow="reject-publish")
    channel.confirm_select()

    publish(channel, "1", "2")

    confirms = [each for each in broker.take_effects() if isinstance(each, Confirm)]
    assert confirms == [Confirm(channel.number, 1, True), Confirm(channel.number, 2, False)]


def test_a_mandatory_message_is_returned_before_it_is_confirmed():
    broker, channel = broker_with()
    channel.confirm_select()
    channel.basic_publish("", "nowhere", Content("1"), mandatory=True)

    assert [type(effect) for effect in broker.take_effects()[1:]] == [Return, Confirm]


def test_a_refused_operation_closes_its_channel_only():
    broker, channel = broker_with()
    other = broker.channel("shop")
    publish(channel, "1")
    channel.basic_get("work")

    with pytest.raises(AmqpError, match="unknown delivery tag 9"):
        channel.basic_ack(9)

    assert (channel.is_open, other.is_open) == (False, True)
    answer = other.basic_get("work")
    assert answer is not None
    assert answer.redelivered


def test_an_error_of_the_connection_closes_all_its_channels():
    broker, channel = broker_with()
    other = broker.channel("shop")

    with pytest.raises(AmqpError) as refused:
        channel.exchange_declare("e", "fan-out")

    assert (refused.value.name, refused.value.code) == ("COMMAND_INVALID", 503)
    assert 'did you mean "fanout"?' in str(refused.value)
    assert (channel.is_open, other.is_open) == (False, False)


def test_nothing_can_be_asked_on_a_closed_channel():
    _, channel = broker_with()
    channel.close()

    with pytest.raises(AmqpError, match="CHANNEL_ERROR"):
        channel.queue_purge("work")


def test_a_restart_keeps_what_is_durable_and_persistent():
    broker, channel = broker_with()
    channel.queue_declare("passing")
    publish(channel, "kept", delivery_mode=2)
    publish(channel, "lost", delivery_mode=1)
    publish(channel, "lost with its queue", to="passing", delivery_mode=2)
    channel.basic_get("work")
    broker.take_effects()

    broker.restart()

    gone = [(each.message.content.body, each.reason) for each in broker.take_effects() if isinstance(each, Dequeued)]
    assert gone == [("lost", "not persistent"), ("lost with its queue", "queue deleted")]
    assert list(broker.queues) == ["work"]
    assert not channel.is_open
    answer = broker.channel().basic_get("work")
    assert answer is not None
    assert (answer.message.content.body, answer.redelivered) == ("kept", True)


def test_a_queue_without_a_name_gets_one():
    broker = Broker()
    channel = broker.channel()

    names = {channel.queue_declare().queue, channel.queue_declare().queue}

    assert names == {"amq.gen-1", "amq.gen-2"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"x-message-ttl": -1}, "x-message-ttl is -1; it must be a whole number of ms"),
        ({"x-overflow": "drop-tail"}, 'it must be one of "drop-head", "reject-publish"'),
        ({"x-delivery-limit": 3}, "a classic queue does not take x-delivery-limit; a quorum queue does"),
        ({"x-dead-letter-routing-key": "k"}, "x-dead-letter-routing-key needs x-dead-letter-exchange"),
        ({"x-queue-type": "quorum"}, "a quorum queue is durable; declare it with durable=True"),
    ],
)
def test_a_refusal_says_what_would_be_right(arguments, sentence):
    channel = Broker().channel()

    with pytest.raises(AmqpError) as refused:
        channel.queue_declare("q", arguments=arguments)

    assert refused.value.name == "PRECONDITION_FAILED"
    assert sentence in str(refused.value)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 3)),
        st.tuples(st.just("get")),
        st.tuples(st.just("consume"), st.integers(0, 2)),
        st.tuples(st.just("ack"), st.booleans()),
        st.tuples(st.just("nack"), st.booleans(), st.booleans()),
        st.tuples(st.just("close")),
        st.tuples(st.just("wait"), st.integers(0, 60)),
        st.tuples(st.just("restart")),
    ),
    max_size=40,
)


@given(
    script=OPERATIONS,
    arguments=st.fixed_dictionaries(
        {"x-dead-letter-exchange": st.just(""), "x-dead-letter-routing-key": st.just("dead")},
        optional={
            "x-queue-type": st.just("quorum"), "x-message-ttl": st.just(50), "x-max-length": st.integers(0, 3),
            "x-single-active-consumer": st.booleans(),
        },
    ),
)  # fmt: skip
def test_no_persistent_message_is_ever_in_no_place_or_in_two(script, arguments):
    """What was published is ready, held, acknowledged or a dead letter: exactly one of these."""
    broker = Broker()
    keeper = broker.channel("keeper")
    keeper.queue_declare("work", durable=True, arguments=arguments)
    keeper.queue_declare("dead", durable=True)
    published = 0
    acked: list[Any] = []
    channel = broker.channel("reader")
    for what, *details in script:
        if not channel.is_open:
            channel = broker.channel("reader")
        if what == "publish":
            published += 1
            broker.channel("shop").basic_publish("", "work", Content(published, delivery_mode=2, priority=details[0]))
        elif what == "get":
            if not (arguments.get("x-queue-type") and arguments.get("x-single-active-consumer")):
                channel.basic_get("work")
        elif what == "consume":
            channel.basic_qos(details[0])
            channel.basic_consume("work")
        elif what == "close":
            channel.close()
        elif what == "restart":
            broker.restart()
        elif what == "wait":
            broker.advance(broker.now + details[0])
        elif channel.unsettled:
            getattr(channel, f"basic_{what}")(
                channel.unsettled[0], multiple=details[0], **({"requeue": details[1]} if what == "nack" else {})
            )
        effects = broker.take_effects()
        acked += [each.message.content.body for each in effects if isinstance(each, Dequeued) and each.reason == "acked"]

        places = list(acked)
        for queue in broker.queues.values():
            places += [item.envelope.content.body for item in (*queue.ready, *queue.unacked.values())]
            assert [item.place for item in queue.ready] == sorted(item.place for item in queue.ready)
        assert sorted(places) == list(range(1, published + 1))
