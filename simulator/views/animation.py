"""A stretch of a run as an animated SVG that loops by itself: for pages where neither script nor kernel runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from simulator.trace import Trace
from simulator.views.marks import Mark
from simulator.views.replay_data import replay_data
from simulator.views.scene import NODE_RADIUS, Moving, Picture
from simulator.views.style import FONT, GROUND, LOOKS, SHAPES

_EDGE, _CAPTION, _REST = 18.0, 58.0, 2.0
"""Pixels around the picture and under it; seconds that it rests before it begins again."""

_SHORTEST, _USUAL, _LONGEST, _ARRIVAL, _LOST = 0.22, 0.5, 1.1, 0.45, 0.9
"""Seconds that a step takes: at least, where as much time passes as at the median step, at most, and at least where
something arrives or is lost."""

Spans = tuple[tuple[float, float], ...]
"""When something is in sight: (from, to) in seconds."""


def animated_svg(
    trace: Trace, path: str | Path, *, first: int | None = None, last: int | None = None, focus: str | int | None = None
) -> Path:
    """Write the steps from ``first`` to ``last`` as an SVG that plays itself, again and again; tells where it was written.

    The steps of protocol messages that go their usual way are left out. Twenty to eighty steps read well.
    Raises ValueError as `replay_data` does.
    """
    data = replay_data(trace, first=first, last=last, focus=focus)
    written = Path(path)
    written.write_text(_Film(data).text(), encoding="utf-8")
    return written


class _Film:
    """One film: what is in sight when, and what moves where."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._shown = [-1, *(step for step, quiet in enumerate(data["quiet"]) if quiet == "0")]
        self._begins = _beginnings(data, self._shown)
        self.length = self._begins[-1] = self._begins[-1] + _REST
        self._spans: dict[Mark, list[tuple[float, float]]] = {}
        self._ways: dict[int, list[tuple[float, Moving]]] = {}
        self._picture = Picture(data)
        for place, step in enumerate(self._shown):
            self._take(place, step)

    def _take(self, place: int, step: int) -> None:
        begin, end = self._begins[place], self._begins[place + 1]
        picture = self._picture.go(step)
        said = self._data["sentence"][step] if step >= 0 else self._data["name"]
        clock = f"{picture.time:,.1f} ms" if step >= 0 else ""
        middle, bottom = picture.width / 2, picture.height + 34
        captions = [
            Mark("text", (middle, bottom, 15), "ink", said, "middle bold"),
            Mark("text", (middle, bottom + 19, 12), "muted", clock, "middle"),
        ]
        for mark in (*picture.marks(), *captions):
            spans = self._spans.setdefault(mark, [])
            if spans and spans[-1][1] == begin:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((begin, end))
        for moving in picture.moving():
            # A message reaches the place that it has at a step when the step's time is over.
            way = self._ways.setdefault(moving.flight, [(begin, moving)])
            way.append((end, moving))

    def text(self) -> str:
        """The whole file."""
        picture = self._picture
        width, height = picture.width + 2 * _EDGE, picture.height + 2 * _EDGE + _CAPTION
        parts = [*self._still_and_changing(), *(self._flight(number, way) for number, way in self._ways.items())]
        name = escape(self._data["name"])
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="{-_EDGE} {-_EDGE} {width:.0f} {height:.0f}" role="img" aria-label="Replay of {name}">'
            f"<title>Replay of {name}</title>{_styles()}{_shapes()}"
            f'<rect class="surface line-s" x="{1 - _EDGE}" y="{1 - _EDGE}" rx="12" '
            f'width="{width - 2:.0f}" height="{height - 2:.0f}"/>' + "".join(parts) + "</svg>\n"
        )

    def _still_and_changing(self) -> Iterable[str]:
        """What stands, in groups of what is in sight at the same times."""
        groups: dict[tuple[int, Spans], list[Mark]] = {}
        for mark, seen in self._spans.items():
            groups.setdefault((_layer(mark), tuple(seen)), []).append(mark)
        for (_, spans), marks in sorted(groups.items(), key=lambda item: item[0][0]):
            yield f"<g>{self._visible(spans)}{''.join(map(_drawn, marks))}</g>"

    def _flight(self, number: int, way: Sequence[tuple[float, Moving]]) -> str:
        data = self._data["flights"][number]
        lost, end = bool(data[9]), way[-1][0]
        vanishes = (way[-2][0] + end) / 2 if lost else end
        plain = next(moving for _, moving in way if len(moving.marks) == min(len(each.marks) for _, each in way))
        marks = [mark for mark in plain.marks if mark.style != "faint"]
        if lost and len(way) > 2:
            marks = [mark for mark in way[0][1].marks if mark.style != "faint"]
        times = ";".join(_part(time / self.length) for time, _ in way)
        places = ";".join(f"{moving.x:.0f},{moving.y:.0f}" for _, moving in way)
        begin = way[0][0]
        times, places = f"0;{times}", f"{places.split(';')[0]};{places}"
        if end < self.length:
            times, places = f"{times};1", f"{places};{places.split(';')[-1]}"
        flown = (
            f'<g>{self._visible(((begin, vanishes),))}<g transform="translate({way[0][1].x:.0f},{way[0][1].y:.0f})">'
            f'<animateTransform attributeName="transform" type="translate" dur="{self.length:.2f}s" repeatCount="indefinite" '
            f'keyTimes="{times}" values="{places}"/>{"".join(map(_drawn, marks))}</g></g>'
        )
        if not lost:
            return flown
        x, y = way[-1][1].x, way[-1][1].y
        gone = "".join(map(_drawn, way[-1][1].marks))
        return f'{flown}<g>{self._visible(((vanishes, end),))}<g transform="translate({x:.0f},{y:.0f})">{gone}</g></g>'

    def _visible(self, spans: Spans) -> str:
        """The animation that shows something at these times only; nothing for what is always in sight."""
        if spans == ((0.0, self.length),):
            return ""
        times, values = ["0"], ["visible" if spans[0][0] == 0 else "hidden"]
        for begin, end in spans:
            for time, value in ((begin, "visible"), (end, "hidden")):
                if 0 < time < self.length:
                    times.append(_part(time / self.length))
                    values.append(value)
        return (
            f'<animate attributeName="visibility" calcMode="discrete" dur="{self.length:.2f}s" repeatCount="indefinite" '
            f'keyTimes="{";".join(times)}" values="{";".join(values)}"/>'
        )


def _beginnings(data: Mapping[str, Any], shown: Sequence[int]) -> list[float]:
    """When each shown step begins and the last one ends, in seconds: as simulated time goes, but never too short or long."""
    times = [float(data["before"] if step < 0 else data["time"][step]) for step in shown]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    usual = sorted(gap for gap in gaps if gap > 0)
    unit = _USUAL / usual[len(usual) // 2] if usual else 0.0
    arrivals = {flight[5] for flight in data["flights"]}
    begins = [0.0]
    lasts = 0.8
    for step, gap in zip(shown[1:], gaps, strict=True):
        begins.append(begins[-1] + lasts)
        lost = data["tone"][step] >= 0 and data["tones"][data["tone"][step]] == "lost"
        least = _LOST if lost else _ARRIVAL if step in arrivals else _SHORTEST
        lasts = max(least, min(_LONGEST, gap * unit))
    return [*begins, begins[-1] + lasts]


def _part(fraction: float) -> str:
    return f"{fraction:.4f}".rstrip("0").rstrip(".")


def _layer(mark: Mark) -> int:
    """What lies on top of what: links and their heads, nodes, then inside the nodes boxes, bars, shapes and text."""
    if mark.colour == "line" and (mark.kind == "area" or mark.kind == "line" and mark.style in {"strong", "dotted"}):
        return 0
    if mark.kind == "box":
        return 1 if mark.at[4] == NODE_RADIUS else 2
    return 3 + ("line", "area", "shape", "text").index(mark.kind)


def _drawn(mark: Mark) -> str:
    at, colour = mark.at, mark.colour
    if mark.kind == "box":
        x, y, width, height, radius = at
        place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:.0f}"'
        ground = f'<rect class="{mark.ground}" {place}/>' if mark.tint else ""
        inside = f"{colour} tint{mark.tint * 100:.0f}" if mark.tint else mark.ground
        return f'{ground}<rect class="{inside} {colour}-s {mark.style}" {place}/>'
    if mark.kind == "line":
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(at[::2], at[1::2], strict=True))
        return f'<polyline class="none {colour}-s {mark.style}" points="{points}"/>'
    if mark.kind == "area":
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(at[::2], at[1::2], strict=True))
        return f'<polygon class="{colour}" points="{points}"/>'
    if mark.kind == "shape":
        turn = f" rotate({at[3]:.0f})" if at[3] else ""
        name = LOOKS[mark.text].shape.replace(" ", "-")
        faint = " faint" if mark.style == "faint" else ""
        place = f"translate({at[0]:.1f},{at[1]:.1f}) scale({at[2]}){turn}"
        return f'<use href="#{name}" class="{colour}{faint}" transform="{place}"/>'
    if not mark.text:
        return ""
    return (
        f'<text class="{colour} {mark.style}" x="{at[0]:.1f}" y="{at[1]:.1f}" font-size="{at[2]}">{escape(mark.text)}</text>'
    )


def _styles() -> str:
    """The colours for light and for dark, as whoever looks at it prefers; the picture brings its own ground."""
    pairs = {**GROUND, **{look.name: (look.light, look.dark) for look in LOOKS.values()}}
    rules = "".join(f".{name}{{fill:var(--{name})}}.{name}-s{{stroke:var(--{name})}}" for name in pairs)
    light = "".join(f"--{name}:{pair[0]};" for name, pair in pairs.items())
    dark = "".join(f"--{name}:{pair[1]};" for name, pair in pairs.items())
    return (
        f"<style>svg{{{light}font-family:{FONT}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}{rules}"
        ".strong{stroke-width:2.2}.dashed{stroke-dasharray:2.5 2.5}.dotted{stroke-dasharray:1 5}.none{fill:none}"
        ".faint{opacity:.2}.tint16{fill-opacity:.16}.tint30{fill-opacity:.3}.middle{text-anchor:middle}.end{text-anchor:end}.bold{font-weight:650}</style>"
    )


def _shapes() -> str:
    """The shapes, each once."""
    return (
        "<defs>" + "".join(f'<path id="{name.replace(" ", "-")}" d="{path}"/>' for name, path in SHAPES.items()) + "</defs>"
    )
