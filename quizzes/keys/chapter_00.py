"""Keys of chapter 00: what one order leaves in a trace."""

from __future__ import annotations

from quizzes.keys import key_function
from quizzes.keys.runs import answered, effects, first_time, in_order, listed
from quizzes.questions import Key
from simulator import Service, run
from simulator.reading import divergence, measures
from simulator.scenarios.first import one_order, three_orders

_TIMES = {0: "never", 1: "once", 2: "twice"}


@key_function
def card_after_a_lost_reply() -> Key:
    """three_orders as it stands: how often payment processed order-2."""
    trace = run(three_orders(), seed=1)
    charges = [
        step.time for step in trace.select("processed", node="payment") if step.message and step.message.key == "order-2"
    ]
    return Key(_TIMES[len(charges)], facts={"first": round(charges[0]), "second": round(charges[-1])})


@key_function
def card_after_a_lost_request() -> Key:
    """three_orders with lost="the request": how often payment processed order-2."""
    trace = run(three_orders(lost="the request"), seed=1)
    return Key(_TIMES[effects(trace, "payment", "order-2")])


@key_function
def card_of_a_slow_payment() -> Key:
    """one_order with payment_ms=250: how often payment processed the order, and whether the customer got an answer."""
    trace = run(one_order(payment_ms=250), seed=1)
    times = effects(trace, "payment")
    return Key(_TIMES[times] + ("-answered" if answered(trace, "customer") else "-unanswered"))


@key_function
def checkout_knows_of_the_charge() -> Key:
    """one_order as it stands: the first step at which checkout has payment's answer."""
    trace = run(one_order(), seed=1)
    known = next(
        step for step in trace.select("completed", node="checkout") if step.message and step.message.kind == "ChargeCard"
    )
    return Key(known.index, steps=listed(trace.select("created", "sent", "started", "processed", "completed")))


@key_function
def where_two_runs_part() -> Key:
    """three_orders with the reply lost, against the same run with nothing lost: their first divergence."""
    whole, broken = run(three_orders(lost="nothing"), seed=1), run(three_orders(), seed=1)
    parting = divergence(whole, broken)
    if parting is None or parting.right is None:
        raise LookupError("the two runs do not part")
    steps = [step for step in broken if step.message is not None and step.message.key == "order-2"]
    return Key(parting.right.index, steps=listed(steps))


@key_function
def journey_of_one_order() -> Key:
    """one_order as it stands: the times of these steps."""
    trace = run(one_order(), seed=1)
    times = {
        "reserved": first_time(trace, "processed", "inventory"),
        "asks": first_time(trace, "created", "checkout", "ChargeCard"),
        "charged": first_time(trace, "processed", "payment"),
        "knows": first_time(trace, "completed", "checkout", "ChargeCard"),
        "answered": first_time(trace, "completed", "customer"),
    }
    return Key(in_order(times))


@key_function
def wait_for_one_order() -> Key:
    """one_order as it stands: the latency of its only customer."""
    scenario = one_order()
    wait = measures.latency(run(scenario, seed=1)).p50 or 0.0
    work = sum(getattr(node.work, "ms") for node in scenario.nodes_of(Service))  # noqa: B009  # the scenario has fixed times
    return Key(wait, facts={"work": work, "there": (wait + work) / 2, "links": wait - work})


@key_function
def another_seed() -> Key:
    """one_order under five seeds: whether any of the runs differs from the first."""
    first, *others = (run(one_order(), seed=seed) for seed in range(5))
    same = all(divergence(first, other) is None for other in others)
    return Key("nothing" if same else "times", facts={"steps": len(first)})


@key_function
def what_a_timeout_tells() -> Key:
    """one_order with the request lost and with the reply lost: what checkout saw until it timed out, and what payment did."""
    seen, charged, before = [], [], 0.0
    for lost in ("the request", "the reply"):
        trace = run(one_order(lost=lost), seed=1)
        end = next(trace.select("timed_out", node="checkout"))
        # That a message is lost is a fact of the network, which its sender does not see.
        own = [step for step in trace.select(node="checkout") if step.index <= end.index and step.kind != "lost"]
        seen.append([(step.time, step.kind) for step in own])
        done = [step.time for step in trace.select("processed", node="payment") if step.index < end.index]
        charged.append(bool(done))
        before = end.time - done[0] if done else before
    answer = "unknown" if seen[0] == seen[1] and charged[0] != charged[1] else "not-charged"
    return Key(answer, facts={"before": round(before)})


@key_function
def cut_short() -> Key:
    """one_order watched for 50 ms instead of 1,500: what became of the charge."""
    trace = run(one_order().but(duration=50), seed=1)
    lost = any(True for _ in trace.select("lost"))
    done = effects(trace, "payment") > 0
    begun = any(True for _ in trace.select("started", node="payment"))
    charged = first_time(run(one_order(), seed=1), "processed", "payment")
    answer = "under-way" if begun and not done and not lost else "lost"
    return Key(answer, facts={"steps": len(trace), "charged": round(charged)})
