"""A simulator of event-driven systems: say what there is, run it, read the trace."""

from simulator.brokers.log.topic import Topic
from simulator.clients.arrivals import Bursty, Every, ListedKeys, Numbered, Poisson, UniformKeys, ZipfKeys
from simulator.clients.breaker import CircuitBreaker
from simulator.clients.caller import Caller
from simulator.clients.consumer import Consumer
from simulator.clients.producer import Producer
from simulator.clients.retry import Retry
from simulator.clients.service import Call, Service
from simulator.engine import BehaviourError, RunStopped, run
from simulator.message import Message
from simulator.network import (
    Crash,
    Cut,
    Drop,
    Duplicate,
    Exponential,
    Fixed,
    Link,
    LogNormal,
    Pause,
    Slow,
    Uniform,
)
from simulator.scenario import Node, Scenario, ScenarioError
from simulator.storage import TraceFileError
from simulator.trace import Step, Trace
from simulator.values import Range, Span

__all__ = [
    "BehaviourError", "Bursty", "Call", "Caller", "CircuitBreaker", "Consumer", "Crash", "Cut", "Drop",
    "Duplicate", "Every", "Exponential", "Fixed", "Link", "ListedKeys", "LogNormal", "Message", "Node",
    "Numbered", "Pause", "Poisson", "Producer", "Range", "Retry", "RunStopped", "Scenario", "ScenarioError",
    "Service", "Slow", "Span", "Step", "Topic", "Trace", "TraceFileError", "Uniform", "UniformKeys", "ZipfKeys",
    "run",
]  # fmt: skip
