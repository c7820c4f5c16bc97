"""A named scenario's annotations, read for people and programs."""

from typing import Annotated, Literal

import pytest

from simulator.parameters import make, parameters, summary
from simulator.scenario import Node, Scenario
from simulator.values import Range, Span


def checkout(
    style: Literal["request-response", "event-driven"] = "event-driven",
    orders_per_second: Annotated[float, Range(1, 200, unit="orders/s")] = 20,
    partitions: Annotated[int, Range(1, 12, label="Partitions of orders")] = 3,
    email_outage: Annotated[Span | None, "when the email service is down"] = None,
    idempotent: bool = False,
) -> Scenario:
    """A shop and its services.

    More about it.
    """
    return Scenario(nodes=[Node(f"{style}/{orders_per_second}/{partitions}/{email_outage}/{idempotent}")])


def made(**settings) -> str:
    return make(checkout, settings).names[0]


def test_labels_units_and_choices_come_from_the_annotations():
    style, orders, partitions, outage, idempotent = parameters(checkout)

    assert (style.kind, style.choices) == ("choice", ("request-response", "event-driven"))
    assert (orders.label, orders.unit, orders.default) == ("Orders per second", "orders/s", 20)
    assert (partitions.kind, partitions.label) == ("whole", "Partitions of orders")
    assert (outage.kind, outage.label, outage.unit) == ("span", "When the email service is down", "ms")
    assert (idempotent.kind, idempotent.label) == ("flag", "Idempotent")


def test_nothing_said_means_the_defaults():
    assert make(checkout) == checkout()


def test_what_a_person_writes_is_read_by_kind():
    written = made(
        style="request-response", orders_per_second="50", partitions="4", email_outage="4000..8000", idempotent="yes"
    )

    assert written == "request-response/50.0/4/Span(start=4000.0, end=8000.0)/True"


def test_what_a_program_gives_is_taken_as_it_is():
    assert made(orders_per_second=50, partitions=4.0) == "event-driven/50/4/None/False"


def test_none_is_taken_where_it_is_allowed():
    assert made(email_outage="none") == made(email_outage=None) == made()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"orders": "5"}, 'checkout has no parameter "orders"'),
        ({"orders_per_second": "500"}, "orders_per_second is 500.0; it must be a number from 1 to 200 orders/s."),
        ({"orders_per_second": "many"}, "orders_per_second is 'many'; it must be a number from 1 to 200 orders/s."),
        ({"orders_per_second": "nan"}, "orders_per_second is nan; it must be a number from 1 to 200 orders/s."),
        ({"orders_per_second": True}, "orders_per_second is True; it must be a number from 1 to 200 orders/s."),
        ({"partitions": "2.5"}, "partitions is '2.5'; it must be a whole number from 1 to 12."),
        ({"partitions": 2.5}, "partitions is 2.5; it must be a whole number from 1 to 12."),
        ({"style": "events"}, "style is 'events'; it must be one of request-response, event-driven."),
        ({"idempotent": "perhaps"}, "idempotent is 'perhaps'; it must be yes or no."),
        (
            {"email_outage": "4000"},
            "email_outage is '4000'; it must be a span of simulated milliseconds like 4000..8000, or none.",
        ),
        ({"style": None}, "style is None; it must be one of request-response, event-driven."),
    ],
)
def test_a_setting_it_cannot_take_is_refused_with_what_would_be_right(settings, sentence):
    with pytest.raises(ValueError) as refused:
        make(checkout, settings)

    assert sentence in str(refused.value)


def test_a_parameter_without_a_default_is_refused_by_name():
    def half(orders: int) -> Scenario:
        return Scenario(nodes=[])

    with pytest.raises(TypeError, match=r"half\(orders\) has no default"):
        parameters(half)


def test_an_annotation_no_control_can_be_made_from_is_refused_by_name():
    def odd(orders: list[int] | None = None) -> Scenario:
        return Scenario(nodes=[])

    with pytest.raises(TypeError, match=r"odd\(orders\) is annotated list\[int\]"):
        parameters(odd)


def test_the_summary_is_the_first_line():
    assert summary(checkout) == "A shop and its services."
