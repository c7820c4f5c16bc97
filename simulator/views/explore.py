"""`Explore`: a scenario with its parameters as controls; every change runs it again and shows what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets
from attrs import frozen

from simulator.parameters import NamedScenario, parameters, summary
from simulator.reading.comparison import Comparison, compare
from simulator.reading.outcomes import Outcome, number, outcome, tabulate
from simulator.scenario import Scenario
from simulator.trace import ENDINGS, Trace
from simulator.views.bench import (
    Latest,
    Remembered,
    Run,
    bench_script,
    bench_style,
    complaint,
    row_as_json,
    verdicts_as_json,
)
from simulator.views.charts import charts
from simulator.views.controls import Controls
from simulator.views.replay_data import MOST_STEPS, replay_data

TABS = ("outcome", "charts", "replay")

_PART = 1_500
"""How many steps a replay shows of a run that is too long for it."""


@frozen(eq=False)
class _Made:
    """A run and what is told of it."""

    values: Mapping[str, Any]
    seed: int
    trace: Trace
    outcome: list[Outcome]
    charts: Mapping[str, Any]


class Explore(anywidget.AnyWidget):
    """Controls for a named scenario, and its run as verdicts, a table *was · now · Δ*, charts and a replay.

    ``Explore(checkout, run=run, seed=7, orders_per_second=50)`` begins with these values and the defaults for the rest.
    ``trace``, ``scenario``, ``values`` and ``seed`` are those of the run on show; `set` changes values from Python. The step
    on show in the replay is ``step``. *Was* is the run with the start values, until the learner chooses another one.

    Raises ValueError for an unknown name, or a value that a parameter can't take, and ScenarioError like the scenario itself.
    """

    _esm = bench_script("explore.js")
    _css = bench_style()
    setup = traitlets.Dict().tag(sync=True)
    asked = traitlets.Dict().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    wanted = traitlets.Dict().tag(sync=True)
    replay = traitlets.Dict().tag(sync=True)
    step = traitlets.Int(-1).tag(sync=True)

    def __init__(
        self, scenario: NamedScenario, *, run: Run, seed: int = 0, tab: str = "outcome", title: str = "", **start: Any
    ) -> None:
        if tab not in TABS:
            raise ValueError(f"tab is {tab!r}; it must be one of {', '.join(TABS)}.")
        self._controls = Controls(scenario, parameters(scenario))
        self._run = run
        self._latest = Latest()
        self._made = Remembered(self._make)
        first = self._controls.checked(start)
        self._start = (first, seed)
        self._now: _Made = self._made(first, seed)
        words = title or scenario.__name__.replace("_", " ").capitalize()
        super().__init__(
            setup={
                "title": words,
                "summary": summary(scenario),
                "controls": self._controls.specs,
                "start": {"values": self._controls.as_json(first), "seed": seed},
                "names": ["was", "now"],
                "tab": tab,
            },
            shown=self._told(0, self._now, self._now),
            wanted={"replay": tab == "replay"},
        )
        if tab == "replay":
            self._send_replay()

    @property
    def trace(self) -> Trace:
        """The run on show."""
        return self._now.trace

    @property
    def scenario(self) -> Scenario:
        """The scenario that was run."""
        return self._now.trace.scenario

    @property
    def values(self) -> dict[str, Any]:
        """The value of every parameter of the run on show."""
        return dict(self._now.values)

    @property
    def seed(self) -> int:
        """The seed of the run on show."""
        return self._now.seed

    @property
    def comparison(self) -> Comparison:
        """The run that others are compared with, and the run on show."""
        was = self._was(self.shown["was"])
        return compare(was.trace, self.trace, names=("was", "now"))

    def set(self, *, seed: int | None = None, **values: Any) -> Explore:
        """Run with these values, and all others as they are. Raises like `Explore` itself."""
        chosen = self._controls.checked(values, before=self._now.values)
        self._latest.begin()
        number = self._latest.number
        self._show(number, chosen, self._now.seed if seed is None else seed, self._was(self.shown["was"]))
        return self

    def reset(self) -> Explore:
        """Go back to the start values, and compare with them."""
        self._latest.begin()
        self._show(self._latest.number, *self._start, self._made(*self._start))
        return self

    @traitlets.observe("asked")
    def _on_asked(self, change: Any) -> None:
        asked = change["new"]
        number = self._latest.begin(asked["number"])
        if number is None:
            return
        try:
            values = self._controls.checked(asked["values"])
            self._show(number, values, int(asked["seed"]), self._was(asked["was"]))
        except Exception as error:  # whatever a scenario's own code raises is shown to the learner, not lost in a thread
            with self._latest.lock:
                if self._latest.holds(number):
                    self.shown = {**self.shown, "number": number, "complaint": complaint(error)}

    @traitlets.observe("wanted")
    def _on_wanted(self, change: Any) -> None:
        if change["new"].get("replay"):
            self._send_replay()

    def _was(self, told: Mapping[str, Any]) -> _Made:
        made: _Made = self._made(self._controls.checked(told["values"]), int(told["seed"]))
        return made

    def _make(self, values: Mapping[str, Any], seed: int) -> _Made:
        trace = self._run(self._controls.make(values), seed)
        return _Made(values, seed, trace, outcome(trace), charts(trace))

    def _show(self, number: int, values: Mapping[str, Any], seed: int, was: _Made) -> None:
        made: _Made = self._made(values, seed)
        told = self._told(number, made, was)
        with self._latest.lock:
            if not self._latest.holds(number):
                return
            self._now = made
            self.shown = told
        if self.wanted.get("replay"):
            self._send_replay()

    def _told(self, count: int, made: _Made, was: _Made) -> dict[str, Any]:
        table = tabulate(was.outcome, made.outcome, ("was", "now"))
        as_json = self._controls.as_json
        return {
            "number": count,
            "run": f"{count}",
            "values": as_json(made.values),
            "seed": made.seed,
            "was": {"values": as_json(was.values), "seed": was.seed},
            "same": made is was,
            "code": self._controls.code(made.values, made.seed),
            "verdicts": verdicts_as_json(made.trace),
            "table": [row_as_json(row) for row in table.rows],
            "charts": {**made.charts, "now": made.charts["latency"], "was": was.charts["latency"]},
            "summary": _summary(made),
            "complaint": "" if made.trace.ended == "duration" else ENDINGS[made.trace.ended],
        }

    def _send_replay(self) -> None:
        made, run = self._now, self.shown["run"]
        at = self.wanted.get("at")
        data, note = _replay_of(made.trace, at)
        with self._latest.lock:
            if made is self._now:
                self.replay = {"run": f"{run} {data['first']}" if data else run, "of": run, "data": data, "note": note}

    def __repr__(self) -> str:
        return f"<Explore {self._controls.code(self._now.values, self._now.seed)}: {_summary(self._now)}>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget, and for wherever no widget can be a line of text."""
        made = super()._repr_mimebundle_(**options)
        bundle, extra = made if isinstance(made, tuple) else (made, {})
        if bundle is None:
            return made
        return {**bundle, "text/plain": repr(self)}, extra


def _replay_of(trace: Trace, at: int | None) -> tuple[dict[str, Any] | None, str]:
    """The data of a replay, and a note on what it shows; of a run that is too long, the part around a step."""
    if not len(trace):
        return None, "Nothing happened in this run."
    if len(trace) <= MOST_STEPS:
        return replay_data(trace), ""
    first = max(0, min((at or 0) - _PART // 4, len(trace) - _PART))
    last = first + _PART - 1
    note = f"This run has {len(trace):,} steps; here are {first:,} to {last:,}. A verdict's steps lead to their own part."
    return replay_data(trace, first=first, last=last), note


def _summary(made: _Made) -> str:
    numbers = {each.name: each for each in made.outcome}
    spread = [numbers[name] for name in ("latency p50", "latency p99") if name in numbers]
    told = [f"{each.name} {number(each.value)} ms" for each in spread if each.value is not None]
    return ", ".join([f"{len(made.trace):,} steps", *told]) + "."
