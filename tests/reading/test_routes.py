"""Why a message went to these queues: what is told agrees with what the broker did."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Bound, Crash, ExchangeDeclared, Link, Publisher, QueueDeclared, RabbitMQ, Scenario, Subscriber, run
from simulator.reading.routes import Route, routes


def system(broker: RabbitMQ, publisher: Publisher, *subscribers: Subscriber, faults=(), duration=400) -> Scenario:
    return Scenario(
        nodes=[publisher, broker, *subscribers],
        links=[Link(publisher.name, broker.name), *(Link(broker.name, each.name) for each in subscribers)],
        faults=faults,
        duration=duration,
    )


def first_route(broker: RabbitMQ, **publisher) -> Route:
    trace = run(system(broker, Publisher("shop", every=10, count=1, **publisher)))
    return next(iter(routes(trace).values()))


def topic(*patterns: tuple[str, str], **more) -> RabbitMQ:
    return RabbitMQ(
        "rabbit",
        exchanges=[
            ExchangeDeclared("orders", exchange_type="topic", **more),
            ExchangeDeclared("rest", exchange_type="fanout"),
        ],
        queues=["eu", "us", "rest"],
        bindings=[*(Bound("orders", queue, pattern) for queue, pattern in patterns), Bound("rest", "rest")],
    )


def test_every_binding_that_was_looked_at_is_told_with_whether_it_fits():
    route = first_route(topic(("eu", "order.eu.#"), ("us", "order.us")), exchange="orders", routing_key="order.eu.paid")

    assert [(hop.destination[1], hop.takes) for hop in route.hops] == [("eu", True), ("us", False)]
    assert route.queues == ("eu",)
    assert route.words == 'the routing key "order.eu.paid" fits "order.eu.#" (to eu), but not "order.us"'


def test_what_fits_nowhere_goes_on_to_the_alternate_exchange():
    broker = topic(("eu", "order.eu"), alternate_exchange="rest")

    route = first_route(broker, exchange="orders", routing_key="other")

    assert route.queues == ("rest",)
    assert route.words == (
        'the routing key "other" does not fit "order.eu"; so it goes on to the alternate exchange rest; '
        "rest copies everything to rest"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("eu", 'the default exchange takes the routing key "eu" for the name of a queue'),
        ("asia", 'the default exchange takes the routing key "asia" for the name of a queue, and there is no such queue'),
    ],
)
def test_the_default_exchange_takes_the_key_for_a_queue_s_name(name, words):
    assert first_route(topic(), routing_key=name).words == words


def test_a_headers_exchange_goes_by_the_headers():
    arguments = {"x-match": "any", "region": "eu", "paid": "yes"}
    broker = RabbitMQ("rabbit", queues=["eu"], bindings=[Bound("amq.headers", "eu", arguments=arguments)])

    route = first_route(broker, exchange="amq.headers", headers={"region": "eu"})

    assert route.words == 'the headers (region=eu) fit "region=eu or paid=yes" (to eu)'


def test_a_dead_letter_goes_by_the_key_of_the_queue_it_died_in():
    broker = RabbitMQ(
        "rabbit",
        queues=[QueueDeclared("jobs", dead_letter_exchange="", dead_letter_routing_key="dead"), "dead"],
    )
    subscriber = Subscriber("worker", "jobs", poison=["order-1"], requeue=False)
    trace = run(system(broker, Publisher("shop", every=10, count=1, routing_key="jobs"), subscriber))

    published, buried = routes(trace).values()

    assert (published.died_in, published.queues) == ("", ("jobs",))
    assert (buried.died_in, buried.address.routing_key, buried.queues) == ("jobs", "dead", ("dead",))


def test_a_dead_letter_that_would_go_round_for_ever_stops():
    broker = RabbitMQ(
        "rabbit",
        exchanges=[ExchangeDeclared("round", exchange_type="fanout")],
        queues=[QueueDeclared("waiting", message_ttl=20, dead_letter_exchange="round")],
        bindings=[Bound("round", "waiting")],
    )
    trace = run(system(broker, Publisher("shop", every=10, count=1, exchange="round")))

    _, again = routes(trace).values()

    assert again.queues == ()
    assert again.words.endswith("but not back to waiting, or it would go round for ever")


PATTERNS = ("order.#", "order.*", "*.eu", "#", "order.eu", "")


@st.composite
def a_system(draw: st.DrawFn) -> Scenario:
    exchange_type = draw(st.sampled_from(["direct", "fanout", "topic"]))
    dead_letters = st.tuples(st.sampled_from(["", "orders", "dead"]), st.sampled_from([None, "a", "order.eu"]))
    queues = []
    for name in "abc":
        exchange, key = draw(st.one_of(st.just((None, None)), dead_letters))
        queues.append(
            QueueDeclared(
                name, durable=draw(st.booleans()), auto_delete=draw(st.booleans()), expires=draw(st.sampled_from([None, 60])),
                message_ttl=draw(st.sampled_from([None, 15])), dead_letter_exchange=exchange, dead_letter_routing_key=key,
            )
        )  # fmt: skip
    ends = st.tuples(st.sampled_from(["orders", "dead"]), st.sampled_from("abc"), st.sampled_from(PATTERNS))
    broker = RabbitMQ(
        "rabbit",
        exchanges=[
            ExchangeDeclared(
                "orders", exchange_type=exchange_type, alternate_exchange=draw(st.sampled_from([None, "dead"]))
            ),
            ExchangeDeclared("dead", exchange_type="fanout", durable=draw(st.booleans())),
        ],
        queues=queues,
        bindings=[Bound(*each) for each in draw(st.lists(ends, max_size=6, unique=True))],
    )
    publisher = Publisher(
        "shop", every=10, count=8, exchange=draw(st.sampled_from(["orders", ""])),
        routing_key=draw(st.lists(st.sampled_from(["order.eu", "order.us", "a", ""]), min_size=1, max_size=3)),
    )  # fmt: skip
    subscriber = Subscriber(
        "worker",
        "a",
        work=12,
        requeue=draw(st.booleans()),
        poison=["order-2", "order-3"],
        prefetch_count=1,
        reconnect_after=15,
    )
    faults = draw(st.lists(st.sampled_from([Crash("rabbit", at=35, restart_after=10), Crash("worker", at=55)]), unique=True))
    return system(broker, publisher, subscriber, faults=faults, duration=250)


@settings(max_examples=60, deadline=None)
@given(a_system(), st.integers(0, 9))
def test_what_is_told_is_what_the_broker_decided(scenario, seed):
    trace = run(scenario, seed)
    told = routes(trace)

    assert told.keys() == {step.index for step in trace.select("routed")}
    for index, route in told.items():
        assert len(route.queues) == trace[index]["queues"]
        assert set(route.queues) <= {hop.destination[1] for hop in route.hops if hop.takes}
