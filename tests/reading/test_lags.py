import pytest

from simulator.reading import measures
from simulator.reading.lags import slope
from simulator.values import Span
from tests.reading.written import Cluster, Reader, Server, Shop


def test_lag_is_what_is_stored_and_not_committed():
    pen = Shop()
    for place in range(3):
        pen.order(10 * place, f"order-{place}")
    pen.committed(50, 1)

    (found,) = measures.lag(pen.trace(), "billing", at=100)

    assert (found.topic, found.partition, found.messages) == ("orders", 0, 2)
    assert found.ms == 100 - 11


def test_lag_is_nothing_when_all_is_committed():
    pen = Shop()
    pen.order(0, "order-1")
    pen.committed(50, 1)

    (found,) = measures.lag(pen.trace(), "billing")

    assert (found.messages, found.ms) == (0, 0.0)


def test_lag_is_told_for_each_partition_even_an_empty_one():
    pen = Shop(partitions=2)
    pen.order(0, "order-1", partition=1)

    found = measures.lag(pen.trace(), "billing")

    assert [(each.partition, each.messages) for each in found] == [(0, 0), (1, 1)]


def test_lag_at_a_time_knows_nothing_of_what_comes_later():
    pen = Shop()
    pen.order(0, "order-1")
    pen.order(500, "order-2")
    pen.committed(600, 2)

    trace = pen.trace()

    assert measures.total_lag(trace, "billing", at=0) == 0
    assert measures.total_lag(trace, "billing", at=300) == 1
    assert measures.total_lag(trace, "billing", at=550) == 2
    assert measures.total_lag(trace, "billing", at=600) == 0


def test_a_lost_commit_shows_as_lag_although_the_work_is_done():
    pen = Shop()
    pen.processed(20, pen.order(0, "order-1"))

    assert measures.total_lag(pen.trace(), "billing") == 1


def test_before_the_first_commit_lag_counts_from_where_the_group_began_to_read():
    pen = Shop()
    pen.order(0, "order-1")
    pen(5, "assigned", "billing", partition=0, offset=1, group="billing")
    pen.order(10, "order-2")

    assert measures.total_lag(pen.trace(), "billing") == 1


def test_the_commits_of_another_group_count_for_that_group_alone():
    pen = Shop(Reader("billing"), Reader("email"))
    pen.order(0, "order-1")
    pen.committed(10, 1, "email")

    trace = pen.trace()

    assert (measures.total_lag(trace, "billing"), measures.total_lag(trace, "email")) == (1, 0)


def test_a_consumer_that_falls_behind_has_a_rising_trend_and_one_that_catches_up_a_falling_one():
    behind, catching_up = Shop(duration=1_000), Shop(duration=1_000)
    for place in range(10):
        behind.order(100 * place, f"order-{place}")
        catching_up.order(0, f"order-{place}")
    for place in range(10):
        catching_up.committed(100 * place + 50, place + 1)

    (rising,) = measures.lag_over_time(behind.trace(), "billing")
    (falling,) = measures.lag_over_time(catching_up.trace(), "billing", during=Span(100, 1_000))

    assert rising.trend == pytest.approx(10, rel=0.05)
    assert falling.trend == pytest.approx(-10, rel=0.05)
    assert rising.times[:3] == (0, 100, 200)
    assert rising.messages[:3] == (0, 1, 2)


def test_the_slope_of_points_on_a_line_is_the_lines():
    assert slope([0, 1, 2, 3], [5, 7, 9, 11]) == pytest.approx(2)
    assert slope([4], [1]) == 0.0
    assert slope([4, 4], [1, 9]) == 0.0


def test_the_backlog_changes_with_every_record_and_every_commit():
    pen = Shop(partitions=2)
    pen.order(0, "order-1", partition=0)
    pen.order(10, "order-2", partition=1)
    pen.committed(40, 1, partition=0)

    assert measures.backlog(pen.trace(), "billing") == [(0.0, 0), (1.0, 1), (11.0, 2), (40.0, 1)]


def test_a_name_that_reads_no_topic_has_no_lag():
    trace = Shop(Reader("billing"), shop=Server("shop")).trace()

    with pytest.raises(ValueError, match="the groups here are: billing"):
        measures.lag(trace, "shop")


def test_in_a_cluster_the_log_ends_at_the_leader_s_high_watermark():
    pen = Cluster()
    pen.order(1, "order-1", 0)
    order = pen.made(10, "order-2")
    pen.appended(11, order, 1)
    pen.assigned(20, "billing", 0)
    pen.advanced(50, 2, "one")
    trace = pen.trace()

    assert [measures.total_lag(trace, "billing", at=at) for at in (0, 20, 49, 50)] == [0, 1, 1, 2]
    (found,) = measures.lag(trace, "billing", at=60)
    assert (found.topic, found.partition, found.messages, found.ms) == ("orders", 0, 2, 60 - 2)


def test_in_a_cluster_what_is_committed_at_the_coordinator_counts():
    pen = Cluster(partitions=2)
    for place in range(3):
        pen.order(10 * place, f"order-{place}", place, "orders-1")
    pen.committed(50, 2, partition="orders-1")
    pen.committed(51, 3, group="others", partition="orders-1")

    assert [(each.partition, each.messages) for each in measures.lag(pen.trace(), "billing")] == [(0, 0), (1, 1)]
    assert measures.backlog(pen.trace(), "billing")[-1] == (50, 1)


def test_a_new_leader_that_knows_of_less_shortens_the_lag():
    pen = Cluster()
    pen.order(1, "order-1", 0)
    pen.appended(11, pen.made(10, "order-2"), 1)
    pen.advanced(12, 2, "one")
    pen.led_by(50, "two", 1, "two")
    pen.copied(60, pen.made(55, "order-3"), 1, "two")
    pen.advanced(60, 2, "two")
    trace = pen.trace()

    (series,) = measures.lag_over_time(trace, "billing", every=15, during=Span(20, 80))

    assert series.messages == (2, 2, 1, 2, 2)
    # The first order could be read from 2 ms on, at either leader.
    assert series.ms == tuple(time - 2 for time in series.times)
    assert measures.backlog(trace, "billing") == [(0, 0), (2, 1), (12, 2), (50, 1), (60, 2)]


def test_in_a_cluster_a_group_begins_where_its_reset_says():
    pen = Cluster()
    for place in range(3):
        pen.order(10 * place, f"order-{place}", place)
    pen.assigned(40, "billing", -1)
    pen(45, "reset", "billing", partition="orders-0", offset=2)

    assert measures.total_lag(pen.trace(), "billing") == 1
