"""Nodes that do next to nothing, to see what the engine and the network do with them."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from attrs import field, frozen

from simulator import Link, Node, Scenario, Step, Trace, run
from simulator.vocabulary import PROCESSED


@frozen
class Talker(Node):
    """Sends a message to ``to`` at each of the ``times``; their kind, key and size go round."""

    to: str
    times: tuple[float, ...]
    kinds: tuple[str, ...] = ("note",)
    keys: tuple[str | None, ...] = (None,)
    size: int = 0

    def behave(self, sim: Any) -> None:
        for place, time in enumerate(self.times):
            if time >= sim.now:
                sim.call_later(time - sim.now, self._say, sim, place)

    def _say(self, sim: Any, place: int) -> None:
        kind, key = self.kinds[place % len(self.kinds)], self.keys[place % len(self.keys)]
        sim.send(self.to, sim.message(kind, key, place, size=self.size))


@frozen
class Worker(Node):
    """Works ``work`` ms on each message that reaches it, then records it as processed and counts it, in memory and on disk."""

    work: float = 10.0
    answers: bool = field(default=False, kw_only=True)

    def behave(self, sim: Any) -> Generator[Any, Any, None]:
        in_memory = 0
        while True:
            message = yield sim.receive()
            yield sim.sleep(self.work)
            in_memory += 1
            sim.durable["done"] = sim.durable.get("done", 0) + 1
            sim.record(PROCESSED, message, in_memory)
            if self.answers:
                (asker,) = sim.upstream
                sim.send(asker, sim.message("answer", in_reply_to=message.id))


def talk(*faults: Any, times: Iterable[float] = (0, 10, 20, 30), duration: float = 1_000, **link: Any) -> Scenario:
    """``a`` says something to ``b`` at these times, over one link."""
    return Scenario([Talker("a", "b", tuple(times)), Node("b")], [Link("a", "b", **link)], faults, duration=duration)


def hard_work(*faults: Any, times: Iterable[float] = (0, 20, 40, 60), duration: float = 1_000) -> Scenario:
    """``a`` gives ``b`` something to do at these times; each takes 10 ms, and 1 ms to get there."""
    return Scenario([Talker("a", "b", tuple(times)), Worker("b")], [Link("a", "b")], faults, duration=duration)


def arrivals(trace: Trace, node: str = "b") -> list[tuple[float, int]]:
    """(time, which message) of everything that reached a node."""
    return [(step.time, payload_of(step)) for step in trace.select("delivered", node=node)]


def payload_of(step: Step) -> int:
    assert step.message is not None
    number: int = step.message.payload
    return number


def arrived(scenario: Scenario, seed: int = 0) -> list[tuple[float, int]]:
    """Run it and tell what reached ``b``."""
    return arrivals(run(scenario, seed))


def happened(trace: Trace, *kinds: str, node: str | None = None) -> list[tuple[float, str]]:
    """(time, kind) of the steps of these kinds."""
    return [(step.time, step.kind) for step in trace.select(*kinds, node=node)]
