"""A transactional producer's talk with its coordinator.

Sources: KIP-98, KIP-447 (offsets are committed by the group's generation); ``TransactionManager`` of Apache Kafka's Java client
(4.0), with ``transaction.version`` below 2: partitions are added before records are sent to them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from simulator.brokers.log.errors import NAMES
from simulator.clients.kafka_batches import FENCING, Batches
from simulator.clients.kafka_client import ClusterClient


class Fenced(Exception):
    """Another producer has taken this one's place (or it was too slow): it must stop."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Transactions:
    """One life of a transactional producer."""

    def __init__(
        self, client: ClusterClient, batches: Batches, transactional_id: str, transaction_timeout_ms: float
    ) -> None:
        self._client = client
        self._batches = batches
        self._id = transactional_id
        self._timeout = transaction_timeout_ms
        self._added: set[int] = set()
        batches.allowed = self._added.__contains__

    def initialise(self) -> Generator[Any, Any, None]:
        """``initTransactions``: end what a predecessor has left open, and fence it. Raises Fenced."""
        answer = yield from self._ask("init_producer", (self._timeout,))
        self._batches.new_identity(answer[1], answer[2])

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
    ) -> Generator[Any, Any, str]:
        """``sendOffsetsToTransaction``: (partition, offset, …) that count if the transaction commits; the answer's error.

        Raises Fenced.
        """
        number = self._client.layout.offsets
        yield from self.send_to([number])
        while True:
            payload = (*member, *self._identity, *offsets)
            answer = yield from self._client.ask_leader(number, "commit", group, payload)
            error = NAMES[answer.payload[0]]
            if error in FENCING:
                raise Fenced(error)
            if error not in ("NOT_COORDINATOR", "NOT_ENOUGH_REPLICAS", "NOT_LEADER_OR_FOLLOWER"):
                return error
            yield from self._client.find_leaders()

    def end(self, *, commit: bool) -> Generator[Any, Any, None]:
        """Commit or abort what was sent since the last end, if anything was. Raises Fenced."""
        if not self._added:
            return
        yield from self._ask("end_transaction", (*self._identity, int(commit)))
        self._added.clear()

    @property
    def _identity(self) -> tuple[int, int]:
        assert self._batches.identity is not None
        return self._batches.identity

    def _ask(self, kind: str, payload: tuple[Any, ...]) -> Generator[Any, Any, tuple[int, ...]]:
        """Ask the coordinator until it does what is asked."""
        client = self._client
        while True:
            answer = yield from client.ask_leader(client.layout.transactions, kind, self._id, payload)
            error = NAMES[answer.payload[0]]
            if error == "NONE":
                return tuple(answer.payload)
            if error in FENCING or error in ("INVALID_TXN_STATE", "INVALID_TRANSACTION_TIMEOUT"):
                raise Fenced(error)
            if error == "CONCURRENT_TRANSACTIONS":
                yield client.sim.sleep(client.retry_backoff_ms)
            else:
                yield from client.find_leaders()
