"""A broker like RabbitMQ as it is drawn: its exchanges on the left, its queues on the right, the bindings between them.

What a learner is to see is why a message went to this queue and not to that one: at a ``routed`` step every binding that was
looked at is marked, those that it fits and those that it does not.
"""

from __future__ import annotations

from simulator.scenario import Node
from simulator.trace import Trace
from simulator.views.layout import curved
from simulator.views.marks import LIT, PASSED, Mark, arrow_head, line
from simulator.views.panel import (
    CHARACTER,
    CHIP_HEIGHT,
    GLYPH,
    HEAD,
    PADDING,
    SMALL,
    Chips,
    Panel,
    Row,
    Said,
    Slots,
    Text,
    Use,
    shortened,
)
from simulator.views.routing_map import RoutingMap, called

_EXCHANGE_HEIGHT, _PORT, _BEND, _LABEL_ROOM, _WAY, _LINE = 40.0, 11.0, 54.0, 30.0, 19.0, 14.0
"""Heights of an exchange, of a port on it, of a binding's port at a queue and of a line of small print; widths of the bend of a
binding, and of the room beside its label."""

_APART = 16.0
"""The room between two queues, or two exchanges."""


def queues_panel(trace: Trace, node: Node, use: Use, label_width: float, most: Slots) -> Panel:
    """The panel of a broker that routes messages (`routes_messages`), for what it holds in a stretch of a trace."""
    return _Drawing(trace, node, use, label_width, most).panel()


class _Drawing:
    def __init__(self, trace: Trace, node: Node, use: Use, label_width: float, most: Slots) -> None:
        self._trace, self._node, self._use, self._most = trace, node, use, most
        self._map = RoutingMap(trace, node)
        self._slot = label_width + GLYPH + 14
        self.marks: list[Mark] = []
        self.rows: list[Row] = []

    def panel(self) -> Panel:
        exchange_width = max(
            (max(len(called(name)) * 7.2, len(self._map.sort_of(name)) * SMALL) for name in self._map.exchanges),
            default=40.0,
        )
        exchange_width = max(exchange_width + 24, 118)
        inside = [way for way in self._map.ways if way.destination[0] == "exchange"]
        left = PADDING + (16 if inside else 0)
        labels = max((len(way.label) for way in self._map.ways if way.destination[0] == "queue"), default=0) * 6.2
        right = left + exchange_width + _BEND + labels + _LABEL_ROOM
        width = max(self._queue_width(name) for name in self._map.settings) if self._map.settings else 0
        queue_tops, bottom = self._place_queues()
        exchange_tops = self._place_exchanges(queue_tops)
        bottom = max(bottom, *(exchange_tops[name] + self._height(name) for name in self._map.exchanges), HEAD)
        self._draw_ways(left, exchange_width, right, exchange_tops, queue_tops)
        for name in self._map.settings:
            self._draw_dead(name, left + exchange_width, right, exchange_tops, queue_tops)
        for name in self._map.exchanges:
            self._draw_exchange(name, left, exchange_tops[name], exchange_width)
        for name in self._map.settings:
            self._draw_queue(name, right, queue_tops[name], width)
        title = type(self._node).__name__
        return Panel(
            self._node.name,
            title,
            round(right + width + PADDING),
            round(bottom + PADDING),
            tuple(self.rows),
            tuple(self.marks),
        )

    def _height(self, name: str) -> float:
        return max(
            _EXCHANGE_HEIGHT, _PORT * len([way for way in self._map.ways_from(name) if way.destination[0] == "queue"]) + 8
        )

    # Queues.

    def _consumers(self, name: str) -> list[str]:
        return [str(each) for each in self._use.entries.get(f"consumers {name}", {})]

    def _label_room(self, name: str) -> float:
        widest = max(len(shortened(each, 12)) for each in ("unacked", *self._consumers(name)))
        return widest * CHARACTER + 10

    def _chips(self, name: str) -> int:
        return max(1, min(self._use.most.get(f"ready {name}", 0), self._most.chips + 1))

    def _held(self, name: str, consumer: str) -> int:
        """Room for what a consumer holds: as much as it may, if that is limited."""
        prefetch: int = getattr(self._trace.scenario.node(consumer), "prefetch_count", 0)
        most = self._use.most.get(f"unacked {name}", 0)
        return max(1, min(prefetch or most, self._most.chips))

    def _queue_width(self, name: str) -> float:
        held = max((self._held(name, each) for each in self._consumers(name)), default=0)
        rows = self._label_room(name) + max(self._chips(name) * self._slot + 24, held * self._slot + 96)
        texts = (len(name) * 7 + 40, len(self._map.settings_of(name)) * SMALL, len(self._map.death_of(name)) * SMALL + 16)
        return max(rows, *texts, 120) + 20

    def _queue_height(self, name: str) -> float:
        lines = bool(self._map.settings_of(name)) + bool(self._map.death_of(name)) + bool(self._consumers(name))
        rows = (1 + len(self._consumers(name))) * (CHIP_HEIGHT + 4)
        return max(24 + lines * _LINE + rows + 4, 14 + _WAY * len(self._map.ways_to("queue", name)))

    def _place_queues(self) -> tuple[dict[str, float], float]:
        tops, y = {}, HEAD + _LINE
        for name in self._map.settings:
            tops[name] = y
            y += self._queue_height(name) + _APART
        return tops, y - _APART if tops else y

    def _draw_queue(self, name: str, x: float, y: float, width: float) -> None:
        marks, settings = self.marks, self._map.settings[name]
        height = self._queue_height(name)
        style = "" if settings.durable else "dashed"
        marks.append(Mark("box", (x, y, width, height, 3), "muted", style=style))
        # Two bars at its ends tell a queue from an exchange.
        marks += [
            Mark("area", (x + at, y, x + at + 3, y, x + at + 3, y + height, x + at, y + height), "muted")
            for at in (0, width - 3)
        ]
        marks.append(Mark("text", (x + 10, y + 16, 12), "ink", name, "start bold"))
        marks.append(Mark("text", (x + width - 10, y + 16, 10), "muted", "queue", "end"))
        at = y + 22
        if self._map.settings_of(name):
            marks.append(Mark("text", (x + 10, at + 7, 10), "muted", self._map.settings_of(name), "start"))
            at += _LINE
        start = x + 10 + self._label_room(name)
        self.rows.append(Chips("ready", start, at, f"ready {name}", self._chips(name), self._slot, left=x + 10))
        at += CHIP_HEIGHT + 4
        consumers = self._consumers(name)
        if consumers:
            marks.append(Mark("text", (x + 10, at + 8, 10), "muted", "unacked, at its consumers:", "start"))
            at += _LINE
        for consumer in consumers:
            slots = self._held(name, consumer)
            label, among = shortened(consumer, 12), (f"holder {name}", consumer)
            self.rows.append(Chips(label, start, at, f"unacked {name}", slots, self._slot, left=x + 10, among=among))
            prefetch = Said(f"consumers {name}", "prefetch {value}", consumer, "prefetch ∞", "not here")
            self.rows.append(Text("", start + slots * self._slot + 24, at, (prefetch,), size=10))
            at += CHIP_HEIGHT + 4
        if self._map.death_of(name):
            part = f"dead {name}"
            marks.append(Mark("shape", (x + 14, at + 5, 4.5, 0), "refused", "refused"))
            marks.append(Mark("text", (x + 23, at + 8.5, 10), "muted", self._map.death_of(name), "start", part=part))

    # Exchanges.

    def _place_exchanges(self, queue_tops: dict[str, float]) -> dict[str, float]:
        """Each in the middle of what it leads to, as far as the one above it leaves room."""
        tops: dict[str, float] = {}
        y = HEAD + _LINE
        for name in self._map.exchanges:
            reached = [
                queue_tops[queue] + self._queue_height(queue) / 2
                for kind, queue in (way.destination for way in self._map.ways_from(name))
                if kind == "queue" and queue in queue_tops
            ]
            wanted = (min(reached) + max(reached)) / 2 - self._height(name) / 2 if reached else y
            tops[name] = max(y + _LINE * len(self._map.ways_to("exchange", name)), wanted)
            y = tops[name] + self._height(name) + _APART
        return tops

    def _draw_exchange(self, name: str, x: float, y: float, width: float) -> None:
        height, part = self._height(name), f"exchange {name}"
        self.marks += [
            Mark("box", (x, y, width, height, _EXCHANGE_HEIGHT / 2), "muted", part=part),
            Mark("text", (x + width / 2, y + height / 2 - 2, 12), "ink", called(name), "middle bold", part=part),
            Mark("text", (x + width / 2, y + height / 2 + 12, 10), "muted", self._map.sort_of(name), "middle"),
            # What the message on its way through asks for, in a label of its own above the box.
            Mark("text", (x + width / 2, y - 4, 10.5), "ink", "", "middle", part=part, when=LIT),
        ]

    def _draw_ways(
        self, left: float, wide: float, right: float, exchange_tops: dict[str, float], queue_tops: dict[str, float]
    ) -> None:
        begin = left + wide
        straight = begin + _BEND
        ends: dict[str, float] = {}
        for name in self._map.settings:
            ways = sorted(self._map.ways_to("queue", name), key=lambda way: exchange_tops.get(way.source, 0))
            for place, way in enumerate(ways):
                ends[way.part] = queue_tops[name] + 20 + place * _WAY
        for name in self._map.exchanges:
            out = sorted((way for way in self._map.ways_from(name) if way.part in ends), key=lambda way: ends[way.part])
            for place, way in enumerate(out):
                start = exchange_tops[name] + self._height(name) * (place + 1) / (len(out) + 1)
                end = ends[way.part]
                points = [*curved([(begin, start), (straight, end)]), (right - 2, end)]
                self.marks += [
                    Mark("line", line(*points), "muted", part=way.part),
                    Mark("area", arrow_head(right, end), "muted", part=way.part),
                    Mark("text", (straight + 14, end - 4, 10), "ink", way.label, "start", part=way.part),
                    Mark("shape", (straight + 6, end - 8, 5, 0), "done", "done", part=way.part, when=LIT),
                    Mark("shape", (straight + 6, end - 8, 4.5, 0), "muted", "lost", part=way.part, when=PASSED),
                ]
        self._draw_inside(left, wide, exchange_tops)

    def _draw_inside(self, left: float, wide: float, tops: dict[str, float]) -> None:
        """Ways from one exchange to another run down or up the left side."""
        for name in self._map.exchanges:
            for place, way in enumerate(self._map.ways_to("exchange", name)):
                start = tops[way.source] + self._height(way.source) / 2
                end = tops[name] + self._height(name) / 2 + place * 4
                lane = left - 12
                style = "dashed" if way.binding is None else ""
                up = tops[name] - 4 - place * _LINE
                self.marks += [
                    Mark(
                        "line",
                        line((left, start), (lane, start), (lane, end), (left - 2, end)),
                        "muted",
                        style=style,
                        part=way.part,
                    ),
                    Mark("area", arrow_head(left, end), "muted", part=way.part),
                    Mark("text", (left + 12, up, 10), "ink", way.label, "start", part=way.part),
                    Mark("shape", (left + 4, up - 4, 5, 0), "done", "done", part=way.part, when=LIT),
                    Mark("shape", (left + 4, up - 4, 4.5, 0), "muted", "lost", part=way.part, when=PASSED),
                ]

    def _draw_dead(
        self, name: str, begin: float, right: float, exchange_tops: dict[str, float], queue_tops: dict[str, float]
    ) -> None:
        """Dead letters leave a queue below and go back to the right side of their exchange."""
        target = self._map.settings[name].dead_letter_exchange
        if target is None or target not in exchange_tops:
            return
        bottom = queue_tops[name] + self._queue_height(name)
        end = exchange_tops[target] + self._height(target) - 5
        lane = begin + 12
        points = ((right + 14, bottom), (right + 14, bottom + 8), (lane, bottom + 8), (lane, end), (begin + 2, end))
        part = f"dead {name}"
        self.marks += [
            Mark("line", line(*points), "refused", style="dashed", part=part),
            Mark("area", arrow_head(begin, end, to_left=True), "refused", part=part),
        ]
