"""Where exchanges led messages, at a glance."""

import pytest

from simulator import Bound, ExchangeDeclared, Link, Publisher, RabbitMQ, Scenario, run
from simulator.reading import routing_table
from simulator.scenarios import routing


def test_each_binding_leads_what_it_fits_to_its_queue():
    found = routing_table(run(routing(billing="order.paid.*", eu_desk="*.*.eu", audit="order.#")))

    assert set(found["order-2"].queues) == {"audit", "billing", "eu desk"}
    assert found["order-5"].queues == ("eu desk",)
    assert found["order-6"].queues == ("audit",)


def test_what_no_queue_wants_is_dropped_or_returned():
    dropped, returned = (repr(routing_table(run(routing(audit="order.*", mandatory=asked)))) for asked in (False, True))

    assert dropped.splitlines()[3].split() == ["order-3", "order.placed.us", "no", "queue:", "dropped"]
    assert "no queue: returned to its publisher" in returned
    assert "dropped" not in returned


def test_an_alternate_exchange_takes_what_no_queue_wants():
    found = routing_table(run(routing(audit="order.*", alternate_exchange=True)))

    assert found["order-3"].queues == ("unrouted",)


def test_without_a_routing_key_the_headers_say_what_a_message_was_led_by():
    scenario = Scenario(
        nodes=[
            Publisher("shop", 10, exchange="docs", headers={"region": "eu"}, count=1),
            RabbitMQ(
                "rabbit",
                exchanges=ExchangeDeclared("docs", exchange_type="headers"),
                queues=["eu"],
                bindings=Bound("docs", "eu", arguments={"x-match": "any", "region": "eu"}),
            ),
        ],
        links=[Link("shop", "rabbit")],
        duration=100,
    )

    (line,) = routing_table(run(scenario)).lines

    assert (line.by, line.queues) == ("region=eu", ("eu",))
    assert line.why == 'the headers (region=eu) fit "region=eu" (to eu)'


def test_an_unknown_message_is_named_with_those_there_are():
    with pytest.raises(KeyError, match="the keys are: order-1"):
        routing_table(run(routing()))["order-9"]
