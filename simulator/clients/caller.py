"""The asking side of request-response."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from simulator.clients.arrivals import Arrivals, Every, Keys, Numbered, as_arrivals, as_keys
from simulator.clients.breaker import CircuitBreaker
from simulator.clients.calls import Calls
from simulator.clients.retry import Retry
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, did_you_mean, optional, positive
from simulator.vocabulary import CREATED

if TYPE_CHECKING:
    from simulator.engine import Sim


@frozen
class Caller(Node):
    """Customers who each ask once and wait for the answer. They don't wait for each other: new ones come whatever happens.

    Each request is created, then sent; it ends completed or abandoned. An attempt without an answer in ``timeout`` ms
    (None: it waits for ever) is timed out, one with a refusal failed; both are tried again as ``retry`` says (None: never).
    """

    role: ClassVar[str] = "producer"

    every: Arrivals = field(default=Every(100.0), converter=as_arrivals)
    """When they come: a number means one every so many milliseconds."""
    keys: Keys = field(default=Numbered("order-"), converter=as_keys, kw_only=True)
    to: str | None = field(default=None, kw_only=True)
    """Whom they ask; None: the one node that a link leads to from here."""
    request: str = field(default="request", kw_only=True)
    """What they ask for: the requests' kind, a command's name such as ``"PlaceOrder"``."""
    count: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)
    """How many come in all; None: no end."""
    timeout: float | None = field(default=None, metadata=optional(positive("ms")), kw_only=True)
    retry: Retry | None = field(default=None, kw_only=True)
    breaker: CircuitBreaker | None = field(default=None, kw_only=True)

    def problems(self, scenario: Scenario) -> Iterator[str]:
        reached = scenario.downstream(self.name)
        if self.to is None and len(reached) != 1:
            wanted = (
                f"{len(reached)} links lead from it; say which node it asks with to="
                if reached
                else (f'no link leads from it; add Link("{self.name}", …)')
            )
            yield f"{self}: {wanted}."
        elif self.to is not None and not scenario.linked(self.name, self.to):
            yield f'{self}: to is "{self.to}", but no link joins the two; {did_you_mean(self.to, reached)}'

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        calls = Calls(sim, self.timeout, self.retry, self.breaker)
        # Those who come are not in this node's memory: a crash turns some away, and begins nothing anew.
        came: int = sim.durable.get("came", 0)
        gaps = self.every.gaps(sim.random("arrivals"), sim.now)
        next_key = self.keys.chooser(sim.random("keys"), came)
        to, kind = self.to or sim.downstream[0], self.request
        most = self.count

        def come() -> None:
            nonlocal came
            message = sim.message(kind, next_key())
            sim.durable["came"] = came = came + 1
            sim.record(CREATED, message, cause=-1)
            if most is None or came < most:
                sim.call_later(next(gaps), come)
            calls.begin(to, message)

        def answered(message: Message, _: str) -> None:
            calls.settle(message)

        if most is None or came < most:
            sim.call_later(next(gaps), come)
        return answered
