"""What Amazon SQS promises holds whatever goes wrong; where it promises nothing, the shortest example shows it."""

from __future__ import annotations

from collections import Counter
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
    RedrivePolicy,
    Retry,
    Scenario,
    SqsConsumer,
    SqsProducer,
    SqsQueue,
    Trace,
    Uniform,
    run,
)
from simulator.network import Fault
from tests.guarantees.faults import crashes, falls, losses, on_links, pauses, seeds
from tests.guarantees.shortest import shortest
from tests.profiles import some

BOTH = ("one", "two")
GROUPS = ("ann", "bob", "cy")
SHOP = SqsProducer("shop", 60, count=30, timeout=100, retry=Retry(200, backoff=20))
READER = SqsConsumer(
    "one", group="billing", work=40, max_number_of_messages=3, wait_time_seconds=1, timeout=200, pause=20
)  # fmt: skip
STANDARD = SqsQueue("orders", visibility_timeout=1, servers=4, unreachable=0.1)
FIFO = SqsQueue("orders", visibility_timeout=1, fifo_queue=True)
"""Its name gets the ending that it needs in `played`, so that the same faults fit both."""

BETWEEN = [("shop", "orders"), *(("orders", name) for name in BOTH)]
PROTOCOL = (
    "OrderCreated", "reply", "receive_message", "messages", "delete_message", "change_message_visibility",
    "send_message_batch", "delete_message_batch",
)  # fmt: skip
TROUBLE = st.lists(
    st.one_of(
        on_links(BETWEEN, *PROTOCOL),
        crashes(["orders"], "enqueued", "received", "deleted", "reappeared", "sent", "delivered"),
        crashes(BOTH, "queued", "started", "processed", "sent", "delivered"),
        pauses(["orders", *BOTH]),
    ),
    max_size=6,
)
SINGLE = [
    *losses(BETWEEN[:2], "OrderCreated", "reply", "messages", "delete_message"),
    *falls(["one"], "queued", "started", "processed"),
    *falls(["orders"], "enqueued", "received", "deleted"),
]


def played(
    *readers: SqsConsumer, seed: int = 0, shop: SqsProducer = SHOP, queue: SqsQueue = STANDARD, faults: Any = (), **how: Any
) -> Trace:
    """A run that goes on until everything has healed. A fault of a reader that is not there is left out."""
    named = {"orders": "orders.fifo"} if queue.fifo_queue else {}
    nodes = [shop, evolve(queue, name=named.get(queue.name, queue.name)), *readers]
    about = []
    for fault in faults:
        ends = {end: getattr(fault, end) for end in ("node", "source", "target") if hasattr(fault, end)}
        renamed = {end: named.get(name, name) for end, name in ends.items()}
        if set(renamed.values()) <= {node.name for node in nodes}:
            about.append(evolve(fault, **renamed))
    middle = nodes[1].name
    links = [
        Link("shop", middle, latency=Uniform(1, 12)),
        *(Link(middle, each.name, latency=Uniform(1, 12)) for each in readers),
    ]
    return run(Scenario(nodes, links, about, **{"duration": 25_000, **how}), seed)


def shortest_example(
    breaks: Callable[[Trace], bool], *readers: SqsConsumer, among: Sequence[Any] = SINGLE, **how: Any
) -> tuple[int, list[Any]]:
    """The smallest number of messages and the fewest faults with which a run breaks a promise."""
    return shortest(
        st.tuples(st.integers(1, 8), st.lists(st.sampled_from(among), max_size=3)),
        lambda example: breaks(
            played(*readers, shop=evolve(SHOP, every=20, count=example[0]), faults=example[1], duration=6_000, **how)
        ),
    )


def known(trace: Trace) -> set[int]:
    """The messages whose sender was told that the queue has them."""
    return {step.message.id for step in trace.select("completed", node="shop") if step.message}


def processed(trace: Trace) -> list[int]:
    """The messages that took effect, in this order, each time."""
    return [step.message.id for step in trace.select("processed") if step.message]


def stored(trace: Trace) -> list[int]:
    return [step.message.id for step in trace.select("enqueued") if step.message]


def overtakings(trace: Trace) -> list[tuple[int, int]]:
    """Two of one group, the second of which was stored later and took effect, for the first time, earlier."""
    place = {number: at for at, number in reversed(list(enumerate(stored(trace))))}
    found = []
    for group in GROUPS:
        done = [number for number in dict.fromkeys(processed(trace)) if trace.message(number).key == group]
        found += [(one, other) for one, other in pairwise(done) if place[other] < place[one]]
    return found


READING = st.builds(
    lambda most, workers, delete, heartbeat, retry_after, work: evolve(
        READER, max_number_of_messages=most, concurrency=workers, delete=delete, heartbeat=heartbeat, retry_after=retry_after,
        work=work,
    ),
    st.integers(1, 10), st.integers(1, 3), st.sampled_from(["after", "together"]), st.sampled_from([None, 300]),
    st.sampled_from([None, 0, 2]), st.sampled_from([Exponential(60), 400]),
)  # fmt: skip


# At least once.


@some(0.75)
@given(seeds, TROUBLE, st.sampled_from([STANDARD, FIFO]), READING, st.integers(1, 4), st.booleans())
def test_what_is_deleted_after_the_work_takes_effect_whatever_happens(
    seed: int, faults: list[Fault], queue: SqsQueue, reader: SqsConsumer, batch: int, alone: bool
):
    reader = evolve(reader, poison=["order-3", "order-8"], poison_until=4_000.0)
    readers = [reader] if alone else [reader, evolve(reader, name="two")]

    trace = played(*readers, seed=seed, queue=queue, shop=evolve(SHOP, max_batch_size=batch), faults=faults)

    assert known(trace) - set(processed(trace)) == set()


@some(0.5)
@given(seeds, TROUBLE)
def test_with_a_dead_letter_queue_every_message_takes_effect_or_is_set_aside(seed: int, faults: list[Fault]):
    queue = evolve(STANDARD, redrive_policy=RedrivePolicy("dead", 3))
    scenario = Scenario(
        [SHOP, queue, SqsQueue("dead"), evolve(READER, poison=["order-2", "order-9"])],
        [Link("shop", "orders", latency=5), Link("orders", "one", latency=5), Link("orders", "dead", latency=5)],
        [fault for fault in faults if "two" not in {getattr(fault, end, "") for end in ("node", "source", "target")}],
        duration=25_000,
    )

    trace = run(scenario, seed)

    aside = {step.message.id for step in trace.select("enqueued", node="dead") if step.message}
    assert known(trace) - set(processed(trace)) - aside == set()


def test_one_crash_loses_what_is_deleted_before_the_work():
    count, faults = shortest_example(
        lambda trace: bool(known(trace) - set(processed(trace))), evolve(READER, delete="before"), queue=FIFO
    )

    assert (count, [(type(fault), fault.node, fault.after) for fault in faults]) == (1, [(Crash, "one", "started")])


def test_one_crash_repeats_what_is_deleted_after_the_work():
    count, faults = shortest_example(lambda trace: len(processed(trace)) > len(set(processed(trace))), READER, queue=FIFO)

    assert (count, [(type(fault), fault.node, fault.after) for fault in faults]) == (1, [(Crash, "one", "processed")])


def test_work_that_takes_longer_than_the_visibility_timeout_takes_effect_twice_without_any_fault():
    slow = evolve(READER, work=1_500)

    count, faults = shortest_example(
        lambda trace: len(processed(trace)) > len(set(processed(trace))), slow, evolve(slow, name="two"), queue=FIFO,
        among=losses(BETWEEN[:1], "reply"),
    )  # fmt: skip

    assert (count, faults) == (1, [])


# FIFO queues.


@some(1)
@given(seeds, TROUBLE, READING, st.booleans(), st.integers(1, 4))
def test_a_message_group_keeps_its_order_whatever_happens(
    seed: int, faults: list[Fault], reader: SqsConsumer, alone: bool, batch: int
):
    reader = evolve(reader, poison=["bob"], poison_until=3_000.0)
    readers = [reader] if alone else [reader, evolve(reader, name="two")]

    trace = played(*readers, seed=seed, queue=FIFO, shop=evolve(SHOP, keys=GROUPS, max_batch_size=batch), faults=faults)

    assert overtakings(trace) == []


@some(0.5)
@given(seeds, TROUBLE, st.integers(1, 4))
def test_within_five_minutes_a_message_is_stored_once_however_often_it_is_sent(seed: int, faults: list[Fault], batch: int):
    trace = played(READER, seed=seed, queue=FIFO, shop=evolve(SHOP, max_batch_size=batch), faults=faults)

    assert [number for number, times in Counter(stored(trace)).items() if times > 1] == []
    assert known(trace) == set(stored(trace))


def test_five_minutes_later_a_message_that_is_sent_again_is_stored_again():
    def stored_twice(seconds: int) -> bool:
        patient = SqsProducer(
            "shop", 10, count=1, timeout=1_000, retry=Retry(1, backoff=1_000 * seconds, backoff_max=10**6, jitter="none")
        )
        lost = Drop("orders", "shop", kind="reply", nth=1)
        return len(stored(played(shop=patient, queue=FIFO, faults=[lost], duration=500_000))) == 2

    assert shortest(st.integers(0, 400), stored_twice) + 1 == 300


def test_one_lost_answer_makes_a_standard_queue_store_a_message_twice():
    example = shortest_example(
        lambda trace: len(stored(trace)) > len(set(stored(trace))),
        READER,
        among=losses(BETWEEN[:1], "OrderCreated", "reply"),
    )

    assert example == (1, [Drop("orders", "shop", kind="reply", nth=1)])


# Standard queues.


def in_order(trace: Trace) -> bool:
    received = [step.message.id for step in trace.select("received") if step.message]
    return received == sorted(received)


def test_a_standard_queue_of_several_servers_hands_out_two_messages_in_the_wrong_order():
    def wrong(example: tuple[int, int]) -> bool:
        count, seed = example
        queue = evolve(STANDARD, servers=2, unreachable=0.0, delay_seconds=1)
        return not in_order(played(READER, seed=seed, queue=queue, shop=evolve(SHOP, every=1, count=count), duration=4_000))

    count, _ = shortest(st.tuples(st.integers(1, 20), st.integers(0, 100)), wrong)

    assert count == 2


def test_a_server_that_could_not_be_reached_hands_a_deleted_message_out_once_more():
    def again(example: tuple[int, int]) -> bool:
        count, seed = example
        trace = played(READER, seed=seed, queue=STANDARD, shop=evolve(SHOP, count=count), duration=4_000)
        return len(processed(trace)) > len(set(processed(trace)))

    count, _ = shortest(st.tuples(st.integers(1, 20), st.integers(0, 1_000)), again)

    assert count == 1


@some(0.5)
@given(seeds)
def test_where_nothing_goes_wrong_a_fifo_queue_hands_each_message_out_once_and_in_order(seed: int):
    trace = played(READER, seed=seed, queue=FIFO)

    assert in_order(trace)
    assert len(processed(trace)) == len(set(processed(trace))) == SHOP.count
