from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.isolation import Ended, Transactions, read_committed, read_uncommitted
from simulator.brokers.log.offsets import Offsets
from simulator.brokers.log.sequences import Sequences
from simulator.brokers.log.subscriptions import TopicPartition
from simulator.brokers.log.transactions import LAST_EPOCH, Coordinator, Marker, Producer

OUT = TopicPartition("out", 0)
IN = TopicPartition("in", 0)
GROUPS = TopicPartition("__consumer_offsets", 0)


class Broker:
    """One broker with a partition ``out``, the offsets of a group ``g`` that reads ``in``, and the coordinator."""

    def __init__(self) -> None:
        self.coordinator = Coordinator()
        self.sequences = Sequences()
        self.transactions = Transactions()
        self.offsets = Offsets()
        self.log: list[Entry] = []

    def begin(self, now: float = 0) -> Producer:
        """Ask until the predecessor's transaction has ended."""
        try:
            return self.coordinator.init_producer(now, "t")
        except Refused as refused:
            if refused.error != "CONCURRENT_TRANSACTIONS":
                raise
            self.write_markers()
            return self.coordinator.init_producer(now, "t")

    def send(self, producer: Producer, sequence: int, value: str, now: float = 0) -> None:
        self.coordinator.add(now, "t", producer, [OUT])
        self.sequences.check(*producer, sequence)
        self.sequences.appended(now, *producer, sequence, 1, len(self.log))
        self.transactions.appended(producer.id, len(self.log))
        self.log.append(Entry(0, value, len(self.log), producer_id=producer.id, transactional=True))

    def send_offset(self, producer: Producer, offset: int, now: float = 0) -> None:
        self.coordinator.add(now, "t", producer, [GROUPS])
        self.offsets.commit_in_transaction(producer.id, IN, offset)

    def write_markers(self) -> None:
        for marker in self.coordinator.markers("t"):
            if marker.target == OUT:
                self.transactions.marked(marker.producer.id, len(self.log), commit=marker.commit)
                self.sequences.marked(0, *marker.producer, len(self.log))
                told = "commit" if marker.commit else "abort"
                self.log.append(
                    Entry(0, None, len(self.log), producer_id=marker.producer.id, transactional=True, marker=told)
                )
            else:
                self.offsets.marked(marker.producer.id, commit=marker.commit)
            self.coordinator.marked("t", marker.target)

    def end(self, producer: Producer, *, commit: bool = True) -> Producer:
        """The producer as it goes on."""
        after = self.coordinator.end("t", producer, commit=commit)
        self.write_markers()
        return after

    def committed(self) -> list[tuple[int, str]]:
        stable = self.transactions.last_stable(len(self.log))
        return [
            (each.offset, str(each.record))
            for each in read_committed(self.log, self.transactions.aborted(0, stable), stable)
        ]

    def uncommitted(self) -> list[str]:
        return [str(each.record) for each in read_uncommitted(self.log, len(self.log))]


def test_a_marker_takes_an_offset_that_no_reader_is_given() -> None:
    broker = Broker()
    producer = broker.begin()
    broker.send(producer, 0, "a")
    producer = broker.end(producer)
    broker.send(producer, 0, "b")
    broker.end(producer)

    assert broker.committed() == [(0, "a"), (2, "b")]
    assert broker.uncommitted() == ["a", "b"]


def test_what_was_aborted_is_in_the_log_but_not_for_read_committed() -> None:
    broker = Broker()
    producer = broker.begin()
    broker.send(producer, 0, "a")
    producer = broker.end(producer, commit=False)
    broker.send(producer, 0, "b")
    broker.end(producer)

    assert broker.committed() == [(2, "b")]
    assert broker.uncommitted() == ["a", "b"]


def test_read_committed_waits_at_the_first_open_transaction_even_for_what_others_committed() -> None:
    transactions = Transactions()
    transactions.appended(1, 0)
    transactions.appended(2, 1)
    transactions.marked(2, 2, commit=True)

    open_one = transactions.last_stable(3)
    transactions.marked(1, 3, commit=True)

    assert (open_one, transactions.last_stable(4)) == (0, 4)


def test_a_marker_that_is_not_committed_ends_nothing_for_readers_yet() -> None:
    transactions = Transactions()
    transactions.appended(1, 0)
    transactions.marked(1, 1, commit=True)

    assert (transactions.last_stable(1), transactions.last_stable(2)) == (0, 2)


def test_a_transaction_whose_marker_was_cut_off_is_open_again() -> None:
    transactions = Transactions()
    transactions.appended(1, 0)
    transactions.marked(1, 1, commit=False)

    transactions.truncate(1)

    assert transactions.is_open(1)
    assert transactions.aborted(0, 9) == ()


def test_a_fetch_is_told_only_of_the_aborted_transactions_that_reach_into_it() -> None:
    transactions = Transactions()
    for first in (0, 10):
        transactions.appended(1, first)
        transactions.marked(1, first + 5, commit=False)

    assert transactions.aborted(6, 10) == ()
    assert transactions.aborted(5, 11) == (Ended(1, 0, 5), Ended(1, 10, 15))


def test_offsets_count_when_the_transaction_commits_and_not_when_it_aborts() -> None:
    broker = Broker()
    producer = broker.begin()
    broker.send_offset(producer, 3)
    while_open = broker.offsets.fetch(IN)
    with pytest.raises(Refused, match="UNSTABLE_OFFSET_COMMIT"):
        broker.offsets.fetch(IN, require_stable=True)
    producer = broker.end(producer)
    broker.send_offset(producer, 7)
    broker.end(producer, commit=False)

    assert (while_open, broker.offsets.fetch(IN, require_stable=True)) == (None, 3)


def test_a_successor_aborts_what_its_predecessor_left_open_and_fences_it() -> None:
    broker = Broker()
    zombie = broker.begin()
    broker.send(zombie, 0, "a")

    with pytest.raises(Refused, match="CONCURRENT_TRANSACTIONS"):
        broker.coordinator.init_producer(0, "t")
    successor = broker.begin()

    assert (successor.id, successor.epoch) == (zombie.id, 3)
    assert broker.committed() == []
    with pytest.raises(Refused, match="PRODUCER_FENCED"):
        broker.end(zombie)
    with pytest.raises(Refused, match="INVALID_PRODUCER_EPOCH"):
        broker.sequences.check(*zombie, 1)


def test_a_transaction_that_stays_open_too_long_is_aborted_and_its_producer_fenced() -> None:
    broker = Broker()
    producer = broker.begin()
    broker.send(producer, 0, "a", now=5)
    deadline = broker.coordinator.deadline

    early, late = broker.coordinator.expire(60_004), broker.coordinator.expire(60_005)
    broker.write_markers()

    assert (deadline, early, late) == (60_005, [], ["t"])
    assert broker.coordinator.state("t") == "CompleteAbort"
    with pytest.raises(Refused, match="PRODUCER_FENCED"):
        broker.end(producer)


def test_the_outcome_is_decided_before_the_markers_are_written() -> None:
    broker = Broker()
    producer = broker.begin()
    broker.send(producer, 0, "a")
    after = broker.coordinator.end("t", producer, commit=True)

    with pytest.raises(Refused, match="PRODUCER_FENCED"):
        broker.coordinator.end("t", producer, commit=False)
    with pytest.raises(Refused, match="CONCURRENT_TRANSACTIONS"):
        broker.coordinator.add(0, "t", after, [OUT])

    assert broker.coordinator.markers("t") == (Marker(after, True, OUT),)
    assert broker.committed() == []


def test_ending_twice_the_same_way_is_fine() -> None:
    broker = Broker()
    producer = broker.begin()
    broker.send(producer, 0, "a")
    after = broker.end(producer)

    again = broker.end(producer)

    assert again == after == Producer(producer.id, producer.epoch + 1)
    assert broker.coordinator.state("t") == "CompleteCommit"


def test_asking_again_while_the_markers_are_written_is_answered_later() -> None:
    broker = Broker()
    producer = broker.begin()
    broker.send(producer, 0, "a")
    broker.coordinator.end("t", producer, commit=True)

    with pytest.raises(Refused, match="CONCURRENT_TRANSACTIONS"):
        broker.coordinator.end("t", producer, commit=True)


def test_what_a_transaction_sent_and_arrives_after_its_end_is_refused() -> None:
    broker = Broker()
    producer = broker.begin()
    broker.send(producer, 0, "a")
    broker.end(producer, commit=False)

    with pytest.raises(Refused, match="INVALID_PRODUCER_EPOCH"):
        broker.sequences.check(*producer, 1)


def test_the_next_transaction_counts_from_0() -> None:
    broker = Broker()
    producer = broker.begin()
    broker.send(producer, 0, "a")
    after = broker.end(producer)

    with pytest.raises(Refused, match="OUT_OF_ORDER_SEQUENCE_NUMBER"):
        broker.sequences.check(*after, 1)
    assert broker.sequences.check(*after, 0) is None


def test_there_is_nothing_to_commit_before_anything_was_written() -> None:
    broker = Broker()
    producer = broker.begin()

    with pytest.raises(Refused, match="INVALID_TXN_STATE: t can't commit: its transaction is Empty"):
        broker.end(producer)


def test_another_producer_id_does_not_match() -> None:
    broker = Broker()
    broker.begin()

    with pytest.raises(Refused, match="INVALID_PRODUCER_ID_MAPPING"):
        broker.send(Producer(99, 0), 0, "a")


def test_a_timeout_beyond_the_brokers_limit_is_refused() -> None:
    with pytest.raises(Refused, match="INVALID_TRANSACTION_TIMEOUT"):
        Coordinator().init_producer(0, "t", transaction_timeout_ms=900_001)


def test_a_producer_id_is_replaced_when_its_epochs_are_used_up() -> None:
    coordinator = Coordinator()
    first = coordinator.init_producer(0, "t")
    for _ in range(LAST_EPOCH):
        last = coordinator.init_producer(0, "t")

    after = coordinator.init_producer(0, "t")

    assert (last.id, last.epoch) == (first.id, LAST_EPOCH)
    assert (after.id != first.id, after.epoch) == (True, 0)


INPUT = [f"order-{n}" for n in range(6)]


class Processor:
    """Reads ``in``, writes what it made of it to ``out``, and commits both in one transaction for every two records."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.producer = broker.begin()
        self.sequence = 0
        self.place = broker.offsets.fetch(IN, require_stable=True) or 0
        self.doing = self._work()
        self.done = False

    def step(self) -> None:
        try:
            next(self.doing)
        except StopIteration:
            self.done = True
        except Refused as refused:
            if refused.error not in ("PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"):
                raise
            self.done = True

    def _work(self):  # type: ignore[no-untyped-def]
        while self.place < len(INPUT):
            for value in INPUT[self.place : self.place + 2]:
                self.broker.send(self.producer, self.sequence, value)
                self.sequence += 1
                self.place += 1
                yield
            self.broker.send_offset(self.producer, self.place)
            yield
            self.producer, self.sequence = self.broker.coordinator.end("t", self.producer, commit=True), 0
            yield
            self.broker.write_markers()


@settings(max_examples=200)
@given(st.lists(st.one_of(st.integers(0, 2), st.just("restart")), max_size=80))
def test_read_process_write_is_exactly_once_for_read_committed_whatever_crashes_and_whatever_zombies_do(
    schedule: list[int | str],
) -> None:
    """A number lets one of the latest processors go on, zombies too; ``restart`` starts another beside them."""
    broker = Broker()
    processors = [Processor(broker)]
    for what in schedule:
        if what == "restart":
            processors.append(Processor(broker))
        else:
            processors[max(0, len(processors) - 1 - int(what))].step()
    last = Processor(broker)
    while not last.done:
        last.step()

    assert [value for _, value in broker.committed()] == INPUT
    assert broker.offsets.fetch(IN, require_stable=True) == len(INPUT)


def test_read_uncommitted_sees_what_a_crash_has_left_behind() -> None:
    broker = Broker()
    first = Processor(broker)
    first.step()

    last = Processor(broker)
    while not last.done:
        last.step()

    assert broker.uncommitted() == ["order-0", *INPUT]
