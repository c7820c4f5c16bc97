"""The space-time diagram: a line of life for each node, time running downwards, an arrow for each message.

The picture is Leslie Lamport's ("Time, Clocks, and the Ordering of Events in a Distributed System", 1978).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.reading.lineage import births
from simulator.trace import Step, Trace
from simulator.views.layout import layout
from simulator.views.looks import NOTABLE, TONES, message_looks
from simulator.views.replay_data import stretch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from simulator.views.drawn import Still

ANNOTATED = 64
"""Up to so many steps, each has a line of its own and says what it is."""

MOST_ARROWS = 5_000
"""More arrows than that are nothing but a black picture."""

_PIXEL = 72 / 96
_ROW, _HEAD, _LEFT, _EDGE = 19.0, 46.0, 78.0, 12.0
_SPELLED = {
    "created": "made", "duplicated": "doubled", "timed_out": "timed out", "half_opened": "breaker half open",
    "opened": "breaker open", "closed": "breaker closed",
}  # fmt: skip


class _Arrow(NamedTuple):
    """A message on its way: the steps where it left and arrived, None where that lies outside the picture."""

    source: str
    target: str
    sent: Step | None
    end: Step | None
    message: int
    lost: bool


def spacetime(
    trace: Trace,
    *,
    first: int | None = None,
    last: int | None = None,
    nodes: Iterable[str] | None = None,
    protocol: bool = False,
) -> Still:
    """A part of a run: who sent what to whom, what got lost, what each node did.

    ``first`` and ``last`` are steps of the trace, inclusive; without them, the first `ANNOTATED` steps that the picture shows.
    ``nodes`` chooses some, in this order. ``protocol`` shows messages like fetches and acknowledgements too. Up to
    `ANNOTATED` steps each have a line of their own, with its time at the left; more are drawn true to scale, without words.

    Raises KeyError for an unknown node, IndexError for an unknown step, and ValueError where there is nothing to show, or
    too much.
    """
    from simulator.views.drawn import Still

    shown = _chosen_nodes(trace, nodes)
    start, end = _part(trace, first, last, shown, protocol)
    looks = message_looks(trace, range(1, trace.messages + 1))
    steps = [step for step in _steps(trace, start, end, shown) if protocol or _matters(step, looks)]
    if not steps:
        raise ValueError(
            f"Nothing happened at {', '.join(shown)} in the steps {start} to {end}; choose more nodes or steps."
        )
    arrows = _arrows(trace, steps, shown)
    if len(arrows) > MOST_ARROWS:
        raise ValueError(
            f"These {len(arrows):,} messages would fill the picture; choose at most {MOST_ARROWS:,} by first= and last=."
        )
    figure = _Diagram(trace, shown, steps, arrows, looks).draw()
    name = trace.scenario.name.replace("_", " ") or "the run"
    return Still(figure, f"Space-time diagram of {name}: steps {start} to {end}, {len(arrows)} messages, {len(shown)} nodes")


def _chosen_nodes(trace: Trace, nodes: Iterable[str] | None) -> list[str]:
    if nodes is None:
        boxes = layout(trace.scenario).boxes
        return sorted(trace.nodes, key=lambda name: (boxes[name].x, boxes[name].y))
    chosen = list(nodes)
    for name in chosen:
        trace.node_index(name)
    if not chosen:
        raise ValueError("nodes is empty; name at least one node, or leave it out for all of them.")
    return chosen


def _part(trace: Trace, first: int | None, last: int | None, nodes: Sequence[str], protocol: bool) -> tuple[int, int]:
    if not len(trace) or last is not None or first is not None and len(trace) - first <= ANNOTATED:
        return stretch(trace, first, last)
    begin = trace[first or 0].index
    looks = message_looks(trace, range(1, trace.messages + 1))
    end, count = begin, 0
    for index in range(begin, len(trace)):
        step = trace[index]
        count += step.node in nodes and (protocol or _matters(step, looks))
        if count > ANNOTATED:
            break
        end = index
    return begin, end


def _steps(trace: Trace, start: int, end: int, nodes: Sequence[str]) -> list[Step]:
    return [step for step in trace[start : end + 1] if step.node in nodes]


def _matters(step: Step, looks: Mapping[int, str]) -> bool:
    """Whether a step is more than protocol going its usual way."""
    if step.message is not None and looks.get(step.message.id) == "protocol":
        return step.kind in {"lost", "duplicated"}
    return step.kind not in {"assigned", "committed"}


def _arrows(trace: Trace, steps: Sequence[Step], nodes: Sequence[str]) -> list[_Arrow]:
    """The messages between these nodes that left, arrived or got lost within these steps."""
    arrows: list[_Arrow] = []
    inside = {step.index: step for step in steps}
    ended: set[int] = set()
    for step in steps:
        if step.kind not in {"delivered", "lost"} or step.message is None:
            continue
        sent = inside.get(step.cause) if step.cause is not None else None
        source, target = (step.data["source"], step.node) if step.kind == "delivered" else (step.node, step.data["to"])
        if source in nodes and target in nodes:
            arrows.append(_Arrow(source, target, sent, step, step.message.id, step.kind == "lost"))
        if step.cause is not None:
            ended.add(step.cause)
    under_way = [step for step in steps if step.kind == "sent" and step.index not in ended and step.data["to"] in nodes]
    return arrows + [
        _Arrow(step.node, step.data["to"], step, None, step.message.id, False) for step in under_way if step.message
    ]


class _Diagram:
    """One picture. All lengths are pixels, y downwards."""

    def __init__(
        self,
        trace: Trace,
        nodes: Sequence[str],
        steps: Sequence[Step],
        arrows: Sequence[_Arrow],
        looks: Mapping[int, str],
    ) -> None:
        self._trace = trace
        self._nodes = nodes
        self._steps = steps
        self._arrows = arrows
        self._looks = looks
        self._annotated = len(steps) <= ANNOTATED
        self._gap = max(150.0 if self._annotated else 110.0, *(len(name) * 9.0 + 20 for name in nodes))
        self._rows = self._row_places()
        self._height = max([*self._rows.values(), _HEAD]) + 1.4 * _ROW
        # Beside the first and the last line of life there is room for what their nodes do.
        beside = 118.0 if self._annotated else self._gap / 3
        self._columns = {name: _LEFT + beside + place * self._gap for place, name in enumerate(nodes)}
        self._width = _LEFT + 2 * beside + (len(nodes) - 1) * self._gap + _EDGE
        self._busy = self._busy_sides()

    def _row_places(self) -> dict[int, float]:
        """The height at which each step stands: a line of its own, or where its time is."""
        if not self._annotated:
            begin, end = self._steps[0].time, self._steps[-1].time
            scale = 620.0 / (end - begin or 1.0)
            return {step.index: _HEAD + _ROW / 2 + (step.time - begin) * scale for step in self._steps}
        places: dict[int, float] = {}
        y = _HEAD - _ROW / 2
        for before, step in zip([None, *self._steps], self._steps, strict=False):
            # A message that leaves at once with what made it go shares its line, and so does what a loss is about.
            joined = before is not None and (
                (step.kind in {"sent", "lost"} and step.time == before.time and step.node == before.node)
                or (before.kind == "delivered" and step.time == before.time and step.node == before.node)
            )
            y += 0.0 if joined else _ROW * (1.0 if before is None or step.time - before.time <= 0 else 1.25)
            places[step.index] = y
        return places

    def _busy_sides(self) -> set[tuple[str, float, bool]]:
        """Where arrows begin and end: node, height, and whether on its right."""
        busy = set()
        for arrow in self._arrows:
            right = self._columns[arrow.target] > self._columns[arrow.source]
            if arrow.sent:
                busy.add((arrow.source, self._rows[arrow.sent.index], right))
            if arrow.end and not arrow.lost:
                busy.add((arrow.target, self._rows[arrow.end.index], not right))
        return busy

    def draw(self) -> Any:
        from simulator.views.drawn import blank
        from simulator.views.style import colour

        figure = blank(self._width / 96, self._height / 96)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, self._width)
        axes.set_ylim(self._height, 0)
        axes.axis("off")
        for name, x in self._columns.items():
            axes.plot([x, x], [_HEAD - 12, self._height - 6], color=colour("line"), linewidth=1.4, zorder=1)
            axes.text(x, 22, name, fontsize=12.5 * _PIXEL, fontweight="bold", color=colour("ink"), ha="center")
            self._draw_downs(axes, name, x)
        self._draw_times(axes)
        self._draw_arrows(axes)
        for step in self._steps:
            self._draw_step(axes, step)
        return figure

    def _draw_times(self, axes: Axes) -> None:
        from matplotlib.ticker import MaxNLocator

        from simulator.views.style import colour

        if self._annotated:
            # Steps of one moment stand below each other; the moment is told once.
            at = {step.time: self._rows[step.index] for step in reversed(self._steps)}
        else:
            begin, end = self._steps[0].time, self._steps[-1].time
            top, scale = self._rows[self._steps[0].index], 620.0 / (end - begin or 1.0)
            at = {
                float(time): top + (time - begin) * scale
                for time in MaxNLocator(10).tick_values(begin, end)
                if begin <= time <= end
            }
        for time, y in at.items():
            told = f"{time:,.1f} ms" if self._annotated else f"{time:,.0f} ms"
            axes.text(_LEFT - 8, y + 4, told, fontsize=10 * _PIXEL, color=colour("muted"), ha="right")
            axes.plot([_LEFT, self._width - _EDGE], [y, y], color=colour("grid"), linewidth=0.7, zorder=0)

    def _draw_downs(self, axes: Axes, name: str, x: float) -> None:
        """A line of life is broken while its node is down."""
        from simulator.views.style import colour

        began: float | None = None
        for step in self._steps:
            if step.node == name and step.kind == "crashed":
                began = self._rows[step.index]
            elif step.node == name and step.kind == "restarted" and began is not None:
                axes.plot(
                    [x, x], [began, self._rows[step.index]], color=colour("lost"), linewidth=2, linestyle=":", zorder=2
                )
                began = None
        if began is not None:
            axes.plot([x, x], [began, self._height - 6], color=colour("lost"), linewidth=2, linestyle=":", zorder=2)

    def _draw_arrows(self, axes: Axes) -> None:
        from matplotlib.collections import LineCollection, PolyCollection

        from simulator.views.style import colour

        lines: list[list[tuple[float, float]]] = []
        inks: list[str] = []
        heads: list[list[tuple[float, float]]] = []
        head_inks: list[str] = []
        crosses: list[tuple[float, float]] = []
        for arrow in self._arrows:
            begin, end = self._ends(arrow)
            if self._annotated and arrow.end and not arrow.lost:
                # The tip stays in front of the mark that the step has there.
                far = math.dist(begin, end)
                end = (end[0] + (begin[0] - end[0]) * 7 / far, end[1] + (begin[1] - end[1]) * 7 / far)
            ink = colour("lost" if arrow.lost else self._looks.get(arrow.message, "protocol"))
            lines.append([begin, end])
            inks.append(ink)
            if arrow.lost:
                crosses.append(end)
            elif arrow.end is not None:
                heads.append(_head(begin, end))
                head_inks.append(ink)
            if self._annotated:
                self._label(axes, arrow, begin, end, ink)
                # Where a message leaves later than what made it go, nothing else marks the place.
                axes.plot(*([each] for each in begin), marker="o", markersize=4, color=ink, zorder=5)
        axes.add_collection(LineCollection(lines, colors=inks, linewidths=1.3 if self._annotated else 0.8, zorder=3))
        axes.add_collection(PolyCollection(heads, facecolors=head_inks, edgecolors="none", zorder=4))
        if crosses:
            axes.plot(
                [x for x, _ in crosses], [y for _, y in crosses], linestyle="", marker="X", markersize=8,
                color=colour("lost"), markeredgecolor=colour("surface"), zorder=5,
            )  # fmt: skip

    def _ends(self, arrow: _Arrow) -> tuple[tuple[float, float], tuple[float, float]]:
        x, to = self._columns[arrow.source], self._columns[arrow.target]
        top, bottom = _HEAD - 8, self._height - 8
        begin = (x, self._rows[arrow.sent.index] if arrow.sent else top)
        end = (to, self._rows[arrow.end.index] if arrow.end else bottom)
        if arrow.lost:
            # A loss is noticed by nobody: the cross stands half way, a little below where the message left.
            return begin, ((x + to) / 2, max(begin[1], end[1]) + 0.45 * _ROW)
        if arrow.end is None:
            return begin, (x + (to - x) * 0.6, begin[1] + min(bottom - begin[1], 0.8 * _ROW) * 0.6)
        if arrow.sent is None:
            return (x + (to - x) * 0.4, max(top, end[1] - 0.8 * _ROW)), end
        return begin, end

    def _label(self, axes: Axes, arrow: _Arrow, begin: tuple[float, float], end: tuple[float, float], ink: str) -> None:
        message = self._trace.message(arrow.message)
        if message.key is None and self._looks.get(arrow.message) == "event" and not arrow.lost:
            # What carries records says so where they are fetched; several leave at once, and their labels would cover each other.
            return
        told = message.kind + (f" {message.key}" if message.key else "")
        again = arrow.sent.data["attempt"] if arrow.sent else 1
        if again > 1:
            told += f" (attempt {again})"
        if arrow.lost:
            told += " lost"
        # Along the arrow, and always read from left to right.
        (x, y), (to_x, to_y) = sorted((begin, end))
        turn = math.atan2(to_y - y, to_x - x)
        axes.text(
            (x + to_x) / 2 + 4 * math.sin(turn), (y + to_y) / 2 - 4 * math.cos(turn), told, fontsize=9.5 * _PIXEL, color=ink,
            ha="center", va="bottom", rotation=-math.degrees(turn), rotation_mode="anchor", zorder=6, parse_math=False,
        )  # fmt: skip

    def _draw_step(self, axes: Axes, step: Step) -> None:
        from matplotlib.patches import PathPatch
        from matplotlib.transforms import Affine2D

        from simulator.views.still import shape_path
        from simulator.views.style import LOOKS, SHAPES, colour

        tone = TONES.get(step.kind) or (self._looks.get(step.message.id, "event") if step.message else "event")
        if step.kind == "processed" and step.data["attempt"] > 1:
            tone = "again"
        if step.kind in {"sent", "delivered", "lost"} or not self._annotated and tone not in NOTABLE:
            return
        x, y = self._columns[step.node], self._rows[step.index]
        axes.plot([x], [y], marker="o", markersize=9, color=colour("surface"), zorder=6)
        moved = Affine2D().scale(5.5).translate(x, y)
        path = shape_path(SHAPES[LOOKS[tone].shape]).transformed(moved)
        axes.add_patch(PathPatch(path, facecolor=colour(tone), linewidth=0, zorder=7))
        if not self._annotated:
            return
        told = _SPELLED.get(step.kind, step.kind)
        if step.message and step.message.key and step.message.id in births(self._trace):
            told += f" {step.message.key}"
        right = (step.node, y, True) not in self._busy or (step.node, y, False) in self._busy
        axes.text(
            x + (10 if right else -10), y + 4, told, fontsize=10 * _PIXEL, color=colour(tone), zorder=8,
            ha="left" if right else "right", parse_math=False,
            bbox={"facecolor": colour("surface"), "edgecolor": "none", "pad": 0.4, "alpha": 0.75},
        )  # fmt: skip


def _head(begin: tuple[float, float], end: tuple[float, float], size: float = 9.0) -> list[tuple[float, float]]:
    """The triangle at the tip of an arrow."""
    turn = math.atan2(end[1] - begin[1], end[0] - begin[0])
    return [end] + [(end[0] - size * math.cos(turn + side), end[1] - size * math.sin(turn + side)) for side in (0.4, -0.4)]
