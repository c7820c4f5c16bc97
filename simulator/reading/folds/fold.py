"""A state on its way through the steps: how a step changes it, entry by entry, and what it has to know for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from simulator.message import Message
from simulator.reading.wire import wire
from simulator.trace import STEP, Trace
from simulator.vocabulary import BY_CODE

Entry: TypeAlias = int | str
Value: TypeAlias = Any
"""A `Chip`, a number or a text."""

State: TypeAlias = dict[str, dict[str, dict[Entry, Value]]]


class Chip(NamedTuple):
    """A message somewhere, and how it stands there."""

    message: int
    state: str
    """``event`` (in a log or queue), ``back`` (in a queue again, after it was given out), ``waiting``, ``working``, ``done``,
    ``again`` (a duplicate), ``skipped``, ``refused``, or ``unknown`` (nobody answered in time). In a log, a record of a
    transaction is ``waiting`` until that ends, and ``refused`` if it is aborted; the marker that ends it is ``done`` or
    ``refused``."""


class Edit(NamedTuple):
    """One change of a state. None stands for "nothing there", before or after."""

    node: str
    field: str
    entry: Entry
    old: Value
    new: Value


class Fact(NamedTuple):
    """One step, as it is taken in."""

    step: int
    node: str
    message: int
    a: int
    b: int
    c: int
    time: float
    """Milliseconds."""


class Fold:
    """A state on its way through the steps.

    It begins with another state's fields and copies a field before it first changes it, so the other stays as it is.
    ``acts`` says what each kind of step does.
    """

    def __init__(self, trace: Trace, begin: State, acts: Mapping[str, Act]) -> None:
        self.state: State = {node: dict(fields) for node, fields in begin.items()}
        self.edits: list[Edit] = []
        self.trace = trace
        self.wire = wire(trace)
        self._acts = [acts.get(kind.name) for kind in BY_CODE]
        self._own: set[tuple[str, str]] = set()
        self._known: dict[tuple[str, str], set[int]] = {}
        self._steps, _ = trace.buffers

    def run(self, first: int, end: int) -> State:
        """The state after the steps from ``first`` up to, not including, ``end``."""
        for index in range(first, end):
            self.take(index)
            self.edits.clear()
        return self.state

    def take(self, index: int) -> None:
        """Fold in one step."""
        time, message, _, a, b, c, node, code = STEP.unpack_from(self._steps, index * STEP.size)
        act = self._acts[code]
        if act is not None:
            act(self, Fact(index, self.trace.nodes[node], message, a, b, c, time))

    def field(self, node: str, name: str) -> Mapping[Entry, Value]:
        """A field as it is now."""
        return self.state.get(node, {}).get(name, {})

    def fields(self, node: str) -> list[str]:
        """The names of a node's fields that hold something."""
        return list(self.state.get(node, {}))

    def put(self, node: str, name: str, entry: Entry, new: Value) -> None:
        """Change one entry; None takes it away."""
        held = self.field(node, name)
        old = held.get(entry)
        if old == new:
            return
        if held and (node, name) not in self._own:
            self.state[node][name] = dict(held)
        self._own.add((node, name))
        edit = Edit(node, name, entry, old, new)
        put(self.state, edit, new)
        self.edits.append(edit)

    def empty(self, node: str, name: str) -> None:
        """Take away all that a field holds."""
        for entry in list(self.field(node, name)):
            self.put(node, name, entry, None)

    def take_away(self, node: str, message: int, *names: str) -> None:
        """Take a message out of the first of these fields that holds it."""
        for name in names:
            for entry, chip in self.field(node, name).items():
                if chip.message == message:
                    self.put(node, name, entry, None)
                    return

    def stands_in(self, node: str, name: str, message: int) -> bool:
        """Whether a field holds a message already. It is taken to hold it from now on, until `forget` is told otherwise."""
        known = self._known.get((node, name))
        if known is None:
            held = self.field(node, name).values()
            known = self._known[node, name] = {chip.message for chip in held}
        if message in known:
            return True
        known.add(message)
        return False

    def forget(self, node: str, name: str) -> None:
        """Something was taken out of a field about which `stands_in` is asked."""
        self._known.pop((node, name), None)

    def value(self, number: int) -> Any:
        """One of the trace's shared values."""
        return self.trace.values[number]

    def partition(self, number: int) -> int | str:
        """A partition, by its number or its name."""
        return number if number >= 0 else str(self.trace.values[-number])

    def message(self, number: int) -> Message:
        """One of the trace's messages."""
        return self.trace.message(number)

    def node(self, number: int) -> str:
        """A node's name."""
        return self.trace.nodes[number]


Act: TypeAlias = Callable[[Fold, Fact], None]


def put(state: State, edit: Edit, value: Value) -> None:
    """Put a value where an edit points. What is empty is taken away, so that equal states are equal dicts."""
    if value is not None:
        state.setdefault(edit.node, {}).setdefault(edit.field, {})[edit.entry] = value
        return
    fields = state[edit.node]
    del fields[edit.field][edit.entry]
    if not fields[edit.field]:
        del fields[edit.field]
        if not fields:
            del state[edit.node]
