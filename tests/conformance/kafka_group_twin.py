"""The same comings and goings in a consumer group of ours and in one of librdkafka's mock cluster, with Kafka's real client.

The real clients play first. The mock gives its members ids that nobody can foresee, and assignors go by them, so ours are called
by those ids. Each of the mock's rebalances takes a fixed time (its members' session timeout less a second), so many groups play
side by side: every group is a generator that says what it waits for, and one loop polls all clients until it has come.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NamedTuple

from attrs import field, frozen

from simulator import KafkaBroker, KafkaConsumer, KafkaController, KafkaTopic, Scenario, Trace, kafka_links, run
from simulator.brokers.log.membership import Membership
from tests.brokers.log.meetings import Meeting
from tests.conformance.kafka_log_twin import PATIENCE
from tests.conformance.kafka_mock import MockCluster

SESSION_TIMEOUT_MS = 1_800
"""Leaves a member 0.8 s to come back when a group of the mock's is called together."""

Waiting = Generator[tuple[Callable[[], bool], str], None, None]
"""Yields what must become true, and a sentence for when it does not."""


@frozen
class Script:
    """Who comes and goes, one after the other: ("join", name) and ("leave", name). No name is used twice."""

    assignor: str
    topics: dict[str, int]
    """Partitions by topic."""
    steps: tuple[tuple[str, str], ...] = field(converter=tuple)
    subscriptions: dict[str, tuple[str, ...]] = field(factory=dict)
    """By name; who is not among them wants all topics."""

    def wants(self, name: str) -> tuple[str, ...]:
        return self.subscriptions.get(name, tuple(self.topics))


class Seen(NamedTuple):
    """What one step has led to."""

    reads: dict[str, frozenset[str]]
    """What each member reads by now."""
    gave_up: dict[str, frozenset[str]]
    """What each member that read before and still does had to stop reading, for good or for the time of a rebalance."""


def _seen(before: dict[str, frozenset[str]], reads: dict[str, Iterable[str]], stopped: dict[str, Iterable[str]]) -> Seen:
    """Leaves out what came only in between, and whoever came or went."""
    now = {name: frozenset(each) for name, each in reads.items()}
    both = sorted(before.keys() & now.keys())
    return Seen(now, {name: before[name] & frozenset(stopped.get(name, ())) for name in both})


class Told(NamedTuple):
    """A call of the client's to its application."""

    kind: str
    """"assigned", "revoked" or "lost"."""
    partitions: list[str]
    generation: int


class Client:
    """A real consumer in a group, and what it was told."""

    def __init__(self, cluster: MockCluster, group: str, topics: Sequence[str], **settings: Any) -> None:
        from confluent_kafka import Consumer

        self._consumer = Consumer(
            {
                "bootstrap.servers": cluster.bootstrap,
                "group.id": group,
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                "heartbeat.interval.ms": 50,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "log_level": 3,
                **settings,
            }
        )
        self.told: list[Told] = []
        """The latest last."""
        self.places: list[tuple[int, int]] = []
        """Partition and offset of each record that it was given."""
        self.silent = False
        """Whether its application does not poll, for the time being or since it is closed."""
        self.closed = False
        noted = {kind: self._noting(kind) for kind in ("assigned", "revoked", "lost")}
        self._consumer.subscribe(
            list(topics), on_assign=noted["assigned"], on_revoke=noted["revoked"], on_lost=noted["lost"]
        )

    @property
    def id(self) -> str:
        """What its group's coordinator calls it."""
        return str(self._consumer.memberid())

    @property
    def reads(self) -> frozenset[str]:
        """Its partitions."""
        return frozenset(_name(each) for each in self._consumer.assignment())

    @property
    def generation(self) -> int:
        """The generation of its group that it is in. The client shows it only in what it hands to a transaction: a magic word
        of seven letters, then this number."""
        shown = bytes(self._consumer.consumer_group_metadata())
        assert shown.startswith(b"CGMDv2:"), f"The client shows its generation in another way by now: {shown!r}."
        return int.from_bytes(shown[7:11], sys.byteorder, signed=True)

    @property
    def settled(self) -> int | None:
        """The generation that has given it its partitions; None if a newer one is still to do so."""
        told = [each.generation for each in self.told if each.kind == "assigned"]
        return told[-1] if told[-1:] == [self.generation] else None

    def stopped(self) -> list[str]:
        """What it was told to give up."""
        return [each for told in self.told for each in told.partitions if told.kind != "assigned"]

    def poll(self) -> None:
        """Let the client do what it has to do."""
        message = self._consumer.poll(0.002)
        if message is not None and message.error() is None:
            self.places.append((message.partition(), message.offset()))
        # Asking for anything wakes its other thread, which otherwise sleeps past the time of a heartbeat.
        self._consumer.assignment()

    def close(self) -> None:
        """Leave."""
        if not self.closed:
            self.closed = self.silent = True
            self._consumer.close()

    def commit(self, topic: str, partition: int, offset: int) -> None:
        """Store where its group goes on."""
        from confluent_kafka import TopicPartition

        self._consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)

    def _noting(self, kind: str) -> Callable[[Any, list[Any]], None]:
        return lambda _, partitions: self.told.append(Told(kind, [_name(each) for each in partitions], self.generation))


def _name(partition: Any) -> str:
    return f"{partition.topic}-{partition.partition}"


def play(groups: Sequence[Waiting], clients: Sequence[Client]) -> None:
    """Let all these groups play side by side. ``clients`` may grow meanwhile."""
    waiting: list[tuple[Waiting, Callable[[], bool], str, float]] = []
    starting = list(groups)
    while waiting or starting:
        for group in starting:
            wanted = next(group, None)
            if wanted is not None:
                waiting.append((group, *wanted, time.monotonic() + PATIENCE))
        starting = []
        for client in clients:
            if not client.silent:
                client.poll()
        for each in list(waiting):
            group, come, sentence, until = each
            if come():
                waiting.remove(each)
                starting.append(group)
            else:
                assert time.monotonic() < until, f"{sentence} That did not come within {PATIENCE:.0f} s."


class RealGroup:
    """A script among real clients."""

    def __init__(self, cluster: MockCluster, script: Script, clients: list[Client]) -> None:
        self._cluster = cluster
        self._script = script
        self._clients = clients
        self.ids: dict[str, str] = {}
        self.seen: list[Seen] = []

    def play(self) -> Waiting:
        """Step by step, each as soon as the group has settled after the last one."""
        script, cluster = self._script, self._cluster
        # Assignors take topics in the order of their names, so the real ones keep it.
        prefix = cluster.new_name("group")
        for topic, partitions in script.topics.items():
            cluster.topic(partitions, name=f"{prefix}.{topic}")
        members: dict[str, Client] = {}
        for what, name in script.steps:
            before = {self.ids[each]: self._plain(client.reads) for each, client in members.items()}
            for client in members.values():
                client.told.clear()
            if what == "join":
                topics = [f"{prefix}.{topic}" for topic in script.wants(name)]
                strategy = {"partition.assignment.strategy": script.assignor}
                members[name] = Client(cluster, prefix, topics, **strategy)
                self._clients.append(members[name])
            else:
                members.pop(name).close()
            yield self._settled(members), f"In {script}, after ({what}, {name}), all partitions are to be read by the group."
            self.ids |= {each: client.id for each, client in members.items() if each not in self.ids}
            reads = {self.ids[each]: self._plain(client.reads) for each, client in members.items()}
            stopped = {self.ids[each]: self._plain(client.stopped()) for each, client in members.items()}
            self.seen.append(_seen(before, reads, stopped))
        for client in members.values():
            client.close()

    def _settled(self, members: dict[str, Client]) -> Callable[[], bool]:
        wanted = sorted(
            {
                f"{topic}-{n}"
                for name in members
                for topic in self._script.wants(name)
                for n in range(self._script.topics[topic])
            }
        )

        def settled() -> bool:
            read = sorted(each for client in members.values() for each in self._plain(client.reads))
            generations = {client.settled for client in members.values()}
            return read == wanted and None not in generations and len(generations) <= 1

        return settled

    def _plain(self, partitions: Iterable[str]) -> frozenset[str]:
        """Without what makes the topics' names unique."""
        return frozenset(each.partition(".")[2] for each in partitions)


def by_decisions(script: Script, ids: dict[str, str]) -> list[Seen]:
    """The script with our group, memberships and assignors, and no network between them."""
    meeting = Meeting(script.topics)
    found: list[Seen] = []
    for what, name in script.steps:
        before = _reading(meeting)
        meeting.gave_up.clear()
        if what == "join":
            meeting.start(ids[name], Membership(script.wants(name), assignors=(script.assignor,)))
        else:
            meeting.close(ids[name])
        # Members hear of a rebalance with their next heartbeat.
        meeting.wait(10_000)
        stopped: dict[str, Iterable[str]] = {}
        for member, partition in meeting.gave_up:
            stopped[member] = {*stopped.get(member, ()), str(partition)}
        found.append(_seen(before, dict(_reading(meeting)), stopped))
    return found


def _reading(meeting: Meeting) -> dict[str, frozenset[str]]:
    return {name: frozenset(map(str, one.owned)) for name, one in meeting.consumers.items()}


BETWEEN_STEPS_MS = 30_000.0


def by_nodes(script: Script, ids: dict[str, str]) -> list[Seen]:
    """The script as a run, read from its trace."""
    begins = {ids[name]: place for place, (what, name) in enumerate(script.steps) if what == "join"}
    ends = {ids[name]: place for place, (what, name) in enumerate(script.steps) if what == "leave"}
    consumers = [
        KafkaConsumer(
            ids[name],
            topics=script.wants(name),
            group="group",
            partition_assignment_strategy=script.assignor,
            start_at=begins[ids[name]] * BETWEEN_STEPS_MS,
            close_at=ends[ids[name]] * BETWEEN_STEPS_MS if ids[name] in ends else None,
        )
        for name in dict.fromkeys(name for _, name in script.steps)
    ]
    topics = [KafkaTopic(topic, partitions=partitions) for topic, partitions in script.topics.items()]
    nodes = [KafkaController("controller", topics), KafkaBroker("broker"), *consumers]
    trace = run(Scenario(nodes, kafka_links(nodes), duration=len(script.steps) * BETWEEN_STEPS_MS))
    return seen_in(trace, [consumer.name for consumer in consumers], len(script.steps), begins, ends)


def seen_in(trace: Trace, consumers: Sequence[str], steps: int, begins: dict[str, int], ends: dict[str, int]) -> list[Seen]:
    """What each step of a script has led to, from the trace of a run of it."""
    changes = [step for step in trace.select("assigned", "revoked") if step.node in consumers]
    reads: dict[str, frozenset[str]] = {}
    found: list[Seen] = []
    for place in range(steps):
        before = {name: each for name, each in reads.items() if ends.get(name, steps) > place}
        now: dict[str, set[str]] = {name: set(each) for name, each in before.items()}
        now |= {name: set() for name, begun in begins.items() if begun == place}
        stopped: dict[str, Iterable[str]] = {}
        for step in changes:
            if not place <= step.time / BETWEEN_STEPS_MS < place + 1 or step.node not in now:
                continue
            if step.kind == "assigned":
                now[step.node].add(step["partition"])
            else:
                now[step.node].discard(step["partition"])
                stopped[step.node] = {*stopped.get(step.node, ()), step["partition"]}
        found.append(_seen(before, dict(now), stopped))
        reads = found[-1].reads
    return found
