"""Traces written by hand: a pen, and nodes that do nothing but stand there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from attrs import field, frozen

from simulator import KafkaBroker, KafkaConsumer, KafkaController, KafkaProducer, KafkaTopic, kafka_links
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

    def __init__(self, *nodes: Node, links: Sequence[Link | tuple[str, str]], duration: float = 1_000) -> None:
        joined = [each if isinstance(each, Link) else Link(*each) for each in links]
        self.scenario = Scenario(nodes, joined, duration=duration)
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


class Cluster(Pen):
    """``shop`` writes to the topic ``orders``, which ``one`` and ``two`` keep and ``billing`` (or several readers) read.

    Both brokers have a replica of each partition; ``one`` leads at first, and is preferred. What a partition's log holds is
    written step by step, so that it can go wrong at every one.
    """

    def __init__(
        self, *readers: Node, duration: float = 1_000, partitions: int = 1, acks: Any = "all", **topic: Any
    ) -> None:
        readers = readers or (KafkaConsumer("billing", group="billing"),)
        kept = KafkaTopic("orders", partitions, replication_factor=2, **topic)
        nodes = (
            KafkaProducer("shop", acks=acks), KafkaController("controller", kept), KafkaBroker("one"), KafkaBroker("two"),
            *readers,
        )  # fmt: skip
        super().__init__(*nodes, links=kafka_links(nodes), duration=duration)
        self.partitions = tuple(f"orders-{number}" for number in range(partitions))
        for partition in self.partitions:
            self(0, "elected", "controller", partition=partition, leader="one", epoch=0)
            self(0, "expanded", "controller", partition=partition, replica="one", isr="one two")
            self(0, "promoted", "one", partition=partition, epoch=0)
            self(0, "demoted", "two", partition=partition, leader="one", epoch=0)

    def made(self, time: float, key: str) -> Message:
        """A record is created, and not yet sent."""
        order = self.message("OrderCreated", key)
        self(time, "created", "shop", order)
        return order

    def batched(
        self, time: float, *orders: Message, partition: str = "orders-0", transaction: int = -1, maker: str = "shop"
    ) -> Message:
        """The records leave in one request, which is sent by `sent`; in a transaction of this producer id, if one is given."""
        number = self.partitions.index(partition)
        head = (-1, int(transaction >= 0), transaction, 0, number, -1)
        request = self.message("produce", payload=(*head, *(order.id for order in orders)))
        self(time, "batched", maker, request, partition=partition, records=len(orders), bytes=100)
        return request

    def sent(self, time: float, request: Message, to: str = "one", attempt: int = 1) -> int:
        return self(time, "sent", "shop", request, to=to, attempt=attempt)

    def appended(self, time: float, order: Message, offset: int, broker: str = "one", partition: str = "orders-0") -> int:
        return self(time, "appended", broker, order, partition=partition, offset=offset)

    def copied(self, time: float, order: Message, offset: int, broker: str = "two", partition: str = "orders-0") -> int:
        return self(time, "replicated", broker, order, partition=partition, offset=offset)

    def advanced(self, time: float, offset: int, *brokers: str, partition: str = "orders-0") -> None:
        for broker in brokers or ("one", "two"):
            self(time, "advanced", broker, partition=partition, offset=offset)

    def stored(self, time: float, order: Message, offset: int, partition: str = "orders-0") -> None:
        """In both logs, and committed."""
        self.appended(time, order, offset, partition=partition)
        self.copied(time, order, offset, partition=partition)
        self.advanced(time, offset + 1, partition=partition)

    def marked(self, time: float, producer: int, offset: int, *, commit: bool, partition: str = "orders-0") -> Message:
        """A transaction's end stands in both logs, and is committed."""
        order = self.message("write_marker", payload=(producer, 0, int(commit), self.partitions.index(partition)))
        self(time, "marked", "one", order, partition=partition, offset=offset, outcome="commit" if commit else "abort")
        self.copied(time, order, offset, partition=partition)
        self.advanced(time, offset + 1, partition=partition)
        return order

    def order(self, time: float, key: str, offset: int, partition: str = "orders-0") -> Message:
        """Made, sent, and 1 ms later stored and acknowledged."""
        order = self.made(time, key)
        self.sent(time, self.batched(time, order, partition=partition))
        self.stored(time + 1, order, offset, partition)
        self.acknowledged(time + 1, order, offset, partition)
        return order

    def acknowledged(self, time: float, order: Message, offset: int, partition: str = "orders-0") -> int:
        return self(time, "acknowledged", "shop", order, partition=partition, offset=offset)

    def led_by(self, time: float, leader: str, epoch: int, in_sync: str, partition: str = "orders-0") -> int:
        """The controller makes a broker the leader, and it hears of it."""
        elected = self(time, "elected", "controller", partition=partition, leader=leader, epoch=epoch)
        replica = "one" if leader == "two" else "two"
        self(time, "shrunk", "controller", partition=partition, replica=replica, isr=in_sync)
        self(time, "promoted", leader, partition=partition, epoch=epoch)
        return elected

    def assigned(self, time: float, reader: str, offset: int, partition: str = "orders-0", group: str = "billing") -> int:
        return self(time, "assigned", reader, partition=partition, offset=offset, group=group)

    def fetched(self, time: float, order: Message, offset: int, reader: str = "billing", partition: str = "orders-0") -> int:
        return self(time, "fetched", reader, order, partition=partition, offset=offset)

    def processed(self, time: float, order: Message, reader: str = "billing", attempt: int = 1) -> int:
        return self(time, "processed", reader, order, attempt=attempt)

    def committed(self, time: float, offset: int, group: str = "billing", partition: str = "orders-0") -> int:
        return self(time, "committed", "one", self.message("commit", group), partition=partition, offset=offset, group=group)
