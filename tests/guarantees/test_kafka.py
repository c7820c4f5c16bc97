"""What a cluster like Kafka's promises holds whatever goes wrong; where it promises nothing, a loss is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise, product
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from simulator import Crash, Drop, KafkaBroker, KafkaProducer, KafkaTopic, Trace
from simulator.reading.anomalies import anomalies
from tests.guarantees.faults import seeds
from tests.guarantees.trouble import AUDIT, NAMES, ORDERS, SHOP, among, played, stopping, trouble
from tests.kafka import Logs
from tests.profiles import some

PLAIN = evolve(SHOP, enable_idempotence=False)
ONE_BY_ONE = evolve(PLAIN, max_in_flight_requests_per_connection=1)


def final(trace: Trace) -> dict[str, dict[int, int]]:
    """The logs of the partitions' leaders at the end: the id of the record at each offset."""
    logs, leader = Logs(trace), {step["partition"]: step["leader"] for step in trace.select("elected")}
    return {name: logs.of(name).get(broker, {}) for name, broker in leader.items() if name.startswith("orders")}


def lost(trace: Trace) -> set[int]:
    """The records that their producer knows to be stored and that are not in the log at the end."""
    logs = final(trace)
    known = [(step["partition"], step["offset"], step.message.id) for step in trace.select("acknowledged") if step.message]
    return {record for partition, offset, record in known if logs[partition].get(offset) != record}


def repeated(trace: Trace) -> set[int]:
    """The records that stand in the log more often than once."""
    return {record for log in final(trace).values() for record, times in Counter(log.values()).items() if times > 1}


def overtaken(trace: Trace) -> set[int]:
    """The records that came into the log for the first time behind one of the same key that was made later.

    (Ids count in the order of making. What is repeated comes again behind what came after it.)
    """
    found: set[int] = set()
    for log in final(trace).values():
        by_key: dict[str | None, dict[int, None]] = {}
        for offset in sorted(log):
            by_key.setdefault(trace.message(log[offset]).key, {})[log[offset]] = None
        found |= {other for records in by_key.values() for one, other in pairwise(records) if other < one}
    return found


@some(0.25)
@given(seeds, trouble, stopping(), st.sampled_from([SHOP, PLAIN]))
def test_acks_all_with_two_in_sync_loses_nothing_that_was_acknowledged(
    seed: int, faults: list[Any], brokers: list[KafkaBroker], shop: KafkaProducer
):
    trace = played(shop, seed=seed, faults=faults, brokers=brokers)

    assert lost(trace) == set()


@some(0.25)
@given(seeds, trouble, stopping(), st.sampled_from(["all", 1, 0]), st.sampled_from([1, 2]))
def test_what_is_committed_never_changes_at_any_replica_without_an_unclean_election(
    seed: int, faults: list[Any], brokers: list[KafkaBroker], acks: Any, least: int
):
    topic = evolve(ORDERS, min_insync_replicas=least)

    trace = played(evolve(SHOP, acks=acks), seed=seed, faults=faults, brokers=brokers, topic=topic)

    assert Logs(trace).contradictions == []


@some(0.25)
@given(seeds, trouble, stopping(), st.sampled_from(["all", 1, 0]), st.booleans())
def test_once_all_has_healed_every_replica_has_the_same_log_and_all_of_it_is_committed(
    seed: int, faults: list[Any], brokers: list[KafkaBroker], acks: Any, unclean: bool
):
    topic = evolve(ORDERS, unclean_leader_election_enable=unclean)

    trace = played(evolve(SHOP, acks=acks), seed=seed, faults=faults, brokers=brokers, topic=topic)

    logs = Logs(trace)
    for partition, log in final(trace).items():
        assert all(kept == log for kept in logs.of(partition).values())
        assert {logs.marks.get((broker, partition), 0) for broker in NAMES} == {len(log)}


@some(0.25)
@given(seeds, trouble, stopping())
def test_an_idempotent_producer_s_records_stand_in_the_log_once_and_in_order_with_five_requests_in_flight(
    seed: int, faults: list[Any], brokers: list[KafkaBroker]
):
    trace = played(SHOP, seed=seed, faults=faults, brokers=brokers)

    assert (repeated(trace), overtaken(trace)) == (set(), set())


@some(0.2)
@given(seeds, trouble, stopping())
def test_with_one_request_in_flight_records_of_a_key_keep_their_order_without_idempotence(
    seed: int, faults: list[Any], brokers: list[KafkaBroker]
):
    trace = played(ONE_BY_ONE, seed=seed, faults=faults, brokers=brokers)

    assert overtaken(trace) == set()


@some(0.25)
@given(seeds, among("shop", "audit"), stopping())
def test_jepsens_checker_finds_nothing_in_what_the_clients_saw(seed: int, faults: list[Any], brokers: list[KafkaBroker]):
    trace = played(SHOP, AUDIT, seed=seed, faults=faults, brokers=brokers)

    assert [each for each in anomalies(trace) if not each.allowed] == []


ALONE = evolve(ORDERS, partitions=1)
FEW = {"every": 100, "count": 5, "keys": ["a"]}
"""A short story to search in."""


def first_of(stories: Iterable[Any], goes_wrong: Callable[[Any], Any]) -> Any:
    """The first of these stories, the short ones come first, in which something goes wrong; None if nothing ever does."""
    return next((story for story in stories if goes_wrong(story)), None)


CRASHES_OF_THE_LEADER = [Crash("broker-1", after="sent", nth=nth, restart_after=700) for nth in range(1, 80)]
"""At each thing that it says while the records come in, and for a while after that."""


def with_a_crash(acks: Any, crash: Crash) -> Trace:
    return played(evolve(SHOP, acks=acks, **FEW), seed=1, faults=[crash], topic=ALONE, duration=3_000)


def test_the_shortest_loss_with_acks_1_is_a_crash_right_after_an_acknowledgement():
    crash = first_of(CRASHES_OF_THE_LEADER, lambda crash: lost(with_a_crash(1, crash)))

    trace = with_a_crash(1, crash)
    (crashed,), (truncated,) = trace.select("crashed"), trace.select("truncated")
    last_said = trace[crashed.cause]
    assert (last_said.kind, last_said.message.kind) == ("sent", "ack")
    assert (truncated.node, truncated["records"], len(lost(trace))) == ("broker-1", 1, 1)


def test_acks_all_loses_nothing_by_a_crash_of_the_leader_after_whatever_it_says():
    assert first_of(CRASHES_OF_THE_LEADER, lambda crash: lost(with_a_crash("all", crash))) is None


CRASHES = [
    Crash(broker, at=at, restart_after=back) for broker in NAMES[:2] for at in (250, 1_150) for back in (1_400, 2_800)
]


def with_crashes(*crashes: Crash, unclean: bool) -> Trace:
    topic = KafkaTopic("orders", replication_factor=2, unclean_leader_election_enable=unclean)
    return played(evolve(SHOP, **FEW), seed=1, faults=crashes, topic=topic, duration=6_000)


def test_the_shortest_loss_with_acks_all_takes_two_crashes_and_an_unclean_election():
    stories = [*product(CRASHES), *product(CRASHES, repeat=2)]

    story = first_of(stories, lambda crashes: lost(with_crashes(*crashes, unclean=True)))

    trace = with_crashes(*story, unclean=True)
    (truncated,) = trace.select("truncated")
    was_committed = [step for step in trace.select("advanced", node=truncated.node) if step["offset"] > truncated["offset"]]
    assert (len(story), len(was_committed) > 0) == (2, True)
    assert lost(with_crashes(*story, unclean=False)) == set()


LOSSES = [
    Drop(*way, kind=kind, nth=nth)
    for nth in range(1, 6)
    for way, kind in ((("shop", "broker-1"), "produce"), (("broker-1", "shop"), "ack"))
]


def with_a_loss(shop: KafkaProducer, loss: Drop) -> Trace:
    return played(evolve(shop, **FEW), seed=1, faults=[loss], topic=ALONE, duration=2_500)


def test_without_idempotence_one_lost_acknowledgement_is_enough_for_a_duplicate():
    loss = first_of(LOSSES, lambda loss: repeated(with_a_loss(PLAIN, loss)))

    assert (loss.kind, len(repeated(with_a_loss(PLAIN, loss)))) == ("ack", 1)
    assert first_of(LOSSES, lambda loss: repeated(with_a_loss(SHOP, loss))) is None


def test_without_idempotence_one_lost_request_is_enough_for_a_record_to_be_overtaken_while_five_are_in_flight():
    loss = first_of(LOSSES, lambda loss: overtaken(with_a_loss(PLAIN, loss)))

    assert loss.kind == "produce"
    for orderly in (SHOP, ONE_BY_ONE):
        assert first_of(LOSSES, lambda loss, shop=orderly: overtaken(with_a_loss(shop, loss))) is None
