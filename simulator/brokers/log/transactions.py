"""Who may write under a transactional id, and how its transaction ends everywhere or nowhere: the coordinator's decisions.

Sources: KIP-98; KIP-890 (``transaction.version`` 2, the default in 4.0): every transaction ends with a new epoch, so that what
its producer had sent before and arrives after is refused; ``TransactionCoordinator`` and ``TransactionMetadata`` of Apache
Kafka 4.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable
from itertools import count
from typing import Literal, NamedTuple

from simulator.brokers.log.errors import Refused
from simulator.brokers.log.subscriptions import TopicPartition

State = Literal["Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"]

LAST_EPOCH = 32_766
"""A producer id whose epoch has come this far is replaced by a new one."""


class Producer(NamedTuple):
    """Who writes: an id for the transactional id's sake, and an epoch that counts those who have used it."""

    id: int
    epoch: int


class Marker(NamedTuple):
    """What is to be written to one partition (the groups' offsets are one, too) to end a transaction there."""

    producer: Producer
    """With the epoch that the producer will have after it."""
    commit: bool
    target: TopicPartition


class Kept(NamedTuple):
    """What the coordinator keeps of a transactional id in its log, so that another one can go on from there."""

    producer: Producer
    timeout: float
    state: State
    began: float
    """Infinite if nothing is open."""
    targets: tuple[TopicPartition, ...]


class _Transaction:
    __slots__ = ("began", "epoch", "id", "state", "targets", "timeout")

    def __init__(self, producer_id: int, timeout: float) -> None:
        self.id = producer_id
        self.epoch = 0
        self.timeout = timeout
        self.state: State = "Empty"
        self.began = math.inf
        self.targets: dict[TopicPartition, None] = {}
        """What it has touched; while it ends: what has no marker yet."""


class Coordinator:
    """The transactions of all transactional ids. Time is passed in; `deadline` says when `expire` must be called."""

    def __init__(self, *, transaction_max_timeout_ms: float = 900_000.0, new_id: Callable[[], int] | None = None) -> None:
        """``new_id`` gives a producer id that was never given before; without it they count from 1."""
        self.transaction_max_timeout_ms = transaction_max_timeout_ms
        self._transactions: dict[str, _Transaction] = {}
        self._new_id = new_id or count(1).__next__

    @property
    def deadline(self) -> float:
        """When the next open transaction times out; infinite if none is open."""
        return min((each.began + each.timeout for each in self._transactions.values()), default=math.inf)

    def state(self, transactional_id: str) -> State:
        """How far its transaction is."""
        return self._transactions[transactional_id].state

    def kept(self, transactional_id: str) -> Kept | None:
        """All that has to outlive this coordinator; None for an id that it does not know."""
        known = self._transactions.get(transactional_id)
        if known is None:
            return None
        return Kept(Producer(known.id, known.epoch), known.timeout, known.state, known.began, tuple(known.targets))

    def restore(self, transactional_id: str, kept: Kept | None) -> None:
        """Go on from what was kept: by another coordinator, or before a change that could not be kept."""
        if kept is None:
            self._transactions.pop(transactional_id, None)
            return
        known = self._transactions[transactional_id] = _Transaction(kept.producer.id, kept.timeout)
        known.epoch, known.state, known.began = kept.producer.epoch, kept.state, kept.began
        known.targets = dict.fromkeys(kept.targets)

    @property
    def ending(self) -> tuple[str, ...]:
        """The transactional ids whose markers are not all written."""
        return tuple(name for name, each in self._transactions.items() if each.state in ("PrepareCommit", "PrepareAbort"))

    def init_producer(self, now: float, transactional_id: str, *, transaction_timeout_ms: float = 60_000.0) -> Producer:
        """A producer begins (``initTransactions``): it gets the next epoch, and whoever had one before is fenced.

        Raises `Refused`: INVALID_TRANSACTION_TIMEOUT; CONCURRENT_TRANSACTIONS while its predecessor's transaction is being
        ended (an open one is aborted by this very call): ask again when the markers are written.
        """
        if not 0 < transaction_timeout_ms <= self.transaction_max_timeout_ms:
            raise Refused(
                "INVALID_TRANSACTION_TIMEOUT",
                f"transaction_timeout_ms is {transaction_timeout_ms}; the broker allows up to {self.transaction_max_timeout_ms}.",
            )
        known = self._transactions.get(transactional_id)
        if known is None:
            known = self._transactions[transactional_id] = _Transaction(self._new_id(), transaction_timeout_ms)
            return Producer(known.id, known.epoch)
        if known.state == "Ongoing":
            self._fence_and_abort(known)
        if known.state in ("PrepareCommit", "PrepareAbort"):
            raise Refused(
                "CONCURRENT_TRANSACTIONS", f"the last transaction of {transactional_id} is being ended; ask again."
            )
        known.timeout = transaction_timeout_ms
        known.state = "Empty"
        if known.epoch >= LAST_EPOCH:
            known.id, known.epoch = self._new_id(), 0
        else:
            known.epoch += 1
        return Producer(known.id, known.epoch)

    def add(self, now: float, transactional_id: str, producer: Producer, targets: Iterable[TopicPartition]) -> None:
        """The transaction is about to write to these partitions; the first opens it.

        Raises `Refused`: INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED (another has taken its place, or it timed out),
        CONCURRENT_TRANSACTIONS (the last one is still being ended: ask again).
        """
        known = self._known(transactional_id, producer)
        if known.state in ("PrepareCommit", "PrepareAbort"):
            raise Refused(
                "CONCURRENT_TRANSACTIONS", f"the last transaction of {transactional_id} is being ended; ask again."
            )
        if known.state != "Ongoing":
            known.state, known.began = "Ongoing", now
        known.targets |= dict.fromkeys(targets)

    def end(self, transactional_id: str, producer: Producer, *, commit: bool) -> Producer:
        """Commit or abort: the producer as it goes on. From here on the outcome is decided; the markers that tell it are
        `markers`.

        Asking again for the same, as who one was then, is fine. Raises `Refused`: as `add`; INVALID_TXN_STATE where there is no
        transaction.
        """
        way = "Commit" if commit else "Abort"
        before = self._transactions.get(transactional_id)
        if before is not None and producer == (before.id, before.epoch - 1):
            if before.state == f"Complete{way}":
                return Producer(before.id, before.epoch)
            if before.state == f"Prepare{way}":
                raise Refused("CONCURRENT_TRANSACTIONS", f"the transaction of {transactional_id} is being ended; ask again.")
        known = self._known(transactional_id, producer)
        if known.state != "Ongoing":
            raise Refused("INVALID_TXN_STATE", f"{transactional_id} can't {way.lower()}: its transaction is {known.state}.")
        self._begin_to_end(known, commit=commit)
        return Producer(known.id, known.epoch)

    def markers(self, transactional_id: str) -> tuple[Marker, ...]:
        """What is still to be written to end its transaction."""
        known = self._transactions[transactional_id]
        if known.state not in ("PrepareCommit", "PrepareAbort"):
            return ()
        producer = Producer(known.id, known.epoch)
        return tuple(Marker(producer, known.state == "PrepareCommit", target) for target in known.targets)

    def marked(self, transactional_id: str, target: TopicPartition) -> None:
        """A marker is in its log. With the last one the transaction is complete."""
        known = self._transactions[transactional_id]
        if known.state not in ("PrepareCommit", "PrepareAbort"):
            return
        known.targets.pop(target, None)
        self._complete(known)

    def expire(self, now: float, busy: Container[str] = ()) -> list[str]:
        """Abort what has been open for longer than its producer's ``transaction.timeout.ms``, and fence that producer; the
        transactional ids. The ``busy`` ones are passed over this time."""
        late = [name for name, each in self._transactions.items() if each.began + each.timeout <= now and name not in busy]
        for name in late:
            self._fence_and_abort(self._transactions[name])
        return late

    def _fence_and_abort(self, known: _Transaction) -> None:
        # Two epochs further it can't be taken for the one who asked for this end.
        known.epoch += 1
        self._begin_to_end(known, commit=False)

    def _begin_to_end(self, known: _Transaction, *, commit: bool) -> None:
        # The markers carry the next epoch: partitions refuse from then on what belongs to this transaction and comes late.
        known.epoch += 1
        known.state = "PrepareCommit" if commit else "PrepareAbort"
        known.began = math.inf
        self._complete(known)

    def _complete(self, known: _Transaction) -> None:
        if not known.targets:
            known.state = "CompleteCommit" if known.state == "PrepareCommit" else "CompleteAbort"

    def _known(self, transactional_id: str, producer: Producer) -> _Transaction:
        known = self._transactions.get(transactional_id)
        if known is None or known.id != producer.id:
            raise Refused(
                "INVALID_PRODUCER_ID_MAPPING", f"{transactional_id} does not belong to producer {producer.id}; begin anew."
            )
        if known.epoch != producer.epoch:
            raise Refused(
                "PRODUCER_FENCED",
                f"the producer with epoch {producer.epoch} of {transactional_id} was replaced or timed out"
                f" (the epoch is {known.epoch}); it must stop.",
            )
        return known
