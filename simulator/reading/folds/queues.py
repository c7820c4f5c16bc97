"""Queues: of the kind whose messages hide while somebody works on them, and of the kind that gives each to one consumer."""

from __future__ import annotations

from simulator.reading.folds.fold import Act, Chip, Fact, Fold

_QUEUE = ("available", "delayed", "in flight")
"""The places of a message in a queue whose messages hide; it is in one of them at a time."""


def _enqueued(fold: Fold, fact: Fact) -> None:
    twice = any(chip.message == fact.message for name in _QUEUE for chip in fold.field(fact.node, name).values())
    state = "again" if twice else "event"
    fold.put(fact.node, "delayed" if fact.b else "available", fact.a, Chip(fact.message, state))


def _moves(to: str | None) -> Act:
    """A stored message changes its place in its queue, or leaves it."""

    def act(fold: Fold, fact: Fact) -> None:
        for name in _QUEUE:
            if name != to and fact.a in fold.field(fact.node, name):
                fold.put(fact.node, name, fact.a, None)
        if to is not None:
            fold.put(fact.node, to, fact.a, Chip(fact.message, "working" if to == "in flight" else "event"))

    return act


def _readied(fold: Fold, fact: Fact) -> None:
    queue = fold.value(fact.a)
    held = (*fold.field(fact.node, f"ready {queue}").values(), *fold.field(fact.node, f"unacked {queue}").values())
    state = "again" if any(chip.message == fact.message for chip in held) else "event"
    fold.put(fact.node, f"ready {queue}", fact.b, Chip(fact.message, state))


def _dispatched(fold: Fold, fact: Fact) -> None:
    queue = fold.value(fact.a)
    fold.put(fact.node, f"ready {queue}", fact.b, None)
    fold.put(fact.node, f"unacked {queue}", fact.b, Chip(fact.message, "working"))


def _requeued(fold: Fold, fact: Fact) -> None:
    queue = fold.value(fact.a)
    fold.put(fact.node, f"unacked {queue}", fact.c, None)
    fold.put(fact.node, f"ready {queue}", fact.b, Chip(fact.message, "event"))


def _left(fold: Fold, fact: Fact) -> None:
    for name in ("ready", "unacked"):
        fold.put(fact.node, f"{name} {fold.value(fact.a)}", fact.b, None)


def _subscribed(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "consumers", f"{fold.node(fact.b)} of {fold.value(fact.a)}", fact.c)


def _unsubscribed(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "consumers", f"{fold.node(fact.b)} of {fold.value(fact.a)}", None)


def _ignored(fold: Fold, fact: Fact) -> None:
    # What waits at a consumer whose connection is gone will come again.
    fold.take_away(fact.node, fact.message, "queue")


QUEUES: dict[str, Act] = {
    "enqueued": _enqueued,
    "received": _moves("in flight"),
    "reappeared": _moves("available"),
    "deleted": _moves(None),
    "expired": _moves(None),
    "dead_lettered": _moves(None),
    "redriven": _moves(None),
    "readied": _readied,
    "dispatched": _dispatched,
    "requeued": _requeued,
    "settled": _left,
    "subscribed": _subscribed,
    "unsubscribed": _unsubscribed,
    "ignored": _ignored,
}
