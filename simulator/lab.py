"""The notebooks' two instruments: `explore` one scenario, `contrast` two. Here the views meet the engine."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from simulator.engine import RunStopped
from simulator.engine import run as run_scenario
from simulator.parameters import NamedScenario, parameters, summary
from simulator.scenario import Scenario
from simulator.trace import Step, Trace
from simulator.validation import did_you_mean
from simulator.views.bench import no_controls
from simulator.views.contrast import Contrast
from simulator.views.controls import Controls, literal
from simulator.views.explore import Explore, titled

__all__ = ["Contrast", "Explore", "contrast", "explore"]

MOST_STEPS = 200_000
"""The budget of a run that a slider starts: what a learner would wait about a second for."""

_warnings = threading.Lock()


def explore(
    scenario: NamedScenario,
    *,
    seed: int = 0,
    tab: str = "outcome",
    at: str | Callable[[Step], bool] = "",
    title: str = "",
    **start: Any,
) -> Explore:
    """Controls for a named scenario, and what comes of each change, at once.

    ``explore(checkout, seed=7, orders_per_second=50)`` begins with these values and the defaults for the rest; ``tab`` is
    the view to begin with: "outcome", "charts" or "replay", and ``at`` what the replay opens at: whatever
    `simulator.reading.first` finds, as in ``at="requeued"``. See `Explore` for what can be read from it.
    """
    return Explore(scenario, run=_run, seed=seed, tab=tab, at=at, title=title, **start)


def contrast(
    left: NamedScenario | Scenario | Trace,
    right: Scenario | Trace | None = None,
    *,
    vary: str = "",
    between: tuple[Any, Any] | None = None,
    names: tuple[str, str] | None = None,
    seed: int = 0,
    tab: str = "outcome",
    title: str = "",
    **start: Any,
) -> Contrast:
    """The same customers, seed and faults through two designs, on one clock.

    ``contrast(checkout, vary="style", seed=7, orders_per_second=50)`` runs a named scenario twice, with the one parameter set to
    each of two values (``between``; a choice between two needs none), and has controls for all the others.
    ``contrast(one, other)`` takes two scenarios or traces as they are. ``names`` are what the two are called; ``tab`` is
    the view to begin with: "outcome", "charts" or "replay". See `Contrast` for what can be read from it.

    Raises ValueError for an unknown parameter or value, and where it isn't said what to contrast.
    """
    if isinstance(left, Scenario | Trace):
        if not isinstance(right, Scenario | Trace) or vary or start:
            raise ValueError("contrast takes two scenarios or traces, or one scenario function and vary=.")
        return _of_two(left, right, names, seed, tab, title)
    known = {each.name: each for each in parameters(left)}
    if vary not in known or right is not None:
        near = did_you_mean(vary, known) if vary else f"its parameters are: {', '.join(known)}"
        raise ValueError(f'Say by vary= in which parameter of {left.__name__} the two differ, not by "{vary}"; {near}')
    chosen = between or known[vary].choices
    if len(chosen) != 2:
        raise ValueError(f"{vary} can be more than two things; say which two by between=(one, other).")
    pair = (known[vary].checked(chosen[0]), known[vary].checked(chosen[1]))
    controls = Controls(left, parameters(left), leave_out=[vary])

    def runs(values: Mapping[str, Any], seed: int) -> tuple[Trace, Trace]:
        one, other = (_run(controls.make({**values, vary: value}), seed) for value in pair)
        return one, other

    def code(values: Mapping[str, Any], seed: int) -> str:
        own = "".join(f", {told}" for told in [*_between(vary, between), f"seed={seed}", *controls.told(values)])
        return f'contrast({left.__name__}, vary="{vary}"{own})'

    called = names or (_called(vary, pair[0]), _called(vary, pair[1]))
    return Contrast(
        runs, names=called, controls=controls, code=code, seed=seed, tab=tab, start=start,
        title=title or f"{titled(left)}: {called[0]} and {called[1]}", summary=summary(left),
    )  # fmt: skip


def _between(vary: str, between: tuple[Any, Any] | None) -> list[str]:
    return [f"between=({literal(between[0])}, {literal(between[1])})"] if between else []


def _called(name: str, value: Any) -> str:
    return value if isinstance(value, str) else f"{name.replace('_', ' ')} {literal(value)}"


def _of_two(
    left: Scenario | Trace, right: Scenario | Trace, names: tuple[str, str] | None, seed: int, tab: str, title: str
) -> Contrast:
    own = [(each.scenario if isinstance(each, Trace) else each).name for each in (left, right)]
    called = names or ((own[0], own[1]) if own[0] and own[1] and own[0] != own[1] else ("left", "right"))
    if isinstance(left, Trace) and isinstance(right, Trace) and left.seed == right.seed:
        seed = left.seed

    def runs(_: Mapping[str, Any], seed: int) -> tuple[Trace, Trace]:
        one, other = (each if isinstance(each, Trace) else _run(each, seed) for each in (left, right))
        return one, other

    return Contrast(
        runs, names=called, controls=no_controls(), seed=seed, tab=tab, title=title or f"{called[0]} and {called[1]}"
    )


def _run(scenario: Scenario, seed: int) -> Trace:
    # A run that is cut short says so in the widget; what filters warnings is shared by all threads.
    with _warnings, warnings.catch_warnings():
        warnings.simplefilter("ignore", RunStopped)
        return run_scenario(scenario, seed, max_steps=MOST_STEPS, progress=False)
