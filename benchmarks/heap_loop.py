"""The reference workload as one would write it by hand: one heap, one loop, no engine, no nodes, no general part at all.

It does the same work and keeps the same records; that the steps come out the same, byte for byte, is part of the benchmark.
"""

from __future__ import annotations

from array import array
from collections import deque
from heapq import heappop, heappush
from itertools import count

from benchmarks import workload as w
from simulator.brokers.log.partitioner import partition_for_key
from simulator.clients.arrivals import Poisson, ZipfKeys
from simulator.network import Drop, Duplicate, stream_of
from simulator.streams import Streams
from simulator.trace import MESSAGE, STEP
from simulator.vocabulary import (
    ACKNOWLEDGED,
    APPENDED,
    ASSIGNED,
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
TIMEOUT, BACKOFF, BACKOFF_MAX, MAX_WAIT, MAX_POLL = 30_000.0, 100.0, 1_000.0, 500, 500


def run(duration: float, seed: int) -> bytearray:
    """Run it and give the packed steps."""
    streams = Streams(seed)
    steps, messages = bytearray(), bytearray()
    payloads: dict[int, tuple] = {}
    numbers, numbers_at = array("i", [0]), array("i")
    keys: list[str | None] = [None]
    values: dict[object, int] = {None: 0}
    pack, pack_message = STEP.pack, MESSAGE.pack
    queue: list[tuple] = []
    ticket = count().__next__
    now = 0.0
    written = 0

    def value(held: object) -> int:
        return values.setdefault(held, len(values))

    def write(kind: int, node: int, message: int, cause: int, a: int = 0, b: int = 0, c: int = 0) -> int:
        nonlocal written, steps
        steps += pack(now, message, cause, a, b, c, node, kind)
        written += 1
        return written - 1

    def make(kind: str, key: str | None, payload: tuple | None, in_reply_to: int) -> int:
        nonlocal messages
        number = len(keys)
        keys.append(key)
        messages += pack_message(value(kind), value(key), in_reply_to, 0)
        if payload is not None:
            payloads[number] = payload
            numbers_at.append(len(numbers))
            numbers.append(len(payload))
            numbers.extend(payload)
        else:
            numbers_at.append(0)
        return number

    value("billing")
    log: list[list[int]] = [[] for _ in range(w.PARTITIONS)]
    committed: dict[tuple[str, int], int] = {}
    waiting: list[list[list]] = [[] for _ in range(w.PARTITIONS)]

    # Producers.
    gaps, choose, samples, faults, jitter = [], [], [], [], []
    unanswered: list[dict[int, list]] = []
    late: list[deque] = []
    for number in range(w.PRODUCERS):
        name = f"producer-{number + 1}"
        gaps.append(Poisson(w.PER_SECOND).gaps(streams(f"node/{name}/arrivals")).__next__)
        choose.append(ZipfKeys(w.KEYS).chooser(streams(f"node/{name}/keys")))
        jitter.append(streams(f"node/{name}/backoff").random)
        samples.append((streams(f"link/{name}/orders/OrderCreated").random, streams(f"link/orders/{name}/ack").random))
        drop = Drop(name, "orders", probability=w.LOSS)
        double = Duplicate(name, "orders", probability=w.DUPLICATES, after=w.COPY_AFTER)
        faults.append((streams(f"{stream_of(drop)}/1").random, streams(f"{stream_of(double)}/1").random))
        unanswered.append({})
        late.append(deque())
    width = w.HIGH - w.LOW

    def produce(producer: int, *_: int) -> None:
        record = make("OrderCreated", choose[producer](), None, 0)
        created = write(CREATED, producer, record, -1)
        heappush(queue, (now + gaps[producer](), ticket(), produce, producer, 0, 0, 0))
        attempt_it(producer, [record, 0, 0.0, now + 120_000.0], created)

    def attempt_it(producer: int, attempt: list, cause: int) -> None:
        attempt[1] += 1
        attempt[2] = now + TIMEOUT
        record = attempt[0]
        unanswered[producer][record] = attempt
        if not late[producer]:
            heappush(queue, (now + TIMEOUT, ticket(), sweep, producer, 0, 0, cause))
        late[producer].append(attempt)
        sent = write(SENT, producer, record, cause, TOPIC, attempt[1])
        delay = w.LOW + width * samples[producer][0]()
        lost = faults[producer][0]() < w.LOSS
        doubled = faults[producer][1]() < w.DUPLICATES
        if lost:
            write(LOST, producer, record, sent, TOPIC, value("Drop"))
            return
        heappush(queue, (now + delay, ticket(), arrive, producer, record, 0, sent))
        if doubled:
            heappush(queue, (now + (delay + w.COPY_AFTER), ticket(), arrive, producer, record, 1, sent))
            write(DUPLICATED, producer, record, sent, TOPIC, 2)

    def sweep(producer: int, _a: int, _b: int, cause: int) -> None:
        in_order = late[producer]
        while in_order and in_order[0][2] <= now:
            attempt = in_order.popleft()
            if attempt[2]:
                cause = write(TIMED_OUT, producer, attempt[0], cause, TOPIC, attempt[1], value("indefinite"))
                wait = min(BACKOFF * 2.0 ** (attempt[1] - 1), BACKOFF_MAX) * (0.8 + 0.4 * jitter[producer]())
                attempt[2] = 0.0
                heappush(queue, (now + wait, ticket(), again, producer, attempt, 0, cause))
        while in_order and not in_order[0][2]:
            in_order.popleft()
        if in_order:
            heappush(queue, (now + (in_order[0][2] - now), ticket(), sweep, producer, 0, 0, cause))

    def again(producer: int, attempt: list, _: int, cause: int) -> None:
        if attempt[0] in unanswered[producer]:
            attempt_it(producer, attempt, cause)

    # The topic.
    def arrive(producer: int, record: int, copy: int, cause: int) -> None:
        delivered = write(DELIVERED, TOPIC, record, cause, producer, copy)
        partition = partition_for_key(keys[record], w.PARTITIONS)
        one = log[partition]
        offset = len(one)
        one.append(record)
        appended = write(APPENDED, TOPIC, record, delivered, partition, offset)
        ack = make("ack", keys[record], (partition, offset), record)
        sent = write(SENT, TOPIC, ack, appended, producer, 1)
        delay = w.LOW + width * samples[producer][1]()
        heappush(queue, (now + delay, ticket(), acknowledge, producer, ack, record, sent))
        cause = sent
        while waiting[partition]:
            cause = answer(waiting[partition][0], cause)

    def acknowledge(producer: int, ack: int, record: int, cause: int) -> None:
        delivered = write(DELIVERED, producer, ack, cause, TOPIC)
        attempt = unanswered[producer].pop(record, None)
        if attempt is None:
            write(IGNORED, producer, ack, delivered, value("acknowledged before"))
            return
        attempt[2] = 0.0
        write(ACKNOWLEDGED, producer, record, delivered, *payloads.pop(ack))

    def take_fetch(consumer: int, request: int, _: int, cause: int) -> None:
        delivered = write(DELIVERED, TOPIC, request, cause, consumer)
        places = payloads.pop(request)[2:]
        fetch = [request, consumer, places, None]
        for at in range(0, len(places), 2):
            if len(log[places[at]]) > places[at + 1]:
                answer(fetch, delivered)
                return
        for at in range(0, len(places), 2):
            waiting[places[at]].append(fetch)
        fetch[3] = True
        heappush(queue, (now + MAX_WAIT, ticket(), give_up, fetch, 0, 0, delivered))

    def give_up(fetch: list, _a: int, _b: int, cause: int) -> None:
        if fetch[3]:
            answer(fetch, cause)

    def answer(fetch: list, cause: int) -> int:
        request, consumer, places, parked = fetch
        if parked:
            fetch[3] = False
            for at in range(0, len(places), 2):
                waiting[places[at]].remove(fetch)
        found: list[int] = []
        room = MAX_POLL
        for at in range(0, len(places), 2):
            partition, one = places[at], log[places[at]]
            last = min(len(one), places[at + 1] + room)
            for offset in range(places[at + 1], last):
                found += (partition, offset, one[offset])
            room -= max(0, last - places[at + 1])
        reply = make("records", None, tuple(found), request)
        sent = write(SENT, TOPIC, reply, cause, consumer, 1)
        heappush(queue, (now + w.FETCH_LATENCY, ticket(), take_records, consumer, reply, 0, sent))
        return sent

    def take_commit(consumer: int, request: int, _: int, cause: int) -> None:
        cause = write(DELIVERED, TOPIC, request, cause, consumer)
        places = payloads.pop(request)
        for at in range(0, len(places), 2):
            committed["billing", places[at]] = places[at + 1]
            cause = write(COMMITTED, TOPIC, request, cause, places[at], places[at + 1], value("billing"))

    def take_offsets(consumer: int, request: int, _: int, cause: int) -> None:
        cause = write(DELIVERED, TOPIC, request, cause, consumer)
        flat: list[int] = []
        for partition in payloads.pop(request)[1:]:
            flat += (partition, committed.get(("billing", partition), 0))
        reply = make("offsets", None, tuple(flat), request)
        sent = write(SENT, TOPIC, reply, cause, consumer, 1)
        heappush(queue, (now + w.FETCH_LATENCY, ticket(), take_places, consumer, reply, 0, sent))

    # Consumers.
    first = w.PRODUCERS + 1
    share = w.PARTITIONS // w.CONSUMERS
    position: list[dict[int, int]] = [{} for _ in range(w.CONSUMERS)]
    in_hand: list[deque] = [deque() for _ in range(w.CONSUMERS)]
    touched: list[set[int]] = [set() for _ in range(w.CONSUMERS)]
    deadline, alarm = [0.0] * w.CONSUMERS, [False] * w.CONSUMERS
    times: list[dict[int, int]] = [{} for _ in range(w.CONSUMERS)]

    def ask(consumer: int, request: int, cause: int, handler: object) -> None:
        sent = write(SENT, consumer, request, cause, TOPIC, 1)
        heappush(queue, (now + w.FETCH_LATENCY, ticket(), handler, consumer, request, 0, sent))
        deadline[consumer - first] = now + TIMEOUT
        if not alarm[consumer - first]:
            alarm[consumer - first] = True
            heappush(queue, (now + TIMEOUT, ticket(), ring, consumer, 0, 0, 0))

    def ring(consumer: int, *_: int) -> None:
        # Every question in this workload is answered in time, so all there is to do is to look again later.
        left = deadline[consumer - first] - now
        if left <= 0:
            raise AssertionError("a question was not answered")
        heappush(queue, (now + left, ticket(), ring, consumer, 0, 0, 0))

    def take_places(consumer: int, reply: int, _: int, cause: int) -> None:
        cause = write(DELIVERED, consumer, reply, cause, TOPIC)
        flat = payloads.pop(reply)
        for at in range(0, len(flat), 2):
            cause = write(ASSIGNED, consumer, 0, cause, flat[at], flat[at + 1], value("billing"))
            position[consumer - first][flat[at]] = flat[at + 1]
        fetch(consumer, cause)

    def fetch(consumer: int, cause: int) -> None:
        wanted: list[object] = [MAX_POLL, MAX_WAIT]
        for place in position[consumer - first].items():
            wanted += place
        ask(consumer, make("fetch", None, tuple(wanted), 0), cause, take_fetch)

    def take_records(consumer: int, reply: int, _: int, cause: int) -> None:
        arrived = cause = write(DELIVERED, consumer, reply, cause, TOPIC)
        flat, places, me = payloads.pop(reply), position[consumer - first], consumer - first
        for at in range(0, len(flat), 3):
            partition, offset, record = flat[at : at + 3]
            cause = write(FETCHED, consumer, record, arrived, partition, offset)
            places.pop(partition)
            places[partition] = offset + 1
            touched[me].add(partition)
            in_hand[me].append((record, cause))
        go_on(consumer, cause)

    def go_on(consumer: int, cause: int) -> None:
        me = consumer - first
        if in_hand[me]:
            record, fetched = in_hand[me].popleft()
            started = write(STARTED, consumer, record, fetched)
            heappush(queue, (now + w.WORK, ticket(), finish, consumer, record, 0, started))
            return
        if touched[me]:
            places: list[int] = []
            for partition in sorted(touched[me]):
                places += (partition, position[me][partition])
            touched[me].clear()
            request = make("commit", "billing", tuple(places), 0)
            cause = write(SENT, consumer, request, cause, TOPIC, 1)
            heappush(queue, (now + w.FETCH_LATENCY, ticket(), take_commit, consumer, request, 0, cause))
        fetch(consumer, cause)

    def finish(consumer: int, record: int, _: int, cause: int) -> None:
        known = times[consumer - first]
        known[record] = attempt = known.get(record, 0) + 1
        go_on(consumer, write(PROCESSED, consumer, record, cause, attempt))

    for producer in range(w.PRODUCERS):
        heappush(queue, (gaps[producer](), ticket(), produce, producer, 0, 0, 0))
    for me in range(w.CONSUMERS):
        mine = tuple(range(me * share, (me + 1) * share))
        ask(first + me, make("offsets", "billing", (1, *mine), 0), -1, take_offsets)

    while queue:
        event = heappop(queue)
        now = event[0]
        if now > duration:
            break
        event[2](event[3], event[4], event[5], event[6])
    return steps
