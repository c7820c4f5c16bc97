"""Rules for the fields of values: a rule is data beside the field, checked when a scenario is made.

A field carries its rule as metadata, ``partitions: int = field(default=1, metadata=at_least(1))``.
Nothing is refused while a part is built, so that a scenario can name all that is wrong with it at once.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

RULE = "rule"


@attrs.frozen
class Rule:
    """What a field may hold: ``allows`` tells, ``words`` finish the sentence "it must be …"."""

    allows: Callable[[Any], bool]
    words: str


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _rule(allows: Callable[[Any], bool], words: str) -> dict[str, Rule]:
    return {RULE: Rule(allows, words)}


def positive(unit: str = "") -> dict[str, Rule]:
    """A number above 0."""
    return _rule(lambda value: _is_number(value) and value > 0, f"a number above 0{_in(unit)}")


def not_negative(unit: str = "") -> dict[str, Rule]:
    """A number of 0 or more."""
    return _rule(lambda value: _is_number(value) and value >= 0, f"a number of 0 or more{_in(unit)}")


def number_from(least: float, unit: str = "") -> dict[str, Rule]:
    """A number from ``least`` up."""
    return _rule(lambda value: _is_number(value) and value >= least, f"a number of at least {least}{_in(unit)}")


def at_least(least: int, *, or_none: bool = False) -> dict[str, Rule]:
    """A whole number from ``least`` up (or None, where that means "no limit")."""

    def allows(value: Any) -> bool:
        if value is None:
            return or_none
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return _rule(allows, f"a whole number of at least {least}" + (", or None" if or_none else ""))


def whole_from(least: int, most: int, unit: str = "", *, or_none: bool = False) -> dict[str, Rule]:
    """A whole number from ``least`` to ``most`` (or None, where that means "as usual")."""

    def allows(value: Any) -> bool:
        if value is None:
            return or_none
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    words = f"a whole number from {least:,} to {most:,}{_in(unit)}"
    return _rule(allows, words + (", or None" if or_none else ""))


def probability() -> dict[str, Rule]:
    """A number from 0 to 1."""
    return _rule(lambda value: _is_number(value) and 0 <= value <= 1, "a probability from 0 to 1")


def one_of(*choices: object) -> dict[str, Rule]:
    """One of the named choices."""
    return _rule(lambda value: value in choices, "one of " + ", ".join(repr(choice) for choice in choices))


def optional(rule: dict[str, Rule]) -> dict[str, Rule]:
    """The same rule, but None is allowed too."""
    inner = rule[RULE]
    return _rule(lambda value: value is None or inner.allows(value), inner.words + ", or None")


def broken_rules(value: Any, called: str) -> Iterator[str]:
    """One sentence for each field of ``value`` (and of the values inside it) that breaks its rule.

    ``called`` is how the sentences name the value: ``Topic("orders")``.
    """
    for attribute in attrs.fields(type(value)):
        held = getattr(value, attribute.name)
        rule = attribute.metadata.get(RULE)
        if rule is not None and not rule.allows(held):
            yield f"{called}: {attribute.name} is {held!r}; it must be {rule.words}."
        elif attrs.has(type(held)):
            yield from broken_rules(held, f"{called}, {attribute.name}")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: a near miss, or all there is."""
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return "there are: " + ", ".join(f'"{each}"' for each in names) if names else "there are none"


def _in(unit: str) -> str:
    return f" ({unit})" if unit else ""
