"""A transactional producer's talk with its coordinator.

Sources: KIP-98, KIP-447 (offsets are committed by the group's generation), KIP-890 (each transaction has an epoch of its own,
which comes with the answer to the end of the one before); ``TransactionManager`` of Apache Kafka's Java client (4.0).
Simplified: the producer tells the coordinator which partitions it is about to write to, as up to 3.9 (in 4.0 their leaders do).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from simulator.brokers.log.errors import NAMES, RETRIABLE_AT_COORDINATOR
from simulator.clients.kafka_batches import FENCING, Batches
from simulator.clients.kafka_client import ClusterClient
from simulator.vocabulary import ABANDONED

ADD_PARTITIONS_RETRY_BACKOFF_MS = 20.0
"""``TransactionManager.ADD_PARTITIONS_RETRY_BACKOFF_MS``: the markers of the transaction before are not long in coming."""

Wait = Callable[[], Generator[Any, Any, None]]
"""Sleeps until a record's outcome is known."""


class Fenced(Exception):
    """Another producer has taken this one's place (or it was too slow): it must stop."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Transactions:
    """One life of a transactional producer. ``wait`` is called where it waits for what `Batches` tells."""

    def __init__(
        self, client: ClusterClient, batches: Batches, transactional_id: str, transaction_timeout_ms: float, wait: Wait
    ) -> None:
        self._client = client
        self._batches = batches
        self._id = transactional_id
        self._timeout = transaction_timeout_ms
        self._wait = wait
        self._added: set[int] = set()
        self.failed = False
        """Whether the open transaction can only be aborted, since a record of it was given up."""
        batches.allowed = self._added.__contains__

    def initialise(self) -> Generator[Any, Any, None]:
        """``initTransactions``: end what a predecessor has left open, and fence it. Raises Fenced."""
        self._added.clear()
        self.failed = False
        _, number, epoch = yield from self._ask("init_producer", (self._timeout,))
        self._batches.new_identity(number, epoch)

    def send_to(self, numbers: Sequence[int]) -> Generator[Any, Any, None]:
        """Take partitions into the transaction; then what waits for them may leave. Raises Fenced."""
        new = sorted(set(numbers) - self._added)
        if not new:
            return
        yield from self._ask("add_partitions", (*self._identity, *new))
        self._added.update(new)
        self._batches.send()

    def send_offsets(
        self, group: str, member: tuple[str, str | None, int], offsets: Sequence[int]
    ) -> Generator[Any, Any, None]:
        """``sendOffsetsToTransaction``: (partition, offset, …) that count if the transaction commits. It can't if the group has
        gone on without this member. Raises Fenced."""
        client, number = self._client, self._client.layout.offsets
        yield from self.send_to([number])
        while not self.failed:
            answer = yield from client.ask_leader(number, "commit", group, (*member, *self._identity, *offsets))
            if answer is None:
                continue
            error = NAMES[answer.payload[0]]
            if error == "NONE":
                return
            if error in FENCING:
                self._batches.stop(error)
                raise Fenced(error)
            if error in RETRIABLE_AT_COORDINATOR:
                yield from client.find_leaders()
            else:
                self.failed = True

    def flush(self) -> Generator[Any, Any, None]:
        """Send what there is and wait until all of it is stored, or something is given up. Raises Fenced."""
        self._batches.flush()
        while self._batches.unfinished and not self.failed and not self._batches.fenced:
            yield from self._wait()
        self._stop_if_fenced()

    def end(self, *, commit: bool) -> Generator[Any, Any, bool]:
        """``commitTransaction`` or ``abortTransaction``, if there is one; whether it was committed. Raises Fenced."""
        if commit:
            yield from self.flush()
        commit = commit and not self.failed
        if not commit:
            for record in self._batches.forget():
                self._client.sim.record(ABANDONED, record, self._client.sim.value("its transaction is aborted"))
            # What was sent may be in the log or not; until that is known, its numbers can't be given anew.
            while self._batches.unfinished and not self._batches.fenced:
                yield from self._wait()
            self._stop_if_fenced()
        if self._added:
            _, number, epoch = yield from self._ask("end_transaction", (*self._identity, int(commit)))
            self._added.clear()
            self._batches.new_identity(number, epoch)
        self.failed = False
        return commit

    @property
    def _identity(self) -> tuple[int, int]:
        assert self._batches.identity is not None
        return self._batches.identity

    def _stop_if_fenced(self) -> None:
        if self._batches.fenced:
            raise Fenced(self._batches.fenced)

    def _ask(self, kind: str, payload: tuple[Any, ...]) -> Generator[Any, Any, tuple[int, ...]]:
        """Ask the coordinator until it does what is asked."""
        client = self._client
        while True:
            answer = yield from client.ask_leader(client.layout.transactions, kind, self._id, payload)
            if answer is None:
                continue
            error = NAMES[answer.payload[0]]
            if error == "NONE":
                return tuple(answer.payload)
            if error == "CONCURRENT_TRANSACTIONS":
                first = kind == "add_partitions" and not self._added
                yield client.sim.sleep(ADD_PARTITIONS_RETRY_BACKOFF_MS if first else client.backoff(1))
            elif error in RETRIABLE_AT_COORDINATOR:
                yield from client.find_leaders()
            else:
                self._batches.stop(error)
                raise Fenced(error)
