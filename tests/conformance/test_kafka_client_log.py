"""Where records go, what offsets they get and where readers begin: our decisions against Kafka's real client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conformance.kafka_log_twin import NO_OFFSET, Plain, Replicated, Side, twin
from tests.conformance.kafka_mock import MockCluster

pytestmark = pytest.mark.conformance

A_FEW = settings(
    max_examples=15,
    # A script that fails is not made smaller: each attempt would take its time.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""How random scripts are tried on both."""

both_logs = pytest.mark.parametrize("ours", [Replicated, Plain], ids=["partitions of a cluster", "a plain topic"])


def keys(count: int) -> list[str]:
    return [f"customer {number % 7}" for number in range(count)]


@both_logs
def test_keys_go_to_their_partitions_and_get_offsets_in_order(kafka_mock: MockCluster, ours: Callable[[int], Side]) -> None:
    with twin(kafka_mock, 5, ours) as both:
        placed = both.do("produce", [*keys(40), "", "ключ", "鍵"])
        everything = both.do("read", dict.fromkeys(range(5), 0), "none")

        assert {number for number, _ in placed} == set(range(5))
        assert sum(map(len, everything.values())) == 43
        assert both.do("watermarks") == [(0, len(everything[number])) for number in range(5)]


@both_logs
def test_a_new_group_begins_where_auto_offset_reset_says(kafka_mock: MockCluster, ours: Callable[[int], Side]) -> None:
    with twin(kafka_mock, 2, ours) as both:
        both.do("produce", keys(10))

        everything = both.do("resume", "new", "earliest")
        nothing = both.do("resume", "new", "latest")

        assert sum(map(len, everything.values())) == 10
        assert nothing == {0: [], 1: []}


@both_logs
def test_a_group_resumes_at_what_it_committed_which_may_go_back(
    kafka_mock: MockCluster, ours: Callable[[int], Side]
) -> None:
    with twin(kafka_mock, 1, ours) as both:
        both.do("produce", keys(10))

        for offset in (2, 7, 4, 10, 0):
            both.do("commit", "billing", {0: offset})
            assert both.do("committed", "billing") == {0: offset}
            for reset in ("earliest", "latest"):
                assert [at for at, _ in both.do("resume", "billing", reset)[0]] == list(range(offset, 10))


def test_without_a_reset_a_reader_that_has_no_offset_stops(kafka_mock: MockCluster) -> None:
    with twin(kafka_mock, 2) as both:
        both.do("produce", keys(10))
        both.do("commit", "billing", {0: 1})

        found = both.do("resume", "billing", "none")

        assert found[0] != NO_OFFSET
        assert found[1] == NO_OFFSET


def test_what_is_committed_ahead_of_the_log_is_out_of_range_and_the_reset_decides(kafka_mock: MockCluster) -> None:
    with twin(kafka_mock, 1) as both:
        both.do("produce", keys(10))
        both.do("commit", "billing", {0: 15})

        assert len(both.do("resume", "billing", "earliest")[0]) == 10
        assert both.do("resume", "billing", "latest")[0] == []
        assert both.do("resume", "billing", "none")[0] == NO_OFFSET
        both.do("produce", keys(10))
        assert len(both.do("resume", "billing", "none")[0]) == 5


def test_a_seek_goes_anywhere_and_beyond_the_end_the_reset_decides(kafka_mock: MockCluster) -> None:
    with twin(kafka_mock, 1) as both:
        both.do("produce", keys(5))

        lengths = {at: len(both.do("read", {0: at}, "earliest")[0]) for at in (0, 3, 5, 6)}

        assert lengths == {0: 5, 3: 2, 5: 0, 6: 5}
        assert both.do("read", {0: 6}, "latest")[0] == []
        assert both.do("read", {0: 6}, "none")[0] == NO_OFFSET


@given(st.lists(st.text(max_size=12), min_size=20, max_size=60), st.integers(1, 12))
@A_FEW
def test_any_keys_go_where_kafkas_client_puts_them(kafka_mock: MockCluster, some: list[str], partitions: int) -> None:
    with twin(kafka_mock, partitions) as both:
        both.do("produce", some)


RESETS = st.sampled_from(["earliest", "latest", "none"])
GROUPS = st.sampled_from(["billing", "shipping"])
NUMBERS = st.integers(0, 1)
OPERATIONS: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.tuples(st.just("produce"), st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6)),
    st.tuples(st.just("commit"), GROUPS, st.dictionaries(NUMBERS, st.integers(0, 16), min_size=1)),
    st.tuples(st.just("resume"), GROUPS, RESETS),
    st.tuples(st.just("read"), st.dictionaries(NUMBERS, st.integers(0, 16), min_size=1), RESETS),
    st.tuples(st.just("committed"), GROUPS),
    st.tuples(st.just("watermarks")),
)


@given(st.lists(OPERATIONS, min_size=8, max_size=16))
@A_FEW
def test_groups_and_readers_go_where_kafkas_client_goes(kafka_mock: MockCluster, script: list[tuple[Any, ...]]) -> None:
    with twin(kafka_mock, 2) as both:
        # The mock takes an offset that was committed in an empty partition for one that its log has lost.
        assert {partition for partition, _ in both.do("produce", list("abcdefgh"))} == {0, 1}
        for operation, *arguments in script:
            both.do(operation, *arguments)
