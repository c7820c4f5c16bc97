"""The part both widgets share: the ES module, what it draws, and what it sends."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from simulator.views.style import script, style_sheet

MODULE = "\n".join([script(), files("quizzes.widget").joinpath("quiz.js").read_text(encoding="utf-8")])
STYLE = "\n".join([style_sheet(), files("quizzes.widget").joinpath("quiz.css").read_text(encoding="utf-8")])


class Card(anywidget.AnyWidget):
    """Questions in the browser.

    Synced traits: `view` is what to draw (from Python), `draft` what is entered and not submitted, `action`
    the last button pressed (from the browser), `step` the step last pointed at in a find-the-step question
    (both ways).
    """

    _esm = MODULE
    _css = STYLE

    view = traitlets.Dict().tag(sync=True)
    draft = traitlets.Dict().tag(sync=True)
    action = traitlets.Dict().tag(sync=True)
    step = traitlets.Int(-1).tag(sync=True)

    def __init__(self, text: str, **traits: Any) -> None:
        self._text = text
        self._drawn = 0
        super().__init__(**traits)

    def draw(self, shown: dict[str, Any]) -> None:
        """Show this; the number tells the browser that its action was answered even if nothing changed."""
        self._drawn += 1
        self.view = {**shown, "drawn": self._drawn}

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return with_text(super()._repr_mimebundle_(**kwargs), self._text)

    def __repr__(self) -> str:
        return self._text


def with_text(bundle: Any, text: str) -> Any:
    """A widget's mime bundle whose plain text is `text`, for where the widget cannot be shown."""
    if isinstance(bundle, tuple):
        return ({**bundle[0], "text/plain": text}, *bundle[1:])
    return {**(bundle or {}), "text/plain": text}
