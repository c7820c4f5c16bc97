"""A named scenario's parameters as controls in the browser, their values as JSON, and the code that makes the same run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from simulator.parameters import NamedScenario, Parameter
from simulator.scenario import Scenario
from simulator.validation import did_you_mean
from simulator.values import Span

IN_SIGHT = 4
"""How many controls are shown at once; the rest is folded away."""

_SPAN_STEP = 100.0
_USUAL_SPAN = (1_000.0, 2_000.0)


class Controls:
    """The controls of a named scenario: what the browser draws, and what its values mean.

    ``leave_out`` names parameters that get no control, because something else decides on them.
    """

    def __init__(self, scenario: NamedScenario, parameters: Sequence[Parameter], leave_out: Sequence[str] = ()) -> None:
        self.scenario = scenario
        self.parameters = {each.name: each for each in parameters}
        self.shown = [each for each in parameters if each.name not in leave_out]

    @property
    def specs(self) -> list[dict[str, Any]]:
        """What the browser needs to draw them."""
        return [_spec(each, folded=place >= IN_SIGHT) for place, each in enumerate(self.shown)]

    def checked(self, given: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All parameters' values: the given ones, then those from before, then the defaults.

        Raises ValueError for an unknown name, or a value that its parameter can't take.
        """
        for name in given:
            if name not in self.parameters:
                raise ValueError(
                    f'{self.scenario.__name__} has no parameter "{name}"; {did_you_mean(name, self.parameters)}'
                )
        chosen = {**{name: each.default for name, each in self.parameters.items()}, **(before or {}), **given}
        return {name: each.checked(_as_span(each, chosen[name])) for name, each in self.parameters.items()}

    def make(self, values: Mapping[str, Any]) -> Scenario:
        """The scenario with these values."""
        return self.scenario(**values)

    def code(self, values: Mapping[str, Any], seed: int) -> str:
        """The line of Python that makes the same run; what is at its default is left out."""
        return f"run({self.scenario.__name__}({', '.join(self.told(values))}), seed={seed})"

    def told(self, values: Mapping[str, Any]) -> list[str]:
        """The values that are not the defaults, as arguments in code."""
        return [f"{name}={literal(value)}" for name, value in values.items() if value != self.parameters[name].default]

    @staticmethod
    def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as the browser takes them: a span as a pair."""
        return {name: [value.start, value.end] if isinstance(value, Span) else value for name, value in values.items()}


def _as_span(parameter: Parameter, value: Any) -> Any:
    """A pair is a span, as the browser and impatient people write it."""
    if parameter.kind == "span" and isinstance(value, list | tuple) and len(value) == 2:
        start, end = (float(each) for each in value)
        if end < start:
            raise ValueError(f"{parameter.label}: the span ends at {end:g} ms, before it starts at {start:g} ms.")
        return Span(start, end)
    return value


def literal(value: Any) -> str:
    """A value as a person would write it in code."""
    if isinstance(value, Span):
        return f"Span({literal(value.start)}, {literal(value.end)})"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{value:_}" if isinstance(value, int) and not isinstance(value, bool) else repr(value)


def _spec(parameter: Parameter, *, folded: bool) -> dict[str, Any]:
    low, high = (parameter.range.low, parameter.range.high) if parameter.range else (None, None)
    spec: dict[str, Any] = {
        "name": parameter.name,
        "kind": parameter.kind,
        "label": parameter.label,
        "unit": parameter.unit,
        "low": low,
        "high": high,
        "step": _step(parameter),
        "optional": parameter.optional,
        "folded": folded,
        "choices": list(parameter.choices),
    }
    if parameter.optional:
        spec["usual"] = _usual(parameter)
    return spec


def _usual(parameter: Parameter) -> Any:
    """What an optional parameter becomes when a person switches it on."""
    if parameter.default is not None:
        usual = parameter.default
        return [usual.start, usual.end] if isinstance(usual, Span) else usual
    if parameter.kind == "span":
        if parameter.range is None:
            return list(_USUAL_SPAN)
        quarter = (parameter.range.high - parameter.range.low) / 4
        return [round(parameter.range.low + quarter), round(parameter.range.low + 2 * quarter)]
    if parameter.kind in {"whole", "number"}:
        return parameter.range.low if parameter.range else 1
    return {"flag": True, "text": "", "choice": parameter.choices[:1]}.get(parameter.kind)


def _step(parameter: Parameter) -> float | None:
    """How far one press of an arrow key goes: about a hundredth of the range, so that low and default are both reached."""
    if parameter.range is None:
        return _SPAN_STEP if parameter.kind == "span" else 1 if parameter.kind == "whole" else None
    if parameter.range.step is not None:
        return parameter.range.step
    width = parameter.range.high - parameter.range.low
    if width <= 0:
        return 1
    if parameter.kind == "span":
        return _nice(width / 40)
    anchor = parameter.default if isinstance(parameter.default, int | float) else parameter.range.low
    step = _nice(width / 100)
    while step > width / 10_000 and not _fits(step, anchor - parameter.range.low, parameter.range.low):
        step = _nice(step * 0.9)
    return max(1, round(step)) if parameter.kind == "whole" else step


def _fits(step: float, *lengths: float) -> bool:
    return all(abs(length / step - round(length / step)) < 1e-9 for length in lengths)


def _nice(width: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50 … (and their fractions) that is not larger."""
    power = math.floor(math.log10(width) + 1e-9)
    return next(float(f"{digit}e{power}") for digit in (5, 2, 1) if float(f"{digit}e{power}") <= width * (1 + 1e-9))
