"""`Contrast`: two designs of one system, the same customers, seed and faults through both, on one clock."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets
from attrs import frozen

from simulator.reading.contrasted import Contrasted, contrasted
from simulator.reading.distribution import Distribution
from simulator.reading.flow import everybody_knows, latency
from simulator.reading.outcomes import number, told
from simulator.reading.parties import clients, extent
from simulator.trace import Trace
from simulator.views.bench import Bench, bench_script, bench_style, ending
from simulator.views.charts import charts
from simulator.views.controls import Controls
from simulator.views.explore import checked_tab
from simulator.views.replay_data import replay_data

_PART = 1_200
"""How many steps of each run the browser holds at a time."""

_RUN_UP = 0.05
"""How much of a part lies before the moment that it was asked for."""


@frozen(eq=False)
class _Made:
    """Two runs and what is told of them."""

    traces: tuple[Trace, Trace]
    facts: Contrasted
    charts: Sequence[Mapping[str, Any]]


class Contrast(Bench):
    """Two runs side by side: one table of what customers feel and who depends on whom, and two replays on one clock.

    ``left`` and ``right`` are the traces, ``facts`` the table; ``values`` and ``seed`` those of both runs. `set` changes what
    both share, from Python. The moment on show is ``clock``, in milliseconds.

    ``make`` gives the two traces for values and a seed.
    """

    _esm = bench_script("duet.js", "contrast.js")
    _css = bench_style("contrast.css")
    clock = traitlets.Float(0.0, help="The simulated time on show, in milliseconds.").tag(sync=True)

    def __init__(
        self,
        make: Callable[[Mapping[str, Any], int], tuple[Trace, Trace]],
        *,
        names: tuple[str, str],
        controls: Controls,
        code: Callable[[Mapping[str, Any], int], str] | None = None,
        seed: int = 0,
        tab: str = "outcome",
        title: str = "",
        summary: str = "",
        start: Mapping[str, Any] | None = None,
    ) -> None:
        self._runs = make
        self._names = names
        self._code = code
        setup = {"title": title, "summary": summary, "names": list(names), "tab": checked_tab(tab), "changes": bool(code)}
        super().__init__(controls, start or {}, seed, setup)

    @property
    def left(self) -> Trace:
        """The run on the left."""
        made: _Made = self._made
        return made.traces[0]

    @property
    def right(self) -> Trace:
        """The run on the right."""
        made: _Made = self._made
        return made.traces[1]

    @property
    def facts(self) -> Contrasted:
        """The table of both."""
        made: _Made = self._made
        return made.facts

    def _make(self, values: Mapping[str, Any], seed: int) -> _Made:
        traces = self._runs(values, seed)
        return _Made(traces, contrasted(*traces, names=self._names), [charts(trace) for trace in traces])

    def _told(self) -> Mapping[str, Any]:
        made: _Made = self._made
        winners = {"left": self._names[0], "right": self._names[1], None: ""}
        return {
            "code": self._code(*self._now) if self._code else "",
            "table": [
                {
                    "name": told(fact.name, fact.unit),
                    "cells": [number(fact.left), number(fact.right), winners[fact.winner]],
                    "more": list(fact.said),
                    "winner": fact.winner or "",
                }
                for fact in self.facts.facts
            ],
            "charts": [each["latency"] for each in made.charts],
            "waiting": [{**each["waiting"], "end": each["end"], "downs": each["downs"]} for each in made.charts],
            "tallies": [_tallies(trace) for trace in made.traces],
            "end": max(extent(trace).end for trace in made.traces),
            "downs": made.charts[0]["downs"],
            "summary": _summary(made, self._names),
            "complaint": ending(*made.traces),
        }

    def _replay(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        at = float(wanted.get("at") or 0.0)
        whole = [[row[1] for row in trace.rows()] for trace in (self.left, self.right)]
        end = max(extent(trace).end for trace in (self.left, self.right))
        begin = max(0.0, at - _RUN_UP * end) if at else 0.0
        until = min((times[bisect_left(times, begin) + _PART] for times in whole if _goes_on(times, begin)), default=end)
        parts = []
        for trace, times in zip((self.left, self.right), whole, strict=True):
            first, last = bisect_left(times, begin), bisect_right(times, until) - 1
            first = min(first, len(times) - 1)
            parts.append(replay_data(trace, first=first, last=max(first, last), compact=True) if times else None)
        return {"from": begin, "to": until, "sides": parts}

    def _poster(self) -> tuple[list[str], list[list[str]], dict[str, Distribution]]:
        rows = [
            [row["name"], *(f"{cell} ({said})" if said and "," not in said else cell for cell, said in _said(row))]
            for row in self.shown["table"]
        ]
        waited = {name: latency(trace) for name, trace in zip(self._names, (self.left, self.right), strict=True)}
        return ["measure", *self._names], rows, waited

    def __repr__(self) -> str:
        made: _Made = self._made
        return f"<Contrast of {self._names[0]} and {self._names[1]}, seed {self.seed}: {_summary(made, self._names)}>"


def _said(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    return list(zip(row["cells"][:2], row["more"], strict=True))


def _goes_on(times: Sequence[float], begin: float) -> bool:
    return bisect_left(times, begin) + _PART < len(times)


def _tallies(trace: Trace) -> list[dict[str, Any]]:
    """What is counted up while the clock runs: a look, what is counted, and when each one came."""
    places = {trace.node_index(name) for name in clients(trace)}
    accepted = [row[1] for row in trace.rows("acknowledged", "completed") if row[3] in places]
    given_up = [row[1] for row in trace.rows("abandoned") if row[3] in places]
    return [
        {"look": "done", "told": "accepted", "times": _rounded(accepted)},
        {"look": "lost", "told": "given up", "times": _rounded(given_up)},
        {"look": "event", "told": "known to all", "times": _rounded(sorted(everybody_knows(trace).values()))},
    ]


def _rounded(times: Sequence[float]) -> list[float]:
    return [round(time, 1) for time in times]


def _summary(made: _Made, names: tuple[str, str]) -> str:
    fact = made.facts.facts[0]
    said = [f"{name} {number(value)} {fact.unit}" for name, value in zip(names, (fact.left, fact.right), strict=True)]
    return f"{fact.name}: {', '.join(said)}."
