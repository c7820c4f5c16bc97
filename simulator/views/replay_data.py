"""A stretch of a trace as the replay takes it to the browser: once, as small JSON of columns and tables.

The browser gets what is drawn and how to go on from one step to the next; it learns nothing of what a step means.
Steps, and what refers to them, count from 0 at the stretch's first one; -1 stands for the state before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from attrs import evolve

from simulator.network import Cut, Exponential, Fixed, Latency, LogNormal, Uniform
from simulator.reading.causes import firsts, reason
from simulator.reading.flights import Flight, carried
from simulator.reading.frames import Chip, Edit, Frame, Frames, frames
from simulator.reading.routes import routes
from simulator.reading.sentences import sentence
from simulator.reading.wire import wire
from simulator.trace import Trace
from simulator.validation import did_you_mean
from simulator.views.cluster_panel import is_drawn
from simulator.views.layout import Layout, layout
from simulator.views.looks import NOTABLE, background, message_looks, tone
from simulator.views.panel import CHARACTER, COMPACT, ROOMY, USUAL, Slots, as_json
from simulator.views.panels import Labels, panels
from simulator.views.routing_map import lit_parts
from simulator.views.style import LOOKS

MOST_STEPS = 5_000
"""More than that nobody steps through, and the page would grow slow."""

_WIDE = 1_100.0
"""A picture that is wider than that at its full size shows less in each row, if it can."""


def replay_data(
    trace: Trace,
    *,
    first: int | None = None,
    last: int | None = None,
    focus: str | int | None = None,
    compact: bool = False,
) -> dict[str, Any]:
    """Everything that `Replay` and `write_page` show, as JSON-able data.

    ``first`` and ``last`` are steps of the trace and choose a stretch of it (inclusive); ``focus`` is a node's name, a
    key, or a message's id: all that has nothing to do with it is dimmed. A ``compact`` picture shows less of what each node
    holds, for where there is little room.

    Raises ValueError for a stretch that is empty or longer than `MOST_STEPS`, and for a focus that is not in it.
    """
    start, end = stretch(trace, first, last)
    return _Recording(trace, start, end).data(focus, compact=compact)


def stretch(trace: Trace, first: int | None, last: int | None) -> tuple[int, int]:
    """The first and the last step that are meant; negative ones count from the end, as everywhere in Python."""
    if not len(trace):
        raise ValueError("This trace has no steps, so there is nothing to replay; run the scenario for longer.")
    count = len(trace)
    start = 0 if first is None else trace[first].index
    end = count - 1 if last is None else trace[last].index
    if end < start:
        raise ValueError(f"The replay would begin at step {start} and end at step {end}; let last be at least first.")
    if end - start + 1 > MOST_STEPS:
        raise ValueError(
            f"This stretch has {end - start + 1:,} steps, and a replay shows at most {MOST_STEPS:,}. Choose a part, as in "
            f"Replay(trace, first={start}, last={start + MOST_STEPS - 1}), or give the scenario a shorter duration."
        )
    return start, end


def within(data: Mapping[str, Any], step: int) -> int:
    """The step, if a replay's data have it; the one before the first stands for the state before it.

    Raises ValueError for any other.
    """
    first, last = data["first"], data["first"] + len(data["time"]) - 1
    if not first - 1 <= step <= last:
        raise ValueError(f"There is no step {step} in this replay; it has the steps {first} to {last}.")
    return step


class _Table:
    """Gives each different value a number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def __getitem__(self, value: Any) -> int:
        # The type belongs to the key: 1, 1.0 and True are equal.
        number = self._numbers.setdefault((type(value), value), len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number


class _Room(NamedTuple):
    """How much of what nodes hold is in sight, and how far apart their columns are."""

    slots: Slots
    gap: float


class _Recording:
    """One stretch of one trace."""

    def __init__(self, trace: Trace, start: int, end: int) -> None:
        self._trace = trace
        self._start = start
        self._end = end
        self._steps = trace[start : end + 1]
        self._frames: Frames = frames(trace)
        self._before = _drawn(self._frames[start - 1] if start else self._frames.start)
        self._edits = [[edit for edit in step if is_drawn(edit.field)] for step in self._frames.edits(start, end)]
        self._flights = [
            each for each in self._frames.flights if each.sent <= end and (each.end is None or each.end >= start)
        ]
        self._held = self._held_messages()
        here = {step.message.id for step in self._steps if step.message}
        self._messages = sorted(self._held | here | {each.message for each in self._flights})
        self._looks = message_looks(trace, self._messages)
        self._quiet = list(background(trace, self._steps, self._looks))

    def data(self, focus: str | int | None, *, compact: bool) -> dict[str, Any]:
        trace = self._trace
        labels = Labels(trace, self._held)
        markers = wire(trace).markers
        widest = max((len(labels.of(each)) for each in self._held if each not in markers), default=2) * CHARACTER
        columns = len({box.x for box in layout(trace.scenario).boxes.values()})
        rooms = [_Room(COMPACT, 64)] if compact else [_Room(ROOMY, 110), _Room(USUAL, 84), _Room(USUAL, 64)]
        for slots, gap in rooms if columns <= 3 else rooms[-2:]:
            shown = panels(trace, self._before, self._edits, label_width=widest, slots=slots)
            sizes = {name: (panel.width, panel.height) for name, panel in shown.items()}
            wide = layout(trace.scenario, sizes, gap=gap)
            if wide.width <= _WIDE:
                break
        tall = layout(trace.scenario, sizes, down=True, gap=48 if compact else 64, spread=16)
        paths, values = _Table(), _Table()
        return {
            "name": trace.scenario.name.replace("_", " ") or "the run",
            "seed": trace.seed,
            "first": self._start,
            "total": len(trace),
            "before": self._before.time,
            "ended": trace.ended,
            "nodes": [as_json(shown[name]) for name in trace.nodes],
            "links": [
                [trace.node_index(link.source), trace.node_index(link.target), int(behind)]
                for link, behind in zip(trace.scenario.links, self._behind(), strict=True)
            ],
            "cuts": self._cuts(),
            "layouts": [_layout(wide, trace.nodes), _layout(tall, trace.nodes)],
            "messages": self._message_table(labels),
            "looks": sorted(set(self._looks.values())),
            "kinds": list(self._kind_names()),
            **self._columns(),
            "start": [list(edit) for edit in self._starting_edits(paths, values)],
            "edits": [[part for edit in step for part in self._edit(edit, paths, values)] for step in self._edits],
            "paths": [[trace.node_index(node), name, entry] for node, name, entry in paths.values],
            "values": [list(each) if isinstance(each, Chip) else each for each in values.values],
            "flights": list(self._flight_rows()),
            "marks": self._marks(),
            "lit": self._lit(),
            "notes": self._notes(),
            "focus": self._focus(focus),
        }

    # Steps.

    def _kind_names(self) -> Sequence[str]:
        return list(dict.fromkeys(step.kind for step in self._steps))

    def _columns(self) -> dict[str, Any]:
        kinds = {name: place for place, name in enumerate(self._kind_names())}
        steps = self._steps
        told = [tone(step, self._looks) for step in steps]
        tones = sorted(set(told) - {""})
        return {
            "time": [round(step.time, 3) for step in steps],
            "kind": [kinds[step.kind] for step in steps],
            "node": [self._trace.node_index(step.node) for step in steps],
            "message": [step.message.id if step.message else 0 for step in steps],
            "cause": [max(reason(self._trace, step.index) - self._start, -1) for step in steps],
            "sentence": [sentence(step) for step in steps],
            "tones": tones,
            "tone": [tones.index(each) if each else -1 for each in told],
            "notable": NOTABLE,
            "legend": sorted(self._seen(tones), key=list(LOOKS).index),
            "quiet": "".join("1" if quiet else "0" for quiet in self._quiet),
        }

    def _seen(self, tones: Iterable[str]) -> set[str]:
        """The looks that occur in the picture."""
        chips = {edit.new.state for step in self._edits for edit in step if isinstance(edit.new, Chip)}
        fields = {edit.field for step in self._edits for edit in step}
        chips |= {"blocked"} if "blocked" in fields else set()
        chips |= {"leader", "watermark", "uncommitted"} if "high watermark" in fields else set()
        return {*tones, *chips, *(self._looks[each.message] for each in self._flights)}

    # Messages.

    def _held_messages(self) -> set[int]:
        """The messages that nodes hold at some time."""
        before = (value for fields in self._before.state.values() for held in fields.values() for value in held.values())
        return {
            value.message
            for value in (*before, *(edit.new for step in self._edits for edit in step))
            if isinstance(value, Chip)
        }

    def _message_table(self, labels: Labels) -> list[list[Any]]:
        """Each message that occurs: id, look, label in the picture, and what a person calls it."""
        looks = sorted(set(self._looks.values()))
        place = {look: number for number, look in enumerate(looks)}
        known = {self._trace.message(number).key for number in self._held}
        markers = wire(self._trace).markers
        rows = []
        for number in self._messages:
            message = self._trace.message(number)
            records = carried(message)
            label = labels.of(number)
            look = self._looks[number]
            if records:
                label = " ".join(map(labels.of, records)) if len(records) <= 2 else f"{len(records)} records"
            elif look in {"protocol", "reply"} or message.key is None:
                label = f"{message.kind} {labels.of(number)}" if message.key in known - {None} else message.kind
            name = f"{message.kind} {message.key}" if message.key is not None else message.kind
            marker = markers.get(number)
            if marker is not None:
                # It stands in logs, where there is room for a letter.
                label, name = ("C", "marker: commit") if marker.commits else ("A", "marker: abort")
            rows.append([number, place[look], label, name])
        return rows

    # States.

    def _starting_edits(self, paths: _Table, values: _Table) -> Iterator[tuple[int, int]]:
        for node, fields in self._before.state.items():
            for name, held in fields.items():
                for entry, value in held.items():
                    yield paths[node, name, entry], values[value]

    @staticmethod
    def _edit(edit: Edit, paths: _Table, values: _Table) -> tuple[int, int, int]:
        return paths[edit.node, edit.field, edit.entry], values[edit.old], values[edit.new]

    # What is under way.

    def _flight_rows(self) -> Iterator[list[Any]]:
        """Message, copy, link, whether it goes against the link, sent, end, left, arrives, how far it gets, why it was lost."""
        places = {}
        for place, link in enumerate(self._trace.scenario.links):
            places[link.source, link.target] = place, 0
            places[link.target, link.source] = place, 1
        for each in self._flights:
            at, against = places[each.source, each.target]
            begin = max(each.sent - self._start, -1)
            end = self._end + 1 if each.end is None else min(each.end, self._end + 1)
            yield [
                each.message, each.copy, at, against, begin, end - self._start, round(each.left, 3),
                round(self._arrival(each, at), 3), _reach(each), each.lost,
            ]  # fmt: skip

    def _behind(self) -> Iterator[bool]:
        """Which links between brokers bring nothing but protocol."""
        ends = {each.name for each in self._trace.scenario.nodes if each.role == "broker"}
        busy = {frozenset((each.source, each.target)) for each in self._flights if self._looks[each.message] != "protocol"}
        used = {frozenset((each.source, each.target)) for each in self._flights}
        for link in self._trace.scenario.links:
            both = frozenset((link.source, link.target))
            yield both <= ends and both in used and both not in busy

    def _arrival(self, flight: Flight, link: int) -> float:
        if flight.arrived is not None:
            return flight.arrived
        # Nobody knows when it would have arrived; it is drawn on its way, and not yet there.
        usual = _usual(self._trace.scenario.links[link].latency)
        return max(flight.left + usual, self._trace.times[1] + usual / 4)

    def _cuts(self) -> list[list[Any]]:
        """Where and when a link is cut by a window of time: link, from, to, direction (0 there, 1 back, 2 both)."""
        found: list[list[Any]] = []
        for fault in self._trace.scenario.faults:
            if not isinstance(fault, Cut) or fault.kind or fault.key or fault.nth or fault.probability < 1:
                continue
            for place, link in enumerate(self._trace.scenario.links):
                if {link.source, link.target} == {fault.source, fault.target}:
                    way = 2 if fault.direction == "both" else int(fault.source != link.source)
                    span = (fault.during.start, fault.during.end) if fault.during else (0.0, self._trace.scenario.duration)
                    found.append([place, *span, way])
        return found

    # Where to look.

    def _marks(self) -> list[list[Any]]:
        """Places to jump to: a label and a step."""
        found: list[list[Any]] = [
            [f"first {label}", step.index - self._start] for label, step in firsts(self._trace).items()
        ]
        return sorted((mark for mark in found if 0 <= mark[1] <= self._end - self._start), key=lambda mark: mark[1])

    def _lit(self) -> dict[str, list[list[Any]]]:
        """The parts of nodes that have to do with a step: node, part, state, text, by the step."""
        return {
            str(step - self._start): [[self._trace.node_index(node), *part] for part in parts]
            for step, node, parts in lit_parts(self._trace, self._start, self._end)
        }

    def _notes(self) -> dict[str, str]:
        """What the picture makes plain at a step, and its sentence does not say."""
        within = routes(self._trace).items()
        return {str(step - self._start): f"{way.words}." for step, way in within if self._start <= step <= self._end}

    def _focus(self, focus: str | int | None) -> dict[str, Any] | None:
        """The nodes and messages that stay bright."""
        if focus is None:
            return None
        trace = self._trace
        if isinstance(focus, str) and focus in trace.nodes:
            return {"name": focus, "nodes": [trace.node_index(focus)], "messages": None}
        near = {
            number
            for number in self._messages
            if number == focus or isinstance(focus, str) and trace.message(number).key == focus
        }
        if not near:
            keys = {trace.message(number).key for number in self._messages} - {None}
            what = f"message {focus}" if isinstance(focus, int) else f'node or key "{focus}"'
            hint = (
                did_you_mean(focus, [*trace.nodes, *sorted(map(str, keys))])
                if isinstance(focus, str)
                else "see trace.message"
            )
            raise ValueError(f"There is no {what} in this stretch of the trace; {hint}")
        around = {
            number
            for number in self._messages
            if trace.message(number).in_reply_to in near or near & set(carried(trace.message(number)))
        }
        touched = {trace.node_index(step.node) for step in self._steps if step.message and step.message.id in near}
        name = f"message {focus}" if isinstance(focus, int) else focus
        return {"name": name, "nodes": sorted(touched), "messages": sorted(near | around)}


def _drawn(frame: Frame) -> Frame:
    state = {node: {name: held for name, held in fields.items() if is_drawn(name)} for node, fields in frame.state.items()}
    return evolve(frame, state=state)


def _reach(flight: Flight) -> float:
    """How far along its link a message gets: one that is lost at a closed door gets further than one lost on the way."""
    if not flight.lost:
        return 1.0
    return 0.86 if flight.arrived is not None and flight.arrived > flight.left else 0.5


def _usual(latency: Latency) -> float:
    """About how long a message is under way."""
    match latency:
        case Fixed(ms):
            return max(ms, 1.0)
        case Uniform(low, high):
            return max((low + high) / 2, 1.0)
        case Exponential(mean):
            return mean
        case LogNormal(median):
            return median
    return 1.0


def _layout(placed: Layout, nodes: Iterable[str]) -> Mapping[str, Any]:
    return {
        "w": placed.width,
        "h": placed.height,
        "at": [[placed.boxes[name].x, placed.boxes[name].y] for name in nodes],
        "routes": [[part for point in route.points for part in point] for route in placed.routes],
    }
