"""Acknowledged writes that are gone, and partitions without a leader."""

import pytest

from simulator import Crash, Link, Publisher, RabbitMQ, Scenario, run
from simulator.reading import checks, measures
from simulator.values import Span
from tests.reading.written import Cluster, Shop


def _overtaken(**topic) -> Cluster:
    """An order that only the leader has is acknowledged; then another broker leads."""
    pen = Cluster(acks=1, **topic)
    pen.order(1, "order-1", 0)
    order = pen.made(10, "order-2")
    pen.batched(10, order)
    pen.appended(11, order, 1)
    pen.acknowledged(12, order, 1)
    pen(20, "crashed", "one")
    return pen


def test_an_acknowledged_record_that_was_cut_off_is_lost_and_the_steps_show_how():
    pen = _overtaken()
    pen.led_by(50, "two", 1, "two")
    pen(90, "truncated", "one", partition="orders-0", offset=1, records=1)

    verdict = checks.no_lost_acknowledged_write(pen.trace())

    assert verdict.sentence == (
        "order-2 was acknowledged, but is not in the log: two leads orders-0 without it, so one cut it off its log."
    )
    assert [step.kind for step in verdict.evidence] == ["created", "acknowledged", "elected", "truncated"]


def test_it_is_lost_already_while_its_broker_is_down():
    pen = _overtaken()
    pen.led_by(50, "two", 1, "two")

    (found,) = measures.lost_writes(pen.trace(), "orders")

    assert (found.message.key, found.place) == ("order-2", "orders-0")
    assert found.why == "two leads orders-0 without it"


def test_without_a_leader_the_last_one_s_log_still_counts():
    pen = _overtaken()
    pen(50, "elected", "controller", partition="orders-0", leader=None, epoch=1)
    pen(50, "shrunk", "controller", partition="orders-0", replica="two", isr="one")

    assert measures.lost_writes(pen.trace()) == []


def test_a_record_sent_again_to_the_new_leader_is_not_lost():
    pen = _overtaken()
    pen.led_by(50, "two", 1, "two")
    order = next(step.message for step in pen.trace().select("created") if step.message.key == "order-2")
    pen.appended(60, order, 1, "two")

    assert checks.no_lost_acknowledged_write(pen.trace()).sentence == "All 2 acknowledged records are in the log."


@pytest.mark.parametrize("kind", ["trimmed", "compacted"])
def test_what_was_meant_to_go_is_not_lost(kind):
    pen = Cluster()
    order = pen.order(1, "order-1", 0)
    pen.order(2, "order-2", 1)
    for broker in ("one", "two"):
        if kind == "trimmed":
            pen(50, "trimmed", broker, partition="orders-0", offset=1, records=1)
        else:
            pen(50, "compacted", broker, order, partition="orders-0", offset=0)

    assert measures.lost_writes(pen.trace()) == []


def test_a_topic_on_its_own_is_judged_by_what_was_last_appended_to_each_place():
    pen = Shop()
    first, second = pen.made(0, "order-1"), pen.made(1, "order-2")
    for order in (first, second):
        pen(5, "appended", "orders", order, partition=0, offset=0)
        pen.acknowledged(6, order, 0)

    (found,) = measures.lost_writes(pen.trace(), "orders")

    assert (found.message.key, found.place, found.why) == ("order-1", 0, "")


def _confirmed(*faults, **settings):
    """A publisher's orders, confirmed by a broker that keeps a queue of them."""
    shop = Publisher("shop", 50, confirm=True, count=10, **settings)
    nodes = [shop, RabbitMQ("rabbit", queues=["orders"])]
    return run(Scenario(nodes, [Link("shop", "rabbit")], faults=faults, duration=3_000))


def test_what_was_confirmed_and_not_persistent_is_lost_in_a_crash():
    trace = _confirmed(Crash("rabbit", at=400, restart_after=100), routing_key="orders", delivery_mode=1)

    verdict = checks.no_lost_acknowledged_write(trace)

    assert verdict.sentence.startswith(
        "order-1 was acknowledged, but was not kept: it was not persistent, and rabbit crashed (and "
    )
    assert [step.kind for step in verdict.evidence] == ["created", "completed", "crashed", "settled"]


def test_what_was_confirmed_and_persistent_survives_a_crash():
    trace = _confirmed(Crash("rabbit", at=400, restart_after=100), routing_key="orders", delivery_mode=2)

    assert checks.no_lost_acknowledged_write(trace).sentence == "All 10 acknowledged records were kept."


def test_what_was_confirmed_although_no_queue_took_it_is_lost():
    (first, *_) = measures.lost_writes(_confirmed(routing_key="nowhere"))

    assert (first.message.key, first.why) == ("order-1", "no queue was there to take it")


def test_what_came_back_to_its_publisher_is_not_lost():
    assert measures.lost_writes(_confirmed(routing_key="nowhere", mandatory=True)) == []


def test_a_partition_is_leaderless_from_its_leader_s_end_until_the_next_one_hears_of_it():
    pen = Cluster(partitions=2)
    pen(100, "crashed", "one")
    pen.led_by(350, "two", 1, "two", "orders-0")

    assert measures.leaderless(pen.trace()) == {"orders-0": (Span(100, 350),), "orders-1": (Span(100, 1_000),)}


def test_a_handover_between_two_that_are_up_leaves_the_partition_alone_as_long_as_the_news_takes():
    pen = Cluster()
    pen(100, "demoted", "one", partition="orders-0", leader="two", epoch=1)
    pen(103, "promoted", "two", partition="orders-0", epoch=1)
    pen(200, "stopped", "one")

    assert measures.leaderless(pen.trace()) == {"orders-0": (Span(100, 103),)}


def test_late_news_of_an_earlier_epoch_makes_no_leader():
    pen = Cluster()
    pen.led_by(100, "two", 1, "two")
    pen(200, "crashed", "two")
    pen(300, "promoted", "one", partition="orders-0", epoch=0)

    assert measures.leaderless(pen.trace(), "orders") == {"orders-0": (Span(200, 1_000),)}


def test_without_a_cluster_nothing_is_leaderless():
    assert measures.leaderless(Shop().trace()) == {}


def test_the_longest_gap_without_a_leader_is_told_with_its_ends():
    pen = Cluster(partitions=2)
    pen(100, "crashed", "one")
    for time, partition in ((250, "orders-0"), (350, "orders-1")):
        pen.led_by(time, "two", 1, "two", partition)

    verdict = checks.always_led(pen.trace())

    assert verdict.sentence == "orders-1 had no leader for 250 ms (and 1 other gap)."
    assert [step.kind for step in verdict.evidence] == ["crashed", "promoted"]


def test_where_the_leader_stays_there_is_always_one():
    assert checks.always_led(Cluster().trace(), "orders").sentence == "Every partition of orders had a leader all the time."
