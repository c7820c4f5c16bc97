"""Queues: of the kind whose messages hide while somebody works on them, and of the kind that gives each to one consumer."""

from __future__ import annotations

from simulator.reading.folds.fold import Act, Chip, Fact, Fold

_QUEUE = ("available", "delayed", "in flight")
"""The places of a message in a queue whose messages hide; it is in one of them at a time."""


def _enqueued(fold: Fold, fact: Fact) -> None:
    twice = any(chip.message == fact.message for name in _QUEUE for chip in fold.field(fact.node, name).values())
    state = "again" if twice else "event"
    fold.put(fact.node, "delayed" if fact.b else "available", fact.a, Chip(fact.message, state))
    if fact.b:
        fold.put(fact.node, "visible at", fact.a, round(fact.time + fact.b))
    group = dict(fold.message(fact.message).headers).get("message_group_id")
    if group is not None and getattr(fold.trace.scenario.node(fact.node), "fifo_queue", False):
        fold.put(fact.node, "group", fact.a, group)


def _received(fold: Fold, fact: Fact) -> None:
    _move(fold, fact, "in flight", "working")
    fold.put(fact.node, "receives", fact.a, fact.b)
    fold.put(fact.node, "visible at", fact.a, round(fact.time + fact.c))


def _extended(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "visible at", fact.a, round(fact.time + fact.b))


def _reappeared(fold: Fold, fact: Fact) -> None:
    _move(fold, fact, "available", "back" if fact.a in fold.field(fact.node, "in flight") else "event")
    fold.put(fact.node, "visible at", fact.a, None)


def _gone(fold: Fold, fact: Fact) -> None:
    _move(fold, fact, None, "")
    for name in ("visible at", "receives", "group"):
        fold.put(fact.node, name, fact.a, None)


def _move(fold: Fold, fact: Fact, to: str | None, state: str) -> None:
    """A stored message changes its place in its queue, or leaves it. It blocks its group while it is in flight."""
    node, number = fact.node, fact.a
    was_in_flight = number in fold.field(node, "in flight")
    for name in _QUEUE:
        if name != to and number in fold.field(node, name):
            fold.put(node, name, number, None)
    if to is not None:
        fold.put(node, to, number, Chip(fact.message, state))
    group = fold.field(node, "group").get(number)
    change = (to == "in flight") - was_in_flight
    if group is not None and change:
        fold.put(node, "blocked", group, fold.field(node, "blocked").get(group, 0) + change or None)


def _readied(fold: Fold, fact: Fact) -> None:
    queue = fold.value(fact.a)
    held = (*fold.field(fact.node, f"ready {queue}").values(), *fold.field(fact.node, f"unacked {queue}").values())
    state = "again" if any(chip.message == fact.message for chip in held) else "event"
    fold.put(fact.node, f"ready {queue}", fact.b, Chip(fact.message, state))


def _dispatched(fold: Fold, fact: Fact) -> None:
    queue = fold.value(fact.a)
    fold.put(fact.node, f"ready {queue}", fact.b, None)
    fold.put(fact.node, f"unacked {queue}", fact.b, Chip(fact.message, "working"))
    fold.put(fact.node, f"holder {queue}", fact.b, fold.node(fact.c))


def _requeued(fold: Fold, fact: Fact) -> None:
    queue = fold.value(fact.a)
    for name in ("unacked", "holder"):
        fold.put(fact.node, f"{name} {queue}", fact.c, None)
    fold.put(fact.node, f"ready {queue}", fact.b, Chip(fact.message, "back"))


def _left(fold: Fold, fact: Fact) -> None:
    for name in ("ready", "unacked", "holder"):
        fold.put(fact.node, f"{name} {fold.value(fact.a)}", fact.b, None)


def _subscribed(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, f"consumers {fold.value(fact.a)}", fold.node(fact.b), fact.c)


def _unsubscribed(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, f"consumers {fold.value(fact.a)}", fold.node(fact.b), None)


def _declared(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "queues", fold.value(fact.a), "declared")


def _bound(fold: Fold, fact: Fact) -> None:
    exchange, to, key = (fold.value(number) for number in (fact.a, fact.b, fact.c))
    fold.put(fact.node, "bindings", f"{exchange} → {to} by {key}" if key else f"{exchange} → {to}", to)


def _dismantled(fold: Fold, fact: Fact) -> None:
    queue = fold.value(fact.a)
    fold.put(fact.node, "queues", queue, "gone")
    for binding, to in list(fold.field(fact.node, "bindings").items()):
        if to == queue:
            fold.put(fact.node, "bindings", binding, None)


def _ignored(fold: Fold, fact: Fact) -> None:
    # What waits at a consumer whose connection is gone will come again.
    fold.take_away(fact.node, fact.message, "queue")


QUEUES: dict[str, Act] = {
    "enqueued": _enqueued,
    "received": _received,
    "extended": _extended,
    "reappeared": _reappeared,
    "deleted": _gone,
    "expired": _gone,
    "dead_lettered": _gone,
    "redriven": _gone,
    "readied": _readied,
    "dispatched": _dispatched,
    "requeued": _requeued,
    "settled": _left,
    "subscribed": _subscribed,
    "unsubscribed": _unsubscribed,
    "declared": _declared,
    "bound": _bound,
    "dismantled": _dismantled,
    "ignored": _ignored,
}
