"""A replica and what its log says of producers and transactions, without the network."""

from __future__ import annotations

import pytest

from simulator.brokers.log.elections import Leadership
from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.partition import Partition
from simulator.brokers.log.replicas import Replica
from simulator.brokers.log.retention import Log
from simulator.brokers.log.sequences import Batch

BOTH = ("a", "b")


def partition(broker: str, isr: tuple[str, ...] = BOTH, **log: object) -> Partition:
    """A replica of a partition that broker a leads in epoch 1."""
    made = Partition(Replica(broker, ("a", "b", "c"), min_insync_replicas=2, log=Log(**log)))  # type: ignore[arg-type]
    made.replica.learn(0, Leadership("a", 1, isr))
    return made


def batch(
    sequence: int, count: int = 1, *, key: str | None = "k", epoch: int = 0, transactional: bool = False
) -> list[Entry]:
    """What the idempotent producer 7 sends."""
    return [
        Entry(0, f"{sequence + n}", key=key, producer_id=7, producer_epoch=epoch, sequence=sequence + n, batch=sequence,
              transactional=transactional)
        for n in range(count)
    ]  # fmt: skip


def marker(outcome: str, epoch: int = 1) -> Entry:
    return Entry(0, outcome, producer_id=7, producer_epoch=epoch, transactional=True, marker=outcome)  # type: ignore[arg-type]


def copy(leader: Partition, follower: Partition, most: int = 500) -> None:
    """One fetch."""
    follower.take(0, leader.replica.answer(0, follower.replica.request(), most))


def lead(new: Partition, *others: Partition, epoch: int, isr: tuple[str, ...] = BOTH) -> None:
    for each in (new, *others):
        each.replica.learn(0, Leadership(new.replica.broker, epoch, isr))


def test_a_follower_that_becomes_the_leader_recognises_what_the_old_one_appended() -> None:
    a, b = partition("a"), partition("b")
    a.produce(0, batch(0, 3), "all")
    copy(a, b)
    lead(b, a, epoch=2)

    again = b.produce(0, batch(0, 3), "all")

    assert again == (0, True)


def test_a_batch_that_came_to_a_follower_in_pieces_is_recognised_as_one() -> None:
    a, b = partition("a"), partition("b")
    a.produce(0, batch(0, 5), "all")
    for _ in range(3):
        copy(a, b, most=2)
    lead(b, a, epoch=2)

    again = b.produce(0, batch(0, 5), "all")

    assert (again, b.sequences.batches(7)) == ((0, True), (Batch(0, 4, 0),))


def test_a_batch_that_was_thinned_out_by_compaction_keeps_its_numbers() -> None:
    a, b = partition("a", cleanup_policy=["compact"], segment_bytes=2), partition("b")
    a.produce(0, batch(0, 2), "all")
    a.produce(0, batch(2, 2), "all")
    a.log.compact(1)
    copy(a, b)

    assert [entry.sequence for entry in b.log] == [1, 2, 3]
    assert b.sequences.batches(7)[0] == Batch(0, 1, 0)


def test_with_too_few_in_sync_even_a_batch_that_is_there_already_is_refused() -> None:
    a = partition("a")
    a.produce(0, batch(0), "all")
    a.replica.learn(0, Leadership("a", 1, ("a",), 1))

    with pytest.raises(Refused, match="NOT_ENOUGH_REPLICAS"):
        a.produce(0, batch(0), "all")


def test_after_a_truncation_a_producer_is_known_by_what_is_left_of_the_log() -> None:
    a, b = partition("a"), partition("b")
    for sequence in range(3):
        a.produce(0, batch(sequence), "all")
    copy(a, b)
    for sequence in range(3, 8):
        a.produce(0, batch(sequence), "all")
    lead(b, a, epoch=2)
    copy(b, a)

    assert a.replica.end == 3
    assert a.sequences.batches(7) == tuple(Batch(sequence, sequence, sequence) for sequence in range(3))


def test_a_transaction_whose_committed_marker_an_unclean_election_took_away_is_open_again() -> None:
    a, b, c = partition("a", isr=("a", "c")), partition("b"), partition("c")
    a.produce(0, batch(0, transactional=True), "all")
    copy(a, b)
    a.mark(0, marker("commit"))
    for _ in range(3):
        copy(a, c)
    before = (c.replica.high_watermark, c.last_stable)

    lead(b, c, epoch=2, isr=("b",))
    copy(b, c)

    assert before == (2, 2)
    assert (c.replica.end, c.last_stable, c.transactions.is_open(7)) == (1, 0, True)


def test_a_marker_needs_enough_replicas_in_sync() -> None:
    a = partition("a")
    a.produce(0, batch(0, transactional=True), "all")
    a.replica.learn(0, Leadership("a", 1, ("a",), 1))

    with pytest.raises(Refused, match="NOT_ENOUGH_REPLICAS"):
        a.mark(0, marker("commit"))


def test_a_marker_of_an_epoch_that_is_over_is_refused() -> None:
    a = partition("a")
    a.produce(0, batch(0, epoch=1), "all")

    with pytest.raises(Refused, match="INVALID_PRODUCER_EPOCH"):
        a.mark(0, marker("commit", epoch=0))


def compacting() -> Partition:
    """A log of one-record segments, in which an earlier record of the key stands before a transaction's."""
    made = Partition(Replica("a", ("a",), log=Log(cleanup_policy=["compact"], segment_bytes=1)))
    made.replica.learn(0, Leadership("a", 1, ("a",)))
    made.produce(0, [Entry(0, "old", key="k")], "all")
    made.produce(0, batch(0, transactional=True), "all")
    return made


def test_what_an_open_transaction_wrote_supersedes_nothing_yet() -> None:
    a = compacting()
    a.produce(0, [Entry(0, "next", key="another")], "all")

    assert a.clean(1) == []
    assert [entry.record for entry in a.log] == ["old", "0", "next"]


@pytest.mark.parametrize(("outcome", "stays"), [("commit", ["0", "commit", "next"]), ("abort", ["old", "abort", "next"])])
def test_compaction_keeps_a_key_s_latest_record_that_was_not_aborted(outcome: str, stays: list[str]) -> None:
    a = compacting()
    a.mark(0, marker(outcome))
    a.produce(0, [Entry(0, "next", key="another")], "all")

    a.clean(1)

    assert [entry.record for entry in a.log] == stays


def test_a_new_leader_tells_no_end_until_it_knows_what_is_committed() -> None:
    a, b = partition("a"), partition("b")
    a.produce(0, batch(0, 2), "all")
    copy(a, b)
    lead(b, a, epoch=2)

    with pytest.raises(Refused, match="OFFSET_NOT_AVAILABLE"):
        b.latest("read_uncommitted")
    for _ in range(2):
        copy(b, a)

    assert (b.latest("read_uncommitted"), b.latest("read_committed")) == (2, 2)
