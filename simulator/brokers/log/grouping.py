"""What a broker does as the coordinator of the consumer groups: the leader of the partition that keeps their offsets.

A committed offset is a record there; it is confirmed and counts once it is replicated. So is who is a member, and what of, after
each rebalance: members are told only then. A new leader reads all of it again and goes on from there. Sources:
``GroupCoordinatorService``, ``GroupMetadataManager`` and ``OffsetMetadataManager`` of Apache Kafka 4.0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import CODES, Refused, at_coordinator
from simulator.brokers.log.group import Group
from simulator.brokers.log.members import Kept, KeptMember, Reply
from simulator.brokers.log.offsets import Offsets
from simulator.brokers.log.subscriptions import Subscription, TopicPartition
from simulator.message import Message
from simulator.vocabulary import ADMITTED, COMMITTED, PLEDGED, REBALANCED, REMOVED, SUMMONED

if TYPE_CHECKING:
    from simulator.brokers.log.broker import Broker
    from simulator.engine import Timer

_Places = list[tuple[int, int]]

GROUP_METADATA = "group_metadata"
"""The kind of the records that say who is in a group; every other one in that partition is a commit."""


class _Hosted:
    """A group that this broker coordinates."""

    def __init__(self, broker: Broker) -> None:
        node = broker.node
        self.group = Group(
            group_initial_rebalance_delay_ms=node.group_initial_rebalance_delay_ms,
            group_min_session_timeout_ms=node.group_min_session_timeout_ms,
            group_max_session_timeout_ms=node.group_max_session_timeout_ms,
            group_max_size=node.group_max_size,
        )
        self.offsets = Offsets()
        self.timer: Timer | None = None
        self.due = 0.0
        self.kept = self.group.kept()
        """What was last written down of the group."""
        self.writing = 0
        """How many such records are not replicated yet."""
        self.held: list[Reply] = []
        """What is to be answered as soon as they are."""


class Grouping:
    """The groups of one broker's life."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._groups: dict[str, _Hosted] = {}
        self._leads = False

    def role_changed(self) -> None:
        """The broker leads the offsets' partition from now on, or does no longer."""
        leads = self._broker.leads(self._broker.layout.offsets)
        if leads == self._leads:
            return
        self._leads = leads
        for hosted in self._groups.values():
            if hosted.timer is not None:
                hosted.timer.cancel()
            for reply in hosted.group.close():
                self._answer(reply)
        self._groups = {}
        if leads:
            self._load()

    def join(self, message: Message, consumer: str) -> None:
        """A consumer wants in."""
        member, instance, session, rebalance, offered = message.payload
        partitions = self._broker.layout.partitions

        def told(topics: Sequence[str], owned: Sequence[int], generation: int) -> Subscription:
            return Subscription(topics, [partitions[each] for each in owned], generation, instance)

        protocols = [(name, told(*rest)) for name, *rest in offered]
        self._do(
            message,
            consumer,
            lambda group, now, caller: group.join(
                now,
                caller,
                member,
                protocols,
                client_id=consumer,
                instance_id=instance,
                session_timeout_ms=session,
                rebalance_timeout_ms=rebalance,
            ),
        )

    def sync(self, message: Message, consumer: str) -> None:
        """A member asks for its partitions; the leader brings everybody's."""
        member, instance, generation, *given = message.payload
        assignments: dict[str, list[TopicPartition]] | None = None
        if given:
            partitions = self._broker.layout.partitions
            assignments = {name: [partitions[each] for each in numbers] for name, numbers in given[0]}
        self._do(
            message,
            consumer,
            lambda group, now, caller: group.sync(now, caller, member, generation, assignments, instance_id=instance),
        )

    def heartbeat(self, message: Message, consumer: str) -> None:
        """A member is alive."""
        member, instance, generation = message.payload
        self._do(
            message,
            consumer,
            lambda group, now, caller: group.heartbeat(now, caller, member, generation, instance_id=instance),
        )

    def leave(self, message: Message, consumer: str) -> None:
        """A member goes."""
        member, instance = message.payload
        self._do(
            message,
            consumer,
            lambda group, now, caller: group.leave(now, caller, member, instance_id=instance),
            _LEFT,
        )

    def commit(self, message: Message, consumer: str) -> None:
        """Store where a group goes on reading, at once or (with a producer's id) if its transaction commits.

        The payload: member, instance, generation, producer id, producer epoch, partition, offset, …
        """
        broker, name = self._broker, str(message.key)
        member, instance, generation, producer, epoch, *flat = message.payload
        places = list(zip(flat[::2], flat[1::2], strict=True))
        transactional = producer >= 0
        entry = Entry(
            0,
            message.id,
            key=name,
            timestamp=int(broker.sim.now),
            producer_id=producer,
            producer_epoch=epoch,
            transactional=transactional,
        )

        def then(outcome: str) -> None:
            if outcome == "NONE" and not transactional:
                self._store(name, places, message)
            self._confirm(message, consumer, outcome)

        try:
            partition = broker.led(broker.layout.offsets)
            hosted = self._hosted(name)
            error = hosted.group.may_commit(
                broker.sim.now, member, generation, instance_id=instance, transactional=transactional
            )
            self._reschedule(name, hosted)
            if error != "NONE":
                raise Refused(error, f"{consumer} is not in that generation of {name}.")
            if transactional:
                partition.sequences.check_epoch(producer, epoch)
            broker.append(broker.layout.offsets, entry, then)
        except Refused as refused:
            self._confirm(message, consumer, refused.error)
            return
        if transactional:
            # From now on who wants a stable offset waits for the transaction's end.
            self._pledge(name, producer, places, message)

    def offsets(self, message: Message, consumer: str) -> None:
        """Where a group stands: of each partition asked for its committed offset, -1 without one."""
        committed, *numbers = message.payload
        broker = self._broker
        if not self._leads:
            broker.answer(consumer, message, (CODES["NOT_COORDINATOR"],))
            return
        known = self._hosted(str(message.key)).offsets
        flat: list[int] = []
        try:
            for number in numbers:
                offset = known.fetch(broker.layout.partitions[number], require_stable=bool(committed))
                flat += (number, -1 if offset is None else offset)
        except Refused as refused:
            broker.answer(consumer, message, (refused.code,))
            return
        broker.answer(consumer, message, (0, *flat))

    def marked(self, order: Message, producer: int, *, commit: bool) -> None:
        """A producer's transaction has ended, and with it the offsets that were to be stored with it."""
        for name, hosted in self._groups.items():
            places = hosted.offsets.marked(producer, commit=commit)
            self._note(name, [(self._broker.layout.numbers[each], offset) for each, offset in places.items()], order)

    def _load(self) -> None:
        """Read again what is in the log: the offsets that the groups have committed."""
        broker = self._broker
        kept: dict[str, Kept] = {}
        for entry in broker.partitions[broker.layout.offsets].log:
            if entry.marker:
                for hosted in self._groups.values():
                    hosted.offsets.marked(entry.producer_id, commit=entry.marker == "commit")
                continue
            assert isinstance(entry.record, int)
            message = broker.sim.message_of(entry.record)
            if message.kind == GROUP_METADATA:
                self._groups.setdefault(str(message.key), _Hosted(broker))
                kept[str(message.key)] = self._unpacked(message.payload)
                continue
            flat = message.payload[5:]
            known = self._hosted(str(message.key)).offsets
            for number, offset in zip(flat[::2], flat[1::2], strict=True):
                partition = broker.layout.partitions[number]
                if entry.transactional:
                    known.commit_in_transaction(entry.producer_id, partition, offset)
                else:
                    known.commit(partition, offset)
        for name, told in kept.items():
            hosted = self._groups[name]
            hosted.kept = told
            hosted.group.restore(broker.sim.now, told)
            self._reschedule(name, hosted)

    def _hosted(self, name: str) -> _Hosted:
        if name not in self._groups:
            self._groups[name] = _Hosted(self._broker)
        return self._groups[name]

    def _store(self, name: str, places: _Places, message: Message) -> None:
        known = self._hosted(name).offsets
        for number, offset in places:
            known.commit(self._broker.layout.partitions[number], offset)
        self._note(name, places, message)

    def _note(self, name: str, places: _Places, message: Message) -> None:
        sim = self._broker.sim
        for number, offset in places:
            sim.record(COMMITTED, message, self._broker.name_of(number), offset, sim.value(name))

    def _pledge(self, name: str, producer: int, places: _Places, message: Message) -> None:
        broker, known = self._broker, self._hosted(name).offsets
        for number, offset in places:
            known.commit_in_transaction(producer, broker.layout.partitions[number], offset)
            broker.sim.record(PLEDGED, message, broker.name_of(number), offset, broker.sim.value(name))

    def _confirm(self, message: Message, consumer: str, error: str) -> None:
        self._broker.answer(consumer, message, (CODES[at_coordinator(error)],), "commit_ack")

    def _do(
        self,
        message: Message,
        consumer: str,
        act: Callable[[Group, float, Any], list[Reply]],
        reason: str = "",
    ) -> None:
        """Let something be done to a group, tell the trace what has changed, and send the answers that are due."""
        broker, name = self._broker, str(message.key)
        if not self._leads:
            broker.answer(consumer, message, ("NOT_COORDINATOR",))
            return
        hosted = self._hosted(name)
        caller = (consumer, message)
        self._acted(name, hosted, lambda: act(hosted.group, broker.sim.now, caller), reason or f"{consumer} joins", consumer)

    def _acted(self, name: str, hosted: _Hosted, act: Callable[[], list[Reply]], reason: str, consumer: str = "") -> None:
        sim, group = self._broker.sim, hosted.group
        state, members, generation = group.state, group.members, group.generation
        replies = act()
        called = sim.value(name)
        for member in members:
            if member not in group.members:
                why = reason if reason in (_LEFT, _EXPIRED) else "another took its place"
                sim.record(REMOVED, None, called, sim.value(member), sim.value(why))
        for member in group.members:
            if member not in members:
                sim.record(ADMITTED, None, called, sim.value(member), sim.index_of(consumer))
        if state != "PreparingRebalance" and (group.state == "PreparingRebalance" or group.generation > generation):
            sim.record(SUMMONED, None, called, generation, sim.value(reason))
        if group.state == "Stable" and (state != "Stable" or generation != group.generation):
            sim.record(REBALANCED, None, called, group.generation, len(group.members))
        self._reschedule(name, hosted)
        # A member whose place is not written down yet is not told of it: another coordinator would not know it.
        hosted.held += [reply for reply in replies if reply.to in ("join", "sync")]
        for reply in replies:
            if reply.to not in ("join", "sync"):
                self._answer(reply)
        kept = group.kept()
        if group.state in ("Stable", "Empty") and kept._replace(made=0) != hosted.kept._replace(made=0):
            self._keep(name, hosted, kept)
        self._tell_held(hosted)

    def _tell_held(self, hosted: _Hosted, error: str = "NONE") -> None:
        """Give the answers that waited for what was written down."""
        if hosted.writing:
            return
        held, hosted.held = hosted.held, []
        for reply in held:
            self._answer(reply._replace(error=at_coordinator(error)) if reply.error == "NONE" else reply)

    def _keep(self, name: str, hosted: _Hosted, kept: Kept) -> None:
        """Write down who is a member and what of."""
        numbers, sim = self._broker.layout.numbers, self._broker.sim
        members = [
            [
                each.id,
                each.instance_id,
                each.session_timeout,
                each.rebalance_timeout,
                [
                    [assignor, list(told.topics), [numbers[held] for held in told.owned], told.generation]
                    for assignor, told in each.protocols
                ],
                [numbers[held] for held in each.assignment],
            ]
            for each in kept.members
        ]
        message = sim.message(GROUP_METADATA, name, [*kept[:-1], members])
        hosted.kept, before = kept, hosted.kept
        hosted.writing += 1

        def then(outcome: str) -> None:
            hosted.writing -= 1
            if outcome != "NONE":
                hosted.kept = before
            self._tell_held(hosted, outcome)

        try:
            entry = Entry(0, message.id, key=name, timestamp=int(sim.now))
            self._broker.append(self._broker.layout.offsets, entry, then)
        except Refused as refused:
            then(refused.error)

    def _unpacked(self, told: Any) -> Kept:
        generation, protocol, leader, made, members = told
        partitions = self._broker.layout.partitions
        return Kept(
            generation,
            protocol,
            leader,
            made,
            tuple(
                KeptMember(
                    name,
                    instance,
                    session,
                    rebalance,
                    tuple(
                        (assignor, Subscription(topics, [partitions[held] for held in owned], known, instance))
                        for assignor, topics, owned, known in offered
                    ),
                    tuple(partitions[held] for held in assigned),
                )
                for name, instance, session, rebalance, offered, assigned in members
            ),
        )

    def _answer(self, reply: Reply) -> None:
        consumer, message = reply.caller
        numbers = self._broker.layout.numbers
        payload: list[Any] = [reply.error]
        if reply.to == "join":
            members = [
                [name, list(told.topics), [numbers[each] for each in told.owned], told.generation, told.instance_id]
                for name, told in reply.members
            ]
            payload += (reply.member_id, reply.generation, reply.protocol, reply.leader, members)
        elif reply.to == "sync":
            payload += (reply.generation, reply.protocol, [numbers[each] for each in reply.assignment])
        sim = self._broker.sim
        sim.send(consumer, sim.message(message.kind, message.key, payload, (), message.id))

    def _reschedule(self, name: str, hosted: _Hosted) -> None:
        """Look again when the next thing runs out."""
        due = hosted.group.deadline
        if hosted.timer is not None:
            if due == hosted.due:
                return
            hosted.timer.cancel()
            hosted.timer = None
        hosted.due = due
        if due != float("inf"):
            hosted.timer = self._broker.sim.call_later(max(0.0, due - self._broker.sim.now), self._expire, name, hosted)

    def _expire(self, name: str, hosted: _Hosted) -> None:
        hosted.timer = None
        if not self._broker.stopped:
            self._acted(name, hosted, lambda: hosted.group.expire(self._broker.sim.now), _EXPIRED)


_LEFT, _EXPIRED = "a member left", "a member's time was over"
