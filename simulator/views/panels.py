"""What a node shows of its state: rows of cells, chips or text, and the room they need.

The rows are worked out once for a stretch of a trace, so that a node keeps its size while its contents change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from simulator.reading.frames import Edit, Frame
from simulator.reading.lineage import births
from simulator.reading.parties import groups
from simulator.reading.routes import routes_messages
from simulator.scenario import Node
from simulator.trace import Trace
from simulator.views.cluster_panel import ClusterPlan, controller_panel, controls, holds_replicas
from simulator.views.panel import (
    CELL_HEIGHT,
    CHARACTER,
    CHIP_HEIGHT,
    GLYPH,
    HEAD,
    MARK_HEIGHT,
    MOST_SAID,
    OFFSET_HEIGHT,
    PADDING,
    ROW_GAP,
    Cells,
    Chips,
    Panel,
    Row,
    Said,
    Slots,
    Text,
    Use,
    shortened,
    uses,
)  # fmt: skip
from simulator.views.queues_panel import queues_panel
from simulator.views.sqs_panel import hides_messages, sqs_panel

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

_TEXT_ROWS = {
    "generation": ("group", "{entry}, generation {value}"),
    "next": ("next read", ""),
    "breaker": ("breaker", ""),
}
"""The fields that are rows of text: their label, and how each entry is said."""

MOST_PARTITIONS = 12
"""A topic with more partitions shows the first ones that were used."""


class Labels:
    """Short names for messages, the same everywhere in one picture: "17" for order-17 where all keys are orders.

    Events of one kind and key are told apart: "17a" and "17b", "ann1" and "ann2".
    """

    def __init__(self, trace: Trace, messages: Iterable[int]) -> None:
        self._trace = trace
        keys = {trace.message(each).key for each in messages} - {None}
        self._stems = {match[1] for match in (_NUMBERED.fullmatch(str(key)) for key in sorted(map(str, keys))) if match}
        alike: dict[tuple[str, str], list[int]] = {}
        for number in births(trace):
            message = trace.message(number)
            if message.key is not None:
                alike.setdefault((message.kind, message.key), []).append(number)
        self._places = {
            number: place for numbers in alike.values() if len(numbers) > 1 for place, number in enumerate(numbers)
        }

    def of(self, message: int) -> str:
        """At most five characters, and what tells it apart from others that are called the same."""
        key = self._trace.message(message).key
        if key is None:
            return f"#{message}"
        place = self._places.get(message)
        numbered = _NUMBERED.fullmatch(key)
        if numbered is None:
            return (key if len(key) <= 5 else key[:4] + "…") + ("" if place is None else str(place + 1))
        stem, number = numbered.groups()
        apart = "" if place is None else _LETTERS[place] if place < len(_LETTERS) else f".{place + 1}"
        return (number if len(self._stems) == 1 else stem[:1] + number)[-5:] + apart


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NUMBERED = re.compile(r"(.*?)(\d+)")


def panels(
    trace: Trace, start: Frame, edits: Iterable[Iterable[Edit]], *, label_width: float, slots: Slots
) -> dict[str, Panel]:
    """What each node shows, by name, for the stretch of the trace that begins at ``start`` and goes through ``edits``.

    ``label_width`` is the width of the widest message label; ``slots`` how many a row has at most.
    """
    used = uses(trace.nodes, start, edits)
    # Groups stand in the scenario's order, as their consumers do.
    order = {group: place for place, group in enumerate(groups(trace))}
    cluster = ClusterPlan(trace, used, label_width, slots)
    made = {}
    for node in trace.scenario.nodes:
        use = used[node.name]
        if routes_messages(node):
            made[node.name] = queues_panel(trace, node, use, label_width, slots)
        elif holds_replicas(node):
            made[node.name] = cluster.broker_panel(node)
        elif controls(node):
            made[node.name] = controller_panel(trace, node, use)
        elif hides_messages(node):
            made[node.name] = sqs_panel(trace, node, use, label_width, slots)
        else:
            made[node.name] = _panel(node, use, order, label_width, slots)
    return made


def _panel(node: Node, use: Use, order: Mapping[str, int], label_width: float, most: Slots) -> Panel:
    labels = [label for name, (label, _) in _CHIP_ROWS.items() if name in use.most]
    labels += [label for name, (label, _) in _TEXT_ROWS.items() if name in use.most]
    partitions = _partitions(node, use)
    committed = {str(entry) for name, held in use.entries.items() if name.startswith("committed ") for entry in held}
    readers = tuple(sorted(committed, key=lambda group: (order.get(group, len(order)), group)))
    labels += [f"p{number}" for number in partitions] + [shortened(group) for group in readers if partitions]
    left = PADDING + max((len(label) for label in labels), default=0) * CHARACTER + 8

    shown = tuple((group, shortened(group)) for group in readers)
    rows: list[Row] = []
    y = HEAD
    wide = 0.0
    for number in partitions:
        slots = min(max(use.most.get(f"log {number}", 0), 4), most.cells)
        slot = max(label_width + 8, 24)
        rows.append(Cells(f"p{number}", left, y, f"log {number}", slots, slot, f"committed {number}", shown))
        y += CELL_HEIGHT + OFFSET_HEIGHT + MARK_HEIGHT * len(readers) + ROW_GAP
        wide = max(wide, left + slots * slot + PADDING - 3)
    for name, (label, shows) in _CHIP_ROWS.items():
        if name in use.most:
            slots = min(use.most[name], most.chips)
            slot = label_width + GLYPH + 14
            # Behind the last chip stands how many there are, where some are out of sight or a sum is worth knowing.
            rows.append(Chips(label, left, y, name, slots, slot, shows="last" if shows == "last" else "first"))
            y += CHIP_HEIGHT + ROW_GAP
            wide = max(wide, left + slots * slot + 26)
    for name, (label, says) in _TEXT_ROWS.items():
        if name in use.most:
            rows.append(Text(label, left, y, (Said(name, says),)))
            y += CHIP_HEIGHT + ROW_GAP
            wide = max(wide, left + _text_room(name, use))
    title = type(node).__name__
    width = max(wide, 2 * PADDING + (len(node.name) * 1.25 + len(title)) * CHARACTER + 34, 120)
    return Panel(node.name, title, round(width), round(y + (4 if rows else 2)), tuple(rows))


def _text_room(name: str, use: Use) -> float:
    """The width of a row of text: what it says of so many entries."""
    if name == "breaker":
        return 90
    entries = list(use.entries[name])[:MOST_SAID]
    most = min(use.most[name], MOST_SAID)
    longest = max(4 if isinstance(entry, int) else len(entry) for entry in entries)
    return most * (longest + (14 if name == "generation" else 5)) * CHARACTER


def _partitions(node: Node, use: Use) -> list[int]:
    used = sorted({int(name.split()[1]) for name in use.most if name.startswith("log ")})
    declared = getattr(node, "partitions", None)
    every = sorted({*used, *range(declared)}) if isinstance(declared, int) else used
    return every if len(every) <= MOST_PARTITIONS else used[:MOST_PARTITIONS]
