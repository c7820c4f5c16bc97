import pytest

from simulator.reading import measures
from simulator.values import Span
from tests.reading.written import Maker, Pen, Server, Shop


def _asking(*, duration: float = 1_000) -> Pen:
    return Pen(Maker("customers"), Server("shop"), links=[("customers", "shop")], duration=duration)


def _request(pen: Pen, time: float, answered: float | None = None):
    request = pen.message("request", f"order-{time}")
    pen(time, "created", "customers", request)
    if answered is not None:
        pen(answered, "completed", "customers", request, attempts=1, source="shop")
    return request


def test_a_node_is_down_from_its_crash_to_its_restart():
    pen = Shop()
    pen(100, "crashed", "billing")
    pen(300, "restarted", "billing", incarnation=1)
    pen(900, "crashed", "billing")

    trace = pen.trace()

    assert measures.downtimes(trace, "billing") == [Span(100, 300), Span(900, 1_000)]
    assert measures.uptime(trace, "billing") == pytest.approx(0.7)
    assert measures.uptime(trace, "billing", during=Span(200, 400)) == pytest.approx(0.5)
    assert measures.uptime(trace, "shop") == 1.0


def test_availability_is_the_share_with_a_good_answer():
    pen = _asking()
    _request(pen, 0, answered=50)
    given_up = _request(pen, 100)
    pen(400, "abandoned", "customers", given_up, reason="shop did not answer in time")

    assert measures.availability(pen.trace()) == 0.5


def test_an_answer_that_comes_too_late_is_not_good():
    pen = _asking()
    _request(pen, 0, answered=50)
    _request(pen, 100, answered=400)

    trace = pen.trace()

    assert measures.availability(trace) == 1.0
    assert measures.availability(trace, within=100) == 0.5


def test_a_request_made_just_before_the_end_is_too_young_to_count():
    pen = _asking()
    _request(pen, 0, answered=50)
    _request(pen, 980)

    assert measures.availability(pen.trace()) == 1.0


def test_a_request_that_waited_longer_than_any_answered_one_counts_as_failed():
    pen = _asking()
    _request(pen, 0, answered=50)
    _request(pen, 500)

    trace = pen.trace()

    assert measures.availability(trace) == 0.5
    assert measures.availability(trace, within=500) == 0.5
    assert measures.availability(trace, within=501) == 1.0


def test_availability_of_a_span_judges_what_was_made_in_it():
    pen = _asking()
    _request(pen, 0, answered=50)
    given_up = _request(pen, 100)
    pen(200, "abandoned", "customers", given_up, reason="no retries left")

    trace = pen.trace()

    assert measures.availability(trace, during=Span(100, 200)) == 0.0
    assert measures.availability(trace, during=Span(300, 400)) is None


def test_a_group_recovers_when_its_backlog_is_back_where_it_had_been():
    pen = Shop()
    pen.worked_off(10, pen.order(0, "order-1"), 0)
    pen(100, "crashed", "billing")
    for place in range(2, 5):
        pen.order(100 * place, f"order-{place}")
    pen(500, "restarted", "billing", incarnation=1)
    for place in range(2, 5):
        pen.committed(600 + 10 * place, place)

    trace = pen.trace()

    assert measures.time_to_recover(trace, "billing") == 530
    assert measures.time_to_recover(trace, "billing", since=20) == 610


def test_a_group_that_never_catches_up_has_not_recovered():
    pen = Shop()
    pen(100, "crashed", "billing")
    pen.order(200, "order-1")

    assert measures.time_to_recover(pen.trace(), "billing") is None


def test_a_fault_that_nobody_felt_takes_no_time_to_recover_from():
    pen = Shop()
    pen(100, "paused", "billing", until=110)
    pen(110, "resumed", "billing")

    assert measures.time_to_recover(pen.trace(), "billing") == 0.0


def test_without_a_fault_there_is_nothing_to_recover_from():
    trace = Shop().trace()

    assert measures.time_to_recover(trace, "billing") is None
    assert measures.time_to_first_success(trace, "billing") is None


def test_the_first_success_after_a_fault():
    pen = Shop()
    first, second = pen.order(0, "order-1"), pen.order(20, "order-2")
    pen.processed(50, first)
    pen(100, "crashed", "billing")
    pen.processed(350, second)

    assert measures.time_to_first_success(pen.trace(), "billing") == 250


def test_a_service_recovers_when_its_queue_is_back_where_it_had_been():
    pen = _asking()
    pen(100, "paused", "shop", until=300)
    requests = [_request(pen, 150 + place) for place in range(2)]
    for place, request in enumerate(requests):
        pen(301, "queued", "shop", request, depth=place + 1)
    for place, request in enumerate(requests):
        pen(310 + 10 * place, "started", "shop", request, worker=0)

    assert measures.time_to_recover(pen.trace(), "shop") == 220


def test_a_node_that_ended_in_good_order_is_down_until_it_starts_again():
    pen = Shop()
    pen(100, "stopped", "orders")
    pen(250, "restarted", "orders", incarnation=1)
    pen(400, "stopped", "billing")
    trace = pen.trace()

    assert measures.downtimes(trace, "orders") == [Span(100, 250)]
    assert measures.downtimes(trace, "billing") == [Span(400, 1_000)]
