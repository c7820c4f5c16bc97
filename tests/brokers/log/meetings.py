"""A group, its coordinator and its consumers, with no network and no time between them."""

from __future__ import annotations

from collections import deque

from simulator.brokers.log.group import Group
from simulator.brokers.log.members import Reply
from simulator.brokers.log.membership import Membership
from simulator.brokers.log.subscriptions import TopicPartition


class Meeting:
    """Consumers by name. A partition that two of them read at a time is noted in ``shared``."""

    def __init__(self, partitions: dict[str, int], *, delay: float = 0.0) -> None:
        self.partitions = partitions
        self.group = Group(group_initial_rebalance_delay_ms=delay)
        self.now = 0.0
        self.consumers: dict[str, Membership] = {}
        self.stopped: set[str] = set()
        """Who doesn't answer any more."""
        self.shared: set[TopicPartition] = set()
        self.gave_up: list[tuple[str, TopicPartition]] = []
        self.errors: list[tuple[str, str]] = []
        self._due: deque[Reply] = deque()

    def start(self, name: str, consumer: Membership) -> None:
        self.consumers[name] = consumer
        self.stopped.discard(name)
        self._join(name)
        self.settle()

    def close(self, name: str) -> None:
        consumer = self.consumers.pop(name)
        self._due += self.group.leave(self.now, name, consumer.member_id)
        self.settle()

    def crash(self, name: str) -> None:
        self.consumers.pop(name)
        self.stopped.add(name)

    def wait(self, ms: float, step: float = 1_000.0) -> None:
        """Time passes; consumers send their heartbeats."""
        end = self.now + ms
        while self.now < end:
            self.now = min(end, self.now + step)
            self._due += self.group.expire(self.now)
            self.settle()
            for name, consumer in list(self.consumers.items()):
                if consumer.generation >= 0 and consumer.heartbeat_due <= self.now:
                    consumer.heartbeat_sent(self.now)
                    self._due += self.group.heartbeat(
                        self.now, name, consumer.member_id, consumer.generation, instance_id=consumer.instance_id
                    )
                    self.settle()

    def settle(self) -> None:
        while self._due:
            reply = self._due.popleft()
            name = str(reply.caller)
            if name in self.consumers:
                self._answered(name, self.consumers[name], reply)
            held: list[TopicPartition] = [each for one in self.consumers.values() for each in one.owned]
            self.shared |= {each for each in held if held.count(each) > 1}

    def reading(self) -> dict[str, str]:
        return {name: " ".join(map(str, sorted(one.owned))) for name, one in self.consumers.items()}

    def _answered(self, name: str, consumer: Membership, reply: Reply) -> None:
        if reply.error != "NONE":
            self.errors.append((name, reply.error))
            self._note(name, consumer.refused(reply))
            if reply.error == "FENCED_INSTANCE_ID":
                del self.consumers[name]
            else:
                self._join(name)
        elif reply.to == "join":
            decided = consumer.joined(self.now, reply, self.partitions)
            self._due += self.group.sync(
                self.now, name, consumer.member_id, consumer.generation, decided, instance_id=consumer.instance_id
            )
        elif reply.to == "sync":
            change = consumer.synced(reply)
            self._note(name, change.revoked)
            if change.rejoin:
                self._join(name)

    def _join(self, name: str) -> None:
        consumer = self.consumers[name]
        self._note(name, consumer.rejoin())
        self._due += self.group.join(
            self.now, name, consumer.member_id, consumer.protocols(), client_id=name, instance_id=consumer.instance_id,
            session_timeout_ms=consumer.session_timeout_ms, rebalance_timeout_ms=consumer.max_poll_interval_ms,
        )  # fmt: skip

    def _note(self, name: str, given_up: tuple[TopicPartition, ...]) -> None:
        self.gave_up += [(name, each) for each in given_up]
