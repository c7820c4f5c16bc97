from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.brokers.log.errors import Refused
from simulator.brokers.log.sequences import Batch, Sequences, following


class Partition:
    """A log whose leader knows its producers."""

    def __init__(self) -> None:
        self.log: list[tuple[int, int]] = []
        self.sequences = Sequences()

    def send(self, sequence: int, count: int = 1, *, producer: int = 7, epoch: int = 0) -> int:
        """The offset that the producer is told."""
        known = self.sequences.check(producer, epoch, sequence, count)
        if known is not None:
            return known
        offset = len(self.log)
        self.log += [(producer, following(sequence, n)) for n in range(count)]
        self.sequences.appended(0, producer, epoch, sequence, count, offset)
        return offset


def test_a_batch_that_is_sent_again_is_not_appended_but_told_its_offset() -> None:
    partition = Partition()
    first = partition.send(0, 3)

    again = partition.send(0, 3)

    assert (first, again, len(partition.log)) == (0, 0, 3)


def test_a_gap_is_refused_with_what_would_be_right() -> None:
    partition = Partition()
    partition.send(0, 2)

    with pytest.raises(Refused, match="the next to append begins with 2") as refused:
        partition.send(3)

    assert (refused.value.error, refused.value.code) == ("OUT_OF_ORDER_SEQUENCE_NUMBER", 45)


def test_only_the_last_five_batches_are_recognised() -> None:
    partition = Partition()
    for sequence in range(6):
        partition.send(sequence)

    assert partition.send(1) == 1
    with pytest.raises(Refused, match="OUT_OF_ORDER_SEQUENCE_NUMBER"):
        partition.send(0)


def test_who_was_replaced_is_fenced() -> None:
    partition = Partition()
    partition.send(0)
    partition.send(0, epoch=1)

    with pytest.raises(Refused, match="INVALID_PRODUCER_EPOCH"):
        partition.send(1, epoch=0)


def test_a_new_epoch_begins_with_zero() -> None:
    partition = Partition()
    partition.send(0)

    with pytest.raises(Refused, match="begins with 0"):
        partition.send(1, epoch=1)


def test_a_marker_alone_fences_too() -> None:
    partition = Partition()
    partition.send(0)
    partition.sequences.marked(0, 7, 1, 0)

    with pytest.raises(Refused, match="INVALID_PRODUCER_EPOCH"):
        partition.send(1)


def test_sequence_numbers_begin_anew_after_the_largest() -> None:
    partition = Partition()
    partition.send(2**31 - 2, 2)

    assert partition.send(0) == 2


def test_an_idle_producer_is_forgotten_after_a_day_and_may_begin_anywhere() -> None:
    partition = Partition()
    partition.send(0)

    early, late = partition.sequences.expire(86_399_999), partition.sequences.expire(86_400_000)

    assert (early, late) == ([], [7])
    assert partition.send(40) == 1


def test_a_truncated_batch_may_be_sent_again() -> None:
    partition = Partition()
    for sequence in range(3):
        partition.send(sequence)
    del partition.log[2:]
    partition.sequences.truncate(2)

    assert partition.sequences.batches(7) == (Batch(0, 0, 0), Batch(1, 1, 1))
    assert partition.send(2) == 2


arrivals = st.lists(st.integers(-2, 2), max_size=60)
"""What arrives, as places before or after the batch that is due."""


@given(arrivals, st.lists(st.integers(1, 3), min_size=1, max_size=20))
def test_whatever_of_five_batches_in_flight_comes_again_or_too_early_each_is_stored_once_and_in_order(
    arriving: list[int], sizes: list[int]
) -> None:
    partition = Partition()
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    # The first is on its own: a broker that does not know the producer takes whatever comes first.
    answers = {0: {partition.send(0, sizes[0])}}
    refused: set[tuple[str, bool]] = set()

    for step in arriving + [0] * len(sizes):
        place = min(max(0, len(answers) + step), len(sizes) - 1)
        try:
            answers.setdefault(place, set()).add(partition.send(starts[place], sizes[place]))
        except Refused as error:
            refused.add((error.error, answers.pop(place) == set()))

    assert refused <= {("OUT_OF_ORDER_SEQUENCE_NUMBER", True)}
    assert partition.log == [(7, n) for n in range(sum(sizes))]
    assert answers == {place: {start} for place, start in enumerate(starts)}


def test_a_broker_that_does_not_know_the_producer_takes_whatever_comes_first() -> None:
    partition = Partition()

    assert partition.send(5) == 0
