"""What a broker does as the coordinator of the transactions: the leader of the partition that keeps their states.

Every change of a transaction's state is a record there, and counts once it is replicated: then the one who asked is answered,
or the markers are sent. A new leader reads the states again and goes on where the old one was. Sources:
``TransactionCoordinator``, ``TransactionStateManager`` and ``TransactionMarkerChannelManager`` of Apache Kafka 4.0. Simplified: a
transaction that is open for too long is aborted at once, not at the next of the checks that come every ten seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import CODES, Refused, at_coordinator
from simulator.brokers.log.transactions import Coordinator, Kept, Marker, Producer
from simulator.message import Message
from simulator.vocabulary import BEGUN, CONCLUDED, DECIDED, IDENTIFIED

if TYPE_CHECKING:
    from simulator.brokers.log.broker import Broker
    from simulator.engine import Timer

RETRY_BACKOFF_MS = 100.0
"""After how long a marker is sent again whose partition had no leader, or whose confirmation has not come."""


_NOBODY = Producer(-1, -1)


class Transacting:
    """The transactions of one broker's life."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._coordinator: Coordinator | None = None
        self._saved: dict[str, Kept] = {}
        self._saving: set[str] = set()
        """The transactional ids whose last change is not replicated yet: until it is, it is not known to be one."""
        self._timer: Timer | None = None

    def role_changed(self) -> None:
        """The broker leads the transactions' partition from now on, or does no longer."""
        broker = self._broker
        leads = broker.leads(broker.layout.transactions)
        if leads == (self._coordinator is not None):
            return
        self._saved = {}
        self._saving = set()
        if not leads:
            self._coordinator = None
            return
        self._coordinator = Coordinator(
            transaction_max_timeout_ms=broker.node.transaction_max_timeout_ms, new_id=broker.new_producer_id
        )
        for entry in broker.partitions[broker.layout.transactions].log:
            assert isinstance(entry.record, int)
            message = broker.sim.message_of(entry.record)
            self._saved[str(message.key)] = self._read(message.payload)
        for name, kept in self._saved.items():
            self._coordinator.restore(name, kept)
        for name in self._coordinator.ending:
            self._send_markers(self._coordinator, name)
        self._reschedule()

    def init_producer(self, message: Message, client: str) -> None:
        """A producer asks for its id and epoch: for a transactional one they fence whoever had them before."""
        broker = self._broker
        if message.key is None:
            number = broker.new_producer_id()
            broker.sim.record(IDENTIFIED, message, number, 0, 0)
            broker.answer(client, message, (0, number, 0))
            return
        name, timeout = str(message.key), message.payload[0]

        def then(error: str, producer: Producer) -> None:
            if error == "NONE":
                broker.sim.record(IDENTIFIED, message, *producer, broker.sim.value(name))
            broker.answer(client, message, (CODES[error], *producer))

        self._change(
            name,
            lambda coordinator: coordinator.init_producer(broker.sim.now, name, transaction_timeout_ms=timeout),
            then,
            "a successor fenced its producer",
        )

    def add_partitions(self, message: Message, client: str) -> None:
        """A transaction is about to write to these partitions."""
        broker, name = self._broker, str(message.key)
        number, epoch, *targets = message.payload
        producer = Producer(number, epoch)
        named = [broker.layout.partitions[each] for each in targets]

        def act(coordinator: Coordinator) -> Producer:
            coordinator.add(broker.sim.now, name, producer, named)
            return producer

        self._change(name, act, lambda error, _: broker.answer(client, message, (CODES[error],)))

    def end(self, message: Message, client: str) -> None:
        """A producer commits or aborts."""
        broker, name = self._broker, str(message.key)
        number, epoch, commit = message.payload
        self._change(
            name,
            lambda coordinator: coordinator.end(name, Producer(number, epoch), commit=bool(commit)),
            lambda error, producer: broker.answer(client, message, (CODES[error], *producer)),
            "its producer asked for it",
        )

    def marker_written(self, message: Message, source: str) -> None:
        """A leader has answered an order to write a marker."""
        *order, error = message.payload
        if CODES["NONE"] == error:
            self._marked(*order)

    def _change(
        self,
        name: str,
        act: Callable[[Coordinator], Producer],
        then: Callable[[str, Producer], None],
        reason: str = "",
    ) -> None:
        """Let the coordinator decide something, keep what it decided, and then tell the outcome."""
        if self._coordinator is None:
            then("NOT_COORDINATOR", _NOBODY)
            return
        if name in self._saving:
            then("CONCURRENT_TRANSACTIONS", _NOBODY)
            return
        error, producer = "NONE", _NOBODY
        try:
            producer = act(self._coordinator)
        except Refused as refused:
            # Fencing a predecessor changes the state although the answer is to ask again.
            error = refused.error
        self._save(name, lambda outcome: then(error if outcome == "NONE" else at_coordinator(outcome), producer), reason)

    def _save(self, name: str, then: Callable[[str], None], reason: str) -> None:
        """Keep a transaction's state in the log if it is a new one; go on when that is replicated."""
        broker, sim, coordinator = self._broker, self._broker.sim, self._coordinator
        assert coordinator is not None
        before, kept = self._saved.get(name), coordinator.kept(name)
        if kept is None or kept == before:
            then("NONE")
            return
        try:
            broker.led(broker.layout.transactions).replica.check("all")
        except Refused as refused:
            self._take_back(coordinator, name)
            then(refused.error)
            return
        self._saving.add(name)
        self._saved[name] = kept
        self._note(name, before, kept, reason)
        self._reschedule()

        def saved(outcome: str) -> None:
            if self._coordinator is coordinator:
                self._saving.discard(name)
                if name in coordinator.ending:
                    # Even if there are too few replicas by now it is in the log, and will stay.
                    self._send_markers(coordinator, name)
            then(outcome)

        state = sim.message("transaction_state", name, self._written(kept))
        broker.append(broker.layout.transactions, Entry(0, state.id, key=name, timestamp=int(sim.now)), saved)

    def _take_back(self, coordinator: Coordinator, name: str) -> None:
        """What can't be kept has not been decided: what time or markers have brought about is tried again."""
        coordinator.restore(name, self._saved.get(name))
        if name in coordinator.ending:
            self._broker.sim.call_later(RETRY_BACKOFF_MS, self._send_markers, coordinator, name)
        self._reschedule(RETRY_BACKOFF_MS)

    def _note(self, name: str, before: Kept | None, kept: Kept, reason: str) -> None:
        sim, called = self._broker.sim, self._broker.sim.value(name)
        was = before.state if before is not None else "Empty"
        if kept.state == "Ongoing" and was != "Ongoing":
            sim.record(BEGUN, None, called, *kept.producer)
        elif kept.state != was and kept.state.startswith(("Prepare", "Complete")) and was == "Ongoing":
            outcome = "commit" if kept.state.endswith("Commit") else "abort"
            sim.record(DECIDED, None, called, sim.value(outcome), sim.value(reason))
        if kept.state != was and kept.state.startswith("Complete"):
            sim.record(CONCLUDED, None, called, sim.value("commit" if kept.state == "CompleteCommit" else "abort"))

    def _send_markers(self, coordinator: Coordinator, name: str) -> None:
        for marker in coordinator.markers(name):
            self._send_marker(coordinator, name, marker)

    def _send_marker(self, coordinator: Coordinator, name: str, marker: Marker) -> None:
        """Order a marker, and again until it is written."""
        broker, sim = self._broker, self._broker.sim
        if self._coordinator is not coordinator or broker.stopped or marker not in coordinator.markers(name):
            return
        number = broker.layout.numbers[marker.target]
        order = sim.envelope("write_marker", None, (*marker.producer, int(marker.commit), number))
        leader = broker.states[number].leader
        if leader == broker.node.name:

            def written(error: str) -> None:
                if error == "NONE":
                    self._marked(*order.payload)

            broker.write_marker(order, written)
        elif leader is not None:
            sim.send(leader, order)
        sim.call_later(RETRY_BACKOFF_MS, self._send_marker, coordinator, name, marker)

    def _marked(self, producer: int, epoch: int, commit: int, number: int) -> None:
        """A marker is in its log."""
        coordinator = self._coordinator
        if coordinator is None:
            return
        target = self._broker.layout.partitions[number]
        for name in coordinator.ending:
            if Marker(Producer(producer, epoch), bool(commit), target) in coordinator.markers(name):
                coordinator.marked(name, target)
                if not coordinator.markers(name):
                    self._save(name, lambda outcome: None, "")

    def _reschedule(self, least: float = 0.0) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._coordinator is not None and self._coordinator.deadline != math.inf:
            wait = max(least, self._coordinator.deadline - self._broker.sim.now)
            self._timer = self._broker.sim.call_later(wait, self._expire)

    def _expire(self) -> None:
        if self._coordinator is None or self._broker.stopped:
            return
        for name in self._coordinator.expire(self._broker.sim.now, busy=self._saving):
            self._save(name, lambda outcome: None, "it was open for too long")
        self._reschedule(RETRY_BACKOFF_MS)

    def _written(self, kept: Kept) -> list[Any]:
        targets = [self._broker.layout.numbers[each] for each in kept.targets]
        return [*kept.producer, kept.timeout, kept.state, None if kept.began == math.inf else kept.began, targets]

    def _read(self, payload: Any) -> Kept:
        number, epoch, timeout, state, began, targets = payload
        named = tuple(self._broker.layout.partitions[each] for each in targets)
        return Kept(Producer(number, epoch), timeout, state, math.inf if began is None else began, named)
