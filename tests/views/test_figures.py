"""Still figures: what is drawn, that they can be stored, and what they refuse."""

from __future__ import annotations

import subprocess
import sys

import pytest

from simulator import Caller, Crash, Drop, Exponential, Link, LogNormal, Scenario, Service, Span, Uniform, run
from simulator.network import Fixed
from simulator.reading.lineage import births
from simulator.trace import Trace
from simulator.views.figures import lag, latency, spacetime, throughput, topology
from simulator.views.spacetime import ANNOTATED
from simulator.views.topology import graph, in_words
from tests.views.shop import shop

PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def events() -> Trace:
    return run(shop("event-driven", email_work=60), seed=7)


@pytest.fixture(scope="module")
def requests() -> Trace:
    return run(shop("request-response", orders_per_second=4), seed=7)


def texts(still) -> list[str]:
    """All that stands in a picture."""
    figure = still.figure
    return [each.get_text() for axes in figure.axes for each in axes.texts] + [
        label.get_text() for axes in figure.axes for label in (axes.get_legend().get_texts() if axes.get_legend() else [])
    ]


@pytest.mark.parametrize("draw", [latency, lag, throughput, lambda trace: topology(trace.scenario), spacetime])
def test_a_figure_is_a_picture_and_one_line_and_the_same_each_time(events, draw):
    first, second = draw(events)._repr_mimebundle_(), draw(events)._repr_mimebundle_()

    assert first["image/png"].startswith(PNG)
    assert first == second
    assert first["text/plain"].startswith("<")
    assert "\n" not in first["text/plain"]


def test_a_figure_can_be_saved(events, tmp_path):
    written = latency(events).save(tmp_path / "latency.svg")

    assert "<svg" in written.read_text()


def test_several_runs_are_told_apart_by_name(events, requests):
    still = latency({"telling": events, "asking": requests})

    assert {"telling", "asking"} <= set(texts(still))
    assert "telling p50 9.0 ms" in repr(still)


def test_an_outage_is_shaded_and_named(events):
    assert "email down" in texts(throughput(events))
    assert "email down" in texts(lag(events))


def test_every_partition_of_a_group_has_its_line(events):
    labels = texts(lag(events, "email"))

    assert {"email, placed p0", "email, placed p1"} <= set(labels)


def test_throughput_of_chosen_nodes_only(events):
    labels = texts(throughput(events, "email"))

    assert "email" in labels
    assert "stock" not in labels


def test_lag_is_refused_where_nobody_reads(requests):
    with pytest.raises(ValueError, match="Nobody reads a topic"):
        lag(requests)


def test_an_unknown_unit_of_lag_is_refused(events):
    with pytest.raises(ValueError, match='must be "messages" or "ms"'):
        lag(events, unit="seconds")


def test_the_graph_has_the_scenarios_nodes_and_links():
    made = graph(shop("event-driven"))

    assert list(made.edges) == [("customers", "orders"), ("orders", "placed"), ("placed", "stock"), ("placed", "email")]
    assert made.nodes["placed"]["kind"] == "Topic"
    assert made.edges["customers", "orders"]["latency"] == "1 ms"
    assert made.nodes["customers"]["pos"][0] < made.nodes["placed"]["pos"][0] < made.nodes["email"]["pos"][0]


def test_the_topology_shows_where_faults_will_strike():
    scenario = Scenario(
        nodes=[Caller("shop"), Service("orders")],
        links=[Link("shop", "orders")],
        faults=[Drop("shop", "orders", nth=1), Crash("orders", at=100)],
    )

    told = texts(topology(scenario))

    assert {"shop", "orders", "1 ms · drop", "Service · will crash"} <= set(told)


@pytest.mark.parametrize(
    ("latency_", "words"),
    [(Fixed(2), "2 ms"), (Uniform(5, 15), "5–15 ms"), (Exponential(10), "about 10 ms"), (LogNormal(3), "about 3 ms")],
)
def test_a_latency_in_words(latency_, words):
    assert in_words(latency_) == words


def test_the_space_time_diagram_says_each_step_of_a_short_part(requests):
    told = texts(spacetime(requests, last=20))

    assert {"customers", "orders", "stock", "email", "made order-1", "PlaceOrder order-1", "started order-1"} <= set(told)


def test_a_lost_message_is_marked_as_lost():
    scenario = Scenario(
        nodes=[Caller("shop", every=100, count=1, timeout=50), Service("orders")],
        links=[Link("shop", "orders")],
        faults=[Drop("shop", "orders", nth=1)],
        duration=500,
    )

    told = texts(spacetime(run(scenario)))

    assert "request order-1 lost" in told
    assert "timed out order-1" in told


def test_without_a_choice_the_diagram_begins_at_the_start_and_stays_readable(events):
    still = spacetime(events)

    assert "steps 0 to " in repr(still)
    assert "made order-1" in texts(still)


def test_a_long_part_is_drawn_to_scale_without_words(events):
    still = spacetime(events, first=0, last=1_000)

    assert not [text for text in texts(still) if "order-" in text]
    assert len([text for text in texts(still) if text.endswith(" ms")]) >= 4


def test_chosen_nodes_stand_in_the_order_they_were_named(requests):
    still = spacetime(requests, last=60, nodes=["email", "orders"])

    heads = [text for text in texts(still) if text in requests.nodes]
    assert heads == ["email", "orders"]
    assert "made order-1" in texts(still)
    assert "started order-1" in texts(still)


def test_protocol_is_shown_on_demand(events):
    quiet, all_of_it = spacetime(events, last=60), spacetime(events, last=60, protocol=True)

    assert not [text for text in texts(quiet) if text.startswith("fetch ") or text == "fetch"]
    assert [text for text in texts(all_of_it) if text.startswith("fetch")]


def test_a_part_that_ends_in_mid_flight_can_be_drawn(requests):
    first_sent = next(step.index for step in requests.select("sent"))

    still = spacetime(requests, first=first_sent, last=first_sent)

    assert "1 messages" in repr(still)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"nodes": ["emial"]}, KeyError, 'did you mean "email"'),
        ({"nodes": []}, ValueError, "name at least one node"),
        ({"first": 10**6}, IndexError, "There is no step"),
        ({"first": 20, "last": 10}, ValueError, "let last be at least first"),
        ({"first": 0, "last": 1, "nodes": ["email"]}, ValueError, "Nothing happened at email"),
    ],
)
def test_what_cannot_be_drawn_is_refused(requests, arguments, error, words):
    with pytest.raises(error, match=words):
        spacetime(requests, **arguments)


def test_the_diagram_of_an_empty_run_is_refused():
    with pytest.raises(ValueError, match="no steps"):
        spacetime(Trace.of(shop(), []))


def test_a_part_of_this_length_has_words_for_every_birth(requests):
    still = spacetime(requests, first=0, last=ANNOTATED - 1)

    born = [birth.step for birth in births(requests).values() if birth.step < ANNOTATED]
    assert len([text for text in texts(still) if text.startswith("made ")]) == len(born)


def test_a_downtime_breaks_the_line_of_life():
    scenario = shop("request-response", orders_per_second=4, email_outage=Span(100, 300), seconds=0.5)

    told = texts(spacetime(run(scenario, seed=7)))

    assert {"crashed", "restarted"} <= set(told)


def test_figures_need_no_pyplot():
    code = (
        "import sys; from simulator import run; from simulator.views.figures import latency; from tests.views.shop import shop;"
        "latency(run(shop(), 7)).to_png(); print('matplotlib.pyplot' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"
