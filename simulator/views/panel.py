"""The values that a node's picture consists of, and what they are worked out from. `panels` makes them.

All lengths are pixels of a picture at its full size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from attrs import asdict, field, frozen

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
REPLICA_HEAD = 24.0
"""The room above a replica's cells, for who leads it."""

GLYPH = 12.0
"""The room for the shape that tells a chip's state."""

CHARACTER = 6.5
"""The width of a character at the size that labels have."""

SMALL = 5.9
"""The width of a character of the small print."""


@frozen
class Row:
    """One row of a node. ``x`` and ``y`` are where its contents begin, seen from the node's upper left corner."""

    kind: ClassVar[str]

    label: str
    x: float
    y: float
    left: float = field(default=PADDING, kw_only=True)
    """Where its label begins."""


@frozen
class Cells(Row):
    """The last records of a log, with their offsets below, and under those how far each group has come."""

    kind: ClassVar[str] = "cells"

    holds: str
    """The field that is shown."""
    slots: int
    """How many cells are in sight."""
    slot: float
    """The width of one of them, with the gap behind it."""
    marks: str
    """The field with a group's next offset to read."""
    groups: tuple[tuple[str, str], ...]
    """Each group's name, and what fits in its place."""


@frozen
class Chips(Row):
    """Messages, one chip each."""

    kind: ClassVar[str] = "chips"

    holds: str
    slots: int
    slot: float
    shows: Literal["first", "last"] = field(default="first", kw_only=True)
    """Which end of the row matters more, where there is no room for all."""
    also: tuple[str, ...] = field(default=(), kw_only=True)
    """Fields whose chips stand in the same row, all in the order of their entries."""
    notes: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    """What stands in small print under each chip, a line each: a field with an entry for it, and how its value is said."""
    stopped: tuple[str, str] = field(default=("", ""), kw_only=True)
    """While this field has this entry, what would go on from ``also`` can't, and looks ``blocked``."""
    among: tuple[str, str] = field(default=("", ""), kw_only=True)
    """A chip is in this row only if its entry in this field has this value; empty: all are."""


class Said(NamedTuple):
    """A part of a text: what is said of a field."""

    field: str
    says: str = ""
    """How an entry is said, as in ``"{entry} ({value})"``; empty: ``{entry}: {value}``, with a number as ``p0``."""
    entry: str = ""
    """The one entry that is told of; empty: the first few are."""
    zero: str = ""
    """How a value of 0 is said, where that is another way."""
    absent: str = ""
    """What is said where there is nothing."""
    node: str = ""
    """Whose field it is; empty: the node's own."""


@frozen
class Text(Row):
    """What some fields hold, in words."""

    kind: ClassVar[str] = "text"

    parts: tuple[Said, ...]
    when: str = field(default="", kw_only=True)
    """It is there only while its node has this field; empty: always."""
    size: float = field(default=11.0, kw_only=True)


@frozen
class Replica(Row):
    """A broker's copy of a partition: who leads it, how much of it is committed, and its last records.

    Its label is the partition. The copies of one partition show the same offsets, so that they can be held against each other.
    """

    kind: ClassVar[str] = "replica"

    slots: int
    """0 for one that stays empty: then nothing is told but who leads it."""
    slot: float
    width: float
    node: str
    """The broker that has it."""
    peers: tuple[str, ...]
    """All that have a copy."""
    controller: str
    """The node that knows which of them are in sync."""


def replica_height(slots: int) -> float:
    """The height of a replica's frame."""
    return REPLICA_HEAD + CELL_HEIGHT + OFFSET_HEIGHT + 4 if slots else REPLICA_HEAD - 6


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


Read: TypeAlias = Callable[[str, str], Mapping[Any, Any]]
"""Looks up a field: of this node (empty: the one that is drawn), by this name."""


def told(row: Mapping[str, Any], read: Read) -> str:
    """What a text row of a panel's JSON says."""
    if row["when"] and not read("", row["when"]):
        return ""
    return "  ".join(filter(None, (_told(Said(*part), read) for part in row["parts"])))


def _told(part: Said, read: Read) -> str:
    held = read(part.node, part.field)
    entries = [part.entry] if part.entry else sorted(held, key=in_order)
    said = [_said(part, entry, held[entry]) for entry in entries[:MOST_SAID] if entry in held]
    return "  ".join(said) + (" …" if len(entries) > MOST_SAID else "") if said else part.absent


def _said(part: Said, entry: Any, value: Any) -> str:
    named = f"p{entry}" if isinstance(entry, int) else entry
    template = (part.zero if value == 0 else "") or part.says or "{entry}: {value}"
    return template.replace("{entry}", str(named)).replace("{value}", str(value))


MOST_SAID = 4
"""A text tells of so many entries of one field."""


def as_json(panel: Panel) -> Mapping[str, Any]:
    """A panel as the browser takes it."""
    return {
        "name": panel.name,
        "title": panel.title,
        "w": panel.width,
        "h": panel.height,
        "marks": marks_as_json(panel.marks),
        "rows": [{"kind": row.kind, **_plain(asdict(row, recurse=False))} for row in panel.rows],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return round(value, 1) if isinstance(value, float) else value
