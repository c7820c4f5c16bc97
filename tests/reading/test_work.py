import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.reading import measures
from simulator.values import Span
from tests.reading.written import Maker, Pen, Server


class Counter(Pen):
    def __init__(self, workers: int = 1, duration: float = 1_000) -> None:
        super().__init__(
            Maker("customers"), Server("shop", workers=workers), links=[("customers", "shop")], duration=duration
        )

    def request(self):
        return self.message("request", "order")


def test_a_stay_goes_from_the_queue_through_the_work_to_the_effect():
    pen = Counter()
    request = pen.request()
    pen(10, "queued", "shop", request, depth=1)
    pen(30, "started", "shop", request, worker=0)
    pen(70, "processed", "shop", request, attempt=1)

    assert measures.stays(pen.trace(), "shop") == [measures.Stay(request.id, 10, 30, 70, False)]


def test_work_that_fails_ends_when_it_is_refused():
    pen = Counter()
    request = pen.request()
    pen(10, "started", "shop", request, worker=0)
    pen(40, "rejected", "shop", request, reason="email refused")

    assert measures.stays(pen.trace(), "shop")[0].left == 40


def test_a_second_copy_that_is_refused_at_the_door_does_not_end_the_work_on_the_first():
    pen = Counter()
    request = pen.request()
    sent = pen(0, "sent", "customers", request, to="shop", attempt=2)
    pen(10, "started", "shop", request, worker=0)
    delivered = pen(20, "delivered", "shop", request, sent, source="customers", copy=0)
    pen(20, "rejected", "shop", request, delivered, reason="queue full")
    pen(60, "processed", "shop", request, attempt=1)

    assert measures.stays(pen.trace(), "shop")[0].left == 60


def test_a_crash_ends_every_stay():
    pen = Counter()
    served, waiting = pen.request(), pen.request()
    pen(0, "started", "shop", served, worker=0)
    pen(5, "queued", "shop", waiting, depth=1)
    pen(20, "crashed", "shop")

    found = measures.stays(pen.trace(), "shop")

    assert [(stay.left, stay.lost) for stay in found] == [(20, True), (20, True)]
    assert measures.queue_length(pen.trace(), "shop") == [(0.0, 0), (5.0, 1), (20.0, 0)]


def test_utilisation_is_the_share_of_all_workers_time():
    pen = Counter(workers=2)
    short, long = pen.request(), pen.request()
    pen(0, "started", "shop", long, worker=0)
    pen(0, "started", "shop", short, worker=1)
    pen(100, "processed", "shop", short, attempt=1)
    pen(300, "processed", "shop", long, attempt=1)

    assert measures.utilisation(pen.trace(), "shop") == 0.2


def test_utilisation_counts_work_that_goes_on_at_the_end_and_only_what_lies_in_the_span():
    pen = Counter()
    request = pen.request()
    pen(600, "started", "shop", request, worker=0)

    trace = pen.trace()

    assert measures.utilisation(trace, "shop") == 0.4
    assert measures.utilisation(trace, "shop", during=Span(500, 700)) == 0.5


def test_the_queue_is_as_long_as_there_are_waiting_ones():
    pen = Counter()
    first, second = pen.request(), pen.request()
    pen(10, "queued", "shop", first, depth=1)
    pen(20, "queued", "shop", second, depth=2)
    pen(30, "started", "shop", first, worker=0)

    assert measures.queue_length(pen.trace(), "shop") == [(0.0, 0), (10.0, 1), (20.0, 2), (30.0, 1)]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=20))
def test_littles_law_holds_exactly_where_all_that_came_has_gone(times):
    pen = Counter(workers=20)
    happened = []
    for arrived, waited, worked in times:
        request = pen.request()
        happened += [
            (arrived, 0, "queued", request, {"depth": 1}),
            (arrived + waited, 1, "started", request, {"worker": 0}),
            (arrived + waited + worked, 2, "processed", request, {"attempt": 1}),
        ]
    for time, _, kind, request, data in sorted(happened, key=lambda step: step[:2]):
        pen(time, kind, "shop", request, **data)

    found = measures.little(pen.trace(), "shop")

    assert found.number == pytest.approx(found.rate * found.time)
    assert found.waiting_number == pytest.approx(found.rate * found.waiting_time)
