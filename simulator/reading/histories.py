"""A run as its clients saw it: what each sent and polled, in Jepsen's form, without a look into the broker.

Source: the workload ``jepsen.tests.kafka`` of jepsen-io/jepsen (0.3.14).
"""

from __future__ import annotations

from collections.abc import Hashable

from simulator.reading.cluster_histories import in_transactions, sends_to_cluster
from simulator.reading.lineage import births
from simulator.reading.memo import remembered
from simulator.reading.operations import Lives, Operation, Poll, Send
from simulator.reading.parties import in_cluster, topics, topics_of
from simulator.reading.transactions import transactions
from simulator.trace import Trace
from simulator.vocabulary import ACKNOWLEDGED, APPENDED, ASSIGNED


@remembered
def history(trace: Trace) -> tuple[Operation, ...]:
    """What producers sent to topics and what consumers fetched, in the order in which it began.

    A key is a topic's name and a partition; a value is a record's message id, which a retry keeps. A send that was
    acknowledged is ``ok``; every other is ``info``: its client does not know, even where the trace does. (Where nobody does, the
    partition isn't known either and is given as -1.) A consumer that is assigned a partition starts there anew.

    In a cluster a key is a partition's name (``orders-?`` where nobody knows it), a send is ``fail`` where its client knows that
    it was refused each time, and what one transaction wrote and read is one operation.
    """
    told = [*_sends(trace), *sends_to_cluster(trace), *in_transactions(trace), *_polls(trace)]
    return tuple(operation for _, operation in sorted(told, key=lambda each: each[0]))


def _sends(trace: Trace) -> list[tuple[int, Operation]]:
    kept = {trace.node_index(topic) for topic in topics(trace) if not in_cluster(trace, topic)}
    born = births(trace)
    aim: dict[int, int] = {}
    for row in trace.rows("sent"):
        if row[6] in kept and row[4] in born and row[3] == born[row[4]].node:
            aim.setdefault(row[4], row[6])
    known: dict[int, tuple[int, int, int]] = {}
    stored: dict[int, int] = {}
    for index, _, kind, _, message, _, partition, offset, _ in trace.rows("acknowledged", "appended"):
        if kind == ACKNOWLEDGED:
            known.setdefault(message, (partition, offset, index))
        elif kind == APPENDED:
            stored.setdefault(message, partition)
    lives = Lives(trace)
    found = []
    for message, topic in aim.items():
        birth = born[message]
        process, name = lives.at(birth.node, birth.step), trace.nodes[topic]
        if message in known:
            partition, offset, acknowledged = known[message]
            sent = Send((name, partition), message, offset)
            told = Operation(process, "ok", "send", (sent,), steps=(birth.step, acknowledged))
        else:
            sent = Send((name, stored.get(message, -1)), message)
            told = Operation(process, "info", "send", (sent,), steps=(birth.step,))
        found.append((birth.step, told))
    return found


def _polls(trace: Trace) -> list[tuple[int, Operation]]:
    lives = Lives(trace)
    topic_of: dict[int, str] = {}
    open_polls: dict[int, _OpenPoll] = {}
    read: dict[tuple[str, int], dict[Hashable, None]] = {}
    found: list[tuple[int, Operation]] = []
    elsewhere = {step for each in transactions(trace) for step in each.fetched}

    def close(poll: _OpenPoll) -> None:
        records = tuple((key, tuple(pairs)) for key, pairs in poll.records.items())
        found.append((poll.steps[0], Operation(poll.process, "ok", "poll", (Poll(records),), steps=tuple(poll.steps))))

    for index, _, kind, node, message, cause, partition, offset, _ in trace.rows("fetched", "assigned"):
        if partition < 0:
            key: Hashable = str(trace.values[-partition])
        else:
            if node not in topic_of:
                topic_of[node] = next(iter(topics_of(trace, trace.nodes[node])), "")
            key = (topic_of[node], partition)
        process = lives.at(node, index)
        poll = open_polls.get(node)
        if poll is not None and (kind == ASSIGNED or (poll.cause, poll.process) != (cause, process)):
            close(open_polls.pop(node))
            poll = None
        if kind == ASSIGNED:
            kept = read.setdefault(process, {})
            kept.pop(key, None)
            found.append((index, Operation(process, "ok", "assign", keys=tuple(kept), steps=(index,))))
        else:
            read.setdefault(process, {})[key] = None
            if index in elsewhere:
                continue
            if poll is None:
                poll = open_polls[node] = _OpenPoll(process, cause)
            poll.records.setdefault(key, []).append((offset, message))
            poll.steps.append(index)
    for poll in open_polls.values():
        close(poll)
    return found


class _OpenPoll:
    """The records of one answer, as they are being taken from it."""

    def __init__(self, process: tuple[str, int], cause: int) -> None:
        self.process = process
        self.cause = cause
        self.records: dict[Hashable, list[tuple[int, Hashable]]] = {}
        self.steps: list[int] = []
