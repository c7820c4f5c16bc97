"""What a circuit breaker decides, without a run around it."""

import pytest

from simulator.clients.breaker import Breaker, CircuitBreaker


@pytest.fixture
def breaker() -> Breaker:
    return Breaker(CircuitBreaker(failures=3, reset_after=1_000))


def opened(breaker: Breaker, at: float = 0.0) -> None:
    for _ in range(3):
        breaker.failed(breaker.admit(at), at)


def test_a_closed_breaker_lets_every_call_through(breaker):
    tickets = [breaker.admit(now) for now in (0, 0, 5)]

    assert None not in tickets
    assert breaker.state == "closed"


def test_it_opens_at_the_last_of_its_failures_in_a_row(breaker):
    breaker.failed(breaker.admit(0), 0)
    breaker.failed(breaker.admit(1), 1)

    assert breaker.state == "closed"

    breaker.failed(breaker.admit(2), 2)

    assert breaker.state == "open"


def test_a_success_in_between_starts_the_count_again(breaker):
    breaker.failed(breaker.admit(0), 0)
    breaker.failed(breaker.admit(1), 1)
    breaker.succeeded(breaker.admit(2))
    breaker.failed(breaker.admit(3), 3)
    breaker.failed(breaker.admit(4), 4)

    assert breaker.state == "closed"


def test_an_open_breaker_refuses_until_just_before_its_reset_time(breaker):
    opened(breaker, at=100)

    assert breaker.admit(101) is None
    assert breaker.admit(1_099.999) is None
    assert breaker.state == "open"


def test_at_its_reset_time_it_lets_one_trial_call_through_and_no_second(breaker):
    opened(breaker, at=100)

    assert breaker.admit(1_100) is not None
    assert breaker.state == "half-open"
    assert breaker.admit(1_100) is None
    assert breaker.admit(9_999) is None


def test_a_good_trial_closes_it(breaker):
    opened(breaker)

    breaker.succeeded(breaker.admit(1_000))

    assert breaker.state == "closed"
    assert breaker.admit(1_000) is not None


def test_a_bad_trial_opens_it_for_another_whole_reset_time(breaker):
    opened(breaker)

    breaker.failed(breaker.admit(1_500), 1_700)

    assert breaker.state == "open"
    assert breaker.admit(2_699) is None
    assert breaker.admit(2_700) is not None


def test_once_closed_again_it_takes_all_failures_to_open_it(breaker):
    opened(breaker)
    breaker.succeeded(breaker.admit(1_000))

    breaker.failed(breaker.admit(1_001), 1_001)
    breaker.failed(breaker.admit(1_002), 1_002)

    assert breaker.state == "closed"


@pytest.mark.parametrize("good", [True, False])
def test_the_outcome_of_a_call_from_before_it_opened_changes_nothing(breaker, good):
    early = breaker.admit(0)
    opened(breaker)
    trial = breaker.admit(1_000)

    if good:
        breaker.succeeded(early)
    else:
        breaker.failed(early, 1_001)

    assert breaker.state == "half-open"

    breaker.succeeded(trial)

    assert breaker.state == "closed"
