"""Who reads which partition, against Apache Kafka's own range assignor."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.brokers.log.assignors import range_assign
from tests.conformance.recorded import recorded

pytestmark = pytest.mark.conformance


@pytest.mark.parametrize("case", recorded("kafka_range_assignor")["cases"])
def test_range_assignment_is_kafkas(case: dict[str, Any]):
    backwards = sorted(case["assigned"], reverse=True)

    assert range_assign(case["partitions"], case["assigned"]) == case["assigned"]
    assert range_assign(case["partitions"], backwards) == case["assigned"]
