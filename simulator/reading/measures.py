"""Numbers about a run: pure functions of its trace, gathered here from where each is explained."""

from simulator.reading.distribution import Distribution
from simulator.reading.fates import Missing, losses, missing, pending
from simulator.reading.flow import (
    end_to_end,
    inconsistency_window,
    latency,
    messages_on_the_wire,
    throughput,
    throughput_over_time,
    traffic,
    transit,
)  # fmt: skip
from simulator.reading.repeats import Duplicate, Reordering, duplicates, reorderings

__all__ = [
    "Distribution",
    "Duplicate",
    "Missing",
    "Reordering",
    "duplicates",
    "end_to_end",
    "inconsistency_window",
    "latency",
    "losses",
    "messages_on_the_wire",
    "missing",
    "pending",
    "reorderings",
    "throughput",
    "throughput_over_time",
    "traffic",
    "transit",
]
