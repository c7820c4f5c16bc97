"""What Kafka's real client and ours make of errors, of a broker that is away and of a lead that moves."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from simulator import Crash, KafkaBroker, KafkaController, KafkaProducer, KafkaTopic, ListedKeys, Scenario, kafka_links, run
from simulator.brokers.log.errors import CODES
from simulator.clients.kafka_batches import RETRIABLE
from tests.conformance.kafka_log_twin import Real, Replicated
from tests.conformance.kafka_mock import PRODUCE, MockCluster

pytestmark = pytest.mark.conformance

EVERY_MS = 100.0

KEEPS_ORDER = {
    "idempotent": {"enable_idempotence": True},
    "one request at a time": {"enable_idempotence": False, "max_in_flight_requests_per_connection": 1},
}


@frozen
class Fault:
    """The leader of the first of two partitions is away while some records are made, or for good: then another one leads."""

    made: int
    """How many records are made (and acknowledged) before."""
    away: int | None
    """How many are made meanwhile; None: it does not come back."""


def by_kafkas_client(cluster: MockCluster, keys: list[str], fault: Fault, how: dict[str, Any]) -> list[Any]:
    settings = {name.replace("_", "."): value for name, value in how.items()}
    real = Real(cluster, 2, **{"reconnect.backoff.max.ms": 100, **settings})
    for partition in (0, 1):
        cluster.lead(real.topic, partition, partition + 1)
    back = len(keys) if fault.away is None else fault.made + fault.away
    before = real.sent(keys[: fault.made])()
    cluster.down(1)
    try:
        outcomes = real.sent(keys[fault.made : back])
        if fault.away is None:
            cluster.lead(real.topic, 0, 2)
            # It is up again further down, so that the next test finds it; what was sent has to be written without it.
            outcomes()
    finally:
        cluster.up(1)
    return [*before, *outcomes(), *real.sent(keys[back:])()]


def by_our_nodes(keys: list[str], fault: Fault, how: dict[str, Any]) -> list[Any]:
    """The same as a run: with one replica nobody can take over, with three somebody does."""
    topic = KafkaTopic("t", partitions=2, replication_factor=3 if fault.away is None else 1)
    brokers = [KafkaBroker(str(number)) for number in (1, 2, 3)]
    producer = KafkaProducer("producer", EVERY_MS, topic="t", keys=ListedKeys(keys), count=len(keys), **how)
    nodes = [KafkaController("controller", [topic]), *brokers, producer]
    since = (fault.made + 0.5) * EVERY_MS
    crash = Crash("1", at=since, restart_after=None if fault.away is None else fault.away * EVERY_MS)
    trace = run(Scenario(nodes, kafka_links(nodes), [crash], duration=since + 120_000))
    places: dict[int, tuple[int, int]] = {}
    for step in trace.select("acknowledged"):
        assert step.message is not None
        places[step.message.id] = (int(step["partition"].rpartition("-")[2]), step["offset"])
    made = [step.message.id for step in trace.select("created") if step.message is not None]
    return [places.get(number) for number in made]


KEYS = [f"customer {number % 7}" for number in range(24)]
FAULTS = {
    "away for a while": Fault(made=10, away=8),
    "away from the beginning": Fault(made=0, away=8),
    "away after the first record": Fault(made=1, away=8),
    "away for good, and another leads": Fault(made=10, away=None),
}


@pytest.mark.parametrize("how", KEEPS_ORDER.values(), ids=KEEPS_ORDER)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_records_get_where_they_would_have_been_without_the_fault(
    kafka_mock: MockCluster, fault: Fault, how: dict[str, Any]
) -> None:
    """Everything arrives, in order, although nobody was there to take it at first."""
    real = by_kafkas_client(kafka_mock, KEYS, fault, how)

    assert by_our_nodes(KEYS, fault, how) == real
    assert real == Replicated(2).produce(KEYS)


A_FEW = settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""How random faults are tried on both; what fails is not made smaller, since each attempt would take its time."""


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=12, max_size=30),
    st.builds(Fault, st.integers(0, 8), st.none() | st.integers(1, 4)),
    st.sampled_from(list(KEEPS_ORDER.values())),
)
@A_FEW
def test_any_records_get_there_whenever_the_leader_is_away(
    kafka_mock: MockCluster, keys: list[str], fault: Fault, how: dict[str, Any]
) -> None:
    assert by_our_nodes(keys, fault, how) == by_kafkas_client(kafka_mock, keys, fault, how)


UNRELATED = {"NONE", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR"}
"""What no leader answers to a record."""

FATAL = {"OUT_OF_ORDER_SEQUENCE_NUMBER"}
"""Where the clients differ: librdkafka's idempotent producer ends for good, Kafka's begins a new epoch (KIP-360), as ours."""


@pytest.mark.parametrize("idempotent", [True, False])
def test_the_same_errors_make_a_client_send_again(kafka_mock: MockCluster, idempotent: bool) -> None:
    wanted = sorted(CODES.keys() - UNRELATED - FATAL)
    real = Real(kafka_mock, 1, **{"enable.idempotence": idempotent, "retry.backoff.ms": 10})
    sent_again = set()

    for error in wanted:
        kafka_mock.answer_next(PRODUCE, error)
        (outcome,) = real.sent(["key"])()
        if isinstance(outcome, tuple):
            sent_again.add(error)

    assert sent_again == RETRIABLE - FATAL
