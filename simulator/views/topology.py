"""The topology: who is linked with whom, drawn from a scenario before any run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from simulator.network import Exponential, Fixed, Latency, LinkFault, LogNormal, NodeFault, Uniform
from simulator.scenario import Scenario
from simulator.views.layout import Layout, Route, layout

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.axes import Axes

    from simulator.views.drawn import Still

_PIXEL = 72 / 96
_ROLES = {"producer": "request", "broker": "event", "service": "reply", "consumer": "reply"}
_EDGE = 18.0


def graph(scenario: Scenario) -> nx.DiGraph[str]:
    """The scenario as a directed graph of networkx: its nodes by name, its links as edges in the direction they are drawn.

    Nodes carry ``kind`` (the name of their class), ``role`` and ``pos`` (x and y in pixels, y downwards, as `layout` places
    them); edges ``latency`` in words.
    """
    import networkx as nx

    placed = layout(scenario)
    made: nx.DiGraph[str] = nx.DiGraph(name=scenario.name)
    for node in scenario.nodes:
        made.add_node(node.name, kind=type(node).__name__, role=node.role, pos=placed.boxes[node.name].centre)
    for link in scenario.links:
        made.add_edge(link.source, link.target, latency=in_words(link.latency))
    return made


def topology(scenario: Scenario) -> Still:
    """The nodes and links of a scenario, with how long messages take, and where faults strike."""
    from matplotlib.patches import FancyBboxPatch

    from simulator.views.drawn import Still, blank
    from simulator.views.style import colour

    shown, placed = graph(scenario), layout(scenario)
    width, height = placed.width + 2 * _EDGE, placed.height + 2 * _EDGE + 14
    figure = blank(width / 96, height / 96)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-_EDGE, width - _EDGE)
    axes.set_ylim(height - _EDGE, -_EDGE)
    axes.axis("off")
    for route in placed.routes:
        _draw_link(axes, route, shown.edges[route.source, route.target]["latency"], _struck_links(scenario, route))
    struck = {fault.node: type(fault).__name__.lower() for fault in scenario.faults if isinstance(fault, NodeFault)}
    for name, attributes in shown.nodes(data=True):
        box = placed.boxes[name]
        ink = colour(_ROLES.get(attributes["role"], "protocol"))
        axes.add_patch(
            FancyBboxPatch(
                (box.x, box.y), box.width, box.height, boxstyle="round,pad=0,rounding_size=9", facecolor=colour("raised"),
                edgecolor=colour("lost") if name in struck else ink, linewidth=1.2, linestyle="--" if name in struck else "-",
            )
        )  # fmt: skip
        x, y = box.centre
        axes.text(x, y - 2, name, fontsize=13 * _PIXEL, fontweight="bold", color=colour("ink"), ha="center")
        under = attributes["kind"] + (f" · will {struck[name]}" if name in struck else "")
        axes.text(x, y + 15, under, fontsize=11 * _PIXEL, color=colour("lost" if name in struck else "muted"), ha="center")
    return Still(figure, f"Topology of {_called(scenario)}: {_count(shown, placed)}")


def in_words(latency: Latency) -> str:
    """How long a message is under way, as short as it can be said: "2 ms", "5–15 ms", "about 10 ms"."""
    match latency:
        case Fixed(ms):
            return f"{ms:g} ms"
        case Uniform(low, high):
            return f"{low:g}–{high:g} ms"
        case Exponential(usual) | LogNormal(usual):
            return f"about {usual:g} ms"
    return type(latency).__name__


def _draw_link(axes: Axes, route: Route, latency: str, struck: str) -> None:
    from simulator.views.style import colour

    ink = colour("lost") if struck else colour("muted")
    xs, ys = [x for x, _ in route.points], [y for _, y in route.points]
    axes.plot(xs, ys, color=ink, linewidth=1.3, linestyle="--" if struck else "-", solid_capstyle="butt", zorder=1)
    (x, y), (before_x, before_y) = route.points[-1], route.at(0.93)
    turn = math.atan2(y - before_y, x - before_x)
    corners: list[Any] = [(x, y)] + [
        (x - 9 * math.cos(turn + side), y - 9 * math.sin(turn + side)) for side in (0.45, -0.45)
    ]
    axes.fill([x for x, _ in corners], [y for _, y in corners], color=ink, linewidth=0, zorder=2)
    middle_x, middle_y = route.at(0.5)
    axes.text(
        middle_x, middle_y - 6, f"{latency}{f' · {struck}' if struck else ''}", fontsize=10.5 * _PIXEL, ha="center",
        color=ink, zorder=3, bbox={"facecolor": colour("surface"), "edgecolor": "none", "pad": 1.2},
    )  # fmt: skip


def _struck_links(scenario: Scenario, route: Route) -> str:
    """The faults on a link, as words: "drop, slow"."""
    ends = {route.source, route.target}
    names = [
        type(fault).__name__.lower()
        for fault in scenario.faults
        if isinstance(fault, LinkFault) and {fault.source, fault.target} == ends
    ]
    return ", ".join(dict.fromkeys(names))


def _called(scenario: Scenario) -> str:
    return scenario.name.replace("_", " ") or "the scenario"


def _count(shown: nx.DiGraph[str], placed: Layout) -> str:
    return f"{shown.number_of_nodes()} nodes, {len(placed.routes)} links"
