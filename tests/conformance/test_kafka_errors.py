"""The errors' names and numbers against those of three real clients."""

from __future__ import annotations

import pytest

from simulator.brokers.log.errors import CODES

pytestmark = pytest.mark.conformance

FORMERLY = {"NOT_LEADER_OR_FOLLOWER": "NOT_LEADER_FOR_PARTITION", "NONE": "NO_ERROR"}
"""Renamed in Apache Kafka 2.6; the clients kept the old name, and call no error by another one."""


PACKAGES = {"kafka": "kafka-python", "aiokafka": "aiokafka", "confluent_kafka": "confluent-kafka"}


def known_to(client: str) -> dict[int, str]:
    """The client's names for the errors that it knows, by number."""
    reason = f"pip install {PACKAGES[client]}, to compare with its errors"
    if client == "confluent_kafka":
        error = pytest.importorskip(client, reason=reason).KafkaError
        names = {code: error(code).name() for code in CODES.values()}
        return {code: name for code, name in names.items() if not name.endswith("?")}
    errors = pytest.importorskip(f"{client}.errors", reason=reason)
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    return {each.errno: each.message for each in classes if isinstance(getattr(each, "errno", None), int)}


@pytest.mark.parametrize("client", PACKAGES)
def test_errors_have_the_names_and_numbers_that_a_real_client_knows(client: str) -> None:
    known = known_to(client)

    wanted = {code: FORMERLY.get(name, name) for name, code in CODES.items() if code in known}
    assert {code: known[code] for code in wanted} == wanted
    # aiokafka knows none of those that came after transactions.
    assert len(wanted) > 20


def test_the_newest_of_them_knows_every_error() -> None:
    assert CODES.values() - known_to("kafka").keys() == set()
