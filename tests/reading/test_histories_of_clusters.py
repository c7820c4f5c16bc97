"""A Kafka cluster's run as its clients saw it, and what a checker finds in it."""

import pytest

from simulator import KafkaConsumer
from simulator.reading.anomalies import anomalies, evidence
from simulator.reading.histories import Operation, Poll, Send, history
from simulator.reading.transactions import transactions
from tests.reading.written import Cluster


def _ends(pen: Cluster, time: float, *, commit: bool, error: int | None = 0) -> None:
    """The shop asks for its transaction's end, and is answered (or not)."""
    ask = pen.message("end_transaction", "shop", payload=(7, 0, int(commit)))
    pen(time, "sent", "shop", ask, to="one", attempt=1)
    if error is not None:
        answer = pen.message("end_transaction", "shop", payload=(error,), in_reply_to=ask.id)
        pen(time + 3, "delivered", "shop", answer, source="one", copy=0)


def _sold(pen: Cluster, time: float, *keys: str) -> list[int]:
    """Orders written in the shop's transaction; their ids."""
    orders = [pen.made(time, key) for key in keys]
    pen.batched(time, *orders, transaction=7)
    return [order.id for order in orders]


def test_a_send_is_told_with_the_partition_s_name():
    pen = Cluster()
    order = pen.order(1, "order-1", 0)

    (told,) = history(pen.trace())

    assert told == Operation(("shop", 1), "ok", "send", (Send("orders-0", order.id, 0),))


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([], "fail"),
        (["NOT_ENOUGH_REPLICAS"], "fail"),
        (["NOT_LEADER_OR_FOLLOWER", "NOT_LEADER_OR_FOLLOWER"], "fail"),
        (["NOT_ENOUGH_REPLICAS_AFTER_APPEND"], "info"),
        (["NOT_LEADER_OR_FOLLOWER", None], "info"),
    ],
)
def test_a_send_that_was_given_up_failed_only_if_every_attempt_was_refused(errors, told):
    pen = Cluster()
    order = pen.made(1, "order-1")
    request = pen.batched(2, order)
    for attempt, error in enumerate(errors, start=1):
        pen.sent(10 * attempt, request, attempt=attempt)
        if error is not None:
            pen(10 * attempt + 5, "failed", "shop", request, reason=error)
    pen(90, "abandoned", "shop", order, reason="no retries left")

    (operation,) = history(pen.trace())

    assert (operation.type, operation.value) == (told, (Send("orders-0", order.id),))


def test_a_record_that_never_left_has_no_known_partition():
    pen = Cluster()
    order = pen.made(1, "order-1")

    (told,) = history(pen.trace())

    assert (told.type, told.value) == ("info", (Send("orders-?", order.id),))


@pytest.mark.parametrize(
    ("commit", "error", "told"), [(True, 0, "ok"), (False, 0, "fail"), (True, None, "info"), (True, 47, "fail")]
)
def test_a_transaction_is_one_operation_that_its_maker_was_told_the_end_of(commit, error, told):
    pen = Cluster()
    sold = _sold(pen, 1, "order-1", "order-2")
    pen.acknowledged(3, pen.trace().message(sold[0]), 0)
    _ends(pen, 5, commit=commit, error=error)

    (operation,) = history(pen.trace())

    assert (operation.f, operation.type) == ("txn", told)
    assert operation.value == (Send("orders-0", sold[0], 0), Send("orders-0", sold[1]))


def test_a_commit_that_may_have_been_heeded_before_its_maker_was_fenced_is_in_doubt():
    pen = Cluster()
    _sold(pen, 1, "order-1")
    _ends(pen, 5, commit=True, error=None)
    _ends(pen, 40, commit=True, error=47)

    assert [each.outcome for each in transactions(pen.trace())] == ["info"]


def test_a_commit_that_has_to_be_asked_for_again_is_one_transaction():
    pen = Cluster()
    _sold(pen, 1, "order-1")
    _ends(pen, 5, commit=True, error=16)
    _ends(pen, 40, commit=True)
    _sold(pen, 50, "order-2")

    assert [(each.outcome, len(each.records)) for each in transactions(pen.trace())] == [("ok", 1), ("info", 1)]


def test_a_transaction_whose_maker_crashes_before_it_asks_for_the_end_has_failed():
    pen = Cluster()
    _sold(pen, 1, "order-1")
    pen(5, "crashed", "shop")

    assert [(each.outcome, each.wish) for each in transactions(pen.trace())] == [("fail", None)]


def test_what_was_read_for_a_transaction_is_part_of_it_and_no_poll_of_its_own():
    pen = Cluster()
    read = pen.order(1, "order-1", 0)
    pen(10, "fetched", "shop", read, partition="orders-0", offset=0)
    sold = _sold(pen, 11, "order-2")
    _ends(pen, 15, commit=True)

    told = [each for each in history(pen.trace()) if each.f != "send"]

    assert [each.f for each in told] == ["txn"]
    assert told[0].value == (Poll((("orders-0", ((0, read.id),)),)), Send("orders-0", *sold))


def test_a_poll_has_the_records_of_one_answer_from_all_partitions():
    pen = Cluster(partitions=2)
    first, second = pen.order(1, "order-1", 0, "orders-0"), pen.order(2, "order-2", 0, "orders-1")
    arrived = pen(9, "delivered", "billing", pen.message("records"), source="one", copy=0)
    for order, partition in ((first, "orders-0"), (second, "orders-1")):
        pen(10, "fetched", "billing", order, arrived, partition=partition, offset=0)

    (poll,) = [each for each in history(pen.trace()) if each.f == "poll"]

    assert poll.value == (Poll((("orders-0", ((0, first.id),)), ("orders-1", ((0, second.id),)))),)


def test_a_partition_that_is_assigned_again_begins_anew():
    pen = Cluster()
    orders = [pen.order(10 * place, f"order-{place}", place) for place in range(3)]
    for time, begins in ((100, 0), (200, 1)):
        pen.assigned(time, "billing", begins)
        for place in range(begins, 3):
            pen(time + 1, "fetched", "billing", orders[place], partition="orders-0", offset=place)

    assert anomalies(pen.trace()) == []


def test_an_acknowledged_record_that_was_cut_off_shows_as_two_values_at_one_offset():
    pen = Cluster(KafkaConsumer("billing"), acks=1)
    lost = pen.made(1, "order-1")
    pen.batched(1, lost)
    pen.appended(2, lost, 0)
    pen.acknowledged(3, lost, 0)
    pen.led_by(50, "two", 1, "two")
    kept = pen.order(60, "order-2", 0)
    pen.fetched(70, kept, 0)
    trace = pen.trace()

    found = anomalies(trace)[0]

    assert (found.name, found.values, found.offsets) == ("inconsistent-offsets", (lost.id, kept.id), (0,))
    assert "acknowledged" in [trace[each].kind for each in evidence(trace, found)]


def test_who_reads_uncommitted_may_read_what_was_aborted():
    pen = Cluster()
    (sold,) = _sold(pen, 1, "order-1")
    order = pen.trace().message(sold)
    pen.stored(2, order, 0)
    pen.fetched(3, order, 0)
    _ends(pen, 5, commit=False)

    (found,) = anomalies(pen.trace())

    assert (found.name, found.values) == ("G1a", (sold,))
