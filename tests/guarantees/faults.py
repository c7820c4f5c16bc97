"""What may go wrong with nodes and links, at random, and is over after three seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from simulator import Crash, Cut, Drop, Duplicate, Pause, Slow, Span

seeds = st.integers(0, 2**32)
times = st.integers(50, 2_500)
lasts = st.integers(20, 1_500)
spans = st.builds(lambda start, lasting: Span(start, min(start + lasting, 3_000)), times, lasts)


def crashes(nodes: Sequence[str], *steps: str) -> st.SearchStrategy[Crash]:
    """One of the nodes goes, at some time or after some step of its own, and comes back."""
    when = st.one_of(
        st.fixed_dictionaries({"at": times}),
        st.fixed_dictionaries({"after": st.sampled_from(steps), "nth": st.integers(1, 60)}),
    )
    return st.builds(lambda node, back, when: Crash(node, restart_after=back, **when), st.sampled_from(nodes), lasts, when)


def pauses(nodes: Sequence[str]) -> st.SearchStrategy[Pause]:
    """One of the nodes freezes for a while."""
    return st.builds(lambda node, at, lasting: Pause(node, at=at, lasting=lasting), st.sampled_from(nodes), times, lasts)


def on_links(ends: Sequence[tuple[str, str]], *kinds: str) -> st.SearchStrategy[Any]:
    """A link is cut, or loses, doubles or delays some of what goes one way."""
    ways = st.sampled_from([way for one, other in ends for way in ((one, other), (other, one))])
    some = st.fixed_dictionaries(
        {"kind": st.sampled_from(kinds), "during": spans, "probability": st.sampled_from([0.1, 0.5, 1.0])}
    )
    return st.one_of(
        st.builds(
            lambda way, during, how: Cut(*way, during=during, direction=how), ways, spans, st.sampled_from(["both", "there"])
        ),
        st.builds(lambda way, some: Drop(*way, **some), ways, some),
        st.builds(lambda way, some, after: Duplicate(*way, after=after, **some), ways, some, st.integers(0, 100)),
        st.builds(lambda way, some, by: Slow(*way, by=by, **some), ways, some, st.integers(1, 100)),
    )


def losses(ends: Sequence[tuple[str, str]], *kinds: str) -> list[Drop]:
    """Single losses, either way: what the shortest example of a broken promise is made of."""
    ways = [way for one, other in ends for way in ((one, other), (other, one))]
    return [Drop(*way, kind=kind, nth=nth) for way in ways for kind in kinds for nth in (1, 2, 3)]


def falls(nodes: Sequence[str], *steps: str) -> list[Crash]:
    """Single crashes, each right after a step."""
    return [Crash(node, after=step, nth=nth, restart_after=50) for node in nodes for step in steps for nth in (1, 2, 3)]
