"""What of a broker's exchanges, queues and bindings is in its picture, and what of it a step lights up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from simulator.brokers.queue.exchanges import DEFAULT, Binding, Destination
from simulator.brokers.queue.messages import Address
from simulator.brokers.queue.settings import QUORUM, Settings
from simulator.reading.routes import declared, in_words, routes
from simulator.scenario import Node
from simulator.trace import Trace
from simulator.views.marks import LIT, PASSED
from simulator.views.panel import shortened

Lit = tuple[str, str, str]
"""A part of a node, its state, and a text that belongs to it."""

_DEFAULT_NAME = "(default)"


class Way(NamedTuple):
    """A way out of an exchange."""

    source: str
    destination: Destination
    binding: Binding | None
    label: str

    @property
    def part(self) -> str:
        return part_of(self.source, self.destination, self.binding)


def part_of(source: str, destination: Destination, binding: Binding | None) -> str:
    """The name of a way out of an exchange among the parts of its broker."""
    key = "" if binding is None else "|".join(map(str, binding.identity[2:]))
    return f"way {source}|{'|'.join(destination)}|{key}"


def lit_parts(trace: Trace, first: int, last: int) -> Iterator[tuple[int, str, list[Lit]]]:
    """What the routing of messages lights up: (step, broker, parts), for each ``routed`` step and the ``readied`` ones after."""
    latest: dict[tuple[str, int], int] = {}
    found = routes(trace)
    for step in trace[first : last + 1]:
        number = step.message.id if step.message else 0
        if step.kind == "routed" and step.index in found:
            latest[step.node, number] = step.index
            route = found[step.index]
            parts: list[Lit] = [
                (part_of(*hop[:3]), LIT if hop.takes else PASSED, "")
                for hop in sorted(route.hops, key=lambda hop: hop.takes)
            ]
            visited = dict.fromkeys([route.address.exchange, *(hop.source for hop in route.hops)])
            key = shortened(_asks(route.address), 22)
            parts += [(f"exchange {name}", LIT, key if name == route.address.exchange else "") for name in visited]
            if route.died_in:
                parts.append((f"dead {route.died_in}", LIT, ""))
            yield step.index, step.node, parts
        elif step.kind == "readied" and (step.node, number) in latest:
            queue = step.data["queue"]
            hops = found[latest[step.node, number]].hops
            ways = [hop for hop in hops if hop.takes and hop.destination == ("queue", queue)]
            if ways:
                yield step.index, step.node, [(part_of(*hop[:3]), LIT, "") for hop in ways]


def _asks(address: Address) -> str:
    headers = ", ".join(f"{name}={value}" for name, value in address.headers.items())
    return f"key {address.routing_key}" if address.routing_key or not headers else headers


def called(exchange: str) -> str:
    """What a picture calls an exchange: the default one has no name."""
    return exchange or _DEFAULT_NAME


class RoutingMap:
    """What a broker was set up with, as far as it is drawn: every exchange that was declared, bound or used, and every queue."""

    def __init__(self, trace: Trace, node: Node) -> None:
        broker = declared(node)
        here = [route for step, route in routes(trace).items() if trace[step].node == node.name]
        self.settings = {name: queue.settings for name, queue in broker.queues.items()}
        """Every queue's settings, in the order in which they were declared."""
        self._types = {each.name: each.type for each in broker.exchanges}
        used = {name for route in here for name in (route.address.exchange, *(hop.source for hop in route.hops))}
        used |= {each.dead_letter_exchange for each in self.settings.values() if each.dead_letter_exchange is not None}
        used |= {each.name for each in getattr(node, "exchanges", ())}
        self.ways = [
            Way(each.source, each.destination, each, in_words(each, self._types[each.source]))
            for each in broker.exchanges.bindings()
        ]
        used |= {way.source for way in self.ways}
        self.ways += [
            Way(each.name, ("exchange", each.alternate), None, in_words(None, each.type))
            for each in broker.exchanges
            if each.alternate is not None and each.name in used
        ]
        # Every queue is bound to the default exchange; what is drawn is what something comes by.
        by_name = {queue for route in here if route.address.exchange == DEFAULT for queue in route.queues}
        by_name |= {
            str(each.dead_letter_routing_key) for each in self.settings.values() if each.dead_letter_exchange == DEFAULT
        }
        self.ways += [Way(DEFAULT, ("queue", name), None, name) for name in self.settings if name in by_name]
        used |= {way.destination[1] for way in self.ways if way.destination[0] == "exchange"}
        self.exchanges = self._in_order([name for name in (*self._types, DEFAULT) if name in used])
        """The names of the exchanges that are drawn, from top to bottom."""

    def _in_order(self, names: Sequence[str]) -> list[str]:
        """Each exchange about where its queues are."""
        places = {name: float(place) for place, name in enumerate(self.settings)}

        def middle(name: str, seen: frozenset[str]) -> float:
            found = []
            for kind, target in (way.destination for way in self.ways_from(name)):
                if kind == "queue":
                    found.append(places.get(target, len(places)))
                elif target not in seen:
                    found.append(middle(target, seen | {target}) - 0.25)
            return (min(found) + max(found)) / 2 if found else len(places)

        return sorted(names, key=lambda name: (middle(name, frozenset((name,))), names.index(name)))

    def ways_from(self, exchange: str) -> list[Way]:
        """The ways out of an exchange."""
        return [way for way in self.ways if way.source == exchange]

    def ways_to(self, kind: str, name: str) -> list[Way]:
        """The ways to a queue or an exchange."""
        return [way for way in self.ways if way.destination == (kind, name)]

    def sort_of(self, exchange: str) -> str:
        """What sort of exchange it is, in words."""
        return f"{self._types[exchange]} exchange" if exchange else "exchange"

    def settings_of(self, queue: str) -> str:
        """A queue's settings that are not the default, under their real names."""
        return " · ".join(_told(self.settings[queue]))

    def death_of(self, queue: str) -> str:
        """Where its dead letters go, in words; empty where they are dropped."""
        settings = self.settings[queue]
        if settings.dead_letter_exchange is None:
            return ""
        key = settings.dead_letter_routing_key
        return f"dead letters → {called(settings.dead_letter_exchange)}" + (f", key {key}" if key is not None else "")


def _told(settings: Settings) -> Iterator[str]:
    if settings.type == QUORUM:
        yield "quorum"
    if not settings.durable:
        yield "not durable"
    if settings.auto_delete:
        yield "auto-delete"
    for name in ("max_length", "max_length_bytes", "message_ttl", "expires", "delivery_limit"):
        value = getattr(settings, name)
        if value is not None:
            yield f"{name} {value:,}" + (" ms" if name in {"message_ttl", "expires"} else "")
    if settings.overflow != "drop-head":
        yield settings.overflow
    if settings.max_priority:
        yield f"max_priority {settings.max_priority}"
    if settings.single_active_consumer:
        yield "single active consumer"
