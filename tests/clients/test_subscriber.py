"""What a subscriber may ask of its broker, and what it does about what fails or gets lost."""

from __future__ import annotations

import pytest

from simulator import (
    Bound,
    Crash,
    Cut,
    Drop,
    Duplicate,
    ExchangeDeclared,
    Link,
    Publisher,
    QueueDeclared,
    RabbitMQ,
    Scenario,
    ScenarioError,
    Span,
    Subscriber,
    Uniform,
    run,
)  # fmt: skip
from simulator.reading import checks
from simulator.reading.frames import frames
from simulator.trace import Trace

TO_DEAD = {"dead_letter_exchange": "", "dead_letter_routing_key": "dead"}


def system(*subscribers: Subscriber, broker=None, faults=(), latency=1, duration=2_000, **publisher) -> Scenario:
    settings = {"every": 10, "routing_key": "work", "count": 6, "delivery_mode": 2, "confirm": True, **publisher}
    return Scenario(
        [Publisher("shop", **settings), broker or RabbitMQ("rabbit", queues=["work"]), *subscribers],
        [Link("shop", "rabbit"), *(Link("rabbit", each.name, latency=latency) for each in subscribers)],
        faults,
        duration=duration,
    )


def done(trace: Trace, node: str = "billing") -> list[str]:
    return [step.message.key for step in trace.select("processed", node=node)]


def orders(*numbers: int) -> list[str]:
    return [f"order-{number}" for number in numbers]


def reasons(trace: Trace, kind: str) -> list[str]:
    return [step["reason"] for step in trace.select(kind)]


# Its own queues.


INBOX = (QueueDeclared("inbox", durable=False, exclusive=True), Bound("news", "inbox"))


def test_a_subscriber_declares_a_queue_of_its_own_which_goes_with_its_connection():
    broker = RabbitMQ("rabbit", exchanges=[ExchangeDeclared("news", exchange_type="fanout")])
    reader = Subscriber("billing", "inbox", declares=INBOX)
    crash = Crash("billing", at=35, restart_after=500)

    trace = run(system(reader, broker=broker, faults=[crash], exchange="news", mandatory=True))

    assert [step.kind for step in trace.select("declared", "bound", "dismantled")] == [
        "declared", "bound", "dismantled", "declared", "bound",
    ]  # fmt: skip
    assert reasons(trace, "dismantled") == ["its connection closed"]
    # What came while nobody was connected but the dead connection was not known to be dead went down with it.
    assert done(trace) == orders(1, 2)


def test_an_exclusive_queue_is_nobody_else_s():
    broker = RabbitMQ("rabbit", exchanges=[ExchangeDeclared("news", exchange_type="fanout")])
    owner, other = Subscriber("billing", "inbox", declares=INBOX), Subscriber("spy", "inbox", reconnect_after=100)

    trace = run(system(owner, other, broker=broker, exchange="news"))

    assert done(trace, "spy") == []
    assert {str(reason).split(" ")[0] for reason in reasons(trace, "failed")} == {"RESOURCE_LOCKED"}


def test_an_auto_delete_queue_goes_with_its_last_subscriber():
    broker = RabbitMQ("rabbit", queues=[QueueDeclared("work", auto_delete=True)])
    readers = [Subscriber(name, "work", heartbeat=0.1) for name in ("billing", "audit")]
    faults = [Crash("billing", at=30), Crash("audit", at=300)]

    trace = run(system(*readers, broker=broker, faults=faults))

    (gone,) = trace.select("dismantled")
    assert (gone["queue"], gone["reason"]) == ("work", "its last consumer left")
    assert 300 < gone.time < 500
    assert frames(trace)[-1]["rabbit"]["queues"] == {"work": "gone"}


def test_a_queue_that_nobody_uses_expires_in_a_run():
    broker = RabbitMQ("rabbit", queues=[QueueDeclared("work", expires=300)])

    trace = run(system(broker=broker))

    (gone,) = trace.select("dismantled")
    assert (gone.time, gone["reason"]) == (300.0, "nobody used it")
    assert reasons(trace, "settled") == ["queue deleted"] * 6


def test_a_restart_of_the_broker_takes_its_transient_queues():
    broker = RabbitMQ("rabbit", queues=[QueueDeclared("work", durable=False), "safe"])

    trace = run(system(broker=broker, faults=[Crash("rabbit", at=500, restart_after=10)]))

    assert [(step["queue"], step["reason"]) for step in trace.select("dismantled")] == [("work", "broker restarted")]


# Prefetch and acknowledgements.


def test_consumers_of_several_queues_share_a_global_prefetch_count():
    broker = RabbitMQ("rabbit", queues=["work", "more"])

    def held(global_qos: bool) -> int:
        reader = Subscriber("billing", ["work", "more"], prefetch_count=2, global_qos=global_qos, work=1_000)
        trace = run(system(reader, broker=broker, routing_key=["work", "more"], duration=500))
        return len(list(trace.select("dispatched")))

    assert (held(False), held(True)) == (4, 2)


def test_a_quorum_queue_refuses_a_global_prefetch_count_when_the_scenario_is_made():
    broker = RabbitMQ("rabbit", queues=[QueueDeclared("work", queue_type="quorum")])

    with pytest.raises(ScenarioError, match="NOT_IMPLEMENTED"):
        system(Subscriber("billing", "work", prefetch_count=2, global_qos=True), broker=broker)


def test_several_messages_are_acknowledged_at_once():
    trace = run(system(Subscriber("billing", "work", prefetch_count=4, ack_every=4, work=20)))

    acks = [step.message.payload for step in trace.select("sent", node="billing") if step.message.kind == "basic_ack"]
    assert [(ack.delivery_tag, ack.multiple) for ack in acks] == [(4, True), (6, True)]
    assert reasons(trace, "settled") == ["acked"] * 6


def test_with_several_workers_only_what_is_done_is_acknowledged():
    reader = Subscriber(
        "billing", "work", concurrency=2, ack_every=2, prefetch_count=4, work=5, slow=["order-1"], slow_work=300
    )

    trace = run(system(reader, faults=[Crash("billing", at=200, restart_after=10)]))

    assert sorted(set(done(trace))) == orders(1, 2, 3, 4, 5, 6)
    assert checks.at_least_once(trace, "billing").holds


def test_gathering_acknowledgements_needs_acknowledgements():
    with pytest.raises(ScenarioError, match='nothing to gather with ack="auto"'):
        system(Subscriber("billing", "work", ack="auto", ack_every=5))


# What fails.


@pytest.mark.parametrize(("requeue", "attempts"), [(False, 1), ("once", 2)])
def test_a_message_that_fails_is_set_aside_at_once_or_after_a_second_attempt(requeue, attempts):
    broker = RabbitMQ("rabbit", queues=[QueueDeclared("work", **TO_DEAD), "dead"])

    trace = run(system(Subscriber("billing", "work", poison=["order-2"], requeue=requeue), broker=broker))

    assert len(list(trace.select("rejected", node="billing"))) == attempts
    assert [trace.message(number).key for number in frames(trace)[-1].messages("rabbit", "ready dead")] == ["order-2"]


def test_when_the_mistake_is_mended_the_poison_is_none_any_more():
    reader = Subscriber("billing", "work", prefetch_count=1, work=20, poison=["order-2"], poison_until=200)

    trace = run(system(reader))

    assert done(trace) == orders(1, 2, 3, 4, 5, 6)
    assert all(step.time < 200 for step in trace.select("rejected"))


def test_a_message_that_is_given_back_is_overtaken_by_those_in_hand():
    reader = Subscriber("billing", "work", work=20, poison=["order-1"], poison_until=40)

    assert done(run(system(reader))) != orders(1, 2, 3, 4, 5, 6)


# What gets lost.


def test_on_a_connection_nothing_overtakes():
    trace = run(system(Subscriber("billing", "work", work=1), latency=Uniform(1, 80), every=3, count=40), seed=3)

    arrived = [
        step.message.payload[1] for step in trace.select("delivered", node="billing") if step.message.kind == "deliver"
    ]
    assert arrived != sorted(arrived)
    assert done(trace) == orders(*range(1, 41))


def test_a_lost_acknowledgement_breaks_the_connection_and_the_message_comes_again():
    reader = Subscriber("billing", "work", prefetch_count=2, work=5)

    trace = run(system(reader, faults=[Drop("billing", "rabbit", kind="basic_ack", nth=2)]))

    assert "something that it said got lost" in reasons(trace, "unsubscribed")
    assert done(trace).count("order-2") == 2
    assert sorted(set(done(trace))) == orders(1, 2, 3, 4, 5, 6)


def test_a_lost_delivery_is_noticed_by_the_next_one():
    reader = Subscriber("billing", "work", work=5, reconnect_after=200)

    trace = run(system(reader, faults=[Drop("rabbit", "billing", kind="deliver", nth=2)]))

    assert sorted(set(done(trace))) == orders(1, 2, 3, 4, 5, 6)
    # What came behind it on the broken connection waited for it, and was not worked on.
    assert done(trace) == orders(1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("kind", ["deliver", "basic_ack"])
def test_where_nothing_follows_a_heartbeat_tells_what_got_lost(kind):
    reader = Subscriber("billing", "work", prefetch_count=1, work=5, heartbeat=0.2, reconnect_after=100)
    ends = ("rabbit", "billing") if kind == "deliver" else ("billing", "rabbit")

    trace = run(system(reader, faults=[Drop(*ends, kind=kind, nth=3)], duration=4_000))

    assert sorted(set(done(trace))) == orders(1, 2, 3, 4, 5, 6)


def test_copies_on_a_connection_are_none():
    faults = [Duplicate("rabbit", "billing", jitter=20), Duplicate("billing", "rabbit", jitter=20)]

    trace = run(system(Subscriber("billing", "work", work=5), faults=faults))

    assert done(trace) == orders(1, 2, 3, 4, 5, 6)
    assert reasons(trace, "settled") == ["acked"] * 6
    assert not list(trace.select("unsubscribed"))


def test_after_a_cut_the_connection_is_opened_anew_and_nothing_is_missing():
    reader = Subscriber("billing", "work", work=5, heartbeat=0.3, reconnect_after=100)

    trace = run(system(reader, faults=[Cut("rabbit", "billing", during=Span(20, 900))], duration=4_000))

    assert sorted(set(done(trace))) == orders(1, 2, 3, 4, 5, 6)


def test_a_late_request_for_an_earlier_connection_does_not_end_a_later_one():
    # The first request for a connection is under way for so long that the next life of the subscriber has long had its own.
    late = Duplicate("billing", "rabbit", kind="consume", nth=1, after=300)

    trace = run(system(Subscriber("billing", "work", work=5), faults=[late, Crash("billing", at=100, restart_after=10)]))

    assert "a later connection is open" in reasons(trace, "ignored")
    assert len(list(trace.select("subscribed"))) == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prefetch_count": 65_536}, "prefetch_count is 65536"),
        ({"queue": []}, "it consumes no queue"),
        ({"queue": ["work", "worc"]}, 'no queue "worc" (NOT_FOUND); did you mean "work"?'),
        ({"requeue": "twice"}, "requeue is 'twice'; it must be one of True, False, 'once'"),
        ({"declares": ["inbox"]}, "'inbox' can't be declared"),
        ({"declares": [Bound("nowhere", "work")]}, 'there is no exchange "nowhere"'),
        ({"declares": [QueueDeclared("work", max_length=3)]}, "PRECONDITION_FAILED"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, told):
    with pytest.raises(ScenarioError) as refused:
        system(Subscriber("billing", **{"queue": "work", **changes}))

    assert told in str(refused.value)


def test_an_exclusive_queue_is_not_for_the_broker_to_begin_with():
    with pytest.raises(ScenarioError, match="let a Subscriber declare it"):
        system(broker=RabbitMQ("rabbit", queues=[QueueDeclared("work", exclusive=True)]))


def test_all_of_it_can_be_stored():
    broker = RabbitMQ("rabbit", queues=["work"], exchanges=[ExchangeDeclared("news", exchange_type="fanout")])
    scenario = system(
        Subscriber("billing", ["inbox", "work"], declares=INBOX, requeue="once", poison_until=5, ack_every=3), broker=broker
    )

    assert Scenario.from_json(scenario.to_json()) == scenario
