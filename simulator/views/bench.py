"""What explore and contrast are made of in the browser, and what both do with runs: make, remember, tell."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from simulator.reading import checks, sentence
from simulator.reading.outcomes import Row, number, told
from simulator.scenario import Scenario
from simulator.trace import Trace
from simulator.views.player import player_script, player_style
from simulator.views.style import SERIES

Run = Callable[[Scenario, int], Trace]
"""Makes a trace of a scenario and a seed. Views know no engine, so whoever uses them brings it."""

_PARTS = ("controls.js", "tabs.js", "outcome.js", "charts.js", "bench.js")
_CALLED = {"per_key_order": "per-key order"}
_MOST_EVIDENCE = 8
_MOST_REMEMBERED = 6


def bench_script(*own: str) -> str:
    """An ES module with the replay's player and all parts that explore and contrast share, followed by these scripts."""
    return player_script(*_PARTS, *own)


def bench_style(*own: str) -> str:
    """The CSS for it, followed by these style sheets of this folder."""
    lines = " ".join(f"--eda-series-{place}: light-dark({light}, {dark});" for place, (light, dark, *_) in enumerate(SERIES))
    return "\n".join([f".eda {{ {lines} }}", player_style("lab.css", *own)])


class Remembered:
    """The last few results of a function of JSON-able settings, for any number of threads. Two may work at the same time."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}

    def __call__(self, *settings: Any) -> Any:
        key = json.dumps(settings, sort_keys=True, default=repr)
        with self._lock:
            if key in self._known:
                self._known[key] = self._known.pop(key)
                return self._known[key]
        made = self._work(*settings)
        with self._lock:
            self._known[key] = made
            while len(self._known) > _MOST_REMEMBERED:
                self._known.pop(next(iter(self._known)))
        return made


class Latest:
    """Lets the newest of several questions that are worked on at once win."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.number = 0

    def begin(self, number: int | None = None) -> int | None:
        """Take a question's number (None: the next one); None if a newer one was taken already."""
        with self.lock:
            if number is None:
                number = self.number + 1
            if number < self.number:
                return None
            self.number = number
            return number

    def holds(self, number: int) -> bool:
        """Whether no newer question was taken since."""
        return number == self.number


def verdicts_as_json(trace: Trace) -> list[dict[str, Any]]:
    """The verdicts on a run, with the sentences of the steps that prove them."""
    return [
        {
            "check": _CALLED.get(verdict.check, verdict.check.replace("_", " ")),
            "status": verdict.status,
            "sentence": verdict.sentence,
            "evidence": [
                {"index": step.index, "sentence": sentence(step)} for step in verdict.evidence[:_MOST_EVIDENCE]
            ],
        }
        for verdict in checks.every(trace)
    ]


def row_as_json(row: Row, *, delta: bool = True) -> Mapping[str, Any]:
    """One line of a table, as text."""
    cells = [number(row.left), number(row.right)]
    if delta:
        cells.append(number(row.delta, signed=True))
    return {"name": told(row.name, row.unit), "cells": cells, "judged": row.judgement if number(row.delta) != "0" else "same"}


def complaint(error: Exception) -> str:
    """An error as a sentence for the learner."""
    words = str(error).strip() or type(error).__name__
    return words[:1].upper() + words[1:]
