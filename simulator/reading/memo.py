"""Remembers what many readings of one trace ask for again and again, as long as the trace lives."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

from simulator.trace import Trace

_Rest = ParamSpec("_Rest")
_Answer = TypeVar("_Answer")

# By identity: a trace's own hash is that of all its steps, which takes longer than most readings.
_answers: dict[int, dict[Any, Any]] = {}


def remembered(
    reading: Callable[Concatenate[Trace, _Rest], _Answer],
) -> Callable[Concatenate[Trace, _Rest], _Answer]:
    """Let a pure function of a trace and hashable arguments be worked out once for each. Nobody may change its answer."""

    def ask(trace: Trace, *args: _Rest.args, **named: _Rest.kwargs) -> _Answer:
        known = _answers.get(id(trace))
        if known is None:
            known = _answers.setdefault(id(trace), {})
            weakref.finalize(trace, _answers.pop, id(trace), None)
        question = (reading, args, tuple(sorted(named.items())))
        if question not in known:
            known[question] = reading(trace, *args, **named)
        answer: _Answer = known[question]
        return answer

    return update_wrapper(ask, reading)  # type: ignore[return-value]
