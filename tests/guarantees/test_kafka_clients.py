"""What Kafka's clients promise holds whatever goes wrong: nothing lost, nothing twice, nothing shared; where not, it shows.

What may go wrong: brokers and clients crash and freeze, links are cut, and any message, of any kind, gets lost, comes twice or
late.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from simulator import Crash, KafkaConsumer, KafkaProcessor, KafkaProducer, KafkaTopic, Pause, Trace
from simulator.brokers.log.protocol import REQUESTS
from tests.guarantees.faults import lasts, on_links, seeds, times
from tests.guarantees.trouble import AMONG, NAMES, crashes_of_brokers
from tests.kafka import SWIFT_CLIENT, SWIFT_READER, keys, orders, swift
from tests.profiles import some

COUNT = 40
SHOP = KafkaProducer("shop", every=60, count=COUNT, linger_ms=0, delivery_timeout_ms=9_000, **SWIFT_CLIENT)
TOPICS = [
    KafkaTopic("orders", partitions=3, replication_factor=3, min_insync_replicas=2),
    KafkaTopic("invoices", replication_factor=3, min_insync_replicas=2),
]
MEMBERS = ("a", "b", "c")
ONCE, AT_LEAST_ONCE = "exactly_once_v2", "at_least_once"
STRICT = KafkaConsumer("strict", topics="invoices", work=0, isolation_level="read_committed", **SWIFT_READER)

of_clients = [(client, broker) for client in ("shop", *MEMBERS) for broker in NAMES]
anything = on_links([*AMONG, *of_clients], *REQUESTS, "ack", "records", "commit_ack")
steps = st.sampled_from(["fetched", "started", "processed", "sent", "delivered", "assigned", "joined", "acknowledged"])
client_faults = st.one_of(
    st.builds(
        lambda name, after, nth, back: Crash(name, after=after, nth=nth, restart_after=back),
        st.sampled_from(MEMBERS[:2]),
        steps,
        st.integers(1, 40),
        lasts,
    ),
    st.builds(lambda name, at, lasting: Pause(name, at=at, lasting=2 * lasting), st.sampled_from(MEMBERS[:2]), times, lasts),
)
trouble = st.lists(st.one_of(client_faults, client_faults, crashes_of_brokers, anything), max_size=6)

works = st.sampled_from([1, 20, 80])
polls = st.sampled_from([1, 5, 500])
strategies = st.sampled_from(["range", "sticky", "cooperative-sticky", ("range", "cooperative-sticky")])
static = st.booleans()


@st.composite
def processors(draw: st.DrawFn, guarantee: str) -> list[KafkaProcessor]:
    """One or two that share the work."""
    strategy, named = draw(strategies), draw(static)
    return [
        KafkaProcessor(
            name, group="billing", processing_guarantee=guarantee, work=draw(works), max_poll_records=draw(polls),
            partition_assignment_strategy=strategy, group_instance_id=name if named else None, linger_ms=0,
            delivery_timeout_ms=3_000, transaction_timeout_ms=1_000, **SWIFT_READER,
        )
        for name in MEMBERS[: draw(st.integers(1, 2))]
    ]  # fmt: skip


@st.composite
def groups(draw: st.DrawFn, **how: Any) -> list[KafkaConsumer]:
    """Up to three consumers of a group; the last comes late, and may go."""
    strategy, named = draw(strategies), draw(static)
    return [
        KafkaConsumer(
            name, group="billing", work=draw(works), max_poll_records=draw(polls), partition_assignment_strategy=strategy,
            group_instance_id=name if named else None, max_poll_interval_ms=draw(st.sampled_from([1_000, 300_000])),
            start_at=1_000 if name == "c" else 0, close_at=draw(st.sampled_from([None, 2_000])) if name == "c" else None,
            **(how or draw(commits)), **SWIFT_READER,
        )
        for name in MEMBERS[: draw(st.integers(1, 3))]
    ]  # fmt: skip


commits = st.sampled_from(
    [
        {"auto_commit_interval_ms": 200},
        {"enable_auto_commit": False},
        {"enable_auto_commit": False, "commit_sync": False},
    ]
)


def played(*clients: Any, seed: int, faults: Any) -> Trace:
    """A run that goes on until everything has healed."""
    return swift(SHOP, *clients, seed=seed, topics=TOPICS, faults=_of(faults, clients), duration=11_000)


def _of(faults: Any, clients: Any) -> list[Any]:
    """The faults of those who are there."""
    there = {"shop", "controller", *NAMES, *(client.name for client in clients)}
    ends = ((fault, [fault.node] if hasattr(fault, "node") else [fault.source, fault.target]) for fault in faults)
    return [fault for fault, of in ends if set(of) <= there]


def invoices(trace: Trace, reader: str = "strict") -> Counter[str]:
    """How often each order's invoice stands in the log, for a reader."""
    places = {step["offset"]: step.message.key for step in trace.select("fetched", node=reader) if step.message is not None}
    return Counter(map(str, places.values()))


def owners(trace: Trace) -> list[int]:
    """The steps by which a consumer got a partition that another one read, although that one had heard of this generation."""
    held: dict[str, set[str]] = {}
    generation: dict[str, int] = {}
    found = []
    for step in trace.select("joined", "assigned", "revoked", "crashed"):
        node, mine = step.node, held.setdefault(step.node, set())
        if step.kind == "joined":
            generation[node] = step["generation"]
        elif step.kind == "crashed":
            mine.clear()
            generation[node] = -1
        elif step.kind == "revoked":
            mine.discard(step["partition"])
        else:
            mine.add(step["partition"])
            others = [other for other, theirs in held.items() if other != node and step["partition"] in theirs]
            found += [step.index for other in others if generation[other] >= generation[node]]
    return found


@some(0.4)
@given(seeds, trouble, processors(ONCE))
def test_read_process_write_counts_exactly_once_for_who_reads_committed(seed: int, faults: Any, shops: list[KafkaProcessor]):
    trace = played(*shops, STRICT, seed=seed, faults=faults)

    assert invoices(trace) == Counter(orders(COUNT))


@some(0.15)
@given(seeds, trouble, processors(AT_LEAST_ONCE))
def test_read_process_write_at_least_once_loses_nothing(seed: int, faults: Any, shops: list[KafkaProcessor]):
    trace = played(*shops, STRICT, seed=seed, faults=faults)

    assert set(invoices(trace)) == set(orders(COUNT))


def crashing(guarantee: str, nth: int) -> Trace:
    """A processor crashes when it knows that its nth invoice is stored."""
    processor = KafkaProcessor(
        "a", processing_guarantee=guarantee, work=20, linger_ms=0, delivery_timeout_ms=3_000, **SWIFT_READER
    )
    return played(processor, STRICT, seed=1, faults=[Crash("a", after="acknowledged", nth=nth, restart_after=100)])


def test_the_same_crash_doubles_the_work_either_way_and_the_invoice_only_at_least_once():
    nth = next(nth for nth in range(1, COUNT) if max(invoices(crashing(AT_LEAST_ONCE, nth)).values()) > 1)

    for guarantee, most in ((AT_LEAST_ONCE, 2), (ONCE, 1)):
        trace = crashing(guarantee, nth)
        assert max(Counter(keys(trace, "processed", "a")).values()) == 2
        assert max(invoices(trace).values()) == most


@some(0.4)
@given(seeds, trouble, groups())
def test_consumers_that_commit_after_the_work_lose_nothing_and_share_nothing(
    seed: int, faults: Any, group: list[KafkaConsumer]
):
    trace = played(*group, seed=seed, faults=faults)

    assert set(keys(trace, "processed")) == set(orders(COUNT))
    assert owners(trace) == []


@some(0.2)
@given(seeds, trouble, groups(enable_auto_commit=False, commit="before"))
def test_consumers_that_commit_before_the_work_do_nothing_twice(seed: int, faults: Any, group: list[KafkaConsumer]):
    trace = played(*group, seed=seed, faults=faults)

    done = Counter(keys(trace, "processed"))
    assert max(done.values(), default=1) == 1


@some(0.1)
@given(st.integers(1, 9), st.integers(1, 4), st.sampled_from(["range", "cooperative-sticky"]))
def test_a_cooperative_group_moves_no_more_than_it_must_and_goes_on_reading_and_an_eager_one_stops(
    partitions: int, members: int, assignor: str
):
    group = [
        KafkaConsumer(
            f"member-{number}", group="billing", work=0, partition_assignment_strategy=assignor,
            start_at=1_500 if number == members else 0, **SWIFT_READER,
        )
        for number in range(members + 1)
    ]  # fmt: skip

    trace = swift(*group, topics=[KafkaTopic("orders", partitions)], duration=4_000)

    before, given_up = Counter(), Counter()
    for step in trace.select("assigned", "revoked"):
        if step.time > 1_500 and step.kind == "revoked":
            given_up[step.node] += 1
        elif step.time < 1_500:
            before[step.node] += 1 if step.kind == "assigned" else -1
    quota, more = divmod(partitions, members + 1)
    if assignor == "range":
        assert given_up == +before
    else:
        # As many may keep one more than the quota as there are of those left over.
        room = sum(max(0, held - quota) for held in before.values())
        assert sum(given_up.values()) == max(0, room - min(more, sum(held > quota for held in before.values())))
