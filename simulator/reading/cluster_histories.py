"""What clients of a Kafka cluster sent and what they did in transactions, as operations of a history."""

from __future__ import annotations

from collections.abc import Hashable

from simulator.reading.clusters import destinations
from simulator.reading.lineage import births
from simulator.reading.memo import remembered
from simulator.reading.operations import Lives, Operation, Poll, Send
from simulator.reading.transactions import Transaction, transactions
from simulator.reading.wire import batch
from simulator.trace import Trace
from simulator.vocabulary import ABANDONED, ACKNOWLEDGED, BATCHED, FAILED, SENT

_DOUBTFUL = ("REQUEST_TIMED_OUT", "NOT_ENOUGH_REPLICAS_AFTER_APPEND")
"""The errors after which a record may be in the log all the same."""


class _Told:
    """What the trace tells of one record's way into a partition, as its producer sees it."""

    __slots__ = ("abandoned", "acknowledged", "partition", "refused", "sent")

    def __init__(self) -> None:
        self.partition: str | None = None
        self.acknowledged: tuple[int, int] | None = None
        """(offset, step)"""
        self.abandoned = -1
        self.sent = 0
        self.refused = 0
        """How many of the attempts were answered by an error that says that it is not in the log."""

    def key(self, topic: str) -> Hashable:
        return self.partition or f"{topic}-?"


@remembered
def _told(trace: Trace) -> dict[int, _Told]:
    """By record."""
    found = {number: _Told() for number in destinations(trace)}
    if not found:
        return found
    batches: dict[int, tuple[int, ...]] = {}
    for row in trace.rows("batched"):
        asked = batch(trace.message(row[4]))
        batches[row[4]] = asked.records if asked is not None else ()
    for index, _, kind, _, message, _, a, b, _ in trace.rows("batched", "sent", "failed", "acknowledged", "abandoned"):
        if kind in (BATCHED, SENT, FAILED):
            for number in batches.get(message, ()):
                if kind == BATCHED:
                    found[number].partition = str(trace.values[-a])
                elif kind == SENT:
                    found[number].sent += 1
                elif trace.values[a] not in _DOUBTFUL:
                    found[number].refused += 1
        elif message in found:
            if kind == ACKNOWLEDGED and found[message].acknowledged is None:
                found[message].partition = str(trace.values[-a])
                found[message].acknowledged = (b, index)
            elif kind == ABANDONED:
                found[message].abandoned = index
    return found


def sends_to_cluster(trace: Trace) -> list[tuple[int, Operation]]:
    """Each send outside a transaction, with the step at which it began."""
    lives, born = Lives(trace), births(trace)
    together = {number for each in transactions(trace) for number in each.records}
    found = []
    for number, topic in destinations(trace).items():
        if number in together:
            continue
        birth, told = born[number], _told(trace)[number]
        process = lives.at(birth.node, birth.step)
        if told.acknowledged is not None:
            offset, step = told.acknowledged
            sent = Send(told.key(topic), number, offset)
            found.append((birth.step, Operation(process, "ok", "send", (sent,), steps=(birth.step, step))))
            continue
        certain = told.abandoned >= 0 and told.refused == told.sent
        steps = (birth.step, told.abandoned) if told.abandoned >= 0 else (birth.step,)
        sent = Send(told.key(topic), number)
        found.append((birth.step, Operation(process, "fail" if certain else "info", "send", (sent,), steps=steps)))
    return found


def in_transactions(trace: Trace) -> list[tuple[int, Operation]]:
    """Each transaction: what it read, then what it wrote; with the step at which it began."""
    lives = Lives(trace)
    return [(each.begun, _operation(trace, each, lives)) for each in transactions(trace)]


def _operation(trace: Trace, transaction: Transaction, lives: Lives) -> Operation:
    records: dict[Hashable, list[tuple[int, Hashable]]] = {}
    for each in transaction.fetched:
        step = trace[each]
        if step.message is not None:
            records.setdefault(step.data["partition"], []).append((step.data["offset"], step.message.id))
    value: list[Send | Poll] = []
    if records:
        value.append(Poll(tuple((key, tuple(pairs)) for key, pairs in records.items())))
    topics = destinations(trace)
    for number in transaction.records:
        told = _told(trace)[number]
        offset = told.acknowledged[0] if told.acknowledged is not None else None
        value.append(Send(told.key(topics[number]), number, offset))
    steps = (transaction.begun, *([] if transaction.ended is None else [transaction.ended]))
    process = lives.at(trace.node_index(transaction.node), transaction.begun)
    return Operation(process, transaction.outcome, "txn", tuple(value), steps=steps)
