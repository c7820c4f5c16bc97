"""The reference workload in the idiom of SimPy's documentation ("Event Latency"): a message that crosses a link is a process
which waits for the latency and then puts it into the receiver's store; whoever receives is a process that gets from there.

It does the same rounds (produce until acknowledged or too late, fetch, work, commit) and traces the same steps in the same
packed form; it keeps no table of messages, which would only make it slower.
"""

from __future__ import annotations

from typing import Any

import simpy

from benchmarks import workload as w
from simulator.brokers.log.partitioner import partition_for_key
from simulator.clients.arrivals import Poisson, ZipfKeys
from simulator.streams import Streams
from simulator.trace import STEP
from simulator.vocabulary import (
    ACKNOWLEDGED,
    APPENDED,
    COMMITTED,
    CREATED,
    DELIVERED,
    DUPLICATED,
    FETCHED,
    IGNORED,
    LOST,
    PROCESSED,
    SENT,
    STARTED,
    TIMED_OUT,
)

TOPIC = w.PRODUCERS
SHARE = w.PARTITIONS // w.CONSUMERS


class Model:
    def __init__(self, seed: int) -> None:
        self.env = simpy.Environment()
        self.streams = Streams(seed)
        self.steps = bytearray()
        self.made = 0
        self.log: list[list[tuple[int, str | None]]] = [[] for _ in range(w.PARTITIONS)]
        self.committed: dict[int, int] = {}
        self.changed = [self.env.event() for _ in range(w.PARTITIONS)]
        self.inboxes = [simpy.Store(self.env) for _ in range(w.PRODUCERS + 1 + w.CONSUMERS)]
        self.acknowledged: dict[int, simpy.Event] = {}

    def write(self, kind: int, node: int, message: int, cause: int, a: int = 0, b: int = 0, c: int = 0) -> int:
        index = len(self.steps) >> 5
        self.steps += STEP.pack(self.env.now, message, cause, a, b, c, node, kind)
        return index

    def make(self) -> int:
        self.made += 1
        return self.made

    def cross(self, source: int, target: int, latency: float, message: int, sent: int, copy: int, content: Any) -> Any:
        """One message on a link."""
        yield self.env.timeout(latency)
        delivered = self.write(DELIVERED, target, message, sent, source, copy)
        yield self.inboxes[target].put((source, message, delivered, content))

    def producer(self, number: int) -> Any:
        name = f"producer-{number + 1}"
        gaps = Poisson(w.PER_SECOND).gaps(self.streams(f"{name}/arrivals"))
        choose = ZipfKeys(w.KEYS).chooser(self.streams(f"{name}/keys"))
        draw = self.streams(f"{name}/link").random
        self.env.process(self.acknowledgements(number))
        for gap in gaps:
            yield self.env.timeout(gap)
            self.env.process(self.produce(number, choose(), draw))

    def produce(self, producer: int, key: str | None, draw: Any) -> Any:
        """A record's way: sent until its acknowledgement comes."""
        record = self.make()
        cause = self.write(CREATED, producer, record, -1)
        acknowledged = self.acknowledged[record] = self.env.event()
        attempt = 0
        while not acknowledged.triggered:
            attempt += 1
            sent = self.write(SENT, producer, record, cause, TOPIC, attempt)
            latency = w.LOW + (w.HIGH - w.LOW) * draw()
            lost, doubled = draw() < w.LOSS, draw() < w.DUPLICATES
            content = ("record", key, draw)
            if lost:
                self.write(LOST, producer, record, sent, TOPIC)
            else:
                self.env.process(self.cross(producer, TOPIC, latency, record, sent, 0, content))
                if doubled:
                    self.write(DUPLICATED, producer, record, sent, TOPIC, 2)
                    self.env.process(self.cross(producer, TOPIC, latency + w.COPY_AFTER, record, sent, 1, content))
            yield acknowledged | self.env.timeout(30_000.0)
            if not acknowledged.triggered:
                cause = self.write(TIMED_OUT, producer, record, sent, TOPIC, attempt)
                yield self.env.timeout(100.0)

    def acknowledgements(self, producer: int) -> Any:
        while True:
            _, ack, delivered, (record, place) = yield self.inboxes[producer].get()
            acknowledged = self.acknowledged.pop(record, None)
            if acknowledged is None:
                self.write(IGNORED, producer, ack, delivered)
            else:
                self.write(ACKNOWLEDGED, producer, record, delivered, *place)
                acknowledged.succeed()

    def topic(self) -> Any:
        while True:
            source, message, cause, content = yield self.inboxes[TOPIC].get()
            if content[0] == "record":
                self.append(source, message, cause, *content[1:])
            elif content[0] == "fetch":
                self.env.process(self.fetch(source, cause, content[1]))
            else:
                for partition, offset in content[1].items():
                    self.committed[partition] = offset
                    cause = self.write(COMMITTED, TOPIC, message, cause, partition, offset)

    def append(self, producer: int, record: int, cause: int, key: Any, draw: Any) -> None:
        partition = partition_for_key(key, w.PARTITIONS)
        self.log[partition].append((record, key))
        offset = len(self.log[partition]) - 1
        cause = self.write(APPENDED, TOPIC, record, cause, partition, offset)
        ack = self.make()
        sent = self.write(SENT, TOPIC, ack, cause, producer, 1)
        latency = w.LOW + (w.HIGH - w.LOW) * draw()
        self.env.process(self.cross(TOPIC, producer, latency, ack, sent, 0, (record, (partition, offset))))
        self.changed[partition].succeed()
        self.changed[partition] = self.env.event()

    def fetch(self, consumer: int, cause: int, places: dict[int, int]) -> Any:
        if not any(len(self.log[each]) > offset for each, offset in places.items()):
            yield self.env.any_of([self.env.timeout(500.0), *(self.changed[each] for each in places)])
        found = [
            (each, offset, self.log[each][offset][0])
            for each, first in places.items()
            for offset in range(first, len(self.log[each]))
        ]
        reply = self.make()
        sent = self.write(SENT, TOPIC, reply, cause, consumer, 1)
        yield self.env.process(self.cross(TOPIC, consumer, w.FETCH_LATENCY, reply, sent, 0, found))

    def consumer(self, number: int) -> Any:
        me = w.PRODUCERS + 1 + number
        places = dict.fromkeys(range(number * SHARE, (number + 1) * SHARE), 0)
        while True:
            request = self.make()
            sent = self.write(SENT, me, request, -1, TOPIC, 1)
            self.env.process(self.cross(me, TOPIC, w.FETCH_LATENCY, request, sent, 0, ("fetch", dict(places))))
            answered = self.inboxes[me].get()
            yield answered | self.env.timeout(30_000.0)
            _, _, cause, records = answered.value
            fetched = []
            touched = set()
            for partition, offset, record in records:
                fetched.append((record, self.write(FETCHED, me, record, cause, partition, offset)))
                places[partition] = offset + 1
                touched.add(partition)
            for record, step in fetched:
                started = self.write(STARTED, me, record, step)
                yield self.env.timeout(w.WORK)
                cause = self.write(PROCESSED, me, record, started, 1)
            if touched:
                commit = self.make()
                sent = self.write(SENT, me, commit, cause, TOPIC, 1)
                reached = {each: places[each] for each in sorted(touched)}
                self.env.process(self.cross(me, TOPIC, w.FETCH_LATENCY, commit, sent, 0, ("commit", reached)))


def run(duration: float, seed: int) -> bytearray:
    """Run it and give the packed steps."""
    model = Model(seed)
    model.env.process(model.topic())
    for number in range(w.PRODUCERS):
        model.env.process(model.producer(number))
    for number in range(w.CONSUMERS):
        model.env.process(model.consumer(number))
    model.env.run(until=duration)
    return model.steps
