"""The state at every step, folded from the trace: what each node holds, and what is under way between them.

What each kind of step does to what can be seen is known in `simulator.reading.folds` alone. A state is plain data of three
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
``visible at``      number → when a delayed message or one in flight can be had, in ms  no
``receives``        number → how often it was handed out, once it was                  no
``group``           number → its message group, in a FIFO queue                        no
``blocked``         message group → how many of it are in flight: no more of it is
                    handed out until there are none                                    no
``ready Q``, …      place → `Chip`: in a broker's queue, to be delivered in this order     no
``unacked Q``, …    place → `Chip`: delivered, not yet acknowledged                    no
``holder Q``, …     place → the consumer that has it, unacknowledged                   no
``consumers Q``, …  consumer → its prefetch                                            yes
``queues``          queue → ``"declared"`` by a client, or ``"gone"``                  no
``bindings``        binding that a client made, in words → where it leads              no
``queue``           step → `Chip`: waiting for a worker                                yes
``working``         worker → `Chip`                                                    yes
``done``            step → `Chip`: processed, processed again, or skipped              no
``refused``         step → `Chip`: turned away here                                    no
``breaker``         other node → ``"open"`` or ``"half-open"``                         yes
==================  =================================================================  ===================

In a Kafka cluster a partition P goes by its name (``orders-0``), and there are besides:

==================  =================================================================  ===================
field               entry → value                                                      lost in a crash
==================  =================================================================  ===================
at a broker
``log P``, …        offset → `Chip`: its replica's records and markers. Gaps are
                    what compaction took out                                           no
``log start``       partition → the first offset that is still kept, once it is
                    not 0                                                              no
``high watermark``  partition → all before this offset is committed, as far as
                    this replica knows                                                 no
``leader``          partition → the broker that it takes for the leader (itself, if
                    it leads), or ``"nobody"``                                         yes
``epoch``           partition → the leader epoch that it is in                         yes
at a coordinator
``committed P``, …  group → the next offset to read                                    yes, and read again
``pledged P``, …    group → the next offset to read if the transaction commits         yes, and read again
``group G``, …      ``"generation"`` → its number, ``"state"`` → Kafka's name for it   yes, and read again
``members G``, …    member id → the consumer                                           yes, and read again
``producers``       transactional id → its producer's id and epoch, in words           yes, and read again
``transactions``    transactional id → Kafka's name of its state, while it is open
                    or ends                                                            yes, and read again
at the controller
``leader``          partition → the leader, or ``"nobody"``                            (it does not crash)
``epoch``           partition → the leader epoch
``in sync``         partition → the brokers in sync, with spaces between
``fenced``          broker → why it is taken for gone
at a consumer
``next``            partition → the next offset, or the name of its
                    ``auto_offset_reset`` until that is looked up                      yes
``generation``      group → the generation that it is a member in                      yes
==================  =================================================================  ===================

What a coordinator loses stands in the log that it leads, so it (or its successor) reads it again; who leads that log no longer
forgets it. A node that ended in good order is ``"down"``, too, and its memory is as empty.

Entries that are steps tell when something came, so a field read in the order of its entries is in order of time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import overload

from attrs import field, frozen

from simulator.reading.flights import Flight, flights
from simulator.reading.folds import ACTS
from simulator.reading.folds.fold import Chip, Edit, Entry, Fold, State, Value, put
from simulator.trace import Trace

__all__ = ["Chip", "Edit", "Entry", "Frame", "Frames", "State", "Value", "apply", "frames"]

CHECKPOINT = 64
"""A state is kept at every so manieth step, so that any other one is at most this many steps away …"""

CHECKPOINTS_UP_TO = 20_000
"""… up to this step: nobody looks at longer traces step by step, and their states would fill the memory."""


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

    def log(self, node: str, partition: int | str = 0) -> tuple[int, ...]:
        """The ids of the records in a topic's partition, or in a broker's replica of one (``"orders-0"``), by offset."""
        return self.messages(node, f"log {partition}")

    def committed(self, node: str, group: str) -> dict[int | str, int]:
        """A group's next offset to read, by partition, as a topic or a cluster's coordinator knows it; without the partitions for
        which it has committed nothing."""
        found: dict[int | str, int] = {}
        for name, held in self[node].items():
            if name.startswith("committed ") and group in held:
                partition = name.removeprefix("committed ")
                found[int(partition) if partition.isdigit() else partition] = int(held[group])
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
        fold = self._fold(self._state_before(first))
        for index in range(first, len(self) if last is None else last + 1):
            fold.take(index)
            yield tuple(fold.edits)
            fold.edits.clear()

    def _fold(self, begin: State) -> Fold:
        return Fold(self.trace, begin, ACTS)

    def _frame(self, index: int) -> Frame:
        time = self.trace[index].time if index >= 0 else 0.0
        under_way = tuple(each for each in self.flights if each.sent <= index and (each.end is None or index < each.end))
        return Frame(index, time, _read_only(self._state_before(index + 1)), under_way)

    def _state_before(self, index: int) -> State:
        """The state before the step ``index``. Its fields may be shared with other states: see `Fold`."""
        wanted = min(index, CHECKPOINTS_UP_TO) // CHECKPOINT
        while len(self._checkpoints) <= wanted:
            at = (len(self._checkpoints) - 1) * CHECKPOINT
            self._checkpoints.append(self._fold(self._checkpoints[-1]).run(at, at + CHECKPOINT))
        return self._fold(self._checkpoints[wanted]).run(wanted * CHECKPOINT, index)


def frames(trace: Trace) -> Frames:
    """The state at every step of a trace: ``frames(trace)[40]["billing"]["done"]``."""
    return Frames(trace)


def apply(state: State, edits: Iterable[Edit], *, backwards: bool = False) -> None:
    """Change a state by edits; backwards, take them back. What a replay does in the browser, in Python."""
    for edit in reversed(list(edits)) if backwards else edits:
        put(state, edit, edit.old if backwards else edit.new)


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
