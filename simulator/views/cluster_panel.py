"""Brokers and the controller of a Kafka cluster as they are drawn: replicas one above the other, who leads, who is in sync.

Every broker has its replicas in the same order and at the same place, and all replicas of a partition show the same offsets:
what one of them lacks is missing under the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import evolve

from simulator.reading.parties import groups
from simulator.scenario import Node
from simulator.trace import Trace
from simulator.views.marks import Mark
from simulator.views.panel import (
    CHARACTER,
    HEAD,
    MOST_SAID,
    PADDING,
    ROW_GAP,
    SMALL,
    Panel,
    Replica,
    Row,
    Said,
    Slots,
    Text,
    Use,
    replica_height,
    shortened,
)

MOST_REPLICAS = 6
"""A broker with more replicas shows the first ones, in the order of their partitions' names."""

_LINE, _BOOK_LABELS = 16.0, 106.0
_MOST_IN_A_COLUMN, _BETWEEN = 3, 16.0
_NUMBERS = 42.0
"""The room behind the cells, for the high watermark and the end of the log."""


def holds_replicas(node: Node) -> bool:
    """Whether a node is a broker of a cluster."""
    return hasattr(node, "replica_lag_time_max_ms")


def controls(node: Node) -> bool:
    """Whether a node is the controller of a cluster."""
    return hasattr(node, "broker_session_timeout_ms")


def is_internal(partition: str) -> bool:
    """Whether a partition is one of those in which a cluster keeps its own books."""
    return partition.startswith("__")


def is_drawn(field: str) -> bool:
    """Whether a field of a frame is in the picture: the logs of a cluster's own books are not, what they say is."""
    return not is_internal(field.partition(" ")[2])


class ClusterPlan:
    """What all brokers of a cluster have in common in a picture: so that what one of them lacks is missing under the others.

    ``used`` tells what every node held in the stretch of the trace, ``label_width`` how wide the widest record's label is.
    """

    def __init__(self, trace: Trace, used: Mapping[str, Use], label_width: float, most: Slots) -> None:
        self._brokers = [node.name for node in trace.scenario.nodes if holds_replicas(node)]
        self._controller = next((node.name for node in trace.scenario.nodes if controls(node)), "")
        self._held = {name: _partitions(used[name]) for name in self._brokers}
        self._records = {
            partition: max(used[name].most.get(f"log {partition}", 0) for name in self._brokers)
            for partitions in self._held.values()
            for partition in partitions
        }
        self._books = {name: _Books(trace, used, name) for name in self._brokers}
        self._slot = max(label_width + 8, 25)
        named = max(map(len, self._records), default=0) * 6.9 + max(map(len, self._brokers), default=0) * 5.8 + 180
        slots = min(max([4, *self._records.values()]), most.cells)
        width = max(slots * self._slot + _NUMBERS, named)
        # Where there is much to see, in two columns: a picture that is too tall has its words out of sight.
        busiest = max((sum(self._records[each] > 0 for each in held) for held in self._held.values()), default=0)
        self._columns = 2 if busiest > _MOST_IN_A_COLUMN else 1
        between = (self._columns - 1) * _BETWEEN
        self._whole = max([self._columns * width + between, *(books.width for books in self._books.values())])
        self._width = (self._whole - between) / self._columns
        self._slots = min(int((self._width - _NUMBERS) / self._slot), most.cells)

    def broker_panel(self, node: Node) -> Panel:
        """The panel of one of the brokers (`holds_replicas`)."""
        rows: list[Row] = []
        marks: list[Mark] = []
        held, y = self._held[node.name], HEAD + 2
        shown = held[:MOST_REPLICAS]
        for at in range(0, len(shown), self._columns):
            beside = [
                self._replica(node.name, partition, PADDING + 5 + place * (self._width + _BETWEEN), y)
                for place, partition in enumerate(shown[at : at + self._columns])
            ]
            rows += beside
            y += max(replica_height(each.slots) for each in beside) + ROW_GAP
        if len(held) > MOST_REPLICAS:
            more = f"and {len(held) - MOST_REPLICAS} more replicas"
            marks.append(Mark("text", (PADDING + 5, y + 10, 10), "muted", more, "start"))
            y += _LINE
        books = self._books[node.name]
        rows += books.rows(y)
        width, height = self._whole + 2 * PADDING + 10, y + books.height + 6
        return Panel(node.name, type(node).__name__, round(width), round(height), tuple(rows), tuple(marks))

    def _replica(self, broker: str, partition: str, x: float, y: float) -> Replica:
        peers = tuple(name for name in self._brokers if partition in self._held[name])
        slots = self._slots if self._records[partition] else 0
        return Replica(partition, x, y, slots, self._slot, self._width, broker, peers, self._controller or broker, left=x)


def _partitions(use: Use) -> list[str]:
    """The partitions of which a broker has replicas, in order; without the cluster's own."""
    named = {str(each) for each in use.entries.get("leader", {})}
    named |= {name.removeprefix("log ") for name in use.most if name.startswith("log ") and name != "log start"}
    return sorted((each for each in named if not is_internal(each)), key=_by_number)


def _by_number(partition: str) -> tuple[str, int]:
    topic, _, number = partition.rpartition("-")
    return (topic, int(number)) if re.fullmatch(r"\d+", number) else (partition, 0)


class _Books:
    """What a broker knows of the groups and transactions that it coordinates, as rows that are there while it does."""

    def __init__(self, trace: Trace, used: Mapping[str, Use], broker: str) -> None:
        self._trace, self._used, self._use = trace, used, used[broker]
        self._rows: list[Text] = []
        self.height = self.width = 0.0
        for group in sorted(name.removeprefix("group ") for name in self._use.most if name.startswith("group ")):
            self._group(group)
        if "transactions" in self._use.most:
            self.height += 4
            longest = max(len(str(each)) for each in self._use.entries["transactions"]) + len(": PrepareCommit")
            self._line("transactions", (Said("transactions"),), "transactions", longest)

    def _group(self, group: str) -> None:
        field = f"group {group}"
        self.height += 4
        stands = (Said(field, "generation {value},", "generation"), Said(field, "{value}", "state"))
        self._line(f"group {shortened(group, 14)}", stands, field, len("generation 1, PreparingRebalance"))
        for member in groups(self._trace).get(group, ()):
            use = self._used[member]
            names = sum(sorted((len(str(each)) + 2 for each in use.entries.get("next", {})), reverse=True)[:MOST_SAID])
            reads = Said("next", "{entry}", node=member, absent="reads nothing")
            self._line(shortened(member, 16), (reads,), field, max(names, 13), indent=8)
        stored = sorted(
            (name.removeprefix("committed ") for name in self._use.most if name.startswith("committed ")), key=_by_number
        )
        label = "committed"
        for pair in (stored[at : at + 2] for at in range(0, len(stored), 2)):
            said = tuple(Said(f"committed {each}", f"{each} at {{value}}", group) for each in pair)
            self._line(label, said, field, sum(len(each) + 8 for each in pair), indent=8)
            label = ""

    def _line(self, label: str, said: tuple[Said, ...], when: str, characters: int, indent: float = 0) -> None:
        at = PADDING + 5 + _BOOK_LABELS
        self._rows.append(Text(label, at, self.height - 2, said, left=PADDING + 5 + indent, when=when, size=10.5))
        self.height += _LINE
        self.width = max(self.width, _BOOK_LABELS + characters * 5.7)

    def rows(self, y: float) -> list[Text]:
        """Where they begin at this height."""
        return [evolve(row, y=row.y + y) for row in self._rows]


def controller_panel(trace: Trace, node: Node, use: Use) -> Panel:
    """The panel of the controller (`controls`): a table of who leads each partition and who is in sync."""
    brokers = [each.name for each in trace.scenario.nodes if holds_replicas(each)]
    partitions = sorted((str(each) for each in use.entries.get("leader", {})), key=_by_number)
    shown = [each for each in partitions if not is_internal(each)]
    wide = max((len(each) for each in shown), default=0) * CHARACTER
    columns = [PADDING, PADDING + wide + 14]
    columns.append(columns[1] + max(len(name) for name in [*brokers, "nobody"]) * 6.2 + 16)
    columns.append(columns[2] + 44)
    heads = ("partition", "leader", "epoch", "in sync")
    marks = [
        Mark("text", (x, HEAD + 10, 10), "muted", head, "start") for x, head in zip(columns, heads, strict=True) if shown
    ]
    rows: list[Row] = []
    y = HEAD + (14 if shown else 0)
    everyone = " ".join(brokers)
    for partition in shown[: 2 * MOST_REPLICAS]:
        cells = (
            Said("leader", "{value}", partition),
            Said("epoch", "{value}", partition, zero="0"),
            Said("in sync", "{value}", partition, absent=everyone),
        )
        label = partition
        for x, cell in zip(columns[1:], cells, strict=True):
            rows.append(Text(label, x, y, (cell,), size=10.5))
            label = ""
        y += _LINE
    width = columns[3] + len(everyone) * SMALL + PADDING
    if "fenced" in use.most:
        rows.append(Text("fenced", columns[1], y + 2, (Said("fenced"),), when="fenced", size=10.5))
        y += _LINE + 2
    title = type(node).__name__
    return Panel(node.name, title, round(max(width, 180)), round(y + 8), tuple(rows), tuple(marks))
