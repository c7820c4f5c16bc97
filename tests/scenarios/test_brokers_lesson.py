"""The scenarios of the brokers' lesson: each shows what the lesson says that it shows."""

import pytest

from simulator import run
from simulator.reading import alongside, checks, measures, routing_table
from simulator.reading.frames import frames
from simulator.scenarios import (
    consumer_group,
    last_in_sync,
    leader_dies,
    message_groups,
    one_slow_message,
    poison_message,
    read_process_write,
    redrive,
    routing,
    three_brokers,
    visibility_timeout,
)

BROKERS = ("Kafka", "RabbitMQ", "SQS", "SQS FIFO")


def keys(trace, kind="processed", node=None):
    return [step.message.key for step in trace.select(kind, node=node)]


# Routing.


def test_a_star_is_one_word_and_a_hash_any_number_of_them():
    found = routing_table(run(routing(billing="*", eu_desk="order.*.eu", audit="order.#")))

    assert {line.by for line in found.lines if "billing" in line.queues} == {"order"}
    assert {line.by for line in found.lines if "eu desk" in line.queues} == {"order.placed.eu", "order.paid.eu"}
    assert {line.by for line in found.lines if "audit" not in line.queues} == {"stock.low.eu"}


@pytest.mark.parametrize(("kind", "led"), [("direct", 1), ("fanout", 6)])
def test_a_direct_exchange_wants_the_whole_key_and_a_fanout_exchange_none(kind, led):
    found = routing_table(run(routing(billing="order", eu_desk="*.*.eu", audit="order.#", exchange_type=kind)))

    assert sum("billing" in line.queues for line in found.lines) == led


def test_nothing_that_an_exchange_leads_elsewhere_counts_as_lost():
    assert all(checks.every(run(routing())))


# Queues.


def test_orders_wait_behind_a_slow_one_while_another_subscriber_has_nothing_to_do():
    hoarded, shared = (run(one_slow_message(limit)) for limit in (0, 1))

    late = [time for time in measures.end_to_end(hoarded, "billing").values if time > 400]
    assert len(late) == 6
    assert [time for time in measures.end_to_end(shared, "billing").values if time > 400] == [504]
    assert measures.utilisation(hoarded, "billing-2") < 0.1


def test_far_from_the_broker_neither_one_at_a_time_nor_no_limit_is_quickest():
    ends = {
        limit: max(measures.end_to_end(run(one_slow_message(limit, broker_ms=50)), "billing").values) for limit in (0, 1, 3)
    }

    assert ends[3] < min(ends[0], ends[1])


def test_an_order_that_fails_and_is_given_back_keeps_all_others_waiting():
    trace = run(poison_message())

    assert keys(trace) == ["order-1", "order-2"]
    assert len(list(trace.select("requeued"))) > 20


def test_an_order_that_is_not_given_back_is_dropped_or_set_aside():
    dropped, aside = (run(poison_message(requeue=False, dead_letter_exchange=there)) for there in (False, True))

    assert [each.message.key for each in measures.losses(dropped, "billing")] == ["order-3"]
    assert measures.losses(aside, "billing") == []
    assert len(frames(aside)[-1].messages("rabbitmq", "ready dead orders")) == 1


def test_a_delivery_limit_ends_the_attempts():
    trace = run(poison_message(delivery_limit=3, dead_letter_exchange=True))

    assert sorted(keys(trace)) == ["order-1", "order-2", "order-4", "order-5", "order-6"]
    assert keys(trace, "started").count("order-3") == 4


def test_dead_letters_go_to_everybody_through_the_exchange_and_to_one_through_its_queue():
    again, alone = (run(redrive(to)) for to in ("the exchange", "the queue of billing"))

    for trace in (again, alone):
        assert sorted(keys(trace, node="billing")) == [f"order-{number}" for number in range(1, 7)]
    assert [each.message.key for each in measures.duplicates(again, "mail")] == ["order-2", "order-3", "order-5"]
    assert checks.processed_once(alone, "mail")


def test_a_limit_moves_so_many_and_leaves_the_rest_where_it_is():
    trace = run(redrive("the queue of billing", limit=1))

    assert keys(trace, "redriven") == ["order-2"]
    assert len(frames(trace)[-1].messages("rabbitmq", "ready dead orders")) == 2


def test_what_is_not_mended_comes_back_among_the_dead_letters():
    trace = run(redrive("the queue of billing", mended=False))

    assert len(frames(trace)[-1].messages("rabbitmq", "ready dead orders")) == 3
    assert keys(trace, "started", "billing").count("order-2") == 2


# Queues that hide.


def test_work_that_takes_longer_than_the_visibility_timeout_is_done_again_and_again():
    trace = run(visibility_timeout())

    assert keys(trace).count("order-2") == 6


@pytest.mark.parametrize("cure", [{"visibility_timeout": 4}, {"extend": True}])
def test_a_longer_timeout_or_an_extended_one_has_each_order_done_once(cure):
    assert checks.processed_once(run(visibility_timeout(**cure)), "billing")


def test_after_a_crash_a_long_timeout_keeps_the_order_waiting_and_a_short_extended_one_does_not():
    long, extended = (
        measures.end_to_end(run(visibility_timeout(crash=True, **cure)), "billing").values[-1]
        for cure in ({"visibility_timeout": 10}, {"extend": True})
    )

    assert long > extended + 7_000


def test_an_order_that_was_charged_can_end_among_the_dead_letters():
    trace = run(visibility_timeout(max_receive_count=2))

    assert keys(trace).count("order-2") == 2
    assert keys(trace, "dead_lettered") == ["order-2"]


def test_a_blocked_group_waits_and_the_others_go_on():
    trace = run(message_groups())

    assert keys(trace) == ["ben", "ben", "ben", "anna", "anna", "anna"]
    assert checks.per_key_order(trace, "billing")


def test_a_standard_queue_breaks_the_order_after_a_crash():
    assert not checks.per_key_order(run(message_groups(fifo_queue=False)), "billing")


@pytest.mark.parametrize(("fifo", "stored"), [(True, 6), (False, 7)])
def test_an_order_that_is_sent_again_is_stored_again_in_a_standard_queue_only(fifo, stored):
    trace = run(message_groups(fifo_queue=fifo, crash=False, lost_answer=True))

    assert len(list(trace.select("enqueued"))) == stored


# A cluster.


@pytest.mark.parametrize(("acks", "lost"), [("0", 7), ("1", 2), ("all", 0)])
def test_what_dies_with_the_leader_depends_on_whom_the_shop_waited_for(acks, lost):
    trace = run(leader_dies(acks))

    assert len(measures.losses(trace, "billing")) == lost


def test_with_acks_1_the_shop_was_told_that_lost_orders_are_stored():
    assert not checks.no_lost_acknowledged_write(run(leader_dies("1")))
    assert checks.no_lost_acknowledged_write(run(leader_dies("all")))


@pytest.mark.parametrize(
    ("least", "unclean", "lost"), [(1, False, False), (1, True, True), (2, False, False), (2, True, False)]
)
def test_the_last_in_sync_takes_accepted_orders_with_it_only_where_it_may_be_alone_and_be_replaced(least, unclean, lost):
    trace = run(last_in_sync(min_insync_replicas=least, unclean_leader_election_enable=unclean))

    assert checks.no_lost_acknowledged_write(trace).holds is not lost


def told_while_alone(trace):
    alone, crash = (next(trace.select(kind)).time for kind in ("shrunk", "crashed"))
    return sum(alone <= step.time < crash for step in trace.select("acknowledged"))


def test_a_leader_that_is_alone_accepts_orders_or_refuses_them():
    assert told_while_alone(run(last_in_sync())) > 5
    assert told_while_alone(run(last_in_sync(min_insync_replicas=2))) == 0


def test_an_eager_group_waits_for_its_slowest_member_and_a_cooperative_one_does_not():
    stopped = {
        protocol: sum(
            each.stopped.get("billing-2", 0)
            for each in measures.rebalances(run(consumer_group(protocol=protocol, slow_ms=200)), "billing")
        )
        for protocol in ("eager", "cooperative")
    }

    assert stopped["eager"] > 500
    assert stopped["cooperative"] == 0


def test_a_killed_consumer_is_missed_after_its_session_timeout_and_one_that_leaves_at_once():
    killed, left = (
        next(step.time for step in run(consumer_group(change)).select("summoned") if step.time > 5_000)
        for change in ("one is killed", "one leaves")
    )

    assert killed > 9_500
    assert left < 5_100


def test_consumers_beyond_the_partitions_have_nothing_to_do():
    trace = run(consumer_group("nothing", partitions=2, consumers=4))

    assert {step.node for step in trace.select("processed")} == {"billing-1", "billing-2"}


@pytest.mark.parametrize(
    ("settings", "invoices"),
    [
        ({"processing_guarantee": "at_least_once"}, 2),
        ({"processing_guarantee": "exactly_once_v2"}, 1),
        ({"processing_guarantee": "exactly_once_v2", "isolation_level": "read_uncommitted"}, 2),
    ],
)
def test_the_archive_has_one_invoice_only_where_it_is_part_of_a_transaction_and_reads_committed(settings, invoices):
    trace = run(read_process_write(**settings))

    assert keys(trace, node="archive").count("order-3") == invoices
    assert keys(trace, node="invoicing").count("order-3") == 2


def test_without_a_crash_each_order_has_one_email_and_one_invoice_either_way():
    for guarantee in ("at_least_once", "exactly_once_v2"):
        trace = run(read_process_write(guarantee, crash=False))

        assert keys(trace, node="archive") == keys(trace, node="invoicing") == [f"order-{n}" for n in range(1, 5)]


# All three.


def test_the_shop_makes_the_same_orders_at_the_same_times_whatever_the_broker():
    made = [
        [(step.time, step.message.key) for step in run(three_brokers(broker), seed=7).select("created", node="shop")]
        for broker in BROKERS
    ]

    assert len(made[0]) == 200
    assert all(each == made[0] for each in made)


@pytest.mark.parametrize("seed", [7, 8])
def test_set_to_lose_nothing_no_broker_does(seed):
    table = alongside({broker: run(three_brokers(broker), seed=seed) for broker in BROKERS})

    assert set(table["lost"].values()) == {0}


def test_set_carelessly_most_of_them_do():
    table = alongside({broker: run(three_brokers(broker, careful=False), seed=7) for broker in BROKERS})

    assert all(lost > 0 for lost in table["lost"].values())
    assert max(table["lost"], key=table["lost"].get) == "RabbitMQ"


def test_order_within_a_customer_is_kept_by_the_log_and_not_by_competing_consumers():
    table = alongside({broker: run(three_brokers(broker), seed=7) for broker in ("Kafka", "RabbitMQ")})

    assert table["out of order"]["Kafka"] == 0
    assert table["out of order"]["RabbitMQ"] > 10
