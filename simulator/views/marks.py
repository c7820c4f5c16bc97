"""What a picture is made of: boxes, lines, areas, shapes and texts, as values that the browser and matplotlib both draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LIT, PASSED = "lit", "passed"
"""The states of a part that has to do with the step on show: it took part, or it was looked at and passed over."""


class Mark(NamedTuple):
    """One thing to draw. Colours are names in `LOOKS` or `GROUND`; lengths are pixels."""

    kind: str
    """``box``, ``line``, ``area``, ``shape`` or ``text``."""
    at: tuple[float, ...]
    """box: x, y, width, height, corner radius; line and area: x, y, x, y, …; shape: x, y, size, turn; text: x, y, size."""
    colour: str
    text: str = ""
    """A text's words, or the look whose shape it is."""
    style: str = ""
    """box and line: ``dashed``, ``strong``; text: ``start``, ``middle`` or ``end``, and perhaps ``bold``."""
    tint: float = 0.0
    """How much of its colour fills a box."""
    ground: str = "surface"
    """What fills the rest of it."""
    part: str = ""
    """The part of its node that it belongs to. A step can light it, and then it is drawn ``strong``."""
    when: str = ""
    """The only state of its part in which it is seen; empty: it always is."""


def moved(mark: Mark, x: float, y: float) -> Mark:
    """The same mark elsewhere."""
    if mark.kind in {"line", "area"}:
        at = tuple(each + (x, y)[place % 2] for place, each in enumerate(mark.at))
    else:
        at = (mark.at[0] + x, mark.at[1] + y, *mark.at[2:])
    return mark._replace(at=at)


def lit(mark: Mark, states: Mapping[str, tuple[str, str]]) -> Mark | None:
    """A mark as it is drawn while parts of its node are in these states (state, text); None where it is not seen."""
    state, text = states.get(mark.part, ("", "")) if mark.part else ("", "")
    if mark.when and mark.when != state:
        return None
    if state == LIT and mark.kind != "shape":
        strong = "bold" if mark.kind == "text" else "strong"
        mark = mark._replace(colour="accent", style=f"{mark.style} {strong}".strip())
    elif state == PASSED and mark.kind == "text":
        mark = mark._replace(colour="muted")
    return mark._replace(text=mark.text or text, part="", when="")


def marks_as_json(marks: Sequence[Mark]) -> list[list[Any]]:
    """Marks as the browser takes them: kind, place, colour, text, style, tint, ground, part, when."""
    return [[mark.kind, [round(each, 1) for each in mark.at], *mark[2:]] for mark in marks]


def line(*points: tuple[float, float]) -> tuple[float, ...]:
    """The place of a line through these points."""
    return tuple(part for point in points for part in point)


def arrow_head(x: float, y: float, *, to_left: bool = False) -> tuple[float, ...]:
    """The place of an area: the tip of an arrow that ends here, pointing to the right or to the left."""
    back = 7.0 if to_left else -7.0
    return (x + back, y - 3.5, x, y, x + back, y + 3.5)
