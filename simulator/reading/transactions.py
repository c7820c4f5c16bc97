"""Transactions as those who made them saw them: what each wrote and read, how it was to end, and what its maker was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from attrs import field, frozen

from simulator.brokers.log.errors import NAMES
from simulator.reading.clusters import cluster
from simulator.reading.memo import remembered
from simulator.reading.wire import batch
from simulator.trace import Trace
from simulator.vocabulary import ABANDONED, BATCHED, CRASHED, DELIVERED, FETCHED, SENT, STOPPED

_FENCING = ("INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED", "INVALID_PRODUCER_ID_MAPPING")
"""The errors that say that another producer has taken this one's place, and that its transaction was aborted."""


@frozen
class Transaction:
    """What one producer wrote together, and which records it had read for that."""

    node: str
    begun: int
    """The index of its first step."""
    records: tuple[int, ...]
    """The ids of what it wrote, or would have."""
    fetched: tuple[int, ...]
    """The steps in which it got what it read."""
    wish: Literal["commit", "abort"] | None
    """How its maker wanted it to end; None if it never came to say so."""
    outcome: Literal["ok", "fail", "info"]
    """Whether it counts, as far as its maker knows: yes; certainly not; nobody has told it."""
    ended: int | None = field(default=None)
    """The index of the step that told its maker, or that ended its maker's life; None if none had when the run ended."""


class _Open:
    """A transaction as it is being followed."""

    def __init__(self) -> None:
        self.records: dict[int, None] = {}
        self.fetched: list[int] = []
        self.steps: list[int] = []
        self.wish: Literal["commit", "abort"] | None = None
        self.asked: set[int] = set()
        """The requests to end it that were not answered."""

    def closed(self, node: str, outcome: Literal["ok", "fail", "info"], ended: int | None) -> Transaction:
        return Transaction(
            node, self.steps[0], tuple(self.records), tuple(self.fetched), self.wish, outcome, ended
        )  # fmt: skip


@remembered
def transactions(trace: Trace) -> tuple[Transaction, ...]:
    """Every transaction in a cluster, in the order in which they began. What writes without transactions has none."""
    if cluster(trace) is None:
        return ()
    ends = {
        number: bool(trace.message(number).payload[2]) if not answered else None
        for number, (kind, _, answered, _) in enumerate(trace.message_rows(), start=1)
        if trace.values[kind] == "end_transaction"
    }
    batches = {row[4]: batch(trace.message(row[4])) for row in trace.rows("batched")}
    makers = {row[3] for row in trace.rows("batched") if (asked := batches[row[4]]) is not None and asked.transactional}
    makers |= {row[3] for row in trace.rows("sent") if ends.get(row[4]) is not None}
    found = [each for node in sorted(makers) for each in _of_one(trace, node, ends)]
    return tuple(sorted((each for each in found if each.records or each.fetched), key=lambda each: each.begun))


def _of_one(trace: Trace, maker: int, ends: dict[int, bool | None]) -> Iterator[Transaction]:
    node, open_ = trace.nodes[maker], _Open()
    kinds = ("batched", "abandoned", "fetched", "sent", "delivered", "crashed", "stopped")
    for index, _, kind, at, message, _, _, _, _ in trace.rows(*kinds):
        if at != maker or kind in (SENT, DELIVERED) and message not in ends:
            continue
        if kind in (CRASHED, STOPPED):
            if open_.steps:
                # Without a word that it should count, it never will.
                unsure = open_.wish == "commit"
                yield open_.closed(node, "info" if unsure else "fail", index)
            open_ = _Open()
            continue
        if kind == DELIVERED:
            outcome = _answer(trace, message, open_)
            if outcome is not None and open_.steps:
                yield open_.closed(node, outcome, index)
                open_ = _Open()
            continue
        if kind == SENT:
            open_.wish = "commit" if ends[message] else "abort"
            open_.asked.add(message)
        elif kind == BATCHED:
            asked = batch(trace.message(message))
            if asked is None or not asked.transactional:
                continue
            open_.records.update(dict.fromkeys(asked.records))
        elif kind == ABANDONED:
            open_.records[message] = None
        elif kind == FETCHED:
            open_.fetched.append(index)
        open_.steps.append(index)
    if open_.steps:
        yield open_.closed(node, "info", None)


def _answer(trace: Trace, number: int, open_: _Open) -> Literal["ok", "fail", "info"] | None:
    """What an answer to the request to end a transaction tells its maker; None if it must ask again."""
    answer = trace.message(number)
    if answer.in_reply_to not in open_.asked:
        return None
    open_.asked.discard(answer.in_reply_to)
    error = NAMES[answer.payload[0]]
    if error == "NONE":
        return "ok" if open_.wish == "commit" else "fail"
    if error in _FENCING or error == "INVALID_TXN_STATE":
        # An earlier request that was never answered may have been heeded.
        return "info" if open_.asked and open_.wish == "commit" else "fail"
    return None


@remembered
def withdrawn(trace: Trace) -> frozenset[int]:
    """The records that their own maker took back: it aborted the transaction that they were written in."""
    return frozenset(
        record for each in transactions(trace) if each.wish == "abort" and each.outcome != "ok" for record in each.records
    )
