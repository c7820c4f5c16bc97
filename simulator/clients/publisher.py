"""A client that publishes messages to a broker like RabbitMQ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from attrs import field, frozen

from simulator.brokers.log.topic import NO_ACK
from simulator.brokers.queue.messages import HEADER
from simulator.brokers.queue.node import RabbitMQ
from simulator.brokers.queue.protocol import PROTOCOL, RETURN
from simulator.clients.arrivals import Arrivals, Every, Keys, ListedKeys, Numbered, as_arrivals, as_keys
from simulator.clients.calls import Calls
from simulator.clients.retry import Retry
from simulator.message import Message
from simulator.scenario import Node, Scenario
from simulator.validation import at_least, did_you_mean, one_of, optional, positive, whole_from
from simulator.vocabulary import CREATED, RETURNED

if TYPE_CHECKING:
    from simulator.engine import Sim


def _as_routing_keys(value: str | Keys | Sequence[str | None]) -> Keys:
    return ListedKeys((value,)) if isinstance(value, str) else as_keys(value)


def _as_headers(value: Mapping[str, str] | Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    pairs = value.items() if isinstance(value, Mapping) else value
    return tuple((str(name), str(held)) for name, held in pairs)


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
    headers: tuple[tuple[str, str], ...] = field(default=(), converter=_as_headers, kw_only=True)
    """The application's own headers, which a headers exchange goes by."""
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

        def make() -> None:
            nonlocal made
            sim.durable["made"] = made = made + 1
            headers = (("routing_key", next_routing_key() or ""), *fixed)
            record = sim.envelope(self.event, next_key(), None, headers, 0, self.size)
            sim.record(CREATED, record, cause=-1)
            if most is None or made < most:
                sim.call_later(next(gaps), make)
            if self.confirm:
                calls.begin(broker, record)
            else:
                sim.send(broker, record)

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
        return (*said, *((f"{HEADER}{name}", value) for name, value in self.headers))

    def problems(self, scenario: Scenario) -> Iterator[str]:
        brokers = brokers_of(scenario, self.name)
        if len(brokers) != 1:
            yield f'{self}: it has one broker, and {len(brokers)} are linked from it; add one Link("{self.name}", broker).'
            return
        if self.event in PROTOCOL:
            yield f'{self}: event is "{self.event}", which is a request to a broker and no event; name it otherwise.'
        known: list[Any] = [each.name for each in brokers[0].exchanges]
        if self.exchange and not self.exchange.startswith("amq.") and self.exchange not in known:
            yield f'{self}: {brokers[0]} has no exchange "{self.exchange}" (NOT_FOUND); {did_you_mean(self.exchange, known)}'


def brokers_of(scenario: Scenario, name: str) -> list[RabbitMQ]:
    """The brokers that links lead to from a node."""
    return [node for node in map(scenario.node, scenario.downstream(name)) if isinstance(node, RabbitMQ)]
