"""The tables of what is modelled and what is not say what is so: every setting, default and test that they name is there."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest

import simulator
from simulator.brokers.queue.settings import ARGUMENTS
from simulator.fidelity import SYSTEMS, Value, fidelity_of
from simulator.scenario import Node

ROOT = Path(__file__).parents[2]
CONFORMANCE = ROOT / "tests" / "conformance"

systems = pytest.mark.parametrize("system", [fidelity_of(name) for name in SYSTEMS], ids=SYSTEMS)

OF_NO_BROKER = {"Service"}
"""It may append to a topic, and has no setting for that."""


def default_of(place: str) -> Any:
    """The default of one of our settings, told as ``Class.field``, as a table writes it."""
    cls, name = place.split(".")
    default = attrs.fields_dict(getattr(simulator, cls))[name].default
    if default is attrs.NOTHING:
        return "required"
    if default is None:
        return "none"
    return ", ".join(map(str, default)) if isinstance(default, tuple) else default


def same(one: Value, other: Value) -> bool:
    """Equal, and both or neither a truth value."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


@cache
def named_in(file: str) -> frozenset[str]:
    """The names of the tests in a file, read and not run."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def is_there(test: str) -> bool:
    file, _, name = test.partition("::")
    return (ROOT / file).is_file() and name in named_in(file)


def plays_with_a_broker(cls: type) -> bool:
    """Whether a class of ours stands for a broker, a part of one, or a client that knows one."""
    if not attrs.has(cls):
        return False
    if cls.__module__.startswith("simulator.brokers."):
        return True
    written = (
        inspect.getsource(sys.modules[each.__module__]) for each in cls.__mro__ if each.__module__.startswith("simulator.")
    )
    return issubclass(cls, Node) and any("from simulator.brokers." in each for each in written)


@systems
def test_a_row_says_what_is_so_and_what_is_not(system):
    for row in system.mechanisms:
        said = (bool(row.does), bool(row.but), bool(row.tests))
        wanted = {"modelled": (True, False, True), "simplified": (True, True, True), "left out": (False, True, False)}
        assert said == wanted[row.status], f"{row.name}: a {row.status} row has (does, but, tests): {wanted[row.status]}"
        assert all(text.endswith(".") for text in (row.does, row.but) if text), row.name


@systems
def test_every_row_has_a_name_of_its_own(system):
    names = [row.name for row in system.mechanisms]

    assert len(names) == len(set(names))


@systems
def test_every_test_that_is_named_is_there(system):
    named = [test for row in system.mechanisms for test in row.tests]
    named += [each.test for each in system.disagreements if each.test]

    assert [test for test in named if not is_there(test)] == []


@systems
def test_every_file_that_has_a_judge_is_named_by_a_row(system):
    held = {test.split("::")[0] for row in system.mechanisms for test in row.tests}

    assert set(system.judges) <= held


def test_every_comparison_with_a_real_system_is_named_by_a_row_and_has_a_judge():
    files = {path.relative_to(ROOT).as_posix() for path in CONFORMANCE.glob("test_*.py")}

    judged = {file for name in SYSTEMS for file in fidelity_of(name).judges}

    assert files <= judged


@systems
def test_every_setting_of_ours_that_is_named_has_the_default_that_is_told(system):
    wrong = [
        f"{place} is {default_of(place)!r}"
        for setting in system.settings()
        for place in setting.here
        if not same(default_of(place), setting.default if setting.here_default is None else setting.here_default)
    ]

    assert wrong == []


@systems
def test_a_default_of_ours_differs_only_where_the_table_says_why(system):
    for setting in system.settings():
        differs = setting.here_default is not None and not same(setting.here_default, setting.default)
        assert differs == bool(setting.why), setting.name


@systems
def test_every_setting_of_a_broker_and_its_clients_has_a_row(system):
    told = [place for setting in system.settings() for place in setting.here]
    told += [place for own in system.own for place in own.settings]
    ours = [f"{part}.{field.name}" for part in system.parts for field in attrs.fields(getattr(simulator, part))]

    assert sorted(told) == sorted(place for place in ours if not place.endswith(".name"))


def test_every_broker_and_client_of_ours_has_a_table():
    ours = [
        name
        for name in simulator.__all__
        if isinstance(found := getattr(simulator, name), type) and plays_with_a_broker(found)
    ]

    told = [part for name in SYSTEMS for part in fidelity_of(name).parts]

    assert sorted(told) == sorted(set(ours) - OF_NO_BROKER)


@systems
def test_every_default_says_where_it_is_written(system):
    used = {setting.source for setting in system.settings()}

    assert used == set(system.sources)


def test_every_argument_of_a_rabbitmq_queue_has_a_row():
    told = {setting.name for setting in fidelity_of("rabbitmq").settings()}

    assert set(ARGUMENTS) - told == set()
