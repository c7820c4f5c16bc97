"""A still figure for a notebook: drawn once, kept as a picture and one line of text, so that it shows wherever it is stored."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from simulator.views.style import SERIES, colour

DPI = 120
_FONT = ["DejaVu Sans", "sans-serif"]


class Still:
    """A picture in a notebook. ``figure`` is matplotlib's own, for whoever wants to go on from it; `save` writes it to a file."""

    def __init__(self, figure: Figure, sentence: str) -> None:
        self.figure = figure
        self._sentence = sentence

    def save(self, path: str | Path) -> Path:
        """Write the picture; the file's ending says in which form (png, svg, pdf)."""
        written = Path(path)
        self.figure.savefig(written)
        return written

    def to_png(self) -> bytes:
        """The picture as a PNG file's bytes: the same for the same figure."""
        written = io.BytesIO()
        self.figure.savefig(written, format="png", metadata={"Software": None})
        return written.getvalue()

    def __repr__(self) -> str:
        return f"<{self._sentence}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"image/png": self.to_png(), "text/plain": repr(self)}


def blank(width: float, height: float) -> Figure:
    """An empty figure of so many inches on a light ground, which no other thread shares (as pyplot's would be)."""
    made = Figure(figsize=(width, height), dpi=DPI, facecolor=colour("surface"))
    FigureCanvasAgg(made)
    return made


def dress(axes: Axes, title: str, across: str, up: str) -> Axes:
    """Give axes their title and names, and the look that all charts have."""
    axes.set_facecolor(colour("surface"))
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=colour("ink"), fontfamily=_FONT, pad=10)
    axes.set_xlabel(across, fontsize=9.5, color=colour("muted"), fontfamily=_FONT)
    axes.set_ylabel(up, fontsize=9.5, color=colour("muted"), fontfamily=_FONT)
    axes.tick_params(colors=colour("muted"), labelsize=9, length=3)
    axes.grid(True, axis="y", color=colour("grid"), linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(colour("line"))
    return axes


def looks_of_line(place: int) -> dict[str, Any]:
    """How the line at this place among others is drawn: a colour and a pattern of its own."""
    light, _, pattern, marker = SERIES[place % len(SERIES)]
    return {"color": light, "linestyle": pattern, "marker": marker, "markersize": 4.5, "linewidth": 1.7}


def legend(axes: Axes, **options: Any) -> None:
    """A legend without a frame, where there is more than one line."""
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(frameon=False, fontsize=9, labelcolor=colour("ink"), handlelength=3.2, **options)
