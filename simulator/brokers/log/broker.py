"""One broker of a Kafka cluster: it leads some partitions and follows others.

What it decides stands in `Partition` (the log and its replicas), `Group`, `Offsets` and `Coordinator`; here messages come and
go, and what has to wait waits. `reporting` is what it has to do with its controller, `following` its side of replication,
`serving` what consumers read, `upkeep` what it forgets, `grouping` and `transacting` what it coordinates.
Sources: ``KafkaApis``, ``ReplicaManager`` and ``DelayedProduce`` of Apache Kafka 4.0. Simplified: a write that is not committed
is never answered REQUEST_TIMED_OUT; its producer's own time-out comes at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from simulator.brokers.log.cluster import Layout
from simulator.brokers.log.elections import Leadership
from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import CODES, Refused
from simulator.brokers.log.following import Following
from simulator.brokers.log.grouping import Grouping
from simulator.brokers.log.partition import Partition
from simulator.brokers.log.protocol import Produce
from simulator.brokers.log.replicas import Replica
from simulator.brokers.log.reporting import Reporting
from simulator.brokers.log.retention import Log
from simulator.brokers.log.sequences import Sequences
from simulator.brokers.log.serving import Fetches
from simulator.brokers.log.transacting import Transacting
from simulator.brokers.log.upkeep import Upkeep
from simulator.message import Message
from simulator.vocabulary import (
    ADVANCED,
    APPENDED,
    DEDUPLICATED,
    DEMOTED,
    IGNORED,
    MARKED,
    PROMOTED,
    REJECTED,
    RESTARTED,
    STOPPED,
)

if TYPE_CHECKING:
    from simulator.brokers.log.nodes import KafkaBroker
    from simulator.engine import Sim


_ONCE = frozenset({"join", "init_producer"})
"""The requests that fence or delay others, and even their sender, if they are served twice. A client never sends one again as it
is, and a TCP connection would drop a copy."""


class Lives:
    """A broker that may be stopped in good order and started again."""

    def __init__(self, node: KafkaBroker, sim: Sim, controller: str, layout: Layout) -> None:
        self._node = node
        self._sim = sim
        self._cluster = (controller, layout)
        self._life: Broker | None = None
        self._start()
        if node.shut_down_at is not None and node.shut_down_at >= sim.now:
            sim.call_later(node.shut_down_at - sim.now, self._shut_down)

    def take(self, message: Message, source: str) -> None:
        if self._life is None:
            self._sim.record(IGNORED, message, self._sim.value("the broker is shut down"))
        else:
            self._life.take(message, source)

    def _start(self) -> None:
        self._life = Broker(self._node, self._sim, *self._cluster, self._stop)

    def _shut_down(self) -> None:
        if self._life is not None:
            self._life.reporting.shut_down()

    def _stop(self) -> None:
        assert self._life is not None
        self._life.stopped = True
        self._life = None
        self._sim.record(STOPPED)
        if self._node.start_again_after is not None:
            self._sim.call_later(self._node.start_again_after, self._start_again)

    def _start_again(self) -> None:
        stops = self._sim.durable["stops"] = self._sim.durable.get("stops", 0) + 1
        self._sim.record(RESTARTED, None, stops)
        self._start()


class Broker:
    """One life of a broker. ``stop`` is called when it has ended in good order."""

    def __init__(self, node: KafkaBroker, sim: Sim, controller: str, layout: Layout, stop: Callable[[], None]) -> None:
        self.node = node
        self.sim = sim
        self.layout = layout
        self.partitions = self._open()
        self.states: dict[int, Leadership] = {}
        """What it knows of who leads, for every partition of the cluster."""
        self._marks: dict[int, int] = sim.durable.setdefault("high watermarks told", dict.fromkeys(self.partitions, 0))
        """The high watermarks that the trace knows of: a crash may come between one and its step, which is then told later."""
        self._waiting: dict[int, list[tuple[int, Callable[[str], None]]]] = {number: [] for number in self.partitions}
        """What waits for a high watermark: the offset that it must pass, and whom to tell the outcome."""
        self.stopped = False
        self._came: set[int] = set()
        """The requests that must not be served again, if the network makes copies of them."""
        self.fetches = Fetches(self)
        self.following = Following(self)
        self.groups = Grouping(self)
        self.transactions = Transacting(self)
        self.reporting = Reporting(self, controller, stop)
        self._requests: dict[str, Callable[[Message, str], None]] = {
            "produce": self._produce,
            "fetch": self.fetches.fetch,
            "list_offsets": self.fetches.list_offsets,
            "replicate": self.following.serve,
            "metadata": self._metadata,
            "join": self.groups.join,
            "sync": self.groups.sync,
            "group_heartbeat": self.groups.heartbeat,
            "leave": self.groups.leave,
            "commit": self.groups.commit,
            "offsets": self.groups.offsets,
            "init_producer": self.transactions.init_producer,
            "add_partitions": self.transactions.add_partitions,
            "end_transaction": self.transactions.end,
            "write_marker": self._write_marker,
            "leadership": self.reporting.leadership,
        }
        self._answers: dict[str, Callable[[Message, str], None]] = {
            "replicate": self.following.take,
            "write_marker": self.transactions.marker_written,
            "broker_heartbeat": self.reporting.heartbeat_answered,
            "alter_isr": self.reporting.proposal_answered,
        }
        self.reporting.begin()
        Upkeep(self).begin()

    def take(self, message: Message, source: str) -> None:
        handler = (self._answers if message.in_reply_to else self._requests).get(message.kind)
        if handler is None:
            self.sim.record(IGNORED, message, self.sim.value("a broker has no answer to it"))
        elif message.id in self._came:
            self.sim.record(IGNORED, message, self.sim.value("a copy of a request that is here"))
        else:
            if message.kind in _ONCE and not message.in_reply_to:
                self._came.add(message.id)
            handler(message, source)

    def leads(self, number: int) -> bool:
        """Whether it takes itself for a partition's leader."""
        return number in self.partitions and self.partitions[number].replica.leads

    def led(self, number: int) -> Partition:
        """A partition that it leads. Raises `Refused`: NOT_LEADER_OR_FOLLOWER."""
        if not self.leads(number):
            raise Refused("NOT_LEADER_OR_FOLLOWER", f"{self.node.name} does not lead {self.layout.names[number]}.")
        return self.partitions[number]

    def name_of(self, number: int) -> int:
        """How steps tell a partition."""
        return self.sim.partition(self.layout.names[number])

    def message_of(self, entry: Entry) -> Message:
        """The message that made an entry."""
        assert isinstance(entry.record, int)
        return self.sim.message_of(entry.record)

    def answer(self, to: str, request: Message, payload: Any, kind: str = "") -> None:
        """Answer a request, in a message of the request's kind if none is named."""
        self.sim.send(to, self.sim.envelope(kind or request.kind, request.key, payload, (), request.id))

    def append(self, number: int, entry: Entry, then: Callable[[str], None]) -> None:
        """Append one entry to a partition of the cluster's own, and tell the outcome once it is committed or can't be.

        Raises `Refused`.
        """
        with self.sim.as_one():
            offset = self.partitions[number].produce(self.sim.now, [entry], "all").offset
            self.sim.record(APPENDED, self.message_of(entry), self.name_of(number), offset)
            self.note_mark(number)
        self.when_committed(number, offset, then)
        self.moved(number)

    def when_committed(self, number: int, offset: int, then: Callable[[str], None]) -> None:
        """Tell the outcome of what was appended here, by an error's name or ``NONE``, as soon as it is known."""
        self._waiting[number].append((offset, then))

    def moved(self, number: int) -> None:
        """Something in a partition has changed: move on whoever waits for it."""
        partition = self.partitions[number]
        self.note_mark(number)
        if partition.replica.leads:
            partition.transactions.settle(partition.replica.high_watermark)
            self._wake(number)

    def learn(self, number: int, state: Leadership) -> None:
        """The controller has decided anew about a partition."""
        if number not in self.partitions:
            return
        replica = self.partitions[number].replica
        led, epoch = replica.leads, replica.state.leader_epoch
        replica.learn(self.sim.now, state)
        if state.leader_epoch != epoch:
            self._take_role(number, state)
        if led and not replica.leads:
            self._wake(number)
        self.moved(number)

    def note_mark(self, number: int) -> None:
        """Record how far the high watermark is, if that is news."""
        mark = self.partitions[number].replica.high_watermark
        if mark > self._marks[number]:
            self.sim.record(ADVANCED, None, self.name_of(number), mark)
        self._marks[number] = mark

    def new_producer_id(self) -> int:
        """A producer id that no other broker gives out (Kafka: blocks of a thousand, from the controller)."""
        given = self.sim.durable["producer ids given"] = self.sim.durable.get("producer ids given", 0) + 1
        brokers = self.layout.brokers
        return int(given - 1) * len(brokers) + brokers.index(self.node.name)

    def write_marker(self, order: Message, then: Callable[[str], None]) -> None:
        """End a transaction in a partition that this broker leads, and tell when that is committed."""
        producer, epoch, commit, number = order.payload
        sim = self.sim
        outcome: Literal["commit", "abort"] = "commit" if commit else "abort"
        marker = Entry(
            0,
            order.id,
            timestamp=int(sim.now),
            producer_id=producer,
            producer_epoch=epoch,
            transactional=True,
            marker=outcome,
        )
        try:
            with sim.as_one():
                done = self.led(number).mark(sim.now, marker)
                if not done.duplicate:
                    sim.record(MARKED, order, self.name_of(number), done.offset, sim.value(outcome))
                self.note_mark(number)
        except Refused as refused:
            then(refused.error)
            return
        if not done.duplicate and number == self.layout.offsets:
            self.groups.marked(order, producer, commit=bool(commit))
        self.when_committed(number, done.offset, then)
        self.moved(number)

    def _open(self) -> dict[int, Partition]:
        """Its partitions, as they are on disk."""
        kept: dict[int, Partition] = self.sim.durable.setdefault("partitions", {})
        for partition in kept.values():
            partition.replica.reopen()
        if not kept:
            held = (number for number, replicas in enumerate(self.layout.replicas) if self.node.name in replicas)
            kept.update((number, self._new_partition(number)) for number in held)
        return kept

    def _new_partition(self, number: int) -> Partition:
        topic, node = self.layout.of(number), self.node
        log = Log(
            cleanup_policy=topic.cleanup_policy,
            segment_bytes=topic.segment_bytes,
            segment_ms=topic.segment_ms,
            retention_ms=topic.retention_ms,
            retention_bytes=topic.retention_bytes,
            delete_retention_ms=topic.delete_retention_ms,
            min_cleanable_dirty_ratio=topic.min_cleanable_dirty_ratio,
            min_compaction_lag_ms=topic.min_compaction_lag_ms,
        )
        replica = Replica(
            node.name,
            self.layout.replicas[number],
            min_insync_replicas=topic.min_insync_replicas,
            replica_lag_time_max_ms=node.replica_lag_time_max_ms,
            log=log,
        )
        return Partition(replica, Sequences(producer_id_expiration_ms=node.producer_id_expiration_ms))

    def _take_role(self, number: int, state: Leadership) -> None:
        """Another leader, or none, in another epoch."""
        sim, name = self.sim, self.name_of(number)
        if state.leader == self.node.name:
            sim.record(PROMOTED, None, name, state.leader_epoch)
        else:
            sim.record(DEMOTED, None, name, sim.value(state.leader), state.leader_epoch)
        self.following.role_changed(number)
        if number == self.layout.offsets:
            self.groups.role_changed()
        if number == self.layout.transactions:
            self.transactions.role_changed()

    def _metadata(self, message: Message, client: str) -> None:
        told: list[int] = []
        for number in range(len(self.layout.partitions)):
            state = self.states.get(number)
            leader = -1 if state is None or state.leader is None else self.layout.brokers.index(state.leader)
            told += (number, leader, -1 if state is None else state.leader_epoch)
        self.answer(client, message, tuple(told))

    def _produce(self, message: Message, producer: str) -> None:
        sim, request = self.sim, Produce.of(message.payload)
        number, name = request.partition, self.name_of(request.partition)
        try:
            batch = request.entries(sim.message_of, sim.now)
            with sim.as_one():
                done = self.led(number).produce(sim.now, batch, request.acks)
                for place, record in enumerate(request.records):
                    if done.duplicate:
                        sim.record(DEDUPLICATED, sim.message_of(record), done.offset + place)
                    else:
                        sim.record(APPENDED, sim.message_of(record), name, done.offset + place)
                self.note_mark(number)
        except Refused as refused:
            sim.record(REJECTED, message, sim.value(refused.error))
            # With acks=0 Kafka has nothing to answer, and closes the connection instead.
            self.answer(producer, message, (refused.code, number, -1), "ack")
            return

        def tell(outcome: str) -> None:
            self.answer(producer, message, (CODES[outcome], number, done.offset if outcome == "NONE" else -1), "ack")

        if request.acks == 1:
            tell("NONE")
        elif request.acks == "all":
            self.when_committed(number, done.offset + len(batch) - 1, tell)
        self.moved(number)

    def _write_marker(self, message: Message, coordinator: str) -> None:
        self.write_marker(message, lambda error: self.answer(coordinator, message, (*message.payload, CODES[error])))

    def _wake(self, number: int) -> None:
        """Tell whoever waits for a partition what can be told by now."""
        replica = self.partitions[number].replica
        waiting, self._waiting[number] = self._waiting[number], []
        for offset, then in waiting:
            outcome = replica.outcome(offset)
            if outcome is None:
                self._waiting[number].append((offset, then))
            else:
                then(outcome)
        self.fetches.wake(number)
        self.following.wake(number)
