"""One broker's copy of a partition: as the leader, which appends and knows who keeps up, or as a follower, which fetches.

What is committed (below the high watermark) and what is lost follow from this alone. Sources: ``Partition``, ``Replica`` and
``LeaderEpochFileCache`` of Apache Kafka 4.0; KIP-101, KIP-279 and KIP-595 for truncation by epoch; KIP-966 for the high
watermark that waits for ``min.insync.replicas`` (since 3.7; a real cluster's answers are in the conformance tests).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Hashable, Iterable
from typing import Literal, NamedTuple

from simulator.brokers.log.elections import Leadership
from simulator.brokers.log.entries import Entry
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.retention import Log

Acks = Literal["all", 1, 0]


class Diverging(NamedTuple):
    """Where a follower's log may at most agree with the leader's: in no later epoch, and up to this end."""

    epoch: int
    end: int


class FetchRequest(NamedTuple):
    """What a follower asks its leader."""

    follower: str
    leader_epoch: int
    offset: int
    """The next offset that it wants: the end of its own log."""
    last_epoch: int
    """The epoch of the entry before that; -1 for none."""


class FetchResponse(NamedTuple):
    """What the leader answers."""

    leader_epoch: int
    entries: tuple[Entry, ...]
    high_watermark: int
    log_start: int = 0
    """Before it the leader has let go of everything."""
    diverging: Diverging | None = None


class _Follower:
    """What a leader knows of one follower."""

    __slots__ = ("caught_up", "end", "fetched", "leader_end_then")

    def __init__(self, caught_up: float) -> None:
        self.end = -1
        """Not known before it has fetched from this leader."""
        self.caught_up = caught_up
        """When it last had all that the leader had."""
        self.fetched = -math.inf
        self.leader_end_then = -1


class Replica:
    """A partition's copy on one broker. `log` and `high_watermark` are what it keeps on disk."""

    def __init__(
        self,
        broker: str,
        replicas: Iterable[str],
        *,
        min_insync_replicas: int = 1,
        replica_lag_time_max_ms: float = 30_000.0,
        log: Log | Iterable[Entry] = (),
        high_watermark: int = 0,
    ) -> None:
        self.broker = broker
        self.replicas = tuple(replicas)
        self.min_insync_replicas = min(min_insync_replicas, len(self.replicas))
        self.replica_lag_time_max_ms = replica_lag_time_max_ms
        self._epochs: list[tuple[int, int]] = []
        """Each epoch in the log, with the offset of its first entry."""
        if isinstance(log, Log):
            self.log = log
            for entry in log:
                self._note_epoch(entry.epoch, entry.offset)
        else:
            self.log = Log()
            self._extend(log)
        self.high_watermark = min(high_watermark, self.log.end)
        """What followers were known to have, too: consumers read up to here. A checkpoint may be behind."""
        self.reopen()

    def reopen(self) -> None:
        """The broker starts: what is on disk is as it was, and it leads nothing and follows nobody until it is told."""
        self.state = Leadership(None, -1, ())
        self._epoch_start = 0
        self._followers: dict[str, _Follower] = {}
        self._proposed: tuple[str, ...] | None = None

    @property
    def leads(self) -> bool:
        """Whether it takes itself for the leader: until it is told otherwise."""
        return self.state.leader == self.broker

    @property
    def end(self) -> int:
        """The log end offset: the one that the next entry will get."""
        return self.log.end

    def learn(self, now: float, state: Leadership) -> None:
        """The controller's decision arrives; one that is known already, or older, is passed over."""
        if not state.is_newer_than(self.state):
            return
        if state.leader == self.broker and (not self.leads or state.leader_epoch != self.state.leader_epoch):
            self._epoch_start = self.end
            others = (each for each in self.replicas if each != self.broker)
            self._followers = {each: _Follower(now if each in state.isr else -math.inf) for each in others}
        self.state = state
        self._proposed = None
        if self.leads:
            self._advance()

    def check(self, acks: Acks) -> None:
        """Raise `Refused` if nothing may be appended here: NOT_LEADER_OR_FOLLOWER; NOT_ENOUGH_REPLICAS for ``acks="all"``
        with fewer replicas in sync than ``min.insync.replicas``."""
        self._must_lead()
        if acks == "all" and len(self.state.isr) < self.min_insync_replicas:
            raise Refused(
                "NOT_ENOUGH_REPLICAS",
                f"{len(self.state.isr)} in sync, min.insync.replicas is {self.min_insync_replicas};"
                " wait for a replica to return.",
            )

    def append(self, records: Iterable[Hashable], acks: Acks = "all") -> int:
        """Append as the leader; the first record's offset. A record may be given as an `Entry` that says more of it.

        With too few replicas in sync, what other acks than "all" let in stands in the log, but nobody can read it until
        there are enough. Raises `Refused` as `check` does.
        """
        self.check(acks)
        first = self.end
        epoch = self.state.leader_epoch
        self._extend(
            record._replace(epoch=epoch) if isinstance(record, Entry) else Entry(epoch, record) for record in records
        )
        self._advance()
        return first

    def outcome(self, offset: int, acks: Acks = "all") -> str | None:
        """What the producer of the entry at this offset can be told: an error's name, ``NONE`` for success; None: not yet."""
        if acks != "all":
            return "NONE"
        if not self.leads or offset >= self.end:
            return "NOT_LEADER_OR_FOLLOWER"
        if self.high_watermark <= offset:
            return None
        return "NONE" if len(self._maximal) >= self.min_insync_replicas else "NOT_ENOUGH_REPLICAS_AFTER_APPEND"

    def read(self, offset: int, most: int = 500) -> tuple[Entry, ...]:
        """What a consumer gets from here on, up to the high watermark.

        Raises `Refused`: NOT_LEADER_OR_FOLLOWER; OFFSET_OUT_OF_RANGE before the start or beyond the end of the log: a
        consumer then goes on as its ``auto.offset.reset`` says.
        """
        self._must_lead()
        return tuple(entry for entry in self.log.read(offset, most) if entry.offset < self.high_watermark)

    def latest(self) -> int:
        """Up to where consumers can read.

        Raises `Refused`: NOT_LEADER_OR_FOLLOWER; OFFSET_NOT_AVAILABLE while a new leader does not know yet that what stood in
        its log when it began is committed: the end would seem to have gone back (KIP-207).
        """
        self._must_lead()
        if self.high_watermark < self._epoch_start:
            raise Refused("OFFSET_NOT_AVAILABLE", f"{self.broker} has led for too short a time to know; ask again.")
        return self.high_watermark

    def answer(self, now: float, request: FetchRequest, most: int = 500, *, held_back: bool = False) -> FetchResponse:
        """Serve a follower, and note how far it is (what it asks from, it has all before), unless that was noted when the
        request came and the answer was ``held_back``. It tells the high watermark as it was before that note.

        Raises `Refused`: NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH where the two don't agree on
        who leads since when. A follower that wants what is gone is answered from where the log begins.
        """
        self._must_lead()
        epoch = self.state.leader_epoch
        if request.leader_epoch != epoch:
            error = "FENCED_LEADER_EPOCH" if request.leader_epoch < epoch else "UNKNOWN_LEADER_EPOCH"
            raise Refused(
                error, f"{request.follower} follows epoch {request.leader_epoch}, {self.broker} leads in epoch {epoch}."
            )
        diverging = self._diverging(request)
        if diverging is not None:
            return FetchResponse(epoch, (), self.high_watermark, self.log.start, diverging)
        entries = tuple(self.log.read(max(request.offset, self.log.start), most))
        response = FetchResponse(epoch, entries, self.high_watermark, self.log.start)
        if not held_back:
            self._note(now, request)
        return response

    def request(self) -> FetchRequest:
        """What it asks for next, as a follower."""
        return FetchRequest(self.broker, self.state.leader_epoch, self.end, self._epochs[-1][0] if self._epochs else -1)

    def take(self, response: FetchResponse) -> int:
        """Append what the leader sent, or cut off what the leader's log does not have; how many entries were cut off.

        An answer from an epoch that is over is passed over.
        """
        if self.leads or response.leader_epoch != self.state.leader_epoch:
            return 0
        cut = 0
        if response.diverging is not None:
            own = self._end_of(response.diverging.epoch)
            keep = min(own.end, response.diverging.end) if own.epoch == response.diverging.epoch else own.end
            cut = self._cut(keep)
        if response.log_start > self.end:
            # Nothing is left of what it had, so there is nothing that might differ from the leader's.
            self._epochs.clear()
        self.log.begin_at(response.log_start)
        self._extend(entry for entry in response.entries if entry.offset >= self.end)
        self.high_watermark = max(self.high_watermark, min(response.high_watermark, self.end))
        return cut

    def shrink(self, now: float) -> tuple[str, ...] | None:
        """The in-sync set without those who did not have everything within the last ``replica.lag.time.max.ms``, to be
        asked of the controller; None if nobody has to go, or while the controller is being asked already."""
        return self._propose(
            each
            for each in self.state.isr
            if each == self.broker
            or self._followers[each].end == self.end
            or now - self._followers[each].caught_up <= self.replica_lag_time_max_ms
        )

    def expand(self, follower: str) -> tuple[str, ...] | None:
        """The in-sync set with a follower that has all up to the high watermark, and all from before this leader began;
        None, as in `shrink`."""
        if not self.leads or self._followers[follower].end < max(self.high_watermark, self._epoch_start):
            return None
        return self._propose(each for each in self.replicas if each == follower or each in self.state.isr)

    def proposal_answered(self, error: str) -> None:
        """The controller has answered. Only INELIGIBLE_REPLICA says that the set is still what it was: after any other answer
        the one that was asked for may be the true one already, and counts until the controller's decision arrives."""
        if error == "INELIGIBLE_REPLICA":
            self._proposed = None

    def _propose(self, isr: Iterable[str]) -> tuple[str, ...] | None:
        if not self.leads or self._proposed is not None:
            return None
        wanted = tuple(isr)
        if wanted == self.state.isr:
            return None
        self._proposed = wanted
        return wanted

    def _diverging(self, request: FetchRequest) -> Diverging | None:
        """What a follower has to go back to, if its log is not the beginning of this one."""
        if request.last_epoch >= 0:
            common = self._end_of(request.last_epoch)
            if common.epoch < request.last_epoch or common.end < request.offset:
                return common
        return Diverging(request.last_epoch, self.end) if request.offset > self.end else None

    def _note(self, now: float, request: FetchRequest) -> None:
        """Note how far a follower is, and since when it has had everything."""
        follower = self._followers[request.follower]
        if request.offset >= self.end:
            follower.caught_up = now
        elif request.offset >= follower.leader_end_then:
            # It has by now all that there was when it asked last.
            follower.caught_up = max(follower.caught_up, follower.fetched)
        follower.end, follower.fetched, follower.leader_end_then = request.offset, now, self.end
        self._advance()

    @property
    def _maximal(self) -> set[str]:
        """All that are in sync, or may be by now for all that the leader knows (KIP-497)."""
        return {*self.state.isr, *(self._proposed or ())}

    def _advance(self) -> None:
        """Move the high watermark to what every replica has that may be in sync."""
        if len(self.state.isr) < self.min_insync_replicas:
            return
        counted = self._maximal
        ends = [follower.end for broker, follower in self._followers.items() if broker in counted]
        self.high_watermark = max(self.high_watermark, min([self.end, *ends]))

    def _extend(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._note_epoch(entry.epoch, self.log.append(entry))

    def _note_epoch(self, epoch: int, offset: int) -> None:
        if not self._epochs or self._epochs[-1][0] != epoch:
            self._epochs.append((epoch, offset))

    def _cut(self, keep: int) -> int:
        cut = self.log.truncate(keep)
        while self._epochs and self._epochs[-1][1] >= keep:
            self._epochs.pop()
        self.high_watermark = min(self.high_watermark, keep)
        return cut

    def _end_of(self, epoch: int) -> Diverging:
        """The latest epoch in this log that is no later than this one (or this one itself, if all that is left is later), and
        the offset after its last entry."""
        place = bisect_right(self._epochs, epoch, key=lambda each: each[0])
        end = self._epochs[place][1] if place < len(self._epochs) else self.end
        return Diverging(self._epochs[place - 1][0] if place else epoch, end)

    def _must_lead(self) -> None:
        if not self.leads:
            raise Refused(
                "NOT_LEADER_OR_FOLLOWER", f"{self.broker} does not lead; ask for the metadata and go to {self.state.leader}."
            )
