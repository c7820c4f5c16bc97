"""One picture language: a colour *and* a shape for each state and sort of message, in light and in dark.

Everything with pixels takes its looks from here: the browser as CSS custom properties (`style_sheet`) and as
`LOOKS` in its scripts (`script`), matplotlib as plain colours, markers and paths. The hues keep apart for the
common kinds of colour blindness, and no meaning hangs on a hue alone: every look has a shape of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from attrs import frozen

Point = tuple[float, float]

_ROUND = 0.5523
"""How far the handles of a quarter circle's Bézier curve stand off, for a radius of 1."""


def _disc(radius: float, x: float = 0, y: float = 0, *, hole: bool = False) -> str:
    """A full circle as four curves; a hole turns the other way round, so that filling leaves it open."""
    r, k = radius, radius * _ROUND
    arcs = [
        ((k, -r), (r, -k), (r, 0)),
        ((r, k), (k, r), (0, r)),
        ((-k, r), (-r, k), (-r, 0)),
        ((-r, -k), (-k, -r), (0, -r)),
    ]
    if hole:
        arcs = [tuple((-px, py) for px, py in arc) for arc in arcs]  # type: ignore[misc]
    curves = "".join("C" + " ".join(f"{x + px:.3g},{y + py:.3g}" for px, py in arc) for arc in arcs)
    return f"M{x:.3g},{y - r:.3g}{curves}Z"


def _polygon(points: Sequence[Point], *, hole: bool = False) -> str:
    """A closed polygon, given clockwise on the screen; a hole is turned round."""
    ordered = list(reversed(points)) if hole else list(points)
    return "M" + "L".join(f"{x:.3g},{y:.3g}" for x, y in ordered) + "Z"


def _box(x: float, y: float, width: float, height: float, *, hole: bool = False) -> str:
    return _polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], hole=hole)


def _turned(points: Iterable[Point], degrees: float) -> list[Point]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x * c - y * s, x * s + y * c) for x, y in points]


_CHECK = [(-0.55, 0.0), (-0.35, -0.2), (-0.13, 0.03), (0.38, -0.45), (0.58, -0.25), (-0.13, 0.46)]
_BAR = [(-0.22, -1.0), (0.22, -1.0), (0.22, 1.0), (-0.22, 1.0)]
_CROSS = [
    (-0.26, -0.95), (0.26, -0.95), (0.26, -0.26), (0.95, -0.26), (0.95, 0.26), (0.26, 0.26),
    (0.26, 0.95), (-0.26, 0.95), (-0.26, 0.26), (-0.95, 0.26), (-0.95, -0.26), (-0.26, -0.26),
]  # fmt: skip
_THIN = [
    (-0.12, -0.9), (0.12, -0.9), (0.12, -0.12), (0.9, -0.12), (0.9, 0.12), (0.12, 0.12),
    (0.12, 0.9), (-0.12, 0.9), (-0.12, 0.12), (-0.9, 0.12), (-0.9, -0.12), (-0.12, -0.12),
]  # fmt: skip
_HOOK = [
    (-0.42, -0.2), (-0.4, -0.42), (-0.22, -0.62), (0.05, -0.68), (0.32, -0.58), (0.44, -0.32), (0.36, -0.08),
    (0.12, 0.08), (0.12, 0.28), (-0.14, 0.28), (-0.14, -0.02), (0.12, -0.2), (0.16, -0.34), (0.02, -0.44),
    (-0.14, -0.36), (-0.18, -0.2),
]  # fmt: skip

SHAPES: dict[str, str] = {
    "disc": _disc(0.95),
    "triangle": _polygon([(-0.8, -0.95), (1.0, 0.0), (-0.8, 0.95)]),
    "square": _box(-0.85, -0.85, 1.7, 1.7),
    "diamond": _polygon([(0, -1), (1, 0), (0, 1), (-1, 0)]),
    "ring": _disc(0.95) + _disc(0.6, hole=True),
    # The open half turns against the disc around it, as a hole does.
    "half": _disc(0.95) + "M0,-0.62C-0.342,-0.62 -0.62,-0.342 -0.62,0C-0.62,0.342 -0.342,0.62 0,0.62Z",
    "check": _disc(0.98) + _polygon(_CHECK, hole=True),
    "double": _disc(1.0) + _disc(0.72, hole=True) + _disc(0.45),
    "cross": _polygon(_turned(_CROSS, 45)),
    "barred": _disc(0.98) + _box(-0.6, -0.2, 1.2, 0.4, hole=True),
    "question": _disc(0.98) + _polygon(_HOOK, hole=True) + _box(-0.15, 0.42, 0.29, 0.27, hole=True),
    "step over": _polygon([(-0.95, -0.8), (-0.2, 0), (-0.95, 0.8)])
    + _polygon([(0.05, -0.8), (0.8, 0), (0.05, 0.8)]) + _box(0.72, -0.8, 0.24, 1.6),
    "chevrons": _polygon([(-0.95, -0.85), (-0.45, -0.85), (0.1, 0), (-0.45, 0.85), (-0.95, 0.85), (-0.4, 0)])
    + _polygon([(0.0, -0.85), (0.5, -0.85), (1.0, 0), (0.5, 0.85), (0.0, 0.85), (0.55, 0)]),
    "pause": _box(-0.7, -0.85, 0.5, 1.7) + _box(0.2, -0.85, 0.5, 1.7),
    "slash": _disc(0.98) + _disc(0.68, hole=True) + _polygon(_turned(_BAR, 45)),
    "star": _polygon([
        (0.0, -1.0), (0.26, -0.36), (0.95, -0.31), (0.42, 0.14), (0.59, 0.81),
        (0.0, 0.44), (-0.59, 0.81), (-0.42, 0.14), (-0.95, -0.31), (-0.26, -0.36),
    ]),
    "dash": _box(-0.75, -0.17, 1.5, 0.34),
    "times": _polygon(_turned(_THIN, 45)),
    "flag": _polygon([(-0.75, -1.0), (0.75, -1.0), (0.2, -0.2), (0.2, 1.0), (-0.2, 1.0), (-0.2, -0.2)]),
    "dashes": _box(-0.95, -0.8, 0.8, 0.28) + _box(0.15, -0.8, 0.8, 0.28) + _box(-0.95, 0.52, 0.8, 0.28)
    + _box(0.15, 0.52, 0.8, 0.28) + _box(-0.95, -0.2, 0.28, 0.4) + _box(0.67, -0.2, 0.28, 0.4),
    "lock": _box(-0.75, -0.1, 1.5, 1.05)
    + "M-0.5,-0.1L-0.5,-0.4C-0.5,-1.15 0.5,-1.15 0.5,-0.4L0.5,-0.1L0.22,-0.1L0.22,-0.4C0.22,-0.78 -0.22,-0.78 -0.22,-0.4"
    "L-0.22,-0.1Z",
    # An arrow that turns round.
    "turn": "M-0.95,0.1L-0.35,-0.62L-0.35,-0.2L0.25,-0.2C0.75,-0.2 1,0.05 1,0.42C1,0.78 0.75,0.98 0.25,0.98L-0.2,0.98"
    "L-0.2,0.62L0.22,0.62C0.5,0.62 0.62,0.55 0.62,0.42C0.62,0.28 0.5,0.2 0.22,0.2L-0.35,0.2L-0.35,0.72Z",
    "switch": _box(-1.0, -0.12, 0.6, 0.24) + _box(0.4, -0.12, 0.6, 0.24)
    + _polygon(_turned([(-0.1, -0.85), (0.1, -0.85), (0.1, 0.3), (-0.1, 0.3)], 40)),
}  # fmt: skip
"""Each shape as a path in a square from -1 to 1, to be filled; only the commands M, L, C and Z occur."""


@frozen
class Look:
    """How one state or one sort of message is drawn, everywhere."""

    name: str
    label: str
    """What a legend calls it."""
    light: str
    """Its colour on light ground, as ``#rrggbb``."""
    dark: str
    shape: str
    """Its shape, a name in `SHAPES`."""
    marker: str
    """The nearest of matplotlib's own markers."""


LOOKS: dict[str, Look] = {
    look.name: look
    for look in (
        Look("event", "event", "#0067b0", "#58b2f4", "disc", "o"),
        Look("request", "request", "#a85a00", "#f0a040", "triangle", ">"),
        Look("reply", "reply", "#00776b", "#33c3b0", "square", "s"),
        Look("protocol", "protocol message", "#667080", "#98a3b0", "diamond", "d"),
        Look("waiting", "waiting", "#766a00", "#d6bf4a", "ring", "o"),
        Look("back", "back again, to be given out once more", "#8a4b00", "#e8a860", "turn", "<"),
        Look("blocked", "can't be had while another of its group is in flight", "#5a5470", "#b3accb", "lock", "$L$"),
        Look("working", "being worked on", "#4a4ec4", "#a0a5ff", "half", "h"),
        Look("done", "done", "#1a7a38", "#4dc56c", "check", "P"),
        Look("again", "done again: a duplicate", "#a3238c", "#f088d6", "double", "8"),
        Look("resent", "sent again", "#8a4b00", "#f0a040", "chevrons", "4"),
        Look("leader", "leader of a partition", "#8a5a00", "#f0b95a", "star", "*"),
        Look("watermark", "high watermark: all before it is committed", "#3a424c", "#d5dae0", "flag", "1"),
        Look("uncommitted", "not committed: not below the high watermark", "#0067b0", "#58b2f4", "dashes", "2"),
        Look("trimmed", "dropped: no longer kept", "#59626d", "#a3adb8", "dash", "_"),
        Look("compacted", "cleaned out: a later record has its key", "#59626d", "#a3adb8", "times", "x"),
        Look("skipped", "duplicate recognised, skipped", "#55743a", "#a9cb80", "step over", "|"),
        Look("lost", "lost", "#c23616", "#ff8b68", "cross", "X"),
        Look("refused", "refused", "#b0103f", "#ff809f", "barred", "_"),
        Look("unknown", "outcome unknown", "#8f6000", "#e6b440", "question", "*"),
        Look("down", "down", "#5b6470", "#98a3b0", "slash", "x"),
        Look("paused", "paused", "#5b6470", "#98a3b0", "pause", "p"),
        Look("open", "breaker open", "#c23616", "#ff8b68", "switch", "v"),
        Look("half-open", "breaker half open", "#8f6000", "#e6b440", "switch", "1"),
    )
}
"""Every look by its name."""

GROUND: dict[str, tuple[str, str]] = {
    "ink": ("#1b2027", "#e7eaee"),
    "muted": ("#59626d", "#a3adb8"),
    "line": ("#c9d0d8", "#454d58"),
    "grid": ("#e6e9ed", "#2d333b"),
    "surface": ("#ffffff", "#15181c"),
    "raised": ("#f5f7f9", "#1e2227"),
    "empty": ("#eceff2", "#2a2f36"),
    "accent": ("#0067b0", "#58b2f4"),
}
"""The colours of everything that is no state, as (light, dark)."""

SERIES: tuple[tuple[str, str, str, str], ...] = (
    ("#0067b0", "#58b2f4", "-", "o"),
    ("#a85a00", "#f0a040", "--", "s"),
    ("#00776b", "#33c3b0", "-.", "^"),
    ("#a3238c", "#f088d6", ":", "D"),
    ("#4a4ec4", "#a0a5ff", "-", "v"),
    ("#766a00", "#d6bf4a", "--", "P"),
)
"""Lines of a chart in their order: colour on light, colour on dark, matplotlib's line style and marker."""

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif'


def colour(name: str, *, dark: bool = False) -> str:
    """The colour of a look or of the ground, as ``#rrggbb``. Raises KeyError for an unknown name."""
    if name in GROUND:
        return GROUND[name][dark]
    look = LOOKS[name]
    return look.dark if dark else look.light


def style_sheet(*names: str) -> str:
    """The CSS of a widget: the colours (``--eda-lost``), what all widgets share, and files from this folder.

    A widget's root has the class ``eda``. It follows JupyterLab's theme where there is one, and the reader's
    own choice elsewhere.
    """
    pairs = [*GROUND.items(), *((look.name, (look.light, look.dark)) for look in LOOKS.values())]
    properties = "\n".join(f"  --eda-{name}: light-dark({light}, {dark});" for name, (light, dark) in pairs)
    return "\n".join([f".eda {{\n{properties}\n  --eda-font: {FONT};\n}}", *map(asset, ("shared.css", *names))])


# Each widget has a copy of its module, so a count kept in the module would start again in every one of them.
_UNIQUE = "const uniqueNumber = () => (globalThis.edaMade = (globalThis.edaMade ?? 0) + 1);"
"""A number for the ids and names of one widget's elements, which no other on the page has."""


def script(*names: str) -> str:
    """A widget's ES module: the looks and shapes, then files from this folder, all in one scope.

    So no file imports another and no build step is needed; each says at its top what it uses of others.
    """
    looks = {look.name: {"label": look.label, "path": SHAPES[look.shape]} for look in LOOKS.values()}
    return "\n".join([f"const LOOKS = {json.dumps(looks, separators=(',', ':'))};", _UNIQUE, *map(asset, names)])


@cache
def asset(name: str) -> str:
    """The text of a script or style sheet that lies beside this file."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
