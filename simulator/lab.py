"""The notebooks' two instruments: `explore` one scenario, `contrast` two. Here the views meet the engine."""

from __future__ import annotations

import threading
import warnings
from typing import Any

from simulator.engine import RunStopped
from simulator.engine import run as run_scenario
from simulator.parameters import NamedScenario
from simulator.scenario import Scenario
from simulator.trace import Trace
from simulator.views.explore import Explore

__all__ = ["explore"]

MOST_STEPS = 200_000
"""The budget of a run that a slider starts: what a learner would wait about a second for."""

_warnings = threading.Lock()


def explore(scenario: NamedScenario, *, seed: int = 0, tab: str = "outcome", title: str = "", **start: Any) -> Explore:
    """Controls for a named scenario, and what comes of each change, at once.

    ``explore(checkout, seed=7, orders_per_second=50)`` begins with these values and the defaults for the rest; ``tab`` is
    the view to begin with: "outcome", "charts" or "replay". See `Explore` for what can be read from it.
    """
    return Explore(scenario, run=_run, seed=seed, tab=tab, title=title, **start)


def _run(scenario: Scenario, seed: int) -> Trace:
    # A run that is cut short says so in the widget; what filters warnings is shared by all threads.
    with _warnings, warnings.catch_warnings():
        warnings.simplefilter("ignore", RunStopped)
        return run_scenario(scenario, seed, max_steps=MOST_STEPS, progress=False)
