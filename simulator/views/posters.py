"""What stands for explore and contrast where no widget can be: the table and how long customers waited, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from simulator.reading.distribution import Distribution
from simulator.views.drawn import Still, blank, dress, legend
from simulator.views.figures import draw_spread
from simulator.views.style import colour

_LINE = 0.235
"""The height of a table's line, in inches."""

_WIDTH = 9.6


def poster(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], waited: Mapping[str, Distribution], sentence: str
) -> Still:
    """A table (its first column holds names) beside the share of customers that were answered within a time."""
    height = max(2.9, (len(rows) + 3) * _LINE)
    figure = blank(_WIDTH, height)
    figure.text(0.015, 1 - 0.16 / height, title, fontsize=11.5, fontweight="bold", color=colour("ink"), va="top")
    table = figure.add_axes((0.015, 0, 0.56, 1 - 0.45 / height))
    _write(table, heads, rows)
    chart = figure.add_axes((0.655, 0.55 / height, 0.33, 1 - 1.25 / height))
    dress(chart, "How long customers waited", "answered within (ms)", "% of those answered")
    longest = 1.0
    for place, (name, taken) in enumerate(waited.items()):
        longest = max(longest, taken.max or 0.0)
        draw_spread(chart, taken, place, name)
    chart.set_xlim(0, longest * 1.3)
    chart.set_ylim(0, 104)
    legend(chart, loc="lower right")
    return Still(figure, sentence)


def _write(axes: Axes, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    axes.axis("off")
    axes.set_xlim(0, 1)
    count = len(rows) + 1
    axes.set_ylim(count + 0.3, -0.5)
    # The names take half of the width; the numbers share the rest, each flush right.
    edges = [0.0] + [0.5 + 0.5 * place / (len(heads) - 1) for place in range(1, len(heads))]
    for line, cells in enumerate([heads, *rows]):
        for place, (cell, edge) in enumerate(zip(cells, edges, strict=False)):
            axes.text(
                edge, line, cell, fontsize=8.6, ha="left" if place == 0 else "right", va="center", parse_math=False,
                color=colour("muted" if line == 0 else "ink"),
            )  # fmt: skip
        axes.plot([0, 1], [line + 0.5] * 2, color=colour("line" if line == 0 else "grid"), linewidth=0.8)
