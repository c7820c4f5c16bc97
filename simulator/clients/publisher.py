"""A client that publishes messages to a broker like RabbitMQ."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from attrs import field, frozen

from simulator.brokers.log.topic import NO_ACK
from simulator.brokers.queue.messages import header
from simulator.brokers.queue.node import RabbitMQ
from simulator.brokers.queue.protocol import PROTOCOL, RETURN
from simulator.clients.arrivals import Arrivals, Every, Keys, ListedKeys, Numbered, as_arrivals, as_keys
from simulator.clients.calls import Calls, Outcome
from simulator.clients.retry import Retry
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, did_you_mean, one_of, optional, positive, whole_from
from simulator.vocabulary import CREATED, RETURNED

if TYPE_CHECKING:
    from simulator.engine import Sim


def _as_routing_keys(value: str | Keys | Sequence[str | None]) -> Keys:
    return ListedKeys((value,)) if isinstance(value, str) else as_keys(value)


Headers: TypeAlias = tuple[tuple[str, Any], ...]
"""Names and values of one message's headers."""


def _as_headers(value: Any) -> tuple[Headers, ...]:
    sets = (value,) if isinstance(value, Mapping) else value
    return tuple(tuple(each.items()) if isinstance(each, Mapping) else tuple(each) for each in sets)


@frozen
class Publisher(Node):
    """Makes messages and publishes each to an exchange.

    With ``confirm`` (publisher confirms) it publishes each again until the broker has confirmed it; a confirmation that is lost
    makes it publish twice. Without, it never learns what became of a message. What is ``mandatory`` comes back when no
    queue gets it, and is confirmed all the same. The settings have AMQP's names and defaults.
    """

    role: ClassVar[str] = "producer"

    every: Arrivals = field(default=Every(100), converter=as_arrivals)
    """When messages are made: a number (one every so many ms), `Every`, `Poisson` or `Bursty`."""
    exchange: str = field(default="", kw_only=True)
    """"" is the default exchange: its routing key is a queue's name."""
    routing_key: Keys = field(default=ListedKeys(("",)), converter=_as_routing_keys, kw_only=True)
    """A text, or a list to go round: ``["order.eu", "order.us"]``."""
    headers: tuple[Headers, ...] = field(default=(), converter=_as_headers, kw_only=True)
    """The application's own headers, which a headers exchange goes by: ``{"region": "eu", "weight": 3}``, or a list of such to
    go round."""
    keys: Keys = field(default=Numbered(), converter=as_keys, kw_only=True)
    """What each message is about. It means nothing to the broker."""
    event: str = field(default="OrderCreated", kw_only=True)
    """The type of the event that each message carries: its kind."""
    count: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)
    """How many messages it makes; None: it never stops."""
    size: int = field(default=0, metadata=at_least(0), kw_only=True)
    """Bytes of each message."""
    delivery_mode: Literal[1, 2] = field(default=1, metadata=one_of(1, 2), kw_only=True)
    """1: transient, 2: persistent."""
    priority: int | None = field(default=None, metadata=whole_from(0, 255, or_none=True), kw_only=True)
    expiration: int | None = field(default=None, metadata=at_least(0, or_none=True), kw_only=True)
    """The messages' own time to live, in ms; None: they live on."""
    mandatory: bool = field(default=False, kw_only=True)
    confirm: bool = field(default=False, kw_only=True)
    max_unconfirmed: int | None = field(default=None, metadata=at_least(1, or_none=True), kw_only=True)
    """With ``confirm``: it publishes no more while so many are not confirmed. With 1 no message overtakes another, however often
    one is published again. None: no limit."""
    timeout: float | None = field(default=1_000.0, metadata=optional(positive("ms")), kw_only=True)
    """How long it waits for a confirmation before it publishes again."""
    retry: Retry = field(default=Retry(), kw_only=True)

    def behave(self, sim: Sim) -> Callable[[Message, str], None]:
        calls = Calls(sim, self.timeout, self.retry, None)
        # What is to be told comes from outside: a crash interrupts the telling, and does not begin it anew.
        made: int = sim.durable.get("made", 0)
        broker = brokers_of(sim.scenario, self.name)[0].name
        next_key = self.keys.chooser(sim.random("keys"), made)
        next_routing_key = self.routing_key.chooser(sim.random("routing keys"), made)
        gaps = self.every.gaps(sim.random("arrivals"), sim.now)
        most = self.count
        fixed = self._fixed_headers()
        waiting: deque[Message] = deque()
        unconfirmed = 0

        def make() -> None:
            nonlocal made
            own = self.headers[made % len(self.headers)] if self.headers else ()
            sim.durable["made"] = made = made + 1
            headers = (("routing_key", next_routing_key() or ""), *fixed, *(header(name, value) for name, value in own))
            record = sim.envelope(self.event, next_key(), None, headers, 0, self.size)
            sim.record(CREATED, record, cause=-1)
            if most is None or made < most:
                sim.call_later(next(gaps), make)
            if self.confirm:
                waiting.append(record)
                publish()
            else:
                sim.send(broker, record)

        def publish() -> None:
            nonlocal unconfirmed
            while waiting and (self.max_unconfirmed is None or unconfirmed < self.max_unconfirmed):
                unconfirmed += 1
                calls.begin(broker, waiting.popleft(), known)

        def known(_: Outcome) -> None:
            nonlocal unconfirmed
            unconfirmed -= 1
            publish()

        def answered(message: Message, _: str) -> None:
            if message.kind == RETURN:
                sim.record(RETURNED, sim.message_of(message.in_reply_to), sim.value(message.payload))
            else:
                calls.settle(message)

        if most is None or made < most:
            sim.call_later(next(gaps), make)
        return answered

    def _fixed_headers(self) -> tuple[tuple[str, str], ...]:
        said: list[tuple[str, str]] = [("exchange", self.exchange), ("delivery_mode", str(self.delivery_mode))]
        own = (("priority", self.priority), ("expiration", self.expiration))
        said += [(name, str(value)) for name, value in own if value is not None]
        if self.mandatory:
            said.append(("mandatory", "true"))
        if not self.confirm:
            said += NO_ACK
        return tuple(said)

    def problems(self, scenario: Scenario) -> Iterator[str]:
        brokers = brokers_of(scenario, self.name)
        if len(brokers) != 1:
            yield f'{self}: it has one broker, and {len(brokers)} are linked from it; add one Link("{self.name}", broker).'
            return
        if self.event in PROTOCOL:
            yield f'{self}: event is "{self.event}", which is a request to a broker and no event; name it otherwise.'
        strange = [pair for each in self.headers for pair in each if not _is_header(pair)]
        if strange:
            yield f'{self}: {strange[0]!r} is no header; give a name and a text, number or bool: headers={{"region": "eu"}}.'
        if self.max_unconfirmed is not None and not self.confirm:
            yield f"{self}: max_unconfirmed is {self.max_unconfirmed}, but nothing is confirmed; set confirm=True too."
        known: list[Any] = [each.name for each in brokers[0].exchanges]
        if self.exchange and not self.exchange.startswith("amq.") and self.exchange not in known:
            yield f'{self}: {brokers[0]} has no exchange "{self.exchange}" (NOT_FOUND); {did_you_mean(self.exchange, known)}'


def _is_header(pair: Any) -> bool:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        return False
    name, value = pair
    return isinstance(name, str) and isinstance(value, str | int | float)


def brokers_of(scenario: Scenario, name: str) -> list[RabbitMQ]:
    """The brokers that links lead to from a node."""
    return [node for node in map(scenario.node, scenario.downstream(name)) if isinstance(node, RabbitMQ)]
