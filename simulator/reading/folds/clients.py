"""Nodes that work and nodes that ask: what they wait for, work on, have done, and what is left of that after a crash."""

from __future__ import annotations

from simulator.reading.folds.fold import Act, Chip, Fact, Fold
from simulator.reading.wire import batch

_MEMORY = (
    "waiting", "next", "fetched", "queue", "working", "breaker", "status", "generation", "leader", "epoch",
    "producers", "transactions",
)  # fmt: skip
"""The fields that are empty after a crash."""

_MEMORY_BY_NAME = ("group ", "members ", "pledged ", "consumers ")
"""The beginnings of the names of others, of which there is one for each group, partition or queue."""


def forget_everything(fold: Fold, node: str) -> None:
    """A node's memory is gone; what is on its disk is not."""
    for name in fold.fields(node):
        if name in _MEMORY or name.startswith(_MEMORY_BY_NAME) or is_read_from_a_log(name):
            fold.empty(node, name)


def is_read_from_a_log(field: str) -> bool:
    """Whether a field holds committed offsets of a cluster's partition: its coordinator has those on disk as a log's records,
    and in memory as what they say."""
    return field.startswith("committed ") and not field.removeprefix("committed ").isdigit()


def _created(fold: Fold, fact: Fact) -> None:
    # A record whose producer wants no acknowledgement is forgotten as soon as it is sent.
    if ("acks", "0") not in fold.message(fact.message).headers:
        fold.put(fact.node, "waiting", fact.message, Chip(fact.message, "waiting"))


def _batched(fold: Fold, fact: Fact) -> None:
    asked = batch(fold.message(fact.message))
    if asked is not None and asked.acks == 0:
        for record in asked.records:
            fold.put(fact.node, "waiting", record, None)


def _stands(state: str) -> Act:
    """The client goes on waiting, and knows something new about it."""

    def act(fold: Fold, fact: Fact) -> None:
        waiting = fold.field(fact.node, "waiting")
        if fact.message in waiting:
            fold.put(fact.node, "waiting", fact.message, Chip(fact.message, state))
        elif waiting and fact.message:
            asked = batch(fold.message(fact.message))
            for record in asked.records if asked is not None else ():
                if record in waiting:
                    fold.put(fact.node, "waiting", record, Chip(record, state))

    return act


def _settled(name: str, state: str) -> Act:
    """The client's wait is over."""

    def act(fold: Fold, fact: Fact) -> None:
        fold.put(fact.node, "waiting", fact.message, None)
        fold.put(fact.node, name, fact.step, Chip(fact.message, state))

    return act


def _queued(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "queue", fact.step, Chip(fact.message, "waiting"))


def _started(fold: Fold, fact: Fact) -> None:
    fold.take_away(fact.node, fact.message, "queue", "fetched")
    fold.put(fact.node, "working", fact.a, Chip(fact.message, "working"))


def _processed(fold: Fold, fact: Fact) -> None:
    fold.take_away(fact.node, fact.message, "working", "fetched", "queue")
    fold.put(fact.node, "done", fact.step, Chip(fact.message, "done" if fact.a <= 1 else "again"))


def _skipped(fold: Fold, fact: Fact) -> None:
    fold.take_away(fact.node, fact.message, "working", "fetched", "queue")
    fold.put(fact.node, "done", fact.step, Chip(fact.message, "skipped"))


def _rejected(fold: Fold, fact: Fact) -> None:
    if fact.message:
        fold.take_away(fact.node, fact.message, "working")
        fold.put(fact.node, "refused", fact.step, Chip(fact.message, "refused"))


def _ended(fold: Fold, fact: Fact) -> None:
    forget_everything(fold, fact.node)
    fold.put(fact.node, "status", "", "down")


def _status(status: str | None) -> Act:
    return lambda fold, fact: fold.put(fact.node, "status", "", status)


def _breaker(state: str | None) -> Act:
    return lambda fold, fact: fold.put(fact.node, "breaker", fold.node(fact.a), state)


CLIENTS: dict[str, Act] = {
    "created": _created,
    "batched": _batched,
    "sent": _stands("waiting"),
    "timed_out": _stands("unknown"),
    "failed": _stands("refused"),
    "acknowledged": _settled("acknowledged", "done"),
    "completed": _settled("answered", "done"),
    "abandoned": _settled("abandoned", "refused"),
    "queued": _queued,
    "started": _started,
    "processed": _processed,
    "skipped": _skipped,
    "rejected": _rejected,
    "crashed": _ended,
    "stopped": _ended,
    "restarted": _status(None),
    "paused": _status("paused"),
    "resumed": _status(None),
    "opened": _breaker("open"),
    "half_opened": _breaker("half-open"),
    "closed": _breaker(None),
}
