"""A consumer's talk with its group: it joins, says that it lives, commits, gives up partitions and gets others.

What it decides stands in `Membership`. As in Kafka's client, everything that changes what is read happens when the application
polls; only heartbeats are sent beside the work. Sources: ``ConsumerCoordinator`` and ``AbstractCoordinator`` of Apache Kafka's
Java client (4.0, classic protocol). Simplified: what asks to join is sent again every ``request_timeout_ms``, since there is no
connection here whose end would tell that the coordinator is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from simulator.brokers.log.errors import NAMES
from simulator.brokers.log.members import Reply
from simulator.brokers.log.membership import Membership
from simulator.brokers.log.subscriptions import Subscription, TopicPartition
from simulator.clients.kafka_client import ClusterClient
from simulator.clients.kafka_fetching import Fetching
from simulator.message import Message
from simulator.vocabulary import ASSIGNED, JOINED, REVOKED

if TYPE_CHECKING:
    from simulator.engine import Sim

_MOVED = ("NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "NOT_LEADER_OR_FOLLOWER")
_LOST = ("UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_INSTANCE_ID")


class GroupFenced(Exception):
    """Another one has taken this one's place, under its ``group_instance_id`` or its ``transactional_id``: it must stop."""


class GroupMember:
    """One life of a group's member."""

    def __init__(
        self, client: ClusterClient, group: str, membership: Membership, fetching: Fetching, wake: Callable[[], None]
    ) -> None:
        self._client = client
        self._sim: Sim = client.sim
        self._group = group
        self._value = client.sim.value(group)
        self.membership = membership
        self._fetching = fetching
        self._wake = wake
        self._must_join = True
        self._joining = False
        self._news: Reply | None = None
        """An assignment that has come and waits for the next poll."""
        self._lost: tuple[TopicPartition, ...] = ()
        """What it has lost without having been asked, as the next poll will find out."""
        self._fenced = False
        self._left = False

    @property
    def stirs(self) -> bool:
        """Whether the next poll has something to do for the group."""
        return self._must_join and not self._joining or self._news is not None or bool(self._lost) or self._fenced

    def who(self) -> tuple[str, str | None, int]:
        """What it shows at the coordinator: member id, instance id, generation."""
        return self.membership.member_id, self.membership.instance_id, self.membership.generation

    def poll(self, commit: Callable[[], Generator[Any, Any, None]]) -> Generator[Any, Any, None]:
        """Do what the group asks for. ``commit`` is called before partitions are given up. Raises GroupFenced."""
        if self._fenced:
            raise GroupFenced("FENCED_INSTANCE_ID")
        if self._lost:
            self._give_up(self._lost, "lost")
            self._lost = ()
        if self._news is not None:
            news, self._news = self._news, None
            yield from self._take(news, commit)
        if self._must_join and not self._joining:
            self._must_join, self._joining = False, True
            if not self.membership.cooperative and self.membership.owned:
                yield from commit()
            self._give_up(self.membership.rejoin(), "the group is called together")
            self._sim.spawn(self._join())

    def commit(self, offsets: dict[int, int]) -> Generator[Any, Any, str]:
        """Store where the group goes on reading and wait until that is confirmed; the answer's error."""
        while True:
            answer = yield from self._client.ask_leader(
                self._client.layout.offsets, "commit", self._group, self._committing(offsets)
            )
            error = NAMES[answer.payload[0]]
            if error not in (*_MOVED, "NOT_ENOUGH_REPLICAS"):
                self._heed(error, self.membership.generation)
                return error
            yield from self._client.find_leaders()

    def commit_later(self, offsets: dict[int, int]) -> None:
        """The same without waiting (``commitAsync``): if it fails, the next one makes up for it."""
        coordinator = self._client.leader(self._client.layout.offsets)
        if coordinator is None:
            self._client.refresh()
            return
        request = self._sim.message("commit", self._group, self._committing(offsets))
        generation = self.membership.generation
        self._client.post(coordinator, request, self._hearing(generation))

    def beat(self) -> Generator[Any, Any, None]:
        """Say every ``heartbeat_interval_ms`` that it lives; leave when the application has not polled for too long."""
        sim, membership = self._sim, self.membership
        while not self._left:
            yield sim.sleep(membership.heartbeat_interval_ms)
            if membership.generation < 0 or self._left:
                continue
            if membership.poll_due <= sim.now:
                self._lost = (*self._lost, *membership.left())
                self._say_leave()
                membership.member_id, self._must_join = "", True
                continue
            coordinator = self._client.leader(self._client.layout.offsets)
            if coordinator is None:
                self._client.refresh()
                continue
            request = sim.message("group_heartbeat", self._group, self.who())
            self._client.post(coordinator, request, self._hearing(membership.generation))

    def leave(self) -> None:
        """It is closed: a static member keeps its place, every other one gives it up."""
        self._left = True
        if self.membership.instance_id is None and self.membership.member_id:
            self._say_leave()
        self._give_up(self.membership.left(), "it is closed")

    def _say_leave(self) -> None:
        coordinator = self._client.leader(self._client.layout.offsets)
        if coordinator is not None:
            member, instance, _ = self.who()
            request = self._sim.message("leave", self._group, (member, instance))
            self._client.post(coordinator, request, lambda answer: None)

    def _hearing(self, generation: int) -> Callable[[Message | None], None]:
        return lambda answer: self._heard(answer, generation)

    def _heard(self, answer: Message | None, generation: int) -> None:
        """The answer to a heartbeat or a commit of this generation."""
        if answer is None:
            self._client.refresh()
            return
        error = answer.payload[0]
        self._heed(error if isinstance(error, str) else NAMES[error], generation)

    def _heed(self, error: str, generation: int) -> None:
        """An answer's error may mean that it has to join again, or is out: unless it does so already, or has done so since."""
        current = not self._joining and generation == self.membership.generation >= 0
        if error in _MOVED:
            self._client.refresh()
        elif error == "REBALANCE_IN_PROGRESS" and current:
            self._must_join = True
            self._wake()
        elif error in _LOST and current:
            self._lost = (*self._lost, *self.membership.refused(Reply(None, "heartbeat", error)))
            self._fenced = error == "FENCED_INSTANCE_ID"
            self._must_join = True
            self._wake()

    def _committing(self, offsets: dict[int, int]) -> tuple[Any, ...]:
        flat = [each for place in sorted(offsets.items()) for each in place]
        return (*self.who(), -1, -1, *flat)

    def _join(self) -> Generator[Any, Any, None]:
        """Join and sync, until it has an assignment; the next poll takes it."""
        client, membership = self._client, self.membership
        while not self._left:
            reply = yield from self._ask("join", self._joining_with())
            if reply is None:
                continue
            if reply.error != "NONE":
                if self._refused(reply):
                    return
                continue
            # Who leads the group decides for all its members, whatever it reads itself.
            wanted = {topic for _, told in reply.members for topic in told.topics}
            partitions = {topic: client.layout.topics[topic].partitions for topic in sorted(wanted)}
            decided = membership.joined(reply, partitions)
            self._sim.record(JOINED, None, self._value, reply.generation, self._sim.value(reply.protocol))
            given: tuple[Any, ...] = ()
            if decided is not None:
                numbers = client.layout.numbers
                given = ([[member, [numbers[each] for each in taken]] for member, taken in decided.items()],)
            reply = yield from self._ask("sync", (*self.who(), *given))
            if reply is None:
                continue
            if reply.error == "NONE":
                self._joining, self._news = False, reply
                self._wake()
                return
            if self._refused(reply):
                return

    def _refused(self, reply: Reply) -> bool:
        """Whether an error ends the attempts to join."""
        self._lost = (*self._lost, *self.membership.refused(reply))
        if reply.error == "FENCED_INSTANCE_ID":
            self._fenced = True
            self._wake()
            return True
        if reply.error in ("INCONSISTENT_GROUP_PROTOCOL", "INVALID_SESSION_TIMEOUT"):
            raise ValueError(f'the group "{self._group}" refuses {self._sim.name}: {reply.error}')
        return False

    def _joining_with(self) -> tuple[Any, ...]:
        membership, numbers = self.membership, self._client.layout.numbers
        offered = [
            [name, list(told.topics), [numbers[each] for each in told.owned], told.generation]
            for name, told in membership.protocols()
        ]
        timeouts = (membership.session_timeout_ms, membership.max_poll_interval_ms)
        return (membership.member_id, membership.instance_id, *timeouts, offered)

    def _ask(self, kind: Any, payload: tuple[Any, ...]) -> Generator[Any, Any, Reply | None]:
        """Ask the coordinator; None where it has to be looked for first, which is done then."""
        client = self._client
        coordinator = client.leader(client.layout.offsets)
        answer = None
        if coordinator is not None:
            answer = yield from client.ask(coordinator, kind, self._group, payload)
        if answer is None or answer.payload[0] in _MOVED:
            yield from client.find_leaders()
            return None
        partitions = client.layout.partitions
        error, *rest = answer.payload
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

    def _take(self, news: Reply, commit: Callable[[], Generator[Any, Any, None]]) -> Generator[Any, Any, None]:
        """Give up what is another's from now on, and begin with what is new."""
        change = self.membership.synced(news)
        if change.revoked:
            yield from commit()
            self._give_up(change.revoked, "it moves to another member")
        if change.rejoin:
            self._must_join = True
        if change.added:
            yield from self._begin(change.added)

    def _begin(self, added: Iterable[TopicPartition]) -> Generator[Any, Any, None]:
        numbers = [self._client.layout.numbers[each] for each in added]
        places = yield from self._committed_places(numbers)
        sim = self._sim
        for number in numbers:
            offset = places[number]
            shown = -1 if offset is None else offset
            sim.record(ASSIGNED, None, sim.partition(self._client.layout.names[number]), shown, self._value)
        self._fetching.assign({number: places[number] for number in numbers})

    def _committed_places(self, numbers: list[int]) -> Generator[Any, Any, dict[int, int | None]]:
        while True:
            payload = (self._fetching.reads_committed, *numbers)
            answer = yield from self._client.ask_leader(self._client.layout.offsets, "offsets", self._group, payload)
            error, *flat = answer.payload
            if not error:
                return {number: None if offset < 0 else offset for number, offset in zip(flat[::2], flat[1::2], strict=True)}
            if NAMES[error] == "UNSTABLE_OFFSET_COMMIT":
                yield self._sim.sleep(self._client.retry_backoff_ms)
            else:
                yield from self._client.find_leaders()

    def _give_up(self, partitions: Iterable[TopicPartition], reason: str) -> None:
        sim = self._sim
        numbers = [self._client.layout.numbers[each] for each in partitions]
        for number in numbers:
            sim.record(REVOKED, None, sim.partition(self._client.layout.names[number]), self._value, sim.value(reason))
        self._fetching.revoke(numbers)
