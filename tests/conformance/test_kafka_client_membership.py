"""How a group loses a member other than by its leaving, and what its partitions' new owners read: runs of ours against
Kafka's real client.

Each story is played by real clients, all stories side by side, and once more as a run; both show the same facts.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import define, field

from simulator import Crash, KafkaConsumer, KafkaProducer, KafkaTopic, ListedKeys, Trace
from simulator.brokers.log.partitioner import partition_for_key
from tests.conformance.kafka_group_twin import SESSION_TIMEOUT_MS, Client, Waiting, play
from tests.conformance.kafka_log_twin import Real
from tests.conformance.kafka_mock import MockCluster
from tests.kafka import cluster

pytestmark = pytest.mark.conformance

PARTITIONS = 4
KEYS = [f"customer {number}" for number in range(12)]
Facts = dict[str, Any]


@define
class Stage:
    """Where the real clients of one story play."""

    cluster: MockCluster
    clients: list[Client]
    """Those of all stories, to be polled."""
    facts: Facts = field(factory=dict)
    children: list[subprocess.Popen[bytes]] = field(factory=list)

    def client(self, group: str, topic: str, **settings: Any) -> Client:
        """A consumer of this topic in this group."""
        given = {name.replace("_", "."): value for name, value in settings.items()}
        self.clients.append(Client(self.cluster, group, [topic], **given))
        return self.clients[-1]


def share(*clients: Client) -> Callable[[], bool]:
    """Whether these read all partitions among them, in one generation."""

    def come() -> bool:
        read = [each for client in clients for each in client.reads]
        generations = {client.settled for client in clients}
        return len(read) == len(set(read)) == PARTITIONS and None not in generations and len(generations) == 1

    return come


def numbers(partitions: Any) -> list[int]:
    """Of names of partitions, the part that is the same on both sides."""
    return sorted(int(each.rpartition("-")[2]) for each in partitions)


def consumer(name: str, **settings: Any) -> KafkaConsumer:
    return KafkaConsumer(name, **({"group": "group", "work": 1, "auto_offset_reset": "earliest"} | settings))


TOPIC = (KafkaTopic("orders", partitions=PARTITIONS),)


def reads(trace: Trace, name: str, at: float | None = None) -> list[int]:
    """The partitions that a consumer reads at a time, or at the end."""
    held: set[str] = set()
    for step in trace.select("assigned", "revoked", node=name):
        if at is None or step.time <= at:
            (held.add if step.kind == "assigned" else held.discard)(step["partition"])
    return numbers(held)


# One of two is so long at work that it does not poll for max.poll.interval.ms; later it polls again.


def slow_at_work(stage: Stage) -> Waiting:
    group, topic = stage.cluster.new_name("group"), stage.cluster.topic(PARTITIONS)
    settings = {"partition_assignment_strategy": "range", "max_poll_interval_ms": SESSION_TIMEOUT_MS}
    slow, other = stage.client(group, topic, **settings), stage.client(group, topic, **settings)
    yield share(slow, other), "Two members share the partitions."
    had = numbers(slow.reads)
    slow.told.clear()
    slow.silent = True
    yield share(other), "Who polls takes over what the one had that does not."
    slow.silent = False
    yield share(slow, other), "Who polls again has its share again."
    lost = [numbers(told.partitions) for told in slow.told if told.kind == "lost"]
    stage.facts = {"had": len(had), "lost all that": lost == [had], "has again": len(slow.reads)}


def our_slow_at_work() -> Facts:
    settings = {"partition_assignment_strategy": "range", "max_poll_interval_ms": 10_000}
    # The slow one has the first half of the partitions, and the only order goes there.
    first_half = next(key for key in KEYS if partition_for_key(key, PARTITIONS) < PARTITIONS // 2)
    trace = cluster(
        KafkaProducer("shop", 30_000, keys=ListedKeys([first_half]), count=1),
        consumer("a slow one", work=60_000, **settings),
        consumer("the other", **settings),
        topics=TOPIC,
        duration=150_000,
    )
    started = next(step.time for step in trace.select("started", node="a slow one"))
    had = reads(trace, "a slow one", started)
    lost = [step["partition"] for step in trace.select("revoked", node="a slow one") if step["reason"] == "lost"]
    assert reads(trace, "the other", started + 50_000) == list(range(PARTITIONS))
    return {"had": len(had), "lost all that": numbers(lost) == had, "has again": len(reads(trace, "a slow one"))}


# One of two is killed, with its process.

CHILD = """
import os, sys
from confluent_kafka import Consumer

bootstrap, group, topic, assignor, session = sys.argv[1:]
consumer = Consumer({
    "bootstrap.servers": bootstrap, "group.id": group, "partition.assignment.strategy": assignor,
    "session.timeout.ms": session, "heartbeat.interval.ms": 50, "log_level": 3,
})
consumer.subscribe([topic])
tests = os.getppid()
while os.getppid() == tests:
    consumer.poll(0.02)
    consumer.assignment()
"""


def killed(assignor: str) -> Callable[[Stage], Waiting]:
    def real(stage: Stage) -> Waiting:
        group, topic = stage.cluster.new_name("group"), stage.cluster.topic(PARTITIONS)
        arguments = (stage.cluster.bootstrap, group, topic, assignor, str(SESSION_TIMEOUT_MS))
        survivor = stage.client(group, topic, partition_assignment_strategy=assignor)
        yield share(survivor), "One member reads all partitions."
        child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments])
        stage.children.append(child)

        def half() -> bool:
            return len(survivor.reads) == PARTITIONS // 2 and survivor.settled is not None

        yield half, "A member in another process takes over half of the partitions."
        survivor.told.clear()
        child.kill()
        yield share(survivor), "When that is killed, the other one reads all of them again."
        stage.facts = {"gave up": len(set(survivor.stopped())), "reads": numbers(survivor.reads)}

    return real


def our_killed(assignor: str) -> Callable[[], Facts]:
    def ours() -> Facts:
        members = (consumer(name, partition_assignment_strategy=assignor) for name in ("survivor", "victim"))
        trace = cluster(*members, topics=TOPIC, faults=[Crash("victim", at=20_000)], duration=100_000)
        gave_up = [step for step in trace.select("revoked", node="survivor") if step.time > 20_000]
        return {"gave up": len({step["partition"] for step in gave_up}), "reads": reads(trace, "survivor")}

    return ours


# Static members share by their names, and one that is closed keeps its place until its session ends.


def static(stage: Stage) -> Waiting:
    group, topic = stage.cluster.new_name("group"), stage.cluster.topic(PARTITIONS)
    settings = {"partition_assignment_strategy": "range"}
    second = stage.client(group, topic, group_instance_id="b", **settings)
    first = stage.client(group, topic, group_instance_id="a", **settings)
    yield share(first, second), "Two static members share the partitions."
    shared = [numbers(first.reads), numbers(second.reads)]
    first.close()
    closed = time.monotonic()
    yield share(second), "When the session of a closed static member is over, the other one takes over."
    waited = (time.monotonic() - closed) * 1_000
    stage.facts = {"shared": shared, "waited": waited > SESSION_TIMEOUT_MS / 2, "reads": numbers(second.reads)}


def our_static() -> Facts:
    settings = {"partition_assignment_strategy": "range"}
    second = consumer("second", group_instance_id="b", **settings)
    first = consumer("first", group_instance_id="a", start_at=500, close_at=20_000, **settings)
    trace = cluster(second, first, topics=TOPIC, duration=100_000)
    took_over = max(step.time for step in trace.select("assigned", node="second"))
    return {
        "shared": [reads(trace, "first", 19_000), reads(trace, "second", 19_000)],
        "waited": took_over - 20_000 > first.session_timeout_ms / 2,
        "reads": reads(trace, "second"),
    }


# One reads everything and commits; another joins, and more is written.


def handed_on(stage: Stage) -> Waiting:
    writer = Real(stage.cluster, PARTITIONS)
    group = stage.cluster.new_name("group")
    writer.produce(KEYS)
    first = stage.client(group, writer.topic, partition_assignment_strategy="range")
    yield lambda: len(first.places) == len(KEYS), "The only member reads all that was written."
    for partition, offset in dict(sorted(first.places)).items():
        first.commit(writer.topic, partition, offset + 1)
    second = stage.client(group, writer.topic, partition_assignment_strategy="range")
    yield share(first, second), "Another one joins."
    writer.produce(KEYS)
    both = [first.places, second.places]
    yield lambda: sum(map(len, both)) >= 2 * len(KEYS), "The two read all that is written now."
    read = sorted(first.places + second.places)
    stage.facts = {"read": read, "each has read": all(both)}


def our_handed_on() -> Facts:
    settings = {"partition_assignment_strategy": "range", "enable_auto_commit": False}
    # The first records are read and committed before the second member comes, the others are written after that.
    trace = cluster(
        KafkaProducer("shop", 100, keys=ListedKeys(KEYS), count=len(KEYS)),
        KafkaProducer("branch", 20_000, keys=ListedKeys(KEYS), count=len(KEYS)),
        consumer("first", **settings),
        consumer("second", start_at=10_000, **settings),
        topics=TOPIC,
        duration=250_000,
    )
    fetched = list(trace.select("fetched"))
    return {
        "read": sorted((numbers([step["partition"]])[0], step["offset"]) for step in fetched),
        "each has read": {step.node for step in fetched} == {"first", "second"},
    }


STORIES: dict[str, tuple[Callable[[Stage], Waiting], Callable[[], Facts]]] = {
    "slow at work": (slow_at_work, our_slow_at_work),
    "killed among eager members": (killed("range"), our_killed("range")),
    "killed among cooperative members": (killed("cooperative-sticky"), our_killed("cooperative-sticky")),
    "static members": (static, our_static),
    "what was committed": (handed_on, our_handed_on),
}


@pytest.fixture(scope="module")
def played(kafka_mock: MockCluster) -> Iterator[dict[str, Stage]]:
    """All stories, played by real clients."""
    clients: list[Client] = []
    stages = {name: Stage(kafka_mock, clients) for name in STORIES}
    try:
        play([STORIES[name][0](stage) for name, stage in stages.items()], clients)
        yield stages
    finally:
        for client in clients:
            client.close()
        for stage in stages.values():
            for child in stage.children:
                child.kill()
                child.wait()


@pytest.mark.parametrize("name", STORIES)
def test_the_story_goes_as_with_kafkas_clients(played: dict[str, Stage], name: str) -> None:
    assert STORIES[name][1]() == played[name].facts
