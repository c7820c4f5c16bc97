"""What a client does when an answer is late or bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from attrs import field, frozen

from simulator.validation import at_least, not_negative, one_of
from simulator.values import Part


@frozen
class Retry(Part):
    """Try again up to ``retries`` times after the first attempt.

    The wait before retry n (n = 1, 2, …) is ``backoff`` ms, doubled n − 1 times if ``growth`` is "exponential", never above
    ``backoff_max``. With "full" jitter it is anything from 0 to that, with "none" exactly that (Marc Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). ``backoff=0`` retries immediately.
    """

    retries: int = field(default=3, metadata=at_least(0))
    backoff: float = field(default=100.0, metadata=not_negative("ms"), kw_only=True)
    growth: Literal["exponential", "constant"] = field(
        default="exponential", metadata=one_of("exponential", "constant"), kw_only=True
    )
    backoff_max: float = field(default=1_000.0, metadata=not_negative("ms"), kw_only=True)
    jitter: Literal["full", "none"] = field(default="full", metadata=one_of("full", "none"), kw_only=True)

    def wait(self, retry: int, draw: Callable[[], float]) -> float:
        """Milliseconds to wait before this retry, counted from 1; ``draw`` gives a number from 0 up to 1."""
        doublings = min(retry - 1, 62) if self.growth == "exponential" else 0
        ms = min(self.backoff * 2.0**doublings, self.backoff_max)
        return ms * draw() if self.jitter == "full" and ms else ms


NO_RETRY = Retry(0)
"""One attempt, no more."""


def kafka_backoff(retry: int, first: float, most: float, draw: Callable[[], float]) -> float:
    """Milliseconds that Apache Kafka's clients wait before this retry, counted from 1: ``first`` doubled at each, give or take
    a fifth, and never above ``most`` (KIP-580, ``ExponentialBackoff``)."""
    doubled = min(first * 2.0 ** min(retry - 1, 62), most)
    return min(doubled * (0.8 + 0.4 * draw()), most)
