"""How long a client waits before it tries again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import Retry
from simulator.clients.retry import NO_RETRY


def waits(retry: Retry, drawn: float = 0.5) -> list[float]:
    return [retry.wait(number, lambda: drawn) for number in range(1, 7)]


def test_exponential_backoff_doubles_up_to_its_limit():
    assert waits(Retry(backoff=100, backoff_max=1_000, jitter="none")) == [100, 200, 400, 800, 1_000, 1_000]


def test_constant_backoff_stays():
    assert waits(Retry(backoff=100, growth="constant", jitter="none")) == [100] * 6


def test_full_jitter_takes_any_part_of_it():
    assert waits(Retry(backoff=100, backoff_max=1_000), drawn=0.25) == [25, 50, 100, 200, 250, 250]


def test_no_backoff_retries_at_once_and_draws_nothing():
    assert Retry(backoff=0).wait(3, lambda: pytest.fail("nothing to draw")) == 0


def test_no_retry_is_none():
    assert NO_RETRY.retries == 0


@given(st.integers(1, 10**6), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_above_its_limit_however_often_it_was_tried(number: int, backoff: float, most: float, drawn: float):
    for jitter in ("full", "none"):
        assert 0 <= Retry(backoff=backoff, backoff_max=most, jitter=jitter).wait(number, lambda: drawn) <= most  # type: ignore[arg-type]
