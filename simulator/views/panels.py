"""What a node shows of its state: rows of cells, chips or text, and the room they need.

The rows are worked out once for a stretch of a trace, so that a node keeps its size while its contents change.
All lengths are pixels of a picture at its full size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from attrs import frozen

from simulator.reading.frames import Edit, Frame
from simulator.reading.parties import groups
from simulator.scenario import Node
from simulator.trace import Trace

HEAD = 30.0
"""The height of a node's title."""

PADDING = 10.0
CHIP_HEIGHT = 20.0
CELL_HEIGHT = 22.0
OFFSET_HEIGHT = 11.0
MARK_HEIGHT = 14.0
ROW_GAP = 6.0
GLYPH = 12.0
"""The room for the shape that tells a chip's state."""

CHARACTER = 6.5
"""The width of a character at the size that labels have."""

_CHIP_ROWS = {
    "waiting": ("waiting", "first"),
    "fetched": ("fetched", "first"),
    "delayed": ("delayed", "first"),
    "available": ("available", "first"),
    "in flight": ("in flight", "first"),
    "queue": ("queue", "first"),
    "working": ("working", "first"),
    "acknowledged": ("stored", "last"),
    "answered": ("answered", "last"),
    "done": ("done", "last"),
    "refused": ("refused", "last"),
    "abandoned": ("gave up", "last"),
}
"""The fields of a frame that are rows of chips, from top to bottom: their label, and which end of the row matters more."""

_TEXT_ROWS = {"next": "next read", "breaker": "breaker"}

MOST_PARTITIONS = 12
"""A topic with more partitions shows the first ones that were used."""


@frozen
class Row:
    """One row of a node. ``x`` and ``y`` are where its contents begin, seen from the node's upper left corner."""

    kind: Literal["cells", "chips", "text"]
    label: str
    field: str
    x: float
    y: float
    slots: int = 0
    """How many cells or chips are in sight."""
    slot: float = 0.0
    """The width of one of them, with the gap behind it."""
    shows: Literal["first", "last"] = "first"
    marks: str = ""
    """The field whose entries are drawn under the cells: how far each group has come."""
    groups: tuple[str, ...] = ()


@frozen
class Slots:
    """How many cells or chips a row has at most."""

    cells: int
    chips: int


ROOMY, USUAL, COMPACT = Slots(8, 4), Slots(6, 3), Slots(4, 1)


@frozen
class Panel:
    """A node as it is drawn."""

    name: str
    title: str
    """What sort of node it is, in a word."""
    width: float
    height: float
    rows: tuple[Row, ...]


class Labels:
    """Short names for messages, the same everywhere in one picture: "17" for order-17 where all keys are orders."""

    def __init__(self, trace: Trace, messages: Iterable[int]) -> None:
        self._trace = trace
        keys = {trace.message(each).key for each in messages} - {None}
        self._stems = {match[1] for match in (_NUMBERED.fullmatch(str(key)) for key in sorted(map(str, keys))) if match}

    def of(self, message: int) -> str:
        """At most five characters."""
        key = self._trace.message(message).key
        if key is None:
            return f"#{message}"
        numbered = _NUMBERED.fullmatch(key)
        if numbered is None:
            return key if len(key) <= 5 else key[:4] + "…"
        stem, number = numbered.groups()
        return (number if len(self._stems) == 1 else stem[:1] + number)[-5:]


_NUMBERED = re.compile(r"(.*?)(\d+)")


class _Use:
    """Which fields of a node were ever used, and how full each was at most."""

    def __init__(self) -> None:
        self.count: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.groups: dict[str, None] = {}

    def change(self, name: str, by: int, entry: int | str) -> None:
        self.count[name] = self.count.get(name, 0) + by
        self.most[name] = max(self.most.get(name, 0), self.count[name])
        if name.startswith("committed "):
            self.groups[str(entry)] = None


def panels(
    trace: Trace, start: Frame, edits: Iterable[Iterable[Edit]], *, label_width: float, slots: Slots
) -> dict[str, Panel]:
    """What each node shows, by name, for the stretch of the trace that begins at ``start`` and goes through ``edits``.

    ``label_width`` is the width of the widest message label; ``slots`` how many a row has at most.
    """
    uses = {name: _Use() for name in trace.nodes}
    for node, fields in start.state.items():
        for name, held in fields.items():
            for entry in held:
                uses[node].change(name, 1, entry)
    for step in edits:
        for edit in step:
            uses[edit.node].change(edit.field, (edit.new is not None) - (edit.old is not None), edit.entry)
    # Groups stand in the scenario's order, as their consumers do.
    order = list(groups(trace))
    for use in uses.values():
        use.groups = dict.fromkeys(
            sorted(use.groups, key=lambda group: order.index(group) if group in order else len(order))
        )
    return {node.name: _panel(node, uses[node.name], label_width, slots) for node in trace.scenario.nodes}


def _panel(node: Node, use: _Use, label_width: float, most: Slots) -> Panel:
    labels = [label for name, (label, _) in _CHIP_ROWS.items() if name in use.most]
    labels += [label for name, label in _TEXT_ROWS.items() if name in use.most]
    partitions = _partitions(node, use)
    readers = tuple(use.groups)
    labels += [f"p{number}" for number in partitions] + [shortened(group) for group in readers if partitions]
    left = PADDING + max((len(label) for label in labels), default=0) * CHARACTER + 8

    rows: list[Row] = []
    y = HEAD
    wide = 0.0
    for number in partitions:
        slots = min(max(use.most.get(f"log {number}", 0), 4), most.cells)
        slot = max(label_width + 8, 24)
        rows.append(
            Row("cells", f"p{number}", f"log {number}", left, y, slots, slot, "last", f"committed {number}", readers)
        )
        y += CELL_HEIGHT + OFFSET_HEIGHT + MARK_HEIGHT * len(readers) + ROW_GAP
        wide = max(wide, left + slots * slot + PADDING - 3)
    for name, (label, shows) in _CHIP_ROWS.items():
        if name in use.most:
            slots = min(use.most[name], most.chips)
            slot = label_width + GLYPH + 14
            # Behind the last chip stands how many there are, where some are out of sight or a sum is worth knowing.
            rows.append(Row("chips", label, name, left, y, slots, slot, "last" if shows == "last" else "first"))
            y += CHIP_HEIGHT + ROW_GAP
            wide = max(wide, left + slots * slot + 26)
    for name, label in _TEXT_ROWS.items():
        if name in use.most:
            rows.append(Row("text", label, name, left, y))
            y += CHIP_HEIGHT + ROW_GAP
            wide = max(wide, left + (90 if name == "breaker" else min(use.most[name], 4) * 40))
    title = type(node).__name__
    width = max(wide, 2 * PADDING + (len(node.name) * 1.25 + len(title)) * CHARACTER + 34, 120)
    return Panel(node.name, title, round(width), round(y + (4 if rows else 2)), tuple(rows))


def shortened(text: str, most: int = 9) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _partitions(node: Node, use: _Use) -> list[int]:
    used = sorted({int(name.split()[1]) for name in use.most if name.startswith("log ")})
    declared = getattr(node, "partitions", None)
    every = sorted({*used, *range(declared)}) if isinstance(declared, int) else used
    return every if len(every) <= MOST_PARTITIONS else used[:MOST_PARTITIONS]


def as_json(panel: Panel) -> Mapping[str, Any]:
    """A panel as the browser takes it."""
    return {
        "name": panel.name,
        "title": panel.title,
        "w": panel.width,
        "h": panel.height,
        "rows": [
            {
                "kind": row.kind,
                "label": row.label,
                "field": row.field,
                "x": round(row.x, 1),
                "y": row.y,
                "slots": row.slots,
                "slot": round(row.slot, 1),
                "shows": row.shows,
                "marks": row.marks,
                "groups": [[group, shortened(group)] for group in row.groups],
            }
            for row in panel.rows
        ],
    }
