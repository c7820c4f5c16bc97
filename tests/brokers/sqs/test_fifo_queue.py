"""A FIFO queue's decisions. What AWS publishes about them stands beside each test: there is no reference to run against."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.sqs.attributes import QueueAttributes, RedrivePolicy, name_problem
from simulator.brokers.sqs.errors import InvalidParameterValue, MissingParameter, ReceiptHandleIsInvalid
from simulator.brokers.sqs.queue import Queue

S = 1_000.0


def queue(**attributes) -> Queue:
    return Queue(QueueAttributes(fifo_queue=True, **attributes), name="orders.fifo")


def send(orders: Queue, now: float, *messages: str) -> None:
    """``"a1"`` is the first message of group a."""
    for body in messages:
        orders.send_message(now, body, message_group_id=body[0], message_deduplication_id=body)


def receive(orders: Queue, now: float, most: int = 10, **parameters) -> list[str]:
    return [message.body for message in orders.receive_message(now, max_number_of_messages=most, **parameters)]


def test_a_group_is_blocked_while_one_of_its_messages_is_hidden():
    # AWS's API reference, ReceiveMessage: a group gives nothing more while one of its messages is hidden.
    orders = queue()
    send(orders, 0, "a1", "a2", "b1")

    received = receive(orders, 0, 1), receive(orders, 0), receive(orders, 0)

    assert received == (["a1"], ["b1"], [])


def test_deleting_the_message_in_flight_frees_its_group():
    # AWS's developer guide, FIFO delivery: the group goes on once what was received is deleted or to be had again.
    orders = queue()
    send(orders, 0, "a1", "a2")
    (message,) = orders.receive_message(0)

    orders.delete_message(1 * S, message.receipt_handle)

    assert receive(orders, 1 * S) == ["a2"]


def test_after_a_visibility_timeout_a_group_goes_on_where_it_was():
    orders = queue(visibility_timeout=10)
    send(orders, 0, "a1", "a2", "a3")

    received = receive(orders, 0, 2), receive(orders, 9 * S), receive(orders, 10 * S)

    assert received == (["a1", "a2"], [], ["a1", "a2", "a3"])


def test_a_group_stays_blocked_until_its_last_hidden_message_is_back():
    orders = queue()
    send(orders, 0, "a1", "a2", "a3")
    first, _ = orders.receive_message(0, max_number_of_messages=2)

    orders.change_message_visibility(0, first.receipt_handle, 0)

    assert receive(orders, 1 * S) == []
    assert receive(orders, 30 * S) == ["a1", "a2", "a3"]


def test_a_receive_takes_as_many_of_one_group_as_it_can_before_it_takes_others():
    # AWS's developer guide, FIFO delivery: one receive takes from one group as long as that has something.
    orders = queue()
    send(orders, 0, "a1", "b1", "a2", "b2", "a3")

    assert receive(orders, 0, 4) == ["a1", "a2", "a3", "b1"]
    assert receive(orders, 0, 4) == []


def test_a_duplicate_is_accepted_and_not_delivered_for_five_minutes():
    # AWS's API reference, SendMessage: for five minutes a repeated deduplication id is accepted, and not delivered.
    orders = queue()

    sent = [orders.send_message(time * S, "x", message_group_id="g", message_deduplication_id="1") for time in (0, 299, 300)]

    assert [each.duplicate for each in sent] == [False, True, False]
    assert sent[1].message_id == sent[0].message_id
    assert sent[1].sequence_number == sent[0].sequence_number
    assert len(orders.messages) == 2


def test_a_deduplication_id_is_remembered_after_the_message_is_received_and_deleted():
    # AWS's API reference, SendMessage: deleting the message does not make its deduplication id free. (moto forgets it.)
    orders = queue()
    send(orders, 0, "a1")
    (message,) = orders.receive_message(0)
    orders.delete_message(0, message.receipt_handle)

    send(orders, 10 * S, "a1")

    assert receive(orders, 10 * S) == []


def test_content_based_deduplication_goes_by_the_body_alone():
    orders = queue(content_based_deduplication=True)

    sent = [
        orders.send_message(0, "x", message_group_id="g"),
        orders.send_message(0, "x", message_group_id="h"),
        orders.send_message(0, "y", message_group_id="g"),
        orders.send_message(0, "x", message_group_id="g", message_deduplication_id="own"),
    ]

    assert [each.duplicate for each in sent] == [False, True, False, False]


def test_the_id_that_the_body_gives_and_the_same_id_given_by_hand_are_one():
    # AWS's API reference, SendMessage: an id given by hand and an equal one made from the content count as the same.
    orders = queue(content_based_deduplication=True)
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"

    sent = orders.send_message(0, "x", message_group_id="g")
    again = orders.send_message(0, "other", message_group_id="g", message_deduplication_id=digest)

    assert (sent.duplicate, again.duplicate) == (False, True)


def test_with_the_scope_of_a_group_two_groups_may_use_one_id():
    orders = queue(deduplication_scope="messageGroup")

    sent = [orders.send_message(0, "x", message_group_id=group, message_deduplication_id="1") for group in "aba"]

    assert [each.duplicate for each in sent] == [False, False, True]


def test_sequence_numbers_have_twenty_digits_and_grow_with_gaps():
    orders = queue()

    numbers = [
        str(orders.send_message(0, "x", message_group_id="g", message_deduplication_id=name).sequence_number)
        for name in "abc"
    ]

    assert numbers == sorted(numbers)
    assert {len(number) for number in numbers} == {20}
    assert int(numbers[1]) - int(numbers[0]) > 1


def test_an_expired_handle_does_not_delete():
    # AWS's API reference, ReceiveMessage: deleting after the visibility timeout is refused. (moto lets it.)
    orders = queue(visibility_timeout=5)
    send(orders, 0, "a1")
    (message,) = orders.receive_message(0)

    with pytest.raises(InvalidParameterValue, match="The receipt handle 1 has expired"):
        orders.delete_message(5 * S, message.receipt_handle)
    (again,) = orders.receive_message(5 * S)
    with pytest.raises(InvalidParameterValue, match="has expired"):
        orders.delete_message(6 * S, message.receipt_handle)

    assert orders.delete_message(6 * S, again.receipt_handle) is not None
    assert orders.delete_message(60 * S, again.receipt_handle) is None
    with pytest.raises(ReceiptHandleIsInvalid):
        orders.delete_message(0, 99)


def test_too_many_in_flight_give_nothing_and_no_error():
    # AWS's developer guide, FIFO quotas: at the in-flight limit a receive comes back without an error.
    orders = Queue(QueueAttributes(fifo_queue=True), in_flight_max=2)
    send(orders, 0, "a1", "b1", "c1")

    assert receive(orders, 0) == ["a1", "b1"]
    assert receive(orders, 0) == []


def test_a_long_backlog_of_one_group_hides_the_others():
    # AWS's developer guide, on backlogs in one group: only the first 120,000 messages are searched for free groups.
    orders = Queue(QueueAttributes(fifo_queue=True), in_flight_max=3)
    send(orders, 0, "a1", "a2", "a3", "b1")
    (message,) = orders.receive_message(0)

    assert receive(orders, 0) == []
    orders.delete_message(0, message.receipt_handle)
    assert receive(orders, 0, 1) == ["a2"]
    assert receive(orders, 0, 1) == ["b1"]


def test_a_repeated_receive_gets_the_same_messages_and_hides_them_anew():
    # AWS's API reference, ReceiveMessage: a repeated attempt id gives the same messages and handles again, and their
    # visibility timeout starts anew.
    orders = queue(visibility_timeout=30)
    send(orders, 0, "a1", "a2", "b1")

    first = orders.receive_message(0, max_number_of_messages=2, receive_request_attempt_id="try")
    again = orders.receive_message(20 * S, max_number_of_messages=2, receive_request_attempt_id="try")

    assert [each.receipt_handle for each in again] == [each.receipt_handle for each in first]
    assert [each.visible_at for each in again] == [50 * S] * 2
    assert receive(orders, 49 * S) == ["b1"]
    assert receive(orders, 50 * S) == ["a1", "a2"]


def test_a_receive_is_not_repeated_once_a_message_of_it_was_changed():
    orders = queue()
    send(orders, 0, "a1", "b1", "c1")
    first, _ = orders.receive_message(0, max_number_of_messages=2, receive_request_attempt_id="try")
    orders.delete_message(0, first.receipt_handle)

    assert receive(orders, 1 * S, 2, receive_request_attempt_id="try") == ["c1"]


def test_a_message_needs_a_group_and_a_deduplication_id_and_has_no_delay_of_its_own():
    orders = queue()

    with pytest.raises(MissingParameter, match="message_group_id"):
        orders.send_message(0, "x", message_deduplication_id="1")
    with pytest.raises(InvalidParameterValue, match="content_based_deduplication"):
        orders.send_message(0, "x", message_group_id="g")
    with pytest.raises(InvalidParameterValue, match="delay_seconds on the queue"):
        orders.send_message(0, "x", message_group_id="g", message_deduplication_id="1", delay_seconds=5)


def test_the_queues_delay_keeps_the_order():
    orders = queue(delay_seconds=5)
    send(orders, 0, "a1", "b1")
    send(orders, 1 * S, "a2")

    assert [receive(orders, time * S) for time in (4, 5, 6)] == [[], ["a1", "b1"], []]
    assert receive(orders, 35 * S) == ["a1", "a2", "b1"]


def test_a_poison_message_leaves_and_its_group_goes_on():
    orders = queue(visibility_timeout=1, redrive_policy=RedrivePolicy("dead.fifo", 2))
    dead = Queue(QueueAttributes(fifo_queue=True, message_retention_period=60), name="dead.fifo")
    send(orders, 0, "a1", "a2")

    received = [receive(orders, time * S, 1) for time in range(3)]
    (letter,) = orders.leaving.values()
    dead.accept(50 * S, letter)

    assert received == [["a1"], ["a1"], ["a2"]]
    # AWS's developer guide, retention of dead letters: in a FIFO queue the age begins again with the move.
    assert dead.advance(109 * S) == []
    assert [change.what for change in dead.advance(110 * S)] == ["retention period over"]


def test_a_message_that_expires_in_flight_frees_its_group():
    orders = queue(message_retention_period=60, visibility_timeout=300)
    send(orders, 0, "a1")
    send(orders, 30 * S, "a2")
    orders.receive_message(30 * S)

    assert receive(orders, 59 * S) == []
    assert receive(orders, 60 * S) == ["a2"]


@pytest.mark.parametrize(
    ("name", "fifo", "wrong"),
    [
        ("orders", False, None),
        ("orders.fifo", True, None),
        ("orders", True, 'call it "orders.fifo"'),
        ("orders.fifo", False, "needs fifo_queue=True"),
        ("new orders", False, "letters, digits, hyphens and underscores"),
        ("x" * 81, False, "1 to 80"),
        ("x" * 76 + ".fifo", True, "1 to 80"),
    ],
)
def test_a_queue_has_a_name_that_aws_takes(name, fifo, wrong):
    problem = name_problem(name, fifo_queue=fifo)

    assert problem is None if wrong is None else wrong in str(problem)


@given(st.data())
def test_every_group_is_handed_out_in_order_whatever_happens(data):
    orders = queue(visibility_timeout=3)
    now, sent, left, held = 0.0, 0, {}, {}
    for _ in range(data.draw(st.integers(1, 40))):
        now += 1_000 * data.draw(st.integers(0, 2))
        orders.advance(now)
        held = {name: each for name, each in held.items() if each.visible_at > now}
        match data.draw(st.sampled_from(["send", "receive", "delete", "let go"])):
            case "send":
                sent += 1
                group = data.draw(st.sampled_from("abc"))
                orders.send_message(now, str(sent), message_group_id=group, message_deduplication_id=str(sent))
                left.setdefault(group, []).append(str(sent))
            case "receive":
                blocked = {message.message_group_id for message in held.values()}
                received = orders.receive_message(now, max_number_of_messages=data.draw(st.integers(1, 10)))
                for group in {str(message.message_group_id) for message in received}:
                    assert group not in blocked
                    mine = [message.body for message in received if message.message_group_id == group]
                    assert mine == left[group][: len(mine)]
                assert received or all(group in blocked or not bodies for group, bodies in left.items())
                held.update({message.body: message for message in received})
            case "delete" if held:
                message = held.pop(data.draw(st.sampled_from(sorted(held))))
                orders.delete_message(now, message.receipt_handle)
                left[str(message.message_group_id)].remove(message.body)
            case "let go" if held:
                message = held.pop(data.draw(st.sampled_from(sorted(held))))
                orders.change_message_visibility(now, message.receipt_handle, 0)
    assert [stored.body for stored in orders.messages.values()] == sorted(
        (body for each in left.values() for body in each), key=int
    )
    assert orders.in_flight == len(held)
