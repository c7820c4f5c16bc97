"""A consumer's talk with its group: it joins, says that it lives, commits, gives up partitions and gets others.

What it decides stands in `Membership`. As in Kafka's client, everything that changes what is read happens when the application
polls, the answers to its joining among it; only heartbeats are sent beside the work. Sources: ``ConsumerCoordinator`` and
``AbstractCoordinator`` of Apache Kafka's Java client (4.0, classic protocol). Simplified: who asks to join asks again after
``request_timeout_ms``, since there is no connection here whose end would tell that the coordinator is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from simulator.brokers.log.errors import NAMES, RETRIABLE_AT_COORDINATOR
from simulator.brokers.log.members import Reply
from simulator.brokers.log.membership import LOST, Membership
from simulator.brokers.log.subscriptions import Subscription, TopicPartition
from simulator.clients.kafka_client import ClusterClient
from simulator.clients.kafka_fetching import Fetching
from simulator.clients.kafka_settings import KafkaReader
from simulator.message import Message
from simulator.vocabulary import ASSIGNED, JOINED, REVOKED

if TYPE_CHECKING:
    from simulator.engine import Sim

_FATAL = ("FENCED_INSTANCE_ID", "GROUP_MAX_SIZE_REACHED", "INCONSISTENT_GROUP_PROTOCOL", "INVALID_SESSION_TIMEOUT")
"""The errors that the application is told and can do nothing about."""

_AT_COORDINATOR = ("join", "sync", "group_heartbeat", "commit", "offsets")

Doing = Generator[Any, Any, None]


def flat(offsets: Mapping[int, int]) -> list[int]:
    """Partition, offset, partition, offset, …"""
    return [each for place in sorted(offsets.items()) for each in place]


class GroupError(Exception):
    """The group will not have this consumer, for good: it must stop."""


class GroupMember:
    """One life of a group's member. ``wake`` is called when the next poll has something to do for the group."""

    def __init__(self, client: ClusterClient, reader: KafkaReader, fetching: Fetching, wake: Callable[[], None]) -> None:
        self._client = client
        self._sim: Sim = client.sim
        self._group = reader.group_id
        self._value = client.sim.value(reader.group_id)
        self.membership = Membership(
            reader.topics,
            assignors=reader.partition_assignment_strategy,
            instance_id=reader.group_instance_id,
            session_timeout_ms=reader.session_timeout_ms,
            heartbeat_interval_ms=reader.heartbeat_interval_ms,
            max_poll_interval_ms=reader.max_poll_interval_ms,
        )
        self._patience = reader.default_api_timeout_ms
        self._fetching = fetching
        self._wake = wake
        self._state: Literal["out", "joining", "syncing", "in"] = "out"
        self._must_join = True
        self._request: Message | None = None
        """What it asked the coordinator in this state and has no answer to."""
        self._answer: Reply | None = None
        """The coordinator's answer, which waits for the next poll."""
        self._lost: tuple[TopicPartition, ...] = ()
        """What it has lost without having been asked, as the next poll will find out."""
        self._fatal = ""
        self._closed = False
        self._placing: dict[int, object] = {}
        """The partitions that it was given and does not read yet, each with a token of who finds out where the group is there."""
        client.on_news.append(self._hear)

    @property
    def stirs(self) -> bool:
        """Whether the next poll has something to do for the group."""
        joins = self._must_join and self._state in ("out", "in")
        asks = self._state == "joining" and self._request is None and self._coordinator is not None
        return joins or asks or self._answer is not None or bool(self._lost) or bool(self._fatal)

    def who(self) -> tuple[str, str | None, int]:
        """What it shows at the coordinator: member id, instance id, generation."""
        return self.membership.member_id, self.membership.instance_id, self.membership.generation

    def poll(self, commit: Callable[[], Doing]) -> Doing:
        """Do what the group asks for. ``commit`` is called before it joins again. Raises GroupError."""
        self._give_up_lost()
        if self._answer is not None:
            answer, self._answer = self._answer, None
            self._heed_answer(answer)
        if self._must_join and self._state in ("out", "in"):
            yield from commit()
            self._give_up_lost()
            self._must_join, self._state, self._request = False, "joining", None
            self._give_up(self.membership.rejoin(), "the group is called together")
        if self._state == "joining" and self._request is None:
            self._ask("join", self._joining_with())

    def commit(self, offsets: dict[int, int]) -> Generator[Any, Any, str]:
        """Store where the group goes on reading and wait until that is confirmed; the answer's error (``commitSync``)."""
        until = self._sim.now + self._patience
        error = "NONE"
        while offsets:
            error = self._may_not_commit
            if error:
                return error
            generation, patience = self.membership.generation, until - self._sim.now
            answer = yield from self._client.ask_leader(
                self._client.layout.offsets, "commit", self._group, self._committing(offsets), patience=patience
            )
            error = "COORDINATOR_NOT_AVAILABLE" if answer is None else NAMES[answer.payload[0]]
            self._heed_commit(error, generation, offsets)
            if error not in RETRIABLE_AT_COORDINATOR or self._sim.now >= until:
                return error
            if answer is not None:
                yield from self._client.find_leaders(patience)
        return error

    def commit_later(self, offsets: dict[int, int], retry: Callable[[], None] = lambda: None) -> None:
        """The same without waiting (``commitAsync``): if it fails, a later one makes up for it, and ``retry`` is called if that
        may be soon."""
        coordinator = self._coordinator
        if not offsets or self._may_not_commit:
            return
        if coordinator is None:
            self._client.refresh()
            retry()
            return
        generation = self.membership.generation

        def hear(answer: Message | None) -> None:
            error = "COORDINATOR_NOT_AVAILABLE" if answer is None else NAMES[answer.payload[0]]
            self._heed_commit(error, generation, offsets)
            if error in RETRIABLE_AT_COORDINATOR:
                retry()

        self._client.post(coordinator, self._sim.message("commit", self._group, self._committing(offsets)), hear)

    def beat(self) -> Doing:
        """Say every ``heartbeat_interval_ms`` that it lives; leave if the application has not polled for too long by then."""
        sim, membership = self._sim, self.membership
        while not self._closed:
            yield sim.sleep(max(0.0, membership.heartbeat_due - sim.now))
            membership.heartbeat_sent(sim.now)
            if self._closed or self._state not in ("syncing", "in"):
                continue
            if membership.poll_due <= sim.now:
                self.drop_out()
                continue
            coordinator = self._coordinator
            if coordinator is None or membership.misses_coordinator(sim.now):
                self._miss(coordinator)
            if coordinator is not None:
                request = sim.message("group_heartbeat", self._group, self.who())
                self._client.post(coordinator, request, self._hearing(coordinator, membership.generation))

    def drop_out(self) -> None:
        """Leave, and come again as a stranger at the next poll: all that it reads is lost to it."""
        self._say_leave()
        self._fall_out(self.membership.left())

    def close(self) -> None:
        """The application has ended: a static member keeps its place, every other one gives it up."""
        self._closed = True
        self._say_leave()
        self._give_up((*self._lost, *self.membership.left()), "it is closed")

    @property
    def _coordinator(self) -> str | None:
        return self._client.leader(self._client.layout.offsets)

    def _miss(self, coordinator: str | None) -> None:
        """Look for the coordinator; what was asked of one that is silent is asked again (``markCoordinatorUnknown``)."""
        if coordinator is not None:
            self._client.hang_up(coordinator, _AT_COORDINATOR)
        self._client.refresh()

    @property
    def _may_not_commit(self) -> str:
        """Why a commit is not even sent; empty if it is. What it reads may be another's while it is not in the group."""
        if self._state == "in":
            return ""
        return "UNKNOWN_MEMBER_ID" if self._state == "out" else "REBALANCE_IN_PROGRESS"

    def _hear(self) -> None:
        """There is news of who leads."""
        if self._state == "joining":
            self._wake()

    def _say_leave(self) -> None:
        member, instance, _ = self.who()
        if instance is None and member and self._coordinator is not None:
            request = self._sim.message("leave", self._group, (member, instance))
            self._client.post(self._coordinator, request, lambda answer: None)

    def _hearing(self, coordinator: str, generation: int) -> Callable[[Message | None], None]:
        def hear(answer: Message | None) -> None:
            if answer is None:
                self._miss(coordinator)
                return
            self.membership.heard(self._sim.now)
            self._heed(answer.payload[0], generation)

        return hear

    def _heed_commit(self, error: str, generation: int, offsets: dict[int, int]) -> None:
        if error == "NONE":
            self._fetching.committed(offsets)
        else:
            self._heed(error, generation)

    def _heed(self, error: str, generation: int) -> None:
        """The error of a heartbeat or a commit may mean that it has to join again, or is out: unless it has joined since."""
        current = generation == self.membership.generation and self._state in ("syncing", "in")
        if error in RETRIABLE_AT_COORDINATOR:
            self._client.refresh()
        elif error == "REBALANCE_IN_PROGRESS" and current and self._state == "in":
            self._must_join = True
            self._wake()
        elif error in LOST and current:
            self._fall_out(self.membership.refused(Reply(None, "heartbeat", error)), error)

    def _fall_out(self, lost: tuple[TopicPartition, ...], error: str = "") -> None:
        """It is in the group no more: what it was asking there is void, and the next poll begins anew, or ends."""
        self._lost = (*self._lost, *lost)
        self._fatal = error if error in _FATAL else ""
        self._state, self._must_join, self._request, self._answer = "out", True, None, None
        self._wake()

    def _committing(self, offsets: dict[int, int]) -> tuple[Any, ...]:
        return (*self.who(), -1, -1, *flat(offsets))

    def _joining_with(self) -> tuple[Any, ...]:
        membership, numbers = self.membership, self._client.layout.numbers
        offered = [
            [name, list(told.topics), [numbers[each] for each in told.owned], told.generation]
            for name, told in membership.protocols()
        ]
        timeouts = (membership.session_timeout_ms, membership.max_poll_interval_ms)
        return (membership.member_id, membership.instance_id, *timeouts, offered)

    def _ask(self, kind: Literal["join", "sync"], payload: tuple[Any, ...]) -> None:
        """Ask the coordinator; if it does not answer, or is none, look for it and begin anew with joining."""
        coordinator = self._coordinator
        if coordinator is None:
            self._state = "joining"
            self._client.refresh()
            return
        request = self._request = self._sim.message(kind, self._group, payload)

        def hear(answer: Message | None) -> None:
            if self._request is not request:
                return
            self._request = None
            if answer is None or answer.payload[0] in RETRIABLE_AT_COORDINATOR:
                self._state = "joining"
                self._client.refresh()
            else:
                self._answer = self._reply(kind, answer.payload)
                self._wake()

        self._client.post(coordinator, request, hear)

    def _reply(self, kind: Literal["join", "sync"], payload: tuple[Any, ...]) -> Reply:
        partitions = self._client.layout.partitions
        error, *rest = payload
        if error != "NONE":
            return Reply(None, kind, error, rest[0] if rest else "")
        if kind == "sync":
            generation, protocol, assigned = rest
            assignment = tuple(partitions[each] for each in assigned)
            return Reply(None, kind, generation=generation, protocol=protocol, assignment=assignment)
        member, generation, protocol, leader, members = rest
        told = tuple(
            (name, Subscription(topics, [partitions[each] for each in owned], known, instance))
            for name, topics, owned, known, instance in members
        )
        return Reply(None, kind, "NONE", member, generation, protocol, leader, told)

    def _heed_answer(self, reply: Reply) -> None:
        """Go on with joining, or begin to read. Raises GroupError."""
        if reply.error != "NONE":
            self._lost = self.membership.refused(reply)
            self._fatal = reply.error if reply.error in _FATAL else ""
            self._state = "joining"
            self._give_up_lost()
        elif reply.to == "join":
            self._state = "syncing"
            # Who leads the group decides for all its members, whatever it reads itself.
            wanted = {topic for _, told in reply.members for topic in told.topics}
            partitions = {topic: self._client.layout.topics[topic].partitions for topic in sorted(wanted)}
            decided = self.membership.joined(self._sim.now, reply, partitions)
            self._sim.record(JOINED, None, self._value, reply.generation, self._sim.value(reply.protocol))
            given: tuple[Any, ...] = ()
            if decided is not None:
                numbers = self._client.layout.numbers
                given = ([[member, [numbers[each] for each in taken]] for member, taken in decided.items()],)
            self._ask("sync", (*self.who(), *given))
        else:
            self._state = "in"
            change = self.membership.synced(reply)
            self._give_up(change.revoked, "it moves to another member")
            self._must_join = change.rejoin
            if change.added:
                self._sim.spawn(self._begin([self._client.layout.numbers[each] for each in change.added]))

    def _begin(self, numbers: list[int]) -> Doing:
        """Find out where the group is in these partitions, and read them from there on. The others are read meanwhile."""
        client, sim, asked = self._client, self._sim, object()
        self._placing |= dict.fromkeys(numbers, asked)
        while any(self._placing.get(number) is asked for number in numbers):
            payload = (self._fetching.reads_committed, *numbers)
            answer = yield from client.ask_leader(client.layout.offsets, "offsets", self._group, payload)
            if answer is None:
                continue
            error, *flat = answer.payload
            if NAMES[error] == "UNSTABLE_OFFSET_COMMIT":
                yield sim.sleep(client.backoff(1))
            elif error:
                yield from client.find_leaders()
            else:
                for number, offset in zip(flat[::2], flat[1::2], strict=True):
                    if self._placing.get(number) is asked:
                        del self._placing[number]
                        sim.record(ASSIGNED, None, sim.partition(client.layout.names[number]), offset, self._value)
                        self._fetching.assign(number, None if offset < 0 else offset)
                self._wake()

    def _give_up_lost(self) -> None:
        """Raises GroupError where there is no way back."""
        lost, self._lost = self._lost, ()
        self._give_up(lost, "lost")
        if self._fatal:
            raise GroupError(self._fatal)

    def _give_up(self, partitions: Iterable[TopicPartition], reason: str) -> None:
        sim = self._sim
        for number in [self._client.layout.numbers[each] for each in partitions]:
            if self._placing.pop(number, None) is None:
                sim.record(REVOKED, None, sim.partition(self._client.layout.names[number]), self._value, sim.value(reason))
                self._fetching.revoke([number])
