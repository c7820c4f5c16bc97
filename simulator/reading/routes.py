"""Where a broker's exchanges led each message: one line a message, one column a queue."""

from __future__ import annotations

from attrs import frozen

from simulator.reading.tables import as_html, as_text
from simulator.trace import Trace

_OWN = "header "
"""Before the names of an application's own headers (see `simulator.brokers.queue.node`)."""


@frozen
class Route:
    """Where one message was led."""

    key: str
    asked: str
    """What it was led by: its routing key, or where it has none its own headers."""
    queues: tuple[str, ...]
    """The queues that it came to stand in, in order of time; none where no binding wanted it."""
    returned: bool
    """Whether its publisher has it back."""


@frozen(repr=False)
class Routes:
    """All messages that were published, with the queues they came to. Its text has aligned columns."""

    routes: tuple[Route, ...]
    queues: tuple[str, ...]

    def __getitem__(self, key: str) -> tuple[str, ...]:
        """The queues that the (first) message with this key came to. Raises KeyError if there is none."""
        for route in self.routes:
            if route.key == key:
                return route.queues
        raise KeyError(f'No message has the key "{key}"; the keys are: {", ".join(route.key for route in self.routes)}.')

    def __repr__(self) -> str:
        return as_text([self._heads, *self._lines])

    def _repr_html_(self) -> str:
        return as_html(self._lines, heads=self._heads)

    @property
    def _heads(self) -> tuple[str, ...]:
        return ("message", "led by", *self.queues, "")

    @property
    def _lines(self) -> list[tuple[str, ...]]:
        nowhere = {True: "no queue: returned to its publisher", False: "no queue: dropped"}
        return [
            (
                route.key,
                route.asked,
                *("✓" if queue in route.queues else "" for queue in self.queues),
                "" if route.queues else nowhere[route.returned],
            )
            for route in self.routes
        ]


def routes(trace: Trace) -> Routes:
    """Where every message went that an exchange of a broker like RabbitMQ was given, in order of time."""
    stood: dict[int, list[str]] = {}
    for row in trace.rows("routed", "readied"):
        found = stood.setdefault(row[4], [])
        if "place" in trace[row[0]].data:
            found.append(str(trace.values[row[6]]))
    returned = {row[4] for row in trace.rows("returned")}
    declared = [str(getattr(queue, "name", queue)) for node in trace.scenario.nodes for queue in getattr(node, "queues", ())]
    return Routes(
        tuple(
            Route(str(trace.message(number).key), _asked(trace, number), tuple(dict.fromkeys(queues)), number in returned)
            for number, queues in stood.items()
        ),
        tuple(declared),
    )


def _asked(trace: Trace, number: int) -> str:
    headers = dict(trace.message(number).headers)
    own = ", ".join(f"{name.removeprefix(_OWN)}={value}" for name, value in headers.items() if name.startswith(_OWN))
    return headers.get("routing_key") or own or "nothing"
