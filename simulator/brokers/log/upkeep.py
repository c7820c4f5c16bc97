"""What a broker does with its logs from time to time: it drops what is too old or too much, compacts, and forgets producers.

Every replica does so by itself, and a follower also lets go of what its leader has let go of. Sources: ``LogManager`` and
``LogCleaner`` of Apache Kafka 4.0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulator.vocabulary import COMPACTED, TRIMMED

if TYPE_CHECKING:
    from simulator.brokers.log.broker import Broker

PRODUCER_ID_EXPIRATION_CHECK_INTERVAL_MS = 600_000.0
"""``producer.id.expiration.check.interval.ms``."""


class Upkeep:
    """The upkeep of one broker's life."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def begin(self) -> None:
        """Do each thing at its own interval."""
        node, policies = self._broker.node, [each.log.cleanup_policy for each in self._broker.partitions.values()]
        if any("delete" in policy for policy in policies):
            self._every(node.log_retention_check_interval_ms, self._trim)
        if any("compact" in policy for policy in policies):
            self._every(node.log_cleaner_backoff_ms, self._clean)
        self._every(PRODUCER_ID_EXPIRATION_CHECK_INTERVAL_MS, self._forget_producers)

    def _every(self, interval: float, act: Callable[[], None]) -> None:
        def again() -> None:
            if not self._broker.stopped:
                act()
                self._every(interval, act)

        self._broker.sim.call_later(interval, again)

    def _trim(self) -> None:
        for number, partition in self._broker.partitions.items():
            note_trimmed(self._broker, number, partition.trim(self._broker.sim.now))

    def _clean(self) -> None:
        broker, sim = self._broker, self._broker.sim
        for number, partition in broker.partitions.items():
            with sim.as_one():
                for entry in partition.clean(sim.now):
                    sim.record(COMPACTED, broker.message_of(entry), broker.name_of(number), entry.offset)

    def _forget_producers(self) -> None:
        for partition in self._broker.partitions.values():
            partition.sequences.expire(self._broker.sim.now)


def note_trimmed(broker: Broker, number: int, records: int) -> None:
    """Record that so many records went from the beginning of a partition's log, if any did."""
    if records:
        broker.sim.record(TRIMMED, None, broker.name_of(number), broker.partitions[number].log.start, records)
