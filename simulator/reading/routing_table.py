"""Where a broker's exchanges led each message, to be read at a glance: one line a message, one column a queue."""

from __future__ import annotations

from attrs import frozen

from simulator.brokers.queue.messages import Address
from simulator.reading.routes import declared, routes, routes_messages
from simulator.reading.tables import as_html, as_text
from simulator.trace import Trace


@frozen
class Led:
    """Where one message was led."""

    key: str
    by: str
    """Its routing key, or where it has none its own headers."""
    queues: tuple[str, ...]
    """None where no binding wanted it."""
    returned: bool
    """Whether its publisher has it back."""
    why: str
    """What the exchanges looked at, as a sentence without its full stop."""


@frozen(repr=False)
class RoutingTable:
    """All messages that were published, with the queues they were led to. Its text has aligned columns."""

    lines: tuple[Led, ...]
    queues: tuple[str, ...]

    def __getitem__(self, key: str) -> Led:
        """The line of the (first) message with this key. Raises KeyError, which lists the keys, if there is none."""
        for line in self.lines:
            if line.key == key:
                return line
        raise KeyError(f'No message has the key "{key}"; the keys are: {", ".join(line.key for line in self.lines)}.')

    def __repr__(self) -> str:
        return as_text([self._heads, *self._rows])

    def _repr_html_(self) -> str:
        return as_html(self._rows, heads=self._heads)

    @property
    def _heads(self) -> tuple[str, ...]:
        return ("message", "led by", *self.queues, "")

    @property
    def _rows(self) -> list[tuple[str, ...]]:
        nowhere = {True: "no queue: returned to its publisher", False: "no queue: dropped"}
        return [
            (
                line.key,
                line.by,
                *("✓" if queue in line.queues else "" for queue in self.queues),
                "" if line.queues else nowhere[line.returned],
            )
            for line in self.lines
        ]


def routing_table(trace: Trace) -> RoutingTable:
    """Where every message of a publisher was led by the exchanges of a broker like RabbitMQ, in order of time.

    What became of a dead letter is told by `simulator.reading.routes.routes`.
    """
    returned = {row[4] for row in trace.rows("returned")}
    lines = []
    for index, route in routes(trace).items():
        message = trace[index].message
        if message is not None and not route.died_in:
            lines.append(Led(str(message.key), _by(route.address), route.queues, message.id in returned, route.words))
    names = [queue for node in trace.scenario.nodes if routes_messages(node) for queue in declared(node).queues]
    return RoutingTable(tuple(lines), tuple(names))


def _by(address: Address) -> str:
    headers = ", ".join(f"{name}={value}" for name, value in address.headers.items())
    return address.routing_key or headers or "nothing"
