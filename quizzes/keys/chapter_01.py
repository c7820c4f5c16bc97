"""Keys of chapter 01: the checkout that asks, and the checkout that tells."""

from __future__ import annotations

from typing import Any

from quizzes.keys import key_function
from quizzes.keys.runs import answered, first_time, in_order, listed
from quizzes.questions import Key
from simulator import Crash, Fixed, LogNormal, Scenario, Service, Trace, run
from simulator.reading import checks, measures
from simulator.scenarios.checkout import checkout, checkout_burst, payment_hiccup
from simulator.scenarios.first import three_orders

_SEED = 7


def _both(**parameters: Any) -> tuple[Trace, Trace]:
    """The same customers through the checkout by request-response and through the event-driven one."""
    asks, tells = (run(checkout(style, **parameters), seed=_SEED) for style in ("request-response", "event-driven"))
    return asks, tells


def _calm(style: str, **parameters: Any) -> Scenario:
    """A checkout on a day without an outage."""
    return checkout(style, email_outage=None, **parameters)  # type: ignore[arg-type]  # callers pass one of the two styles


def _wait(trace: Trace) -> float:
    """The median time a customer waits, in ms."""
    return measures.latency(trace, "customers").p50 or 0.0


def _refused(trace: Trace) -> set[int]:
    """The customers' requests that came to nothing, by message id."""
    return {step.message.id for step in trace.select("abandoned", node="customers") if step.message is not None}


def _typical(latency: object) -> float:
    """The median of a time, in ms."""
    if isinstance(latency, Fixed):
        return latency.ms
    if isinstance(latency, LogNormal):
        return latency.median
    raise TypeError(f"{latency!r} has no median known here")


@key_function
def wait_for_a_telling_shop() -> Key:
    """checkout in both styles with no outage: the median latency of customers, and the median time until everybody is done."""
    asks, tells = _both(email_outage=None)
    felt = _wait(tells)
    before, known = (measures.inconsistency_window(trace).p50 or 0.0 for trace in (asks, tells))
    stored = first_time(tells, "appended", "orders") - first_time(tells, "created", "customers")
    work = [
        first_time(tells, "processed", name) - first_time(tells, "created", "customers") for name in ("payment", "email")
    ]
    answer = "stored" if felt < min(work) and felt < stored + 10 else "slowest" if felt < 1.1 * known else "all"
    return Key(
        answer, facts={"asks": round(_wait(asks)), "tells": round(felt), "known": round(known), "before": round(before)}
    )


@key_function
def who_notices_a_newcomer() -> Key:
    """checkout in both styles with no outage, with and without analytics: the differences of the customers' median latency."""
    before, after = _both(email_outage=None), _both(email_outage=None, analytics=True)
    asks, tells = (_wait(new) - _wait(old) for old, new in zip(before, after, strict=True))
    answer = ("everybody" if tells else "asked") if asks else "nobody"
    return Key(answer, facts={"more": round(asks), "same": round(_wait(after[1]))})


@key_function
def orders_in_an_outage() -> Key:
    """checkout in both styles as it stands, email down from 4 s to 8 s: orders given up, and emails missing at the end."""
    asks, tells = _both()
    refused, pending = len(_refused(asks)), len(_refused(tells))
    missing = not checks.at_least_once(tells, "email").holds
    answer = "lost-later" if missing else "refused-and-accepted" if refused and not pending else "both-refuse"
    return Key(answer, facts={"refused": refused, "made": len(list(asks.select("created", node="customers")))})


@key_function
def cards_of_refused_orders() -> Key:
    """checkout by request-response as it stands: of the orders that came to nothing, those whose card was charged."""
    trace, _ = _both()
    keys = {step.message.key for step in trace.select("abandoned", node="customers") if step.message is not None}
    charged = {step.message.key for step in trace.select("processed", node="payment") if step.message is not None} & keys
    answer = "all" if charged == keys else "none" if not charged else "some"
    return Key(answer, facts={"refused": len(keys), "charged": len(charged)})


@key_function
def wait_is_a_sum() -> Key:
    """checkout by request-response with no outage: the median latency of its customers."""
    scenario = _calm("request-response")
    wait = _wait(run(scenario, seed=_SEED))
    work = {node.name: _typical(node.work) for node in scenario.nodes_of(Service)}
    legs = {link.target: 2 * float(link.latency.ms) for link in scenario.links}  # type: ignore[attr-defined]
    behind = [work[name] + legs[name] for name in ("inventory", "payment", "email")]
    longest = legs["checkout"] + work["checkout"] + max(behind)
    return Key(wait, facts={"work": sum(work.values()), "longest": longest, "wait": round(wait)})


@key_function
def slower_payment_felt() -> Key:
    """checkout with payment_ms=40 and with payment_ms=240, no outage: the difference of the median latency, in both styles."""
    grown = {
        style: _wait(run(_calm(style, payment_ms=240), seed=_SEED)) - _wait(run(_calm(style, payment_ms=40), seed=_SEED))
        for style in ("request-response", "event-driven")
    }
    return Key(round(grown["event-driven"], 6), facts={"asks": round(grown["request-response"])})


@key_function
def who_must_be_up() -> Key:
    """checkout, event-driven, with each part in turn down from 4 s to 8 s: those without which orders are given up."""
    needed = []
    for part in ("checkout", "orders", "inventory", "payment", "email"):
        trace = run(_calm("event-driven").but(faults=[Crash(part, at=4_000, restart_after=4_000)]), seed=_SEED)
        if _refused(trace):
            needed.append(part)
    return Key(tuple(needed))


@key_function
def who_knows_last() -> Key:
    """checkout in both styles as it stands: the longest time from an order to its last effect."""
    asks, tells = (measures.inconsistency_window(trace).values[-1] for trace in _both())
    answer = "events-slower" if tells > asks else "requests-slower" if asks > tells else "same"
    return Key(answer, facts={"asks": round(asks), "tells": f"{round(tells):,}"})


@key_function
def chain_of_four() -> Key:
    """Not a run but a product: four parts, each up 99 % of the time and independently of the others, all needed at once."""
    return Key(round(100 * 0.99**4, 2))


@key_function
def who_must_change() -> Key:
    """checkout with and without analytics, in both styles: the nodes that were there before and are not the same after."""
    changed = {}
    for style in ("request-response", "event-driven"):
        before, after = _calm(style), _calm(style, analytics=True)
        changed[style] = tuple(node.name for node in before.nodes if after.node(node.name) != node)
    if changed["event-driven"]:
        return Key("topic")
    return Key("checkout-or-nobody" if changed["request-response"] == ("checkout",) else "everybody")


@key_function
def a_fourth_call() -> Key:
    """checkout by request-response, no outage, with and without analytics: the difference of the median latency."""
    before, after = (_wait(run(_calm("request-response", analytics=there), seed=_SEED)) for there in (False, True))
    return Key(round(after - before, 6))


@key_function
def accepted_means() -> Key:
    """checkout, event-driven, no outage: what has happened when the first customer has the answer."""
    trace = run(_calm("event-driven"), seed=_SEED)
    told = first_time(trace, "completed", "customers")
    happened = {
        "stored": first_time(trace, "appended", "orders"),
        "reserved": first_time(trace, "processed", "inventory"),
        "charged": first_time(trace, "processed", "payment"),
        "mailed": first_time(trace, "processed", "email"),
    }
    known = [name for name, time in happened.items() if time <= told]
    return Key(known[0] if len(known) == 1 else ",".join(known))


@key_function
def order_of_effects() -> Key:
    """checkout, event-driven, no outage: the times of these steps for the first order."""
    trace = run(_calm("event-driven"), seed=_SEED)
    times = {
        "stored": first_time(trace, "appended", "orders"),
        "answered": first_time(trace, "completed", "customers"),
        "reserved": first_time(trace, "processed", "inventory"),
        "mailed": first_time(trace, "processed", "email"),
        "charged": first_time(trace, "processed", "payment"),
    }
    return Key(in_order(times))


@key_function
def where_the_burst_goes() -> Key:
    """checkout_burst, event-driven, as it stands: refusals, the customers' p99 latency, and the largest lag of each group."""
    trace = run(checkout_burst("event-driven"), seed=_SEED)
    refused = len(_refused(trace))
    lags = {
        group: max(behind for _, behind in measures.backlog(trace, group)) for group in ("inventory", "payment", "email")
    }
    waits = measures.latency(trace, "customers")
    asks = len(_refused(run(checkout_burst("request-response"), seed=_SEED)))
    steady = waits.p99 is not None and waits.p50 is not None and waits.p99 < 2 * waits.p50
    answer = "lag" if not refused and steady and max(lags, key=lags.__getitem__) == "payment" else "queue"
    return Key(answer, facts={"lag": lags["payment"], "p99": round(waits.p99 or 0), "refused": asks})


@key_function
def stored_outside() -> Key:
    """checkout, event-driven, no outage: the first step at which the first order is in the topic's log."""
    trace = run(_calm("event-driven"), seed=_SEED)
    stored = next(trace.select("appended", node="orders"))
    key = stored.message.key if stored.message else None
    kinds = ("created", "processed", "published", "sent", "appended", "acknowledged", "completed", "fetched")
    steps = [step for step in trace.select(*kinds) if step.message is not None and step.message.key == key]
    return Key(stored.index, steps=listed(steps))


@key_function
def after_the_hiccup() -> Key:
    """payment_hiccup as it stands and with retry="never": customers of the last five seconds but one who got an answer."""
    served = {}
    for retry in ("never", "immediately"):
        trace = run(payment_hiccup(retry), seed=_SEED)
        good = answered(trace, "customers")
        late = [s.message.id for s in trace.select("created", node="customers") if s.message and 14_000 <= s.time < 19_000]
        served[retry] = round(100 * sum(one in good for one in late) / len(late))
    answer = "never" if served["immediately"] < 10 and served["never"] > 90 else "recovers"
    return Key(answer, facts={"with": served["immediately"], "without": served["never"]})


@key_function
def what_payment_works_on() -> Key:
    """payment_hiccup as it stands, after 8 s: how much of payment's work is for requests whose reply nobody waits for."""
    trace = run(payment_hiccup(), seed=_SEED)
    ignored = {step.message.in_reply_to for step in trace.select("ignored", node="customers") if step.message is not None}
    done = [step.message.id for step in trace.select("processed", node="payment") if step.message and step.time > 8_000]
    share = round(100 * sum(one in ignored for one in done) / len(done))
    return Key("nobody-waits" if share > 80 else "new-orders", facts={"share": share})


@key_function
def harmless_retry() -> Key:
    """three_orders with a lost request and with a lost reply, under each remedy: which charges each order once in both."""
    remedies: dict[str, dict[str, Any]] = {
        "patience": {"timeout_ms": 500},
        "persistence": {"retries": 5},
        "restraint": {"retries": 0},
        "recognition": {"idempotent": True},
    }
    good = [
        name
        for name, settings in remedies.items()
        if all(
            checks.processed_once(run(three_orders(lost=lost, **settings), seed=1), "payment").holds
            for lost in ("the request", "the reply")
        )
    ]
    return Key(good[0] if len(good) == 1 else ",".join(good))


@key_function
def same_customers() -> Key:
    """checkout with payment_ms=40 and with payment_ms=80, both with the same seed: when the customers come."""
    before, after = (run(checkout(payment_ms=ms), seed=_SEED) for ms in (40, 80))
    came = [[step.time for step in trace.select("created", node="customers")] for trace in (before, after)]
    return Key("same" if came[0] == came[1] else "shifted", facts={"customers": len(came[0])})
