"""How true a broker is, as a notebook shows it: what is modelled, simplified and left out at a glance, and each row folded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from html import escape

from attrs import evolve, frozen

from simulator.fidelity import STATUSES, Mechanism, Setting, Status, System, Value, fidelity_of

SIGNS: dict[Status, str] = {"modelled": "✓", "simplified": "≈", "left out": "✗"}
"""A sign before each word, so that a column can be scanned."""

_CELL = "text-align: left; vertical-align: top"
_TABLE = "width: 100%; table-layout: auto"
"""JupyterLab would give all columns the same width."""


@frozen(repr=False)
class Fidelity:
    """What one broker's model is true to, and what it is not.

    In a notebook the mechanisms stand in three columns, and below each area unfolds to sentences, settings with their defaults
    and what holds them. A stored notebook keeps the three columns, as Markdown.
    """

    system: System

    def only(self, *words: str) -> Fidelity:
        """The rows that have one of these words in their area, name, status or settings.

        Raises KeyError for a word that is in none.
        """
        rows = self.system.mechanisms
        for word in words:
            if not any(_has(row, word) for row in rows):
                areas = ", ".join(self.system.areas())
                raise KeyError(f'No row of {self.system.title} has "{word}" in it; the areas are: {areas}.')
        found = tuple(row for row in rows if any(_has(row, word) for word in words))
        return Fidelity(evolve(self.system, mechanisms=found))

    def __repr__(self) -> str:
        lines = [
            f"{SIGNS[status]} {status}: {', '.join(row.name for row in rows)}"
            for status in STATUSES
            if (rows := [row for row in self.system.mechanisms if row.status == status])
        ]
        return "\n".join([self._summary, *lines])

    def _repr_markdown_(self) -> str:
        heads, *lines = self._at_a_glance()
        cells = [["", *heads[1:]], ["---"] * len(heads), *([f"**{area}**", *names] for area, *names in lines)]
        return "\n".join([self._summary, "", *(f"| {' | '.join(line)} |" for line in cells)])

    def _repr_html_(self) -> str:
        areas = self.system.areas()
        parts = [f"<p>{escape(self._summary)}</p>"]
        if len(areas) > 1:
            heads, *lines = self._at_a_glance()
            head = "".join(f'<th scope="col" style="{_CELL}">{escape(each)}</th>' for each in heads)
            parts.append(_table(f"<thead><tr>{head}</tr></thead>", (_line(area, *names) for area, *names in lines)))
        for area, rows in areas.items():
            folded = "" if len(areas) > 1 else " open"
            table = _table("", (_line(f"{row.name}\n{_here(row.status)}", *self._told(row)) for row in rows))
            parts.append(f"<details{folded}><summary><b>{escape(area)}</b>: {counted(rows)}</summary>{table}</details>")
        return "".join(parts)

    @property
    def _summary(self) -> str:
        return f"{self.system.title} {self.system.version}: {counted(self.system.mechanisms)}."

    def _at_a_glance(self) -> list[list[str]]:
        """A line of heads, then for each area its mechanisms' names by status."""
        lines = [["area", *map(_here, STATUSES)]]
        for area, rows in self.system.areas().items():
            lines.append([area, *("; ".join(row.name for row in rows if row.status == each) for each in STATUSES)])
        return lines

    def _told(self, row: Mechanism) -> list[str]:
        lines = [row.sentence()]
        if row.settings:
            lines.append(f"Settings: {'; '.join(told(each) for each in row.settings)}.")
        if row.tests:
            lines.append(f"Held by: {'; '.join(self.system.held_by(row))}.")
        return ["\n".join(lines)]


def fidelity(system: str) -> Fidelity:
    """What is modelled, simplified and left out of "kafka", "rabbitmq" or "sqs". Raises ValueError for another name."""
    return Fidelity(fidelity_of(system))


def counted(rows: Iterable[Mechanism]) -> str:
    """As in "5 modelled, 1 left out"."""
    count = Counter(row.status for row in rows)
    return ", ".join(f"{count[status]} {status}" for status in STATUSES if count[status])


def told(setting: Setting) -> str:
    """A setting with its default, and with the one here where that is another: ```linger.ms` = 5``."""
    here = "" if setting.here_default is None else f" (here {valued(setting.here_default)})"
    return f"`{setting.name}` = {valued(setting.default, setting.unit)}{here}"


def valued(value: Value, unit: str = "") -> str:
    """A default as it is written: ``345,600 s``, ``true``, ``""``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value or '""'
    return f"{value:,} {unit}".strip()


def _has(row: Mechanism, word: str) -> bool:
    names = (row.area, row.name, row.status, *(each.name for each in row.settings))
    return any(word.lower() in name.lower() for name in names)


def _here(status: Status) -> str:
    return f"{SIGNS[status]} {status}"


def _table(head: str, lines: Iterable[str]) -> str:
    return f'<table style="{_TABLE}">{head}<tbody>{"".join(lines)}</tbody></table>'


def _line(name: str, *cells: str) -> str:
    data = "".join(f'<td style="{_CELL}">{_marked(cell)}</td>' for cell in cells)
    return f'<tr><th scope="row" style="{_CELL}; width: 24%">{_marked(name)}</th>{data}</tr>'


def _marked(text: str) -> str:
    """Text with what stands in backquotes as code, and its lines as lines."""
    return re.sub("`([^`]+)`", r'<code style="overflow-wrap: anywhere">\1</code>', escape(text)).replace("\n", "<br>")
