"""Who reads what, and who has to stop, as members come and go: our groups against Kafka's real client."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conformance.kafka_group_twin import Client, RealGroup, Script, Seen, by_decisions, by_nodes, play
from tests.conformance.kafka_mock import MockCluster

pytestmark = pytest.mark.conformance

COMINGS_AND_GOINGS = (
    ("join", "a"),
    ("join", "b"),
    ("join", "c"),
    ("leave", "b"),
    ("join", "d"),
    ("leave", "a"),
    ("leave", "c"),
)
SOME_WANT_OTHERS = {"a": ("t0", "t1"), "b": ("t1",), "c": ("t0",)}
WRITTEN = {
    "range, two topics": Script("range", {"t0": 3, "t1": 4}, COMINGS_AND_GOINGS),
    "range, subscriptions that differ": Script("range", {"t0": 4, "t1": 3}, COMINGS_AND_GOINGS, SOME_WANT_OTHERS),
    "range, more members than partitions": Script("range", {"t0": 1, "t1": 2}, COMINGS_AND_GOINGS),
    "roundrobin, two topics": Script("roundrobin", {"t0": 3, "t1": 4}, COMINGS_AND_GOINGS),
    "roundrobin, subscriptions that differ": Script("roundrobin", {"t0": 4, "t1": 3}, COMINGS_AND_GOINGS, SOME_WANT_OTHERS),
    "cooperative-sticky, one topic": Script("cooperative-sticky", {"t0": 6}, COMINGS_AND_GOINGS),
    "cooperative-sticky, two topics": Script("cooperative-sticky", {"t0": 3, "t1": 4}, COMINGS_AND_GOINGS),
    "cooperative-sticky, more members than partitions": Script("cooperative-sticky", {"t0": 2}, COMINGS_AND_GOINGS),
}


def played(cluster: MockCluster, scripts: list[Script]) -> list[RealGroup]:
    """What happened in the real groups of these scripts."""
    clients: list[Client] = []
    groups = [RealGroup(cluster, script, clients) for script in scripts]
    try:
        play([group.play() for group in groups], clients)
    finally:
        for client in clients:
            client.close()
    return groups


@pytest.fixture(scope="module")
def written(kafka_mock: MockCluster) -> dict[str, RealGroup]:
    """All written scripts, played side by side."""
    return dict(zip(WRITTEN, played(kafka_mock, list(WRITTEN.values())), strict=True))


def moved(seen: list[Seen]) -> list[tuple[list[int], int]]:
    """As much as the sticky assignors promise: after each step how many partitions each member reads, the least first, and how
    many were given up for that. Which of several equal members gives them up is left open."""
    return [(sorted(map(len, each.reads.values())), sum(map(len, each.gave_up.values()))) for each in seen]


def gave_up_what_moved(seen: list[Seen]) -> None:
    """In a cooperative group nobody stops reading what it goes on reading afterwards."""
    before: dict[str, frozenset[str]] = {}
    for each in seen:
        assert each.gave_up == {name: before[name] - each.reads[name] for name in each.gave_up}
        before = each.reads


def compare(script: Script, real: RealGroup, ours: list[Seen]) -> None:
    if script.assignor == "cooperative-sticky":
        assert moved(ours) == moved(real.seen)
        gave_up_what_moved(ours)
        gave_up_what_moved(real.seen)
    else:
        assert ours == real.seen


@pytest.mark.parametrize("by", [by_decisions, by_nodes])
@pytest.mark.parametrize("name", WRITTEN)
def test_members_read_and_give_up_what_kafkas_clients_do(
    written: dict[str, RealGroup], name: str, by: Callable[[Script, dict[str, str]], list[Seen]]
) -> None:
    real = written[name]

    compare(WRITTEN[name], real, by(WRITTEN[name], real.ids))


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    assignor = draw(st.sampled_from(["range", "roundrobin", "cooperative-sticky"]))
    topics = draw(st.dictionaries(st.sampled_from(["t0", "t1"]), st.integers(1, 6), min_size=1))
    some = st.lists(st.sampled_from(sorted(topics)), min_size=1, unique=True).map(tuple)
    if assignor == "cooperative-sticky":
        # librdkafka's gives up other partitions than Kafka's; where members want different topics that changes later shares.
        some = st.just(tuple(sorted(topics)))
    steps: list[tuple[str, str]] = []
    subscriptions: dict[str, tuple[str, ...]] = {}
    present: list[str] = []
    for number in range(draw(st.integers(3, 6))):
        if present and (len(present) == 4 or draw(st.integers(0, 2)) == 0):
            steps.append(("leave", present.pop(draw(st.integers(0, len(present) - 1)))))
        else:
            present.append(f"member {number}")
            steps.append(("join", present[-1]))
            subscriptions[present[-1]] = draw(some)
    return Script(assignor, topics, steps, subscriptions)


@given(st.lists(scripts(), min_size=8, max_size=8))
@settings(
    max_examples=3,
    # A script that fails is not made smaller: each attempt would take its time.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_comings_and_goings_lead_to_what_they_do_with_kafkas_clients(
    kafka_mock: MockCluster, some: list[Script]
) -> None:
    for script, real in zip(some, played(kafka_mock, some), strict=True):
        compare(script, real, by_decisions(script, real.ids))
