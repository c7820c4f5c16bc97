"""Scenarios at random, for properties that must hold on all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from simulator import (
    Bursty,
    Consumer,
    Crash,
    Cut,
    Drop,
    Duplicate,
    Exponential,
    Fixed,
    Link,
    ListedKeys,
    LogNormal,
    Pause,
    Poisson,
    Producer,
    Scenario,
    Slow,
    Span,
    Topic,
    Uniform,
    UniformKeys,
)

seeds = st.integers(0, 2**32)
times = st.integers(0, 600)
chances = st.sampled_from([0.1, 0.5, 1.0])

latencies = st.one_of(
    st.builds(Fixed, st.sampled_from([0, 1, 2.5, 20])),
    st.builds(lambda low, width: Uniform(low, low + width), st.integers(0, 5), st.integers(0, 30)),
    st.builds(Exponential, st.integers(1, 20)),
    st.builds(LogNormal, st.integers(1, 20), st.sampled_from([0, 0.5, 1])),
)

spans = st.builds(lambda start, lasting: Span(start, start + lasting), times, st.integers(0, 300))


def node_faults(node: str, *kinds: str) -> st.SearchStrategy[Crash | Pause]:
    """Crashes and pauses of a node, at a time or after one of these kinds of step."""
    when = st.one_of(
        st.builds(lambda at: {"at": at}, times),
        st.builds(lambda after, nth: {"after": after, "nth": nth}, st.sampled_from(kinds), st.integers(1, 6)),
    )
    crashes = st.builds(lambda when, again: Crash(node, restart_after=again, **when), when, st.none() | st.integers(0, 300))
    pauses = st.builds(lambda when, lasting: Pause(node, lasting=lasting, **when), when, st.integers(1, 300))
    return st.one_of(crashes, pauses)


def link_faults(one: str, other: str, *kinds: str) -> st.SearchStrategy[Drop | Duplicate | Slow | Cut]:
    """Faults of what goes between two nodes, either way."""
    ends = st.sampled_from([(one, other), (other, one)])
    chosen = st.fixed_dictionaries(
        {},
        optional={
            "kind": st.sampled_from(kinds),
            "nth": st.integers(1, 5),
            "during": spans,
            "probability": chances,
        },
    )
    return st.one_of(
        st.builds(lambda ends, how: Drop(*ends, **how), ends, chosen),
        st.builds(lambda ends, how, after: Duplicate(*ends, after=after, **how), ends, chosen, st.integers(0, 40)),
        st.builds(
            lambda ends, how, by, jitter: Slow(*ends, by=by, jitter=jitter, **how), ends, chosen, times, st.integers(0, 9)
        ),
        st.builds(lambda ends, how, way: Cut(*ends, direction=way, **how), ends, chosen, st.sampled_from(["both", "there"])),
    )


CONSUMERS = ("billing", "shipping")


@st.composite
def streams(draw: st.DrawFn, most_faults: int = 5) -> Scenario:
    """A shop that writes to a topic which one or two consumers read, with anything going wrong."""
    shop = Producer(
        "shop",
        draw(st.sampled_from([20, 50, Poisson(40), Bursty(10, 100, Span(100, 300))])),
        keys=draw(st.sampled_from([UniformKeys(3), ListedKeys(["x", None, "y"])])),
        acks=draw(st.sampled_from(["all", 0])),
        retries=draw(st.sampled_from([0, 2, 100])),
        request_timeout_ms=60,
        delivery_timeout_ms=500,
        retry_backoff_ms=20,
    )
    group = draw(st.sampled_from(["", "everyone"]))
    readers = [
        Consumer(
            name,
            group=group,
            work=draw(st.sampled_from([0, 5, 30])),
            commit=draw(st.sampled_from(["after", "before"])),
            commit_sync=draw(st.booleans()),
            idempotent=draw(st.booleans()),
            concurrency=draw(st.integers(1, 3)),
            max_poll_records=draw(st.sampled_from([1, 3, 500])),
            fetch_max_wait_ms=40,
            request_timeout_ms=80,
            auto_offset_reset=draw(st.sampled_from(["earliest", "latest"])),
        )
        for name in CONSUMERS[: draw(st.integers(1, 2))]
    ]
    names = ["shop", *(reader.name for reader in readers)]
    going_wrong = st.one_of(
        *(link_faults(name, "orders", "OrderCreated", "ack", "fetch", "records", "commit") for name in names),
        *(node_faults(reader.name, "delivered", "fetched", "started", "processed", "sent", "resumed") for reader in readers),
        node_faults("orders", "appended", "committed", "sent", "paused"),
        node_faults("shop", "created", "sent", "acknowledged", "lost", "restarted"),
    )
    return Scenario(
        [shop, Topic("orders", draw(st.integers(1, 3))), *readers],
        [
            Link(*ends, latency=draw(latencies), ordered=draw(st.booleans()))
            for ends in [("shop", "orders"), *(("orders", reader.name) for reader in readers)]
        ],
        draw(st.lists(going_wrong, max_size=most_faults)),
        duration=900,
    )
