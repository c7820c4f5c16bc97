"""One step of a replay as a still picture, for wherever no widget can be: GitHub, an untrusted notebook, a paper."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from simulator.views.marks import Mark
from simulator.views.scene import Picture
from simulator.views.style import LOOKS, SHAPES, colour

_DPI = 120
_PIXEL = 72 / 96
"""Points in a pixel of the picture at its full size."""

_EDGE, _CAPTION = 14.0, 46.0
_DASHES = (0, (2.5, 2.5))

_TELLING = ("duplicate", "skipped duplicate", "redelivery", "loss", "timeout", "crash", "refusal", "reordering")
"""What a run is most worth remembering for, in this order."""


def telling_step(data: Mapping[str, Any]) -> int:
    """The step that says most about a run: the first of what went wrong, or one near its end. Counted as in the trace."""
    marks = {str(label).removeprefix("first "): int(step) for label, step in data["marks"]}
    for name in _TELLING:
        if name in marks:
            return marks[name] + int(data["first"])
    return int(data["first"]) + len(data["time"]) * 3 // 4


def figure(data: Mapping[str, Any], step: int) -> Figure:
    """A replay's data at one step of the trace as a matplotlib figure, on a light ground."""
    picture = Picture(data).go(step - data["first"])
    width, height = picture.width + 2 * _EDGE, picture.height + 2 * _EDGE + _CAPTION
    made = Figure(figsize=(width / 96, height / 96), dpi=_DPI, facecolor=colour("surface"))
    FigureCanvasAgg(made)
    axes = made.add_axes((0, 0, 1, 1))
    axes.set_xlim(-_EDGE, width - _EDGE)
    axes.set_ylim(height - _EDGE, -_EDGE)
    axes.axis("off")
    for order, mark in enumerate(picture.marks()):
        _draw(axes, mark, 0, 0, order)
    for moving in picture.moving():
        for order, mark in enumerate(moving.marks):
            _draw(axes, mark, moving.x, moving.y, 10_000 + order)
    said = data["sentence"][picture.step] if picture.step >= 0 else "Nothing has happened yet."
    caption = textwrap.fill(f"Step {step}, {picture.time:,.1f} ms: {said}" if picture.step >= 0 else said, int(width / 6.4))
    axes.text(
        width / 2 - _EDGE, picture.height + _EDGE + _CAPTION / 2, caption,
        fontsize=12 * _PIXEL, color=colour("ink"), ha="center", va="center",
    )  # fmt: skip
    return made


def to_png(data: Mapping[str, Any], step: int) -> bytes:
    """`figure` as a PNG file's bytes; the same bytes for the same data."""
    written = io.BytesIO()
    figure(data, step).savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _draw(axes: Axes, mark: Mark, x: float, y: float, order: float) -> None:
    ink = colour(mark.colour)
    if mark.kind == "box":
        left, top, width, height, radius = mark.at
        axes.add_patch(
            FancyBboxPatch(
                (x + left, y + top), width, height, boxstyle=f"round,pad=0,rounding_size={radius}",
                facecolor=_mixed(ink, colour(mark.ground), mark.tint), edgecolor=ink, zorder=order,
                linewidth=(2.2 if "strong" in mark.style else 1.1) * _PIXEL,
                linestyle=_DASHES if "dashed" in mark.style else "-",
            )
        )  # fmt: skip
    elif mark.kind == "line":
        wide = 2.0 if "strong" in mark.style else 1.0
        axes.plot(
            [x + each for each in mark.at[::2]],
            [y + each for each in mark.at[1::2]],
            color=ink,
            lw=wide * _PIXEL,
            ls=_DASHES if "dashed" in mark.style else ":" if "dotted" in mark.style else "-",
            zorder=order,
        )
    elif mark.kind == "area":
        points = [(x + a, y + b) for a, b in zip(mark.at[::2], mark.at[1::2], strict=True)]
        axes.add_patch(Polygon(points, facecolor=ink, linewidth=0, zorder=order))
    elif mark.kind == "shape":
        left, top, size, turn = mark.at
        moved = Affine2D().scale(size).rotate_deg(turn).translate(x + left, y + top)
        path = shape_path(SHAPES[LOOKS[mark.text].shape]).transformed(moved)
        alpha = 0.2 if mark.style == "faint" else 1
        axes.add_patch(PathPatch(path, facecolor=ink, linewidth=0, zorder=order, alpha=alpha))
    else:
        side, *weight = mark.style.split()
        axes.text(
            x + mark.at[0], y + mark.at[1], mark.text, fontsize=mark.at[2] * _PIXEL, color=ink, zorder=order,
            ha={"start": "left", "middle": "center", "end": "right"}[side], va="baseline", parse_math=False,
            fontweight="bold" if weight else "normal",
        )  # fmt: skip


def _mixed(ink: str, ground: str, part: float) -> tuple[float, float, float]:
    """A tint: this part of the ink on the ground."""
    r, g, b = (a * part + c * (1 - part) for a, c in zip(to_rgb(ink), to_rgb(ground), strict=True))
    return r, g, b


_CODES = {"M": [Path.MOVETO], "L": [Path.LINETO], "C": [Path.CURVE4] * 3, "Z": [Path.CLOSEPOLY]}


def shape_path(text: str) -> Path:
    """A shape of `SHAPES` as matplotlib's own path."""
    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    for command, rest in re.findall(r"([MLCZ])([^MLCZ]*)", text):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", rest)]
        points += zip(numbers[::2], numbers[1::2], strict=True) if numbers else [(0.0, 0.0)]
        codes += _CODES[command]
    return Path(points, codes)
