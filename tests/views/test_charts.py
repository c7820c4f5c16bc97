"""What the charts in the browser are told."""

from __future__ import annotations

import pytest

from simulator import Caller, Consumer, Link, Pause, Producer, Scenario, Service, Span, Topic, run
from simulator.reading import measures
from simulator.reading.distribution import Distribution
from simulator.scenarios import one_slow_message
from simulator.views.charts import charts, latency_chart, spread, stops, throughput_chart, waiting_chart
from tests.views.shop import shop


def pairs(points: list[float]) -> list[tuple[float, float]]:
    return list(zip(points[::2], points[1::2], strict=True))


def test_the_line_of_a_distribution_rises_from_its_smallest_to_its_largest():
    told = spread(Distribution(range(1, 1_001)))

    line = pairs(told["points"])
    assert line == sorted(line)
    assert (line[0], line[-1]) == ((1, 0), (1_000, 100))
    assert (told["p50"], told["p99"], told["count"]) == (500, 990, 1_000)
    assert len(line) <= 102


def test_a_handful_of_durations_makes_a_handful_of_points():
    line = pairs(spread(Distribution([10, 20]))["points"])

    assert line == [(10, 0), (10, 50), (20, 99), (20, 100)]


def test_where_nobody_was_answered_there_is_no_line():
    assert spread(Distribution()) == {"count": 0, "p50": None, "p99": None, "points": []}


def test_readers_of_a_log_show_their_lag():
    trace = run(shop(email_work=80), seed=7)

    told = waiting_chart(trace)

    email = next(line for line in told["lines"] if line["name"] == "email")
    assert (told["what"], told["unit"]) == ("lag", "messages")
    assert max(level for _, level in pairs(email["points"])) == max(level for _, level in measures.backlog(trace, "email"))


def test_one_group_shows_its_partitions():
    scenario = Scenario(
        nodes=[Producer("shop", every=10), Topic("orders", partitions=3), Consumer("billing", work=40)],
        links=[Link("shop", "orders"), Link("orders", "billing")],
        duration=1_000,
    )

    assert [line["name"] for line in waiting_chart(run(scenario))["lines"]] == ["orders p0", "orders p1", "orders p2"]


def test_without_a_log_services_show_their_queues():
    scenario = Scenario(
        nodes=[Caller("shop", every=10), Service("orders", work=30)], links=[Link("shop", "orders")], duration=1_000
    )

    told = waiting_chart(run(scenario))

    (line,) = told["lines"]
    assert (told["what"], line["name"]) == ("queue", "orders")
    assert pairs(line["points"])[-1][1] > 50


def test_queues_show_how_much_stands_in_them():
    hoarded, shared = (waiting_chart(run(one_slow_message(limit))) for limit in (0, 1))

    assert [(told["what"], told["unit"], told["lines"][0]["name"]) for told in (hoarded, shared)] == [
        ("queue", "messages", "orders")
    ] * 2
    assert max(level for _, level in pairs(hoarded["lines"][0]["points"])) <= 1
    assert max(level for _, level in pairs(shared["lines"][0]["points"])) > 5


def test_a_line_over_time_spans_the_whole_run():
    told = charts(run(shop(), seed=7))

    for line in [*told["waiting"]["lines"], *told["throughput"]["lines"]]:
        times = [time for time, _ in pairs(line["points"])]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= told["end"] == 4_000


def test_what_gets_done_adds_up_to_what_was_done():
    trace = run(shop(), seed=7)

    told = throughput_chart(trace)

    rates = {line["name"]: [rate for _, rate in pairs(line["points"])] for line in told["lines"]}
    for name in ("stock", "email"):
        assert sum(rates[name]) * 0.2 == pytest.approx(measures.throughput(trace, name) * 4, abs=0.5)


def test_an_outage_is_marked():
    assert charts(run(shop(), seed=7))["downs"] == [{"told": "email down", "from": 1_000, "to": 2_000}]


def test_a_pause_is_marked_even_if_it_outlasts_the_run():
    scenario = shop(email_outage=None).but(
        faults=[Pause("stock", at=500, lasting=200), Pause("stock", at=3_900, lasting=900)]
    )

    assert stops(run(scenario)) == [("stock frozen", Span(500, 700)), ("stock frozen", Span(3_900, 4_000))]


def test_an_empty_run_has_empty_charts():
    quiet = Scenario(nodes=[Topic("orders"), Consumer("billing")], links=[Link("orders", "billing")], duration=10)

    told = charts(run(quiet))

    assert told["latency"]["points"] == []
    assert latency_chart(run(quiet))["count"] == 0
