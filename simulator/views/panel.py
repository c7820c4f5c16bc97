"""The values that a node's picture consists of, and what they are worked out from. `panels` makes them.

All lengths are pixels of a picture at its full size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from attrs import frozen

from simulator.reading.frames import Edit, Entry, Frame, Value, in_order
from simulator.views.marks import Mark, marks_as_json

HEAD = 30.0
"""The height of a node's title."""

PADDING = 10.0
CHIP_HEIGHT = 20.0
CELL_HEIGHT = 22.0
OFFSET_HEIGHT = 11.0
MARK_HEIGHT = 14.0
NOTE_HEIGHT = 11.0
ROW_GAP = 6.0
GLYPH = 12.0
"""The room for the shape that tells a chip's state."""

CHARACTER = 6.5
"""The width of a character at the size that labels have."""

SMALL = 5.9
"""The width of a character of the small print."""


@frozen
class Row:
    """One row of a node. ``x`` and ``y`` are where its contents begin, seen from the node's upper left corner."""

    kind: Literal["cells", "chips", "text"]
    label: str
    field: str
    x: float
    y: float
    left: float = PADDING
    """Where its label begins."""
    slots: int = 0
    """How many cells or chips are in sight."""
    slot: float = 0.0
    """The width of one of them, with the gap behind it."""
    shows: Literal["first", "last"] = "first"
    marks: str = ""
    """The field whose entries are drawn under the cells: how far each group has come."""
    groups: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    """Fields whose chips stand in the same row, all in the order of their entries."""
    notes: tuple[tuple[str, str], ...] = ()
    """What stands in small print under each chip, a line each: a field with an entry for it, and how its value is said."""
    stopped: tuple[str, str] = ("", "")
    """While this field has this entry, what would go on from ``also`` can't, and looks ``blocked``."""
    says: tuple[str, str] = ("", "")
    """How a text row says each entry (``"{entry} ({value})"``), and how it says one whose value is 0."""
    only: str = ""
    """The one entry that a text row tells of; empty: it tells of all."""
    absent: str = ""
    """What it says where there is none."""
    size: float = 11.0
    """The size of a text."""
    among: tuple[str, str] = ("", "")
    """A chip is in this row only if its entry in this field has this value; empty: all are."""


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
    marks: tuple[Mark, ...] = ()
    """What is drawn in it, below its rows and always in the same place."""


class Use:
    """What each field of a node held in a stretch of a trace: how much at most, which entries, and which texts as values."""

    def __init__(self) -> None:
        self.most: dict[str, int] = {}
        self.entries: dict[str, dict[Entry, None]] = {}
        self.texts: dict[str, dict[str, None]] = {}
        self._count: dict[str, int] = {}

    def change(self, name: str, entry: Entry, old: Value, new: Value) -> None:
        """An entry has another value."""
        self._count[name] = self._count.get(name, 0) + (new is not None) - (old is not None)
        self.most[name] = max(self.most.get(name, 0), self._count[name])
        self.entries.setdefault(name, {})[entry] = None
        if isinstance(new, str):
            self.texts.setdefault(name, {})[new] = None


def uses(nodes: Iterable[str], start: Frame, edits: Iterable[Iterable[Edit]]) -> dict[str, Use]:
    """What each node held in the stretch that begins at ``start`` and goes through ``edits``."""
    found = {name: Use() for name in nodes}
    for node, fields in start.state.items():
        for name, held in fields.items():
            for entry, value in held.items():
                found[node].change(name, entry, None, value)
    for step in edits:
        for edit in step:
            found[edit.node].change(edit.field, edit.entry, edit.old, edit.new)
    return found


def shortened(text: str, most: int = 9) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def told(row: Mapping[str, Any], held: Mapping[Any, Any]) -> str:
    """What a text row of a panel's JSON says of a field."""
    entries = [row["only"]] if row["only"] else sorted(held, key=in_order)
    said = [_said(row["says"], entry, held[entry]) for entry in entries[:4] if entry in held]
    return "  ".join(said) + (" …" if len(entries) > 4 else "") if said else str(row["absent"])


def _said(says: Sequence[str], entry: Any, value: Any) -> str:
    named = f"p{entry}" if isinstance(entry, int) else entry
    template = says[1] if value == 0 and says[1] else says[0]
    return template.replace("{entry}", str(named)).replace("{value}", str(value)) if template else f"{named}: {value}"


def as_json(panel: Panel) -> Mapping[str, Any]:
    """A panel as the browser takes it."""
    return {
        "name": panel.name,
        "title": panel.title,
        "w": panel.width,
        "h": panel.height,
        "marks": marks_as_json(panel.marks),
        "rows": [
            {
                "kind": row.kind,
                "label": row.label,
                "field": row.field,
                "x": round(row.x, 1),
                "y": row.y,
                "left": row.left,
                "slots": row.slots,
                "slot": round(row.slot, 1),
                "shows": row.shows,
                "marks": row.marks,
                "groups": [[group, shortened(group)] for group in row.groups],
                "also": list(row.also),
                "notes": [list(note) for note in row.notes],
                "stopped": list(row.stopped),
                "says": list(row.says),
                "only": row.only,
                "absent": row.absent,
                "size": row.size,
                "among": list(row.among),
            }
            for row in panel.rows
        ],
    }
