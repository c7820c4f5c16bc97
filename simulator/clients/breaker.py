"""The circuit breaker: stop calling what keeps failing, try it once in a while, call it again when it works.

After Michael Nygard, "Release It!", chapter "Stability Patterns": closed lets calls through, open refuses them at once,
half-open lets a single trial call decide.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from simulator.validation import at_least, not_negative
from simulator.values import Part

State = Literal["closed", "open", "half-open"]


@frozen
class CircuitBreaker(Part):
    """Opens after ``failures`` failed calls in a row, and lets one trial call through ``reset_after`` ms later.

    A timeout and a refusal are failures. A node has one breaker for each node that it calls.
    """

    failures: int = field(default=5, metadata=at_least(1))
    reset_after: float = field(default=30_000.0, metadata=not_negative("ms"), kw_only=True)


class Breaker:
    """A circuit breaker at work on the calls to one node: it decides, and knows no clock but the one passed in."""

    def __init__(self, settings: CircuitBreaker) -> None:
        self.state: State = "closed"
        self._settings = settings
        self._failures = 0
        self._trial_from = 0.0
        self._era = 0

    def admit(self, now: float) -> int | None:
        """A ticket for one call, to be handed back with its outcome; None if the call is refused."""
        if self.state == "open" and now >= self._trial_from:
            self._turn("half-open")
            return self._era
        return self._era if self.state == "closed" else None

    def succeeded(self, ticket: int) -> None:
        """The call with this ticket was answered well."""
        if ticket != self._era:
            return
        self._failures = 0
        if self.state == "half-open":
            self._turn("closed")

    def failed(self, ticket: int, now: float) -> None:
        """The call with this ticket was refused or not answered in time."""
        if ticket != self._era:
            return
        self._failures += 1
        if self.state == "half-open" or self._failures >= self._settings.failures:
            self._trial_from = now + self._settings.reset_after
            self._turn("open")

    def _turn(self, state: State) -> None:
        # Calls that began before the turn say nothing about what is now, so their tickets are void.
        self.state = state
        self._failures = 0
        self._era += 1
