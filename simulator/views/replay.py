"""`Replay`: a run to step through, forwards and back, in a notebook."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import traitlets

from simulator.trace import Trace
from simulator.views.player import player_script, player_style
from simulator.views.replay_data import MOST_STEPS, replay_data, within

__all__ = ["MOST_STEPS", "Replay", "replay_data"]
from simulator.views.stored import StoredWidget


class Replay(StoredWidget):
    """A player for a trace: play, pause, step and scrub; click a step to see what led to it.

    ``Replay(trace)`` begins before the first step, ``at=40`` at step 40. ``first`` and ``last`` show a part of the trace
    only; ``focus`` (a node's name, a key, or a message's id) dims everything else. The step on show is ``replay.step``:
    read it, watch it (``replay.observe(…, "step")``), set it with `goto`. Stepping needs no kernel.

    Keys: right and left step, Home and End jump, space plays and pauses.

    Raises ValueError where there is nothing to show, too much (over `MOST_STEPS` steps), or no such focus or step.
    """

    _esm = player_script("replay.js")
    _css = player_style()
    data = traitlets.Dict().tag(sync=True)
    step = traitlets.Int(-1, help="The step on show; the one before the first means: before anything.").tag(sync=True)

    def __init__(
        self,
        trace: Trace,
        *,
        at: int | None = None,
        first: int | None = None,
        last: int | None = None,
        focus: str | int | None = None,
    ) -> None:
        data = replay_data(trace, first=first, last=last, focus=focus)
        self._asked = at is not None
        super().__init__(data=data, step=data["first"] - 1 if at is None else within(data, at))

    def goto(self, step: int) -> Replay:
        """Show this step; the one before the first shows the state before it. Raises ValueError for any other."""
        self.step = within(self.data, step)
        self._asked = True
        return self

    @traitlets.validate("step")
    def _keepwithin(self, proposal: Any) -> int:
        try:
            return within(self.data, int(proposal["value"]))
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None

    def __repr__(self) -> str:
        data = self.data
        count = len(data["time"])
        return f"<Replay of {data['name']}: {count:,} steps, seed {data['seed']}; on show: step {self.step}>"

    def _still(self) -> str | None:
        try:
            from simulator.views.still import telling_step, to_png
        except ImportError:
            # matplotlib is not there in a browser's Python; the widget is.
            return None
        step = self.step if self._asked else telling_step(self.data)
        return b64encode(to_png(self.data, step)).decode()
