"""Numbers about a run: pure functions of its trace, gathered here from where each is explained."""

from simulator.reading.depths import depths
from simulator.reading.distribution import Distribution
from simulator.reading.durability import LostWrite, leaderless, lost_writes
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
from simulator.reading.health import (
    availability,
    downtimes,
    fault_time,
    time_to_first_success,
    time_to_recover,
    uptime,
)  # fmt: skip
from simulator.reading.lags import LagSeries, PartitionLag, backlog, lag, lag_over_time, total_lag
from simulator.reading.purposes import Purpose, purposes
from simulator.reading.rebalances import Rebalance, rebalances, unread
from simulator.reading.repeats import Duplicate, Reordering, duplicates, reorderings
from simulator.reading.work import Little, Stay, little, queue_length, stays, utilisation

__all__ = [
    "Distribution", "Duplicate", "LagSeries", "Little", "LostWrite", "Missing", "PartitionLag", "Purpose", "Rebalance",
    "Reordering", "Stay", "availability", "backlog", "depths", "downtimes", "duplicates", "end_to_end", "fault_time",
    "inconsistency_window", "lag", "lag_over_time", "latency", "leaderless", "little", "losses", "lost_writes",
    "messages_on_the_wire", "missing", "pending", "purposes", "queue_length", "rebalances", "reorderings", "stays",
    "throughput", "throughput_over_time", "time_to_first_success", "time_to_recover", "total_lag", "traffic", "transit",
    "unread", "uptime", "utilisation",
]  # fmt: skip
