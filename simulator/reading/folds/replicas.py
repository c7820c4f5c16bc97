"""Who leads which partition of a cluster, how far each replica knows it to be committed, and what the controller decided."""

from __future__ import annotations

from simulator.reading.folds.coordinators import take_over
from simulator.reading.folds.fold import Act, Fact, Fold

NOBODY = "nobody"
"""Who leads a partition without a leader."""


def _advanced(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "high watermark", fold.partition(fact.a), fact.b)


def _promoted(fold: Fold, fact: Fact) -> None:
    _follow(fold, fact.node, fold.partition(fact.a), fact.node, fact.b)


def _demoted(fold: Fold, fact: Fact) -> None:
    _follow(fold, fact.node, fold.partition(fact.a), fold.value(fact.b) or NOBODY, fact.c)


def _follow(fold: Fold, node: str, partition: int | str, leader: str, epoch: int) -> None:
    before = fold.field(node, "leader").get(partition)
    fold.put(node, "leader", partition, leader)
    fold.put(node, "epoch", partition, epoch)
    if (before == node) != (leader == node):
        take_over(fold, node, str(partition), leads=leader == node)


def _elected(fold: Fold, fact: Fact) -> None:
    partition = fold.partition(fact.a)
    fold.put(fact.node, "leader", partition, fold.value(fact.b) or NOBODY)
    fold.put(fact.node, "epoch", partition, fact.c)


def _in_sync(fold: Fold, fact: Fact) -> None:
    fold.put(fact.node, "in sync", fold.partition(fact.a), fold.value(fact.c))


REPLICAS: dict[str, Act] = {
    "advanced": _advanced,
    "promoted": _promoted,
    "demoted": _demoted,
    "elected": _elected,
    "shrunk": _in_sync,
    "expanded": _in_sync,
    "fenced": lambda fold, fact: fold.put(fact.node, "fenced", fold.node(fact.a), fold.value(fact.b)),
    "unfenced": lambda fold, fact: fold.put(fact.node, "fenced", fold.node(fact.a), None),
}
