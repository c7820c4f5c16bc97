"""The run as facts: an append-only sequence of steps, packed while it is written, objects when it is read."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from simulator.message import Message, freeze, thaw
from simulator.validation import did_you_mean
from simulator.vocabulary import BY_CODE, INT, KINDS, NODE, PARTITION, Kind

if TYPE_CHECKING:
    from simulator.scenario import Scenario

STEP = struct.Struct("<diiiiiHBx")
"""One step in 32 bytes: time, message, cause, three numbers of data, node, kind."""

_KIND_AT = 30
"""Where a step's kind stands in its 32 bytes."""

MESSAGE = struct.Struct("<iiii")
"""One message in 16 bytes: kind and key (as shared values), the message it answers, its size."""

_pack_message = MESSAGE.pack
_new = tuple.__new__
"""Makes a `Message` without the detour over its own constructor, which costs as much again."""

ENDINGS = {
    "duration": "It ran to the end of its duration.",
    "budget": "It was stopped at its step budget: what follows is the run so far.",
    "stalled": "It was stopped because it went in circles without a step: what follows is the run so far.",
    "interrupted": "It was interrupted: what follows is the run so far.",
    "failed": "A node's own code raised an error: what follows is the run up to there.",
}
"""Each way a run can end, in words."""


class Step(NamedTuple):
    """One fact of a trace."""

    index: int  # type: ignore[assignment]  # the plain word, though every tuple has a method of this name
    time: float
    """Milliseconds since the run began."""
    kind: str
    node: str
    message: Message | None
    cause: int | None
    """The index of the step that made this one happen, always smaller than its own; None where nothing did."""
    data: Mapping[str, Any]

    def __getitem__(self, name: Any) -> Any:
        """``step["offset"]`` is ``step.data["offset"]``; a number still picks a field, as in any tuple."""
        return self.data[name] if isinstance(name, str) else tuple.__getitem__(self, name)


class Recorder:
    """Where a run writes its steps. One for each run; `Trace` reads what it wrote."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.nodes = tuple(nodes)
        self.steps = bytearray()
        self.messages = bytearray()
        self.payloads: dict[int, Any] = {}
        self.numbers = array("i", [0])
        self.numbers_at = array("i")
        self.headers: dict[int, tuple[tuple[str, str], ...]] = {}
        self.values: list[Any] = [None]
        self._texts: dict[Any, int] = {None: 0}
        self._numbers: dict[tuple[type, Any], int] = {}
        self.made = 0

    @property
    def count(self) -> int:
        """How many steps there are."""
        return len(self.steps) // STEP.size

    def value(self, value: Any) -> int:
        """The number that stands for ``value``, a text, a number or None, in a step."""
        if value.__class__ is str or value is None:
            known = self._texts.get(value)
            if known is None:
                known = self._texts[value] = len(self.values)
                self.values.append(value)
            return known
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise TypeError(f"A step tells texts, finite numbers or None, not {value!r}.")
        # The type is part of a number's key, since 1 == 1.0 == True.
        place = self._numbers.setdefault((value.__class__, value), len(self.values))
        if place == len(self.values):
            self.values.append(value)
        return place

    def partition(self, held: int | str) -> int:
        """The number that stands for a partition in a step: its own, or for a name like ``orders-0`` the value's, negative."""
        return -self.value(held) if isinstance(held, str) else int(held)

    def message(
        self,
        kind: str,
        key: str | None = None,
        payload: Any = None,
        headers: tuple[tuple[str, str], ...] = (),
        in_reply_to: int = 0,
        size: int = 0,
    ) -> Message:
        """Make the run's next message; the payload must be immutable already (see `simulator.message.freeze`)."""
        texts = self._texts
        try:
            packed = _pack_message(texts[kind], texts[key], in_reply_to, size)
        except KeyError:
            packed = _pack_message(self.value(kind), self.value(key), in_reply_to, size)
        self.messages += packed
        self.made = made = self.made + 1
        at = 0
        if payload is not None:
            at = self._pack_numbers(payload)
            if not at:
                self.payloads[made] = payload
        self.numbers_at.append(at)
        if headers:
            self.headers[made] = headers
        return _new(Message, (made, kind, key, payload, headers, in_reply_to, size))

    def _pack_numbers(self, payload: Any) -> int:
        """Where in `numbers` a payload stands that is a tuple of whole numbers; 0 for any other, which is kept as an object.

        Brokers' protocols say most of what they say in such tuples, which take a tenth of the memory when packed.
        """
        if payload.__class__ is not tuple:
            return 0
        for each in payload:
            if each.__class__ is not int:
                return 0
        numbers = self.numbers
        at = len(numbers)
        numbers.append(len(payload))
        try:
            numbers.extend(payload)
        except OverflowError:
            del numbers[at:]
            return 0
        return at

    def message_of(self, number: int) -> Message:
        """The message with this number, which must be from 1 to `made`."""
        kind, key, in_reply_to, size = MESSAGE.unpack_from(self.messages, (number - 1) * MESSAGE.size)
        values, headers = self.values, self.headers.get(number, ())
        at = self.numbers_at[number - 1]
        if at:
            payload: Any = tuple(self.numbers[at + 1 : at + 1 + self.numbers[at]])
        else:
            payload = self.payloads.get(number)
        return Message(number, values[kind], values[key], payload, headers, in_reply_to, size)

    def settle(self) -> None:
        """Take back a message that an interrupt has left half made."""
        self.made = min(len(self.messages) // MESSAGE.size, len(self.numbers_at))
        del self.messages[self.made * MESSAGE.size :], self.numbers_at[self.made :]
        last = max(self.numbers_at, default=0)
        del self.numbers[last + 1 + (self.numbers[last] if last else 0) :]
        for kept in (self.payloads, self.headers):
            kept.pop(self.made + 1, None)

    def step(self, time: float, kind: int, node: int, message: int, cause: int, a: int = 0, b: int = 0, c: int = 0) -> int:
        """Write one step and tell its index. (The engine writes its steps in place, for speed, in the same form.)"""
        index = self.count
        self.steps += STEP.pack(time, message, cause, a, b, c, node, kind)
        return index

    def encode(self, kind: Kind, data: Mapping[str, Any]) -> list[int]:
        """The three numbers for a kind's data given by name.

        Raises ValueError where a field is missing, unknown, or names no node.
        """
        wanted = [name for name, _ in kind.fields]
        if sorted(data) != sorted(wanted):
            raise ValueError(f"A {kind.name!r} step carries {wanted or 'no data'}; it was given {sorted(data)}.")
        numbers = []
        for name, reading in kind.fields:
            held = data[name]
            if reading == INT:
                numbers.append(int(held))
            elif reading == NODE:
                if held not in self.nodes:
                    raise ValueError(f'A {kind.name!r} step names no node "{held}"; {did_you_mean(held, self.nodes)}')
                numbers.append(self.nodes.index(held))
            elif reading == PARTITION:
                numbers.append(self.partition(held))
            else:
                numbers.append(self.value(held))
        return numbers + [0] * (3 - len(numbers))


def read(reading: str, number: int, nodes: Sequence[str], values: Sequence[Any]) -> Any:
    """What a number of a step's data stands for, by how its field is read (see `simulator.vocabulary`)."""
    if reading == INT or reading == PARTITION and number >= 0:
        return number
    return nodes[number] if reading == NODE else values[abs(number)]


class Trace(Sequence[Step]):
    """A run: its steps, its scenario, its seed. A value: two traces with the same digest are equal."""

    def __init__(self, scenario: Scenario, seed: int, recorder: Recorder, ended: str) -> None:
        self.scenario = scenario
        self.seed = seed
        self.ended = ended
        self.nodes = recorder.nodes
        self.values: Sequence[Any] = recorder.values
        self._recorder = recorder
        self._steps = memoryview(recorder.steps).toreadonly()
        self._messages = memoryview(recorder.messages).toreadonly()
        self._count = recorder.count
        self.messages = recorder.made
        self._places = {name: place for place, name in enumerate(self.nodes)}
        self._digest: str | None = None

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        steps: Iterable[tuple[float, str, str, Message | None, int | None, Mapping[str, Any]]],
        seed: int = 0,
    ) -> Trace:
        """A trace written by hand: ``(time, kind, node, message, cause, data)`` for each step, in order of time.

        Messages must be numbered from 1 without gaps; a later use of an id must be the same message.
        Raises ValueError for an unknown kind or node, wrong data, a time before the last one, or a cause that is not an
        earlier step.
        """
        recorder = Recorder([node.name for node in scenario.nodes])
        given = list(steps)
        seen: dict[int, Message] = {}
        for _, _, _, message, _, _ in given:
            if message is not None and seen.setdefault(message.id, message) != message:
                raise ValueError(f"Message {message.id} is given twice with different contents.")
        for wanted, number in enumerate(sorted(seen), start=1):
            if number != wanted:
                raise ValueError(f"Messages must be numbered from 1 without gaps; there is no message {wanted}.")
            recorder.message(*seen[number]._replace(payload=freeze(seen[number].payload))[1:])
        now = 0.0
        for index, (time, kind_name, node, message, cause, data) in enumerate(given):
            kind = KINDS.get(kind_name)
            if kind is None:
                raise ValueError(f'Step {index}: there is no kind of step "{kind_name}"; {did_you_mean(kind_name, KINDS)}')
            if node not in recorder.nodes:
                raise ValueError(f'Step {index}: there is no node "{node}"; {did_you_mean(node, recorder.nodes)}')
            if not now <= time < math.inf:
                raise ValueError(f"Step {index}: its time is {time}; it must be at least {now}, that of the step before it.")
            now = time
            if cause is not None and not 0 <= cause < index:
                raise ValueError(f"Step {index}: its cause {cause} is not an earlier step.")
            recorder.step(
                float(time),
                kind.code,
                recorder.nodes.index(node),
                message.id if message else 0,
                -1 if cause is None else cause,
                *recorder.encode(kind, data),
            )
        return cls(scenario, seed, recorder, "duration")

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        if isinstance(index, slice):
            return [self._decode(each) for each in range(*index.indices(self._count))]
        place = index + self._count if index < 0 else index
        if not 0 <= place < self._count:
            raise IndexError(f"There is no step {index}; this trace has the steps 0 to {self._count - 1}.")
        return self._decode(place)

    def __iter__(self) -> Iterator[Step]:
        return map(self._decode, range(self._count))

    def _decode(self, index: int) -> Step:
        time, message, cause, a, b, c, node, code = STEP.unpack_from(self._steps, index * STEP.size)
        kind = BY_CODE[code]
        data = {
            name: read(reading, number, self.nodes, self.values)
            for (name, reading), number in zip(kind.fields, (a, b, c), strict=False)
        }
        return Step(
            index, time, kind.name, self.nodes[node], self.message(message) if message else None,
            None if cause < 0 else cause, data,
        )  # fmt: skip

    def message(self, number: int) -> Message:
        """The message with this id. Raises KeyError if the run made no such message."""
        if not 0 < number <= self.messages:
            raise KeyError(f"There is no message {number}; this trace has the messages 1 to {self.messages}.")
        return self._recorder.message_of(number)

    def node_index(self, name: str) -> int:
        """The place of a node in `nodes`, as `rows` gives it. Raises KeyError for an unknown node."""
        if name not in self._places:
            raise KeyError(f'There is no node "{name}"; {did_you_mean(name, self.nodes)}')
        return self._places[name]

    def select(self, *kinds: str, node: str | Iterable[str] | None = None, message: int | None = None) -> Iterator[Step]:
        """The steps of these kinds (all, if none is named), at this node or these nodes, of this message."""
        wanted_nodes = (
            None if node is None else {self.node_index(each) for each in ([node] if isinstance(node, str) else node)}
        )
        for row in self.rows(*kinds):
            if (wanted_nodes is None or row[3] in wanted_nodes) and (message is None or row[4] == message):
                yield self._decode(row[0])

    def rows(self, *kinds: str) -> Iterator[tuple[int, float, int, int, int, int, int, int, int]]:
        """The same steps undecoded, for measures over many: (index, time, kind, node, message, cause, a, b, c).

        ``kind`` is a code, ``node`` a place in `nodes`, ``message`` an id or 0, ``cause`` an index or -1; a, b, c are
        the kind's data in the order of its fields. Raises KeyError for an unknown kind.
        """
        for kind in kinds:
            if kind not in KINDS:
                raise KeyError(f'There is no kind of step "{kind}"; {did_you_mean(kind, KINDS)}')
        if not kinds:
            return (
                (index, time, code, node, message, cause, a, b, c)
                for index, (time, message, cause, a, b, c, node, code) in enumerate(STEP.iter_unpack(self._steps))
            )
        # The kinds alone are looked through first, in C, so that asking for a few steps among many costs little.
        codes = {KINDS[kind].code for kind in kinds}
        wanted = bytes(self._steps[_KIND_AT :: STEP.size]).translate(bytes(code in codes for code in range(256)))
        steps = ((index, STEP.unpack_from(self._steps, index * STEP.size)) for index in compress(range(self._count), wanted))
        return (
            (index, time, code, node, message, cause, a, b, c)
            for index, (time, message, cause, a, b, c, node, code) in steps
        )

    def message_rows(self) -> Iterator[tuple[int, int, int, int]]:
        """Each message in order, undecoded: (kind, key, in_reply_to, size); kind and key are places in `values`."""
        return MESSAGE.iter_unpack(self._messages)

    @property
    def buffers(self) -> tuple[memoryview, memoryview]:
        """The packed steps (`STEP`) and messages (`MESSAGE`), read-only: for numpy, and for measuring memory."""
        return self._steps, self._messages

    @property
    def times(self) -> tuple[float, float]:
        """The times of the first and the last step, (0, 0) for an empty trace; milliseconds."""
        return (self[0].time, self[-1].time) if self._count else (0.0, 0.0)

    @property
    def digest(self) -> str:
        """SHA-256 over all that the trace says, as hexadecimal text: equal for equal traces, in any process."""
        if self._digest is None:
            told = hashlib.sha256()
            told.update(json.dumps([self.scenario.to_json(), self.seed, self.ended], sort_keys=True).encode())
            told.update(json.dumps([thaw(value) for value in self.values]).encode())
            told.update(self._steps)
            told.update(self._messages)
            told.update(self._recorder.numbers_at)
            told.update(self._recorder.numbers)
            extra = [
                sorted((n, thaw(p)) for n, p in self._recorder.payloads.items()),
                sorted(self._recorder.headers.items()),
            ]
            told.update(json.dumps(extra, sort_keys=True).encode())
            self._digest = told.hexdigest()
        return self._digest

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Trace) else NotImplemented

    def __hash__(self) -> int:
        return int(self.digest[:15], 16)

    def __repr__(self) -> str:
        name = f" of {self.scenario.name}" if self.scenario.name else ""
        return f"<Trace{name}: {self._count:,} steps, {self.times[1]:,.0f} ms, seed {self.seed}. {ENDINGS[self.ended]}>"

    def save(self, path: str | Path) -> Path:
        """Write the trace as JSON Lines; see `simulator.storage` for the form."""
        from simulator.storage import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Trace:
        """Read a trace that was saved. Raises TraceFileError, in one sentence, for a damaged or foreign file."""
        from simulator.storage import load

        return load(path)
