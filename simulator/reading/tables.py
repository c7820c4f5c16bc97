"""Tables as text with aligned columns, and as HTML, which a notebook can wrap in a narrow window."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol, TypeVar


class _Line(Protocol):
    @property
    def name(self) -> str: ...


_Named = TypeVar("_Named", bound=_Line)


def named(lines: Sequence[_Named], words: Sequence[str]) -> list[_Named]:
    """The lines in whose names one of these words occurs. Raises KeyError for a word that is in none."""
    for word in words:
        if not any(word in line.name for line in lines):
            raise KeyError(f'No line has "{word}" in its name; the lines are: {", ".join(line.name for line in lines)}.')
    return [line for line in lines if any(word in line.name for word in words)]


def as_text(rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Rows of equally many cells, in aligned columns; the columns at the places in ``numbers`` are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def as_html(
    rows: Sequence[Sequence[str]], numbers: Sequence[int] = (), *, heads: Sequence[str] = (), title: str = ""
) -> str:
    """The same as an HTML table, with a line of heads and a title where there are any."""

    def line(cells: Sequence[str], tag: str) -> str:
        number = "text-align: right; white-space: nowrap"
        styles = [number if place in numbers else "text-align: left" for place in range(len(cells))]
        return "".join(
            f'<{tag} style="{style}; vertical-align: top">{escape(cell)}</{tag}>'
            for cell, style in zip(cells, styles, strict=True)
        )

    caption = f'<caption style="text-align: left">{escape(title)}</caption>' if title else ""
    head = f"<thead><tr>{line(heads, 'th')}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<table>{caption}{head}<tbody>{body}</tbody></table>"
