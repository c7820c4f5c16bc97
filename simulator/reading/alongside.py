"""Any number of runs side by side, one column each: what `outcomes` says of two, said of several."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from simulator.reading.outcomes import number, outcome, told
from simulator.reading.tables import as_html, as_text, named
from simulator.trace import Trace


@frozen
class Line:
    """One measure of every run."""

    name: str
    unit: str
    values: tuple[float | None, ...]
    """One for each column; None where there was nothing to measure."""


@frozen(repr=False)
class Columns:
    """Measure · one run · another · …; one table minus another is what the runs of the first have more. Its text has aligned
    columns."""

    lines: tuple[Line, ...]
    names: tuple[str, ...]
    signed: bool = False

    def __getitem__(self, name: str) -> dict[str, float | None]:
        """A line's values by column. Raises KeyError if there is no line of this name."""
        for line in self.lines:
            if line.name == name:
                return dict(zip(self.names, line.values, strict=True))
        raise KeyError(f'There is no line "{name}"; the lines are: {", ".join(line.name for line in self.lines)}.')

    def only(self, *words: str) -> Columns:
        """The lines in whose names one of these words occurs. Raises KeyError for a word that is in none."""
        return Columns(tuple(named(self.lines, words)), self.names, self.signed)

    def __sub__(self, other: Columns) -> Columns:
        """The lines and columns that both have, and by how much this one's values are larger."""
        names = tuple(name for name in self.names if name in other.names)
        known = {line.name for line in other.lines}
        return Columns(
            tuple(
                Line(line.name, line.unit, tuple(_minus(self[line.name][name], other[line.name][name]) for name in names))
                for line in self.lines
                if line.name in known
            ),
            names,
            signed=True,
        )

    def __repr__(self) -> str:
        return as_text([self._heads, *self._rows], self._numbers)

    def _repr_html_(self) -> str:
        return as_html(self._rows, self._numbers, heads=self._heads)

    @property
    def _heads(self) -> tuple[str, ...]:
        return ("measure", *self.names)

    @property
    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (told(line.name, line.unit), *(number(value, signed=self.signed) for value in line.values))
            for line in self.lines
        ]

    @property
    def _numbers(self) -> range:
        return range(1, len(self.names) + 1)


def alongside(traces: Mapping[str, Trace]) -> Columns:
    """The standard outcome (see `outcome`) of each run, in a column of its name: lines that apply to any of them."""
    measured = [{each.name: each for each in outcome(trace)} for trace in traces.values()]
    order = dict.fromkeys(name for column in measured for name in column)
    units = {name: each.unit for column in measured for name, each in column.items()}
    lines = (
        Line(name, units[name], tuple(column[name].value if name in column else None for column in measured))
        for name in order
    )
    return Columns(tuple(lines), tuple(traces))


def _minus(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right
