"""Three brokers, their controller and one partition, with no network and no time between them: what may happen, happens
as one operation after the other. For properties over many orders of operations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from simulator.brokers.log.elections import Controller
from simulator.brokers.log.errors import Refused
from simulator.brokers.log.replicas import Acks, Replica

BROKERS = ("a", "b", "c")

Doing = tuple[Any, ...]
"""("send",), ("fetch", broker), ("crash", broker), ("shut_down", broker), ("restart", broker), ("passing", ms)."""


class Cluster:
    def __init__(self, *, acks: Acks = "all", min_insync: int = 1, unclean: bool = False) -> None:
        self.acks, self.min_insync = acks, min_insync
        self.controller = Controller(BROKERS, unclean_leader_election_enable=unclean)
        self.now = 0.0
        self.disks: dict[str, Replica] = {}
        self.up: dict[str, Replica] = {}
        self.sent = 0
        self.waiting: list[tuple[str, int, int]] = []
        self.acknowledged: dict[int, int] = {}
        """Offset by record."""
        self.read: dict[int, int] = {}
        """Record by offset: all that any consumer could have seen."""
        self.contradictions: list[tuple[int, int, int]] = []
        for broker in BROKERS:
            self.up[broker] = self._start(broker)
        self._spread()

    def do(self, operations: Iterable[Doing]) -> Cluster:
        for name, *rest in operations:
            getattr(self, name)(*rest)
            self._settle()
        return self

    @property
    def leader(self) -> Replica | None:
        return self.up.get(self.controller.state.leader or "")

    def send(self) -> None:
        self.sent += 1
        leader = self.leader
        if leader is None:
            return
        try:
            offset = leader.append([self.sent], self.acks)
        except Refused:
            return
        self.waiting.append((leader.broker, offset, self.sent))

    def fetch(self, broker: str) -> None:
        leader, replica = self.leader, self.up.get(broker)
        if leader is None or replica is None or replica is leader:
            return
        replica.take(leader.answer(self.now, replica.request()))

    def crash(self, broker: str) -> None:
        replica = self.up.pop(broker, None)
        if replica is not None:
            self.disks[broker] = replica
            self.waiting = [each for each in self.waiting if each[0] != broker]
            self.controller.fence(broker)
            self._spread()

    def shut_down(self, broker: str) -> None:
        self.controller.shut_down(broker)
        self._spread()

    def restart(self, broker: str) -> None:
        if broker not in self.up:
            self.up[broker] = self._start(broker)
            self.controller.unfence(broker)
            self._spread()

    def heal(self) -> Cluster:
        for broker in BROKERS:
            self.restart(broker)
        for _ in range(8):
            self.do(("fetch", broker) for broker in BROKERS)
        return self

    def lost(self) -> list[int]:
        """What was acknowledged and is not in the leader's log."""
        leader = self.leader
        kept = [] if leader is None else [entry.record for entry in leader.log]
        return [record for record, offset in self.acknowledged.items() if offset >= len(kept) or kept[offset] != record]

    def _start(self, broker: str) -> Replica:
        # The high watermark's checkpoint is taken to be as old as it can be.
        log = self.disks[broker].log if broker in self.disks else ()
        return Replica(broker, BROKERS, min_insync_replicas=self.min_insync, replica_lag_time_max_ms=100, log=log)

    def _spread(self) -> None:
        for replica in self.up.values():
            replica.learn(self.now, self.controller.state)

    def passing(self, ms: float) -> None:
        self.now += ms

    def _settle(self) -> None:
        leader = self.leader
        if leader is None:
            return
        followers = (broker for broker in BROKERS if broker != leader.broker)
        for wanted in (leader.shrink(self.now), *map(leader.expand, followers)):
            if wanted is None:
                continue
            state = leader.state
            try:
                self.controller.change_in_sync(leader.broker, state.leader_epoch, state.partition_epoch, wanted)
            except Refused as refused:
                leader.proposal_answered(refused.error)
            self._spread()
        still: list[tuple[str, int, int]] = []
        for broker, offset, record in self.waiting:
            told = self.up[broker].outcome(offset, self.acks) if broker == leader.broker else "NOT_LEADER_OR_FOLLOWER"
            if told == "NONE":
                self.acknowledged[record] = offset
            elif told is None:
                still.append((broker, offset, record))
        self.waiting = still
        for offset, entry in enumerate(leader.read(0)):
            if self.read.setdefault(offset, entry.record) != entry.record:  # type: ignore[arg-type]
                self.contradictions.append((offset, self.read[offset], entry.record))  # type: ignore[arg-type]
