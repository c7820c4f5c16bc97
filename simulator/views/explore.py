"""`Explore`: a scenario with its parameters as controls; every change runs it again and shows what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets
from attrs import frozen

from simulator.parameters import NamedScenario, parameters, summary
from simulator.reading.causes import first
from simulator.reading.comparison import Comparison, compare
from simulator.reading.distribution import Distribution
from simulator.reading.flow import latency
from simulator.reading.outcomes import Outcome, number, outcome, tabulate
from simulator.scenario import Scenario
from simulator.trace import Step, Trace
from simulator.views.bench import Bench, Run, bench_script, bench_style, ending, row_as_json, verdicts_as_json
from simulator.views.charts import charts
from simulator.views.controls import Controls
from simulator.views.replay_data import MOST_STEPS, replay_data

TABS = ("outcome", "charts", "replay")

_PART = 1_500
"""How many steps a replay shows of a run that is too long for it."""


@frozen(eq=False)
class _Made:
    """A run and what is told of it."""

    trace: Trace
    outcome: list[Outcome]
    charts: Mapping[str, Any]
    verdicts: list[dict[str, Any]]


class Explore(Bench):
    """Controls for a named scenario, and its run as verdicts, a table *was · now · Δ*, charts and a replay.

    ``Explore(checkout, run=run, seed=7, orders_per_second=50)`` begins with these values and the defaults for the rest.
    ``trace``, ``scenario``, ``values`` and ``seed`` are those of the run on show; `set` changes values from Python. The step
    on show in the replay is ``step``, at first the one that ``at`` finds (see `simulator.reading.first`). *Was* is the run
    with the start values, until the learner chooses another one.

    Raises ValueError for an unknown name, or a value that a parameter can't take, and ScenarioError like the scenario itself.
    """

    _esm = bench_script("explore.js")
    _css = bench_style()
    step = traitlets.Int(-1, help="The step on show in the replay.").tag(sync=True)

    def __init__(
        self,
        scenario: NamedScenario,
        *,
        run: Run,
        seed: int = 0,
        tab: str = "outcome",
        at: str | Callable[[Step], bool] = "",
        title: str = "",
        **start: Any,
    ) -> None:
        self._run = run
        self._at = at
        setup = {
            "title": title or titled(scenario),
            "summary": summary(scenario),
            "names": ["was", "now"],
            "tab": checked_tab(tab),
        }
        super().__init__(Controls(scenario, parameters(scenario)), start, seed, setup)

    @property
    def trace(self) -> Trace:
        """The run on show."""
        made: _Made = self._made
        return made.trace

    @property
    def scenario(self) -> Scenario:
        """The scenario that was run."""
        return self.trace.scenario

    @property
    def comparison(self) -> Comparison:
        """The run that others are compared with, and the run on show."""
        return compare(self._remembered(*self._was).trace, self.trace, names=("was", "now"))

    def _opening(self) -> Mapping[str, Any]:
        opens = first(self.trace, self._at) if self._at else None
        return {"step": -1 if opens is None else opens.index}

    def _make(self, values: Mapping[str, Any], seed: int) -> _Made:
        trace = self._run(self._controls.make(values), seed)
        return _Made(trace, outcome(trace), charts(trace), verdicts_as_json(trace))

    def _told(self) -> Mapping[str, Any]:
        made: _Made = self._made
        was: _Made = self._remembered(*self._was)
        table = tabulate(was.outcome, made.outcome, ("was", "now"))
        return {
            "code": self._controls.code(*self._now),
            "verdicts": made.verdicts,
            "table": [row_as_json(row) for row in table.rows],
            "charts": {**made.charts, "was": was.charts["latency"]},
            "summary": _summary(made),
            "complaint": ending(made.trace),
        }

    def _replay(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        trace = self.trace
        if not len(trace):
            return {"data": None, "note": "Nothing happened in this run."}
        if len(trace) <= MOST_STEPS:
            return {"data": replay_data(trace), "note": ""}
        # Of a run that is too long, the part around a step.
        at = self.step if wanted.get("at") is None else wanted["at"]
        start = max(0, min(at - _PART // 4, len(trace) - _PART))
        last = start + _PART - 1
        note = (
            f"This run has {len(trace):,} steps; here are {start:,} to {last:,}. A verdict's steps lead to their own part."
        )
        return {"data": replay_data(trace, first=start, last=last), "note": note}

    def _poster(self) -> tuple[list[str], list[list[str]], dict[str, Distribution]]:
        rows = [[row["name"], *row["cells"]] for row in self.shown["table"]]
        waited = {"now": latency(self.trace)}
        if self._now != self._was:
            waited["was"] = latency(self._remembered(*self._was).trace)
        return ["measure", "was", "now", "Δ"], rows, waited

    def __repr__(self) -> str:
        return f"<Explore {self._controls.code(*self._now)}: {_summary(self._made)}>"


def titled(scenario: NamedScenario) -> str:
    """A named scenario's name as a title: ``lost_commit`` is "Lost commit"."""
    return scenario.__name__.replace("_", " ").capitalize()


def checked_tab(tab: str) -> str:
    """The tab, if there is one of this name. Raises ValueError otherwise."""
    if tab not in TABS:
        raise ValueError(f"tab is {tab!r}; it must be one of {', '.join(TABS)}.")
    return tab


def _summary(made: _Made) -> str:
    numbers = {each.name: each for each in made.outcome}
    # Who was answered comes before how fast: a quick answer to a few may look like a healthy system.
    spread = [numbers[name] for name in ("answered", "latency p50", "latency p99") if name in numbers]
    told = [f"{each.name} {number(each.value)} {each.unit}" for each in spread if each.value is not None]
    return ", ".join([f"{len(made.trace):,} steps", *told]) + "."
