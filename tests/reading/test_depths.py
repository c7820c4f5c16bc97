"""How much stands in queues to be had."""

from simulator import Link, Publisher, QueueDeclared, RabbitMQ, Scenario, SqsConsumer, SqsProducer, SqsQueue, run
from simulator.reading import measures
from simulator.reading.frames import frames
from simulator.scenarios import message_groups, one_order, one_slow_message, poison_message, redrive, visibility_timeout


def at_the_end(trace):
    """What the last frame shows as to be had, by queue."""
    end = frames(trace)[-1]
    found = {}
    for node in trace.nodes:
        for name, held in end[node].items():
            if name.startswith("ready "):
                found[name.removeprefix("ready ")] = len(held)
            if name == "available":
                found[node] = len(held)
    return found


def test_at_the_end_it_is_what_the_last_frame_shows():
    for scenario in (
        poison_message(requeue=False, dead_letter_exchange=True),
        redrive(limit=1),
        one_slow_message().but(duration=100),
        one_slow_message(prefetch_count=1).but(duration=100),
        visibility_timeout(max_receive_count=2),
        visibility_timeout().but(duration=3_200),
        message_groups().but(duration=500),
    ):
        trace = run(scenario)

        last = {queue: series[-1][1] for queue, series in measures.depths(trace).items() if series[-1][1]}
        assert last == at_the_end(trace)


def test_a_message_with_a_delay_counts_when_it_can_be_had():
    scenario = Scenario(
        nodes=[SqsProducer("shop", 100, count=1), SqsQueue("orders", delay_seconds=2)],
        links=[Link("shop", "orders", latency=0)],
        duration=5_000,
    )

    assert measures.depths(run(scenario))["orders"] == [(0.0, 0), (100.0, 0), (2_100.0, 1)]


def test_what_is_handed_out_or_hidden_is_not_to_be_had():
    scenario = Scenario(
        nodes=[
            SqsProducer("shop", 100, count=1),
            SqsQueue("orders", visibility_timeout=1),
            SqsConsumer("billing", work=5_000),
        ],
        links=[Link("shop", "orders", latency=0), Link("orders", "billing", latency=0)],
        duration=2_000,
    )

    assert [level for _, level in measures.depths(run(scenario))["orders"]][-2:] == [0, 1]


def test_messages_that_expire_are_gone():
    scenario = Scenario(
        nodes=[
            Publisher("shop", 100, routing_key="orders", count=1),
            RabbitMQ("rabbit", queues=QueueDeclared("orders", message_ttl=50)),
        ],
        links=[Link("shop", "rabbit", latency=0)],
        duration=500,
    )

    assert measures.depths(run(scenario))["orders"] == [(0.0, 0), (100.0, 1), (150.0, 0)]


def test_where_there_is_no_queue_there_is_no_depth():
    assert measures.depths(run(one_order())) == {}
