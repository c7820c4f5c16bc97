"""Scenarios: values that are checked as a whole when they are made."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen
from hypothesis import given, settings

from simulator import (
    Bursty,
    Consumer,
    Crash,
    Cut,
    Drop,
    Duplicate,
    Exponential,
    Fixed,
    Link,
    LogNormal,
    Node,
    Pause,
    Poisson,
    Producer,
    Scenario,
    ScenarioError,
    Slow,
    Span,
    Topic,
    Uniform,
    UniformKeys,
    ZipfKeys,
)
from tests.strategies import streams

NODES = [Node("shop"), Node("orders"), Node("billing")]
LINKS = [Link("shop", "orders"), Link("orders", "billing")]


def problems(nodes: Any = NODES, links: Any = LINKS, faults: Any = (), **more: Any) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as caught:
        Scenario(nodes, links, faults, **more)
    return caught.value.problems


def problem(*arguments: Any, **more: Any) -> str:
    (only,) = problems(*arguments, **more)
    return only


def test_a_scenario_is_a_value():
    one, same = (Scenario(NODES, LINKS, [Drop("shop", "orders")], duration=5, name="x") for _ in range(2))

    assert one == same
    assert hash(one) == hash(same)
    assert one != one.but(duration=6)
    assert one.faults == (Drop("shop", "orders"),)


def test_one_field_or_one_node_can_be_changed():
    scenario = Scenario([Producer("shop"), Topic("orders")], [Link("shop", "orders")])

    assert scenario.but(duration=7).duration == 7
    assert scenario.but_node("orders", partitions=3).node("orders") == Topic("orders", 3)
    assert scenario.but_node("orders", partitions=3).node("shop") == scenario.node("shop")
    with pytest.raises(ScenarioError, match="partitions is 0"):
        scenario.but_node("orders", partitions=0)


def test_nodes_and_neighbours_are_found_by_name():
    scenario = Scenario(NODES, LINKS)

    assert scenario.names == ["shop", "orders", "billing"]
    assert (scenario.upstream("orders"), scenario.downstream("orders")) == (["shop"], ["billing"])
    assert scenario.linked("orders", "shop")
    assert not scenario.linked("shop", "billing")
    with pytest.raises(KeyError, match='There is no node "order"; did you mean "orders"'):
        scenario.node("order")


def test_a_single_part_counts_as_a_list_of_one():
    scenario = Scenario(NODES[:2], Link("shop", "orders"), Crash("shop", at=1))  # type: ignore[arg-type]

    assert (scenario.links, scenario.faults) == ((Link("shop", "orders"),), (Crash("shop", at=1),))


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ([], "nodes is empty; a scenario needs at least one node."),
        ("shop", "nodes holds 'shop'; a node is a Producer, a Topic, a Consumer or another class made from Node."),
        ([Node("")], "Node: its name is ''; give it a text that is not empty."),
        ([Node(5)], "Node: its name is 5; give it a text that is not empty."),  # type: ignore[arg-type]
        ([Node("a"), Topic("a"), Node("a")], '3 nodes are called "a"; give each a name of its own.'),
    ],
)
def test_nodes_are_checked(nodes: Any, sentence: str):
    assert problem(nodes, []) == sentence


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        (Link("shop", "order"), 'Link("shop", "order"): there is no node "order"; did you mean "orders"?'),
        (Link("xyz", "shop"), 'Link("xyz", "shop"): there is no node "xyz"; there are: "shop", "orders", "billing"'),
        (Link("shop", "shop"), 'Link("shop", "shop"): it joins a node to itself; a link needs two nodes.'),
        (("shop", "billing"), "links holds ('shop', 'billing'); a link is written Link(source, target)."),
        (Link("shop", "billing", latency=-1),
         'Link("shop", "billing"), latency: ms is -1; it must be a number of 0 or more (ms).'),
        (Link("shop", "billing", latency="5"),  # type: ignore[arg-type]
         "Link(\"shop\", \"billing\"), latency: ms is '5'; it must be a number of 0 or more (ms)."),
        (Link("shop", "billing", latency=Uniform(9, 1)),
         'Link("shop", "billing"), latency: Uniform(9, 1) ends before it begins; swap the two.'),
        (Link("shop", "billing", latency=Exponential(0)),
         'Link("shop", "billing"), latency: mean is 0; it must be a number above 0 (ms).'),
        (Link("shop", "billing", latency=LogNormal(5, -1)),
         'Link("shop", "billing"), latency: sigma is -1; it must be a number of 0 or more.'),
        (Link("shop", "billing", latency=Fixed(float("nan"))),
         'Link("shop", "billing"), latency: ms is nan; it must be a number of 0 or more (ms).'),
        (Link("shop", "billing", bandwidth=0),
         'Link("shop", "billing"): bandwidth is 0; it must be a number above 0 (bytes/ms), or None.'),
    ],
)  # fmt: skip
def test_links_are_checked(link: Any, sentence: str):
    assert problem(links=[*LINKS, link]) == sentence


def test_two_links_between_two_nodes_are_one_too_many():
    assert problem(links=[*LINKS, Link("orders", "shop")]) == (
        'Link("shop", "orders"): these two nodes are joined 2 times; one link carries both ways.'
    )


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Drop("shop", "billing"),
         'Drop("shop", "billing"): no link joins these two; add Link("shop", "billing"), or name two linked nodes.'),
        (Cut("shop", "order"), 'Cut("shop", "order"): there is no node "order"; did you mean "orders"?'),
        (Drop("shop", "orders", probability=1.5),
         'Drop("shop", "orders"): probability is 1.5; it must be a probability from 0 to 1.'),
        (Drop("shop", "orders", nth=0), 'Drop("shop", "orders"): nth is 0; it must be a whole number of at least 1, or None.'),
        (Duplicate("shop", "orders", after=-2),
         'Duplicate("shop", "orders"): after is -2; it must be a number of 0 or more (ms).'),
        (Slow("shop", "orders", factor=-2), 'Slow("shop", "orders"): factor is -2; it must be a number of 0 or more.'),
        (Cut("shop", "orders", direction="back"),  # type: ignore[arg-type]
         "Cut(\"shop\", \"orders\"): direction is 'back'; it must be one of 'both', 'there'."),
        (Cut("shop", "orders", during=Span(9, 5)),
         'Cut("shop", "orders"), during: the span ends at 5 ms, before it starts at 9 ms; swap the two.'),
        (Cut("shop", "orders", during=Span(-9, 5)),
         'Cut("shop", "orders"), during: start is -9; it must be a number of 0 or more (ms).'),
        (Crash("shp", at=5), 'Crash("shp"): there is no node "shp"; did you mean "shop"?'),
        (Crash("shop"), 'Crash("shop"): say when, by exactly one of at=(ms) and after=(a kind of step).'),
        (Crash("shop", at=1, after="sent"),
         'Crash("shop"): say when, by exactly one of at=(ms) and after=(a kind of step).'),
        (Crash("shop", after="procesed"),
         'Crash("shop"): there is no kind of step "procesed"; did you mean "processed"?'),
        (Crash("shop", at=-1), 'Crash("shop"): at is -1; it must be a number of 0 or more (ms), or None.'),
        (Pause("shop", at=1, lasting=0), 'Pause("shop"): lasting is 0; it must be a number above 0 (ms).'),
        ("Drop", "faults holds 'Drop'; a fault is a Drop, Duplicate, Slow, Cut, Crash or Pause."),
    ],
)  # fmt: skip
def test_faults_are_checked(fault: Any, sentence: str):
    assert problem(faults=[fault]) == sentence


@pytest.mark.parametrize("duration", [0, -5, float("inf"), float("nan"), "10", None])
def test_the_duration_is_checked(duration: Any):
    assert problem(duration=duration) == f"Scenario: duration is {duration!r}; it must be a number above 0 (ms)."


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (Topic("orders", partitions=0), 'Topic("orders"): partitions is 0; it must be a whole number of at least 1.'),
        (Topic("orders", partitions=True), 'Topic("orders"): partitions is True; it must be a whole number of at least 1.'),
        (Producer("shop", every=0), 'Producer("shop"), every: ms is 0; it must be a number above 0 (ms).'),
        (Producer("shop", every=Poisson(-1)),
         'Producer("shop"), every: per_second is -1; it must be a number above 0 (per second).'),
        (Producer("shop", every=Bursty(1, 2, Span(9, 5))),
         'Producer("shop"), every: the span ends at 5 ms, before it starts at 9 ms; swap the two.'),
        (Producer("shop", keys=[]),
         'Producer("shop"), keys: the list of keys is empty; give at least one (None for a record without a key).'),
        (Producer("shop", keys="order-1"),
         "Producer(\"shop\"), keys: the keys are 'order-1'; "
         'give a list of texts, as in ["order-1", "order-2"], or None for no key.'),
        (Producer("shop", keys=[1]),  # type: ignore[list-item]
         'Producer("shop"), keys: the keys are (1,); give a list of texts, as in ["order-1", "order-2"], or None for no key.'),
        (Producer("shop", keys=UniformKeys(0)),
         'Producer("shop"), keys: count is 0; it must be a whole number of at least 1.'),
        (Producer("shop", keys=ZipfKeys(5, -1)),
         'Producer("shop"), keys: exponent is -1; it must be a number of 0 or more.'),
        (Producer("shop", acks="1"),  # type: ignore[arg-type]
         "Producer(\"shop\"): acks is '1'; it must be one of 'all', 1, 0."),
        (Producer("shop", retries=-1), 'Producer("shop"): retries is -1; it must be a whole number of at least 0.'),
        (Producer("shop", delivery_timeout_ms=10),
         'Producer("shop"): delivery_timeout_ms is 10; it must be at least request_timeout_ms, 30000.0.'),
        (Producer("shop", event="fetch"),
         'Producer("shop"): event is "fetch", which is a request to a topic and no event; name it otherwise.'),
        (Consumer("billing", work=-1), 'Consumer("billing"), work: ms is -1; it must be a number of 0 or more (ms).'),
        (Consumer("billing", commit="never"),  # type: ignore[arg-type]
         "Consumer(\"billing\"): commit is 'never'; it must be one of 'after', 'before'."),
        (Consumer("billing", concurrency=0),
         'Consumer("billing"): concurrency is 0; it must be a whole number of at least 1.'),
    ],
)  # fmt: skip
def test_settings_of_nodes_are_checked(node: Node, sentence: str):
    shop = {"shop": Producer("shop"), "orders": Topic("orders"), "billing": Consumer("billing")}

    assert problem(list((shop | {node.name: node}).values())) == sentence


def test_a_node_without_the_links_it_needs_says_which():
    alone = [Producer("shop"), Topic("orders"), Consumer("billing")]

    assert problems(alone, []) == (
        'Producer("shop"): it sends to one topic, and 0 are linked from it; add one Link("shop", topic).',
        'Topic("orders"): nothing is linked to it; add a Link from a producer, or to a consumer.',
        'Consumer("billing"): it reads one topic, and 0 are linked to it; add one Link(topic, "billing").',
    )


def test_all_that_is_wrong_is_told_at_once_with_its_remedy():
    found = problems(
        [Node("shop"), Node("orders"), Node("orders"), Topic("log", partitions=0)],
        [Link("shop", "oders", latency=-1), Link("shop", "log", latency=Uniform(9, 1), bandwidth=-1), "shop-orders"],
        [Drop("shop", "log", probability=2), Crash("shop"), Cut("orders", "log"), 5],
        duration=-1,
    )

    assert found == (
        '2 nodes are called "orders"; give each a name of its own.',
        'Link("shop", "oders"): there is no node "oders"; did you mean "orders"?',
        "links holds 'shop-orders'; a link is written Link(source, target).",
        "Scenario: duration is -1; it must be a number above 0 (ms).",
        'Topic("log"): partitions is 0; it must be a whole number of at least 1.',
        'Link("shop", "oders"), latency: ms is -1; it must be a number of 0 or more (ms).',
        'Link("shop", "log"): bandwidth is -1; it must be a number above 0 (bytes/ms), or None.',
        'Link("shop", "log"), latency: Uniform(9, 1) ends before it begins; swap the two.',
        'Drop("shop", "log"): probability is 2; it must be a probability from 0 to 1.',
        'Crash("shop"): say when, by exactly one of at=(ms) and after=(a kind of step).',
        'Cut("orders", "log"): no link joins these two; add Link("orders", "log"), or name two linked nodes.',
        "faults holds 5; a fault is a Drop, Duplicate, Slow, Cut, Crash or Pause.",
    )


def test_several_problems_make_one_numbered_message():
    with pytest.raises(ScenarioError) as caught:
        Scenario(NODES[:1], [], [Crash("shop"), Crash("orders", at=1)])

    assert str(caught.value) == (
        "This scenario has 2 problems:\n"
        '  1. Crash("shop"): say when, by exactly one of at=(ms) and after=(a kind of step).\n'
        '  2. Crash("orders"): there is no node "orders"; there are: "shop"'
    )


@settings(max_examples=40)
@given(streams())
def test_a_scenario_can_be_stored_and_made_again(scenario: Scenario):
    again = Scenario.from_json(scenario.to_json())

    assert again == scenario
    assert again.to_json() == scenario.to_json()


def test_an_own_node_can_be_stored_and_made_again():
    @frozen
    class Lighthouse(Node):
        every: float = 5.0
        beams: tuple[float, ...] = ()
        during: Span | None = None

    scenario = Scenario([Lighthouse("a", 7, (1.5, 2), Span(1, 2)), Lighthouse("b")])

    assert Scenario.from_json(scenario.to_json()) == scenario


def test_a_class_that_is_defined_again_takes_the_place_of_the_earlier_one():
    def define(default: int) -> type[Node]:
        @frozen
        class Redefined(Node):
            size: int = default

        return Redefined

    define(1)
    later = define(2)

    assert type(Scenario.from_json(Scenario([later("a")]).to_json()).node("a")) is later


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("5", "This is no stored scenario: 5 names no type."),
        ("{}", "This is no stored scenario: {} names no type."),
        ("{", "This is no stored scenario: Expecting property name"),
        ('{"type": "Fixed", "ms": 1}', "This is a stored Fixed, not a scenario."),
        ('{"type": "Nothing"}', 'the class "Nothing" is not known here; import or define it first'),
        ('{"type": "Scenario"}', "This is no stored scenario: "),
    ],
)
def test_what_is_no_stored_scenario_is_refused(text: str, sentence: str):
    with pytest.raises(ValueError) as caught:
        Scenario.from_json(text)

    assert sentence in str(caught.value)
