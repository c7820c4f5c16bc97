"""Still figures: how long it took, how much waited, how much got done, who sent what to whom, who is linked with whom.

Each gives a `Still`. Matplotlib is imported when one is drawn, never pyplot, so figures may be drawn in any thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simulator.reading import measures
from simulator.reading.distribution import Distribution
from simulator.reading.parties import clients, extent, groups, processors, topics_of
from simulator.trace import Trace
from simulator.views.charts import stops
from simulator.views.spacetime import spacetime
from simulator.views.topology import topology

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from simulator.views.drawn import Still

__all__ = ["lag", "latency", "spacetime", "throughput", "topology"]

_SIZE = (7.2, 3.4)


def latency(runs: Trace | Mapping[str, Trace], client: str | None = None) -> Still:
    """How long clients waited: for each time, the share that had their answer within it, with p50 (○) and p99 (□).

    One run, or several by name, in one picture.
    """
    from simulator.views.drawn import Still, blank, dress, legend

    named = {"": runs} if isinstance(runs, Trace) else dict(runs)
    figure = blank(*_SIZE)
    axes = dress(figure.add_subplot(), "How long customers waited", "answered within (ms)", "% of those answered")
    said = []
    longest = 1.0
    for place, (name, trace) in enumerate(named.items()):
        taken = measures.latency(trace, client)
        said.append(_told(name, taken))
        longest = max(longest, taken.max or 0.0)
        draw_spread(axes, taken, place, name)
    axes.set_ylim(0, 104)
    axes.set_xlim(0, longest * 1.16)
    legend(axes, loc="lower right")
    figure.tight_layout()
    return Still(figure, f"Latency: {'; '.join(said)}")


def draw_spread(axes: Axes, taken: Distribution, place: int, name: str) -> None:
    """A distribution as a rising line, with its p50 and p99."""
    from simulator.views.drawn import looks_of_line

    if not taken.values:
        return
    count = len(taken.values)
    look = looks_of_line(place) | {"marker": ""}
    shares = [0.0, *(100.0 * rank / count for rank in range(1, count + 1))]
    axes.step([taken.values[0], *taken.values], shares, where="post", label=name, **look)
    for share, marker in ((50, "o"), (99, "s")):
        value = taken.percentile(share) or 0.0
        axes.plot([value], [share], marker=marker, color=look["color"], markersize=6, markerfacecolor="white", zorder=5)
        axes.annotate(
            f"p{share} {value:,.0f} ms", (value, share), xytext=(7, -4 - 11 * (share == 99)), textcoords="offset points",
            fontsize=8.5, color=look["color"],
        )  # fmt: skip


def lag(trace: Trace, group: str | None = None, *, unit: str = "messages") -> Still:
    """How far a consumer group (without one, each) is behind over time, in ``"messages"`` or in ``"ms"``, per partition.

    Raises KeyError for a name that is no group, ValueError for a group that reads no topic, an unknown unit, or a run in which
    nobody reads a topic.
    """
    from simulator.views.drawn import Still, blank, dress, legend, looks_of_line

    if unit not in {"messages", "ms"}:
        raise ValueError(f'unit is {unit!r}; it must be "messages" or "ms".')
    readers = [group] if group else [name for name in groups(trace) if topics_of(trace, name)]
    if not readers:
        raise ValueError("Nobody reads a topic in this run, so there is no lag to draw.")
    figure = blank(*_SIZE)
    axes = dress(figure.add_subplot(), "How far readers are behind", "time (ms)", unit)
    shade_stops(axes, trace)
    place, worst = 0, 0.0
    for name in readers:
        for series in measures.lag_over_time(trace, name, every=extent(trace).end / 120):
            values = series.messages if unit == "messages" else series.ms
            worst = max(worst, *values)
            label = f"{name}, {series.topic} p{series.partition}"
            axes.plot(series.times, values, label=label, **looks_of_line(place) | {"markevery": 15})
            place += 1
    axes.set_xlim(0, extent(trace).end)
    axes.set_ylim(bottom=0)
    legend(axes, loc="upper left")
    figure.tight_layout()
    return Still(figure, f"Lag of {', '.join(readers)}: at most {worst:,.0f} {unit} in one partition")


def throughput(trace: Trace, *names: str, every: float | None = None) -> Still:
    """How much gets done over time, per second: what clients make, and what groups and services (all, or these) process.

    ``every`` is the length of the intervals that are counted, in ms; without it, a twentieth of the run.
    Raises KeyError for an unknown name.
    """
    from simulator.views.drawn import Still, blank, dress, legend, looks_of_line

    end = extent(trace).end
    interval = every or end / 20
    lines = [(f"made by {name}", name, "created") for name in clients(trace)]
    lines += [(name, name, "processed") for name in names or processors(trace)]
    figure = blank(*_SIZE)
    axes = dress(figure.add_subplot(), "How much got done", "time (ms)", "per second")
    shade_stops(axes, trace)
    for place, (label, name, kind) in enumerate(lines):
        counted = measures.throughput_over_time(trace, name, kind=kind, every=interval)
        points = [(start + interval / 2, rate) for start, rate in counted if start < end]
        axes.plot([x for x, _ in points], [y for _, y in points], label=label, **looks_of_line(place) | {"markevery": 4})
    axes.set_xlim(0, end)
    axes.set_ylim(bottom=0)
    legend(axes, loc="upper left")
    figure.tight_layout()
    totals = ", ".join(f"{label} {measures.throughput(trace, name, kind=kind):,.1f}" for label, name, kind in lines)
    return Still(figure, f"Throughput per second: {totals}")


def shade_stops(axes: Axes, trace: Trace) -> None:
    """Mark when nodes did nothing."""
    from simulator.views.style import colour

    for told, span in stops(trace):
        axes.axvspan(span.start, span.end, color=colour("down"), alpha=0.16, linewidth=0)
        axes.annotate(
            told, (span.start, 1), xycoords=("data", "axes fraction"), xytext=(3, -10), textcoords="offset points",
            fontsize=8.5, color=colour("muted"),
        )  # fmt: skip


def _told(name: str, taken: Distribution) -> str:
    numbers: Any = (taken.p50, taken.p99)
    told = "no answers" if not taken.values else f"p50 {numbers[0]:,.1f} ms, p99 {numbers[1]:,.1f} ms"
    return f"{name} {told}".strip()
