"""`python -m simulator`: list, run, check."""

import subprocess
import sys
from typing import Annotated

import pytest
from typer.testing import CliRunner

from simulator import Consumer, Drop, Link, Producer, Range, Scenario, Topic, Trace, cli


def small_shop(
    orders_per_second: Annotated[float, Range(1, 50, unit="orders/s")] = 10, lose_a_commit: bool = False
) -> Scenario:
    """One shop, one consumer."""
    return Scenario(
        nodes=[Producer("shop", every=1_000 / orders_per_second), Topic("orders"), Consumer("billing", work=5)],
        links=[Link("shop", "orders"), Link("orders", "billing")],
        faults=[Drop("billing", "orders", kind="commit", probability=1.0)] if lose_a_commit else [],
        duration=1_000,
        name="small_shop",
    )


@pytest.fixture
def command(monkeypatch):
    """The command line with one small scenario, as a function of its words."""
    monkeypatch.setattr(cli, "SCENARIOS", {"small_shop": small_shop})
    return lambda *words: CliRunner().invoke(cli.app, [str(word) for word in words])


def test_the_list_says_what_each_scenario_may_be_given(command):
    done = command("list")

    assert done.exit_code == 0
    assert "small_shop: One shop, one consumer." in done.output
    assert "--set orders_per_second=10             a number from 1 to 50 orders/s" in done.output
    assert "--set lose_a_commit=no                 yes or no" in done.output


def test_every_listed_setting_can_be_given_back():
    for name, scenario in cli.SCENARIOS.items():
        settings = {p.name: cli.written(p.default) for p in cli.parameters.parameters(scenario)}

        assert cli.parameters.make(scenario, settings) == scenario(), name


def test_a_run_says_how_long_it_was_and_what_held(command):
    done = command("run", "small_shop", "--seed", 7)

    assert done.exit_code == 0
    assert done.output.startswith("small_shop, seed 7: ")
    assert "at_least_once" in done.output


def test_a_run_stored_with_out_is_the_run_itself(command, tmp_path):
    file = tmp_path / "run.jsonl"

    command("run", "small_shop", "--set", "orders_per_second=50", "--seed", 7, "--out", file)
    trace = Trace.load(file)

    assert trace.scenario == small_shop(orders_per_second=50)
    assert trace.seed == 7


def test_a_page_is_written_that_holds_the_run(command, tmp_path):
    file = tmp_path / "run.html"

    done = command("run", "small_shop", "--html", file)

    assert done.exit_code == 0, done.output
    assert "<html" in file.read_text(encoding="utf-8").lower()


def test_a_page_of_a_long_run_shows_its_beginning_and_says_so(command, tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.views.replay_data.MOST_STEPS", 20)

    done = command("run", "small_shop", "--html", tmp_path / "run.html")

    assert done.exit_code == 0, done.output
    assert "(the first 20 steps)" in done.output


def test_a_check_of_a_sound_run_ends_well(command, tmp_path):
    command("run", "small_shop", "--out", tmp_path / "run.jsonl")

    done = command("check", tmp_path / "run.jsonl")

    assert done.exit_code == 0
    assert "small_shop, seed 0" in done.output


def test_a_check_of_a_damaged_file_is_refused_in_one_sentence(command, tmp_path):
    file = tmp_path / "run.jsonl"
    command("run", "small_shop", "--out", file)
    file.write_text(file.read_text()[:-200])

    done = command("check", file)

    assert done.exit_code == 1
    assert len(done.output.strip().splitlines()) == 1


def test_a_check_of_a_file_that_is_not_there_names_it(command, tmp_path):
    done = command("check", tmp_path / "no.jsonl")

    assert done.exit_code == 1
    assert "no.jsonl" in done.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "small_shp"], 'There is no scenario "small_shp"; did you mean "small_shop"?'),
        (["run", "small_shop", "--set", "orders_per_second"], "--set orders_per_second names no value"),
        (["run", "small_shop", "--set", "orders=5"], 'small_shop has no parameter "orders"'),
        (["run", "small_shop", "--set", "orders_per_second=900"], "it must be a number from 1 to 50 orders/s"),
        (["run", "small_shop", "--out", "nowhere/run.jsonl"], "There is no folder nowhere to write run.jsonl to"),
    ],
)
def test_a_command_that_cannot_be_done_is_refused_with_the_remedy(command, words, sentence):
    done = command(*words)

    assert done.exit_code == 2
    assert sentence in done.output


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "simulator", "list"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "--set" in done.stdout
