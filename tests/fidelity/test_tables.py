"""The tables of what is modelled and what is not say what is so: every setting, default and test that they name is there."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest

import simulator
from simulator.brokers.queue.settings import ARGUMENTS
from simulator.fidelity import SYSTEMS, Mechanism, Setting, System, Value, fidelity_of
from simulator.scenario import Node
from tests.conformance.recorded import recorded

ROOT = Path(__file__).parents[2]
CONFORMANCE = ROOT / "tests" / "conformance"

systems = pytest.mark.parametrize("system", [fidelity_of(name) for name in SYSTEMS], ids=SYSTEMS)

SQS = "sqs"
TOLD_BY_AWS_ONLY = {"All", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"} | {
    "ApproximateNumberOfMessagesNotVisible", "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn",
}  # fmt: skip
"""Attributes that can be asked for and not set."""


def settings_of(system: System) -> Iterator[tuple[Mechanism, Setting]]:
    for row in system.mechanisms:
        for setting in row.settings:
            yield row, setting


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
def tests_in(file: str) -> frozenset[str]:
    """The names of the tests in a file, read and not run."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def is_there(test: str) -> bool:
    file, _, name = test.partition("::")
    return (ROOT / file).is_file() and name in tests_in(file)


def plays_with_a_broker(cls: type) -> bool:
    """Whether a class of ours stands for a broker, a part of one, or a client that knows one."""
    if not attrs.has(cls):
        return False
    if cls.__module__.startswith("simulator.brokers."):
        return True
    return issubclass(cls, Node) and "from simulator.brokers." in inspect.getsource(sys.modules[cls.__module__])


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

    assert files == judged


@systems
def test_every_setting_of_ours_that_is_named_has_the_default_that_is_told(system):
    wrong = [
        f"{place} is {default_of(place)!r}"
        for _, setting in settings_of(system)
        for place in setting.here
        if not same(default_of(place), setting.default if setting.here_default is None else setting.here_default)
    ]

    assert wrong == []


@systems
def test_a_default_of_ours_differs_only_where_the_table_says_why(system):
    for _, setting in settings_of(system):
        differs = setting.here_default is not None and not same(setting.here_default, setting.default)
        assert differs == bool(setting.why), setting.name


@systems
def test_every_setting_of_a_broker_and_its_clients_has_a_row(system):
    told = [place for _, setting in settings_of(system) for place in setting.here]
    told += [place for own in system.own for place in own.settings]
    ours = [f"{part}.{field.name}" for part in system.parts for field in attrs.fields(getattr(simulator, part))]

    assert sorted(told) == sorted(place for place in ours if not place.endswith(".name"))


def test_every_broker_and_client_of_ours_has_a_table():
    ours = [name for name in simulator.__all__ if isinstance(found := getattr(simulator, name), type) and plays_with_a_broker(found)]

    told = [part for name in SYSTEMS for part in fidelity_of(name).parts]

    assert sorted(told) == sorted(ours)


@systems
def test_every_default_says_where_it_is_written(system):
    used = {setting.source for _, setting in settings_of(system)}

    assert used == set(system.sources)


def plain(value: Any) -> str:
    """A default as Kafka's configuration definitions write it."""
    return {"none": "null", True: "true", False: "false"}.get(value, str(value))


def test_kafkas_defaults_are_those_of_its_configuration_definitions():
    definitions = recorded("kafka_defaults")
    known = definitions["producer"] | definitions["consumer"] | definitions["topic"]
    known |= {name: fact["value"] for name, fact in recorded("published_defaults")["kafka"].items() if name != "linger.ms"}
    from_definitions = [setting for _, setting in settings_of(fidelity_of("kafka")) if setting.source == "ConfigDef"]

    wrong = [each.name for each in from_definitions if known[each.name].strip("[]") != plain(each.default)]

    assert from_definitions
    assert wrong == []


def test_what_changed_with_kafka_4_0_is_told_as_it_is_since():
    (linger,) = [setting for _, setting in settings_of(fidelity_of("kafka")) if setting.name == "linger.ms"]

    assert f"{linger.default} from 4.0" in recorded("published_defaults")["kafka"]["linger.ms"]["value"]


def test_amazons_defaults_are_the_published_ones():
    facts = {name: fact["default"] for name, fact in recorded("published_defaults")["sqs"].items() if "default" in str(fact)}
    told = {setting.name: setting.default for _, setting in settings_of(fidelity_of("sqs"))}

    assert {name: told[name] for name in facts} == facts


def test_every_attribute_of_amazons_queues_has_a_row():
    session = pytest.importorskip("botocore.session", reason="botocore is not installed: pip install boto3")
    attributes = session.get_session().get_service_model("sqs").operation_model("CreateQueue").input_shape.members["Attributes"]
    told = {setting.name for _, setting in settings_of(fidelity_of("sqs"))}

    assert set(attributes.key.enum) - TOLD_BY_AWS_ONLY - told == set()


def test_rabbitmqs_defaults_are_those_of_a_running_node():
    facts = recorded("published_defaults")["rabbitmq"]
    told = {setting.name: setting.default for _, setting in settings_of(fidelity_of("rabbitmq")) if setting.source == "node"}
    renamed = {re.sub(r"(_s|_ms|_bytes|\(.*\))$", "", name): value for name, value in facts.items()}

    assert told
    assert {name: renamed[name] for name in told} == told


def test_every_argument_of_a_rabbitmq_queue_has_a_row():
    told = {setting.name for _, setting in settings_of(fidelity_of("rabbitmq"))}

    assert set(ARGUMENTS) - told == set()
