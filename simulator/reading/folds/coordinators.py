"""What a cluster's coordinators know of groups and transactions: what they were told, and what they read in their logs.

Whoever comes to lead the partition that keeps the groups' offsets (or the transactions' states) reads it from its beginning and
goes on from there; whoever does no longer forgets. So what is shown after a change of leaders is folded from the log, too.
"""

from __future__ import annotations

from simulator.brokers.log.cluster import OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from simulator.reading.folds.clients import is_read_from_a_log
from simulator.reading.folds.fold import Act, Fact, Fold
from simulator.reading.folds.logs import LOGS, records_of
from simulator.reading.wire import Membership, membership, transaction_state

_OFFSETS, _TRANSACTIONS = f"{OFFSETS_TOPIC}-0", f"{TRANSACTIONS_TOPIC}-0"


def take_over(fold: Fold, node: str, partition: str, *, leads: bool) -> None:
    """A broker leads a partition from now on, or does no longer: if a coordinator keeps its books there, it begins or ends."""
    if partition == _OFFSETS:
        _forget(fold, node, "group ", "members ", "pledged ")
        for name in filter(is_read_from_a_log, fold.fields(node)):
            fold.empty(node, name)
        if leads:
            _read_groups(fold, node)
    elif partition == _TRANSACTIONS:
        _forget(fold, node, "producers", "transactions")
        if leads:
            _read_transactions(fold, node)


def _forget(fold: Fold, node: str, *beginnings: str) -> None:
    for name in fold.fields(node):
        if name.startswith(beginnings):
            fold.empty(node, name)


def _read_groups(fold: Fold, node: str) -> None:
    groups: dict[str, Membership] = {}
    for offset, number in records_of(fold, node, _OFFSETS):
        marker = fold.wire.markers.get(number)
        message = fold.message(number)
        told = membership(message)
        if marker is not None:
            _end_pledges(fold, node, offset, marker.producer, counts=marker.commits)
        elif told is not None:
            groups[str(message.key)] = told
        else:
            name = "pledged" if number in fold.wire.writers else "committed"
            for partition, committed in fold.wire.offsets(message):
                fold.put(node, f"{name} {partition}", str(message.key), committed)
    for group, told in groups.items():
        _settles(fold, node, group, told)
        for member in told.members:
            fold.put(node, f"members {group}", member, fold.wire.consumers.get((group, member), "unknown"))


def _settles(fold: Fold, node: str, group: str, told: Membership) -> None:
    fold.put(node, f"group {group}", "generation", told.generation)
    fold.put(node, f"group {group}", "state", "Stable" if told.members else "Empty")


def _read_transactions(fold: Fold, node: str) -> None:
    for _, number in records_of(fold, node, _TRANSACTIONS):
        message = fold.message(number)
        kept = transaction_state(message)
        if kept is not None:
            name = str(message.key)
            fold.put(node, "producers", name, _identity(kept.producer, kept.epoch))
            ended = kept.state == "Empty" or kept.state.startswith("Complete")
            fold.put(node, "transactions", name, None if ended else kept.state)


def _end_pledges(fold: Fold, node: str, marker: int, producer: int, *, counts: bool) -> None:
    """A producer's transaction has ended in the log of the groups' offsets: what it has pledged counts, or is forgotten."""
    held = fold.field(node, f"log {_OFFSETS}")
    for offset in range(marker - 1, -1, -1):
        chip = held.get(offset)
        if chip is None:
            continue
        earlier = fold.wire.markers.get(chip.message)
        if earlier is not None and earlier.producer == producer:
            return
        if fold.wire.writers.get(chip.message) != producer:
            continue
        message = fold.message(chip.message)
        for partition, committed in fold.wire.offsets(message):
            # Going backwards, so the first that is met is the last that was said.
            if fold.field(node, f"pledged {partition}").get(str(message.key)) is not None:
                fold.put(node, f"pledged {partition}", str(message.key), None)
                if counts:
                    fold.put(node, f"committed {partition}", str(message.key), committed)


def _appended(fold: Fold, fact: Fact) -> None:
    LOGS["appended"](fold, fact)
    if fact.a < 0 and fold.partition(fact.a) == _OFFSETS:
        message = fold.message(fact.message)
        told = membership(message)
        if told is not None:
            _settles(fold, fact.node, str(message.key), told)


def _marked(fold: Fold, fact: Fact) -> None:
    LOGS["marked"](fold, fact)
    marker = fold.wire.markers.get(fact.message)
    if marker is not None and fold.partition(fact.a) == _OFFSETS:
        # What counts from now on is told by steps of its own.
        _end_pledges(fold, fact.node, fact.b, marker.producer, counts=False)


def _pledged(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, f"pledged {fold.partition(fact.a)}", fold.value(fact.c), fact.b)


def _identity(producer: int, epoch: int) -> str:
    return f"id {producer}, epoch {epoch}"


def _identified(fold: Fold, fact: Fact) -> None:
    if fold.value(fact.c) is not None:
        fold.put(fact.node, "producers", fold.value(fact.c), _identity(fact.a, fact.b))


def _decided(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "transactions", fold.value(fact.a), f"Prepare{str(fold.value(fact.b)).capitalize()}")


def _summoned(fold: Fold, fact: Fact) -> None:
    group = fold.value(fact.a)
    fold.put(fact.node, f"group {group}", "generation", fact.b)
    members = fold.field(fact.node, f"members {group}")
    fold.put(fact.node, f"group {group}", "state", "PreparingRebalance" if members else "Empty")


def _rebalanced(fold: Fold, fact: Fact) -> None:
    name = f"group {fold.value(fact.a)}"
    fold.put(fact.node, name, "generation", fact.b)
    fold.put(fact.node, name, "state", "Stable")


def _admitted(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, f"members {fold.value(fact.a)}", fold.value(fact.b), fold.node(fact.c))


def _removed(fold: Fold, fact: Fact) -> None:
    group = fold.value(fact.a)
    fold.put(fact.node, f"members {group}", fold.value(fact.b), None)
    if not fold.field(fact.node, f"members {group}"):
        fold.put(fact.node, f"group {group}", "state", "Empty")


def _joined(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "generation", fold.value(fact.a), fact.b)


COORDINATORS: dict[str, Act] = {
    "appended": _appended,
    "marked": _marked,
    "pledged": _pledged,
    "identified": _identified,
    "begun": lambda fold, fact: fold.put(fact.node, "transactions", fold.value(fact.a), "Ongoing"),
    "decided": _decided,
    "concluded": lambda fold, fact: fold.put(fact.node, "transactions", fold.value(fact.a), None),
    "summoned": _summoned,
    "rebalanced": _rebalanced,
    "admitted": _admitted,
    "removed": _removed,
    "joined": _joined,
}
