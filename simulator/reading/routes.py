"""Why a broker like RabbitMQ put a message into these queues and not into others: what its exchanges looked at.

A ``routed`` step tells the exchange and how many queues there were. The rest follows from what the scenario declares and from the
message: this goes through the run once more with the decisions alone (`simulator.brokers.queue.exchanges`), so that what is told
here is what the broker decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from simulator.brokers.queue.broker import Broker
from simulator.brokers.queue.dead_letters import dead_letter, without_cycles
from simulator.brokers.queue.declared import ask, consume_on, set_up
from simulator.brokers.queue.exchanges import DEFAULT, Binding, Exchange, Hop
from simulator.brokers.queue.messages import Address, Content, Envelope, address
from simulator.brokers.queue.protocol import PUBLISH, Consume, Publishing
from simulator.message import Message
from simulator.reading.memo import remembered
from simulator.scenario import Node
from simulator.trace import Step, Trace
from simulator.vocabulary import RESTARTED, ROUTED, SUBSCRIBED

_MOST_TOLD = 4
"""A sentence names so many bindings on either side of its "but"."""


class Route(NamedTuple):
    """One message's way through the exchanges of a broker."""

    address: Address
    hops: tuple[Hop, ...]
    """Every way out of the exchanges it came to, whether it took it or not."""
    queues: tuple[str, ...]
    """The queues that it was to go to."""
    died_in: str
    """The queue that it left as a dead letter; empty for one that a publisher sent."""
    words: str
    """Why it went this way, as a sentence without its full stop."""


def routes_messages(node: Node) -> bool:
    """Whether a node has exchanges, queues and bindings to route by."""
    return all(hasattr(node, part) for part in ("exchanges", "queues", "bindings"))


def declared(node: Node) -> Broker:
    """A broker as this node declares it, with nothing in its queues."""
    return set_up(*(getattr(node, part) for part in ("exchanges", "queues", "bindings")))


@remembered
def routes(trace: Trace) -> dict[int, Route]:
    """The way of each message that was routed, by the index of its ``routed`` step."""
    tables = {place: _Tables(declared(node)) for place, node in enumerate(trace.scenario.nodes) if routes_messages(node)}
    found: dict[int, Route] = {}
    for index, time, code, node, message, cause, _, b, _ in trace.rows("routed", "subscribed", "unsubscribed", "restarted"):
        table = tables.get(node)
        if table is None:
            continue
        table.broker.advance(time)
        if code == RESTARTED:
            table.restart()
        elif code == SUBSCRIBED:
            table.subscribe(trace.message(message), trace.nodes[b])
        elif code != ROUTED:
            table.unsubscribe(trace.nodes[b])
        else:
            led = trace[cause] if cause >= 0 else None
            if led is not None and led.kind == "settled":
                found[index] = table.bury(led)
            elif led is not None and led.message is not None and led.message.kind == PUBLISH:
                found[index] = table.publish_again(Publishing(*led.message.payload), trace.message(message))
            else:
                found[index] = table.publish(trace.message(message))
        table.broker.take_effects()
    return found


class _Tables:
    """A broker's exchanges and queues as they are at a moment of the run. Nothing is in its queues; what went there is known."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._connected: set[str] = set()
        self._came: dict[tuple[int, str], Envelope] = {}
        """How a message came to a queue."""

    def restart(self) -> None:
        """The broker starts again, without its connections."""
        self._connected.clear()
        self.broker.restart()

    def publish(self, message: Message) -> Route:
        """A publisher's message comes to the exchange that it names."""
        goes = address(message)
        return self._route(Envelope(goes.exchange, goes.routing_key, Content(message.id, headers=goes.headers)))

    def publish_again(self, again: Publishing, message: Message) -> Route:
        """Somebody passes on a message that was published before."""
        headers = {**address(message).headers, **(again.headers or {})}
        return self._route(Envelope(again.exchange, again.routing_key, Content(message.id, headers=headers)))

    def bury(self, death: Step) -> Route:
        """A message leaves the queue that it died in for that queue's dead-letter exchange."""
        assert death.message is not None
        queue, reason = death.data["queue"], death.data["reason"]
        goes = address(death.message)
        came = self._came.get((death.message.id, queue))
        if came is None:
            came = Envelope(goes.exchange, goes.routing_key, Content(death.message.id, headers=goes.headers))
        return self._route(dead_letter(came, reason, self.broker.queues[queue].settings, death.time), queue, reason)

    def _route(self, sent: Envelope, died_in: str = "", reason: str = "") -> Route:
        exchanges = {each.name: each for each in self.broker.exchanges}
        headers = sent.content.headers
        known = sent.exchange == DEFAULT or sent.exchange in exchanges
        hops = (
            tuple(self.broker.exchanges.hops(sent.exchange, sent.routing_key, headers, self.broker.queues)) if known else ()
        )
        found = tuple(dict.fromkeys(hop.destination[1] for hop in hops if hop.takes and hop.destination[0] == "queue"))
        queues = without_cycles(sent, reason, found) if died_in else found
        for queue in queues:
            self._came[sent.content.body, queue] = sent
        own = {name: value for name, value in headers.items() if not name.startswith(("x-death", "x-first-death-"))}
        goes = Address(sent.exchange, sent.routing_key, own)
        words = _words(goes, hops, exchanges)
        round_again = [queue for queue in found if queue not in queues]
        if round_again:
            words += f"; but not back to {_listed(round_again)}, or it would go round for ever"
        return Route(goes, hops, queues, died_in, words)

    def subscribe(self, request: Message, consumer: str) -> None:
        """A client consumes queues, after it has declared what it wanted: while a queue has a consumer, it is not deleted by
        itself."""
        if consumer in self._connected:
            # It consumes several queues by one request.
            return
        self._connected.add(consumer)
        asked = Consume(*request.payload)
        channel = self.broker.channel(consumer)
        for each in asked.declared:
            ask(channel, each)
        consume_on(channel, asked)

    def unsubscribe(self, consumer: str) -> None:
        """The consumer's connection is closed."""
        self._connected.discard(consumer)
        self.broker.close_connection(consumer)


# In words.


def in_words(binding: Binding | None, exchange_type: str) -> str:
    """What a way out of an exchange asks for, as a picture labels it: a routing key or pattern, headers, or nothing."""
    if binding is None:
        return "if none fits"
    if exchange_type == "fanout":
        return "all"
    if exchange_type != "headers":
        return binding.routing_key or "(empty key)"
    wanted = [
        f"{name}={value}" if value is not None else name for name, value in binding.arguments.items() if name != "x-match"
    ]
    joined = {"any": " or ", "any-with-x": " or "}.get(str(binding.arguments.get("x-match", "all")), " and ")
    return joined.join(wanted) or "all"


def _words(goes: Address, hops: Sequence[Hop], exchanges: Mapping[str, Exchange]) -> str:
    if goes.exchange == DEFAULT:
        there = "" if any(hop.takes for hop in hops) else ", and there is no such queue"
        return f'the default exchange takes the routing key "{goes.routing_key}" for the name of a queue{there}'
    if goes.exchange not in exchanges:
        return f"there is no exchange {goes.exchange}"
    parts: list[str] = []
    for source in dict.fromkeys(hop.source for hop in hops):
        parts += _words_at(goes, exchanges[source], [hop for hop in hops if hop.source == source])
    return "; ".join(parts) or f"nothing is bound to {goes.exchange}"


def _words_at(goes: Address, exchange: Exchange, hops: Sequence[Hop]) -> Iterable[str]:
    """What happened at one of the exchanges."""
    bound = [hop for hop in hops if hop.binding is not None]
    taken, passed = [hop for hop in bound if hop.takes], [hop for hop in bound if not hop.takes]
    if bound and exchange.type == "fanout":
        yield f"{exchange.name} copies everything to {_listed([hop.destination[1] for hop in taken])}"
    elif bound:
        at = f"at {exchange.name} " if exchange.name != goes.exchange else ""
        by_headers = exchange.type == "headers"
        what = f"the headers ({_headers(goes)})" if by_headers else f'the routing key "{goes.routing_key}"'
        fits, not_fit = ("fit", "do not fit") if by_headers else ("fits", "does not fit")
        these = _listed([f'"{in_words(hop.binding, exchange.type)}" (to {hop.destination[1]})' for hop in taken])
        others = _listed([f'"{in_words(hop.binding, exchange.type)}"' for hop in passed], "or")
        but = f", but not {others}" if passed else ""
        yield f"{at}{what} {fits} {these}{but}" if taken else f"{at}{what} {not_fit} {others}"
    yield from (
        f"so it goes on to the alternate exchange {hop.destination[1]}" for hop in hops if hop.takes and not hop.binding
    )


def _headers(goes: Address) -> str:
    return ", ".join(f"{name}={value}" for name, value in goes.headers.items()) or "none"


def _listed(parts: Sequence[str], word: str = "and") -> str:
    shown = [*parts[:_MOST_TOLD], f"{len(parts) - _MOST_TOLD} more"] if len(parts) > _MOST_TOLD + 1 else list(parts)
    return f"{', '.join(shown[:-1])} {word} {shown[-1]}" if len(shown) > 1 else "".join(shown)
