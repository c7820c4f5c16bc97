"""What the readings say about runs of a Kafka cluster, whatever goes wrong in them."""

from itertools import pairwise

from hypothesis import given, settings

from simulator import Crash, run
from simulator.reading import checks, firsts, measures, sentence, why
from simulator.reading.anomalies import anomalies
from simulator.reading.frames import Frame, frames
from simulator.reading.transactions import withdrawn
from simulator.trace import Trace
from tests.reading.clusters import a_run, system

WITHIN = {"billing": ("billing-1", "billing-2"), "invoicing": ("invoicing",)}


def made_for(trace: Trace, *makers: str) -> set[int]:
    return {step.message.id for step in trace.select("created", node=makers)} - withdrawn(trace)


@settings(max_examples=12, deadline=None)
@given(a_run())
def test_whatever_goes_wrong_the_readings_agree_with_each_other(ran):
    trace = ran[0]

    for name, nodes in WITHIN.items():
        done = {step.message.id for step in trace.select("processed", node=nodes)}
        absent = {each.message.id for each in measures.missing(trace, name)}
        orders = made_for(trace, "shop", "till")
        once = checks.processed_once(trace, name)
        assert absent.isdisjoint(done)
        assert absent == orders - done
        assert once.holds == (checks.at_most_once(trace, name).holds and checks.at_least_once(trace, name).holds)
    stored = {each.message.id for each in measures.missing(trace, "orders")}
    assert stored.isdisjoint(each.message.id for each in measures.duplicates(trace, "orders"))
    assert sum(measures.purposes(trace).values()) == measures.messages_on_the_wire(trace)
    assert all(why(trace, step)[-1] == step for step in firsts(trace).values())
    for each in measures.rebalances(trace):
        assert each.duration is None or all(0 <= stop <= each.duration for stop in each.stopped.values())
    for spans in (*measures.leaderless(trace).values(), *measures.unread(trace, "billing").values()):
        assert all(0 <= span.start < span.end <= trace.scenario.duration for span in spans)


@settings(max_examples=12, deadline=None)
@given(a_run(careful=True))
def test_what_is_set_to_lose_nothing_loses_nothing_and_stores_nothing_twice(ran):
    trace = ran[0]

    assert checks.no_lost_acknowledged_write(trace).holds
    for topic in ("orders", "invoices"):
        assert measures.duplicates(trace, topic) == []
        assert checks.per_key_order(trace, topic).holds
    assert checks.at_most_once(trace, "invoices", of="operation").holds
    assert checks.no_aborted_read(trace, "invoicing").holds
    found = {each.name for each in anomalies(trace)}
    # Billing reads uncommitted, so it sees what was aborted, which invoicing passes over.
    assert found <= {"G1a", "poll-skip", "int-poll-skip", "int-send-skip", "lost-write"}


def lag_in(frame: Frame, coordinator: str, group: str) -> int:
    """How far a group is behind, as the leaders and the coordinator have it."""
    leaders = {name: leader for name, leader in frame["controller"]["leader"].items() if name.startswith("orders")}
    committed = frame.committed(coordinator, group)
    return sum(frame[leader]["high watermark"][name] - committed[name] for name, leader in leaders.items())


def test_a_lag_is_what_leaders_and_coordinator_have_at_the_time():
    trace = run(system(Crash("one", at=2_500, restart_after=1_000)), seed=4)
    every = frames(trace)
    moments = [step.index for step, later in pairwise(trace) if step.time < later.time and step.time > 1_500][::40]

    for index in moments:
        assert measures.total_lag(trace, "billing", at=trace[index].time) == lag_in(every[index], "three", "billing")


def test_every_step_of_a_cluster_s_run_can_be_told():
    trace = run(system(Crash("one", at=2_500, restart_after=1_000)), seed=4)

    assert all(sentence(step).endswith(".") for step in trace)
