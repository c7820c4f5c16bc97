"""The state at every step, folded from the trace: what each node holds, and what is under way between them.

This is the one place that knows what each kind of step does to what can be seen. A state is plain data of three
levels, node → field → entry → value, and a step is a list of edits to it; whoever has the edits can go forwards
and, by putting the old values back, backwards, without knowing what they mean.

The fields of a node, each present only while it holds something:

==================  =================================================================  ===================
field               entry → value                                                      lost in a crash
==================  =================================================================  ===================
``status``          ``""`` → ``"down"`` or ``"paused"``
``waiting``         message → `Chip`: made or sent by this client, not yet answered    yes
``acknowledged``    step → `Chip`: records known to be stored                          no (it was said)
``answered``        step → `Chip`: requests with a good answer                         no
``abandoned``       step → `Chip`: given up for good                                   no
``log 0``, …        offset → `Chip`: a partition's records, in order                   no
``committed 0``, …  group → the next offset to read                                    no
``next``            partition → the next offset that this consumer will ask for        yes
``fetched``         step → `Chip`: in hand, not yet begun                              yes
``available``       number → `Chip`: in a queue, to be had; oldest first               no
``delayed``         number → `Chip`: in a queue, not yet to be had                     no
``in flight``       number → `Chip`: in a queue, handed out and hidden                 no
``ready Q``, …      place → `Chip`: in a broker's queue, to be delivered in this order     no
``unacked Q``, …    place → `Chip`: delivered, not yet acknowledged                    no
``holder Q``, …     place → the consumer that has it, unacknowledged                   no
``consumers Q``, …  consumer → its prefetch                                            yes
``queue``           step → `Chip`: waiting for a worker                                yes
``working``         worker → `Chip`                                                    yes
``done``            step → `Chip`: processed, processed again, or skipped              no
``refused``         step → `Chip`: turned away here                                    no
``breaker``         other node → ``"open"`` or ``"half-open"``                         yes
==================  =================================================================  ===================

Entries that are steps tell when something came, so a field read in the order of its entries is in order of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, overload

from attrs import field, frozen

from simulator.message import Message
from simulator.reading.flights import Flight, flights
from simulator.trace import STEP, Trace
from simulator.vocabulary import BY_CODE

Entry: TypeAlias = int | str
Value: TypeAlias = Any
"""A `Chip`, a number or a text."""

State: TypeAlias = dict[str, dict[str, dict[Entry, Value]]]

CHECKPOINT = 64
"""A state is kept at every so manieth step, so that any other one is at most this many steps away …"""

CHECKPOINTS_UP_TO = 20_000
"""… up to this step: nobody looks at longer traces step by step, and their states would fill the memory."""

_MEMORY = frozenset(("waiting", "next", "fetched", "queue", "working", "breaker", "consumers", "status"))
"""The fields that a crash empties; of ``consumers Q`` the first word counts."""

_QUEUE = ("available", "delayed", "in flight")
"""The places of a message in a queue whose messages hide; it is in one of them at a time."""


class Chip(NamedTuple):
    """A message somewhere, and how it stands there."""

    message: int
    state: str
    """``event`` (in a log or queue), ``back`` (in a queue again, after it was given out), ``waiting``, ``working``, ``done``,
    ``again`` (a duplicate), ``skipped``, ``refused``, or ``unknown`` (nobody answered in time)."""


class Edit(NamedTuple):
    """One change of a state. None stands for "nothing there", before or after."""

    node: str
    field: str
    entry: Entry
    old: Value
    new: Value


@frozen
class Frame:
    """The state after one step: a value, and readable by name: ``frame["billing"]["done"]``."""

    index: int
    """The step; -1 before the first."""
    time: float
    """The step's time in milliseconds."""
    state: Mapping[str, Mapping[str, Mapping[Entry, Value]]]
    in_flight: tuple[Flight, ...] = field(repr=False)

    def __getitem__(self, node: str) -> Mapping[str, Mapping[Entry, Value]]:
        """A node's fields; empty for a node that holds nothing."""
        return self.state.get(node, MappingProxyType({}))

    def status(self, node: str) -> str:
        """``"up"``, ``"down"`` or ``"paused"``."""
        return str(self[node].get("status", {}).get("", "up"))

    def log(self, topic: str, partition: int = 0) -> tuple[int, ...]:
        """The ids of the records in a partition, by offset."""
        return self.messages(topic, f"log {partition}")

    def committed(self, topic: str, group: str) -> dict[int, int]:
        """A group's next offset to read, by partition; without the partitions for which it has committed nothing."""
        found = {}
        for name, held in self[topic].items():
            if name.startswith("committed ") and group in held:
                found[int(name.removeprefix("committed "))] = int(held[group])
        return found

    def messages(self, node: str, name: str) -> tuple[int, ...]:
        """The ids of the messages in a field, in its order: ``frame.messages("payment", "queue")``."""
        held = self[node].get(name, {})
        return tuple(held[entry].message for entry in sorted(held, key=in_order))

    def processed(self, node: str) -> dict[int, int]:
        """How often this node processed each message."""
        counts: dict[int, int] = {}
        for chip in self[node].get("done", {}).values():
            if chip.state != "skipped":
                counts[chip.message] = counts.get(chip.message, 0) + 1
        return counts


class Frames(Sequence[Frame]):
    """The frames of a trace, one after each step, each folded when it is asked for. ``start`` comes before them all."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.flights = flights(trace)
        self._checkpoints: list[State] = [{}]

    @property
    def start(self) -> Frame:
        """Before anything has happened."""
        return self._frame(-1)

    def __len__(self) -> int:
        return len(self.trace)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        if isinstance(index, slice):
            return [self._frame(each) for each in range(*index.indices(len(self)))]
        return self._frame(self.trace[index].index)

    def edits(self, first: int = 0, last: int | None = None) -> Iterator[tuple[Edit, ...]]:
        """What each step changes, from the step ``first`` to the step ``last`` (inclusive; None: the last one)."""
        fold = _Fold(self.trace, self._state_before(first))
        for index in range(first, len(self) if last is None else last + 1):
            fold.take(index)
            yield tuple(fold.edits)
            fold.edits.clear()

    def _frame(self, index: int) -> Frame:
        time = self.trace[index].time if index >= 0 else 0.0
        under_way = tuple(each for each in self.flights if each.sent <= index and (each.end is None or index < each.end))
        return Frame(index, time, _read_only(self._state_before(index + 1)), under_way)

    def _state_before(self, index: int) -> State:
        """The state before the step ``index``. Its fields may be shared with other states: see `_Fold`."""
        wanted = min(index, CHECKPOINTS_UP_TO) // CHECKPOINT
        while len(self._checkpoints) <= wanted:
            at = (len(self._checkpoints) - 1) * CHECKPOINT
            self._checkpoints.append(_Fold(self.trace, self._checkpoints[-1]).run(at, at + CHECKPOINT))
        return _Fold(self.trace, self._checkpoints[wanted]).run(wanted * CHECKPOINT, index)


def frames(trace: Trace) -> Frames:
    """The state at every step of a trace: ``frames(trace)[40]["billing"]["done"]``."""
    return Frames(trace)


def apply(state: State, edits: Iterable[Edit], *, backwards: bool = False) -> None:
    """Change a state by edits; backwards, take them back. What a replay does in the browser, in Python."""
    for edit in reversed(list(edits)) if backwards else edits:
        _put(state, edit, edit.old if backwards else edit.new)


def in_order(entry: Entry) -> tuple[int, Entry]:
    """Sorts the entries of a field: numbers, then texts."""
    return (0, entry) if isinstance(entry, int) else (1, entry)


def _read_only(state: State) -> Mapping[str, Mapping[str, Mapping[Entry, Value]]]:
    return MappingProxyType(
        {
            node: MappingProxyType({name: MappingProxyType(held) for name, held in fields.items()})
            for node, fields in state.items()
        }
    )


def _put(state: State, edit: Edit, value: Value) -> None:
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


class _Fold:
    """A state on its way through the steps.

    It begins with another state's fields and copies a field before it first changes it, so the other stays as it is.
    """

    def __init__(self, trace: Trace, begin: State) -> None:
        self.state: State = {node: dict(fields) for node, fields in begin.items()}
        self.edits: list[Edit] = []
        self._own: set[tuple[str, str]] = set()
        self._known: dict[tuple[str, str], set[int]] = {}
        self._trace = trace
        self._steps, _ = trace.buffers

    def run(self, first: int, end: int) -> State:
        """The state after the steps from ``first`` up to, not including, ``end``."""
        for index in range(first, end):
            self.take(index)
            self.edits.clear()
        return self.state

    def take(self, index: int) -> None:
        """Fold in one step."""
        _, message, _, a, b, c, node, code = STEP.unpack_from(self._steps, index * STEP.size)
        act = _ACTS.get(BY_CODE[code].name)
        if act is not None:
            act(self, _Fact(index, self._trace.nodes[node], message, a, b, c))

    def field(self, node: str, name: str) -> Mapping[Entry, Value]:
        """A field as it is now."""
        return self.state.get(node, {}).get(name, {})

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
        _put(self.state, edit, new)
        self.edits.append(edit)

    def take_away(self, node: str, message: int, *names: str) -> None:
        """Take a message out of the first of these fields that holds it."""
        for name in names:
            for entry, chip in self.field(node, name).items():
                if chip.message == message:
                    self.put(node, name, entry, None)
                    return

    def stands_in(self, node: str, name: str, message: int) -> bool:
        """Whether a field that only grows holds a message already. It is taken to hold it from now on."""
        known = self._known.get((node, name))
        if known is None:
            held = self.field(node, name).values()
            known = self._known[node, name] = {chip.message for chip in held}
        if message in known:
            return True
        known.add(message)
        return False

    def value(self, number: int) -> Any:
        """One of the trace's shared values."""
        return self._trace.values[number]

    def message(self, number: int) -> Message:
        """One of the trace's messages."""
        return self._trace.message(number)

    def node(self, number: int) -> str:
        """A node's name."""
        return self._trace.nodes[number]


class _Fact(NamedTuple):
    """One step, as the functions below take it in."""

    step: int
    node: str
    message: int
    a: int
    b: int
    c: int


_Act: TypeAlias = Callable[[_Fold, _Fact], None]


def _created(fold: _Fold, fact: _Fact) -> None:
    # A record whose producer wants no acknowledgement is forgotten as soon as it is sent.
    if ("acks", "0") not in fold.message(fact.message).headers:
        fold.put(fact.node, "waiting", fact.message, Chip(fact.message, "waiting"))


def _stands(state: str) -> _Act:
    """The client goes on waiting, and knows something new about it."""

    def act(fold: _Fold, fact: _Fact) -> None:
        if fact.message in fold.field(fact.node, "waiting"):
            fold.put(fact.node, "waiting", fact.message, Chip(fact.message, state))

    return act


def _settled(name: str, state: str) -> _Act:
    """The client's wait is over."""

    def act(fold: _Fold, fact: _Fact) -> None:
        fold.put(fact.node, "waiting", fact.message, None)
        fold.put(fact.node, name, fact.step, Chip(fact.message, state))

    return act


def _queued(fold: _Fold, fact: _Fact) -> None:
    fold.put(fact.node, "queue", fact.step, Chip(fact.message, "waiting"))


def _started(fold: _Fold, fact: _Fact) -> None:
    fold.take_away(fact.node, fact.message, "queue", "fetched")
    fold.put(fact.node, "working", fact.a, Chip(fact.message, "working"))


def _processed(fold: _Fold, fact: _Fact) -> None:
    fold.take_away(fact.node, fact.message, "working", "fetched", "queue")
    fold.put(fact.node, "done", fact.step, Chip(fact.message, "done" if fact.a <= 1 else "again"))


def _skipped(fold: _Fold, fact: _Fact) -> None:
    fold.take_away(fact.node, fact.message, "working", "fetched", "queue")
    fold.put(fact.node, "done", fact.step, Chip(fact.message, "skipped"))


def _rejected(fold: _Fold, fact: _Fact) -> None:
    fold.take_away(fact.node, fact.message, "working")
    fold.put(fact.node, "refused", fact.step, Chip(fact.message, "refused"))


def _appended(fold: _Fold, fact: _Fact) -> None:
    name = f"log {fact.a}"
    state = "again" if fold.stands_in(fact.node, name, fact.message) else "event"
    fold.put(fact.node, name, fact.b, Chip(fact.message, state))


def _assigned(fold: _Fold, fact: _Fact) -> None:
    fold.put(fact.node, "next", fact.a, fact.b)


def _fetched(fold: _Fold, fact: _Fact) -> None:
    fold.put(fact.node, "next", fact.a, fact.b + 1)
    fold.put(fact.node, "fetched", fact.step, Chip(fact.message, "waiting"))


def _committed(fold: _Fold, fact: _Fact) -> None:
    fold.put(fact.node, f"committed {fact.a}", fold.value(fact.c), fact.b)


def _enqueued(fold: _Fold, fact: _Fact) -> None:
    twice = any(chip.message == fact.message for name in _QUEUE for chip in fold.field(fact.node, name).values())
    state = "again" if twice else "event"
    fold.put(fact.node, "delayed" if fact.b else "available", fact.a, Chip(fact.message, state))


def _moves(to: str | None) -> _Act:
    """A stored message changes its place in its queue, or leaves it."""

    def act(fold: _Fold, fact: _Fact) -> None:
        for name in _QUEUE:
            if name != to and fact.a in fold.field(fact.node, name):
                fold.put(fact.node, name, fact.a, None)
        if to is not None:
            fold.put(fact.node, to, fact.a, Chip(fact.message, "working" if to == "in flight" else "event"))

    return act


def _readied(fold: _Fold, fact: _Fact) -> None:
    queue = fold.value(fact.a)
    held = (*fold.field(fact.node, f"ready {queue}").values(), *fold.field(fact.node, f"unacked {queue}").values())
    state = "again" if any(chip.message == fact.message for chip in held) else "event"
    fold.put(fact.node, f"ready {queue}", fact.b, Chip(fact.message, state))


def _dispatched(fold: _Fold, fact: _Fact) -> None:
    queue = fold.value(fact.a)
    fold.put(fact.node, f"ready {queue}", fact.b, None)
    fold.put(fact.node, f"unacked {queue}", fact.b, Chip(fact.message, "working"))
    fold.put(fact.node, f"holder {queue}", fact.b, fold.node(fact.c))


def _requeued(fold: _Fold, fact: _Fact) -> None:
    queue = fold.value(fact.a)
    fold.put(fact.node, f"unacked {queue}", fact.c, None)
    fold.put(fact.node, f"holder {queue}", fact.c, None)
    fold.put(fact.node, f"ready {queue}", fact.b, Chip(fact.message, "back"))


def _left(fold: _Fold, fact: _Fact) -> None:
    for name in ("ready", "unacked", "holder"):
        fold.put(fact.node, f"{name} {fold.value(fact.a)}", fact.b, None)


def _subscribed(fold: _Fold, fact: _Fact) -> None:
    fold.put(fact.node, f"consumers {fold.value(fact.a)}", fold.node(fact.b), fact.c)


def _unsubscribed(fold: _Fold, fact: _Fact) -> None:
    fold.put(fact.node, f"consumers {fold.value(fact.a)}", fold.node(fact.b), None)


def _ignored(fold: _Fold, fact: _Fact) -> None:
    # What waits at a consumer whose connection is gone will come again.
    fold.take_away(fact.node, fact.message, "queue")


def _crashed(fold: _Fold, fact: _Fact) -> None:
    for name in [each for each in fold.state.get(fact.node, ()) if each.split(" ")[0] in _MEMORY]:
        for entry in list(fold.field(fact.node, name)):
            fold.put(fact.node, name, entry, None)
    fold.put(fact.node, "status", "", "down")


def _status(status: str | None) -> _Act:
    return lambda fold, fact: fold.put(fact.node, "status", "", status)


def _breaker(state: str | None) -> _Act:
    return lambda fold, fact: fold.put(fact.node, "breaker", fold.node(fact.a), state)


_ACTS: dict[str, _Act] = {
    "created": _created,
    "sent": _stands("waiting"),
    "timed_out": _stands("unknown"),
    "failed": _stands("refused"),
    "acknowledged": _settled("acknowledged", "done"),
    "completed": _settled("answered", "done"),
    "abandoned": _settled("abandoned", "refused"),
    "queued": _queued,
    "started": _started,
    "processed": _processed,
    "skipped": _skipped,
    "rejected": _rejected,
    "appended": _appended,
    "assigned": _assigned,
    "fetched": _fetched,
    "committed": _committed,
    "enqueued": _enqueued,
    "received": _moves("in flight"),
    "reappeared": _moves("available"),
    "deleted": _moves(None),
    "expired": _moves(None),
    "dead_lettered": _moves(None),
    "redriven": _moves(None),
    "readied": _readied,
    "dispatched": _dispatched,
    "requeued": _requeued,
    "settled": _left,
    "subscribed": _subscribed,
    "unsubscribed": _unsubscribed,
    "ignored": _ignored,
    "crashed": _crashed,
    "restarted": _status(None),
    "paused": _status("paused"),
    "resumed": _status(None),
    "opened": _breaker("open"),
    "half_opened": _breaker("half-open"),
    "closed": _breaker(None),
}
"""What each kind of step does to the state; a kind that is not here changes nothing that is kept."""
