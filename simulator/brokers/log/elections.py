"""Who leads a partition, and which of its replicas are in sync: what the cluster's controller decides.

Sources: ``PartitionChangeBuilder`` and ``ReplicationControlManager`` of Apache Kafka 4.0 (KRaft); KIP-497 for changes that
a leader asks for. Left out: eligible leader replicas (KIP-966's second part, off by default in 4.0), reassignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve, frozen

from simulator.brokers.log.errors import Refused


@frozen
class Leadership:
    """What the controller has decided about a partition, and every broker is told."""

    leader: str | None
    """None: nobody may lead, so nothing can be written or read."""
    leader_epoch: int
    """Counts the changes of leader."""
    isr: tuple[str, ...]
    """The replicas in sync, in the order of the assignment; the last one stays in even when it is down."""
    partition_epoch: int = 0
    """Counts all changes."""

    def is_newer_than(self, other: Leadership) -> bool:
        """Whether it was decided later."""
        return (self.leader_epoch, self.partition_epoch) > (other.leader_epoch, other.partition_epoch)


class Controller:
    """One partition's state at the controller. Brokers are *live* or fenced (their session ended, or they shut down)."""

    def __init__(self, replicas: Sequence[str], *, unclean_leader_election_enable: bool = False) -> None:
        self.replicas = tuple(replicas)
        self.unclean_leader_election_enable = unclean_leader_election_enable
        self._live = dict.fromkeys(self.replicas)
        self.state = Leadership(self.replicas[0], 0, self.replicas)

    def fence(self, broker: str) -> Leadership:
        """A broker's session ended: it is not in sync any more, and does not lead."""
        self._live.pop(broker, None)
        isr = self._without(broker)
        return self._decide(isr, None if self.state.leader == broker else self.state.leader)

    def shut_down(self, broker: str) -> Leadership:
        """A broker wants to stop (a controlled shutdown) and goes on running until its lead has moved away: there is
        always a leader to ask. What it appended and no other in-sync replica has fetched is cut off all the same."""
        return self.fence(broker)

    def unfence(self, broker: str) -> Leadership:
        """A broker is back. It leads only where nobody else does and it may; otherwise it follows until it is in sync."""
        if broker in self.replicas:
            self._live[broker] = None
        return self._decide(self.state.isr, self.state.leader)

    def change_in_sync(self, broker: str, leader_epoch: int, partition_epoch: int, isr: Iterable[str]) -> Leadership:
        """The leader asks for another in-sync set (``AlterPartition``).

        Raises `Refused`: FENCED_LEADER_EPOCH for a leader that was replaced, INVALID_UPDATE_VERSION where the state has
        changed since it was told, INELIGIBLE_REPLICA for a replica that is fenced.
        """
        state = self.state
        if broker != state.leader or leader_epoch < state.leader_epoch:
            raise Refused(
                "FENCED_LEADER_EPOCH",
                f"{broker} led in epoch {leader_epoch}; {state.leader} leads in epoch {state.leader_epoch}.",
            )
        if partition_epoch != state.partition_epoch:
            raise Refused(
                "INVALID_UPDATE_VERSION", f"the state is at version {state.partition_epoch}, not {partition_epoch}."
            )
        wanted = set(isr)
        fenced = [each for each in self.replicas if each in wanted and each not in self._live]
        if fenced:
            raise Refused("INELIGIBLE_REPLICA", f"{fenced[0]} is fenced; it can be in sync when it is back.")
        return self._decide(tuple(each for each in self.replicas if each in wanted), state.leader)

    def elect_preferred(self) -> Leadership:
        """Give the lead back to the first replica of the assignment.

        Raises `Refused`: ELECTION_NOT_NEEDED if it leads, PREFERRED_LEADER_NOT_AVAILABLE if it is down or not in sync.
        """
        preferred = self.replicas[0]
        if self.state.leader == preferred:
            raise Refused("ELECTION_NOT_NEEDED", f"{preferred} leads already.")
        if preferred not in self._live or preferred not in self.state.isr:
            raise Refused("PREFERRED_LEADER_NOT_AVAILABLE", f"{preferred} is not live and in sync; wait until it is.")
        return self._decide(self.state.isr, preferred)

    def elect_unclean(self) -> Leadership:
        """Let any live replica lead, by hand: what the in-sync ones had and it has not is lost.

        Raises `Refused`: ELECTION_NOT_NEEDED while there is a leader, ELIGIBLE_LEADERS_NOT_AVAILABLE if no replica is live.
        """
        if self.state.leader is not None:
            raise Refused("ELECTION_NOT_NEEDED", f"{self.state.leader} leads.")
        if not self._live:
            raise Refused("ELIGIBLE_LEADERS_NOT_AVAILABLE", "no replica is live; start one of them.")
        return self._decide(self.state.isr, None, unclean=True)

    def _without(self, broker: str) -> tuple[str, ...]:
        # An empty set would forget who has everything that was acknowledged.
        rest = tuple(each for each in self.state.isr if each != broker)
        return rest or self.state.isr

    def _decide(self, isr: tuple[str, ...], leader: str | None, *, unclean: bool = False) -> Leadership:
        if leader is None:
            leader = next((each for each in self.replicas if each in isr and each in self._live), None)
        if leader is None and (unclean or self.unclean_leader_election_enable):
            leader = next((each for each in self.replicas if each in self._live), None)
            if leader is not None:
                isr = (leader,)
        state = self.state
        if (leader, isr) != (state.leader, state.isr):
            epoch = state.leader_epoch + (leader != state.leader)
            self.state = evolve(state, leader=leader, leader_epoch=epoch, isr=isr, partition_epoch=state.partition_epoch + 1)
        return self.state
