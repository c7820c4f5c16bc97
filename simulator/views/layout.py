"""Where nodes stand and how links run: producers left, brokers in the middle, consumers right (or from top to bottom).

The usual way for layered graphs: a layer for each node from the direction of the links, an order within each layer
that crosses few links, then places. Plain Python, so that it also works where numpy is not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import field, frozen

from simulator.scenario import Scenario

Point = tuple[float, float]
Size = tuple[float, float]

NODE_SIZE: Size = (150.0, 56.0)
"""Width and height of a node whose size was not given, in the pixels of a picture at its full size."""

_PASSAGE = 18.0
"""The room that a link takes where it passes through a layer."""

_BULGE, _BENDS = 44.0, 14
"""How far a link between peers goes round, at most, and of how many straight pieces it is made."""

_PORT = 22.0
"""The distance between links that leave one side of a node, where there is room."""


@frozen
class Box:
    """A node's place: its upper left corner and its size."""

    name: str
    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> Point:
        """The middle of the box."""
        return self.x + self.width / 2, self.y + self.height / 2


@frozen
class Route:
    """A link's way from the border of its source to the border of its target, as a line through points."""

    source: str
    target: str
    points: tuple[Point, ...]

    def at(self, fraction: float) -> Point:
        """The point after this fraction (0 to 1) of the way's length."""
        lengths = [math.dist(a, b) for a, b in zip(self.points, self.points[1:], strict=False)]
        left = fraction * sum(lengths)
        for (ax, ay), (bx, by), length in zip(self.points, self.points[1:], lengths, strict=False):
            if left <= length and length > 0:
                return ax + (bx - ax) * left / length, ay + (by - ay) * left / length
            left -= length
        return self.points[-1]


@frozen
class Layout:
    """A picture's size, the boxes of its nodes by name, and the routes of its links in the scenario's order."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    routes: tuple[Route, ...]


@frozen(eq=False)
class _Place:
    """Something that takes room in a layer: a node, or a link passing through."""

    name: str
    layer: int
    size: float
    """Its extent across the flow."""
    before: list[_Place] = field(factory=list)
    after: list[_Place] = field(factory=list)


def layout(
    scenario: Scenario,
    sizes: Mapping[str, Size] | None = None,
    *,
    down: bool = False,
    gap: float = 110,
    spread: float = 26,
) -> Layout:
    """Place a scenario's nodes.

    ``sizes`` gives widths and heights in pixels (`NODE_SIZE` for a node not in it). ``gap`` is the room between
    layers along the flow, which runs to the right or, with ``down``, downwards; ``spread`` the room between
    neighbours in a layer. Brokers of one kind that are linked stand in one column; downwards, where a row of them would be too
    wide, one below the other.
    """
    sizes = {name: (sizes or {}).get(name, NODE_SIZE) for name in scenario.names}
    # All is worked out along and across the flow; only the last lines know which of the two is x.
    along = {name: size[1] if down else size[0] for name, size in sizes.items()}
    across = {name: size[0] if down else size[1] for name, size in sizes.items()}
    layers = _layers(scenario, together=not down)
    columns, chains = _columns(scenario, layers, across)
    _untangle(columns)
    heads = _peers(scenario)
    stacked = down and any(head != name for name, head in heads.items())
    if stacked:
        # Peers stand exactly below each other, and links run past all of them on one side.
        for column in columns:
            column.sort(key=lambda place: not place.name)

    depth = [max((along[p.name] for p in column if p.name), default=0.0) for column in columns]
    starts = [sum(depth[:layer]) + gap * layer for layer in range(len(columns))]
    breadth = max(_breadth(column, spread) for column in columns)
    middle: dict[int, float] = {}
    for column in columns:
        at = 0.0 if stacked else (breadth - _breadth(column, spread)) / 2
        for place in column:
            middle[id(place)] = at + place.size / 2
            at += place.size + spread
    nodes = {place.name: place for column in columns for place in column if place.name}
    begins = {name: starts[place.layer] + (depth[place.layer] - along[name]) / 2 for name, place in nodes.items()}

    ports = _ports(chains, middle)
    lines = []
    for number, chain in enumerate(chains):
        first, last = chain[0], chain[-1]
        if first.layer == last.layer:
            lines.append(tuple(_around(begins, along, first.name, last.name, ports[number, 0], ports[number, 1])))
            continue
        # Straight out of its layer and straight into the next one, so that it bends where no node stands.
        points = [
            (begins[first.name] + along[first.name], ports[number, 0]),
            (starts[first.layer] + depth[first.layer], ports[number, 0]),
        ]
        for passing in chain[1:-1]:
            start = starts[passing.layer]
            points += [(start, middle[id(passing)]), (start + depth[passing.layer], middle[id(passing)])]
        points += [(starts[last.layer], ports[number, 1]), (begins[last.name], ports[number, 1])]
        lines.append(tuple(curved(dict.fromkeys(points))))

    boxes = {}
    for name, (width, height) in sizes.items():
        corner = (begins[name], middle[id(nodes[name])] - across[name] / 2)
        x, y = (corner[1], corner[0]) if down else corner
        boxes[name] = Box(name, round(x, 1), round(y, 1), width, height)
    routes = []
    for link, line in zip(scenario.links, lines, strict=True):
        points = [(round(b, 1), round(a, 1)) if down else (round(a, 1), round(b, 1)) for a, b in line]
        against = layers[link.source] > layers[link.target]
        routes.append(Route(link.source, link.target, tuple(reversed(points) if against else points)))
    total = max(starts[-1] + depth[-1], *(point[0] for line in lines for point in line), 0.0)
    width, height = (breadth, total) if down else (total, breadth)
    return Layout(width, height, boxes, tuple(routes))


def _layers(scenario: Scenario, *, together: bool) -> dict[str, int]:
    """Each node's layer: one more than the last of those that feed it; links that close a circle count reversed.

    ``together`` lets peers share a layer.
    """
    heads = _peers(scenario) if together else {name: name for name in scenario.names}
    after: dict[str, dict[str, None]] = {head: {} for head in heads.values()}
    for link in scenario.links:
        if heads[link.source] != heads[link.target]:
            after[heads[link.source]][heads[link.target]] = None
    has_before = {target for targets in after.values() for target in targets}
    feeds: dict[str, list[str]] = {name: [] for name in after}
    state: dict[str, str] = {}

    def walk(name: str) -> None:
        state[name] = "open"
        for target in after[name]:
            if state.get(target) == "open":
                feeds[name].append(target)
                continue
            feeds[target].append(name)
            if target not in state:
                walk(target)
        state[name] = "done"

    for name in sorted(after, key=lambda name: name in has_before):
        if name not in state:
            walk(name)
    layers: dict[str, int] = {}

    def layer(name: str) -> int:
        if name not in layers:
            layers[name] = max((layer(source) + 1 for source in feeds[name]), default=0)
        return layers[name]

    last = max(layer(name) for name in after)
    if not scenario.links:
        order = {"producer": 0, "broker": 1, "service": 1, "consumer": 2}
        return {node.name: order.get(node.role, 1) for node in scenario.nodes}
    for node in scenario.nodes:
        if heads[node.name] != node.name:
            continue
        below = [other for other in after if node.name in feeds[other]]
        if node.role == "consumer" and not below:
            layers[node.name] = last
        elif node.role != "producer" and not feeds[node.name] and below:
            layers[node.name] = min(layers[other] for other in below) - 1
    return {name: layers[head] for name, head in heads.items()}


def _peers(scenario: Scenario) -> dict[str, str]:
    """For each node the first of those that it stands together with: brokers of one kind that are linked."""
    heads = {name: name for name in scenario.names}
    kinds = {node.name: type(node) for node in scenario.nodes if node.role == "broker"}
    for link in scenario.links:
        one, other = heads[link.source], heads[link.target]
        if link.source in kinds and kinds[link.source] is kinds.get(link.target) and one != other:
            first, second = sorted((one, other), key=scenario.names.index)
            heads = {name: first if head == second else head for name, head in heads.items()}
    return heads


def _columns(
    scenario: Scenario, layers: Mapping[str, int], across: Mapping[str, float]
) -> tuple[list[list[_Place]], list[list[_Place]]]:
    """The layers filled with places, and for each link the chain of places it runs through, along the flow."""
    used = sorted(set(layers.values()))
    rank = {layer: place for place, layer in enumerate(used)}
    columns: list[list[_Place]] = [[] for _ in used]
    nodes: dict[str, _Place] = {}
    for name in scenario.names:
        nodes[name] = _Place(name, rank[layers[name]], across[name])
        columns[nodes[name].layer].append(nodes[name])
    chains = []
    for link in scenario.links:
        ends = sorted((nodes[link.source], nodes[link.target]), key=lambda place: place.layer)
        chain = [ends[0]]
        for layer in range(ends[0].layer + 1, ends[1].layer):
            chain.append(_Place("", layer, _PASSAGE))
            columns[layer].append(chain[-1])
        chain.append(ends[1])
        for one, next_one in itertools.pairwise(chain):
            if one.layer != next_one.layer:
                one.after.append(next_one)
                next_one.before.append(one)
        chains.append(chain)
    return columns, chains


def _untangle(columns: Sequence[list[_Place]]) -> None:
    """Order each layer by the middle of its neighbours' places, to and fro a few times."""
    rank: dict[int, float] = {}

    def number(column: Sequence[_Place]) -> None:
        for place, each in enumerate(column):
            rank[id(each)] = place - (len(column) - 1) / 2

    for column in columns:
        number(column)
    for turn in range(6):
        forward = turn % 2 == 0
        for column in columns if forward else reversed(columns):
            heights = {}
            for each in column:
                near = each.before if forward else each.after
                heights[id(each)] = sum(rank[id(other)] for other in near) / len(near) if near else rank[id(each)]
            column.sort(key=lambda each: heights[id(each)])
            number(column)


def _breadth(column: Sequence[_Place], spread: float) -> float:
    return sum(place.size for place in column) + spread * (len(column) - 1)


def _ports(chains: Sequence[Sequence[_Place]], middle: Mapping[int, float]) -> dict[tuple[int, int], float]:
    """Where each link leaves (end 0) and reaches (end 1) its nodes, so that links at one side keep apart."""
    sides: dict[tuple[int, int], list[tuple[float, int, int]]] = {}
    places = {}
    for number, chain in enumerate(chains):
        for end, (own, next_one) in enumerate(((chain[0], chain[1]), (chain[-1], chain[-2]))):
            # Both ends of a link between peers are on the side where the flow goes on.
            side = 0 if own.layer == next_one.layer else end
            sides.setdefault((id(own), side), []).append((middle[id(next_one)], number, end))
            places[id(own), side] = own
    ports = {}
    for (node, side), links in sides.items():
        step = min(_PORT, places[node, side].size * 0.8 / len(links))
        for place, (_, number, end) in enumerate(sorted(links)):
            ports[number, end] = middle[node] + (place - (len(links) - 1) / 2) * step
    return ports


def _around(
    begins: Mapping[str, float], along: Mapping[str, float], first: str, last: str, start: float, end: float
) -> Iterator[Point]:
    """The way from a node to another one of its layer: out on the side where the flow goes on, and back in."""
    out, back = begins[first] + along[first], begins[last] + along[last]
    bulge = max(out, back) + min(_BULGE, 14 + abs(end - start) / 14)
    for part in range(_BENDS + 1):
        turn = math.pi * part / _BENDS
        edge = out if part <= _BENDS / 2 else back
        yield edge + (bulge - edge) * math.sin(turn), start + (end - start) * (1 - math.cos(turn)) / 2


def curved(points: Iterable[Point]) -> Iterator[Point]:
    """The same way with soft bends: each hop leaves and arrives along the flow."""
    way = list(points)
    yield way[0]
    for (a0, b0), (a1, b1) in itertools.pairwise(way):
        if abs(b1 - b0) > 0.5:
            for part in range(1, 12):
                t = part / 12
                yield a0 + (a1 - a0) * t, b0 + (b1 - b0) * t * t * (3 - 2 * t)
        yield a1, b1
