"""What became of a record that a Kafka cluster was to bring to a group and that took no effect there."""

import pytest

from simulator import KafkaConsumer
from simulator.reading import checks, measures
from tests.reading.written import Cluster


def _only(trace, name="billing"):
    (found,) = measures.missing(trace, name)
    return found.lost, found.why


def test_what_took_effect_is_not_missing():
    pen = Cluster()
    pen.processed(20, pen.order(1, "order-1", 0))

    assert measures.missing(pen.trace(), "billing") == []
    assert measures.missing(pen.trace(), "orders") == []


def test_what_waits_at_its_producer_is_not_yet_there():
    pen = Cluster()
    pen.made(1, "order-1")

    assert _only(pen.trace()) == (False, "shop had not sent it yet when the run ended")


def test_what_is_on_its_way_to_a_broker_is_not_yet_there():
    pen = Cluster()
    pen.sent(2, pen.batched(2, pen.made(1, "order-1")))

    assert _only(pen.trace()) == (False, "a message about it was on its way to one when the run ended")


@pytest.mark.parametrize(
    ("acks", "fate"),
    [
        ("all", (False, "shop could still send it again when the run ended")),
        (0, (True, "it got lost on the way and nobody sends it again")),
    ],
)
def test_what_got_lost_on_the_way_may_come_again_if_its_producer_waits_for_an_answer(acks, fate):
    pen = Cluster(acks=acks)
    request = pen.batched(2, pen.made(1, "order-1"))
    sent = pen.sent(2, request)
    pen(3, "lost", "shop", request, sent, to="one", reason="Drop", copy=0)

    assert _only(pen.trace()) == fate


def test_what_was_given_up_is_lost():
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen(90, "abandoned", "shop", order, reason="delivery_timeout_ms is over")

    assert _only(pen.trace()) == (True, "shop gave up (delivery_timeout_ms is over)")


def test_what_is_not_committed_in_the_log_cannot_be_read_yet():
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen.batched(2, order)
    pen.appended(3, order, 0)

    assert _only(pen.trace()) == (False, "it was not committed in orders-0 yet when the run ended")


def test_what_lies_in_front_of_its_group_is_not_yet_there():
    pen = Cluster()
    pen.order(1, "order-1", 0)
    pen.assigned(2, "billing", 0)

    assert _only(pen.trace()) == (False, "billing had not got past orders-0, offset 0 when the run ended")


def test_what_a_group_has_committed_past_without_doing_it_is_lost():
    pen = Cluster()
    pen.fetched(5, pen.order(1, "order-1", 0), 0)
    pen.committed(6, 1)
    pen(7, "crashed", "billing")

    lost, why = _only(pen.trace())

    assert lost
    assert why == "billing went down with it in hand, and billing reads on behind it, so nobody will read it again"


def test_what_was_cut_off_although_it_was_acknowledged_is_lost():
    pen = Cluster(acks=1)
    order = pen.made(1, "order-1")
    pen.batched(1, order)
    pen.appended(2, order, 0)
    pen.acknowledged(3, order, 0)
    pen.led_by(50, "two", 1, "two")
    cut = pen(90, "truncated", "one", partition="orders-0", offset=0, records=1)
    trace = pen.trace()

    (found,) = measures.losses(trace, "billing")

    assert found.why == "one cut it off its log, as the leader did not have it, although it had been acknowledged"
    assert found.steps[-1] == trace[cut]


def test_what_stays_behind_with_a_leader_that_is_gone_is_lost():
    pen = Cluster(acks=1)
    order = pen.made(1, "order-1")
    pen.batched(1, order)
    pen.appended(2, order, 0)
    pen.acknowledged(3, order, 0)
    pen(4, "crashed", "one")
    pen.led_by(50, "two", 1, "two")

    assert _only(pen.trace()) == (True, "one had it, and two leads orders-0 without it, although it had been acknowledged")


def test_what_was_cut_off_and_not_acknowledged_may_be_sent_again():
    pen = Cluster(acks=1)
    order = pen.made(1, "order-1")
    pen.sent(1, pen.batched(1, order))
    pen(2, "delivered", "one", pen.message("noise"), source="shop", copy=0)
    pen.appended(2, order, 0)
    pen.led_by(50, "two", 1, "two")
    pen(90, "truncated", "one", partition="orders-0", offset=0, records=1)

    assert not measures.losses(pen.trace(), "billing")


def test_what_retention_took_before_the_group_came_is_lost():
    pen = Cluster()
    pen.order(1, "order-1", 0)
    pen.order(2, "order-2", 1)
    for broker in ("one", "two"):
        pen(50, "trimmed", broker, partition="orders-0", offset=1, records=1)
    pen(60, "reset", "billing", partition="orders-0", offset=1)

    why = {each.message.key: each.why for each in measures.losses(pen.trace(), "billing")}

    assert why == {"order-1": "orders-0 no longer kept it when billing could have read it"}


def test_what_retention_took_after_the_group_had_skipped_it_was_skipped():
    pen = Cluster()
    pen.order(1, "order-1", 0)
    pen(10, "reset", "billing", partition="orders-0", offset=1)
    for broker in ("one", "two"):
        pen(50, "trimmed", broker, partition="orders-0", offset=1, records=1)

    assert _only(pen.trace())[1] == "billing reads on behind it, so nobody will read it again"


def test_what_its_own_producer_took_back_was_meant_for_nobody():
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen.batched(1, order, transaction=7)
    pen.stored(2, order, 0)
    ask = pen.message("end_transaction", "shop", payload=(7, 0, 0))
    pen(5, "sent", "shop", ask, to="one", attempt=1)
    pen.marked(6, 7, 1, commit=False)
    answer = pen.message("end_transaction", "shop", payload=(0,), in_reply_to=ask.id)
    pen(7, "delivered", "shop", answer, source="one", copy=0)

    assert measures.missing(pen.trace(), "billing") == measures.missing(pen.trace(), "orders") == []


def test_what_another_aborted_is_lost_with_the_marker_that_says_so():
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen.batched(1, order, transaction=7)
    pen.stored(2, order, 0)
    pen.marked(60, 7, 1, commit=False)
    trace = pen.trace()

    (found,) = measures.losses(trace, "billing")

    assert found.why == "its transaction was aborted"
    assert found.steps[-1].kind == "marked"


def test_what_is_in_an_open_transaction_is_not_yet_there():
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen.batched(1, order, transaction=7)
    pen.stored(2, order, 0)

    assert _only(pen.trace()) == (False, "its transaction was still open when the run ended")


def test_a_record_that_was_cut_off_and_appended_again_is_stored_once():
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen.batched(1, order)
    pen.appended(2, order, 0)
    pen.led_by(50, "two", 1, "two")
    pen.appended(60, order, 0, "two")
    pen(90, "truncated", "one", partition="orders-0", offset=0, records=1)
    pen.copied(91, order, 0, "one")

    assert measures.duplicates(pen.trace(), "orders") == []
    assert checks.at_most_once(pen.trace(), "orders").holds


def test_a_record_at_two_offsets_is_stored_twice():
    pen = Cluster()
    order = pen.order(1, "order-1", 0)
    again = pen(60, "appended", "one", order, partition="orders-0", offset=1)
    trace = pen.trace()

    verdict = checks.at_most_once(trace, "orders")

    assert verdict.sentence == "order-1 was stored twice by orders."
    assert verdict.indexes[-1] == again


def test_a_group_may_be_called_like_the_topic_it_reads():
    pen = Cluster(KafkaConsumer("billing", group="orders"))
    pen.order(1, "order-1", 0)
    pen.assigned(2, "billing", 0, group="orders")
    trace = pen.trace()

    assert [each.why for each in measures.pending(trace, "orders")] == [
        "orders had not got past orders-0, offset 0 when the run ended"
    ]
    assert measures.total_lag(trace, "orders") == 1


def test_a_name_that_nobody_has_is_refused_with_the_names_there_are():
    with pytest.raises(KeyError, match='did you mean "orders"'):
        measures.duplicates(Cluster().trace(), "order")
