"""A queue like Amazon SQS as it is drawn: what can be had, what is hidden and until when; in a FIFO queue, a lane per group."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from simulator.scenario import Node
from simulator.trace import Trace
from simulator.views.marks import Mark
from simulator.views.panel import (
    CHARACTER,
    CHIP_HEIGHT,
    GLYPH,
    HEAD,
    NOTE_HEIGHT,
    PADDING,
    ROW_GAP,
    SMALL,
    Chips,
    Panel,
    Row,
    Said,
    Slots,
    Text,
    Use,
    shortened,
)

MOST_GROUPS = 6
"""A FIFO queue with more message groups shows the first ones that came."""

_LINE = 14.0
_RECEIVES = ("receives", "{value}×")
_UNTIL = ("visible at", "{value}")
_NOTE_WIDTH = 46.0
"""The room for a time in small print."""


def hides_messages(node: Node) -> bool:
    """Whether a node is a queue that hides what it hands out."""
    return hasattr(node, "visibility_timeout") and hasattr(node, "redrive_policy")


def sqs_panel(trace: Trace, node: Node, use: Use, label_width: float, most: Slots) -> Panel:
    """The panel of a queue that hides what it hands out (`hides_messages`), for what it holds in a stretch of a trace."""
    drawing = _Drawing(node, use, label_width, most)
    for text in _settings(trace, node):
        drawing.text(text)
    if getattr(node, "fifo_queue", False):
        drawing.lanes()
    else:
        drawing.places()
    return drawing.panel()


class _Drawing:
    def __init__(self, node: Node, use: Use, label_width: float, most: Slots) -> None:
        self._node, self._use, self._most = node, use, most
        self._slot = label_width + GLYPH + 14
        self._marks: list[Mark] = []
        self._rows: list[Row] = []
        self._y = HEAD
        self._wide = 0.0

    def text(self, text: str) -> None:
        """A line of small print."""
        self._marks.append(Mark("text", (PADDING, self._y + 8, 10), "muted", text, "start"))
        self._wide = max(self._wide, len(text) * SMALL + 2 * PADDING)
        self._y += _LINE

    def places(self) -> None:
        """A standard queue: a row for each place that a message can be in."""
        left = PADDING + len("hidden until") * SMALL + 10
        self._y += 4
        if "delayed" in self._use.most:
            self._row("delayed", "delayed", left, [("hidden until", *_UNTIL)])
        self._row("available", "available", left, [("received", *_RECEIVES)] if "receives" in self._use.most else [])
        self._row("in flight", "in flight", left, [("received", *_RECEIVES), ("hidden until", *_UNTIL)])

    def lanes(self) -> None:
        """A FIFO queue: a lane for each message group, the first message at its head."""
        groups = [str(each) for each in self._use.texts.get("group", ())][:MOST_GROUPS]
        widest = max((len(shortened(each, 12)) for each in groups), default=0)
        left = PADDING + max(widest * CHARACTER, len("hidden until") * SMALL) + 10
        self._y += 4
        for group in groups:
            slots = self._slots("in flight", "available", "delayed")
            row = Chips(
                shortened(group, 12), left, self._y, "in flight", slots, max(self._slot, _NOTE_WIDTH),
                also=("available", "delayed"), among=("group", group), stopped=("blocked", group),
            )  # fmt: skip
            self._add(row, [("received", *_RECEIVES), ("hidden until", *_UNTIL)], after=62)
            at = row.x + slots * row.slot + 22
            stands = (Said("blocked", "{value} in flight:", group, absent="free"), Said("blocked", "blocked", group))
            self._rows += [Text("", at, row.y + line * 12 - 6, (said,), size=10) for line, said in enumerate(stands)]

    def _row(self, label: str, field: str, left: float, notes: list[tuple[str, str, str]]) -> None:
        slot = max(self._slot, _NOTE_WIDTH) if notes else self._slot
        self._add(Chips(label, left, self._y, field, self._slots(field), slot), notes, after=0)

    def _slots(self, *fields: str) -> int:
        return max(1, min(sum(self._use.most.get(field, 0) for field in fields), self._most.chips + 1))

    def _add(self, row: Chips, notes: list[tuple[str, str, str]], after: float) -> None:
        for line, (label, _, _) in enumerate(notes):
            at = self._y + CHIP_HEIGHT + 9 + line * NOTE_HEIGHT
            self._marks.append(Mark("text", (PADDING, at, 9), "muted", label, "start"))
        self._rows.append(evolve(row, notes=tuple((field, says) for _, field, says in notes)))
        self._y += CHIP_HEIGHT + NOTE_HEIGHT * len(notes) + ROW_GAP + 2
        self._wide = max(self._wide, row.x + row.slots * row.slot + 26 + after)

    def panel(self) -> Panel:
        """What was drawn."""
        title = type(self._node).__name__ + (" · FIFO" if getattr(self._node, "fifo_queue", False) else "")
        width = max(self._wide, 2 * PADDING + (len(self._node.name) * 1.25 + len(title)) * CHARACTER + 34, 120)
        return Panel(self._node.name, title, round(width), round(self._y + 4), tuple(self._rows), tuple(self._marks))


def _settings(trace: Trace, node: Node) -> Iterator[str]:
    """What decides how long a message is hidden and where it goes in the end, under the settings' real names."""
    yield f"visibility_timeout {getattr(node, 'visibility_timeout', 0)} s"
    delay = getattr(node, "delay_seconds", 0)
    if delay:
        yield f"delay_seconds {delay} s"
    policy = getattr(node, "redrive_policy", None)
    if policy is not None:
        yield f"after {policy.max_receive_count} receives → {policy.dead_letter_target}"
    sources = [
        each.name
        for each in trace.scenario.nodes
        if hides_messages(each) and getattr(getattr(each, "redrive_policy", None), "dead_letter_target", "") == node.name
    ]
    if sources:
        yield f"dead-letter queue of {', '.join(sources)}"
