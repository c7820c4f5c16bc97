from simulator.reading import measures
from tests.reading.written import Log, Maker, Pen, Reader, Server, Shop


def _only(trace, name="billing", of="message"):
    (found,) = measures.missing(trace, name, of=of)
    return found


def test_what_took_effect_is_not_missing():
    pen = Shop()
    pen.worked_off(20, pen.order(0, "order-1"), 0)

    assert measures.missing(pen.trace(), "billing") == []


def test_what_was_recognised_as_done_before_is_not_missing():
    pen = Shop()
    pen(20, "skipped", "billing", pen.order(0, "order-1"), reason="processed before")

    assert measures.missing(pen.trace(), "billing") == []


def test_a_record_on_its_way_to_the_log_is_not_yet_there():
    pen = Shop()
    pen.made(990, "order-1")

    found = _only(pen.trace())

    assert not found.lost
    assert found.why == "a message about it was on its way to orders when the run ended"


def test_a_lost_record_that_its_maker_can_send_again_is_not_yet_there():
    pen = Shop()
    pen.lost(990, pen.made(990, "order-1"), 1)

    found = _only(pen.trace())

    assert not found.lost
    assert found.why == "shop could still send it again when the run ended"


def test_a_lost_record_is_gone_when_its_maker_wants_no_acknowledgement():
    pen = Shop(shop=Maker("shop", acks=0))
    pen.lost(10, pen.made(10, "order-1"), 1)

    found = _only(pen.trace())

    assert found.lost
    assert found.why == "it got lost on the way and nobody sends it again"


def test_a_lost_request_is_gone_when_its_maker_waits_for_ever():
    pen = Shop(shop=Maker("shop", request_timeout_ms=None))
    pen.lost(10, pen.made(10, "order-1"), 1)

    assert _only(pen.trace()).lost


def test_a_lost_record_is_gone_when_its_maker_gave_up():
    pen = Shop()
    pen.lost(10, order := pen.made(10, "order-1"), 1)
    pen(200, "abandoned", "shop", order, reason="no retries left")

    found = _only(pen.trace())

    assert found.lost
    assert found.why == "shop gave up (no retries left)"
    assert [step.kind for step in found.steps] == ["created", "abandoned"]


def test_a_lost_record_is_gone_when_its_maker_forgot_it_in_a_crash():
    pen = Shop()
    pen.lost(10, pen.made(10, "order-1"), 1)
    pen(20, "crashed", "shop")

    found = _only(pen.trace())

    assert found.lost
    assert found.why == "shop crashed and knows nothing of it any more"


def test_a_stored_record_in_front_of_its_reader_is_not_yet_there():
    pen = Shop()
    pen.order(0, "order-1")

    found = _only(pen.trace())

    assert not found.lost
    assert found.why == "billing had not got past partition 0, offset 0 of orders when the run ended"


def test_a_record_in_a_readers_hands_is_not_lost_even_if_it_was_committed_before():
    pen = Shop()
    order = pen.order(0, "order-1")
    pen.fetched(10, order, 0)
    pen.committed(11, 1)

    found = _only(pen.trace())

    assert not found.lost
    assert found.why == "billing still had it in hand when the run ended"


def test_a_record_that_was_committed_before_the_work_is_lost_in_a_crash():
    pen = Shop()
    order = pen.order(0, "order-1")
    pen.fetched(10, order, 0)
    pen.committed(11, 1)
    pen(12, "crashed", "billing")

    found = _only(pen.trace())

    assert found.lost
    assert found.why == "billing crashed with it in hand, and billing reads on behind it, so nobody will read it again"


def test_a_record_that_was_not_committed_survives_the_crash_of_its_reader():
    pen = Shop()
    order = pen.order(0, "order-1")
    pen.fetched(10, order, 0)
    pen(12, "crashed", "billing")

    assert not _only(pen.trace()).lost


def test_a_record_that_the_group_began_to_read_behind_is_lost_for_it():
    pen = Shop()
    pen.order(0, "order-1")
    pen(10, "assigned", "billing", partition=0, offset=1, group="billing")

    assert _only(pen.trace()).lost


def test_another_groups_commit_says_nothing():
    pen = Shop(Reader("billing"), Reader("email"))
    order = pen.order(0, "order-1")
    pen.worked_off(10, order, 0, "email")

    trace = pen.trace()

    assert measures.losses(trace, "billing") == []
    assert len(measures.pending(trace, "billing")) == 1


def test_a_request_in_a_queue_is_not_yet_done_and_one_in_a_crashed_queue_is_lost():
    def asked():
        pen = Pen(Maker("customers", request_timeout_ms=None), Server("shop"), links=[("customers", "shop")])
        request = pen.message("request", "order-1")
        pen(0, "created", "customers", request)
        sent = pen(0, "sent", "customers", request, to="shop", attempt=1)
        pen(1, "delivered", "shop", request, sent, source="customers", copy=0)
        pen(1, "queued", "shop", request, depth=1)
        return pen

    waiting = asked().trace()
    pen = asked()
    pen(5, "crashed", "shop")
    crashed = pen.trace()

    assert not _only(waiting, "shop").lost
    assert _only(crashed, "shop").lost


def test_a_refused_request_is_lost_when_its_maker_gives_up():
    pen = Pen(Maker("customers"), Server("shop"), links=[("customers", "shop")])
    request, refusal = pen.message("request", "order-1"), pen.message("refusal", "order-1", in_reply_to=1)
    pen(0, "created", "customers", request)
    sent = pen(0, "sent", "customers", request, to="shop", attempt=1)
    pen(1, "delivered", "shop", request, sent, source="customers", copy=0)
    pen(1, "started", "shop", request, worker=0)
    pen(2, "rejected", "shop", request, reason="email refused")
    back = pen(2, "sent", "shop", refusal, to="customers", attempt=1)
    pen(3, "delivered", "customers", refusal, back, source="shop", copy=0)
    pen(3, "failed", "customers", request, reason="email refused")
    pen(3, "abandoned", "customers", request, reason="shop refused")

    found = _only(pen.trace(), "shop")

    assert found.lost
    assert found.why == "customers gave up (shop refused)"


def _through_a_service() -> Pen:
    return Pen(
        Maker("customers"), Server("shop"), Log("orders"), Reader("email"),
        links=[("customers", "shop"), ("shop", "orders"), ("orders", "email")],
    )  # fmt: skip


def test_an_operation_is_lost_where_no_message_carried_it_to():
    pen = _through_a_service()
    request = pen.message("request", "order-1")
    pen(0, "created", "customers", request)
    pen(200, "abandoned", "customers", request, reason="shop did not answer in time")

    trace = pen.trace()

    assert measures.losses(trace, "email") == []
    found = _only(trace, "email", of="operation")
    assert found.lost
    assert found.why == "customers gave up (shop did not answer in time)"


def test_an_operation_is_not_lost_while_an_event_of_it_waits_in_a_log():
    pen = _through_a_service()
    request, event = pen.message("request", "order-1"), pen.message("OrderCreated", "order-1")
    pen(0, "created", "customers", request)
    done = pen(30, "processed", "shop", request, attempt=1)
    pen(30, "created", "shop", event, done)
    pen(31, "appended", "orders", event, partition=0, offset=0)

    assert not _only(pen.trace(), "email", of="operation").lost


def _asks_again() -> tuple[Pen, list]:
    """The shop asks the email service for the same order in two messages, since its customer asked twice."""
    pen = Pen(
        Maker("customers", request_timeout_ms=None), Server("shop"), Server("email"),
        links=[("customers", "shop"), ("shop", "email")],
    )  # fmt: skip
    request, *mails = (pen.message("request", "order-1") for _ in range(3))
    pen(0, "created", "customers", request)
    for time, mail in ((10, mails[0]), (200, mails[1])):
        started = pen(time, "started", "shop", request, worker=0)
        pen(time, "created", "shop", mail, started)
        sent = pen(time, "sent", "shop", mail, to="email", attempt=1)
        pen(time, "lost", "shop", mail, sent, to="email", reason="Drop", copy=0)
        pen(time + 50, "abandoned", "shop", mail, reason="email did not answer in time")
    return pen, [request, *mails]


def test_two_messages_that_failed_to_carry_the_same_are_one_loss():
    pen, (request, _, second) = _asks_again()
    pen(260, "abandoned", "customers", request, reason="shop refused")
    pen(261, "crashed", "shop")

    found = _only(pen.trace(), "email")

    assert found.lost
    assert found.message == second


def test_a_message_in_whose_place_another_took_effect_is_no_loss():
    pen, (_, _, second) = _asks_again()
    pen(300, "processed", "email", second, attempt=1)

    assert measures.missing(pen.trace(), "email") == []


def test_what_an_earlier_service_may_still_carry_on_is_no_loss_yet():
    pen, _ = _asks_again()

    found = _only(pen.trace(), "email")

    assert not found.lost
    assert found.why == "shop still had it in hand when the run ended"


def test_an_operation_is_not_meant_for_where_no_links_lead():
    pen = Pen(
        Maker("shop"), Maker("app"), Log("orders"), Log("clicks"), Reader("billing"),
        links=[("shop", "orders"), ("app", "clicks"), ("orders", "billing")],
    )  # fmt: skip
    pen(0, "created", "app", pen.message("Clicked", "page-1"))

    assert measures.missing(pen.trace(), "billing", of="operation") == []
