"""What explore and contrast share: in the browser their parts, in Python a widget that runs again on every change."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from simulator.parameters import Parameter
from simulator.reading import checks, sentence
from simulator.reading.distribution import Distribution
from simulator.reading.outcomes import Row, number, told
from simulator.scenario import Scenario
from simulator.trace import ENDINGS, Trace
from simulator.views.controls import Controls
from simulator.views.player import player_script, player_style
from simulator.views.stored import StoredWidget
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


class Bench(StoredWidget):
    """A widget with controls that shows what comes of their values.

    Synced traits: ``setup`` is what never changes; ``asked`` the values that a person chose (from the browser), with a number
    that counts up; ``shown`` what came of it, with the number of the question that it answers; ``wanted`` whether the browser
    needs a replay, of which answer, and from where on; ``replay`` its data. It is asked for when changes have come to rest.

    Several questions may be worked on at once, in threads of their own, each with a run of its own. The newest one wins:
    what an older one finds out is thrown away.
    """

    setup = traitlets.Dict().tag(sync=True)
    asked = traitlets.Dict().tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    wanted = traitlets.Dict().tag(sync=True)
    replay = traitlets.Dict().tag(sync=True)

    def __init__(self, controls: Controls, start: Mapping[str, Any], seed: int, setup: Mapping[str, Any]) -> None:
        self._controls = controls
        self._lock = threading.RLock()
        self._newest = 0
        self._remembered = Remembered(self._make)
        self._start = (controls.checked(start), seed)
        self._now = self._start
        self._was = self._start
        self._made = self._remembered(*self._start)
        values = controls.as_json(self._start[0])
        super().__init__(
            setup={**setup, "controls": controls.specs, "start": {"values": values, "seed": seed}},
            shown=self._answer(0),
            wanted={"replay": setup["tab"] == "replay"},
            **self._opening(),
        )
        self._send_replay()

    @property
    def values(self) -> dict[str, Any]:
        """The value of every parameter of the run on show."""
        return dict(self._now[0])

    @property
    def seed(self) -> int:
        """The seed of the run on show."""
        return self._now[1]

    def set(self, *, seed: int | None = None, **values: Any) -> Any:
        """Run with these values, and all others as they are. Raises like the widget itself when it is made."""
        chosen = self._controls.checked(values, before=self._now[0])
        self._show(self._take(), (chosen, self.seed if seed is None else seed), self._was)
        return self

    def reset(self) -> Any:
        """Go back to the start values, and compare with them."""
        self._show(self._take(), self._start, self._start)
        return self

    def _opening(self) -> Mapping[str, Any]:
        """Traits of the widget's own, by what was made first. They go to the browser with the widget: what is sent after it
        may be overtaken by what the browser, which has drawn already, says in its turn."""
        return {}

    def _make(self, values: Mapping[str, Any], seed: int) -> Any:
        """Run and read: all that takes time, and nothing of the widget's own state."""
        raise NotImplementedError

    def _told(self) -> Mapping[str, Any]:
        """What the browser shows of what was made."""
        raise NotImplementedError

    def _replay(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data of the replay that is wanted of what was made."""
        raise NotImplementedError

    @traitlets.observe("asked")
    def _on_asked(self, change: Any) -> None:
        asked = change["new"]
        number = self._take(int(asked["number"]))
        if not number:
            return
        try:
            now, was = ((self._controls.checked(each["values"]), int(each["seed"])) for each in (asked, asked["was"]))
            self._show(number, now, was)
        except Exception as error:
            # Whatever a scenario's own code raises is shown to the learner, not lost in a thread.
            with self._lock:
                if number == self._newest:
                    self.shown = {**self.shown, "number": number, "complaint": complaint(error)}

    @traitlets.observe("wanted")
    def _on_wanted(self, _: Any) -> None:
        self._send_replay()

    def _take(self, number: int | None = None) -> int:
        """A question's number (without one, the next); 0 if a newer one was taken already."""
        with self._lock:
            if number is not None and number < self._newest:
                return 0
            self._newest = self._newest + 1 if number is None else number
            return self._newest

    def _show(self, number: int, now: tuple[dict[str, Any], int], was: tuple[dict[str, Any], int]) -> None:
        made = self._remembered(*now)
        self._remembered(*was)
        with self._lock:
            if number != self._newest:
                return
            self._now, self._was, self._made = now, was, made
            self.shown = self._answer(number)

    def _answer(self, number: int) -> dict[str, Any]:
        as_json = self._controls.as_json
        return {
            "number": number,
            "values": as_json(self._now[0]),
            "seed": self.seed,
            "was": {"values": as_json(self._was[0]), "seed": self._was[1]},
            "same": self._now == self._was,
            "complaint": "",
            **self._told(),
        }

    def _send_replay(self) -> None:
        if not self.wanted.get("replay"):
            return
        made, of = self._made, self.shown["number"]
        data = self._replay(self.wanted)
        with self._lock:
            if made is self._made:
                self.replay = {"of": of, **data}

    def _still(self) -> bytes | None:
        try:
            from simulator.views.posters import poster
        except ImportError:
            # matplotlib is not there in a browser's Python; the widget is.
            return None
        return poster(str(self.setup["title"]), *self._poster(), repr(self)).to_png()

    def _poster(self) -> tuple[list[str], list[list[str]], dict[str, Distribution]]:
        """The heads and rows of the table, and how long customers waited by name of the run."""
        raise NotImplementedError


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


def no_controls() -> Controls:
    """For what has nothing to change."""

    def nothing() -> Scenario:
        raise NotImplementedError

    none: tuple[Parameter, ...] = ()
    return Controls(nothing, none)


def verdicts_as_json(trace: Trace) -> list[dict[str, Any]]:
    """The verdicts on a run, with the sentences of the steps that prove them."""
    return [
        {
            "check": _CALLED.get(verdict.check, verdict.check.replace("_", " ")),
            "status": verdict.status,
            "sentence": verdict.sentence,
            "evidence": [{"index": step.index, "sentence": sentence(step)} for step in verdict.evidence[:_MOST_EVIDENCE]],
        }
        for verdict in checks.every(trace)
    ]


def row_as_json(row: Row) -> Mapping[str, Any]:
    """One line of a table of two runs, as text."""
    delta = number(row.delta, signed=True)
    return {
        "name": told(row.name, row.unit),
        "cells": [number(row.left), number(row.right), delta],
        "judged": row.judgement if delta != "0" else "same",
    }


def ending(*traces: Trace) -> str:
    """What a learner must know of how runs ended: nothing, if they came to their end."""
    return next((ENDINGS[trace.ended] for trace in traces if trace.ended != "duration"), "")


def complaint(error: Exception) -> str:
    """An error as a sentence for the learner."""
    words = str(error).strip() or type(error).__name__
    return words[:1].upper() + words[1:]
