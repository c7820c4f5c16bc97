"""A replay's picture at one step as a list of marks, for pictures that no browser draws: the still and the animation.

It reads the data that the browser gets (`replay_data`) and draws what `stage.js` draws. A mark is a value, so that two
steps share the marks that they have in common.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from simulator.views.layout import Route
from simulator.views.marks import Mark, line, lit, moved
from simulator.views.panel import PADDING, Read
from simulator.views.row_marks import Rows
from simulator.views.style import LOOKS

FLIGHT_GAP = 17.0
LANE = 8.0
DOOR = 13.0
"""The room between messages on a link, beside its line, and before a node's wall: as in the browser."""


NODE_RADIUS = 9.0
"""How round a node's corners are; no other box has just this."""


class Moving(NamedTuple):
    """A message under way at one step: which flight, where, how it looks."""

    flight: int
    x: float
    y: float
    marks: tuple[Mark, ...]
    """Seen from the place where it is."""


class Picture:
    """Goes through the steps of a replay's data and draws each; steps count from 0 in the data's stretch, -1 is before."""

    def __init__(self, data: Mapping[str, Any], *, shows_protocol: bool = False) -> None:
        self.data = data
        self.step = -1
        placed = data["layouts"][0]
        self.width: float = placed["w"]
        self.height: float = placed["h"]
        self._places: list[list[float]] = placed["at"]
        self._routes = [Route("", "", tuple(zip(points[::2], points[1::2], strict=True))) for points in placed["routes"]]
        self._messages = {number: (data["looks"][look], label) for number, look, label, _ in data["messages"]}
        self._state: list[dict[str, dict[Any, Any]]] = [{} for _ in data["nodes"]]
        self._shows_protocol = shows_protocol
        for path, value in data["start"]:
            self._put(path, value)

    def go(self, step: int) -> Picture:
        """Go forwards to a step."""
        while self.step < step:
            self.step += 1
            edits = self.data["edits"][self.step]
            for at in range(0, len(edits), 3):
                self._put(edits[at], edits[at + 2])
        return self

    def _put(self, path: int, value: int) -> None:
        node, name, entry = self.data["paths"][path]
        held = self._state[node].setdefault(name, {})
        held[entry] = self.data["values"][value]
        if held[entry] is None:
            del held[entry]

    @property
    def time(self) -> float:
        """The time of the step, in milliseconds."""
        return float(self.data["before"] if self.step < 0 else self.data["time"][self.step])

    def marks(self) -> Iterator[Mark]:
        """Links and nodes with what they hold; the messages under way are `moving`."""
        for route, (_, _, behind) in zip(self._routes, self.data["links"], strict=True):
            yield Mark("line", line(*route.points), "line", style="dotted" if behind else "strong")
            if behind:
                continue
            (ax, ay), (bx, by) = route.points[-2:]
            turn = math.degrees(math.atan2(by - ay, bx - ax))
            yield Mark("area", _turned((-9, -4.5, 0, 0, -9, 4.5), turn, bx, by), "line")
        rows = Rows(self._messages, self.data["message"][self.step] if self.step >= 0 else 0)
        for number, node in enumerate(self.data["nodes"]):
            x, y = self._places[number]
            yield from self._node(node, self._state[number], x, y, self._is_now(number))
            states = {part: (state, text) for at, part, state, text in self._lit() if at == number}
            for kind, at, *rest in node["marks"]:
                seen = lit(Mark(kind, tuple(at), *rest), states)
                if seen is not None:
                    yield moved(seen, x, y)
            for row in node["rows"]:
                yield from rows.marks(row, self._reader(number), x, y + row["y"])

    def _reader(self, own: int) -> Read:
        """How a row of this node looks up fields: of its own node, or of one with a name."""
        names = {node["name"]: number for number, node in enumerate(self.data["nodes"])}
        return lambda node, field: self._state[names[node] if node else own].get(field, {})

    def _lit(self) -> Sequence[Sequence[Any]]:
        """The parts that have to do with this step: node, part, state, text."""
        parts: Sequence[Sequence[Any]] = self.data["lit"].get(str(self.step), ())
        return parts

    def _is_now(self, node: int) -> bool:
        return self.step >= 0 and self.data["node"][self.step] == node

    def _node(self, node: Mapping[str, Any], state: Mapping[str, Any], x: float, y: float, now: bool) -> Iterator[Mark]:
        status = state.get("status", {}).get("")
        style = "strong" if now else "dashed" if status else ""
        ground = "empty" if status else "raised"
        yield Mark("box", (x, y, node["w"], node["h"], NODE_RADIUS), "accent" if now else "line", style=style, ground=ground)
        yield Mark("text", (x + PADDING, y + 19, 13), "ink", node["name"], "start bold")
        beside = x + PADDING + len(node["name"]) * 9.2 + 6
        if not status:
            yield Mark("text", (beside, y + 19, 10.5), "muted", node["title"], "start")
        else:
            yield Mark("shape", (x + node["w"] - 16, y + 15, 6.5, 0), status, status)
            yield Mark("text", (x + node["w"] - 27, y + 19, 11), status, LOOKS[status].label, "end bold")

    def moving(self) -> Iterator[Moving]:
        """The messages under way at this step, and those that it ends."""
        lanes: dict[tuple[int, int], list[tuple[float, int]]] = {}
        for number, flight in enumerate(self.data["flights"]):
            _, _, link, against, sent, end, left, arrives, reach, lost = flight
            if sent > self.step or end < self.step:
                continue
            quiet = self.data["quiet"]
            is_quiet = quiet[max(sent, 0)] == "1" and (not lost or quiet[end : end + 1] == "1")
            if is_quiet and not self._shows_protocol:
                continue
            if end == self.step:
                fraction = reach
            else:
                fraction = min(1.0, max(0.0, (self.time - left) / (arrives - left))) * reach if arrives > left else 0.0
            lanes.setdefault((link, against), []).append((-fraction, number))
        for (link, against), inside in lanes.items():
            yield from self._lane(link, bool(against), sorted(inside))

    def _lane(self, link: int, against: bool, inside: Sequence[tuple[float, int]]) -> Iterator[Moving]:
        """Messages at one place queue up behind the first, as long as there is room on the link."""
        route = self._routes[link]
        length = sum(math.dist(a, b) for a, b in zip(route.points, route.points[1:], strict=False))
        gap, door = min(FLIGHT_GAP / length, 1 / len(inside)), DOOR / length
        ahead = 1 + gap
        for place, (fraction, number) in enumerate(inside):
            room = gap * (len(inside) - 1 - place)
            ahead = max(min(-fraction, ahead - gap), min(room, ahead - gap), 0.0)
            along = door + ahead * (1 - 2 * door)
            x, y = route.at(1 - along if against else along)
            side = 1 if against else -1
            yield Moving(number, x, y + side * LANE, tuple(self._flight(number, side)))

    def _flight(self, number: int, side: int) -> Iterator[Mark]:
        message, copy, _, against, sent, end, *_, lost = self.data["flights"][number]
        look, label = self._messages[message]
        gone = bool(lost) and end == self.step
        shown = "lost" if gone else "again" if copy else look
        if self.step in (sent, end):
            yield Mark("shape", (0, 0, 13, 0), shown, "event", "faint")
        turn = 180 if against and shown == "request" else 0
        yield Mark("shape", (0, 0, 5.5 if shown == "protocol" else 8, turn), shown, shown)
        said = f"{label} lost".strip() if gone else label
        yield Mark("text", (0, side * 17 + (5 if side > 0 else 0), 10.5), "ink", said, "middle bold")


def _turned(points: Sequence[float], degrees: float, x: float, y: float) -> tuple[float, ...]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    pairs = zip(points[::2], points[1::2], strict=True)
    return tuple(round(part, 1) for px, py in pairs for part in (x + px * c - py * s, y + px * s + py * c))
