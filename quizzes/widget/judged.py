"""How an exercise was judged: a list of trials, and a replay open at the step that breaks the first one."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from quizzes.exercises.judging import Judgement, Result
from quizzes.widget.card import STYLE, with_text
from simulator.reading import sentence
from simulator.views.player import player_script, player_style
from simulator.views.replay import MOST_STEPS, replay_data


class Judged(anywidget.AnyWidget):
    """A judgement in the browser: each trial's button shows its run, at the step to look at. It needs no kernel.

    `view` is all there is to draw; `shown` is the place of the trial whose run is on show, -1 for none.
    """

    _esm = player_script() + files("quizzes.widget").joinpath("judged.js").read_text(encoding="utf-8")
    _css = "\n".join([STYLE, player_style(), files("quizzes.widget").joinpath("judged.css").read_text(encoding="utf-8")])
    view = traitlets.Dict().tag(sync=True)
    shown = traitlets.Int(-1).tag(sync=True)

    def __init__(self, judgement: Judgement) -> None:
        self._text = repr(judgement)
        failed = judgement.first_failure
        advice = judgement.exercise.after if failed is None else failed.hint
        super().__init__(
            view={
                "title": judgement.exercise.title,
                "headline": judgement.headline,
                "solved": judgement.solved,
                "advice": " ".join(advice.split()),
                "trials": [_trial(result) for result in judgement.results],
            },
            shown=_first_shown(judgement),
        )

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return with_text(super()._repr_mimebundle_(**options), self._text)

    def __repr__(self) -> str:
        return self._text


def _first_shown(judgement: Judgement) -> int:
    """The first trial that fails and has a run to show; none where all hold."""
    failing = (place for place, result in enumerate(judgement.results) if not result.holds and _can_show(result))
    return next(failing, -1)


def _can_show(result: Result) -> bool:
    return result.trace is not None and 0 < len(result.trace) <= MOST_STEPS


def _trial(result: Result) -> dict[str, Any]:
    told: dict[str, Any] = {"name": result.name, "holds": result.holds, "complaint": result.complaint, "replay": None}
    if result.trace is not None and _can_show(result):
        told["replay"] = replay_data(result.trace, focus=result.focus)
        told["at"] = result.at
        told["told"] = sentence(result.trace[result.at])
    return told
