"""Guarantees that exercises ask for beside those of `simulator.reading.checks`."""

from __future__ import annotations

from collections.abc import Sized

from simulator.reading import Verdict, measures
from simulator.reading.frames import frames
from simulator.reading.parties import consumed
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
    what = "was told that it did not work" if end is not None else "still waits for an answer when the run ends"
    evidence = (first,) if end is None else (first, end)
    return Verdict("everyone_answered", False, f"Whoever placed {message.key} {what}{_more(left)}.", evidence)


def kept(trace: Trace, reader: str) -> Verdict:
    """Nothing that was meant for a reader is lost: it took effect there, or somebody has it still."""
    lost = [each for each in measures.missing(trace, reader) if each.lost]
    if not lost:
        return Verdict("kept", True, f"Nothing that was meant for {reader} is lost.")
    worst = lost[0]
    return Verdict("kept", False, f"{worst.message.key} is lost: {worst.why}{_more(lost)}.", worst.steps)


def finished(trace: Trace, reader: str) -> Verdict:
    """Nothing that a reader of queues can still have is left: all took effect there, or lies in a queue where it is set aside."""
    aside = _set_aside(trace, reader)
    left = [each for each in measures.pending(trace, reader) if each.message.id not in aside]
    if not left:
        return Verdict("finished", True, f"Everything that was meant for {reader} is done or set aside.")
    worst = left[0]
    tries = sum(1 for _ in trace.select("started", message=worst.message.id))
    tried = f" after {tries} attempts" if tries > 1 else ""
    sentence = f"{worst.message.key} is neither done nor set aside{tried}: {worst.why}{_more(left)}."
    return Verdict("finished", False, sentence, worst.steps)


def _set_aside(trace: Trace, reader: str) -> set[int]:
    """The messages that stand in queues which this reader does not consume, when the run ends."""
    end, own = frames(trace)[-1], {f"ready {queue}" for queue in consumed(trace, reader)}
    return {
        message
        for node in trace.nodes
        for name in end[node]
        if name.startswith("ready ") and name not in own
        for message in end.messages(node, name)
    }


def told(trace: Trace, producer: str) -> Verdict:
    """A producer's every record was acknowledged, unless in the end nobody leads who could take it.

    While a partition has no leader, waiting is right: any answer would be a guess.
    """
    known = {step.message.id for step in trace.select("acknowledged", node=producer) if step.message is not None}
    left = [
        (step, step.message)
        for step in trace.select("created", node=producer)
        if step.message is not None and step.message.id not in known
    ]
    leaders = {step["partition"]: step["leader"] for step in trace.select("elected")}
    if not left or None in leaders.values():
        return Verdict("told", True, f"Whatever could be stored was stored, and {producer} was told.")
    step, message = left[0]
    sentence = f"{producer} was never told that {message.key} is stored{_more(left)}."
    *_, last = trace.select(message=message.id)
    return Verdict("told", False, sentence, (step, last))


def survives(trace: Trace, producer: str) -> Verdict:
    """What a producer was told is stored, a broker that is up has in a log when the run ends."""
    end = frames(trace)[-1]
    kept = {
        message
        for node in trace.nodes
        if end.status(node) == "up"
        for name in end[node]
        if name.startswith("log ") and name != "log start"
        for message in end.messages(node, name)
    }
    gone = [
        (step, step.message)
        for step in trace.select("acknowledged", node=producer)
        if step.message is not None and step.message.id not in kept
    ]
    if not gone:
        return Verdict("survives", True, f"Everything that {producer} was told is stored is there.")
    step, message = gone[0]
    sentence = f"{producer} was told that {message.key} is stored, and no broker that is up has it{_more(gone)}."
    return Verdict("survives", False, sentence, (step,))


def _more(found: Sized) -> str:
    return f" (and {len(found) - 1} more)" if len(found) > 1 else ""
