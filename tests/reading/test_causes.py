import pytest

from simulator.reading import FIRSTS, first, firsts, journey, why
from tests.reading.written import Cluster, Maker, Pen, Reader, Server, Shop


def test_why_goes_from_the_root_to_the_step_along_the_causes():
    pen = Shop()
    order = pen.made(0, "order-1")
    appended = pen.stored(1, order)

    story = why(pen.trace(), appended)

    assert [step.kind for step in story] == ["created", "sent", "delivered", "appended"]
    assert story.sentences[-1] == "orders stored order-1 at partition 0, offset 0."


def test_a_first_fetch_goes_back_to_how_the_record_came_into_the_log():
    pen = Shop()
    asked = pen(0, "sent", "billing", pen.message("fetch"), to="orders", attempt=1)
    appended = pen.stored(11, order := pen.made(10, "order-1"))
    fetched = pen(13, "fetched", "billing", order, asked, partition=0, offset=0)

    story = why(pen.trace(), fetched)

    assert appended in story.indexes
    assert asked not in story.indexes


def test_a_repeated_fetch_goes_back_to_why_the_reader_asked_again():
    pen = Shop()
    order = pen.order(0, "order-1")
    pen.fetched(10, order, 0)
    crashed = pen(20, "crashed", "billing")
    restarted = pen(30, "restarted", "billing", cause=crashed, incarnation=1)
    again = pen(40, "fetched", "billing", order, restarted, partition=0, offset=0)

    assert why(pen.trace(), again).indexes == (crashed, restarted, again)


def test_a_fetch_by_another_group_is_no_repetition():
    pen = Shop(Reader("billing"), Reader("email"))
    order = pen.order(0, "order-1")
    pen.fetched(10, order, 0, "email")
    fetched = pen.fetched(20, order, 0, "billing")

    assert why(pen.trace(), fetched)[-2].kind == "appended"


def test_a_timeout_goes_back_to_the_loss_that_made_the_maker_wait():
    pen = Shop()
    order = pen.made(0, "order-1")
    appended = pen.stored(1, order)
    ack = pen.message("ack", "order-1", in_reply_to=order.id)
    sent = pen(1, "sent", "orders", ack, appended, to="shop", attempt=1)
    lost = pen(1, "lost", "orders", ack, sent, to="shop", reason="Drop", copy=0)
    late = pen(50, "timed_out", "shop", order, 0, to="orders", attempt=1, outcome="indefinite")
    retry = pen(60, "sent", "shop", order, late, to="orders", attempt=2)

    story = why(pen.trace(), retry)

    assert story.indexes[-5:] == (appended, sent, lost, late, retry)


def test_a_timeout_without_a_loss_goes_back_to_the_attempt():
    pen = Shop()
    order = pen.made(0, "order-1")
    late = pen(50, "timed_out", "shop", order, 0, to="orders", attempt=1, outcome="indefinite")

    assert why(pen.trace(), late).indexes == (0, 1, late)


def test_what_a_client_makes_is_a_root_whatever_it_did_before():
    pen = Shop()
    before = pen(0, "sent", "shop", pen.message(key="order-1"), to="orders", attempt=1)
    created = pen(10, "created", "shop", pen.message(key="order-2"), before)

    assert why(pen.trace(), created).indexes == (created,)


def test_why_takes_a_step_as_well_as_its_index():
    pen = Shop()
    pen.order(0, "order-1")
    trace = pen.trace()

    assert why(trace, trace[-1]) == why(trace, -1) == why(trace, len(trace) - 1)
    with pytest.raises(IndexError, match="no step 50"):
        why(trace, 50)


def test_a_long_story_is_shown_at_its_two_ends():
    pen = Shop()
    cause = None
    for time in range(60):
        cause = pen(
            time, "paused" if time % 2 else "resumed", "billing", cause=cause, **({"until": 1.0} if time % 2 else {})
        )

    told = repr(why(pen.trace(), 59)).splitlines()

    assert len(told) == 1 + 8 + 1 + 16
    assert told[9] == "  … 36 more steps …"


def test_a_journey_holds_all_of_a_message_and_of_the_answers_to_it():
    pen = Shop()
    order, other = pen.made(0, "order-1"), pen.made(1, "order-2")
    ack = pen.message("ack", "order-1", in_reply_to=order.id)
    pen(2, "sent", "orders", ack, to="shop", attempt=1)

    trace = pen.trace()

    assert [step.kind for step in journey(trace, order)] == ["created", "sent", "sent"]
    assert journey(trace, other.id).title == "The journey of message 2 (OrderCreated, order-2)"


def test_a_journey_by_key_holds_every_message_of_it():
    pen = Shop()
    pen.made(0, "order-1", "OrderCreated")
    pen.made(5, "order-1", "OrderShipped")
    pen.made(6, "order-2")

    assert [step.message.kind for step in journey(pen.trace(), "order-1")] == [
        "OrderCreated", "OrderCreated", "OrderShipped", "OrderShipped",
    ]  # fmt: skip


def test_a_journey_of_nobody_is_refused():
    trace = Shop().trace()

    with pytest.raises(KeyError, match="order-9"):
        journey(trace, "order-9")
    with pytest.raises(KeyError, match="no message 3"):
        journey(trace, 3)


def _everything_goes_wrong():
    pen = Shop()
    older, newer = pen.made(0, "order-1"), pen.made(1, "order-1")
    found = {"loss": pen.lost(2, older, 1)}
    pen.stored(3, newer)
    pen.fetched(4, newer, 0)
    pen.processed(5, newer)
    found["timeout"] = pen(50, "timed_out", "shop", older, to="orders", attempt=1, outcome="indefinite")
    found["retry"] = pen.sent(60, older, attempt=2)
    pen.stored(61, older)
    pen.fetched(62, older, 1)
    found["reordering"] = pen.processed(63, older)
    found["crash"] = pen(64, "crashed", "billing")
    found["redelivery"] = pen.fetched(70, older, 1)
    found["duplicate"] = pen.processed(71, older, attempt=2)
    pen.sent(72, older, attempt=3)
    found["duplicate record"] = pen.stored(73, older)
    found["skipped duplicate"] = pen(80, "skipped", "billing", older, reason="processed before")
    found["pause"] = pen(81, "paused", "billing", until=90.0)
    found["refusal"] = pen(82, "rejected", "orders", older, reason="queue full")
    found["giving up"] = pen(83, "abandoned", "shop", older, reason="no retries left")
    found["open breaker"] = pen(84, "opened", "shop", older, to="orders")
    pen(84, "elected", "orders", partition="orders-0", leader="orders", epoch=0)
    found["change of leader"] = pen(85, "elected", "orders", partition="orders-0", leader="shop", epoch=1)
    found["replica out of sync"] = pen(85, "shrunk", "orders", partition="orders-0", replica="orders", isr="shop")
    found["cut in a log"] = pen(86, "truncated", "orders", partition="orders-0", offset=3, records=2)
    found["rebalance"] = pen(87, "summoned", "orders", group="billing", generation=1, reason="a member left")
    return pen.trace(), found


@pytest.mark.parametrize("what", FIRSTS)
def test_each_first_is_found(what):
    trace, found = _everything_goes_wrong()

    assert first(trace, what).index == found[what]


def test_only_what_happens_has_a_first():
    trace, found = _everything_goes_wrong()

    assert firsts(trace).keys() == found.keys()
    assert firsts(Shop().trace()) == {}


def test_a_first_may_be_a_kind_of_step_or_a_function_of_one():
    trace, _ = _everything_goes_wrong()

    assert first(trace, "appended").kind == "appended"
    assert first(trace, lambda step: step.time > 62).time == 63
    assert first(trace, lambda step: step.time > 1_000) is None


def test_why_of_a_first_that_never_happens_says_so():
    trace = Shop().trace()

    story = why(trace, first(trace, "crash"))

    assert list(story) == []
    assert repr(story) == "Nothing of that kind happened in this run, so there is nothing to explain."


def test_an_unknown_first_is_refused():
    with pytest.raises(KeyError, match="duplikate"):
        first(Shop().trace(), "duplikate")


def test_the_first_duplicate_may_come_in_another_message_of_the_same_operation():
    pen = Pen(Maker("customers"), Server("shop"), Server("payment"), links=[("customers", "shop"), ("shop", "payment")])
    request, *charges = (pen.message("request", "order-1") for _ in range(3))
    pen(0, "created", "customers", request)
    for time, charge in enumerate(charges):
        pen(time, "created", "shop", charge, pen(time, "started", "shop", request, worker=0))
        charged = pen(time, "processed", "payment", charge, attempt=1)

    assert first(pen.trace(), "duplicate").index == charged


def test_a_record_s_journey_through_a_cluster_tells_how_it_came_and_went():
    pen = Cluster()
    order = pen.made(1, "order-1")
    request = pen.batched(1, order)
    sent = pen.sent(1, request)
    pen(2, "delivered", "one", request, sent, source="shop", copy=0)
    pen.appended(2, order, 0)
    pen(90, "truncated", "one", partition="orders-0", offset=0, records=1)

    assert [step.kind for step in journey(pen.trace(), order)] == [
        "created", "batched", "sent", "delivered", "appended", "truncated",
    ]  # fmt: skip


def test_a_reader_s_first_record_from_a_cluster_goes_back_to_how_it_came_into_the_log():
    pen = Cluster()
    order = pen.made(1, "order-1")
    pen.appended(2, order, 0)
    pen.fetched(9, order, 0)
    trace = pen.trace()

    assert [step.kind for step in why(trace, next(trace.select("fetched")))] == ["appended", "fetched"]


def test_a_record_of_a_cluster_is_a_duplicate_only_if_it_stands_there_twice():
    pen = Cluster()
    order = pen.order(1, "order-1", 0)
    assert first(pen.trace(), "duplicate record") is None

    pen(60, "appended", "one", order, partition="orders-0", offset=1)

    assert first(pen.trace(), "duplicate record").time == 60
