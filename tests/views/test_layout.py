"""Nodes stand where the flow of the links puts them, and nothing lies on top of anything else."""

from __future__ import annotations

import itertools

import pytest

from simulator import Consumer, Link, Node, Producer, Scenario, Topic
from simulator.scenarios import SCENARIOS
from simulator.views.layout import Box, layout
from tests.views.systems import SYSTEMS, hiding, replication


def nodes(*names: str) -> list[Node]:
    return [Node(name) for name in names]


def overlap(one: Box, other: Box) -> bool:
    apart_in_x = one.x + one.width <= other.x or other.x + other.width <= one.x
    apart_in_y = one.y + one.height <= other.y or other.y + other.height <= one.y
    return not (apart_in_x or apart_in_y)


@pytest.mark.parametrize("down", [False, True], ids=["to the right", "down"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_two_nodes_overlap_and_all_are_in_the_picture(name, down):
    placed = layout(SCENARIOS[name](), {"orders": (300, 200)}, down=down)

    assert not any(overlap(*pair) for pair in itertools.combinations(placed.boxes.values(), 2))
    for box in placed.boxes.values():
        assert 0 <= box.x <= placed.width - box.width + 0.1
        assert 0 <= box.y <= placed.height - box.height + 0.1


def test_producers_left_brokers_in_the_middle_consumers_right():
    scenario = Scenario(
        nodes=[Consumer("billing"), Topic("orders"), Producer("shop")],
        links=[Link("shop", "orders"), Link("orders", "billing")],
    )

    placed = layout(scenario)

    assert placed.boxes["shop"].x < placed.boxes["orders"].x < placed.boxes["billing"].x
    assert len({box.y for box in placed.boxes.values()}) == 1


def test_downwards_the_flow_runs_from_top_to_bottom():
    placed = layout(Scenario(nodes("a", "b"), [Link("a", "b")]), down=True)

    assert placed.boxes["a"].y < placed.boxes["b"].y
    assert placed.boxes["a"].x == placed.boxes["b"].x


def test_a_consumer_stands_in_the_last_column_even_where_others_have_more_behind_them():
    scenario = Scenario(
        nodes=[Producer("shop"), Topic("orders"), Consumer("billing"), Node("mail"), Node("post")],
        links=[Link("shop", "orders"), Link("orders", "billing"), Link("orders", "mail"), Link("mail", "post")],
    )

    placed = layout(scenario)

    assert placed.boxes["billing"].x == placed.boxes["post"].x


def test_links_that_would_cross_are_untangled():
    scenario = Scenario(nodes("a", "b", "x", "y"), [Link("a", "y"), Link("b", "x")])

    placed = layout(scenario)

    assert (placed.boxes["a"].y < placed.boxes["b"].y) == (placed.boxes["y"].y < placed.boxes["x"].y)


def test_a_link_over_several_columns_goes_around_the_nodes_between():
    scenario = Scenario(nodes("a", "b", "c"), [Link("a", "b"), Link("b", "c"), Link("a", "c")])

    placed = layout(scenario)
    between = placed.boxes["b"]

    for x, y in placed.routes[2].points:
        assert not (between.x < x < between.x + between.width and between.y < y < between.y + between.height)


def test_a_route_runs_from_its_source_to_its_target_even_against_the_flow():
    scenario = Scenario(nodes("a", "b", "c"), [Link("a", "b"), Link("b", "c"), Link("c", "a")])

    placed = layout(scenario)
    back = placed.routes[2]

    assert back.points[0][0] == placed.boxes["c"].x
    assert back.points[-1][0] == placed.boxes["a"].x + placed.boxes["a"].width


def test_links_at_one_side_of_a_node_keep_apart():
    scenario = Scenario(nodes("a", "x", "y", "z"), [Link("a", name) for name in "xyz"])

    leaving = [route.points[0] for route in layout(scenario).routes]

    assert len(set(leaving)) == 3


def test_a_point_on_a_route_is_found_by_the_fraction_of_its_length():
    route = layout(Scenario(nodes("a", "b"), [Link("a", "b")]), gap=100).routes[0]

    (x0, y0), (x1, _) = route.at(0), route.at(1)

    assert x1 - x0 == 100
    assert route.at(0.25) == (x0 + 25, y0)


def test_nodes_without_links_stand_by_their_role():
    placed = layout(Scenario([Node("service"), *nodes("other")]))

    assert placed.boxes["service"].x == placed.boxes["other"].x


def test_the_same_scenario_is_placed_the_same_every_time():
    assert layout(SCENARIOS["checkout"]()) == layout(SCENARIOS["checkout"]())


def test_a_cluster_s_brokers_stand_in_one_column_between_their_clients():
    placed = layout(replication())
    brokers = [placed.boxes[f"broker-{number}"] for number in (1, 2, 3)]

    assert len({box.x for box in brokers}) == 1
    assert [box.y for box in brokers] == sorted(box.y for box in brokers)
    assert placed.boxes["shop"].x < brokers[0].x < placed.boxes["billing"].x


def test_downwards_a_cluster_s_brokers_stand_exactly_below_each_other():
    sizes = {f"broker-{number}": (300.0, 100.0) for number in (1, 2, 3)}
    placed = layout(replication(), sizes, down=True)
    brokers = [placed.boxes[f"broker-{number}"] for number in (1, 2, 3)]

    assert len({box.x for box in brokers}) == 1
    assert placed.boxes["shop"].y < brokers[0].y < brokers[1].y < brokers[2].y < placed.boxes["billing"].y


def test_a_dead_letter_queue_stands_with_its_queue_and_their_link_goes_round():
    placed = layout(hiding())
    queue, dead = placed.boxes["orders"], placed.boxes["dead"]
    route = next(route for route in placed.routes if (route.source, route.target) == ("orders", "dead"))

    assert queue.x + queue.width / 2 == dead.x + dead.width / 2
    assert (route.points[0][0], route.points[-1][0]) == (queue.x + queue.width, dead.x + dead.width)
    assert max(x for x, _ in route.points) > queue.x + queue.width
    assert max(x for x, _ in route.points) <= placed.width


@pytest.mark.parametrize("down", [False, True], ids=["to the right", "down"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_no_link_runs_through_a_node(system, down):
    scenario = system()
    placed = layout(scenario, {"controller": (349, 116), "rabbit": (560, 500)}, down=down)

    for route in placed.routes:
        for x, y in route.points[1:-1]:
            for box in placed.boxes.values():
                inside = box.x + 1 < x < box.x + box.width - 1 and box.y + 1 < y < box.y + box.height - 1
                assert not inside, (route.source, route.target, box.name)
