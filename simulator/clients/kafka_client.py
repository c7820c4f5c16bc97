"""What every client of a Kafka cluster does: know who leads what, ask, and ask again.

Sources: ``Metadata`` and ``NetworkClient`` of Apache Kafka's Java clients (4.0). A client begins with the metadata of a cluster
in which every preferred leader leads. Simplified: a request that is not answered in time is given up alone (Kafka closes the
connection, and with it gives up all that was asked over it).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.clients.kafka_settings import KafkaClient, cluster_of
from simulator.clients.retry import kafka_backoff
from simulator.message import Message
from simulator.vocabulary import IGNORED

if TYPE_CHECKING:
    import simpy

    from simulator.engine import Sim

Then = Callable[[Message | None], object]
"""Called with the answer, or with None when the time is up."""


class _Asked(NamedTuple):
    """A request under way."""

    to: str
    request: Message
    then: Then
    attempt: int


class Bell:
    """Wakes the one behaviour that waits for something to have come. A ring while nobody waits is not kept."""

    def __init__(self, sim: Sim) -> None:
        self._sim = sim
        self._waiting: simpy.Event | None = None

    def wait(self, due: float = math.inf) -> Generator[Any, Any, None]:
        """Until it rings, or until this time."""
        self._waiting = event = self._sim.event()
        timer = None if due == math.inf else self._sim.call_later(max(0.0, due - self._sim.now), self.ring)
        yield event
        if timer is not None:
            timer.cancel()

    def ring(self) -> None:
        """Something has come."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.succeed()


class ClusterClient:
    """One life of a client: its requests under way, and what it knows of the cluster."""

    def __init__(self, sim: Sim, settings: KafkaClient) -> None:
        self.sim = sim
        self.layout = cluster_of(sim.scenario, sim.name)
        self.on_news: list[Callable[[], None]] = []
        """Called whenever a broker has told who leads."""
        self._settings = settings
        self._draw = sim.random("backoff").random
        self._leaders: dict[int, tuple[str | None, int]] = {
            number: (replicas[0], 0) for number, replicas in enumerate(self.layout.replicas)
        }
        self._pending: dict[int, _Asked] = {}
        self._turn = 0
        self._silent: set[str] = set()
        """The brokers that let a request time out and have not been heard of since."""
        self._refreshing = False
        self._refreshed = -math.inf
        self._no_news = 0
        """How many times in a row nothing was new."""
        self._searching: list[simpy.Event] = []
        """The behaviours that wait to hear who leads."""
        sim.call_later(settings.metadata_max_age_ms, self._age)

    def take(self, message: Message, source: str) -> None:
        """Give an answer to whoever waits for it."""
        self._silent.discard(source)
        asked = self._pending.pop(message.in_reply_to, None)
        if asked is None:
            self.sim.record(IGNORED, message, self.sim.value("nobody waits for it"))
        else:
            asked.then(message)

    def leader(self, number: int) -> str | None:
        """Who leads a partition, as far as it knows."""
        return self._leaders[number][0]

    def backoff(self, attempt: int) -> float:
        """How long to wait after so many attempts, in milliseconds."""
        settings = self._settings
        return kafka_backoff(attempt, settings.retry_backoff_ms, settings.retry_backoff_max_ms, self._draw)

    def post(self, to: str, request: Message, then: Then, *, attempt: int = 1) -> None:
        """Send a request and call ``then`` with its answer, or with None after ``request_timeout_ms``."""
        asked = self._pending[request.id] = _Asked(to, request, then, attempt)
        self.sim.send(to, request, attempt)
        self.sim.call_later(self._settings.request_timeout_ms, self._late, asked)

    def tell(self, to: str, request: Message, attempt: int) -> None:
        """Send what is answered only if it can't be done there: then another one leads by now."""
        self._pending[request.id] = _Asked(to, request, lambda answer: self.refresh(), attempt)
        self.sim.send(to, request, attempt)
        self.sim.call_later(self._settings.request_timeout_ms, self._pending.pop, request.id, None)

    def hang_up(self, to: str, kinds: Container[str]) -> None:
        """Expect no more answers of this broker to requests of these kinds."""
        for asked in [each for each in self._pending.values() if each.to == to and each.request.kind in kinds]:
            self._late(asked)

    def ask(self, to: str, kind: str, key: str | None = None, payload: Any = None) -> Generator[Any, Any, Message | None]:
        """``answer = yield from client.ask(broker, "metadata")``: None when the time is up."""
        event = self.sim.event()
        self.post(to, self.sim.message(kind, key, payload), event.succeed)
        answer: Message | None = yield event
        return answer

    def ask_leader(
        self, number: int, kind: str, key: str | None, payload: Any, *, patience: float | None = None
    ) -> Generator[Any, Any, Message | None]:
        """Ask a partition's leader. Where none is known or it does not answer: None, after finding out who leads."""
        leader, answer = self.leader(number), None
        if leader is not None:
            answer = yield from self.ask(leader, kind, key, payload)
        if answer is None:
            yield from self.find_leaders(patience)
        return answer

    def ask_anyone(self, kind: str) -> Generator[Any, Any, Message]:
        """Ask what any broker can answer, one after the other."""
        while True:
            for broker in self.layout.brokers:
                answer = yield from self.ask(broker, kind)
                if answer is not None:
                    return answer

    def find_leaders(self, patience: float | None = None) -> Generator[Any, Any, None]:
        """Wait until a broker has told who leads, or for ``patience`` ms."""
        event = self.sim.event()
        self._searching.append(event)
        self.refresh()
        if patience is not None:
            self.sim.call_later(max(0.0, patience), self._stop_searching, event)
        yield event

    def refresh(self) -> None:
        """Ask who leads: at once, or after a backoff from the last answer that grows as long as nothing is new."""
        if self._refreshing:
            return
        self._refreshing = True
        rest = self.backoff(self._no_news) if self._no_news else 0.0
        self.sim.call_later(max(0.0, self._refreshed + rest - self.sim.now), self._ask_around)

    def _age(self) -> None:
        self.refresh()
        self.sim.call_later(self._settings.metadata_max_age_ms, self._age)

    def _stop_searching(self, event: simpy.Event) -> None:
        if event in self._searching:
            self._searching.remove(event)
            event.succeed()

    def _ask_around(self) -> None:
        near = [each for each in self.layout.brokers if each not in self._silent] or self.layout.brokers
        broker = near[self._turn % len(near)]
        self._turn += 1
        self.post(broker, self.sim.envelope("metadata"), self._told)

    def _told(self, answer: Message | None) -> None:
        if answer is None:
            self._ask_around()
            return
        flat, before = answer.payload, dict(self._leaders)
        for number, leader, epoch in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
            if epoch >= self._leaders[number][1]:
                self._leaders[number] = (None if leader < 0 else self.layout.brokers[leader], epoch)
        self._no_news = self._no_news + 1 if self._leaders == before else 0
        self._refreshing, self._refreshed = False, self.sim.now
        searching, self._searching = self._searching, []
        for event in searching:
            event.succeed()
        for hear in self.on_news:
            hear()

    def _late(self, asked: _Asked) -> None:
        if self._pending.get(asked.request.id) is asked:
            del self._pending[asked.request.id]
            self._silent.add(asked.to)
            self.sim.note("timed_out", asked.request, to=asked.to, attempt=asked.attempt, outcome="indefinite")
            asked.then(None)
