"""What each kind of step does to the state, by what it tells of: clients, logs, queues, a cluster's replicas and coordinators."""

from simulator.reading.folds.clients import CLIENTS
from simulator.reading.folds.coordinators import COORDINATORS
from simulator.reading.folds.fold import Act
from simulator.reading.folds.logs import LOGS
from simulator.reading.folds.queues import QUEUES
from simulator.reading.folds.replicas import REPLICAS

ACTS: dict[str, Act] = {**CLIENTS, **LOGS, **REPLICAS, **COORDINATORS, **QUEUES}
"""By kind of step; a kind that is not here changes nothing that is kept."""
