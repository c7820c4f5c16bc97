"""The outcome of a run as a table, and of two runs as a table with the difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from attrs import frozen

from simulator.reading.clusters import cluster
from simulator.reading.distribution import Distribution
from simulator.reading.durability import lost_writes
from simulator.reading.fates import losses
from simulator.reading.flow import end_to_end, inconsistency_window, latency, messages_on_the_wire
from simulator.reading.health import availability
from simulator.reading.lags import backlog
from simulator.reading.lineage import origins
from simulator.reading.parties import clients, groups, processors, queues, topics_of
from simulator.reading.purposes import purposes
from simulator.reading.repeats import duplicates, reorderings
from simulator.reading.tables import as_html, as_text, named
from simulator.trace import Trace

Better = Literal["lower", "higher"]

_NUMBERS = (1, 2, 3)
"""The columns of a table that hold numbers."""


@frozen
class Outcome:
    """One line of a run's outcome."""

    name: str
    value: float | None
    """None: there was nothing to measure."""
    unit: str = ""
    better: Better | None = None
    """Which way is better; None where neither is."""


@frozen
class Row:
    """One line of the outcome of two runs."""

    name: str
    unit: str
    left: float | None
    right: float | None
    better: Better | None

    @property
    def delta(self) -> float | None:
        """Right minus left; None where one of them has no value."""
        return None if self.left is None or self.right is None else self.right - self.left

    @property
    def judgement(self) -> Literal["better", "worse", "same"] | None:
        """What the right run is, against the left one; None where that can't be said."""
        if self.delta is None or self.better is None:
            return None
        if self.delta == 0:
            return "same"
        return "better" if (self.delta < 0) == (self.better == "lower") else "worse"


@frozen(repr=False)
class Table:
    """Measure · one run · the other · Δ. Its text has aligned columns."""

    rows: tuple[Row, ...]
    names: tuple[str, str] = ("this run", "that run")

    def only(self, *words: str) -> Table:
        """The lines in whose names one of these words occurs. Raises KeyError for a word that is in none."""
        return Table(tuple(named(self.rows, words)), self.names)

    def __repr__(self) -> str:
        return as_text([self._heads, *self._lines], _NUMBERS)

    def _repr_html_(self) -> str:
        return as_html(self._lines, _NUMBERS, heads=self._heads)

    @property
    def _heads(self) -> tuple[str, str, str, str]:
        return ("measure", *self.names, "Δ")

    @property
    def _lines(self) -> list[tuple[str, str, str, str]]:
        return [
            (told(row.name, row.unit), number(row.left), number(row.right), number(row.delta, signed=True))
            for row in self.rows
        ]


def told(name: str, unit: str) -> str:
    """A measure's name with its unit: ``latency p50 (ms)``."""
    return f"{name} ({unit})" if unit else name


def number(value: float | None, *, signed: bool = False) -> str:
    """A number as tables show it: whole, or with one digit after the point; ``–`` for None."""
    if value is None:
        return "–"
    if round(value, 1) == round(value):
        return f"{round(value):+,}" if signed and round(value) else f"{round(value):,}"
    return f"{value:+,.1f}" if signed else f"{value:,.1f}"


def tabulate(left: Sequence[Outcome], right: Sequence[Outcome], names: tuple[str, str] = ("this run", "that run")) -> Table:
    """Two outcomes side by side, line by line of the same name; what only one of them has stands at the end of its table."""
    others: Mapping[str, Outcome] = {each.name: each for each in right}
    rows = []
    for each in left:
        other = others.get(each.name)
        rows.append(Row(each.name, each.unit, each.value, other.value if other else None, each.better))
    known = {each.name for each in left}
    rows += [Row(each.name, each.unit, None, each.value, each.better) for each in right if each.name not in known]
    return Table(tuple(rows), names)


def outcome(trace: Trace, *, each: bool = False) -> list[Outcome]:
    """The standard outcome of a run: the lines that apply to it. With ``each``, also the lines of every group by itself.

    What was processed twice or lost is counted in operations of clients: however many messages carried one on, and at
    however many places it went wrong, it counts once.
    """
    return [*_of_clients(trace), *_of_work(trace, each), *_of_everybody(trace)]


def _of_clients(trace: Trace) -> Iterator[Outcome]:
    makers = clients(trace)
    if not makers:
        return
    places = {trace.node_index(name) for name in makers}
    made = sum(row[3] in places for row in trace.rows("created"))
    yield Outcome("made by clients", made)
    if any(True for _ in trace.rows("acknowledged", "completed", "abandoned")):
        share = availability(trace)
        yield Outcome("answered", None if share is None else 100.0 * share, "%", "higher")
        yield from _spread("latency", latency(trace))
    within = cluster(trace)
    brokers = {trace.node_index(name) for name in (within.nodes if within is not None else ())}
    yield Outcome("sent again", sum(row[7] > 1 and row[3] not in brokers for row in trace.rows("sent")), "", "lower")
    if within is not None or queues(trace):
        yield Outcome("acknowledged but lost", len(lost_writes(trace)), "", "lower")
    if within is not None:
        twice = sum(len(duplicates(trace, topic)) for topic in within.topics)
        yield Outcome("stored twice", twice, "", "lower")
    if any(True for _ in trace.rows("abandoned")):
        yield Outcome("given up", sum(row[3] in places for row in trace.rows("abandoned")), "", "lower")


def _spread(name: str, taken: Distribution) -> Iterator[Outcome]:
    yield Outcome(f"{name} p50", taken.p50, "ms", "lower")
    yield Outcome(f"{name} p99", taken.p99, "ms", "lower")


def _of_work(trace: Trace, each: bool) -> Iterator[Outcome]:
    workers = list(groups(trace)) or list(processors(trace))
    if not workers:
        return
    origin = origins(trace)
    found = {name: (duplicates(trace, name, of="operation"), losses(trace, name)) for name in workers}
    twice, lost = (
        {origin.get(one.message.id, one.message.id) for both in found.values() for one in both[which]} for which in (0, 1)
    )
    yield Outcome("processed twice", len(twice), "", "lower")
    yield Outcome("lost", len(lost), "", "lower")
    yield Outcome("out of order", sum(len(reorderings(trace, name)) for name in workers), "", "lower")
    readers = {name: backlog(trace, name) for name in workers if topics_of(trace, name)}
    if readers:
        highest = max(behind for series in readers.values() for _, behind in series)
        yield Outcome("largest lag", highest, "messages", "lower")
        yield Outcome("lag at the end", sum(series[-1][1] for series in readers.values()), "messages", "lower")
    if len(workers) == 1:
        yield from _spread("end to end", end_to_end(trace, workers[0]))
    elif each:
        for name, (doubles, gone) in found.items():
            yield Outcome(f"processed twice, {name}", len(doubles), "", "lower")
            yield Outcome(f"lost, {name}", len(gone), "", "lower")
            if name in readers:
                yield Outcome(f"lag at the end, {name}", readers[name][-1][1], "messages", "lower")
            yield from _spread(f"end to end, {name},", end_to_end(trace, name))


def _of_everybody(trace: Trace) -> Iterator[Outcome]:
    if len(processors(trace)) > 1:
        yield from _spread("until everybody knows", inconsistency_window(trace))
    sent = messages_on_the_wire(trace)
    yield Outcome("messages on the wire", sent, "", "lower")
    if cluster(trace) is not None or queues(trace):
        yield Outcome("of them carrying no record", sent - purposes(trace)["records"], "", "lower")
