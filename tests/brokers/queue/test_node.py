"""The broker's node with its publisher and subscribers: what a run of them does, and that the trace tells all of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    Bound,
    Crash,
    Cut,
    Drop,
    Duplicate,
    ExchangeDeclared,
    Exponential,
    Link,
    Pause,
    Poisson,
    Publisher,
    QueueDeclared,
    RabbitMQ,
    Retry,
    Scenario,
    ScenarioError,
    Span,
    Subscriber,
    Uniform,
    run,
)  # fmt: skip
from simulator.engine import run_with_states
from simulator.network import Fault
from simulator.reading.frames import frames
from simulator.reading.sentences import sentence
from simulator.trace import Trace

PLAIN = RabbitMQ("rabbit", queues=["billing"])


def shop(**settings) -> Publisher:
    return Publisher(
        "shop", **{"every": 10, "routing_key": "billing", "count": 4, "delivery_mode": 2, "confirm": True, **settings}
    )


def system(*faults: Fault, publisher=None, broker=PLAIN, subscribers=(), duration=1_000) -> Scenario:
    return Scenario(
        nodes=[publisher or shop(), broker, *subscribers],
        links=[Link("shop", "rabbit"), *(Link("rabbit", each.name) for each in subscribers)],
        faults=faults,
        duration=duration,
    )


def processed(trace: Trace, node: str | None = None) -> list[str]:
    return [step.message.key for step in trace.select("processed", node=node)]


def test_competing_subscribers_share_the_work():
    both = [Subscriber(name, "billing", prefetch_count=1, work=25) for name in ("one", "two")]

    trace = run(system(subscribers=both))

    assert processed(trace, "one") == ["order-1", "order-3"]
    assert processed(trace, "two") == ["order-2", "order-4"]
    assert len(list(trace.select("completed", node="shop"))) == 4
    assert [step["reason"] for step in trace.select("settled")] == ["acked"] * 4


@pytest.mark.parametrize(("prefetch_count", "by_the_slow_one"), [(0, ["order-1", "order-3"]), (1, ["order-1"])])
def test_without_a_prefetch_limit_a_slow_subscriber_holds_what_a_quick_one_could_do(prefetch_count, by_the_slow_one):
    slow, quick = (
        Subscriber(name, "billing", prefetch_count=prefetch_count, work=work) for name, work in (("slow", 100), ("quick", 1))
    )

    trace = run(system(subscribers=[slow, quick]))

    assert processed(trace, "slow") == by_the_slow_one
    assert len(processed(trace)) == 4


def test_a_message_goes_wherever_its_routing_key_fits():
    broker = RabbitMQ(
        "rabbit", exchanges=[ExchangeDeclared("orders", exchange_type="topic")], queues=["eu", "all"],
        bindings=[Bound("orders", "eu", "order.eu.#"), Bound("orders", "all", "order.#")],
    )  # fmt: skip
    publisher = shop(exchange="orders", routing_key=["order.eu.paid", "order.us", "other"], mandatory=True, count=3)

    trace = run(system(publisher=publisher, broker=broker))

    assert [step["queues"] for step in trace.select("routed")] == [2, 1, 0]
    assert [step.message.key for step in trace.select("returned", node="shop")] == ["order-3"]
    assert len(list(trace.select("completed", node="shop"))) == 3


def test_a_headers_exchange_goes_by_the_application_s_headers():
    broker = RabbitMQ(
        "rabbit", queues=["eu"], bindings=[Bound("amq.headers", "eu", arguments={"x-match": "any", "region": "eu"})]
    )

    routed = [
        next(run(system(publisher=shop(exchange="amq.headers", headers={"region": region}), broker=broker)).select("routed"))
        for region in ("eu", "us")
    ]

    assert [step["queues"] for step in routed] == [1, 0]


def test_what_a_crashed_subscriber_held_is_delivered_again():
    subscriber = Subscriber("billing", "billing", prefetch_count=1, work=20)

    trace = run(system(Crash("billing", at=25, restart_after=10), subscribers=[subscriber]))

    assert processed(trace) == ["order-1", "order-2", "order-3", "order-4"]
    assert [step.message.key for step in trace.select("requeued")] == ["order-1"]
    again = [step.message for step in trace.select("delivered", node="billing") if step.message.kind == "deliver"][1]
    assert again.payload[3] == 1


def test_a_crash_between_the_work_and_the_acknowledgement_repeats_the_work():
    subscriber = Subscriber("billing", "billing", prefetch_count=1, work=5)
    crash = Crash("billing", after="processed", nth=1, restart_after=10)

    twice = run(system(crash, subscribers=[subscriber]))
    once = run(system(crash, subscribers=[Subscriber("billing", "billing", prefetch_count=1, work=5, idempotent=True)]))

    assert processed(twice).count("order-1") == 2
    assert processed(once).count("order-1") == 1
    assert [step.message.key for step in once.select("skipped")] == ["order-1"]


@pytest.mark.parametrize("ack", ["before", "auto"])
def test_what_is_acknowledged_before_the_work_is_lost_in_a_crash(ack):
    subscriber = Subscriber("billing", "billing", ack=ack, work=8)

    trace = run(system(Crash("billing", after="started", nth=2, restart_after=5), subscribers=[subscriber]))

    assert "order-2" not in processed(trace)


def test_a_subscriber_that_is_silent_for_too_long_loses_what_it_holds():
    subscribers = [Subscriber(name, "billing", prefetch_count=2, work=30, heartbeat=0.1) for name in ("one", "two")]

    trace = run(system(Crash("one", at=25), subscribers=subscribers))

    (closed,) = trace.select("unsubscribed")
    assert (closed["to"], closed["reason"]) == ("one", "it was silent for too long")
    assert closed.time == pytest.approx(101, abs=2)
    assert sorted(processed(trace)) == ["order-1", "order-2", "order-3", "order-4"]


def test_a_living_subscriber_without_work_keeps_its_connection():
    subscriber = Subscriber("billing", "billing", heartbeat=0.05)

    trace = run(system(publisher=shop(every=700, count=1), subscribers=[subscriber]))

    assert not list(trace.select("unsubscribed"))
    assert processed(trace) == ["order-1"]


@pytest.mark.parametrize(("delivery_mode", "kept"), [(1, 0), (2, 4)])
def test_a_restart_of_the_broker_keeps_only_what_is_persistent(delivery_mode, kept):
    trace = run(system(Crash("rabbit", at=60, restart_after=10), publisher=shop(delivery_mode=delivery_mode)))

    lost = [step for step in trace.select("settled") if step["reason"] == "not persistent"]
    assert len(frames(trace)[-1].messages("rabbit", "ready billing")) == kept
    assert len(lost) == 4 - kept


def test_a_queue_that_is_not_durable_is_there_until_the_broker_crashes():
    broker = RabbitMQ("rabbit", queues=[QueueDeclared("billing", durable=False)])

    trace = run(system(Crash("rabbit", at=25, restart_after=2), broker=broker, publisher=shop(confirm=False)))

    assert [step["queues"] for step in trace.select("routed")] == [1, 1, 0, 0]


def test_subscribers_come_back_to_a_broker_that_restarted():
    subscriber = Subscriber("billing", "billing", prefetch_count=1, work=20)

    trace = run(system(Crash("rabbit", at=30, restart_after=10), publisher=shop(timeout=50), subscribers=[subscriber]))

    assert sorted(set(processed(trace))) == ["order-1", "order-2", "order-3", "order-4"]
    assert len(list(trace.select("subscribed"))) == 2


def test_a_lost_confirmation_makes_the_publisher_publish_twice():
    subscriber = Subscriber("billing", "billing", work=1)
    publisher = shop(count=1, timeout=50)

    trace = run(system(Drop("rabbit", "shop", kind="reply", nth=1), publisher=publisher, subscribers=[subscriber]))

    assert processed(trace) == ["order-1", "order-1"]


def test_a_full_queue_refuses_and_the_publisher_tries_again():
    broker = RabbitMQ("rabbit", queues=[QueueDeclared("billing", max_length=1, overflow="reject-publish")])
    subscriber = Subscriber("billing", "billing", prefetch_count=1, work=40)
    publisher = shop(retry=Retry(10, backoff=20))

    trace = run(system(publisher=publisher, broker=broker, subscribers=[subscriber]))

    assert list(trace.select("failed", node="shop"))
    assert sorted(processed(trace)) == ["order-1", "order-2", "order-3", "order-4"]


def test_poison_goes_round_until_the_delivery_limit_makes_it_a_dead_letter():
    broker = RabbitMQ(
        "rabbit",
        queues=[
            QueueDeclared(
                "billing", queue_type="quorum", delivery_limit=3, dead_letter_exchange="", dead_letter_routing_key="dead"
            ),
            "dead",
        ],
    )
    subscriber = Subscriber("billing", "billing", work=5, poison=["order-2"])

    trace = run(system(broker=broker, subscribers=[subscriber]))

    assert len(list(trace.select("rejected", node="billing"))) == 4
    assert frames(trace)[-1].messages("rabbit", "ready dead") == (next(trace.select("rejected", node="billing")).message.id,)


def test_a_message_expires_because_of_what_put_it_there():
    trace = run(system(broker=RabbitMQ("rabbit", queues=[QueueDeclared("billing", message_ttl=100)])))

    for expired in trace.select("settled"):
        readied = trace[expired.cause]
        assert (readied.kind, readied.message, readied.time + 100) == ("readied", expired.message, expired.time)
    assert len(list(trace.select("settled"))) == 4


@pytest.mark.parametrize(
    ("nodes", "sentence_part"),
    [
        ([RabbitMQ("rabbit", queues=[QueueDeclared("billing", max_length=-1)])], "x-max-length is -1"),
        ([RabbitMQ("rabbit", queues=["billing"], bindings=[Bound("order", "billing")])], 'there is no exchange "order"'),
        ([PLAIN, Subscriber("billing", "biling")], 'no queue "biling" (NOT_FOUND); did you mean "billing"?'),
        ([RabbitMQ("rabbit", queues=[3])], "3 is no part of a broker"),
    ],
)
def test_what_a_real_broker_would_refuse_is_refused_when_the_scenario_is_made(nodes, sentence_part):
    with pytest.raises(ScenarioError) as refused:
        Scenario(nodes=[shop(), *nodes], links=[Link("shop", "rabbit"), *(Link("rabbit", each.name) for each in nodes[1:])])

    assert sentence_part in str(refused.value)


def test_a_scenario_with_a_broker_can_be_stored():
    scenario = system(
        broker=RabbitMQ(
            "rabbit", exchanges=[ExchangeDeclared("orders", exchange_type="headers")], queues=["billing"],
            bindings=[Bound("orders", "billing", arguments={"x-match": "any", "type": "order"})],
        ),
        subscribers=[Subscriber("billing", "billing", prefetch_count=3)],
    )  # fmt: skip

    assert Scenario.from_json(scenario.to_json()) == scenario


FAULTS = (
    Drop("shop", "rabbit", probability=0.2),
    Drop("rabbit", "shop", kind="reply", probability=0.3),
    Drop("two", "rabbit", kind="basic_ack", nth=2),
    Duplicate("rabbit", "one", probability=0.3, jitter=20),
    Duplicate("shop", "rabbit", probability=0.2, jitter=10),
    Cut("rabbit", "two", during=Span(100, 300)),
    Crash("one", at=150, restart_after=80),
    Crash("one", after="started", nth=7, restart_after=15),
    Crash("rabbit", at=333, restart_after=20),
    Crash("rabbit", after="readied", nth=9, restart_after=20),
    Crash("rabbit", after="dispatched", nth=5, restart_after=10),
    Crash("rabbit", after="settled", nth=6, restart_after=10),
    Pause("two", at=90, lasting=120),
)


@st.composite
def a_busy_system(draw: st.DrawFn) -> Scenario:
    queue = QueueDeclared(
        "billing",
        queue_type=draw(st.sampled_from(["classic", "quorum"])),
        message_ttl=draw(st.sampled_from([None, 60])),
        max_length=draw(st.sampled_from([None, 3])),
        dead_letter_exchange=draw(st.sampled_from([None, ""])),
        single_active_consumer=draw(st.sampled_from([None, True])),
    )
    subscribers = [
        Subscriber(
            name, "billing", group="billing", work=Exponential(15), concurrency=2, heartbeat=draw(st.sampled_from([60, 0.1])),
            prefetch_count=draw(st.integers(0, 3)), ack=draw(st.sampled_from(["after", "after", "before", "auto"])),
            poison=["order-5"], requeue=draw(st.booleans()), reconnect_after=50,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    publisher = Publisher(
        "shop", Poisson(80), routing_key="billing", delivery_mode=draw(st.sampled_from([1, 2])), timeout=40,
        confirm=draw(st.booleans()), priority=draw(st.sampled_from([None, 3])),
    )  # fmt: skip
    return Scenario(
        nodes=[publisher, RabbitMQ("rabbit", queues=[queue]), *subscribers],
        links=[
            Link("shop", "rabbit", latency=Uniform(1, 5)),
            *(Link("rabbit", name, latency=Uniform(1, 9)) for name in ("one", "two")),
        ],
        faults=draw(st.lists(st.sampled_from(FAULTS), unique=True, max_size=5)),
        duration=600,
    )


@settings(max_examples=40, deadline=None)
@given(a_busy_system(), st.integers(0, 99))
def test_what_is_folded_is_what_the_broker_has(scenario, seed):
    trace, states = run_with_states(scenario, seed)
    last = frames(trace)[-1]

    if last.status("rabbit") == "up":
        for queue in states["rabbit"]["broker"].queues.values():
            ready = {item.place: item.envelope.content.body for item in queue.ready}
            unacked = {item.place: item.envelope.content.body for item in queue.unacked.values()}
            folded = [last["rabbit"].get(f"{name} {queue.name}", {}) for name in ("ready", "unacked")]
            assert [{place: chip.message for place, chip in held.items()} for held in folded] == [ready, unacked]
            assert [*last.messages("rabbit", f"ready {queue.name}")] == [item.envelope.content.body for item in queue.ready]
            assert len(last["rabbit"].get(f"consumers {queue.name}", {})) == len(queue.consumers)
            assert last["rabbit"].get(f"holder {queue.name}", {}).keys() == unacked.keys()
    for step in trace:
        assert sentence(step)


@settings(max_examples=40, deadline=None)
@given(
    queue_type=st.sampled_from(["classic", "quorum"]),
    faults=st.lists(st.sampled_from(FAULTS), max_size=5, unique=True),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_what_was_confirmed_and_is_persistent_is_processed_or_still_there(queue_type, faults, seed):
    subscribers = [
        Subscriber(name, "billing", group="billing", work=8, prefetch_count=2, heartbeat=0.1) for name in ("one", "two")
    ]
    scenario = Scenario(
        nodes=[
            Publisher("shop", Poisson(60), routing_key="billing", delivery_mode=2, confirm=True, timeout=40),
            RabbitMQ("rabbit", queues=[QueueDeclared("billing", queue_type=queue_type)]),
            *subscribers,
        ],
        links=[Link("shop", "rabbit"), Link("rabbit", "one"), Link("rabbit", "two")],
        faults=faults,
        duration=600,
    )

    trace, states = run_with_states(scenario, seed)

    (queue,) = states["rabbit"]["broker"].queues.values()
    there = {item.envelope.content.body for item in (*queue.ready, *queue.unacked.values())}
    done = {step.message.id for step in trace.select("processed")}
    assert {step.message.id for step in trace.select("completed", node="shop")} <= there | done
