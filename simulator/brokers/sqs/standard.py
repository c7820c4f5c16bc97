"""Which message a standard queue hands out next: at least once, and nearly, but not surely, in order.

AWS says that a queue lives on many servers, that each message has copies on several of them, that a short poll asks some of
the servers and a long poll all, and that a server which can't be reached when a message is received or deleted keeps
its copy, so that this message comes again. It does not say how many servers there are. Here there are ``servers``, of which a
short poll asks half (rounded up), all equally likely; a message has two copies. Of two asked servers, chosen by chance, the one
with the older message gives the next: mostly in order, as AWS says ("best-effort"). Simplified: AWS weighs the servers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import heappop, heappush

from simulator.brokers.sqs.stored import AVAILABLE, Stored

COPIES = 2


class Servers:
    """The servers of a standard queue. Each hands out what it has oldest first; which of them are looked at, chance decides.

    ``draw`` gives a number from 0 up to 1; with a single server that is always up it is never asked, and the order is that
    of the messages' arrival.
    """

    def __init__(
        self, messages: Mapping[int, Stored], draw: Callable[[], float], servers: int = 1, unreachable: float = 0.0
    ) -> None:
        self._messages = messages
        self._draw = draw
        self._ready: list[list[int]] = [[] for _ in range(servers)]
        self._unreachable = unreachable

    def add(self, stored: Stored) -> None:
        """Choose where a new message's copies are."""
        stored.servers = tuple(self._some(min(COPIES, len(self._ready))))

    def show(self, stored: Stored, *, again: bool) -> None:
        """A message is available now, for the first time or ``again`` after it was in flight."""
        stored.stray = ()
        for server in stored.servers:
            heappush(self._ready[server], stored.number)

    def take(self, stored: Stored) -> None:
        """A message was received: servers that can't be reached don't know it."""
        stored.stray = tuple(self._missed(stored))

    def keeps(self, stored: Stored) -> bool:
        """A message is to be deleted: whether a server that can't be reached keeps a copy, which will come again."""
        survivors = tuple(self._missed(stored))
        if survivors:
            stored.servers = survivors
        return bool(survivors)

    def discard(self, stored: Stored) -> None:
        """A message left for good. What the servers still know of it is found out when they come upon it."""

    def offer(self, *, everywhere: bool) -> Iterator[Stored]:
        """Messages that can be received, one at a time; each must be taken or discarded before the next is asked for."""
        ready, draw = self._ready, self._draw
        asked = list(range(len(ready))) if everywhere else self._some((len(ready) + 1) // 2)
        asked = [server for server in asked if ready[server]]
        given: set[int] = set()
        again: list[tuple[int, int]] = []
        try:
            while asked:
                place = 0
                if len(asked) > 1:
                    one, other = int(draw() * len(asked)), int(draw() * len(asked))
                    place = one if ready[asked[one]][0] <= ready[asked[other]][0] else other
                server = asked[place]
                number = heappop(ready[server])
                if not ready[server]:
                    asked.pop(place)
                stored = self._messages.get(number)
                if stored is None or not (stored.state == AVAILABLE or server in stored.stray):
                    continue
                if number in given:
                    # One answer holds no message twice; the other copy stays where it is.
                    again.append((server, number))
                    continue
                given.add(number)
                yield stored
        finally:
            for server, number in again:
                heappush(ready[server], number)

    def _some(self, count: int) -> list[int]:
        """So many different servers, by chance."""
        servers = list(range(len(self._ready)))
        if count >= len(servers):
            return servers
        return [servers.pop(int(self._draw() * len(servers))) for _ in range(count)]

    def _missed(self, stored: Stored) -> list[int]:
        """The servers with a copy that can't be reached now; at least one is always reached, or nothing would be done."""
        if not self._unreachable or len(stored.servers) < 2:
            return []
        missed = [server for server in stored.servers if self._draw() < self._unreachable]
        return missed if len(missed) < len(stored.servers) else missed[1:]
