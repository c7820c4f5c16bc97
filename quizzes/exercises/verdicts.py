"""Guarantees that exercises ask for beside those of `simulator.reading.checks`."""

from __future__ import annotations

from simulator.reading import Verdict
from simulator.trace import Trace


def everyone_answered(trace: Trace, client: str) -> Verdict:
    """Every customer got a good answer before the run ended."""
    answered = {step.message.id for step in trace.select("completed", node=client) if step.message is not None}
    asked = [step for step in trace.select("created", node=client) if step.message is not None]
    left = [step for step in asked if step.message is not None and step.message.id not in answered]
    if not left:
        return Verdict("everyone_answered", True, "Every customer got an answer.")
    first = left[0]
    message = first.message
    assert message is not None
    end = next(trace.select("abandoned", node=client, message=message.id), None)
    others = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
    what = "was told that it did not work" if end is not None else "still waits for an answer when the run ends"
    evidence = (first,) if end is None else (first, end)
    return Verdict("everyone_answered", False, f"Whoever placed {message.key} {what}{others}.", evidence)
