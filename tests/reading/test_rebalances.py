"""How long a group takes to share out its partitions anew, and who reads nothing meanwhile."""

import pytest

from simulator import KafkaConsumer
from simulator.reading import checks, measures
from simulator.values import Span
from tests.reading.written import Cluster, Shop


def _two() -> Cluster:
    """``first`` reads both partitions when ``second`` comes."""
    pen = Cluster(*(KafkaConsumer(name, group="billing") for name in ("first", "second")), partitions=2)
    pen(1, "summoned", "one", group="billing", generation=0, reason="first joins")
    pen(5, "rebalanced", "one", group="billing", generation=1, members=1)
    for partition in pen.partitions:
        pen.assigned(6, "first", 0, partition)
    pen(100, "summoned", "one", group="billing", generation=1, reason="second joins")
    return pen


def _gives_up(pen: Cluster, time: float, *partitions: str, reader: str = "first") -> None:
    for partition in partitions:
        pen(time, "revoked", reader, partition=partition, group="billing", reason="the group is called together")


def test_an_eager_rebalance_stops_whoever_reads_until_it_has_partitions_again():
    pen = _two()
    _gives_up(pen, 130, "orders-0", "orders-1")
    pen(140, "rebalanced", "one", group="billing", generation=2, members=2)
    pen.assigned(145, "first", 7, "orders-0")
    pen.assigned(150, "second", 9, "orders-1")

    began, found = measures.rebalances(pen.trace(), "billing")

    assert (began.reason, began.duration, began.stopped, began.moved) == ("first joins", 5, {}, ())
    assert (found.began, found.ended, found.duration, found.generation) == (100, 150, 50, 2)
    assert found.stopped == {"first": 15}
    assert found.moved == ("orders-1",)
    assert [step.kind for step in found.steps] == ["summoned", "rebalanced", "assigned"]


def test_an_incremental_rebalance_stops_nobody_and_moves_in_a_second_round():
    pen = _two()
    pen(140, "rebalanced", "one", group="billing", generation=2, members=2)
    _gives_up(pen, 142, "orders-1")
    pen(150, "summoned", "one", group="billing", generation=2, reason="first joins")
    pen(160, "rebalanced", "one", group="billing", generation=3, members=2)
    pen.assigned(165, "second", 9, "orders-1")
    trace = pen.trace()

    _, gives, gets = measures.rebalances(trace, "billing")

    assert (gives.duration, gives.stopped, gives.moved) == (40, {}, ())
    assert (gets.duration, gets.stopped, gets.moved) == (15, {}, ("orders-1",))
    assert measures.unread(trace, "billing") == {"orders-1": (Span(142, 165),)}


def test_a_rebalance_that_the_run_cuts_short_has_no_end():
    found = measures.rebalances(_two().trace())[-1]

    assert (found.ended, found.duration, found.generation) == (None, None, None)


def test_what_a_crashed_member_read_is_unread_until_another_has_it():
    pen = _two()
    pen(140, "rebalanced", "one", group="billing", generation=2, members=2)
    pen(300, "crashed", "first")
    pen(500, "summoned", "one", group="billing", generation=2, reason="a member's time was over")
    pen(510, "rebalanced", "one", group="billing", generation=3, members=1)
    pen.assigned(520, "second", 4, "orders-0")
    trace = pen.trace()

    found = measures.rebalances(trace)[-1]

    assert (found.moved, found.stopped) == (("orders-0",), {})
    assert measures.unread(trace, "billing") == {"orders-0": (Span(300, 520),), "orders-1": (Span(300, 1_000),)}


def test_the_longest_gap_without_a_reader_is_told_with_its_ends():
    pen = _two()
    _gives_up(pen, 130, "orders-0", "orders-1")
    pen.assigned(145, "first", 7, "orders-0")

    verdict = checks.always_read(pen.trace(), "billing")

    assert verdict.sentence == "Nobody in billing read orders-1 for 870 ms, to the end of the run (and 1 other gap)."
    assert [(step.kind, step["partition"]) for step in verdict.evidence] == [("revoked", "orders-1")]


def test_who_gives_nothing_up_reads_all_the_time():
    assert checks.always_read(_two().trace(), "billing").holds


def test_a_consumer_of_a_topic_on_its_own_is_in_no_rebalance_and_may_leave_its_partition_unread():
    pen = Shop()
    pen(5, "assigned", "billing", partition=0, offset=0, group="billing")
    pen(100, "crashed", "billing")
    pen(150, "assigned", "billing", partition=0, offset=0, group="billing")

    assert measures.rebalances(pen.trace()) == ()
    assert measures.unread(pen.trace(), "billing") == {0: (Span(100, 150),)}


@pytest.mark.parametrize("measure", [measures.rebalances, measures.unread, checks.always_read])
def test_a_name_that_is_no_group_is_refused(measure):
    with pytest.raises(KeyError, match='no group "shop"'):
        measure(_two().trace(), "shop")
