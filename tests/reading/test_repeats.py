from simulator.reading import measures
from tests.reading.written import Log, Maker, Pen, Reader, Server, Shop


def test_a_message_processed_twice_by_one_node_is_a_duplicate():
    pen = Shop()
    once, twice = pen.order(0, "order-1"), pen.order(10, "order-2")
    pen.processed(20, once)
    first = pen.processed(30, twice)
    second = pen.processed(90, twice, attempt=2)

    (found,) = measures.duplicates(pen.trace(), "billing")

    assert (found.message.key, found.times) == ("order-2", 2)
    assert [step.index for step in found.steps] == [first, second]


def test_two_members_of_a_group_that_process_the_same_message_make_a_duplicate():
    pen = Shop(Reader("one", group="billing"), Reader("two", group="billing"))
    order = pen.order(0, "order-1")
    pen.processed(20, order, "one")
    pen.processed(30, order, "two")

    trace = pen.trace()

    assert len(measures.duplicates(trace, "billing")) == 1
    assert measures.duplicates(trace, "one") == []


def test_two_groups_that_process_the_same_message_make_none():
    pen = Shop(Reader("billing"), Reader("email"))
    order = pen.order(0, "order-1")
    pen.processed(20, order, "billing")
    pen.processed(30, order, "email")

    trace = pen.trace()

    assert measures.duplicates(trace, "billing") == measures.duplicates(trace, "email") == []


def test_two_messages_that_say_the_same_are_no_duplicate():
    pen = Shop()
    pen.processed(20, pen.order(0, "order-1"))
    pen.processed(30, pen.order(1, "order-1"))

    assert measures.duplicates(pen.trace(), "billing") == []


def test_a_record_that_is_in_the_log_twice_is_a_duplicate_at_the_topic():
    pen = Shop()
    order = pen.order(0, "order-1")
    pen.sent(50, order, attempt=2)
    pen.stored(51, order)

    (found,) = measures.duplicates(pen.trace(), "orders")

    assert [step["offset"] for step in found.steps] == [0, 1]


def _charged_twice(payloads: tuple[object, object] = (None, None)) -> Pen:
    pen = Pen(Maker("customers"), Server("shop"), Server("payment"), links=[("customers", "shop"), ("shop", "payment")])
    request = pen.message("request", "order-1")
    charges = [pen.message("request", "order-1", payload=payload) for payload in payloads]
    pen(0, "created", "customers", request)
    for attempt, charge in enumerate(charges, start=1):
        started = pen(100 * attempt, "started", "shop", request, worker=0)
        made = pen(100 * attempt, "created", "shop", charge, started)
        pen(100 * attempt + 20, "processed", "payment", charge, made, attempt=1)
    return pen


def test_a_service_that_is_asked_twice_repeats_the_operation_at_the_next_one():
    trace = _charged_twice().trace()

    (found,) = measures.duplicates(trace, "payment", of="operation")

    assert measures.duplicates(trace, "payment") == []
    assert (found.message.key, found.times) == ("order-1", 2)


def test_two_different_requests_of_one_operation_are_no_repeat():
    trace = _charged_twice(("reserve", "charge")).trace()

    assert measures.duplicates(trace, "payment", of="operation") == []


def test_an_older_message_that_takes_effect_after_a_newer_one_of_its_key_is_reordered():
    pen = Shop()
    older, newer = pen.order(0, "order-1"), pen.order(10, "order-1")
    late, early = pen.processed(20, newer), pen.processed(30, older)

    (found,) = measures.reorderings(pen.trace(), "billing")

    assert (found.key, found.earlier, found.later) == ("order-1", older, newer)
    assert [step.index for step in found.steps] == [late, early]


def test_messages_of_different_keys_may_overtake_each_other():
    pen = Shop()
    older, newer = pen.order(0, "order-1"), pen.order(10, "order-2")
    pen.processed(20, newer)
    pen.processed(30, older)

    assert measures.reorderings(pen.trace(), "billing") == []


def test_a_repeat_of_an_older_message_is_a_duplicate_but_no_reordering():
    pen = Shop()
    older, newer = pen.order(0, "order-1"), pen.order(10, "order-1")
    pen.processed(20, older)
    pen.processed(30, newer)
    pen.processed(40, older, attempt=2)

    trace = pen.trace()

    assert measures.reorderings(trace, "billing") == []
    assert len(measures.duplicates(trace, "billing")) == 1


def test_nothing_orders_the_messages_of_two_makers():
    pen = Pen(
        Maker("shop"), Maker("app"), Log("orders"), Reader("billing"),
        links=[("shop", "orders"), ("app", "orders"), ("orders", "billing")],
    )  # fmt: skip
    older, newer = pen.message(key="order-1"), pen.message(key="order-1")
    pen(0, "created", "shop", older)
    pen(1, "created", "app", newer)
    pen(10, "processed", "billing", newer, attempt=1)
    pen(20, "processed", "billing", older, attempt=1)

    assert measures.reorderings(pen.trace(), "billing") == []


def test_a_retry_that_comes_late_into_the_log_is_reordered_at_the_topic():
    pen = Shop()
    older, newer = pen.made(0, "order-1"), pen.made(10, "order-1")
    pen.stored(11, newer)
    pen.sent(50, older, attempt=2)
    pen.stored(51, older)

    (found,) = measures.reorderings(pen.trace(), "orders")

    assert found.earlier == older
