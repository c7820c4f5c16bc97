"""Who leads, who decides it, and how brokers come and go, in clusters that run."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from simulator import Crash, Cut, Drop, Duplicate, Election, KafkaProducer, KafkaTopic, Pause, Span, Trace, run
from tests.kafka import SWIFT, SWIFT_SESSION, Logs, cluster_of, leaders, swift

SHOP = KafkaProducer("shop", every=20, count=100, linger_ms=0, request_timeout_ms=300, retry_backoff_ms=20)
ORDERS = KafkaTopic("orders", replication_factor=3, min_insync_replicas=2)
ALONE = ORDERS, KafkaTopic("alone", replication_factor=1)


def times(trace: Trace, kind: str, node: str) -> list[float]:
    """When the controller did this to a broker (``fenced``, ``unfenced``), or a broker did it itself."""
    return [step.time for step in trace.select(kind) if node in (step.node, step.data.get("broker"))]


def acknowledged_and_lost(trace: Trace) -> tuple[int, int]:
    """How many records the producer knows to be stored, and how many of them are in no log at the end."""
    kept = {record for log in Logs(trace).of("orders-0").values() for record in log.values()}
    known = {step.message.id for step in trace.select("acknowledged") if step.message}
    return len(known), len(known - kept)


def isolated(broker: str, during: Span, *others: str) -> list[Cut]:
    return [Cut(broker, other, during=during) for other in others]


def overtaking(**how: Any) -> Trace:
    """A run over links on which a late copy of a message holds nothing up."""
    ordered = cluster_of(
        SHOP, topics=[ORDERS], brokers=SWIFT, broker_session_timeout_ms=SWIFT_SESSION, duration=5_000, **how
    )
    return run(ordered.but(links=[evolve(link, ordered=False) for link in ordered.links]), seed=1)


def test_the_next_replica_in_sync_leads_when_the_leader_was_not_heard_of_for_a_session():
    trace = swift(SHOP, topics=[ORDERS], faults=[Crash("broker-1", at=450)], duration=2_500)

    assert leaders(trace) == ["broker-1", "broker-2"]
    # The last heartbeat arrived at 401 ms.
    assert times(trace, "fenced", "broker-1") == [901.0]
    assert acknowledged_and_lost(trace) == (100, 0)


def test_a_broker_that_restarts_within_its_former_life_s_session_is_taken_in_only_when_that_is_over():
    trace = swift(SHOP, topics=[ORDERS], faults=[Crash("broker-1", at=450, restart_after=100)], duration=2_500)

    (fenced,), (unfenced,) = times(trace, "fenced", "broker-1"), times(trace, "unfenced", "broker-1")
    assert times(trace, "restarted", "broker-1") == [550.0]
    assert (fenced, leaders(trace)) == (901.0, ["broker-1", "broker-2"])
    assert 901 < unfenced < 1_100
    assert acknowledged_and_lost(trace) == (100, 0)


def test_a_late_copy_of_a_heartbeat_fences_nobody_and_one_of_a_former_life_counts_for_nothing():
    faults = [
        Crash("broker-1", at=450, restart_after=700),
        Duplicate("broker-1", "controller", kind="broker_heartbeat", during=Span(399, 401), after=1_700),
        Duplicate("broker-1", "controller", kind="broker_heartbeat", during=Span(1_149, 1_151), after=900),
    ]

    trace = overtaking(faults=faults)

    assert [step.time for step in trace.select("delivered", node="controller") if step["copy"]] == [2_051.0, 2_101.0]
    assert [step.time for step in trace.select("ignored", node="controller")] == [2_101.0]
    assert len(times(trace, "fenced", "broker-1")) == len(times(trace, "unfenced", "broker-1")) == 1


def test_late_news_of_who_leads_makes_no_leader_of_a_broker_that_has_just_started():
    # The news that broker-1 leads again is copied, and the copy comes when the broker has lost that lead and restarted.
    elections = [Election(3_000, "orders")]
    faults = [
        Crash("broker-1", at=450, restart_after=700),
        Crash("broker-1", at=3_050, restart_after=300),
        Duplicate("controller", "broker-1", kind="leadership", during=Span(2_999, 3_001), after=360),
    ]

    trace = overtaking(elections=elections, faults=faults)

    late = [step.time for step in trace.select("delivered", node="broker-1") if step["copy"]]
    assert late == [3_361.0]
    promoted = [step.time for step in trace.select("promoted", node="broker-1") if step["partition"] == "orders-0"]
    assert promoted == [0.0, 3_001.0]


def test_a_broker_that_was_cut_off_is_unfenced_by_its_first_heartbeat():
    cut = isolated("broker-3", Span(450, 1_550), "controller")

    trace = swift(SHOP, topics=[ORDERS], faults=cut, duration=3_000)

    assert (times(trace, "fenced", "broker-3"), times(trace, "unfenced", "broker-3")) == ([901.0], [1_601.0])


@pytest.mark.parametrize(("acks", "loses"), [(1, True), ("all", False)])
def test_a_leader_cut_off_from_the_others_goes_on_for_itself_and_acks_all_waits(acks: Any, loses: bool):
    cut = isolated("broker-1", Span(300, 2_000), "controller", "broker-2", "broker-3")

    trace = swift(evolve(SHOP, acks=acks), topics=[ORDERS], faults=cut, duration=4_000)

    known, lost = acknowledged_and_lost(trace)
    both_lead = [step.time for step in trace.select("promoted", node="broker-2") if step["partition"] == "orders-0"]
    appended_apart = [step for step in trace.select("appended", node="broker-1") if step.time > both_lead[0]]
    assert (known, lost > 0) == (100, loses)
    assert (len(appended_apart) > 0) or acks == "all"
    assert [step.node for step in trace.select("truncated")] == ["broker-1"]


@pytest.mark.parametrize(("acks", "loses"), [(1, True), ("all", False)])
def test_a_leader_that_sleeps_through_its_session_wakes_up_as_a_leader_and_is_told(acks: Any, loses: bool):
    patient = evolve(SHOP, acks=acks, request_timeout_ms=2_000)

    trace = swift(patient, topics=[ORDERS], faults=[Pause("broker-1", at=310, lasting=1_000)], duration=4_000)

    assert leaders(trace)[:2] == ["broker-1", "broker-2"]
    assert (acknowledged_and_lost(trace)[1] > 0) == loses


def test_who_shuts_down_hands_over_first_and_stops_when_all_others_know():
    brokers = [evolve(SWIFT[0], shut_down_at=450), *SWIFT[1:]]
    no_news = Drop("controller", "broker-3", kind="leadership", during=Span(440, 500))

    trace = swift(SHOP, topics=[ORDERS], brokers=brokers, faults=[no_news], duration=3_000)

    (stopped,), (fenced,) = times(trace, "stopped", "broker-1"), trace.select("fenced")
    told = [step.time for step in trace.select("demoted", node="broker-3") if step["epoch"] == 1]
    # broker-3 hears of it in the answer to its heartbeat at 500, and says so at 600.
    assert told[0] == 502.0
    assert (fenced.time, fenced["reason"], stopped) == (701.0, "it shuts down", 702.0)
    assert acknowledged_and_lost(trace) == (100, 0)


def first_request_for_copies(trace: Trace, to: str, since: float) -> float:
    """When broker-3 first asks a broker for copies from a time on."""
    said = (
        (step, step.message) for step in trace.select("sent", node="broker-3") if step.time >= since and step["to"] == to
    )
    return next(step.time for step, message in said if message.kind == "replicate" and not message.in_reply_to)


def test_a_follower_that_was_turned_away_asks_the_new_leader_as_soon_as_it_is_told():
    resting = [evolve(broker, replica_fetch_backoff_ms=1_000) for broker in SWIFT]
    brokers = [evolve(resting[0], shut_down_at=450), *resting[1:]]
    no_news = Drop("controller", "broker-3", kind="leadership", during=Span(440, 500))

    trace = swift(SHOP, topics=[ORDERS], brokers=brokers, faults=[no_news], duration=1_500)

    told = [step.time for step in trace.select("demoted", node="broker-3") if step["leader"] == "broker-2"]
    assert first_request_for_copies(trace, "broker-2", told[0]) == told[0]


def test_a_request_that_died_with_a_leader_is_not_waited_for_when_that_one_leads_again():
    patient = [evolve(broker, replica_socket_timeout_ms=30_000) for broker in SWIFT]
    crash = Crash("broker-1", at=450, restart_after=700)

    trace = swift(
        SHOP, topics=[ORDERS], brokers=patient, faults=[crash], elections=[Election(1_800, "orders")], duration=4_000
    )

    assert leaders(trace) == ["broker-1", "broker-2", "broker-1"]
    assert first_request_for_copies(trace, "broker-1", 1_500) == 1_801.0
    assert acknowledged_and_lost(trace) == (100, 0)


def test_who_leads_nothing_may_stop_at_once():
    brokers = [*SWIFT[:1], evolve(SWIFT[1], shut_down_at=450), *SWIFT[2:]]

    trace = swift(SHOP, topics=[ORDERS], brokers=brokers, duration=1_000)

    assert times(trace, "stopped", "broker-2") == [452.0]


def test_the_only_replica_in_sync_stops_and_nobody_leads_until_it_is_back():
    brokers = [evolve(SWIFT[0], shut_down_at=450, start_again_after=1_000), *SWIFT[1:]]
    shop = evolve(SHOP, topic="alone")

    trace = swift(shop, topics=ALONE, brokers=brokers, duration=4_000)

    assert leaders(trace, "alone-0") == ["broker-1", None, "broker-1"]
    assert len(Logs(trace).of("alone-0")["broker-1"]) == 100


def test_a_broker_that_was_started_again_follows_and_leads_again_after_the_next_check():
    brokers = [evolve(SWIFT[0], shut_down_at=450, start_again_after=300), *SWIFT[1:]]

    trace = swift(SHOP, topics=[ORDERS], brokers=brokers, leader_imbalance_check_interval_seconds=1.5, duration=4_000)

    elected = [(step.time, step["leader"]) for step in trace.select("elected") if step["partition"] == "orders-0"]
    assert elected == [(0.0, "broker-1"), (451.0, "broker-2"), (1_500.0, "broker-1")]
    assert acknowledged_and_lost(trace) == (100, 0)


def test_without_the_automatic_balance_the_lead_stays_where_it_is():
    faults = [Crash("broker-1", at=450, restart_after=700)]
    how: dict[str, Any] = {"faults": faults, "leader_imbalance_check_interval_seconds": 1.5, "duration": 4_000}

    trace = swift(SHOP, topics=[ORDERS], auto_leader_rebalance_enable=False, **how)

    assert leaders(trace) == ["broker-1", "broker-2"]


def test_an_order_to_stop_outlives_a_crash_before_it_and_passes_over_a_broker_that_is_down():
    brokers = [evolve(SWIFT[0], shut_down_at=900), evolve(SWIFT[1], shut_down_at=900), SWIFT[2]]
    faults = [Crash("broker-1", at=100, restart_after=100), Crash("broker-2", at=800, restart_after=400)]

    trace = swift(SHOP, topics=[ORDERS], brokers=brokers, faults=faults, duration=4_000)

    assert [step.node for step in trace.select("stopped")] == ["broker-1"]


FOLLOWERS_AWAY = [Crash("broker-2", at=300, restart_after=1_700), Crash("broker-3", at=300, restart_after=5_000)]
"""The leader is left alone in the set; then it goes, and one that has missed something returns."""


@pytest.mark.parametrize(("unclean", "next_leader"), [(False, "broker-1"), (True, "broker-2")])
def test_without_a_replica_in_sync_nobody_leads_unless_an_unclean_election_is_allowed_which_loses(
    unclean: bool, next_leader: str
):
    topic = evolve(ORDERS, min_insync_replicas=1, unclean_leader_election_enable=unclean)
    faults = [*FOLLOWERS_AWAY, Crash("broker-1", at=1_400, restart_after=2_000)]

    trace = swift(SHOP, topics=[topic], faults=faults, duration=5_000)

    known, lost = acknowledged_and_lost(trace)
    assert leaders(trace)[:3] == ["broker-1", None, next_leader]
    assert (known, lost > 0) == (100, unclean)


def test_an_operator_may_order_an_unclean_election_when_nobody_leads():
    topic = evolve(ORDERS, min_insync_replicas=1)
    faults = [*FOLLOWERS_AWAY, Crash("broker-1", at=1_400, restart_after=4_000)]
    elections = [Election(2_500, "orders", election_type="unclean")]

    trace = swift(SHOP, topics=[topic], faults=faults, elections=elections, duration=7_000)

    elected = [(step.time, step["leader"]) for step in trace.select("elected") if step["partition"] == "orders-0"]
    assert elected[2] == (2_500.0, "broker-2")
    assert acknowledged_and_lost(trace)[1] > 0


@pytest.mark.parametrize(("election_type", "faults", "error"), [
    ("preferred", [], "ELECTION_NOT_NEEDED"),
    ("unclean", [], "ELECTION_NOT_NEEDED"),
    ("preferred", [Crash("broker-1", at=100)], "PREFERRED_LEADER_NOT_AVAILABLE"),
    ("unclean", [Crash(f"broker-{n}", at=100) for n in (1, 2, 3)], "ELIGIBLE_LEADERS_NOT_AVAILABLE"),
])  # fmt: skip
def test_an_election_that_kafka_refuses_is_refused(election_type: Any, faults: list[Any], error: str):
    trace = swift(topics=[ORDERS], faults=faults, elections=[Election(1_500, "orders", 0, election_type)], duration=2_000)

    assert [(step.time, step.node, step["reason"]) for step in trace.select("rejected")] == [(1_500.0, "controller", error)]


def test_news_of_an_election_that_is_lost_comes_with_the_next_heartbeat():
    lost = [Drop("controller", f"broker-{n}", kind="leadership") for n in (1, 2, 3)]

    trace = swift(SHOP, topics=[ORDERS], faults=[*lost, Crash("broker-1", at=450, restart_after=1_000)], duration=4_000)

    assert leaders(trace) == ["broker-1", "broker-2"]
    assert acknowledged_and_lost(trace) == (100, 0)
    logs = Logs(trace).of("orders-0")
    assert logs["broker-1"] == logs["broker-2"] == logs["broker-3"]
