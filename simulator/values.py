"""What every value inside a scenario shares, and the small values that need nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field, frozen

from simulator.validation import not_negative

part_types: dict[str, type[Part]] = {}
"""Every class that can stand in a scenario, by its name: how a stored scenario finds its classes again."""


class Part:
    """Whatever can stand inside a scenario: nodes, links, faults, latencies, policies. Subclasses are frozen values.

    A class defined again under its name (a notebook cell run twice) takes the place of the earlier one.
    """

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        part_types[cls.__name__] = cls


@frozen
class Span(Part):
    """A stretch of simulated time, in milliseconds: from ``start`` up to, not including, ``end``."""

    start: float = field(metadata=not_negative("ms"))
    end: float = field(metadata=not_negative("ms"))

    def __contains__(self, time: float) -> bool:
        return self.start <= time < self.end

    def problems(self, called: str) -> Iterator[str]:
        if self.end < self.start:
            yield f"{called}: the span ends at {self.end} ms, before it starts at {self.start} ms; swap the two."


@frozen
class Range:
    """What a number in a named scenario's annotation may be, and how its control is labelled."""

    low: float
    high: float
    step: float | None = None
    """None: any number, in about a hundred steps from low to high (whole steps for whole numbers)."""
    unit: str = ""
    label: str = ""
    """A plain label; empty: the parameter's own name in words."""
