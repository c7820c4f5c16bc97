"""What every client of a Kafka cluster does: know who leads what, ask, and ask again.

Sources: ``Metadata``, ``NetworkClient`` and ``ConsumerCoordinator`` of Apache Kafka's Java clients (4.0). A client begins with
the metadata of a cluster in which every preferred leader leads.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

import simpy

from simulator.brokers.log.cluster import Layout
from simulator.brokers.log.nodes import brokers_of, controllers_of, layout_of
from simulator.message import Message
from simulator.scenario import Scenario
from simulator.vocabulary import IGNORED

if TYPE_CHECKING:
    from simulator.engine import Sim

Then = Callable[[Message | None], None]
"""Called with the answer, or with None when the time is up."""


def cluster_of(scenario: Scenario, client: str) -> Layout:
    """The cluster that a client is linked to."""
    return layout_of(scenario, controllers_of(scenario, brokers_of(scenario, client)[0])[0])


def client_problems(scenario: Scenario, client: str, called: str, topics: Iterable[str]) -> Iterable[str]:
    """One sentence for each thing that keeps a client from working with its cluster."""
    near = brokers_of(scenario, client)
    if not near:
        yield f"{called}: no KafkaBroker is linked to it; link it to every broker, or take kafka_links(nodes)."
        return
    controllers = {controller for each in near for controller in controllers_of(scenario, each)}
    if len(controllers) != 1:
        return
    layout = layout_of(scenario, controllers.pop())
    missing = [each for each in layout.brokers if each not in near]
    if missing:
        yield (
            f'{called}: "{missing[0]}" may lead a partition and is not linked to it; add Link("{client}", "{missing[0]}"),'
            " or take kafka_links(nodes)."
        )
    for topic in topics:
        if topic not in layout.topics:
            there = ", ".join(f'"{each}"' for each in layout.topics if not each.startswith("__")) or "none"
            yield f'{called}: the cluster has no topic "{topic}" (UNKNOWN_TOPIC_OR_PARTITION); there are: {there}.'


class ClusterClient:
    """One life of a client: its requests under way, and what it knows of the cluster."""

    def __init__(self, sim: Sim, *, request_timeout_ms: float, retry_backoff_ms: float) -> None:
        self.sim = sim
        self.layout = cluster_of(sim.scenario, sim.name)
        self.request_timeout_ms = request_timeout_ms
        self.retry_backoff_ms = retry_backoff_ms
        self._leaders: dict[int, tuple[str | None, int]] = {
            number: (replicas[0], 0) for number, replicas in enumerate(self.layout.replicas)
        }
        self._pending: dict[int, Then] = {}
        self._refreshing: list[Callable[[], None]] = []
        self._turn = 0
        self._silent: set[str] = set()
        """The brokers that let a request time out and have not been heard of since."""

    def take(self, message: Message, source: str) -> None:
        """Give an answer to whoever waits for it."""
        self._silent.discard(source)
        then = self._pending.pop(message.in_reply_to, None)
        if then is None:
            self.sim.record(IGNORED, message, self.sim.value("nobody waits for it"))
        else:
            then(message)

    def leader(self, number: int) -> str | None:
        """Who leads a partition, as far as it knows."""
        return self._leaders[number][0]

    def post(self, to: str, request: Message, then: Then, *, attempt: int = 1, timeout: float | None = None) -> None:
        """Send a request and call ``then`` with its answer, or with None after ``timeout`` (``request_timeout_ms``) ms."""
        self._pending[request.id] = then
        patience = self.request_timeout_ms if timeout is None else timeout
        self.sim.send(to, request, attempt)
        self.sim.call_later(patience, self._late, to, request, then, attempt)

    def ask(
        self, to: str, kind: str, key: str | None = None, payload: Any = None, *, timeout: float | None = None
    ) -> Generator[Any, Any, Message | None]:
        """``answer = yield from client.ask(broker, "metadata")``: None when the time is up."""
        event = self.sim.event()
        self.post(to, self.sim.message(kind, key, payload), self._waker(event), timeout=timeout)
        answer: Message | None = yield event
        return answer

    def ask_leader(
        self, number: int, kind: str, key: str | None, payload: Any, *, timeout: float | None = None
    ) -> Generator[Any, Any, Message]:
        """Ask a partition's leader; where none is known or it does not answer, find out who leads and ask again."""
        while True:
            leader = self.leader(number)
            if leader is not None:
                answer = yield from self.ask(leader, kind, key, payload, timeout=timeout)
                if answer is not None:
                    return answer
            yield from self.find_leaders()

    def find_leaders(self) -> Generator[Any, Any, None]:
        """Wait until a broker has told who leads."""
        event = self.sim.event()
        self.refresh(self._waker(event))
        yield event

    def refresh(self, then: Callable[[], None] | None = None) -> None:
        """Ask the brokers in turn who leads, after the backoff; those who want to know at the same time share the answer."""
        self._refreshing.append(then or (lambda: None))
        if len(self._refreshing) == 1:
            self.sim.call_later(self.retry_backoff_ms, self._ask_around)

    @staticmethod
    def _waker(event: simpy.Event) -> Callable[..., None]:
        """What wakes the behaviour that waits for the event, with an answer if there is one."""

        def wake(answer: Message | None = None) -> None:
            event.succeed(answer)

        return wake

    def _ask_around(self) -> None:
        near = [each for each in self.layout.brokers if each not in self._silent] or self.layout.brokers
        broker = near[self._turn % len(near)]
        self._turn += 1
        self.post(broker, self.sim.envelope("metadata"), self._told)

    def _told(self, answer: Message | None) -> None:
        if answer is None:
            self._ask_around()
            return
        flat = answer.payload
        for number, leader, epoch in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
            if epoch >= self._leaders[number][1]:
                self._leaders[number] = (None if leader < 0 else self.layout.brokers[leader], epoch)
        waiting, self._refreshing = self._refreshing, []
        for then in waiting:
            then()

    def _late(self, to: str, request: Message, then: Then, attempt: int) -> None:
        if self._pending.get(request.id) is then:
            del self._pending[request.id]
            self._silent.add(to)
            self.sim.note("timed_out", request, to=to, attempt=attempt, outcome="indefinite")
            then(None)
