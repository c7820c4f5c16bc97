import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.reading import measures
from simulator.values import Span
from tests.reading.written import Log, Maker, Pen, Reader, Server, Shop


def test_throughput_is_per_second_of_the_whole_run():
    pen = Shop(duration=2_000)
    for place in range(6):
        pen.processed(100 * place, pen.order(100 * place, f"order-{place}"))

    assert measures.throughput(pen.trace(), "billing") == 3.0


def test_throughput_of_a_span_counts_only_what_lies_in_it():
    pen = Shop(duration=2_000)
    for time in (100, 600, 700):
        pen.processed(time, pen.order(time - 50, f"order-{time}"))

    assert measures.throughput(pen.trace(), "billing", during=Span(500, 1_000)) == 4.0


def test_throughput_over_time_ends_with_a_shorter_interval_and_still_tells_a_rate():
    pen = Shop(duration=1_500)
    for time in (100, 200, 1_200):
        pen.processed(time, pen.order(time, f"order-{time}"))

    assert measures.throughput_over_time(pen.trace(), "billing") == [(0.0, 2.0), (1_000.0, 2.0)]


def test_an_interval_of_nothing_is_refused():
    trace = Shop().trace()

    with pytest.raises(ValueError, match="longer than 0 ms"):
        measures.throughput_over_time(trace, every=0)


def test_an_unknown_name_is_refused_with_the_nearest_known_one():
    trace = Shop().trace()

    with pytest.raises(KeyError, match="billing"):
        measures.throughput(trace, "biling")


def test_latency_is_from_creation_to_the_first_acknowledgement():
    pen = Shop()
    order = pen.order(10, "order-1")
    pen.acknowledged(14, order, 0)
    pen.acknowledged(30, order, 0)

    assert measures.latency(pen.trace()).values == (4.0,)


def test_latency_of_requests_is_from_creation_to_the_good_answer():
    pen = Pen(Maker("customers"), Server("shop"), links=[("customers", "shop")])
    request = pen.message("request", "order-1")
    pen(0, "created", "customers", request)
    pen(70, "completed", "customers", request, attempts=2, source="shop")

    assert measures.latency(pen.trace()).values == (70.0,)


def test_latency_is_what_clients_feel_and_not_what_services_ask_of_each_other():
    pen = Pen(Maker("customers"), Server("shop"), Server("email"), links=[("customers", "shop"), ("shop", "email")])
    request, inner = pen.message("request", "order-1"), pen.message("request", "order-1")
    pen(0, "created", "customers", request)
    pen(10, "created", "shop", inner)
    pen(20, "completed", "shop", inner, attempts=1, source="email")
    pen(25, "completed", "customers", request, attempts=1, source="shop")

    trace = pen.trace()

    assert measures.latency(trace).values == (25.0,)
    assert measures.latency(trace, "shop").values == (10.0,)


def test_transit_counts_every_copy_that_arrives():
    pen = Shop()
    order = pen.made(0, "order-1")
    pen(5, "delivered", "orders", order, 1, source="shop", copy=0)
    pen(9, "delivered", "orders", order, 1, source="shop", copy=1)

    trace = pen.trace()

    assert measures.transit(trace).values == (5.0, 9.0)
    assert measures.transit(trace, "shop", "orders").count == 2
    assert measures.transit(trace, "orders").count == 0


def test_end_to_end_ends_with_the_first_effect_in_the_group():
    pen = Shop(Reader("one", group="billing"), Reader("two", group="billing"))
    order = pen.order(10, "order-1")
    pen.processed(40, order, "two")
    pen.processed(90, order, "one")

    assert measures.end_to_end(pen.trace(), "billing").values == (30.0,)


def test_everybody_knows_when_the_slowest_group_does():
    pen = Shop(Reader("billing"), Reader("email"))
    known, half_known = pen.order(0, "order-1"), pen.order(5, "order-2")
    pen.processed(20, known, "billing")
    pen.processed(21, half_known, "billing")
    pen.processed(80, known, "email")

    assert measures.inconsistency_window(pen.trace()).values == (80.0,)


def test_everybody_knows_is_counted_from_the_customers_click_on():
    pen = Pen(
        Maker("customers"), Server("shop"), Log("orders"), Reader("email"),
        links=[("customers", "shop"), ("shop", "orders"), ("orders", "email")],
    )  # fmt: skip
    request, event = pen.message("request", "order-1"), pen.message("OrderCreated", "order-1")
    pen(0, "created", "customers", request)
    done = pen(30, "processed", "shop", request, attempt=1)
    pen(30, "published", "shop", event, done, to="orders")
    pen(100, "processed", "email", event, attempt=1)

    trace = pen.trace()

    assert measures.inconsistency_window(trace).values == (100.0,)
    assert measures.end_to_end(trace, "email").values == (70.0,)


def test_the_wire_carries_retries_and_protocol_too():
    pen = Shop()
    order = pen.made(0, "order-1")
    pen.sent(50, order, attempt=2)
    commit = pen.message("commit")
    pen(60, "sent", "billing", commit, to="orders", attempt=1)

    trace = pen.trace()

    assert measures.messages_on_the_wire(trace) == 3
    assert measures.messages_on_the_wire(trace, "shop") == 2
    assert measures.messages_on_the_wire(trace, kind="commit") == 1
    assert measures.traffic(trace) == {("shop", "orders", "OrderCreated"): 2, ("billing", "orders", "commit"): 1}


def test_percentiles_are_values_that_occurred():
    spread = measures.Distribution(range(1, 101))

    assert (spread.p50, spread.p90, spread.p99, spread.max) == (50, 90, 99, 100)
    assert measures.Distribution([7, 3]).percentile(0) == 3


def test_nothing_measured_has_no_mean_and_no_percentile():
    empty = measures.Distribution()

    assert (empty.count, empty.mean, empty.p50, empty.max) == (0, None, None, None)
    assert repr(empty) == "<no durations>"


def test_a_percentile_above_100_is_refused():
    with pytest.raises(ValueError, match="between 0 and 100"):
        measures.Distribution([1]).percentile(101)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_at_least_the_asked_share_is_no_longer_than_its_percentile(values, share):
    found = measures.Distribution(values).percentile(share)

    assert found in values
    assert sum(value <= found for value in values) >= share / 100 * len(values) - 1e-6
    assert sum(value < found for value in values) <= share / 100 * len(values) + 1e-6
