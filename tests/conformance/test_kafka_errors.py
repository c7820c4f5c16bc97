"""The errors' names and numbers against those of a real client."""

from __future__ import annotations

import pytest

from simulator.brokers.log.errors import CODES

pytestmark = pytest.mark.conformance

FORMERLY = {"NOT_LEADER_OR_FOLLOWER": "NOT_LEADER_FOR_PARTITION"}
"""Renamed in Apache Kafka 2.6; the client kept the old name."""


def test_errors_have_the_names_and_numbers_that_a_real_client_knows() -> None:
    errors = pytest.importorskip("kafka.errors", reason="pip install kafka-python, to compare with its errors")
    known = {
        error.message: error.errno
        for error in vars(errors).values()
        if isinstance(error, type) and isinstance(getattr(error, "errno", None), int)
    }

    wanted = {FORMERLY.get(name, name): code for name, code in CODES.items() if name != "NONE"}
    assert {name: known.get(name) for name in wanted} == wanted
