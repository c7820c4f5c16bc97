"""Two runs beside each other: where they part, and what came of it."""

from __future__ import annotations

from attrs import frozen

from simulator.reading.outcomes import Table, outcome, tabulate
from simulator.reading.sentences import sentence
from simulator.trace import Step, Trace
from simulator.vocabulary import BY_CODE, PARTITION, VALUE


@frozen(repr=False)
class Divergence:
    """The first step that is not the same in two runs."""

    index: int
    left: Step | None
    """None: this run has no more steps."""
    right: Step | None

    def __repr__(self) -> str:
        told = [
            f"{each.time:,.1f} ms: {sentence(each)}" if each else "nothing more happened" for each in (self.left, self.right)
        ]
        return f"The runs part at step {self.index}.\n  this run: {told[0]}\n  that run: {told[1]}"


@frozen(repr=False)
class Comparison:
    """Two runs compared."""

    divergence: Divergence | None
    """None: the runs are the same, step by step."""
    table: Table

    def __repr__(self) -> str:
        parted = repr(self.divergence) if self.divergence else "The runs are the same, step by step."
        return f"{self.table!r}\n\n{parted}"


def compare(
    this: Trace, that: Trace, *, names: tuple[str, str] = ("this run", "that run"), each: bool = False
) -> Comparison:
    """Compare two runs: their standard outcomes (`outcome`), and the first step at which they part."""
    return Comparison(divergence(this, that), tabulate(outcome(this, each=each), outcome(that, each=each), names))


def divergence(this: Trace, that: Trace) -> Divergence | None:
    """The first step of two runs that differs in anything: time, kind, node, message, cause or data. None if none does.

    What only the packed form differs in (a node's number, a shared value's number) is no difference.
    """
    same_until = _same_values(this, that)
    fragile = [any(reading in (VALUE, PARTITION) for _, reading in kind.fields) for kind in BY_CODE]
    trusted = 0 if this.nodes != that.nodes else _same_messages(this, that, same_until) + 1
    for left, right in zip(this.rows(), that.rows(), strict=False):
        index = left[0]
        # Equal numbers mean equal steps as long as they point at equal things.
        sure = left == right and left[4] < trusted and not (fragile[left[2]] and max(map(abs, left[6:])) >= same_until)
        if not sure and this[index] != that[index]:
            return Divergence(index, this[index], that[index])
    if len(this) == len(that):
        return None
    index = min(len(this), len(that))
    return Divergence(index, this[index] if index < len(this) else None, that[index] if index < len(that) else None)


def _same_values(this: Trace, that: Trace) -> int:
    """How many shared values, from the first on, are the same in both."""
    same = 0
    for left, right in zip(this.values, that.values, strict=False):
        if type(left) is not type(right) or left != right:
            break
        same += 1
    return same


def _same_messages(this: Trace, that: Trace, same_until: int) -> int:
    """How many messages, from the first on, are the same in both."""
    same = 0
    for number, (left, right) in enumerate(zip(this.message_rows(), that.message_rows(), strict=False), start=1):
        sure = left == right and left[0] < same_until and left[1] < same_until
        if not sure or this.message(number) != that.message(number):
            break
        same = number
    return same
