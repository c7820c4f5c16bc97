"""The state at every step: folded from the trace, the same from every side, and equal to what the nodes themselves keep."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import (
    Call,
    Caller,
    CircuitBreaker,
    Consumer,
    Crash,
    Cut,
    Drop,
    Duplicate,
    Exponential,
    Link,
    Pause,
    Poisson,
    Producer,
    Retry,
    Scenario,
    Service,
    Span,
    Topic,
    Uniform,
    ZipfKeys,
)  # fmt: skip
from simulator.brokers.log.entries import Entry
from simulator.brokers.log.protocol import Produce, pack_copies
from simulator.brokers.log.replicas import FetchResponse
from simulator.engine import run_with_states
from simulator.message import Message
from simulator.network import Fault
from simulator.reading.flights import carried, flights
from simulator.reading.frames import Chip, Edit, apply, frames
from simulator.trace import Trace
from tests.reading.written import Maker, Pen, Server, Shop


def log_system(*faults: Fault, idempotent: bool = False) -> Scenario:
    """Two producers, a topic of three partitions, a group of two and one reader on its own."""
    names = ("shop", "app"), ("billing-1", "billing-2", "email")
    return Scenario(
        nodes=[
            Producer("shop", Poisson(60), request_timeout_ms=40, delivery_timeout_ms=200, retries=2),
            Producer("app", 35, keys=ZipfKeys(4), acks=0),
            Topic("orders", partitions=3),
            Consumer("billing-1", group="billing", work=Exponential(12), idempotent=idempotent, request_timeout_ms=60),
            Consumer("billing-2", group="billing", work=8, commit="before", request_timeout_ms=60),
            Consumer("email", work=15, concurrency=2, auto_offset_reset="earliest"),
        ],
        links=[
            *(Link(name, "orders", latency=Uniform(1, 9)) for name in names[0]),
            *(Link("orders", name, latency=3) for name in names[1]),
        ],
        faults=faults,
        duration=700,
    )


def call_system(*faults: Fault, idempotent: bool = False) -> Scenario:
    """Customers call checkout, which calls payment and publishes to a topic."""
    return Scenario(
        nodes=[
            Caller("customers", Poisson(80), timeout=60, retry=Retry(2, backoff=10)),
            Service(
                "checkout", workers=2, queue_limit=3, work=4, calls=[Call("payment")], call_timeout=40, publishes="orders",
                retry=Retry(1), breaker=CircuitBreaker(3, reset_after=80), idempotent=idempotent,
            ),
            Service("payment", work=Exponential(9), idempotent=idempotent),
            Topic("orders"),
            Consumer("email", work=10),
        ],
        links=[
            Link("customers", "checkout", latency=2), Link("checkout", "payment", latency=2),
            Link("checkout", "orders", latency=2), Link("orders", "email", latency=2),
        ],
        faults=faults,
        duration=500,
    )  # fmt: skip


FAULTS = {
    log_system: (
        Drop("shop", "orders", probability=0.2),
        Drop("orders", "shop", kind="ack", probability=0.3),
        Drop("billing-1", "orders", kind="commit", nth=2),
        Duplicate("app", "orders", probability=0.3, jitter=20),
        Cut("orders", "email", during=Span(100, 300)),
        Crash("billing-1", at=150, restart_after=80),
        Crash("orders", at=333, restart_after=20),
        Crash("email", after="processed", nth=3, restart_after=30),
        Pause("billing-2", at=90, lasting=120),
    ),
    call_system: (
        Drop("payment", "checkout", kind="reply", probability=0.3),
        Duplicate("customers", "checkout", probability=0.3),
        Crash("payment", at=120, restart_after=150),
        Crash("checkout", at=260, restart_after=20),
        Crash("customers", at=300, restart_after=40),
        Pause("payment", at=320, lasting=70),
        Cut("checkout", "orders", during=Span(50, 90)),
    ),
}


@st.composite
def a_run(draw: st.DrawFn) -> tuple[Trace, dict[str, dict[str, object]]]:
    system = draw(st.sampled_from([log_system, call_system]))
    faults = draw(st.lists(st.sampled_from(FAULTS[system]), unique=True, max_size=5))
    return run_with_states(system(*faults, idempotent=draw(st.booleans())), draw(st.integers(0, 99)))


@settings(max_examples=15, deadline=None)
@given(a_run())
def test_edits_agree_with_the_frames_forwards_and_backwards(ran):
    trace = ran[0]
    every = frames(trace)
    state: dict = {}
    edits = list(every.edits())

    for index, step in enumerate(edits):
        apply(state, step)
        assert state == every[index].state
    for index in range(len(edits) - 1, 0, -1):
        apply(state, edits[index], backwards=True)
        assert state == every[index - 1].state


@settings(max_examples=25, deadline=None)
@given(a_run())
def test_what_is_folded_is_what_the_nodes_have_on_disk(ran):
    trace, states = ran
    last = frames(trace)[-1]

    for node in trace.scenario.nodes:
        durable = states[node.name]
        if isinstance(node, Topic):
            logs = [list(last.log(node.name, partition)) for partition in range(node.partitions)]
            assert logs == [list(log) for log in durable["partitions"].logs]
            committed = {
                (group, partition): offset
                for group in {group for group, _ in durable["partitions"].committed}
                for partition, offset in last.committed(node.name, group).items()
            }
            assert committed == durable["partitions"].committed
        elif isinstance(node, Consumer | Service):
            assert last.processed(node.name) == durable.get("processed", {})


@settings(max_examples=12, deadline=None)
@given(a_run())
def test_at_the_end_of_every_flight_it_is_no_longer_under_way(ran):
    trace = ran[0]
    every = frames(trace)

    for flight in flights(trace):
        assert flight in every[flight.sent].in_flight
        if flight.end is not None:
            assert flight in every[flight.end - 1].in_flight
            assert flight not in every[flight.end].in_flight
            assert trace[flight.end].kind == ("lost" if flight.lost else "delivered")


def test_a_frame_is_the_same_whichever_way_one_comes_to_it():
    trace, _ = run_with_states(log_system(*FAULTS[log_system]), 3)
    every = frames(trace)

    forwards = [every[index] for index in range(100, 200)]
    backwards = [frames(trace)[index] for index in range(199, 99, -1)]

    assert forwards == backwards[::-1]
    assert every[-1] == every[len(trace) - 1]
    assert every[150:152] == [every[150], every[151]]


def test_looking_at_a_frame_does_not_change_another():
    trace, _ = run_with_states(log_system(), 3)
    every = frames(trace)
    early = every[64]
    seen = copy.deepcopy({node: {name: dict(held) for name, held in fields.items()} for node, fields in early.state.items()})

    _ = [every[index] for index in range(60, 260)]

    assert early.state == seen
    with pytest.raises(TypeError):
        early["orders"]["log 0"][0] = None  # type: ignore[index]


def test_the_start_comes_before_everything():
    pen = Shop()
    pen.order(5, "order-1")

    start = frames(pen.trace()).start

    assert (start.index, start.time, dict(start.state), start.in_flight) == (-1, 0.0, {}, ())


def test_a_record_waits_at_its_producer_until_it_is_acknowledged():
    pen = Shop()
    order = pen.order(0, "order-1")
    pen.acknowledged(3, order, 0)
    every = frames(pen.trace())

    assert every[1]["shop"]["waiting"] == {1: Chip(1, "waiting")}
    assert every[-1].messages("shop", "waiting") == ()
    assert every[-1].messages("shop", "acknowledged") == (1,)


def test_a_timeout_leaves_the_outcome_unknown_and_a_retry_waits_anew():
    pen = Shop()
    order = pen.made(0, "order-1")
    late = pen(50, "timed_out", "shop", order, to="orders", attempt=1, outcome="indefinite")
    again = pen.sent(60, order, attempt=2)
    gone = pen(200, "abandoned", "shop", order, reason="no retries left")
    every = frames(pen.trace())

    assert [every[at]["shop"]["waiting"][1].state for at in (late, again)] == ["unknown", "waiting"]
    assert every[gone]["shop"] == {"abandoned": {gone: Chip(1, "refused")}}


def test_a_record_that_nobody_acknowledges_is_not_waited_for():
    pen = Shop(shop=Maker("shop", acks=0))
    order = pen.message(key="order-1", headers=(("acks", "0"),))
    pen(0, "created", "shop", order)

    assert dict(frames(pen.trace())[-1]["shop"]) == {}


def test_a_record_stored_twice_shows_as_such():
    pen = Shop()
    order = pen.order(0, "order-1")
    pen.sent(50, order, attempt=2)
    pen.stored(51, order)
    last = frames(pen.trace())[-1]

    assert last.log("orders") == (1, 1)
    assert [chip.state for chip in last["orders"]["log 0"].values()] == ["event", "again"]


def test_a_reader_fetches_works_commits_and_does_it_again():
    pen = Shop()
    order = pen.order(0, "order-1")
    fetched = pen.fetched(10, order, 0)
    started = pen(11, "started", "billing", order, worker=0)
    processed = pen.processed(20, order)
    committed = pen.committed(21, 1)
    again = pen.processed(40, order, attempt=2)
    skipped = pen(50, "skipped", "billing", order, reason="processed before")
    every = frames(pen.trace())

    assert dict(every[fetched]["billing"]) == {"fetched": {fetched: Chip(1, "waiting")}, "next": {0: 1}}
    assert dict(every[started]["billing"]) == {"working": {0: Chip(1, "working")}, "next": {0: 1}}
    assert every[processed]["billing"]["done"] == {processed: Chip(1, "done")}
    assert (every[processed].committed("orders", "billing"), every[committed].committed("orders", "billing")) == ({}, {0: 1})
    assert [every[at]["billing"]["done"][at].state for at in (again, skipped)] == ["again", "skipped"]
    assert every[-1].processed("billing") == {1: 2}


def test_a_crash_empties_the_memory_and_keeps_the_disk():
    pen = Shop()
    one, two = pen.order(0, "order-1"), pen.order(1, "order-2")
    pen.fetched(10, one, 0)
    pen.fetched(10, two, 1)
    pen.processed(20, one)
    crashed = pen(25, "crashed", "billing")
    restarted = pen(90, "restarted", "billing", cause=crashed, incarnation=1)
    every = frames(pen.trace())

    assert every[crashed].status("billing") == "down"
    assert every[crashed].messages("billing", "fetched") == ()
    assert every[crashed].processed("billing") == {1: 1}
    assert every[restarted].status("billing") == "up"


def test_a_pause_keeps_everything():
    pen = Shop()
    order = pen.order(0, "order-1")
    pen.fetched(10, order, 0)
    paused = pen(12, "paused", "billing", until=40.0)
    resumed = pen(40, "resumed", "billing", cause=paused)
    every = frames(pen.trace())

    assert (every[paused].status("billing"), every[resumed].status("billing")) == ("paused", "up")
    assert every[paused].messages("billing", "fetched") == (1,)


def test_a_request_queues_is_worked_on_and_may_be_refused():
    pen = Pen(Maker("customers"), Server("payment"), links=[("customers", "payment")])
    one, two = pen.message("request", "order-1"), pen.message("request", "order-2")
    queued = pen(1, "queued", "payment", one, depth=1)
    started = pen(2, "started", "payment", one, worker=0)
    refused = pen(3, "rejected", "payment", two, reason="queue full")
    every = frames(pen.trace())

    assert every[queued].messages("payment", "queue") == (1,)
    assert (every[started].messages("payment", "queue"), every[started].messages("payment", "working")) == ((), (1,))
    assert every[refused].messages("payment", "refused") == (2,)


def test_a_breaker_opens_half_opens_and_closes():
    pen = Pen(Maker("customers"), Server("payment"), links=[("customers", "payment")])
    for time, kind in enumerate(("opened", "half_opened", "closed")):
        pen(time, kind, "customers", to="payment")
    every = frames(pen.trace())

    assert [every[at]["customers"].get("breaker") for at in range(3)] == [
        {"payment": "open"},
        {"payment": "half-open"},
        None,
    ]


def test_the_copies_of_a_duplicate_end_each_at_its_own_step():
    pen = Shop()
    order = pen.made(0, "order-1")
    pen(0, "duplicated", "shop", order, 1, to="orders", copies=2)
    later = pen(5, "delivered", "orders", order, 1, source="shop", copy=1)
    first = pen(9, "delivered", "orders", order, 1, source="shop", copy=0)

    found = flights(pen.trace())

    assert [(flight.copy, flight.end, flight.arrived) for flight in found] == [(0, first, 9.0), (1, later, 5.0)]


def test_a_lost_message_tells_why():
    pen = Shop()
    order = pen.made(0, "order-1")
    lost = pen.lost(0, order, 1, "Cut")

    assert [(flight.end, flight.lost) for flight in flights(pen.trace())] == [(lost, "Cut")]


def test_what_never_arrived_is_under_way_at_the_end():
    pen = Shop()
    pen.made(0, "order-1")

    assert [flight.message for flight in frames(pen.trace())[-1].in_flight] == [1]


def test_a_fetch_s_answer_carries_its_records():
    pen = Shop()

    answer = pen.message("records", payload=(0, 3, 17, 1, 0, 21))

    assert (carried(answer), carried(pen.message("commit"))) == ((17, 21), ())


def test_taking_an_edit_back_leaves_no_trace_of_it():
    state: dict = {}
    edit = Edit("billing", "done", 7, None, Chip(1, "done"))

    apply(state, [edit])
    apply(state, [edit], backwards=True)

    assert state == {}


def test_in_a_cluster_requests_and_answers_of_replication_carry_records():
    produced = Produce("all", False, -1, -1, 0, -1, (5, 6)).packed()
    entry = Entry(0, 5, offset=0)
    copies = pack_copies(0, 0, FetchResponse(0, (entry, entry._replace(offset=1, record=6)), 1)) + pack_copies(1, 6, None)

    messages = [
        Message(1, "produce", payload=produced),
        Message(2, "replicate", payload=copies, in_reply_to=1),
        Message(3, "replicate", payload=(500, 0, 0, 0, -1)),
        Message(4, "records", payload=(0, 3, 5, 0, 7, 0, 1, 6, -1)),
    ]

    assert [carried(each) for each in messages] == [(5, 6), (5, 6), (), (5,)]
