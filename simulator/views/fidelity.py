"""How true a broker is, as a notebook shows it: a folded table where there is a kernel, a small one wherever it is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape

from attrs import evolve, frozen

from simulator.fidelity import STATUSES, Mechanism, Setting, Status, System, Value, fidelity_of
from simulator.reading.tables import as_html

SIGNS: dict[Status, str] = {"modelled": "✓", "simplified": "≈", "left out": "✗"}
"""A sign before each word, so that a column can be scanned."""

_HEADS = ("mechanism", "here", "what that means", "settings and their defaults", "held against")


@frozen(repr=False)
class Fidelity:
    """What one broker's model is true to, and what it is not. In a notebook each area unfolds; stored, and on paper, the
    mechanisms' names stand in three columns."""

    system: System

    def only(self, *words: str) -> Fidelity:
        """The rows that have one of these words in their area, name, status or settings.

        Raises KeyError for a word that is in none.
        """
        rows = self.system.mechanisms
        for word in words:
            if not any(_has(row, word) for row in rows):
                raise KeyError(
                    f'No row of {self.system.title} has "{word}" in it; the areas are: {", ".join(self.system.areas())}.'
                )
        return Fidelity(evolve(self.system, mechanisms=tuple(row for row in rows if any(_has(row, word) for word in words))))

    def __repr__(self) -> str:
        return "\n".join([
            self._summary,
            *(
                f"{SIGNS[status]} {status}: {', '.join(row.name for row in rows)}"
                for status in STATUSES
                if (rows := [row for row in self.system.mechanisms if row.status == status])
            ),
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        areas = self.system.areas()
        opened = " open" if len(areas) == 1 else ""
        parts = [
            f"<details{opened}><summary><b>{escape(area)}</b>: {counted(rows)}</summary>"
            f"{as_html([_line(self.system, row) for row in rows], heads=_HEADS)}</details>"
            for area, rows in areas.items()
        ]
        return f"<p>{escape(self._summary)}</p>{''.join(parts)}"

    def _repr_markdown_(self) -> str:
        lines = [
            f"{self._summary}",
            "",
            f"| | {' | '.join(f'{SIGNS[status]} {status}' for status in STATUSES)} |",
            "|---|---|---|---|",
        ]
        for area, rows in self.system.areas().items():
            cells = ("; ".join(row.name for row in rows if row.status == status) for status in STATUSES)
            lines.append(f"| **{area}** | {' | '.join(cells)} |")
        return "\n".join(lines)

    @property
    def _summary(self) -> str:
        return f"{self.system.title} {self.system.version}: {counted(self.system.mechanisms)}."


def fidelity(system: str) -> Fidelity:
    """What is modelled, simplified and left out of "kafka", "rabbitmq" or "sqs". Raises ValueError for another name."""
    return Fidelity(fidelity_of(system))


def counted(rows: Iterable[Mechanism]) -> str:
    """As in "5 modelled, 1 left out"."""
    count = Counter(row.status for row in rows)
    return ", ".join(f"{count[status]} {status}" for status in STATUSES if count[status])


def _has(row: Mechanism, word: str) -> bool:
    names = (row.area, row.name, row.status, *(each.name for each in row.settings))
    return any(word.lower() in name.lower() for name in names)


def _line(system: System, row: Mechanism) -> tuple[str, ...]:
    return (
        row.name,
        f"{SIGNS[row.status]} {row.status}",
        row.sentence(),
        "; ".join(told(each) for each in row.settings),
        ", ".join(system.held_by(row)),
    )


def told(setting: Setting) -> str:
    """A setting with its default, and with the one here where that is another: ``linger.ms = 5``."""
    here = "" if setting.here_default is None else f" (here {valued(setting.here_default)})"
    return f"{setting.name} = {valued(setting.default, setting.unit)}{here}"


def valued(value: Value, unit: str = "") -> str:
    """A default as it is written: ``345,600 s``, ``true``, ``""``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value or '""'
    return f"{value:,} {unit}".strip()
