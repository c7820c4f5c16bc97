"""What frames say of queues is what their nodes have on disk, whatever they are set up with, and wherever the run breaks off."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from simulator import (
    Bound,
    ExchangeDeclared,
    Exponential,
    Link,
    Poisson,
    Publisher,
    QueueDeclared,
    RabbitMQ,
    RedrivePolicy,
    Retry,
    Scenario,
    Shovel,
    SqsConsumer,
    SqsProducer,
    SqsQueue,
    SqsRedrive,
    Subscriber,
    Uniform,
)  # fmt: skip
from simulator.brokers.queue.broker import Broker
from simulator.engine import run_with_states
from simulator.reading.frames import Frame, apply, frames
from simulator.reading.sentences import sentence
from simulator.trace import Trace
from tests.guarantees.faults import crashes, fitting, on_links, pauses, seeds
from tests.profiles import some

Ran = tuple[Trace, dict[str, dict[str, Any]]]

ends = st.integers(100, 4_000)
"""When a run breaks off, in milliseconds: most often in the middle of something."""


# RabbitMQ.


def queues(name: str) -> st.SearchStrategy[QueueDeclared]:
    """A queue with any settings that go together; its dead letters go to "dead", or round in circles."""
    both = st.fixed_dictionaries(
        {"queue_type": st.sampled_from(["classic", "quorum"])},
        optional={
            "message_ttl": st.sampled_from([0, 60, 500]),
            "max_length": st.integers(0, 3),
            "overflow": st.sampled_from(["drop-head", "reject-publish", "reject-publish-dlx"]),
            "dead_letter_exchange": st.sampled_from(["", "graves"]),
            "single_active_consumer": st.booleans(),
        },
    )
    classic = st.fixed_dictionaries(
        {},
        optional={
            "max_priority": st.integers(1, 5),
            "durable": st.just(False),
            "auto_delete": st.just(True),
            "expires": st.just(700),
        },
    )
    quorum = st.fixed_dictionaries({}, optional={"delivery_limit": st.integers(0, 2)})
    return both.flatmap(
        lambda own: (classic if own["queue_type"] == "classic" else quorum).map(
            lambda more: QueueDeclared(name, **own, **more)
        )
    )


INBOX = (QueueDeclared("inbox", durable=False, exclusive=True), Bound("orders", "inbox", "#"))


def subscribers(name: str) -> st.SearchStrategy[Subscriber]:
    given = {
        "work": st.sampled_from([2, Exponential(30)]),
        "prefetch_count": st.integers(0, 4),
        "concurrency": st.integers(1, 2),
        "ack": st.sampled_from(["after", "after", "before", "auto"]),
        "poison": st.just(("order-3", "order-8")),
        "poison_until": st.sampled_from([None, 1_500]),
        "requeue": st.sampled_from([True, False, "once"]),
        "heartbeat": st.sampled_from([60, 0.3]),
        "reconnect_after": st.just(120),
    }
    own = {"queue": st.just(["inbox"]), "declares": st.just(INBOX)} if name == "three" else {"queue": st.just(["work"])}
    return st.builds(lambda **settings: Subscriber(name, **settings), **given, **own)


SHOP = Publisher(
    "shop", Poisson(40), exchange="orders", routing_key=["work", "more", "work.more", "none"], confirm=True, timeout=80
)
SHOVEL = Shovel("shovel", "dead", "work", at=800, per_second=20, reconnect_delay=0.2)
READERS = ("one", "two", "three", "shovel")
RABBIT_TROUBLE = st.lists(
    st.one_of(
        on_links(
            [("shop", "rabbit"), *(("rabbit", name) for name in READERS)],
            "OrderCreated", "reply", "deliver", "basic_ack", "publish",
        ),
        crashes(
            ["rabbit"], "routed", "readied", "dispatched", "settled", "requeued", "subscribed", "unsubscribed", "declared",
            "bound", "dismantled", "sent", "delivered",
        ),
        crashes(READERS, "queued", "processed", "sent", "delivered", "redriven"),
        pauses(["rabbit", *READERS]),
    ),
    max_size=5,
)  # fmt: skip


@st.composite
def rabbits(draw: st.DrawFn) -> Ran:
    declared = [draw(queues("work")), draw(queues("more")), QueueDeclared("dead")]
    broker = RabbitMQ(
        "rabbit",
        queues=declared,
        exchanges=[ExchangeDeclared("orders", exchange_type="topic"), ExchangeDeclared("graves", exchange_type="fanout")],
        bindings=[
            Bound("orders", "work", "work.#"), Bound("orders", "more", "#.more"),
            *(Bound("graves", to) for to in draw(st.sets(st.sampled_from(["dead", "work"])))),
        ],
    )  # fmt: skip
    shop = SHOP if draw(st.booleans()) else Publisher(
        "shop", 30, exchange="orders", routing_key="work", priority=draw(st.sampled_from([None, 3])),
        delivery_mode=draw(st.sampled_from([1, 2])), expiration=draw(st.sampled_from([None, 90])),
    )  # fmt: skip
    readers = [draw(subscribers(name)) for name in READERS[:3]]
    scenario = Scenario(
        [shop, broker, *readers, SHOVEL],
        [Link("shop", "rabbit", latency=Uniform(1, 9)), *(Link("rabbit", name, latency=Uniform(1, 9)) for name in READERS)],
        draw(RABBIT_TROUBLE),
        duration=draw(ends),
    )
    return run_with_states(scenario, draw(seeds))


@some(1)
@given(rabbits())
def test_the_queues_of_rabbitmq_are_folded_as_the_broker_has_them(ran: Ran):
    trace, states = ran
    last = frames(trace)[-1]

    if last.status("rabbit") == "up":
        assert folded(last, states["rabbit"]["broker"].queues) == kept(states["rabbit"]["broker"])
        assert there(trace, last) == set(states["rabbit"]["broker"].queues)


def kept(broker: Broker) -> dict[str, Any]:
    """What each queue holds, ready in order and unacknowledged, and who consumes it with what prefetch."""
    return {
        name: (
            [(item.place, item.envelope.content.body) for item in queue.ready],
            {item.place: item.envelope.content.body for item in queue.unacked.values()},
            {broker.channels[each.channel].connection for each in queue.consumers},
        )
        for name, queue in broker.queues.items()
    }


def folded(frame: Frame, names: Any) -> dict[str, Any]:
    held = frame["rabbit"]
    return {
        name: (
            [(place, chip.message) for place, chip in sorted(held.get(f"ready {name}", {}).items())],
            {place: chip.message for place, chip in held.get(f"unacked {name}", {}).items()},
            set(held.get(f"consumers {name}", {})),
        )
        for name in names
    }


def there(trace: Trace, frame: Frame) -> set[str]:
    """The queues that are there: those that the broker began with or a client declared, without those that are gone."""
    (node,) = trace.scenario.nodes_of(RabbitMQ)
    known = frame["rabbit"].get("queues", {})
    return ({each.name for each in node.queues} | set(known)) - {name for name, how in known.items() if how == "gone"}


# Amazon SQS.


SQS_TROUBLE = st.lists(
    st.one_of(
        on_links(
            [("shop", "orders"), ("orders", "one"), ("orders", "two"), ("orders", "dead")],
            "OrderCreated", "reply", "messages", "receive_message", "delete_message", "letter", "send_message_batch",
        ),
        crashes(
            ["orders", "dead"], "enqueued", "received", "deleted", "reappeared", "extended", "dead_lettered",
            "redriven", "deduplicated", "expired", "sent", "delivered",
        ),
        crashes(["one", "two", "shop"], "queued", "processed", "sent", "delivered", "created"),
        pauses(["orders", "dead", "one"]),
    ),
    max_size=5,
)  # fmt: skip


@st.composite
def sqs(draw: st.DrawFn) -> Ran:
    fifo = draw(st.booleans())
    ending = ".fifo" if fifo else ""
    orders, dead = f"orders{ending}", f"dead{ending}"
    queue = SqsQueue(
        orders, fifo_queue=fifo, visibility_timeout=draw(st.integers(0, 2)), delay_seconds=draw(st.sampled_from([0, 0, 1])),
        servers=draw(st.sampled_from([1, 4])), unreachable=0 if fifo else draw(st.sampled_from([0, 0.3])),
        redrive_policy=RedrivePolicy(dead, draw(st.integers(1, 3))), in_flight_max=draw(st.sampled_from([2, 120_000])),
    )  # fmt: skip
    readers = [
        SqsConsumer(
            name, work=draw(st.sampled_from([20, 700])), poison=["ann"], max_number_of_messages=draw(st.integers(1, 5)),
            delete=draw(st.sampled_from(["after", "before", "together"])), retry_after=draw(st.sampled_from([None, 0, 1])),
            heartbeat=draw(st.sampled_from([None, 400])), wait_time_seconds=draw(st.sampled_from([0, 1])), timeout=300, pause=30,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    shop = SqsProducer(
        "shop", Poisson(15), keys=["ann", "bob", "cy"], timeout=150, retry=Retry(5), max_batch_size=draw(st.integers(1, 4))
    )
    redrive = SqsRedrive("operator", 2_000, limit=draw(st.sampled_from([None, 2])), max_number_of_messages_per_second=10)
    scenario = Scenario(
        [shop, queue, SqsQueue(dead, fifo_queue=fifo), *readers, redrive],
        [
            Link("shop", orders, latency=Uniform(1, 9)), Link(orders, dead, latency=5), Link("operator", dead),
            *(Link(orders, each.name, latency=Uniform(1, 9)) for each in readers),
        ],
        fitting(draw(SQS_TROUBLE), ["shop", orders, dead, "one", "two"], {"orders": orders, "dead": dead}),
        duration=draw(ends),
    )  # fmt: skip
    return run_with_states(scenario, draw(seeds))


@some(1)
@given(sqs())
def test_the_queues_of_sqs_are_folded_as_they_are_kept(ran: Ran):
    trace, states = ran
    last = frames(trace)[-1]

    for node in trace.scenario.nodes_of(SqsQueue):
        held, messages = last[node.name], states[node.name]["queue"].messages.values()
        for state in ("available", "delayed", "in flight"):
            # What was deleted but for a copy on an unreachable server counts as gone until it comes again.
            expected = {
                each.number: each.record
                for each in messages
                if each.state == state and (each.handle or state != "in flight")
            }
            assert {number: chip.message for number, chip in held.get(state, {}).items()} == expected
        seen = [each for each in messages if each.handle or each.state != "in flight"]
        received = [each for each in seen if each.received_here and each.handle]
        assert held.get("receives", {}) == {each.number: each.receive_count for each in received}
        if node.fifo_queue:
            assert held.get("group", {}) == {each.number: each.group for each in seen}


@some(0.3)
@given(st.one_of(rabbits(), sqs()))
def test_every_step_changes_the_frame_before_it_and_has_its_sentence(ran: Ran):
    every = frames(ran[0])
    state: dict = {}

    for index, (step, edits) in enumerate(zip(ran[0], every.edits(), strict=True)):
        apply(state, edits)
        assert sentence(step).endswith(".")
        if index % 50 == 0:
            assert state == every[index].state
