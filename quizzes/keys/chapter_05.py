"""Keys of chapter 05: what three brokers do with orders."""

from __future__ import annotations

from attrs import evolve

from quizzes.exercises.verdicts import survives
from quizzes.keys import key_function
from quizzes.keys.runs import effects, first_time, in_order, listed
from quizzes.questions import Key
from simulator import (
    Bound,
    Crash,
    ExchangeDeclared,
    KafkaConsumer,
    KafkaController,
    Link,
    Publisher,
    RabbitMQ,
    Scenario,
    SqsProducer,
    Subscriber,
    Trace,
    run,
)
from simulator.reading import measures, routing_table
from simulator.scenarios import (
    consumer_group,
    last_in_sync,
    leader_dies,
    message_groups,
    one_slow_message,
    poison_message,
    read_process_write,
    redrive,
    routing,
    three_brokers,
    visibility_timeout,
)

_BROKERS = ("Kafka", "RabbitMQ", "SQS", "SQS FIFO")


def _keys(trace: Trace, kind: str, node: str) -> list[str]:
    """What a node's steps of a kind are about, in order."""
    return [str(step.message.key) for step in trace.select(kind, node=node) if step.message is not None]


@key_function
def where_a_key_is_led() -> Key:
    """routing with audit bound by order.*: the queues that the message with the routing key order.paid.eu came to."""
    led = set(routing_table(run(routing(audit="order.*"), seed=1))["order-2"].queues)
    answers = {frozenset({"billing", "eu desk"}): "two", frozenset({"billing", "eu desk", "audit"}): "three"}
    return Key(answers.get(frozenset(led), "best" if led == {"billing"} else "other"))


@key_function
def what_the_hash_matches() -> Key:
    """One queue bound to a topic exchange by order.#: which of these routing keys came to it."""
    keys = {"bare": "order", "one": "order.paid", "two": "order.paid.eu", "plural": "orders.paid", "inside": "eu.order.paid"}
    scenario = Scenario(
        nodes=[
            Publisher("shop", 10, exchange="shop", routing_key=[*keys.values()], keys=[*keys], count=len(keys)),
            RabbitMQ(
                "rabbitmq",
                exchanges=ExchangeDeclared("shop", exchange_type="topic"),
                queues=["audit"],
                bindings=Bound("shop", "audit", "order.#"),
            ),
        ],
        links=[Link("shop", "rabbitmq")],
        duration=100,
    )
    led = routing_table(run(scenario))
    return Key(tuple(name for name in keys if led[name].queues))


@key_function
def behind_the_slow_one() -> Key:
    """one_slow_message without a limit: the orders that came to the same subscriber, and were done after the slow one."""
    trace = run(one_slow_message(prefetch_count=0), seed=1)
    mine = _keys(trace, "processed", "billing-1")
    behind = mine[mine.index("order-1") + 1 :]
    one = run(one_slow_message(prefetch_count=1), seed=1)
    after = len(_keys(one, "processed", "billing-1")) - 1
    answer = "none" if not behind else "all" if len(behind) == 11 else "half"
    others = max(step.time for step in trace.select("processed", node="billing-2"))
    return Key(answer, facts={"behind": len(behind), "one": after, "idle": round(others)})


@key_function
def who_gets_the_redriven() -> Key:
    """redrive as it stands, through the exchange: which of the dead letters billing did, and which mail did twice."""
    trace = run(redrive(), seed=1)
    dead = {"order-2", "order-3", "order-5"}
    done, mails = dead & set(_keys(trace, "processed", "billing")), measures.duplicates(trace, "mail")
    answer = "both" if done == dead and mails else "billing" if done else "nobody"
    return Key(answer, facts={"mails": len(mails)})


@key_function
def slow_order_charged() -> Key:
    """visibility_timeout as it stands, for 15 s: how often billing processed order-2."""
    trace = run(visibility_timeout(), seed=1)
    times = effects(trace, "billing-1", "order-2") + effects(trace, "billing-2", "order-2")
    answer = "once" if times == 1 else "twice" if times == 2 else "again"
    late = sum(1 for step in trace.select("ignored", node="orders"))
    return Key(answer, facts={"times": times, "ignored": late})


@key_function
def who_waits_in_a_group() -> Key:
    """message_groups as it stands: the orders that were done before the visibility timeout brought back anna's first."""
    trace = run(message_groups(), seed=1)
    back = first_time(trace, "reappeared", "orders.fifo")
    before = {step.message.key for step in trace.select("processed") if step.message is not None and step.time < back}
    answer = {frozenset({"ben"}): "ben", frozenset(): "nobody", frozenset({"anna", "ben"}): "both"}[
        frozenset(map(str, before))
    ]
    return Key(answer, facts={"back": f"{back / 1000:.1f}"})


@key_function
def accepted_and_gone() -> Key:
    """leader_dies with acks=1: of the orders that the shop was told are stored, those that no broker that is up has at
    the end."""
    trace = run(leader_dies("1"), seed=1)
    crash = first_time(trace, "crashed", "broker-1")
    told = [step for step in trace.select("acknowledged", node="shop") if step.time < crash + 10]
    verdict = survives(trace, "shop")
    done = set(_keys(trace, "processed", "billing"))
    gone = [step for step in told if step.message is not None and step.message.key not in done]
    answer = "none" if verdict.holds else "all" if len(gone) == len(told) else "some"
    return Key(answer, facts={"told": len(told), "gone": len(gone)})


@key_function
def told_too_early() -> Key:
    """leader_dies with acks=1: the step at which the shop is told that the first of the lost orders is stored."""
    trace = run(leader_dies("1"), seed=1)
    told = survives(trace, "shop").evidence[0]
    assert told.message is not None
    own = {step.index for step in trace.select("created", "appended", "acknowledged", message=told.message.id)}
    news = {
        step.index
        for step in trace.select("crashed", "fenced", "elected")
        if step.kind != "elected" or step.time > told.time and step["partition"] == "orders-0"
    }
    return Key(told.index, steps=listed(trace[index] for index in sorted(own | news)))


@key_function
def way_of_an_order_in_a_cluster() -> Key:
    """leader_dies with acks=all and no crash: the times of these steps for the last order."""
    trace = run(leader_dies("all", crash=False), seed=1)
    (number,) = (
        step.message.id for step in trace.select("created", node="shop") if step.message and step.message.key == "order-12"
    )
    offset = int(next(trace.select("appended", node="broker-1", message=number)).data["offset"])
    times = {
        "leader": first_time_of(trace, "appended", "broker-1", number),
        "follower": min(step.time for step in trace.select("replicated", message=number)),
        "mark": next(
            step.time
            for step in trace.select("advanced", node="broker-1")
            if step.data["partition"] == "orders-0" and step.data["offset"] > offset
        ),
        "told": first_time_of(trace, "acknowledged", "shop", number),
        "done": first_time_of(trace, "processed", "billing", number),
    }
    return Key(in_order(times))


def first_time_of(trace: Trace, kind: str, node: str, message: int) -> float:
    """When a node first has a step of this kind about a message, in ms."""
    return next(trace.select(kind, node=node, message=message)).time


@key_function
def who_stops_in_a_rebalance() -> Key:
    """consumer_group, eager, billing-1 taking 200 ms an order: how long billing-2 had no partition while a third one
    joined; and cooperative."""
    stops = {}
    for protocol in ("eager", "cooperative"):
        trace = run(consumer_group(protocol=protocol, slow_ms=200), seed=1)
        stops[protocol] = round(sum(each.stopped.get("billing-2", 0.0) for each in measures.rebalances(trace, "billing")))
    answer = "everybody" if stops["eager"] > 500 else "moving"
    return Key(answer, facts={"eager": f"{stops['eager']:,}", "cooperative": f"{stops['cooperative']:,}"})


@key_function
def consumers_beyond_partitions() -> Key:
    """consumer_group with 4 partitions and 6 consumers: how many of them ever processed an order."""
    trace = run(consumer_group("nothing", partitions=4, consumers=6), seed=1)
    busy = {step.node for step in trace.select("processed")}
    return Key(len(busy), facts={"idle": 6 - len(busy)})


@key_function
def missed_after() -> Key:
    """consumer_group, one is killed: the time from the crash until another consumer is given its partitions."""
    trace = run(consumer_group("one is killed"), seed=1)
    crash = first_time(trace, "crashed", "billing-1")
    taken = next(step.time for step in trace.select("assigned", node="billing-2") if step.time > crash)
    interval = next(node.max_poll_interval_ms for node in trace.scenario.nodes_of(KafkaConsumer))
    return Key((taken - crash) / 1000, facts={"session": 6, "interval": interval / 1000})


@key_function
def two_emails_one_invoice() -> Key:
    """read_process_write with exactly_once_v2: how often invoicing did its work on order-3, and how often the archive
    read its invoice."""
    trace = run(read_process_write("exactly_once_v2"), seed=1)
    emails, invoices = (
        _keys(trace, "processed", "invoicing").count("order-3"),
        _keys(trace, "processed", "archive").count("order-3"),
    )
    answer = {(1, 1): "once", (2, 1): "email", (2, 2): "both"}[emails, invoices]
    written = sum(
        step.message is not None and step.message.key == "order-3" and step["partition"] == "invoices-0"
        for step in trace.select("appended")
    )
    return Key(answer, facts={"emails": emails, "invoices": invoices, "written": written})


@key_function
def order_across_partitions() -> Key:
    """consumer_group with 3 partitions, and with 1, one consumer and no change: orders of which key came in another
    order than they were made."""
    found = {}
    for partitions in (1, 3):
        trace = run(consumer_group("nothing", partitions=partitions, consumers=1), seed=1)
        made, done = (_keys(trace, kind, node) for kind, node in (("created", "shop"), ("processed", "billing-1")))
        found[partitions] = sum(left != right for left, right in zip(made, done, strict=False))
    kept = not measures.reorderings(trace, "billing")
    answer = "per-key" if kept and found[3] and not found[1] else "whole"
    return Key(answer, facts={"moved": found[3]})


@key_function
def after_an_early_ack() -> Key:
    """Billing acknowledges order-2 before its work, and crashes in the middle of it: what becomes of the order."""
    scenario = poison_message(poison=False)
    early = scenario.but_node("billing", ack="before").but(
        faults=[Crash("billing", after="started", nth=2, restart_after=50)]
    )
    trace = run(early, seed=1)
    done = _keys(trace, "processed", "billing")
    lost = [each.message.key for each in measures.losses(trace, "billing")]
    answer = "forgotten" if lost == ["order-2"] else "again" if done.count("order-2") else "waits"
    return Key(answer)


@key_function
def poison_remedy() -> Key:
    """poison_message under each remedy: which has all other orders done, and still has order-3 at the end."""
    remedies = {
        "prefetch": poison_message(prefetch_count=10),
        "drop": poison_message(requeue=False),
        "limit": poison_message(delivery_limit=3, dead_letter_exchange=True),
        "helpers": _with_helpers(poison_message(), 3),
    }
    good = []
    for name, scenario in remedies.items():
        trace = run(scenario, seed=1)
        others = {f"order-{number}" for number in (1, 2, 4, 5, 6)}
        loops = sum(1 for _ in trace.select("requeued"))
        if others <= {key for node in trace.nodes if "billing" in node for key in _keys(trace, "processed", node)} and (
            not measures.losses(trace, "billing") and loops < 10
        ):
            good.append(name)
    loops = sum(1 for _ in run(remedies["prefetch"], seed=1).select("requeued"))
    return Key(good[0] if len(good) == 1 else ",".join(good), facts={"loops": loops})


def _with_helpers(scenario: Scenario, count: int) -> Scenario:
    """The scenario with more subscribers of the same kind, in one group with it."""
    first = scenario.node("billing")
    assert isinstance(first, Subscriber)
    others = [evolve(first, name=f"billing-{number}", group="billing") for number in range(2, count + 1)]
    links = [Link("rabbitmq", each.name, latency=2) for each in others]
    return scenario.but(nodes=[*scenario.nodes, *others], links=[*scenario.links, *links])


@key_function
def hidden_after_a_crash() -> Key:
    """visibility_timeout of 10 s, billing-1 crashing at its first order: the time until that order can be received
    again."""
    trace = run(visibility_timeout(visibility_timeout=10, crash=True), seed=1)
    received = first_time(trace, "received", "orders")
    return Key((first_time(trace, "reappeared", "orders") - received) / 1000)


@key_function
def sent_again_too_late() -> Key:
    """A FIFO queue whose answer to an order is lost, and a shop that sends it again after one second or after six
    minutes: how often it is stored."""
    stored = {}
    for patience in (1_000.0, 360_000.0):
        scenario = message_groups(crash=False, lost_answer=True).but_node("shop", timeout=patience).but(duration=400_000)
        assert any(isinstance(node, SqsProducer) for node in scenario.nodes)
        stored[patience] = sum(1 for _ in run(scenario, seed=1).select("enqueued"))
    answer = "window" if stored[1_000.0] == 6 and stored[360_000.0] == 7 else "always" if stored[360_000.0] == 6 else "never"
    return Key(answer)


@key_function
def who_loses_when_careful() -> Key:
    """three_brokers with all set to lose nothing, on each of the brokers: the orders that never took effect."""
    lost = {broker: len(measures.losses(run(three_brokers(broker), seed=7), "billing")) for broker in _BROKERS}  # type: ignore[arg-type]
    losers = [broker for broker, count in lost.items() if count]
    careless = run(three_brokers("RabbitMQ", careful=False), seed=7)
    answer = "none" if not losers else losers[0]
    return Key(answer, facts={"careless": len(measures.losses(careless, "billing"))})


@key_function
def the_last_in_sync() -> Key:
    """last_in_sync with acks=all and min.insync.replicas 1, and with 2: how many orders the shop is told are stored
    while only the leader is in sync."""
    told = {}
    for least in (1, 2):
        trace = run(last_in_sync(min_insync_replicas=least), seed=1)
        alone = first_time(trace, "shrunk", "controller")
        crash = first_time(trace, "crashed", "broker-1")
        told[least] = sum(alone <= step.time < crash for step in trace.select("acknowledged", node="shop"))
    controller = next(iter(trace.scenario.nodes_of(KafkaController)))
    assert controller.topics[0].replication_factor == 3
    answer = "leader" if told[1] and not told[2] else "all"
    return Key(answer, facts={"one": told[1], "two": told[2]})
