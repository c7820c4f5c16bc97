"""Links, latencies, faults: what becomes of a transmission.

A transmission is a tuple of delays: ``()`` is a loss, ``(5.0,)`` a delivery, ``(5.0, 9.0)`` a duplicate; unequal delays
reorder. A link fault is a function from delays to delays, so any number of them compose, in the order in which
the scenario lists them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from random import Random
from statistics import NormalDist
from typing import Literal, TypeAlias

from attrs import asdict, field, frozen

from simulator.message import Message
from simulator.validation import at_least, not_negative, one_of, optional, positive, probability
from simulator.values import Part, Span

Delays: TypeAlias = tuple[float, ...]
Change: TypeAlias = Callable[[float, Message, Delays], Delays]
"""A fault at work on one link: (now, message, delays) -> delays."""

Streams: TypeAlias = Callable[[str], Random]
"""Gives the random stream of a name; each name has its own."""

_STANDARD_NORMAL = NormalDist()


class Latency(Part):
    """How long a message is under way. ``sampler`` draws from one stream, and from `Random.random` alone: that
    method's sequence is the only one that Python promises to keep from version to version."""

    def sampler(self, stream: Random) -> Callable[[], float]:
        raise NotImplementedError

    def problems(self, called: str) -> Iterator[str]:
        return iter(())


@frozen
class Fixed(Latency):
    """Always the same."""

    ms: float = field(metadata=not_negative("ms"))

    def sampler(self, stream: Random) -> Callable[[], float]:
        ms = self.ms
        return lambda: ms


@frozen
class Uniform(Latency):
    """Anything between ``low`` and ``high``, equally likely."""

    low: float = field(metadata=not_negative("ms"))
    high: float = field(metadata=not_negative("ms"))

    def sampler(self, stream: Random) -> Callable[[], float]:
        low, width, draw = self.low, self.high - self.low, stream.random
        return lambda: low + width * draw()

    def problems(self, called: str) -> Iterator[str]:
        if self.high < self.low:
            yield f"{called}: Uniform({self.low}, {self.high}) ends before it begins; swap the two."


@frozen
class Exponential(Latency):
    """Mostly short, now and then long: ``mean`` ms on average, without memory."""

    mean: float = field(metadata=positive("ms"))

    def sampler(self, stream: Random) -> Callable[[], float]:
        mean, draw, log = self.mean, stream.random, math.log
        return lambda: -mean * log(1.0 - draw())


@frozen
class LogNormal(Latency):
    """What real networks show most: half of all below ``median``, a long tail; ``sigma`` is the spread of the logarithm."""

    median: float = field(metadata=positive("ms"))
    sigma: float = field(default=0.5, metadata=not_negative())

    def sampler(self, stream: Random) -> Callable[[], float]:
        median, sigma, draw, quantile, exp = self.median, self.sigma, stream.random, _STANDARD_NORMAL.inv_cdf, math.exp
        return lambda: median * exp(sigma * quantile(draw() or 0.5))


def as_latency(value: float | Latency) -> Latency:
    """A plain number of milliseconds means `Fixed`."""
    return value if isinstance(value, Latency) else Fixed(value)


@frozen
class Link(Part):
    """Joins two nodes, both ways; pictures draw it from ``source`` to ``target``, the way the data flows.

    ``bandwidth`` is in bytes per millisecond (None: no limit) and is shared by all that goes one way. An ``ordered`` link
    lets no message overtake an earlier one, as one TCP connection does; without it, unequal latencies reorder.
    """

    source: str
    target: str
    latency: Latency = field(default=Fixed(1.0), converter=as_latency, kw_only=True)
    bandwidth: float | None = field(default=None, metadata=optional(positive("bytes/ms")), kw_only=True)
    ordered: bool = field(default=False, kw_only=True)

    def other(self, name: str) -> str | None:
        """The node at the far end, seen from ``name``; None if the link does not touch it."""
        return self.target if name == self.source else self.source if name == self.target else None


class Fault(Part):
    """Something that goes wrong, as data."""


@frozen(kw_only=True)
class _Chosen:
    """Which transmissions a link fault concerns: by meaning (kind, key, which one) or by a window of time."""

    kind: str | None = None
    nth: int | None = field(default=None, metadata=at_least(1, or_none=True))
    """Only the nth transmission that fits the rest, counted from 1, retries included."""
    key: str | None = None
    during: Span | None = None
    probability: float = field(default=1.0, metadata=probability())


@frozen
class LinkFault(Fault, _Chosen):
    """A fault of what goes from ``source`` to ``target``; a subclass says what it does to the delays."""

    source: str
    target: str

    @property
    def between(self) -> tuple[str, str]:
        return self.source, self.target

    def touches(self, source: str, target: str) -> bool:
        """Whether it concerns what goes this way."""
        return (source, target) == (self.source, self.target)

    def change(self, delays: Delays, draw: Callable[[], float]) -> Delays:
        """The delays of a transmission that it hits."""
        raise NotImplementedError

    def arm(self, stream: Random) -> Change:
        """The fault at work in one run: it counts what fits, and draws, by itself. It is given messages of its kind only."""
        nth, key, during, chance = self.nth, self.key, self.during, self.probability
        change, draw = self.change, stream.random
        seen = 0

        def any_of_them(now: float, message: Message, delays: Delays) -> Delays:
            return change(delays, draw) if draw() < chance else delays

        def chosen_ones(now: float, message: Message, delays: Delays) -> Delays:
            nonlocal seen
            if key is not None and message.key != key or during is not None and now not in during:
                return delays
            seen += 1
            if nth is not None and seen != nth or chance < 1.0 and draw() >= chance:
                return delays
            return change(delays, draw)

        return any_of_them if nth is None and key is None and during is None and chance < 1.0 else chosen_ones


@frozen
class Drop(LinkFault):
    """What fits is lost."""

    def change(self, delays: Delays, draw: Callable[[], float]) -> Delays:
        return ()


@frozen
class Duplicate(LinkFault):
    """What fits arrives once more, ``after`` ms behind its first copy (plus anything up to ``jitter`` ms)."""

    after: float = field(default=1.0, kw_only=True, metadata=not_negative("ms"))
    jitter: float = field(default=0.0, kw_only=True, metadata=not_negative("ms"))

    def change(self, delays: Delays, draw: Callable[[], float]) -> Delays:
        if not delays:
            return delays
        return (*delays, delays[0] + self.after + (self.jitter * draw() if self.jitter else 0.0))


@frozen
class Slow(LinkFault):
    """What fits takes ``factor`` times as long, and ``by`` ms more (plus anything up to ``jitter`` ms)."""

    by: float = field(default=0.0, kw_only=True, metadata=not_negative("ms"))
    factor: float = field(default=1.0, kw_only=True, metadata=not_negative())
    jitter: float = field(default=0.0, kw_only=True, metadata=not_negative("ms"))

    def change(self, delays: Delays, draw: Callable[[], float]) -> Delays:
        return tuple(delay * self.factor + self.by + (self.jitter * draw() if self.jitter else 0.0) for delay in delays)


@frozen
class Cut(LinkFault):
    """A network partition: nothing that is *sent* while it lasts arrives, in one direction or both.

    What is in flight when it begins has left the broken stretch behind and still arrives.
    """

    direction: Literal["both", "there"] = field(default="both", kw_only=True, metadata=one_of("both", "there"))
    """``there`` cuts from ``source`` to ``target`` only."""

    def touches(self, source: str, target: str) -> bool:
        there = (source, target) == (self.source, self.target)
        return there or self.direction == "both" and (target, source) == (self.source, self.target)

    def change(self, delays: Delays, draw: Callable[[], float]) -> Delays:
        return ()


@frozen
class NodeFault(Fault):
    """A fault of a node: at a time (``at``), or right after its nth step of a kind (``after``, ``nth``, ``key``)."""

    node: str
    at: float | None = field(default=None, kw_only=True, metadata=optional(not_negative("ms")))
    after: str | None = field(default=None, kw_only=True)
    """A kind of step: ``"processed"`` strikes when the node has just recorded one."""
    nth: int = field(default=1, kw_only=True, metadata=at_least(1))
    key: str | None = field(default=None, kw_only=True)


@frozen
class Crash(NodeFault):
    """The node stops at once; memory is lost, durable state stays. It begins again ``restart_after`` ms later, or
    never (None).

    What reaches a node that is down is lost.
    """

    restart_after: float | None = field(default=None, kw_only=True, metadata=optional(not_negative("ms")))


@frozen
class Pause(NodeFault):
    """The node freezes for ``lasting`` ms (a long garbage collection, say): nothing is lost, what arrives waits."""

    lasting: float = field(kw_only=True, metadata=positive("ms"))


class Lane:
    """What all messages that go one way over a link share: the wire's time, and the order on an ordered link."""

    __slots__ = ("free_at", "last_arrival")

    def __init__(self) -> None:
        self.free_at = 0.0
        self.last_arrival = 0.0


class Channel:
    """One kind of message going one way over a link, in one run: decides what becomes of each transmission."""

    __slots__ = ("_changes", "_lane", "_link", "_sample", "plain", "reason")

    def __init__(self, link: Link, lane: Lane, sample: Callable[[], float], changes: tuple[tuple[str, Change], ...]) -> None:
        self._link = link
        self._lane = lane if link.bandwidth is not None or link.ordered else None
        self._sample = sample
        self._changes = changes
        self.reason = ""
        """The name of the fault that made the latest loss."""
        self.plain = sample if self._lane is None and not changes else None
        """The latency's own draw, where nothing else has a say: then one delay is all there ever is."""

    def delays(self, now: float, message: Message) -> Delays:
        """The delays of one transmission that is sent now, in milliseconds."""
        delays: Delays = (self._sample(),)
        if self._lane is not None:
            delays = (self._on_the_wire(self._lane, now, message) + delays[0],)
        for name, change in self._changes:
            changed = change(now, message, delays)
            if delays and not changed:
                self.reason = name
            delays = changed
        if self._link.ordered and self._lane is not None:
            delays = tuple(self._behind_the_last(self._lane, now, delay) for delay in delays)
        return delays

    def _on_the_wire(self, lane: Lane, now: float, message: Message) -> float:
        if self._link.bandwidth is None:
            return 0.0
        begins = max(now, lane.free_at)
        lane.free_at = begins + message.size / self._link.bandwidth
        return lane.free_at - now

    @staticmethod
    def _behind_the_last(lane: Lane, now: float, delay: float) -> float:
        if now + delay < lane.last_arrival:
            delay = lane.last_arrival - now
            while now + delay < lane.last_arrival:
                # The difference was rounded down: by so little, but a message must not overtake by a little either.
                delay = math.nextafter(delay, math.inf)
        lane.last_arrival = now + delay
        return delay


def stream_of(fault: LinkFault) -> str:
    """The name of a fault's random stream: what the fault says, so that adding another fault leaves this one's draws alone.

    A whole number and the same number as a float say the same.
    """
    said = asdict(fault, value_serializer=lambda _, __, held: float(held) if held.__class__ is int else held)
    return f"fault/{type(fault).__name__}/{said}"


class Network:
    """All links of a run with their faults at work; makes a channel for each way and kind when it is first used."""

    def __init__(self, links: Sequence[Link], faults: Sequence[Fault], streams: Streams) -> None:
        self._streams = streams
        self._links: dict[tuple[str, str], Link] = {}
        for link in links:
            self._links[link.source, link.target] = self._links[link.target, link.source] = link
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._armed: list[tuple[LinkFault, Change]] = []
        alike: dict[str, int] = {}
        for fault in faults:
            if isinstance(fault, LinkFault):
                told = stream_of(fault)
                alike[told] = alike.get(told, 0) + 1
                self._armed.append((fault, fault.arm(streams(f"{told}/{alike[told]}"))))

    def channel(self, source: str, target: str, kind: str) -> Channel:
        """Raises KeyError if no link joins the two."""
        link = self._links[source, target]
        lane = self._lanes.setdefault((source, target), Lane())
        changes = tuple(
            (type(fault).__name__, change)
            for fault, change in self._armed
            if fault.touches(source, target) and fault.kind in (None, kind)
        )
        sample = link.latency.sampler(self._streams(f"link/{source}/{target}/{kind}"))
        if type(link.latency).__module__ != __name__:
            sample = _checked(link.latency, sample)
        return Channel(link, lane, sample, changes)


def _checked(latency: Latency, sample: Callable[[], float]) -> Callable[[], float]:
    """The draws of a latency that was written elsewhere: none may make a message arrive before it was sent."""

    def draw() -> float:
        ms = sample()
        if not ms >= 0:
            raise ValueError(f"{latency!r} drew {ms} ms; a message can't arrive before it was sent")
        return ms

    return draw
