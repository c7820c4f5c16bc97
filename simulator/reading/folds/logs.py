"""Logs, of one topic or of a cluster's replicas, what readers read of them, and where groups go on."""

from __future__ import annotations

from simulator.reading.folds.fold import Act, Chip, Fact, Fold


def records_of(fold: Fold, node: str, partition: int | str) -> list[tuple[int, int]]:
    """(offset, message) of all that stands in a log, in order."""
    return sorted((int(offset), chip.message) for offset, chip in fold.field(node, f"log {partition}").items())


def _lands(fold: Fold, fact: Fact) -> None:
    """Something new stands in a log, at the offset ``b`` of the partition ``a``."""
    partition = fold.partition(fact.a)
    name = f"log {partition}"
    marker = fold.wire.markers.get(fact.message)
    if marker is None:
        again = fold.stands_in(fact.node, name, fact.message)
        state = "waiting" if fact.message in fold.wire.writers else "again" if again else "event"
        fold.put(fact.node, name, fact.b, Chip(fact.message, state))
        return
    fold.put(fact.node, name, fact.b, Chip(fact.message, "done" if marker.commits else "refused"))
    _end_transaction(fold, fact.node, name, marker.producer, fact.b, "event" if marker.commits else "refused")


def _end_transaction(fold: Fold, node: str, name: str, producer: int, marker: int, state: str) -> None:
    """Give the records of a producer's transaction their state, from its marker back to where it began."""
    held = fold.field(node, name)
    for offset in range(marker - 1, -1, -1):
        chip = held.get(offset)
        if chip is None:
            continue
        earlier = fold.wire.markers.get(chip.message)
        if earlier is not None and earlier.producer == producer:
            return
        if earlier is None and fold.wire.writers.get(chip.message) == producer:
            fold.put(node, name, offset, Chip(chip.message, state))
            held = fold.field(node, name)


def _truncated(fold: Fold, fact: Fact) -> None:
    node, partition = fact.node, fold.partition(fact.a)
    name = f"log {partition}"
    gone = [(offset, message) for offset, message in records_of(fold, node, partition) if offset >= fact.b]
    for offset, message in reversed(gone):
        fold.put(node, name, offset, None)
        marker = fold.wire.markers.get(message)
        if marker is not None:
            # Its end is forgotten, so what it had ended is open again.
            _end_transaction(fold, node, name, marker.producer, offset, "waiting")
    fold.forget(node, name)
    if fold.field(node, "high watermark").get(partition, 0) > fact.b:
        fold.put(node, "high watermark", partition, fact.b)


def _trimmed(fold: Fold, fact: Fact) -> None:
    node, partition = fact.node, fold.partition(fact.a)
    for offset, _ in records_of(fold, node, partition):
        if offset >= fact.b:
            break
        fold.put(node, f"log {partition}", offset, None)
    fold.forget(node, f"log {partition}")
    fold.put(node, "log start", partition, fact.b)


def _compacted(fold: Fold, fact: Fact) -> None:
    name = f"log {fold.partition(fact.a)}"
    fold.put(fact.node, name, fact.b, None)
    fold.forget(fact.node, name)


def _assigned(fold: Fold, fact: Fact) -> None:
    place: int | str = fact.b
    if fact.b < 0:
        place = str(getattr(fold.trace.scenario.node(fact.node), "auto_offset_reset", "unknown"))
    fold.put(fact.node, "next", fold.partition(fact.a), place)


def _goes_on(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "next", fold.partition(fact.a), fact.b)


def _revoked(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "next", fold.partition(fact.a), None)


def _fetched(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "next", fold.partition(fact.a), fact.b + 1)
    fold.put(fact.node, "fetched", fact.step, Chip(fact.message, "waiting"))


def _committed(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, f"committed {fold.partition(fact.a)}", fold.value(fact.c), fact.b)


LOGS: dict[str, Act] = {
    "appended": _lands,
    "replicated": _lands,
    "marked": _lands,
    "truncated": _truncated,
    "trimmed": _trimmed,
    "compacted": _compacted,
    "assigned": _assigned,
    "revoked": _revoked,
    "reset": _goes_on,
    "fetched": _fetched,
    "committed": _committed,
}
