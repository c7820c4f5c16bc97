"""The rows of a node as marks: what `rows.js` draws in the browser, for pictures that no browser draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simulator.reading.frames import in_order
from simulator.views.marks import Mark, line
from simulator.views.panel import (
    CELL_HEIGHT,
    CHIP_HEIGHT,
    MARK_HEIGHT,
    NOTE_HEIGHT,
    OFFSET_HEIGHT,
    REPLICA_HEAD,
    Read,
    replica_height,
    told,
)

JsonRow = Mapping[str, Any]
"""A row as `panel.as_json` gives it."""


class Rows:
    """Draws rows at one step. ``messages`` has the look and the label of each, ``current`` is the one that the step is about."""

    def __init__(self, messages: Mapping[int, tuple[str, str]], current: int) -> None:
        self._messages = messages
        self._current = current

    def marks(self, row: JsonRow, read: Read, x: float, y: float) -> Iterator[Mark]:
        """A row of a node that stands at ``x``; ``y`` is the row's own place."""
        draw = {"cells": self._cells, "chips": self._chips, "text": self._text, "replica": self._replica}[row["kind"]]
        return draw(row, read, x, y)

    def _cells(self, row: JsonRow, read: Read, x: float, y: float) -> Iterator[Mark]:
        yield _label(row, x, y)
        log = read("", row["holds"])
        slots, slot, left = row["slots"], row["slot"], x + row["x"]
        start = max(0, len(log) - slots)
        for place in range(slots):
            at = left + place * slot
            chip = log.get(start + place)
            yield from self._chip(chip, (at, y, slot - 3, CELL_HEIGHT, 2.0), "")
            if chip:
                middle = at + (slot - 3) / 2
                yield Mark("text", (middle, y + CELL_HEIGHT + 9, 8.5), "muted", str(start + place), "middle")
        for number, (group, label) in enumerate(row["groups"]):
            at = y + CELL_HEIGHT + OFFSET_HEIGHT + MARK_HEIGHT * number + 7
            yield Mark("text", (x + row["left"], at + 4, 10), "muted", label, "start")
            yield Mark("line", (left, at, left + slots * slot - 3, at), "line")
            reached = read("", row["marks"]).get(group)
            if reached is not None and reached > start:
                far = left + min(slots, reached - start) * slot - 1.5
                tip = far - 4
                bar = line((left, at - 1.5), (tip, at - 1.5), (tip, at - 4), (far, at), (tip, at + 4), (tip, at + 1.5))
                yield Mark("area", (*bar, left, at + 1.5), "done")

    def _chips(self, row: JsonRow, read: Read, x: float, y: float) -> Iterator[Mark]:
        yield _label(row, x, y)
        held = _in_row(row, read)
        entries = sorted(held, key=in_order)
        slots, slot, left = row["slots"], row["slot"], x + row["x"]
        shown = entries[-slots:] if row["shows"] == "last" else entries[:slots]
        for place in range(slots):
            chip = held[shown[place]] if place < len(shown) else None
            at = left + place * slot
            yield from self._chip(chip, (at, y, slot - 4, CHIP_HEIGHT, CHIP_HEIGHT / 2), chip[1] if chip else "")
            for below, (field, template) in enumerate(row["notes"]):
                value = read("", field).get(shown[place]) if chip else None
                if value is not None:
                    said = template.replace("{value}", f"{value:,}")
                    under = y + CHIP_HEIGHT + 9 + below * NOTE_HEIGHT
                    yield Mark("text", (at + (slot - 4) / 2, under, 8.5), "muted", said, "middle")
        hidden = len(entries) - slots
        if hidden > 0:
            said = str(len(entries)) if row["shows"] == "last" else f"+{hidden}"
            yield Mark("text", (left + slots * slot + 2, y + 14, 11), "muted", said, "start bold")

    def _chip(
        self, chip: Sequence[Any] | None, box: tuple[float, ...], shape: str, *, is_open: bool = False
    ) -> Iterator[Mark]:
        if chip is None:
            yield Mark("box", box, "line", style="dashed")
            return
        x, y, width, height, _ = box
        message, look = chip
        same = self._current == message
        style = " ".join(filter(None, ("strong" if same else "", "dashed" if is_open else "")))
        yield Mark("box", box, look, style=style, tint=0.0 if is_open else 0.3 if same else 0.16)
        if look == "again" and not shape:
            yield Mark("box", (x + 2.5, y + 2.5, width - 5, height - 5, 2.0), look, tint=0.16)
        if shape:
            yield Mark("shape", (x + 10, y + height / 2, 5, 0), look, look)
        middle = x + (width + (15 if shape else 0)) / 2
        style = "middle bold" if same else "middle"
        yield Mark("text", (middle, y + height / 2 + 4, 11), "ink", self._messages[message][1], style)

    def _text(self, row: JsonRow, read: Read, x: float, y: float) -> Iterator[Mark]:
        if row["when"] and not read("", row["when"]):
            return
        yield _label(row, x, y)
        yield Mark("text", (x + row["x"], y + 14, row["size"]), "ink", told(row, read), "start")

    def _replica(self, row: JsonRow, read: Read, x: float, y: float) -> Iterator[Mark]:
        partition, left, slot = row["label"], x + row["x"], row["slot"]
        log = read("", f"log {partition}")
        mark = read("", "high watermark").get(partition, 0)
        begin = read("", "log start").get(partition, 0)
        yield from _standing(row, read, x, y)
        if not row["slots"]:
            return
        end = _end(log, begin)
        furthest = max(
            _end(read(peer, f"log {partition}"), read(peer, "log start").get(partition, 0)) for peer in row["peers"]
        )
        first = max(0, furthest - row["slots"])
        cells = y + REPLICA_HEAD
        for place in range(row["slots"]):
            offset, at = first + place, left + place * slot
            box = (at, cells, slot - 3, CELL_HEIGHT, 2.0)
            chip = log.get(offset)
            yield from self._chip(chip, box, "", is_open=offset >= mark)
            middle = at + (slot - 3) / 2
            if chip and chip[1] not in PLAIN:
                yield Mark("shape", (at + slot - 7, cells + 4, 4.2, 0), chip[1], chip[1])
            if not chip and offset < end:
                why = "trimmed" if offset < begin else "compacted"
                yield Mark("shape", (middle, cells + CELL_HEIGHT / 2, 5, 0), why, why)
            if offset < furthest:
                yield Mark("text", (middle, cells + CELL_HEIGHT + 9, 8.5), "muted", str(offset), "middle")
        if first <= mark <= first + row["slots"]:
            at = left + (mark - first) * slot - 1.5
            yield Mark("line", line((at, cells - 3), (at, cells + CELL_HEIGHT + 3)), "ink", style="strong")
            yield Mark("area", (at - 4, cells - 7, at + 4, cells - 7, at, cells - 2), "ink")
        after = left + row["slots"] * slot + 3
        yield Mark("text", (after, cells + 9, 9.5), "ink", f"hw {mark}", "start")
        yield Mark("text", (after, cells + 20, 9.5), "muted", f"end {end}", "start")


PLAIN = ("event", "again")
"""The states of a record that need no shape of their own in a cell."""


def _label(row: JsonRow, x: float, y: float) -> Mark:
    return Mark("text", (x + row["left"], y + 15, 11), "muted", row["label"], "start")


def _end(log: Mapping[int, Any], begin: int) -> int:
    return max(log) + 1 if log else begin


def _standing(row: JsonRow, read: Read, x: float, y: float) -> Iterator[Mark]:
    """Who leads a partition, as its replica knows, and whether it is in sync, as the controller knows."""
    partition, node, controller = row["label"], row["node"], row["controller"]
    left, right = x + row["left"], x + row["left"] + row["width"]
    leader, epoch = read("", "leader").get(partition), read("", "epoch").get(partition)
    fenced = node in read(controller, "fenced")
    in_sync = node in read(controller, "in sync").get(partition, node).split() and not fenced
    box = (left - 5, y, row["width"] + 10, replica_height(row["slots"]), 5.0)
    if leader == node:
        yield Mark("box", box, "leader", tint=0.12)
    elif in_sync:
        yield Mark("box", box, "grid")
    else:
        yield Mark("box", box, "refused", style="dashed", ground="empty")
    yield Mark("text", (left, y + 12, 11), "ink", partition, "start bold")
    role = left + len(partition) * 6.9 + 10
    if leader == node:
        yield Mark("shape", (role + 5, y + 8, 6, 0), "leader", "leader")
        yield Mark("text", (role + 14, y + 12, 11), "ink", f"leader, epoch {epoch}", "start bold")
    elif leader is not None:
        said = "no leader" if leader == "nobody" else f"follows {leader}"
        yield Mark("text", (role, y + 12, 10.5), "muted", f"{said}, epoch {epoch}", "start")
    look = "done" if in_sync else "refused"
    yield Mark(
        "text", (right - 13, y + 12, 10), look, "fenced" if fenced else "in sync" if in_sync else "out of sync", "end"
    )
    yield Mark("shape", (right - 5, y + 8, 4.5, 0), look, look)


def _in_row(row: JsonRow, read: Read) -> dict[Any, Any]:
    """The chips of a row, by their entries."""
    among, wanted = row["among"]
    inside = read("", among) if among else {}
    held = dict(read("", row["holds"]))
    stopped, entry = row["stopped"]
    is_stopped = bool(stopped) and entry in read("", stopped)
    for field in row["also"]:
        for number, chip in read("", field).items():
            held[number] = [chip[0], "blocked"] if is_stopped else chip
    return {number: chip for number, chip in held.items() if not among or inside.get(number) == wanted}
