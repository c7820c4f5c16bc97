"""What RabbitMQ promises holds whatever goes wrong; where it promises nothing, the shortest example shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from simulator import (
    Crash,
    Drop,
    Exponential,
    Link,
    Publisher,
    QueueDeclared,
    RabbitMQ,
    Retry,
    Scenario,
    Subscriber,
    Trace,
    Uniform,
    run,
)
from simulator.network import Fault
from tests.guarantees.faults import crashes, falls, losses, on_links, pauses, seeds
from tests.guarantees.shortest import shortest
from tests.profiles import some

BOTH = ("one", "two")
SHOP = Publisher(
    "shop", 40, routing_key="work", count=40, delivery_mode=2, confirm=True, timeout=80, retry=Retry(200, backoff=20)
)
READER = Subscriber(
    "one", "work", group="billing", work=8, prefetch_count=3, heartbeat=0.4, reconnect_after=150
)  # fmt: skip
CLASSIC, QUORUM = QueueDeclared("work"), QueueDeclared("work", queue_type="quorum")

BETWEEN = [("shop", "rabbit"), *(("rabbit", name) for name in BOTH)]
LINKS = on_links(BETWEEN, "OrderCreated", "reply", "deliver", "basic_ack", "basic_nack", "consume", "heartbeat", "closed")
BROKER = crashes(["rabbit"], "routed", "readied", "dispatched", "settled", "requeued", "subscribed", "sent", "delivered")
READERS = crashes(BOTH, "queued", "started", "processed", "sent", "delivered")
FREEZES = pauses(["rabbit", *BOTH])
TROUBLE = st.lists(st.one_of(LINKS, BROKER, READERS, FREEZES), max_size=6)

READER_FALLS = falls(["one"], "queued", "started", "processed")
SINGLE = [
    *losses(BETWEEN[:2], "OrderCreated", "reply", "deliver", "basic_ack"),
    *READER_FALLS,
    *falls(["rabbit"], "readied", "settled"),
]  # fmt: skip
LATENCY = Uniform(1, 12)


def played(
    *readers: Subscriber, seed: int = 0, shop: Publisher = SHOP, queue: QueueDeclared = CLASSIC, faults: Any = (), **how: Any
) -> Trace:
    """A run that goes on until everything has healed. A fault of a reader that is not there is left out."""
    names = {"shop", "rabbit", *(each.name for each in readers)}
    about = [each for each in faults if {getattr(each, end, "rabbit") for end in ("node", "source", "target")} <= names]
    return run(
        Scenario(
            [shop, RabbitMQ("rabbit", queues=[queue]), *readers],
            [Link("shop", "rabbit", latency=LATENCY), *(Link("rabbit", each.name, latency=LATENCY) for each in readers)],
            about,
            **{"duration": 9_000, **how},
        ),
        seed,
    )


def shortest_example(
    breaks: Callable[[Trace], bool], *readers: Subscriber, among: Sequence[Any] = SINGLE, shop: Publisher = SHOP
) -> tuple[int, list[Any]]:
    """The smallest number of messages and the fewest faults with which a run breaks a promise."""
    return shortest(
        st.tuples(st.integers(1, 8), st.lists(st.sampled_from(among), max_size=3)),
        lambda example: breaks(
            played(*readers, shop=evolve(shop, every=20, count=example[0]), faults=example[1], duration=1_500)
        ),
    )


def known(trace: Trace) -> set[int]:
    """The messages whose publisher was told that the broker has them."""
    return {step.message.id for step in trace.select("completed", node="shop") if step.message}


def processed(trace: Trace) -> list[int]:
    """The messages that took effect, in this order, each time."""
    return [step.message.id for step in trace.select("processed") if step.message]


def first(numbers: list[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


def overtakings(numbers: list[int]) -> list[tuple[int, int]]:
    """Two that follow each other in the wrong order. Ids count in the order of making."""
    return [(one, other) for one, other in pairwise(numbers) if other < one]


def in_queue_s_order(trace: Trace) -> bool:
    """Whether messages took effect, for the first time, in the order in which the queue took them, for the first time."""
    taken = first([step.message.id for step in trace.select("readied") if step.message])
    done = first(processed(trace))
    return done == [number for number in taken if number in set(done)]


# What is confirmed is safe.


READING = st.builds(
    lambda prefetch, workers, together, poison: evolve(
        READER, prefetch_count=prefetch, concurrency=workers, ack_every=together, poison=poison, work=Exponential(8)
    ),
    st.integers(0, 4), st.integers(1, 2), st.sampled_from([1, 1, 3]), st.sampled_from([(), ("order-3", "order-7")]),
)  # fmt: skip


@some(1)
@given(seeds, TROUBLE, st.sampled_from([CLASSIC, QUORUM]), READING, st.booleans())
def test_what_is_confirmed_persistent_and_acknowledged_after_the_work_takes_effect_whatever_happens(
    seed: int, faults: list[Fault], queue: QueueDeclared, reader: Subscriber, alone: bool
):
    reader = evolve(reader, poison_until=3_000.0)
    readers = [reader] if alone else [reader, evolve(reader, name="two")]

    trace = played(*readers, seed=seed, queue=queue, faults=faults)

    assert known(trace) - set(processed(trace)) == set()


@some(0.5)
@given(seeds, TROUBLE)
def test_a_quorum_queue_keeps_what_is_not_persistent_too(seed: int, faults: list[Fault]):
    trace = played(READER, seed=seed, shop=evolve(SHOP, delivery_mode=1), queue=QUORUM, faults=faults)

    assert known(trace) - set(processed(trace)) == set()


def test_one_restart_of_the_broker_loses_a_confirmed_message_that_is_not_persistent():
    count, faults = shortest_example(
        lambda trace: bool(known(trace) - set(processed(trace))), READER, shop=evolve(SHOP, delivery_mode=1)
    )

    assert (count, [(type(fault), fault.node) for fault in faults]) == (1, [(Crash, "rabbit")])


def test_one_loss_on_the_way_loses_a_message_that_nobody_confirms():
    count, faults = shortest_example(
        lambda trace: len(set(processed(trace))) < len(list(trace.select("created"))),
        READER,
        shop=evolve(SHOP, confirm=False),
    )

    assert (count, faults) == (1, [Drop("shop", "rabbit", kind="OrderCreated", nth=1)])


# At most once, and what it costs.


ONCE = st.lists(
    st.one_of(on_links(BETWEEN[1:], "deliver", "consume", "heartbeat", "closed"), BROKER, READERS, FREEZES), max_size=6
)


@some(0.5)
@given(seeds, ONCE, st.sampled_from(["auto", "before"]), st.sampled_from([CLASSIC, QUORUM]))
def test_what_is_acknowledged_by_itself_never_takes_effect_twice(
    seed: int, faults: list[Fault], ack: Any, queue: QueueDeclared
):
    readers = [evolve(READER, name=name, ack="auto") for name in BOTH]

    trace = played(*readers, seed=seed, shop=evolve(SHOP, confirm=False), queue=queue, faults=faults)

    assert len(processed(trace)) == len(set(processed(trace)))


def test_one_crash_of_the_reader_loses_what_is_acknowledged_by_itself():
    count, faults = shortest_example(
        lambda trace: bool(known(trace) - set(processed(trace))), evolve(READER, ack="auto"), among=READER_FALLS
    )

    assert (count, [fault.after for fault in faults]) == (1, ["queued"])


def test_one_crash_of_the_reader_repeats_what_is_acknowledged_after_the_work():
    count, faults = shortest_example(
        lambda trace: len(processed(trace)) > len(set(processed(trace))), READER, among=READER_FALLS
    )

    assert (count, [fault.after for fault in faults]) == (1, ["processed"])


def test_one_lost_confirmation_makes_a_message_take_effect_twice():
    count, faults = shortest_example(
        lambda trace: len(processed(trace)) > len(set(processed(trace))),
        READER,
        among=losses(BETWEEN[:1], "OrderCreated", "reply"),
    )

    assert (count, faults) == (1, [Drop("rabbit", "shop", kind="reply", nth=1)])


# Order.


ALONE = st.lists(st.one_of(LINKS, BROKER, crashes(["one"], "queued", "started", "processed", "sent"), FREEZES), max_size=6)


@some(1)
@given(seeds, ALONE, st.integers(0, 4), st.sampled_from([CLASSIC, QUORUM]))
def test_one_consumer_that_gives_nothing_back_keeps_a_queue_s_order_whatever_happens(
    seed: int, faults: list[Fault], prefetch_count: int, queue: QueueDeclared
):
    trace = played(evolve(READER, prefetch_count=prefetch_count), seed=seed, queue=queue, faults=faults)

    assert in_queue_s_order(trace)


def test_two_consumers_break_a_queue_s_order_with_two_messages():
    readers = [evolve(READER, name=name, slow=["order-1"], slow_work=100) for name in BOTH]

    count, faults = shortest_example(lambda trace: not in_queue_s_order(trace), *readers)

    assert (count, faults) == (2, [])


def test_one_message_that_is_given_back_breaks_a_queue_s_order_with_two_messages():
    reader = evolve(READER, poison=["order-1"], poison_until=150, work=100)

    count, faults = shortest_example(lambda trace: not in_queue_s_order(trace), reader)

    assert (count, faults) == (2, [])


@some(0.5)
@given(seeds, st.lists(st.one_of(on_links(BETWEEN[:1], "OrderCreated", "reply"), BROKER), max_size=5))
def test_a_publisher_that_awaits_each_confirmation_fills_the_queue_in_order(seed: int, faults: list[Fault]):
    trace = played(READER, seed=seed, shop=evolve(SHOP, max_unconfirmed=1), faults=faults)

    assert overtakings(first([step.message.id for step in trace.select("readied") if step.message])) == []
    assert overtakings(first(processed(trace))) == []


def test_one_loss_makes_a_publisher_that_does_not_wait_fill_the_queue_out_of_order():
    count, faults = shortest_example(
        lambda trace: bool(overtakings(first([step.message.id for step in trace.select("readied") if step.message]))), READER
    )

    assert (count, faults) == (2, [Drop("shop", "rabbit", kind="OrderCreated", nth=1)])
