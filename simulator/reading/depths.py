"""How much stands in queues to be had, over time: in a broker's queues, and in queues whose messages hide."""

from __future__ import annotations

from simulator.reading.memo import remembered
from simulator.trace import Trace
from simulator.vocabulary import ENQUEUED, KINDS, READIED, REAPPEARED, REDRIVEN, REQUEUED

_OF_BROKERS = ("readied", "requeued", "dispatched", "settled")
"""What happens to a message in a queue of a broker that routes."""

_OF_QUEUES = ("enqueued", "reappeared", "received", "extended", "deleted", "expired", "dead_lettered", "redriven")
"""What happens to a message in a queue whose messages hide."""

_BROKERS = frozenset(KINDS[name].code for name in _OF_BROKERS)
_COMES = (READIED, REQUEUED, ENQUEUED, REAPPEARED)


@remembered
def depths(trace: Trace) -> dict[str, list[tuple[float, int]]]:
    """By queue: (time, how many messages can be had) after each change, beginning at 0 ms.

    A queue goes by the name that its broker has for it, or by its node's. What was handed out and is not acknowledged, what is
    hidden and what is delayed is not to be had.
    """
    there: dict[str, set[int]] = {}
    found: dict[str, list[tuple[float, int]]] = {}
    for _, time, kind, node, _, _, a, b, _ in trace.rows(*_OF_BROKERS, *_OF_QUEUES):
        queue, message = (str(trace.values[a]), b) if kind in _BROKERS else (trace.nodes[node], a)
        if kind == REDRIVEN and queue not in there:
            # A shovel moves it: the queues say themselves what leaves them and what comes.
            continue
        held, series = there.setdefault(queue, set()), found.setdefault(queue, [(0.0, 0)])
        delayed = kind == ENQUEUED and b > 0
        if kind in _COMES and not delayed:
            held.add(message)
        else:
            held.discard(message)
        if series[-1][0] == time:
            series.pop()
        series.append((time, len(held)))
    return found
