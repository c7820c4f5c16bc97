"""What a channel was handed and has not settled, and what of it is settled together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from simulator.brokers.queue.messages import Item
from simulator.brokers.queue.queue import Queue, Subscription

_AFTER_GETS = 2**63


class Held:
    """A message that a channel was handed under a delivery tag, by a consumer or (None) by ``basic.get``."""

    __slots__ = ("consumer", "item", "queue", "tag")

    def __init__(self, tag: int, queue: Queue, item: Item, consumer: Subscription | None) -> None:
        self.tag = tag
        self.queue = queue
        self.item = item
        self.consumer = consumer

    @property
    def lot(self) -> tuple[str, int, str]:
        """What is settled together with it. Lots sort in the order in which that happens."""
        if self.consumer is None:
            return self.queue.name, self.tag, ""
        return self.queue.name, _AFTER_GETS, self.consumer.tag


def lots(taken: Iterable[Held]) -> Iterator[list[Held]]:
    """The messages in lots: a queue learns of each consumer's messages at once, and of those that were asked for by
    ``basic.get`` one by one. It makes use of each lot before it learns of the next."""
    for _, lot in groupby(sorted(taken, key=attrgetter("lot")), attrgetter("lot")):
        yield list(lot)
