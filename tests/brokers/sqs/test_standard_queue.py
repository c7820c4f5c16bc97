"""A standard queue's decisions: what is handed out, hidden, brought back, moved and refused."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.sqs.attributes import QueueAttributes, RedrivePolicy
from simulator.brokers.sqs.errors import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidAttributeValue,
    InvalidBatchEntryId,
    InvalidParameterValue,
    MessageNotInflight,
    MissingParameter,
    OverLimit,
    PurgeQueueInProgress,
    ReceiptHandleIsInvalid,
    TooManyEntriesInBatchRequest,
)
from simulator.brokers.sqs.queue import Queue

S = 1_000.0


def queue(**attributes) -> Queue:
    return Queue(QueueAttributes(**attributes), name="orders")


def bodies(received) -> list[str]:
    return [message.body for message in received]


def test_a_received_message_is_hidden_for_thirty_seconds_and_then_comes_again():
    orders = queue()
    orders.send_message(0, "one")

    first = orders.receive_message(0)
    hidden = orders.receive_message(30 * S - 1)
    again = orders.receive_message(30 * S)

    assert (bodies(first), hidden, bodies(again)) == (["one"], [], ["one"])
    assert [message.approximate_receive_count for message in first + again] == [1, 2]
    assert first[0].receipt_handle != again[0].receipt_handle
    assert again[0].approximate_first_receive_timestamp == 0


def test_a_deleted_message_never_comes_again():
    orders = queue()
    orders.send_message(0, "one")
    (message,) = orders.receive_message(0)

    deleted = orders.delete_message(1, message.receipt_handle)

    assert deleted is not None
    assert orders.receive_message(60 * S) == []
    assert orders.delete_message(60 * S, message.receipt_handle) is None


def test_a_receive_may_ask_for_its_own_visibility_timeout():
    orders = queue()
    orders.send_message(0, "one")

    orders.receive_message(0, visibility_timeout=5)

    assert bodies(orders.receive_message(5 * S)) == ["one"]
    assert orders.receive_message(34 * S) == []


def test_a_visibility_timeout_of_zero_hides_nothing():
    orders = queue(visibility_timeout=0)
    orders.send_message(0, "one")

    received = orders.receive_message(0, max_number_of_messages=10), orders.receive_message(0)

    assert [bodies(each) for each in received] == [["one"], ["one"]]


def test_the_visibility_can_be_extended_and_ended():
    orders = queue()
    orders.send_message(0, "one")
    (message,) = orders.receive_message(0)

    orders.change_message_visibility(20 * S, message.receipt_handle, 60)
    hidden = orders.receive_message(79 * S)
    orders.change_message_visibility(79 * S, message.receipt_handle, 0)
    again = orders.receive_message(79 * S)

    assert (hidden, bodies(again)) == ([], ["one"])


def test_a_changed_visibility_counts_for_this_receive_only():
    orders = queue()
    orders.send_message(0, "one")
    (message,) = orders.receive_message(0)
    orders.change_message_visibility(0, message.receipt_handle, 100)

    orders.receive_message(100 * S)

    assert bodies(orders.receive_message(130 * S)) == ["one"]


def test_a_message_hides_for_twelve_hours_at_most():
    orders = queue()
    orders.send_message(0, "one")
    (message,) = orders.receive_message(0)

    orders.change_message_visibility(10 * S, message.receipt_handle, 43_190)

    with pytest.raises(InvalidParameterValue, match="at most 43,200 seconds"):
        orders.change_message_visibility(10 * S, message.receipt_handle, 43_191)


def test_the_latest_handle_still_deletes_a_message_that_is_visible_again():
    orders = queue()
    orders.send_message(0, "one")
    (message,) = orders.receive_message(0)

    orders.delete_message(31 * S, message.receipt_handle)

    assert orders.receive_message(31 * S) == []


def test_an_old_handle_succeeds_and_deletes_nothing():
    # AWS's API reference, DeleteMessage: an old handle is taken without an error, and may delete nothing.
    orders = queue()
    orders.send_message(0, "one")
    (first,) = orders.receive_message(0)
    orders.receive_message(30 * S)

    deleted = orders.delete_message(31 * S, first.receipt_handle)

    assert deleted is None
    assert bodies(orders.receive_message(60 * S)) == ["one"]


@pytest.mark.parametrize("handle", [0, -1, 99, "none", True])
def test_a_handle_that_was_never_given_out_is_invalid(handle):
    orders = queue()
    orders.send_message(0, "one")
    orders.receive_message(0)

    with pytest.raises(ReceiptHandleIsInvalid):
        orders.delete_message(0, handle)
    with pytest.raises(ReceiptHandleIsInvalid):
        orders.change_message_visibility(0, handle, 10)


def test_only_a_message_in_flight_has_a_visibility_to_change():
    orders = queue()
    orders.send_message(0, "one")
    (message,) = orders.receive_message(0)

    with pytest.raises(MessageNotInflight):
        orders.change_message_visibility(30 * S, message.receipt_handle, 10)


def test_a_delayed_message_comes_after_its_delay():
    orders = queue(delay_seconds=10)
    orders.send_message(0, "queue's delay")
    orders.send_message(0, "its own delay", delay_seconds=5)
    orders.send_message(0, "none", delay_seconds=0)

    received = [bodies(orders.receive_message(time * S, max_number_of_messages=10)) for time in (0, 5, 10)]

    assert received == [["none"], ["its own delay"], ["queue's delay"]]


def test_a_message_is_deleted_after_its_retention_period_even_in_flight():
    orders = queue(message_retention_period=60, visibility_timeout=100)
    orders.send_message(0, "hidden")
    orders.receive_message(0)
    orders.send_message(10 * S, "waiting")

    first, second = orders.advance(60 * S), orders.advance(70 * S)

    assert [(change.stored.body, change.what) for change in first + second] == [
        ("hidden", "retention period over"),
        ("waiting", "retention period over"),
    ]
    assert (orders.messages, orders.in_flight) == ({}, 0)


def test_time_tells_what_it_changed():
    orders = queue(visibility_timeout=5)
    orders.send_message(0, "late", delay_seconds=3)
    orders.send_message(0, "one")
    orders.receive_message(0)

    assert orders.next_change() == 3 * S
    assert [(change.stored.body, change.what) for change in orders.advance(5 * S)] == [
        ("late", "delay over"),
        ("one", "visibility timeout over"),
    ]
    assert orders.next_change() == 345_600 * S


def test_too_many_messages_in_flight_are_over_the_limit_for_a_short_poll_and_silence_for_a_long_one():
    orders = Queue(QueueAttributes(), in_flight_max=2)
    for body in "abc":
        orders.send_message(0, body)

    assert len(orders.receive_message(0, max_number_of_messages=10)) == 2

    with pytest.raises(OverLimit, match="2 messages are in flight; at most 2 may be"):
        orders.receive_message(0)
    assert orders.receive_message(0, wait_time_seconds=20) == []
    assert bodies(orders.receive_message(30 * S)) == ["a"]


def test_a_message_received_too_often_is_moved_instead_of_handed_out():
    orders = queue(redrive_policy=RedrivePolicy("dead", 2), visibility_timeout=1)
    dead = Queue(QueueAttributes(message_retention_period=120), name="dead")
    orders.send_message(0, "poison")
    orders.send_message(0, "fine", delay_seconds=2)

    received = [bodies(orders.receive_message(time * S, max_number_of_messages=10)) for time in (0, 1, 2)]
    (letter,) = orders.leaving.values()
    dead.accept(2 * S, letter)
    orders.arrived(letter.number)

    assert received == [["poison"], ["poison"], ["fine"]]
    assert [stored.body for stored in orders.dead_lettered] == ["poison"]
    assert orders.leaving == {}
    (message,) = dead.receive_message(2 * S)
    # It is counted across queues, and keeps its age.
    assert (message.approximate_receive_count, message.sent_timestamp) == (3, 0)
    assert [change.what for change in dead.advance(120 * S)] == ["visibility timeout over", "retention period over"]


def test_a_letter_that_comes_twice_is_stored_once():
    orders = queue(redrive_policy=RedrivePolicy("dead", 1), visibility_timeout=0)
    dead = Queue(QueueAttributes(), name="dead")
    orders.send_message(0, "poison")
    orders.receive_message(0)
    orders.receive_message(0)
    (letter,) = orders.leaving.values()

    accepted = dead.accept(0, letter), dead.accept(1, letter)

    assert [stored is not None for stored in accepted] == [True, False]
    assert len(dead.messages) == 1


def test_what_a_move_task_brings_back_is_a_new_message():
    dead, orders = Queue(QueueAttributes(), name="dead"), queue()
    dead.send_message(0, "one")
    dead.receive_message(0, visibility_timeout=1)
    dead.send_message(5 * S, "two")

    letters = [dead.let_oldest_go(10 * S), dead.let_oldest_go(10 * S)]
    for letter in letters:
        orders.accept(20 * S, letter)

    assert dead.let_oldest_go(20 * S) is None
    received = orders.receive_message(20 * S, max_number_of_messages=10)
    assert bodies(received) == ["one", "two"]
    assert [(each.approximate_receive_count, each.sent_timestamp) for each in received] == [(1, 20 * S)] * 2


def test_a_short_poll_may_miss_what_is_there_and_a_long_poll_does_not():
    # AWS's API reference, ReceiveMessage: a short poll asks some of the servers, and so may come back empty.
    short, long = [], []
    for seed in range(200):
        orders = Queue(QueueAttributes(visibility_timeout=0), Random(seed).random, servers=10)
        orders.send_message(0, "one")
        short.append(len(orders.receive_message(0)))
        long.append(len(orders.receive_message(0, wait_time_seconds=1)))

    assert set(short) == {0, 1}
    assert set(long) == {1}


def test_whoever_goes_on_asking_gets_everything():
    orders = Queue(QueueAttributes(), Random(1).random, servers=10)
    for number in range(50):
        orders.send_message(0, str(number))

    received = [body for _ in range(60) for body in bodies(orders.receive_message(0, max_number_of_messages=10))]

    assert sorted(received, key=int) == [str(number) for number in range(50)]
    assert received != sorted(received, key=int)


def test_an_unreachable_server_makes_a_message_come_twice():
    # AWS's developer guide, at-least-once delivery: a server out of reach keeps its copy, which can be received again.
    orders = Queue(QueueAttributes(visibility_timeout=10), Random(5).random, servers=4, unreachable=0.3)
    numbers = range(100)
    for number in numbers:
        orders.send_message(0, str(number))

    received: list[str] = []
    for second in range(0, 200, 5):
        for _ in range(30):
            for message in orders.receive_message(second * S, max_number_of_messages=10, wait_time_seconds=1):
                received.append(message.body)
                orders.delete_message(second * S, message.receipt_handle)

    assert sorted(set(received), key=int) == [str(number) for number in numbers]
    assert len(received) > len(numbers)
    assert orders.messages == {}


def test_the_same_draws_give_the_same_order():
    def order(seed: int) -> list[str]:
        orders = Queue(QueueAttributes(), Random(seed).random, servers=5)
        for number in range(30):
            orders.send_message(0, str(number))
        return [body for _ in range(20) for body in bodies(orders.receive_message(0, max_number_of_messages=3))]

    assert order(3) == order(3)
    assert order(3) != order(4)


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        (
            {"visibility_timeout": 43_201},
            "visibility_timeout is 43201; it must be a whole number from 0 to 43,200 (seconds); Amazon SQS refuses",
        ),
        ({"visibility_timeout": 0.5}, "visibility_timeout is 0.5"),
        ({"delay_seconds": 901}, "from 0 to 900 (seconds)"),
        ({"receive_message_wait_time_seconds": 21}, "from 0 to 20 (seconds)"),
        ({"message_retention_period": 59}, "from 60 to 1,209,600 (seconds)"),
        ({"maximum_message_size": 1_023}, "from 1,024 to 1,048,576 (bytes)"),
        ({"content_based_deduplication": True}, "a standard queue has no such attribute"),
        (
            {"redrive_policy": RedrivePolicy("dead", 0)},
            "max_receive_count is 0; it must be a whole number from 1",
        ),
    ],
)
def test_attributes_beyond_the_limits_are_refused(attributes, told):
    with pytest.raises(InvalidAttributeValue, match=re.escape(told)):
        queue(**attributes)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"message_body": ""}, MissingParameter),
        ({"message_body": "x" * 1_025}, InvalidParameterValue),
        ({"message_body": "x", "size": 1_025}, InvalidParameterValue),
        ({"message_body": "x", "delay_seconds": 901}, InvalidParameterValue),
        ({"message_body": "x", "message_deduplication_id": "1"}, InvalidParameterValue),
    ],
)
def test_messages_beyond_the_limits_are_refused(parameters, error):
    with pytest.raises(error):
        queue(maximum_message_size=1_024).send_message(0, **parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_number_of_messages": 0},
        {"max_number_of_messages": 11},
        {"visibility_timeout": 43_201},
        {"visibility_timeout": -1},
        {"wait_time_seconds": 21},
        {"receive_request_attempt_id": "1"},
    ],
)
def test_receives_beyond_the_limits_are_refused(parameters):
    with pytest.raises(InvalidParameterValue):
        queue().receive_message(0, **parameters)


def test_a_batch_has_up_to_ten_entries_and_each_its_own_outcome():
    orders = queue()

    sent = orders.send_message_batch(
        0, [("a", {"message_body": "one"}), ("b", {"message_body": "two", "delay_seconds": 999})]
    )
    received = orders.receive_message(0, max_number_of_messages=10)
    changed = orders.change_message_visibility_batch(
        0, [("a", {"receipt_handle": received[0].receipt_handle, "visibility_timeout": 0})]
    )
    (again,) = orders.receive_message(0)
    deleted = orders.delete_message_batch(0, [("a", {"receipt_handle": again.receipt_handle}), ("b", {"receipt_handle": 7})])

    assert sent["a"].message_id == 1
    assert sent["b"].code == "InvalidParameterValue"
    assert changed["a"].body == "one"
    assert deleted["a"].body == "one"
    assert deleted["b"].code == "ReceiptHandleIsInvalid"


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        ([], EmptyBatchRequest),
        ([(str(number), {"message_body": "x"}) for number in range(11)], TooManyEntriesInBatchRequest),
        ([("a", {"message_body": "x"}), ("a", {"message_body": "y"})], BatchEntryIdsNotDistinct),
        ([("a b", {"message_body": "x"})], InvalidBatchEntryId),
        ([("a", {"message_body": "x" * 600_000}), ("b", {"message_body": "x" * 600_000})], BatchRequestTooLong),
    ],
)
def test_a_batch_that_is_wrong_as_a_whole_sends_nothing(entries, error):
    orders = queue()

    with pytest.raises(error):
        orders.send_message_batch(0, entries)

    assert orders.messages == {}


def test_a_purge_deletes_everything_and_once_a_minute_only():
    orders = queue()
    for body in "abc":
        orders.send_message(0, body)
    orders.receive_message(0)

    assert orders.purge_queue(0) == 3
    assert (orders.messages, orders.in_flight) == ({}, 0)
    with pytest.raises(PurgeQueueInProgress):
        orders.purge_queue(59 * S)
    assert orders.purge_queue(60 * S) == 0


@given(st.data())
def test_nothing_is_lost_and_nothing_is_handed_out_while_it_is_hidden(data):
    """Against the plainest model there is: a message is to be had from the moment it is visible until it is deleted."""
    orders = Queue(QueueAttributes(visibility_timeout=4), Random(data.draw(st.integers(0, 9))).random, servers=3)
    now, visible_at, handles = 0.0, {}, {}
    for _ in range(data.draw(st.integers(1, 30))):
        now += 1_000 * data.draw(st.integers(0, 3))
        match data.draw(st.sampled_from(["send", "receive", "delete", "change"])):
            case "send":
                delay = data.draw(st.integers(0, 3))
                visible_at[orders.send_message(now, "x", delay_seconds=delay).message_id] = now + 1_000 * delay
            case "receive":
                most = data.draw(st.integers(1, 10))
                to_be_had = {number for number, time in visible_at.items() if time <= now}
                received = orders.receive_message(now, max_number_of_messages=most, wait_time_seconds=1)
                assert len(received) == min(most, len(to_be_had))
                for message in received:
                    assert message.message_id in to_be_had
                    visible_at[message.message_id] = now + 4_000
                    handles[message.message_id] = message.receipt_handle
            case "delete" if handles:
                number = data.draw(st.sampled_from(sorted(handles)))
                orders.delete_message(now, handles.pop(number))
                del visible_at[number]
            case "change" if handles:
                number, timeout = data.draw(st.sampled_from(sorted(handles))), data.draw(st.integers(0, 9))
                if visible_at[number] > now:
                    orders.change_message_visibility(now, handles[number], timeout)
                    visible_at[number] = now + 1_000 * timeout
        assert orders.messages.keys() == visible_at.keys()
    orders.advance(now)
    assert orders.in_flight == sum(visible_at[number] > now for number in handles)
