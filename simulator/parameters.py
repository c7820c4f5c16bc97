"""A named scenario's parameters: read from its annotations, for controls, command line and quizzes.

A named scenario is a function of annotated parameters, each with a default, that returns a Scenario::

    def checkout(
        style: Literal["request-response", "event-driven"] = "event-driven",
        orders_per_second: Annotated[float, Range(1, 200, unit="orders/s")] = 20,
        email_outage: Annotated[Span | None, "when the email service is down"] = None,
    ) -> Scenario: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from attrs import frozen

from simulator.scenario import Scenario
from simulator.validation import did_you_mean
from simulator.values import Range, Span

NamedScenario = Callable[..., Scenario]

Kind = Literal["whole", "number", "flag", "choice", "span", "text"]


@frozen
class Parameter:
    """One parameter of a named scenario."""

    name: str
    kind: Kind
    default: Any
    label: str
    """In words, for a person: "Orders per second"."""
    unit: str = ""
    range: Range | None = None
    """For numbers and spans, where given."""
    choices: tuple[Any, ...] = ()
    """For a choice: what it may be, in order."""
    optional: bool = False
    """Whether None is allowed too."""

    def checked(self, value: Any) -> Any:
        """The value, as an int where a whole number is meant. Raises ValueError when it can't be this one's."""
        if value is None and self.optional:
            return None
        if self.kind in {"whole", "number"}:
            return self._checked_number(value)
        fits = {
            "flag": isinstance(value, bool),
            "choice": value in self.choices,
            "span": isinstance(value, Span),
            "text": isinstance(value, str),
        }[self.kind]
        if not fits:
            raise ValueError(f"{self.name} is {value!r}; it must be {self.expected}.")
        return value

    def read(self, text: str) -> Any:
        """The value that a person wrote: ``20``, ``yes``, ``event-driven``, ``4000..8000``, ``none``.

        Raises ValueError, in one sentence that says what would be right.
        """
        said = text.strip()
        if self.optional and said.lower() == "none":
            return None
        try:
            return self.checked(self._parsed(said))
        except (KeyError, TypeError):
            raise ValueError(f"{self.name} is {text!r}; it must be {self.expected}.") from None

    @property
    def expected(self) -> str:
        """What it may be, as the end of a sentence: "a number from 1 to 200 orders/s"."""
        unit = f" {self.unit}" if self.unit else ""
        match self.kind:
            case "whole" | "number":
                what = "a whole number" if self.kind == "whole" else "a number"
                limits = f" from {self.range.low:g} to {self.range.high:g}" if self.range else ""
                words = what + limits + unit
            case "flag":
                words = "yes or no"
            case "choice":
                words = "one of " + ", ".join(str(choice) for choice in self.choices)
            case "span":
                words = "a span of simulated milliseconds like 4000..8000"
            case "text":
                words = "a text"
        return words + (", or none" if self.optional else "")

    def _checked_number(self, value: Any) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and self.kind == "whole" and float(value).is_integer():
            value = int(value)
        wrong = not number or (self.kind == "whole" and not isinstance(value, int))
        if wrong or (self.range is not None and not self.range.low <= value <= self.range.high):
            raise ValueError(f"{self.name} is {value!r}; it must be {self.expected}.")
        return value

    def _parsed(self, said: str) -> Any:
        match self.kind:
            case "whole" | "number":
                try:
                    return int(said) if self.kind == "whole" else float(said)
                except ValueError:
                    raise TypeError from None
            case "flag":
                words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
                return words[said.lower()]
            case "choice":
                return {str(choice): choice for choice in self.choices}[said]
            case "span":
                start, separator, end = said.partition("..")
                if not separator:
                    raise TypeError
                try:
                    return Span(float(start), float(end))
                except ValueError:
                    raise TypeError from None
            case "text":
                return said


def parameters(scenario: NamedScenario) -> tuple[Parameter, ...]:
    """What a named scenario may be given, in its own order.

    Raises TypeError, naming function and parameter, when one has no default or no annotation that a control
    can be made from.
    """
    hints = get_type_hints(scenario, include_extras=True)
    return tuple(
        _parameter(scenario, parameter, hints.get(parameter.name, inspect.Parameter.empty))
        for parameter in inspect.signature(scenario).parameters.values()
    )


def make(scenario: NamedScenario, settings: Mapping[str, Any] | None = None) -> Scenario:
    """The scenario with these settings and its defaults for the rest; texts are read as a person wrote them.

    Raises ValueError for a setting it doesn't have or can't take.
    """
    known = {parameter.name: parameter for parameter in parameters(scenario)}
    given = {}
    for name, value in (settings or {}).items():
        if name not in known:
            raise ValueError(f'{scenario.__name__} has no parameter "{name}"; {did_you_mean(name, known)}')
        given[name] = known[name].read(value) if isinstance(value, str) else known[name].checked(value)
    return scenario(**given)


def summary(scenario: NamedScenario) -> str:
    """The first line of what a named scenario says of itself."""
    return (inspect.getdoc(scenario) or "").partition("\n")[0]


def _parameter(scenario: NamedScenario, parameter: inspect.Parameter, hint: Any) -> Parameter:
    where = f"{scenario.__name__}({parameter.name})"
    if parameter.default is inspect.Parameter.empty:
        raise TypeError(f"{where} has no default; a named scenario runs without being told anything.")
    range_, words = None, ""
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        range_ = next((extra for extra in extras if isinstance(extra, Range)), None)
        words = next((extra for extra in extras if isinstance(extra, str)), "")
    optional = get_origin(hint) in {Union, UnionType} and NoneType in get_args(hint)
    if optional:
        (hint,) = (each for each in get_args(hint) if each is not NoneType)
    kinds: dict[Any, Kind] = {int: "whole", float: "number", bool: "flag", Span: "span", str: "text"}
    kind: Kind | None = "choice" if get_origin(hint) is Literal else kinds.get(hint)
    if kind is None:
        raise TypeError(
            f"{where} is annotated {hint!r}; use int, float, bool, str, Literal[…] or Span, alone or in Annotated."
        )
    label = (range_.label if range_ else "") or words or parameter.name.replace("_", " ")
    return Parameter(
        parameter.name,
        kind,
        parameter.default,
        label=label[:1].upper() + label[1:],
        unit=(range_.unit if range_ else "") or ("ms" if kind == "span" else ""),
        range=range_,
        choices=get_args(hint) if kind == "choice" else (),
        optional=optional,
    )
