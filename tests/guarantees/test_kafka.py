"""What a cluster like Kafka's promises holds whatever goes wrong; where it promises nothing, a loss is found."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from simulator import KafkaBroker, KafkaProducer, Trace
from simulator.reading.anomalies import anomalies
from tests.guarantees.faults import seeds
from tests.guarantees.trouble import AUDIT, ORDERS, SHOP, played, stopping, trouble
from tests.kafka import Logs, leaders
from tests.profiles import some

PLAIN = evolve(SHOP, enable_idempotence=False)
PARTITIONS = ("orders-0", "orders-1")


def final(trace: Trace, partition: str) -> dict[int, int]:
    """The log of a partition's leader at the end: the id of the record at each offset."""
    return Logs(trace).of(partition).get(str(leaders(trace, partition)[-1]), {})


def lost(trace: Trace) -> set[int]:
    """The records that their producer knows to be stored and that are not in the log at the end."""
    logs = {partition: final(trace, partition) for partition in PARTITIONS}
    known = ((step["partition"], step["offset"], step.message.id) for step in trace.select("acknowledged") if step.message)
    return {record for partition, offset, record in known if logs.get(partition, {}).get(offset) != record}


def copies(trace: Trace) -> int:
    """How many records stand in the log more often than once."""
    return sum(times > 1 for partition in PARTITIONS for times in Counter(final(trace, partition).values()).values())


def overtakings(trace: Trace) -> list[tuple[int, int]]:
    """Two records of one key that follow each other in the log in the wrong order. Ids count in the order of making."""
    found: list[tuple[int, int]] = []
    for partition in PARTITIONS:
        log = final(trace, partition)
        for key in SHOP.keys.keys:
            of_key = [log[offset] for offset in sorted(log) if trace.message(log[offset]).key == key]
            found += [(one, other) for one, other in pairwise(of_key) if other < one]
    return found


@some(0.3)
@given(seeds, trouble, stopping(), st.sampled_from([SHOP, PLAIN]))
def test_acks_all_with_two_in_sync_loses_nothing_that_was_acknowledged(
    seed: int, faults: list[Any], brokers: list[KafkaBroker], shop: KafkaProducer
):
    trace = played(shop, seed=seed, faults=faults, brokers=brokers)

    assert lost(trace) == set()


@some(0.3)
@given(seeds, trouble, stopping(), st.sampled_from(["all", 1, 0]), st.sampled_from([1, 2]))
def test_what_is_committed_never_changes_at_any_replica_without_an_unclean_election(
    seed: int, faults: list[Any], brokers: list[KafkaBroker], acks: Any, least: int
):
    topic = evolve(ORDERS, min_insync_replicas=least)

    trace = played(evolve(SHOP, acks=acks), seed=seed, faults=faults, brokers=brokers, topic=topic)

    assert Logs(trace).contradictions == []


@some(0.3)
@given(seeds, trouble, stopping(), st.sampled_from(["all", 1, 0]), st.booleans())
def test_once_all_has_healed_the_replicas_agree(
    seed: int, faults: list[Any], brokers: list[KafkaBroker], acks: Any, unclean: bool
):
    topic = evolve(ORDERS, unclean_leader_election_enable=unclean)

    trace = played(evolve(SHOP, acks=acks), seed=seed, faults=faults, brokers=brokers, topic=topic)

    logs = Logs(trace)
    for partition in PARTITIONS:
        kept = logs.of(partition)
        assert all(log == final(trace, partition) for log in kept.values())
        assert all(logs.marks.get((broker, partition), 0) == len(log) for broker, log in kept.items())


@some(0.3)
@given(seeds, trouble, stopping())
def test_an_idempotent_producer_s_records_stand_in_the_log_once_and_in_order_with_five_requests_in_flight(
    seed: int, faults: list[Any], brokers: list[KafkaBroker]
):
    trace = played(SHOP, seed=seed, faults=faults, brokers=brokers)

    assert (copies(trace), overtakings(trace)) == (0, [])


@some(0.2)
@given(seeds, trouble, stopping())
def test_with_one_request_in_flight_records_of_a_key_keep_their_order_without_idempotence(
    seed: int, faults: list[Any], brokers: list[KafkaBroker]
):
    one_by_one = evolve(PLAIN, max_in_flight_requests_per_connection=1)

    trace = played(one_by_one, seed=seed, faults=faults, brokers=brokers)

    assert overtakings(trace) == []


@some(0.3)
@given(seeds, trouble, stopping())
def test_jepsens_checker_finds_nothing_in_what_clients_saw(seed: int, faults: list[Any], brokers: list[KafkaBroker]):
    trace = played(SHOP, AUDIT, seed=seed, faults=faults, brokers=brokers)

    assert [each for each in anomalies(trace) if not each.allowed] == []
