"""Follows records through a Kafka cluster that did not take effect where they were meant to, and judges what became of each."""

from __future__ import annotations

from simulator.reading.flights import carried
from simulator.reading.inquiry import PATIENCE, Fate
from simulator.reading.lineage import births
from simulator.reading.parties import members, names_topic_in_cluster, value_of
from simulator.reading.replicas import Place, replicas
from simulator.reading.wire import batch
from simulator.trace import Trace
from simulator.vocabulary import (
    ABANDONED,
    ACKNOWLEDGED,
    APPENDED,
    ASSIGNED,
    COMMITTED,
    DELIVERED,
    FAILED,
    FETCHED,
    LOST,
    RESET,
    SENT,
    STARTED,
)


class ClusterInquiry:
    """Follows the missing records of one group (or of one topic) through the trace, once, and then judges each."""

    def __init__(self, trace: Trace, name: str, missing: list[int]) -> None:
        """``missing`` are the ids of the records to follow, ``name`` the group, node or topic that they were meant for."""
        self._trace = trace
        self._name = name
        self._missing = missing
        self._born = births(trace)
        self._logs = replicas(trace)
        self._readers = frozenset() if names_topic_in_cluster(trace, name) else members(trace, name)
        self._last = {number: self._born[number].step for number in missing}
        self._flying: dict[int, tuple[tuple[int, ...], int]] = {}
        """What is on its way, by the step that sent it: the records, and to whom."""
        self._held: dict[int, tuple[int, int]] = {}
        self._sent: dict[int, int] = {}
        self._appended: dict[int, tuple[str, int]] = {}
        """Where a record was last appended, as (partition, broker)."""
        self._abandoned: dict[int, tuple[int, str]] = {}
        self._acknowledged: set[int] = set()
        self._next: dict[str, list[tuple[int, int]]] = {}
        """Where the group went on reading, by partition, as (step, offset): as it committed, was assigned, or began anew."""
        self._down = {row[3]: row[0] for row in trace.rows("crashed", "stopped")}
        self._follow()

    def _follow(self) -> None:
        trace, missing = self._trace, set(self._missing)
        carriers = self._carriers(missing)
        group = value_of(trace, self._name)
        kinds = (
            "sent", "delivered", "lost", "appended", "acknowledged", "abandoned", "failed", "fetched", "started", "assigned",
            "committed", "reset",
        )  # fmt: skip
        for index, _, kind, node, message, cause, a, b, c in trace.rows(*kinds):
            if kind in (ASSIGNED, COMMITTED, RESET):
                ours = node in self._readers if kind == RESET else c == group
                if ours and a < 0 <= b:
                    self._next.setdefault(str(trace.values[-a]), []).append((index, b))
            elif kind in (DELIVERED, LOST):
                arrived, _ = self._flying.pop(cause, ((), 0))
                self._last.update(dict.fromkeys(arrived, index))
            elif message in carriers:
                if kind == SENT:
                    self._flying[index] = (carriers[message], a)
                    if batch(trace.message(message)) is not None:
                        self._sent.update(dict.fromkeys(carriers[message], index))
                if kind in (SENT, FAILED):
                    self._last.update(dict.fromkeys(carriers[message], index))
            elif message in missing:
                self._see(index, kind, node, message, a)

    def _carriers(self, missing: set[int]) -> dict[int, tuple[int, ...]]:
        """The requests of producers and the answers to readers that bring any of the records, with those."""
        trace = self._trace
        found = {}
        for number, (kind, _, _, _) in enumerate(trace.message_rows(), start=1):
            if trace.values[kind] in ("produce", "records"):
                within = tuple(record for record in carried(trace.message(number)) if record in missing)
                if within:
                    found[number] = within
        return found

    def _see(self, index: int, kind: int, node: int, number: int, a: int) -> None:
        if kind in (FETCHED, STARTED) and node not in self._readers:
            return
        self._last[number] = index
        if kind in (FETCHED, STARTED):
            self._held[number] = (index, node)
        elif kind == APPENDED:
            self._appended[number] = (str(self._trace.values[-a]), node)
        elif kind == ABANDONED:
            self._abandoned[number] = (index, str(self._trace.values[a]))
        elif kind == ACKNOWLEDGED:
            self._acknowledged.add(number)

    def verdicts(self) -> dict[int, Fate]:
        """The fate of each record, by its id."""
        flying = {
            number: self._trace.nodes[to]
            for records, to in self._flying.values()
            for number in records
            # What is on its way to another group, or once more to a log that has it, is nothing to this one.
            if to in self._readers or number not in self._logs.places
        }
        return {number: self._verdict(number, flying.get(number)) for number in self._missing}

    def _verdict(self, number: int, flying: str | None) -> Fate:
        nodes, last = self._trace.nodes, self._last[number]
        if flying is not None:
            return Fate(False, f"a message about it was on its way to {flying} when the run ended", last)
        held, holder = self._held.get(number, (-1, -1))
        if held >= 0 and self._down.get(holder, -1) < held:
            return Fate(False, f"{nodes[holder]} still had it in hand when the run ended", held)
        if number in self._logs.undecided:
            return Fate(False, "its transaction was still open when the run ended", last)
        if number in self._logs.aborted:
            return Fate(True, "its transaction was aborted", self._logs.aborted[number])
        if number in self._logs.places:
            in_hand = f"{nodes[holder]} went down with it in hand, and " if held >= 0 else ""
            return self._stored(number, self._logs.places[number], in_hand)
        return self._unstored(number)

    def _stored(self, number: int, places: list[Place], in_hand: str) -> Fate:
        last = self._last[number]
        for place in places:
            partition, offset = place.partition, place.offset
            going_on = self._next.get(partition, [])
            log = self._logs.held[self._logs.believed[partition], partition]
            if log.log.get(offset) != number:
                gone = self._logs.dropped[number][0].step
                if all(step > gone or following <= offset for step, following in going_on):
                    return Fate(True, f"{partition} no longer kept it when {self._name} could have read it", gone)
            elif not going_on or going_on[-1][1] <= offset:
                if offset >= log.high_watermark:
                    return Fate(False, f"it was not committed in {partition} yet when the run ended", last)
                return Fate(False, f"{self._name} had not got past {partition}, offset {offset} when the run ended", last)
        return Fate(True, f"{in_hand}{self._name} reads on behind it, so nobody will read it again", last)

    def _unstored(self, number: int) -> Fate:
        nodes, last = self._trace.nodes, self._last[number]
        maker = self._born[number].node
        if number in self._abandoned:
            index, reason = self._abandoned[number]
            return Fate(True, f"{nodes[maker]} gave up ({reason})", index)
        if number not in self._acknowledged and self._may_send(number, maker):
            again = "could still send it again" if number in self._sent else "had not sent it yet"
            return Fate(False, f"{nodes[maker]} {again} when the run ended", last)
        known = ", although it had been acknowledged" if number in self._acknowledged else ""
        if number in self._logs.cut:
            cut = self._logs.cut[number][-1]
            return Fate(True, f"{nodes[cut.node]} cut it off its log, as the leader did not have it{known}", cut.step)
        if number in self._appended:
            partition, broker = self._appended[number]
            leader = self._logs.believed[partition]
            return Fate(True, f"{nodes[broker]} had it, and {leader} leads {partition} without it{known}", last)
        if self._down.get(maker, -1) > self._born[number].step:
            return Fate(True, f"{nodes[maker]} went down and knows nothing of it any more", last)
        return Fate(True, "it got lost on the way and nobody sends it again", last)

    def _may_send(self, number: int, maker: int) -> bool:
        """Whether its maker still has it and will send it (again)."""
        if self._down.get(maker, -1) > self._born[number].step:
            return False
        node = self._trace.scenario.nodes[maker]
        if getattr(node, "acks", None) in (0, "0"):
            return number not in self._sent
        return any(getattr(node, setting, None) is not None for setting in PATIENCE)
