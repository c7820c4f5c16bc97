"""The outcome that two designs of one system are compared by: what customers feel, what gets lost, who depends on whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from attrs import frozen

from simulator.reading.coupling import must_be_up, must_change
from simulator.reading.distribution import Distribution
from simulator.reading.fates import losses
from simulator.reading.flow import inconsistency_window, latency
from simulator.reading.health import downtimes
from simulator.reading.lineage import births, origins
from simulator.reading.outcomes import Better, number, told
from simulator.reading.parties import clients, processors
from simulator.reading.tables import as_html, as_text, named
from simulator.trace import Trace
from simulator.values import Span

_NUMBERED = re.compile(r"([A-Za-z]+)-\d+")


@frozen
class Fact:
    """One line of the comparison of two designs."""

    name: str
    left: float | None
    """None: there was nothing to measure."""
    right: float | None
    unit: str = ""
    better: Better | None = None
    """Which way is better; None where neither is."""
    said: tuple[str, str] = ("", "")
    """Each value in other words: "17 of 40", or the names that were counted."""

    @property
    def winner(self) -> Literal["left", "right"] | None:
        """Which of the two is better, by more than what a table shows; None where neither is, or nothing can be said."""
        if self.left is None or self.right is None or self.better is None or round(self.left, 1) == round(self.right, 1):
            return None
        return "left" if (self.left < self.right) == (self.better == "lower") else "right"


@frozen(repr=False)
class Contrasted:
    """Two runs of the same customers, line by line. Its text has aligned columns."""

    facts: tuple[Fact, ...]
    names: tuple[str, str]

    def __getitem__(self, name: str) -> Fact:
        """The line of this name. Raises KeyError, which lists the names, if there is none."""
        for fact in self.facts:
            if fact.name == name:
                return fact
        raise KeyError(f'There is no line "{name}"; the lines are: {", ".join(fact.name for fact in self.facts)}.')

    def only(self, *words: str) -> Contrasted:
        """The lines in whose names one of these words occurs. Raises KeyError for a word that is in none."""
        return Contrasted(tuple(named(self.facts, words)), self.names)

    def __repr__(self) -> str:
        return as_text([("measure", *self.names, "better"), *self._lines])

    def _repr_html_(self) -> str:
        return as_html(self._lines, heads=("measure", *self.names, "better"))

    @property
    def _lines(self) -> list[tuple[str, str, str, str]]:
        winner = {"left": self.names[0], "right": self.names[1], None: ""}
        return [
            (
                told(fact.name, fact.unit),
                _cell(fact.left, fact.said[0]),
                _cell(fact.right, fact.said[1]),
                winner[fact.winner],
            )
            for fact in self.facts
        ]


def contrasted(left: Trace, right: Trace, *, names: tuple[str, str] = ("left", "right")) -> Contrasted:
    """Compare two designs by one run of each, meant to be of the same customers, seed and faults."""
    both = (left, right)
    what = _noun(left)
    facts = [
        *_spread("latency the customer feels", [latency(trace) for trace in both]),
        _accepted(f"{what} accepted", both, [None, None]),
        *(
            _accepted(f"{what} accepted while {node} is down", both, [downtimes(trace, node) for trace in both])
            for node in _down_in_both(both)
        ),
        Fact(f"{what} lost", len(_lost(left)), len(_lost(right)), better="lower"),
        *_spread("time until everybody knows", [inconsistency_window(trace) for trace in both]),
        _named("must be up to accept one", [must_be_up(trace.scenario) for trace in both]),
        _named("must change to add a consumer", [must_change(trace.scenario) for trace in both]),
    ]
    return Contrasted(tuple(facts), names)


def _spread(name: str, taken: Sequence[Distribution]) -> Iterable[Fact]:
    yield Fact(f"{name}, p50", taken[0].p50, taken[1].p50, "ms", "lower")
    yield Fact(f"{name}, p99", taken[0].p99, taken[1].p99, "ms", "lower")


def _accepted(name: str, traces: Sequence[Trace], spans: Sequence[list[Span] | None]) -> Fact:
    shares, said = [], []
    for trace, during in zip(traces, spans, strict=True):
        good, made = _answers(trace, during)
        shares.append(100.0 * good / made if made else None)
        said.append(f"{good:,} of {made:,}" if made else "none were made")
    return Fact(name, shares[0], shares[1], "%", "higher", (said[0], said[1]))


def _answers(trace: Trace, during: list[Span] | None) -> tuple[int, int]:
    """How many that clients made had a good answer, of how many whose end is known; made in these spans, if any are given."""
    places = {trace.node_index(name) for name in clients(trace)}
    made = {
        number
        for number, birth in births(trace).items()
        if birth.node in places and (during is None or any(birth.time in span for span in during))
    }
    good = {row[4] for row in trace.rows("acknowledged", "completed") if row[4] in made and row[3] in places}
    given_up = {row[4] for row in trace.rows("abandoned") if row[4] in made and row[3] in places}
    return len(good), len(good | given_up)


def _down_in_both(traces: Sequence[Trace]) -> list[str]:
    left, right = traces
    return [name for name in left.nodes if name in right.nodes and downtimes(left, name) and downtimes(right, name)]


def _lost(trace: Trace) -> set[int]:
    """The operations of clients that never took effect at somebody who does the work."""
    origin = origins(trace)
    gone = (each.message.id for name in processors(trace) for each in losses(trace, name, of="operation"))
    return {origin.get(number, number) for number in gone}


def _named(name: str, who: Sequence[tuple[str, ...]]) -> Fact:
    left, right = who
    return Fact(name, len(left), len(right), "", "lower", (", ".join(left) or "nobody", ", ".join(right) or "nobody"))


def _noun(trace: Trace) -> str:
    """What clients make, by their keys: ``order-17`` is one of the "orders"."""
    for number_ in births(trace):
        numbered = _NUMBERED.fullmatch(trace.message(number_).key or "")
        if numbered:
            return f"{numbered.group(1)}s"
    return "requests"


def _cell(value: float | None, said: str) -> str:
    return f"{number(value)} ({said})" if said else number(value)
