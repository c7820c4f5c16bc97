"""Exchanges and bindings: which queues a message goes to. No clock, no network.

Source for the rules: AMQP 0-9-1, RabbitMQ's guides on exchanges, alternate exchanges and exchange-to-exchange bindings, and
the answers of a RabbitMQ 3.10.8.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from attrs import field, frozen

from simulator.brokers.queue.errors import AmqpError
from simulator.validation import did_you_mean

DEFAULT = ""
"""The default exchange's name: every queue is bound to it by its own name, and nothing else can be."""

Destination: TypeAlias = tuple[Literal["queue", "exchange"], str]


@frozen
class Exchange:
    """An exchange's settings, as they were declared."""

    name: str
    type: str
    durable: bool = field(default=False, kw_only=True)
    auto_delete: bool = field(default=False, kw_only=True)
    internal: bool = field(default=False, kw_only=True)
    alternate: str | None = field(default=None, kw_only=True)
    """The exchange that gets what this one has no destination for (``alternate-exchange``)."""


class Binding(NamedTuple):
    """From a source exchange to a queue or another exchange."""

    source: str
    destination: Destination
    routing_key: str
    arguments: Mapping[str, Any]

    @property
    def identity(self) -> tuple[str, Destination, str, str]:
        """The same for two bindings that are one and the same to the broker."""
        return self.source, self.destination, self.routing_key, json.dumps(dict(self.arguments), sort_keys=True)


class Hop(NamedTuple):
    """A way out of an exchange that a message came to, and whether it takes it."""

    source: str
    destination: Destination
    binding: Binding | None
    """None: no binding leads there; it is the exchange's alternate one, or the default exchange's own way to a queue."""
    takes: bool


def topic_matches(pattern: str, routing_key: str) -> bool:
    """Whether a topic exchange's binding takes a key: ``*`` stands for exactly one word, ``#`` for any number of them.

    Words are what dots separate; they may be empty, and an empty key has none.
    """
    return _words_match(_words(pattern), _words(routing_key))


def _words(text: str) -> list[str]:
    return text.split(".") if text else []


def _words_match(pattern: list[str], words: list[str]) -> bool:
    # reached[n]: the pattern so far can stand for the first n words.
    reached = [True] + [False] * len(words)
    for part in pattern:
        if part == "#":
            for place in range(1, len(reached)):
                reached[place] = reached[place] or reached[place - 1]
        else:
            for place in range(len(words), 0, -1):
                reached[place] = reached[place - 1] and part in ("*", words[place - 1])
            reached[0] = False
    return reached[-1]


X_MATCH = ("all", "any", "all-with-x", "any-with-x")


def headers_match(arguments: Mapping[str, Any], headers: Mapping[str, Any]) -> bool:
    """Whether a headers exchange's binding takes a message with these headers.

    ``x-match`` says whether all of the other arguments must be there (the default) or any one; those that begin with ``x-``
    count only in its two -with-x forms. An argument without a value asks only that the header is there.
    """
    wanted = str(arguments.get("x-match", "all"))
    counted = (
        (name, value)
        for name, value in arguments.items()
        if name != "x-match" and (wanted.endswith("-with-x") or not name.startswith("x-"))
    )
    matches = (name in headers and (value is None or _same(value, headers[name])) for name, value in counted)
    return any(matches) if wanted.startswith("any") else all(matches)


def _same(one: Any, other: Any) -> bool:
    """Equal as AMQP's fields are: true is not the number 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


_RULES: dict[str, Callable[[Binding, str, Mapping[str, Any]], bool]] = {
    "direct": lambda binding, routing_key, _: binding.routing_key == routing_key,
    "fanout": lambda binding, routing_key, _: True,
    "topic": lambda binding, routing_key, _: topic_matches(binding.routing_key, routing_key),
    "headers": lambda binding, _, headers: headers_match(binding.arguments, headers),
}

TYPES = tuple(_RULES)
"""The types of exchange."""

_PREDECLARED = {
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.topic": "topic",
    "amq.headers": "headers",
    "amq.match": "headers",
}


class Exchanges:
    """All exchanges of a broker and the bindings from them."""

    def __init__(self) -> None:
        self._exchanges = {name: Exchange(name, type_, durable=True) for name, type_ in _PREDECLARED.items()}
        self._bindings: dict[str, dict[tuple[str, Destination, str, str], Binding]] = {name: {} for name in self._exchanges}

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._exchanges.values())

    def __contains__(self, name: str) -> bool:
        return name in self._exchanges

    def bindings(self) -> Iterator[Binding]:
        """All bindings, but for those of the default exchange, which go without saying."""
        for held in self._bindings.values():
            yield from held.values()

    def holds(self, binding: Binding) -> bool:
        """Whether there is this binding."""
        return binding.identity in self._bindings.get(binding.source, {})

    def known(self, name: str) -> Exchange:
        """The exchange of this name. Raises NOT_FOUND."""
        found = self._exchanges.get(name)
        if found is None:
            raise AmqpError("NOT_FOUND", f'there is no exchange "{name}"; {did_you_mean(name, self._exchanges)}')
        return found

    def declare(self, wanted: Exchange) -> None:
        """Make an exchange, unless there is the same one already."""
        if wanted.type not in TYPES:
            near = did_you_mean(wanted.type, TYPES)
            raise AmqpError("COMMAND_INVALID", f'exchange "{wanted.name}": there is no type "{wanted.type}"; {near}')
        existing = self._exchanges.get(wanted.name)
        if existing is None:
            _refuse_reserved(wanted.name)
            self._exchanges[wanted.name] = wanted
            self._bindings[wanted.name] = {}
        elif existing != wanted:
            raise AmqpError(
                "PRECONDITION_FAILED",
                f'exchange "{wanted.name}" exists with other settings, {existing}; declare it with these, or delete it first.',
            )

    def delete(self, name: str, *, if_unused: bool = False) -> None:
        """Take an exchange away, with its bindings in both directions; none of that name is no error."""
        _refuse_reserved(name)
        if name not in self._exchanges:
            return
        if if_unused and self._bindings[name]:
            raise AmqpError(
                "PRECONDITION_FAILED", f'exchange "{name}" is in use; unbind all from it, or leave if_unused out.'
            )
        del self._exchanges[name], self._bindings[name]
        self.forget(("exchange", name))

    def bind(self, binding: Binding) -> None:
        """Add a binding; the same one twice is one."""
        self.check(binding)
        x_match = binding.arguments.get("x-match", "all")
        if self._exchanges[binding.source].type == "headers" and x_match not in X_MATCH:
            near = did_you_mean(x_match, X_MATCH)
            raise AmqpError("PRECONDITION_FAILED", f'x-match of a binding to "{binding.source}" is {x_match!r}; {near}')
        self._bindings[binding.source][binding.identity] = binding

    def unbind(self, binding: Binding) -> None:
        """Take a binding away; one that is not there is no error, even if nothing of that name is."""
        self._refuse_default(binding)
        if self._bindings.get(binding.source, {}).pop(binding.identity, None) is not None:
            self._delete_if_left(binding.source)

    def forget(self, destination: Destination) -> None:
        """Take away all bindings to what is gone, and the auto-delete exchanges that have none left."""
        for source, held in list(self._bindings.items()):
            gone = [identity for identity, binding in held.items() if binding.destination == destination]
            for identity in gone:
                del held[identity]
            if gone:
                self._delete_if_left(source)

    def _delete_if_left(self, name: str) -> None:
        if name in self._exchanges and self._exchanges[name].auto_delete and not self._bindings[name]:
            self.delete(name)

    def check(self, binding: Binding) -> None:
        """Raise NOT_FOUND or ACCESS_REFUSED for a binding between exchanges that are not there, or to the default one."""
        self._refuse_default(binding)
        self.known(binding.source)
        if binding.destination[0] == "exchange":
            self.known(binding.destination[1])

    def _refuse_default(self, binding: Binding) -> None:
        if DEFAULT in (binding.source, binding.destination[1]):
            raise AmqpError("ACCESS_REFUSED", "the default exchange's bindings can't be changed; use another exchange.")

    def route(self, name: str, routing_key: str, headers: Mapping[str, Any], queues: Collection[str]) -> tuple[str, ...]:
        """The queues that get a message, each once, in alphabetical order. ``queues`` are all there are."""
        hops = self.hops(name, routing_key, headers, queues)
        return tuple(sorted({hop.destination[1] for hop in hops if hop.takes and hop.destination[0] == "queue"}))

    def hops(self, name: str, routing_key: str, headers: Mapping[str, Any], queues: Collection[str]) -> Iterator[Hop]:
        """Every way out of the exchanges that a message comes to, which it takes or not: why it goes where it goes."""
        if name == DEFAULT:
            yield Hop(name, ("queue", routing_key), None, routing_key in queues)
            return
        seen, todo = {name}, [name]
        while todo:
            exchange = self._exchanges[todo.pop()]
            matches = _RULES[exchange.type]
            found = [
                Hop(exchange.name, binding.destination, binding, matches(binding, routing_key, headers))
                for binding in self._bindings[exchange.name].values()
            ]
            if exchange.alternate is not None:
                takes = exchange.alternate in self._exchanges and not any(hop.takes for hop in found)
                found.append(Hop(exchange.name, ("exchange", exchange.alternate), None, takes))
            yield from found
            for _, (kind, destination), _, takes in found:
                if takes and kind == "exchange" and destination in self._exchanges and destination not in seen:
                    seen.add(destination)
                    todo.append(destination)

    def restart(self, queues: Collection[str]) -> None:
        """Keep what a broker keeps over a restart: durable exchanges, and the bindings between what is durable.
        ``queues`` are those that are left."""
        self._exchanges = {name: exchange for name, exchange in self._exchanges.items() if exchange.durable}
        self._bindings = {
            name: {
                identity: binding
                for identity, binding in self._bindings[name].items()
                if binding.destination[1] in (queues if binding.destination[0] == "queue" else self._exchanges)
            }
            for name in self._exchanges
        }


def _refuse_reserved(name: str) -> None:
    if name == DEFAULT or name.startswith("amq."):
        raise AmqpError(
            "ACCESS_REFUSED",
            f'"{name}" is one of the broker\'s own exchanges; choose a name that does not begin with "amq.".',
        )
