"""Traces written by hand: a pen, and nodes that do nothing but stand there."""

from __future__ import annotations

from typing import Any, ClassVar

from attrs import field, frozen

from simulator.message import Message
from simulator.network import Link
from simulator.scenario import Node, Scenario
from simulator.trace import Trace


@frozen
class Maker(Node):
    role: ClassVar[str] = "producer"

    acks: int = field(default=1, kw_only=True)
    request_timeout_ms: float | None = field(default=50.0, kw_only=True)


@frozen
class Log(Node):
    role: ClassVar[str] = "broker"

    partitions: int = field(default=1, kw_only=True)


@frozen
class Reader(Node):
    role: ClassVar[str] = "consumer"

    group: str | None = field(default=None, kw_only=True)


@frozen
class Server(Node):
    workers: int = field(default=1, kw_only=True)


class Pen:
    """Writes steps down; each returns its index, to be another's cause."""

    def __init__(self, *nodes: Node, links: list[tuple[str, str]], duration: float = 1_000) -> None:
        self.scenario = Scenario(nodes, [Link(*ends) for ends in links], duration=duration)
        self._steps: list[Any] = []
        self._messages = 0

    def message(self, kind: str = "OrderCreated", key: str | None = None, **more: Any) -> Message:
        self._messages += 1
        return Message(self._messages, kind, key, **more)

    def __call__(
        self, time: float, kind: str, node: str, message: Message | None = None, cause: int | None = None, **data: Any
    ) -> int:
        self._steps.append((time, kind, node, message, cause, data))
        return len(self._steps) - 1

    def trace(self) -> Trace:
        """What was written, in order of time."""
        in_order = sorted(range(len(self._steps)), key=lambda index: self._steps[index][0])
        place = {index: new for new, index in enumerate(in_order)} | {None: None}
        steps = [self._steps[index] for index in in_order]
        return Trace.of(self.scenario, [(*step[:4], place[step[4]], step[5]) for step in steps])


class Shop(Pen):
    """``shop`` makes orders, ``orders`` keeps them, ``billing`` (or several readers) works on them."""

    def __init__(self, *readers: Node, shop: Node | None = None, duration: float = 1_000, partitions: int = 1) -> None:
        readers = readers or (Reader("billing"),)
        super().__init__(
            shop or Maker("shop"), Log("orders", partitions=partitions), *readers,
            links=[("shop", "orders"), *(("orders", reader.name) for reader in readers)], duration=duration,
        )  # fmt: skip
        self._ends = [0] * partitions

    def made(self, time: float, key: str, kind: str = "OrderCreated") -> Message:
        """An order is created, and put on the link."""
        order = self.message(kind, key)
        self.sent(time, order, cause=self(time, "created", "shop", order))
        return order

    def sent(self, time: float, order: Message, attempt: int = 1, cause: int | None = None) -> int:
        return self(time, "sent", "shop", order, cause, to="orders", attempt=attempt)

    def lost(self, time: float, order: Message, sent: int, reason: str = "Drop") -> int:
        return self(time, "lost", "shop", order, sent, to="orders", reason=reason, copy=0)

    def stored(self, time: float, order: Message, partition: int = 0) -> int:
        """It arrives and is appended."""
        delivered = self(time, "delivered", "orders", order, self._sent_of(order), source="shop", copy=0)
        offset = self._ends[partition]
        self._ends[partition] += 1
        return self(time, "appended", "orders", order, delivered, partition=partition, offset=offset)

    def _sent_of(self, order: Message) -> int:
        return max(index for index, step in enumerate(self._steps) if step[1] == "sent" and step[3] == order)

    def order(self, time: float, key: str, partition: int = 0) -> Message:
        """Created, sent, and 1 ms later appended."""
        order = self.made(time, key)
        self.stored(time + 1, order, partition)
        return order

    def acknowledged(self, time: float, order: Message, offset: int, partition: int = 0) -> int:
        return self(time, "acknowledged", "shop", order, partition=partition, offset=offset)

    def fetched(self, time: float, order: Message, offset: int, reader: str = "billing", partition: int = 0) -> int:
        return self(time, "fetched", reader, order, partition=partition, offset=offset)

    def processed(self, time: float, order: Message, reader: str = "billing", attempt: int = 1) -> int:
        return self(time, "processed", reader, order, attempt=attempt)

    def committed(self, time: float, offset: int, group: str = "billing", partition: int = 0) -> int:
        return self(time, "committed", "orders", self.message("commit"), partition=partition, offset=offset, group=group)

    def worked_off(self, time: float, order: Message, offset: int, reader: str = "billing") -> None:
        """Fetched, processed and committed at once, by a reader that is its own group."""
        self.fetched(time, order, offset, reader)
        self.processed(time, order, reader)
        self.committed(time, offset + 1, reader)
