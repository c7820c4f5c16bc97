"""The node of one broker in a Kafka cluster: it leads some partitions and follows others.

What it decides stands in `Partition` (the log and its replicas), `Group`, `Offsets` and `Coordinator`; here messages come and
go, and what has to wait waits. `following` is its side as a follower, `grouping` and `transacting` what it coordinates.
Sources: ``ReplicaManager``, ``DelayedProduce``, ``DelayedFetch`` and ``BrokerLifecycleManager`` of Apache Kafka 4.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import field, frozen

from simulator.brokers.log.cluster import Layout
from simulator.brokers.log.controller import KafkaController, layout_of
from simulator.brokers.log.elections import Leadership
from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import CODES, Refused
from simulator.brokers.log.following import Following
from simulator.brokers.log.grouping import Grouping
from simulator.brokers.log.partition import Partition
from simulator.brokers.log.protocol import Produce, unpack_states
from simulator.brokers.log.replicas import Replica
from simulator.brokers.log.retention import Log
from simulator.brokers.log.serving import Fetches
from simulator.brokers.log.transacting import Transacting
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, not_negative, optional, positive
from simulator.vocabulary import (
    ADVANCED,
    APPENDED,
    COMPACTED,
    DEDUPLICATED,
    DEMOTED,
    IGNORED,
    MARKED,
    PROMOTED,
    REJECTED,
    RESTARTED,
    STOPPED,
    TRIMMED,
)

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class KafkaBroker(Node):
    """A broker of the cluster whose `KafkaController` is linked to it.

    The settings have Apache Kafka's names and defaults (broker configuration, 4.0). Its logs, high watermarks and producers'
    states are on disk: a crash loses none of them. Simplified: high watermarks are on disk at once (Kafka: every five seconds),
    and a crashed broker goes dark, as a machine does: nobody's connection is reset, so clients find out by their time-outs.
    """

    role: ClassVar[str] = "broker"

    broker_heartbeat_interval_ms: float = field(default=2_000.0, metadata=positive("ms"), kw_only=True)
    replica_lag_time_max_ms: float = field(default=30_000.0, metadata=positive("ms"), kw_only=True)
    replica_fetch_wait_max_ms: float = field(default=500.0, metadata=positive("ms"), kw_only=True)
    replica_fetch_backoff_ms: float = field(default=1_000.0, metadata=not_negative("ms"), kw_only=True)
    replica_socket_timeout_ms: float = field(default=30_000.0, metadata=positive("ms"), kw_only=True)
    """After how long a follower asks again that got no answer."""
    log_retention_check_interval_ms: float = field(default=300_000.0, metadata=positive("ms"), kw_only=True)
    log_cleaner_backoff_ms: float = field(default=15_000.0, metadata=positive("ms"), kw_only=True)
    group_initial_rebalance_delay_ms: float = field(default=3_000.0, metadata=not_negative("ms"), kw_only=True)
    group_min_session_timeout_ms: float = field(default=6_000.0, metadata=not_negative("ms"), kw_only=True)
    group_max_session_timeout_ms: float = field(default=1_800_000.0, metadata=positive("ms"), kw_only=True)
    group_max_size: int = field(default=2_147_483_647, metadata=at_least(1), kw_only=True)
    transaction_max_timeout_ms: float = field(default=900_000.0, metadata=positive("ms"), kw_only=True)
    shut_down_at: float | None = field(default=None, metadata=optional(not_negative("ms")), kw_only=True)
    """When an operator stops it in good order (``controlled.shutdown.enable``): it first hands over what it leads."""
    start_again_after: float | None = field(default=None, metadata=optional(positive("ms")), kw_only=True)
    """How long after such a stop it is started again; None: never."""

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        return _Lives(self, sim).take

    def problems(self, scenario: Scenario) -> Iterator[str]:
        controllers = [node.name for node in scenario.nodes_of(KafkaController) if scenario.linked(node.name, self.name)]
        if len(controllers) != 1:
            yield (
                f"{self}: it belongs to one KafkaController, and {len(controllers)} are linked to it;"
                " link it to one, or take kafka_links(nodes)."
            )
            return
        layout = layout_of(scenario, controllers[0])
        for other in layout.brokers:
            shared = any(self.name in replicas and other in replicas for replicas in layout.replicas)
            if other != self.name and shared and not scenario.linked(self.name, other):
                yield (
                    f'{self}: it shares partitions with "{other}" and no link joins the two;'
                    f' add Link("{self.name}", "{other}"), or take kafka_links(nodes).'
                )


def controller_of(scenario: Scenario, broker: str) -> str:
    """The name of the controller of a broker's cluster."""
    return next(node.name for node in scenario.nodes_of(KafkaController) if scenario.linked(node.name, broker))


class _Lives:
    """A broker that may be stopped in good order and started again."""

    def __init__(self, node: KafkaBroker, sim: Sim) -> None:
        self._node = node
        self._sim = sim
        self._life: Broker | None = None
        self._start()
        if node.shut_down_at is not None and "stops" not in sim.durable:
            sim.durable["stops"] = 0
            sim.call_later(node.shut_down_at, self._shut_down)

    def take(self, message: Message, source: str) -> None:
        if self._life is None:
            self._sim.record(IGNORED, message, self._sim.value("the broker is shut down"))
        else:
            self._life.take(message, source)

    def _start(self) -> None:
        self._life = Broker(self._node, self._sim, self._stop)

    def _shut_down(self) -> None:
        if self._life is not None:
            self._life.shut_down()

    def _stop(self) -> None:
        self._life = None
        self._sim.record(STOPPED)
        if self._node.start_again_after is not None:
            self._sim.call_later(self._node.start_again_after, self._start_again)

    def _start_again(self) -> None:
        stops = self._sim.durable["stops"] = self._sim.durable["stops"] + 1
        self._sim.record(RESTARTED, None, stops)
        self._start()


class Broker:
    """One life of a broker. ``stop`` is called when it has ended in good order."""

    def __init__(self, node: KafkaBroker, sim: Sim, stop: Callable[[], None]) -> None:
        self.node = node
        self.sim = sim
        self._stop = stop
        self.controller = controller_of(sim.scenario, node.name)
        self.layout: Layout = layout_of(sim.scenario, self.controller)
        self.partitions = self._open()
        self.states: dict[int, Leadership] = {}
        """What it knows of who leads, for every partition of the cluster."""
        self._marks: dict[int, int] = {number: each.replica.high_watermark for number, each in self.partitions.items()}
        """The high watermarks that the trace knows of."""
        self._waiting: dict[int, list[tuple[int, Callable[[str], None]]]] = {number: [] for number in self.partitions}
        """What waits for a high watermark: the offset that it must pass, and whom to tell the outcome."""
        self._proposals: dict[int, Message] = {}
        self._leaving = False
        self.stopped = False
        self.fetches = Fetches(self)
        self.following = Following(self)
        self.groups = Grouping(self)
        self.transactions = Transacting(self)
        self._handlers: dict[str, Callable[[Message, str], None]] = {
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
            "leadership": self._leadership,
        }
        self._answers: dict[str, Callable[[Message, str], None]] = {
            "replicate": self.following.take,
            "write_marker": self.transactions.marker_written,
            "broker_heartbeat": self._heartbeat_answered,
            "alter_isr": self._isr_answered,
        }
        self._begin()

    def take(self, message: Message, source: str) -> None:
        handler = (self._answers if message.in_reply_to else self._handlers).get(message.kind)
        if handler is None:
            self.sim.record(IGNORED, message, self.sim.value("a broker has no answer to it"))
        else:
            handler(message, source)

    def leads(self, number: int) -> bool:
        """Whether it takes itself for a partition's leader."""
        return number in self.partitions and self.partitions[number].replica.leads

    def name_of(self, number: int) -> int:
        """How steps tell a partition."""
        return self.sim.partition(self.layout.names[number])

    def answer(self, to: str, request: Message, payload: Any, kind: str = "") -> None:
        """Answer a request, in a message of the request's kind if none is named."""
        self.sim.send(to, self.sim.envelope(kind or request.kind, request.key, payload, (), request.id))

    def append(self, number: int, entry: Entry, then: Callable[[str], None]) -> None:
        """Append one entry to a partition of the cluster's own, and tell the outcome once it is committed or can't be.

        Raises `Refused`.
        """
        partition = self.partitions[number]
        offset = partition.produce(self.sim.now, [entry], "all").offset
        self.sim.record(APPENDED, self.sim.message_of(entry.record), self.name_of(number), offset)  # type: ignore[arg-type]
        self.when_committed(number, offset, then)
        self.moved(number)

    def when_committed(self, number: int, offset: int, then: Callable[[str], None]) -> None:
        """Tell the outcome of what was appended here, by an error's name or ``NONE``, as soon as it is known."""
        self._waiting[number].append((offset, then))

    def moved(self, number: int) -> None:
        """Something in a partition has changed: move on whoever waits for it."""
        partition = self.partitions[number]
        replica = partition.replica
        self.note_mark(number)
        if not replica.leads:
            return
        partition.transactions.settle(replica.high_watermark)
        self._settle(number)
        self.fetches.wake(number)
        self.following.wake(number)
        self._propose(number)

    def note_mark(self, number: int) -> None:
        """Record how far the high watermark is, if that is news."""
        mark = self.partitions[number].replica.high_watermark
        if mark > self._marks[number]:
            self.sim.record(ADVANCED, None, self.name_of(number), mark)
        self._marks[number] = mark

    def new_producer_id(self) -> int:
        """A producer id that no other broker gives out (Kafka: blocks of a thousand, from the controller)."""
        given = self.sim.durable["producer ids given"] = self.sim.durable.get("producer ids given", 0) + 1
        return int(self.layout.brokers.index(self.node.name) * 1_000 + given - 1)

    def _open(self) -> dict[int, Partition]:
        """Its partitions, as they are on disk."""
        sim, layout, node = self.sim, self.layout, self.node
        kept: dict[int, Partition] = sim.durable.setdefault("partitions", {})
        if kept:
            for partition in kept.values():
                partition.reopen()
            return kept
        for number, replicas in enumerate(layout.replicas):
            if node.name not in replicas:
                continue
            topic = layout.of(number)
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
            kept[number] = Partition(
                Replica(
                    node.name,
                    replicas,
                    min_insync_replicas=topic.min_insync_replicas,
                    replica_lag_time_max_ms=node.replica_lag_time_max_ms,
                    log=log,
                )
            )
        return kept

    def _begin(self) -> None:
        sim, node = self.sim, self.node
        self._version = -1
        if "begun" not in sim.durable:
            sim.durable["begun"] = True
            self._version = 0
            self._learn((number, Leadership(each[0], 0, each)) for number, each in enumerate(self.layout.replicas))
        self._beat()
        sim.call_later(node.replica_lag_time_max_ms / 2, self._look_for_laggards)
        if any("delete" in topic.cleanup_policy for topic in self.layout.topics.values()):
            sim.call_later(node.log_retention_check_interval_ms, self._drop_old_segments)
        if any("compact" in topic.cleanup_policy for topic in self.layout.topics.values()):
            sim.call_later(node.log_cleaner_backoff_ms, self._clean)

    def _beat(self) -> None:
        if not self.stopped and not self._leaving:
            self._heartbeat()
            self.sim.call_later(self.node.broker_heartbeat_interval_ms, self._beat)

    def _heartbeat(self) -> None:
        self.sim.send(self.controller, self.sim.envelope("broker_heartbeat", None, (self._version, int(self._leaving))))

    def _heartbeat_answered(self, message: Message, source: str) -> None:
        version, live, *news = message.payload
        if news:
            self._version = version
            self._learn(unpack_states(news, self.layout.brokers))
        if not live and self._leaving:
            self.stopped = True
            self._stop()
        elif not live:
            self._heartbeat()

    def _leadership(self, message: Message, source: str) -> None:
        version, *news = message.payload
        if version == self._version + 1:
            self._version = version
        self._learn(unpack_states(news, self.layout.brokers))

    def _learn(self, news: Any) -> None:
        sim = self.sim
        for number, state in news:
            known = self.states.get(number)
            newer = known is None or (state.leader_epoch, state.partition_epoch) > (
                known.leader_epoch,
                known.partition_epoch,
            )
            if newer:
                self.states[number] = state
            if not newer or number not in self.partitions:
                continue
            led = self.leads(number)
            self._proposals.pop(number, None)
            self.partitions[number].replica.learn(sim.now, state)
            if known is None or known.leader_epoch != state.leader_epoch:
                self._take_role(number, state, led)
            else:
                self.moved(number)

    def _take_role(self, number: int, state: Leadership, led: bool) -> None:
        sim, name = self.sim, self.name_of(number)
        if state.leader == self.node.name:
            sim.record(PROMOTED, None, name, state.leader_epoch)
        else:
            sim.record(DEMOTED, None, name, sim.value(state.leader), state.leader_epoch)
        if led:
            self._settle(number)
            self.fetches.wake(number)
            self.following.wake(number)
        if number == self.layout.offsets:
            self.groups.role_changed()
        if number == self.layout.transactions:
            self.transactions.role_changed()
        self.moved(number)
        self.following.look()

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
            if not self.leads(number):
                raise Refused("NOT_LEADER_OR_FOLLOWER", f"{self.node.name} does not lead {self.layout.names[number]}.")
            batch = request.entries(sim.message_of, sim.now)
            done = self.partitions[number].produce(sim.now, batch, request.acks)
        except Refused as refused:
            sim.record(REJECTED, message, sim.value(refused.error))
            if request.acks != 0:
                self.answer(producer, message, (refused.code, number, -1), "ack")
            return
        last = done.offset + len(batch) - 1
        for place, record in enumerate(request.records):
            kind = (DEDUPLICATED, APPENDED)[not done.duplicate]
            data = (done.offset + place,) if done.duplicate else (name, done.offset + place)
            sim.record(kind, sim.message_of(record), *data)

        def tell(outcome: str) -> None:
            self.answer(producer, message, (CODES[outcome], number, done.offset if outcome == "NONE" else -1), "ack")

        if request.acks == 1:
            tell("NONE")
        elif request.acks == "all":
            self.when_committed(number, last, tell)
        self.moved(number)

    def _write_marker(self, message: Message, coordinator: str) -> None:
        self.write_marker(message, lambda error: self.answer(coordinator, message, (*message.payload, CODES[error])))

    def write_marker(self, order: Message, then: Callable[[str], None]) -> None:
        """End a transaction in a partition that this broker leads, and tell when that is committed."""
        producer, epoch, commit, number = order.payload
        sim = self.sim
        if not self.leads(number):
            then("NOT_LEADER_OR_FOLLOWER")
            return
        partition = self.partitions[number]
        if partition.sequences.epoch(producer) > epoch:
            then("INVALID_PRODUCER_EPOCH")
            return
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
        offset = partition.mark(sim.now, marker)
        sim.record(MARKED, order, self.name_of(number), offset, sim.value(outcome))
        if number == self.layout.offsets:
            self.groups.marked(order, producer, commit=bool(commit))
        self.when_committed(number, offset, then)
        self.moved(number)

    def _settle(self, number: int) -> None:
        """Tell whoever waits for a commit what can be told by now."""
        replica = self.partitions[number].replica
        waiting, self._waiting[number] = self._waiting[number], []
        for offset, then in waiting:
            outcome = replica.outcome(offset)
            if outcome is None:
                self._waiting[number].append((offset, then))
            else:
                then(outcome)

    def _look_for_laggards(self) -> None:
        if self.stopped:
            return
        for number in self.partitions:
            self._propose(number)
        self.sim.call_later(self.node.replica_lag_time_max_ms / 2, self._look_for_laggards)

    def _propose(self, number: int) -> None:
        """Ask the controller for another in-sync set, if it should be another; again and again until that is answered."""
        wanted = self.partitions[number].replica.propose(self.sim.now)
        if wanted is None:
            return
        state, brokers = self.partitions[number].replica.state, self.layout.brokers
        payload = (number, state.leader_epoch, state.partition_epoch, *map(brokers.index, wanted))
        self._proposals[number] = self.sim.envelope("alter_isr", None, payload)
        self._ask_for(number, self._proposals[number], 1)

    def _ask_for(self, number: int, proposal: Message, attempt: int) -> None:
        if self._proposals.get(number) is proposal and not self.stopped:
            self.sim.send(self.controller, proposal, attempt)
            self.sim.call_later(self.node.broker_heartbeat_interval_ms, self._ask_for, number, proposal, attempt + 1)

    def _isr_answered(self, message: Message, source: str) -> None:
        number, error = message.payload
        proposal = self._proposals.get(number)
        if proposal is not None and proposal.id == message.in_reply_to and error:
            del self._proposals[number]
            self.partitions[number].replica.proposal_refused()

    def _drop_old_segments(self) -> None:
        if self.stopped:
            return
        for number, partition in self.partitions.items():
            if self.leads(number):
                went = partition.log.delete(self.sim.now, partition.replica.high_watermark)
                self.note_trimmed(number, went)
        self.sim.call_later(self.node.log_retention_check_interval_ms, self._drop_old_segments)

    def note_trimmed(self, number: int, records: int) -> None:
        """Record that so many records went from the beginning of the log."""
        if records:
            self.sim.record(TRIMMED, None, self.name_of(number), self.partitions[number].log.start, records)

    def _clean(self) -> None:
        if self.stopped:
            return
        for number, partition in self.partitions.items():
            before = {entry.offset: entry for entry in partition.log} if "compact" in partition.log.cleanup_policy else {}
            for offset in partition.log.compact(self.sim.now, partition.replica.high_watermark):
                self.sim.record(COMPACTED, self.sim.message_of(before[offset].record), self.name_of(number), offset)  # type: ignore[arg-type]
        self.sim.call_later(self.node.log_cleaner_backoff_ms, self._clean)

    def shut_down(self) -> None:
        """Ask the controller to hand over what it leads, until that is done."""
        if not self.stopped:
            self._leaving = True
            self._heartbeat()
            self.sim.call_later(self.node.broker_heartbeat_interval_ms, self.shut_down)
