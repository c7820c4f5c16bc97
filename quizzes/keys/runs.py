"""What several key functions ask of a trace."""

from __future__ import annotations

from collections.abc import Iterable

from quizzes.questions import StepLine
from simulator import Step, Trace
from simulator.reading import sentence


def effects(trace: Trace, node: str, key: str | None = None) -> int:
    """How many times work took effect at a node, or there for one order."""
    return sum(
        key is None or (step.message is not None and step.message.key == key)
        for step in trace.select("processed", node=node)
    )


def first_time(trace: Trace, kind: str, node: str, message_kind: str | None = None) -> float:
    """When a node first has a step of this kind, in ms; `LookupError` if it never has."""
    for step in trace.select(kind, node=node):
        if message_kind is None or (step.message is not None and step.message.kind == message_kind):
            return step.time
    raise LookupError(f"{node} has no step {kind} in this run")


def in_order(times: dict[str, float]) -> tuple[str, ...]:
    """The names by their times; `ValueError` where two come at once, for then there is no one order to ask for."""
    if len(set(times.values())) < len(times):
        raise ValueError(f"these do not happen one after the other: {times}")
    return tuple(sorted(times, key=times.__getitem__))


def listed(steps: Iterable[Step]) -> tuple[StepLine, ...]:
    """Steps as a find-the-step question lists them: time and sentence."""
    return tuple(StepLine(step.index, step.kind, f"{step.time:,.1f} ms: {sentence(step)}") for step in steps)


def answered(trace: Trace, client: str) -> set[int]:
    """The requests of a client that got their good answer, by message id."""
    return {step.message.id for step in trace.select("completed", node=client) if step.message is not None}
