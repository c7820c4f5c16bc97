"""The shortest example of a promise that is not kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, find, settings
from hypothesis import strategies as st

T = TypeVar("T")


def shortest(examples: st.SearchStrategy[T], breaks: Callable[[T], bool]) -> T:
    """The simplest of these examples, in Hypothesis' order, that breaks the promise. Raises NoSuchExample if none is found."""
    return find(
        examples,
        breaks,
        settings=settings(max_examples=1_000, derandomize=True, database=None, suppress_health_check=list(HealthCheck)),
    )
