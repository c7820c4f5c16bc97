"""Traces as files."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simulator
from simulator import BehaviourError, Link, Message, Node, RunStopped, Scenario, Trace, TraceFileError, run
from simulator.vocabulary import KINDS
from tests.actors import Talker, hard_work, talk
from tests.strategies import seeds, streams
from tests.test_message import json_values


class Clumsy(Node):
    """Talks until it trips."""

    def behave(self, sim: Any) -> Any:
        for number in range(3):
            sim.send("b", sim.message("note", payload=number))
            yield sim.sleep(10)
        raise RuntimeError("tripped")


CLUMSY = Scenario([Clumsy("a"), Node("b")], [Link("a", "b")])


class Interrupter(Node):
    """The stop button: pressed at 100 ms."""

    def behave(self, sim: Any) -> Any:
        yield sim.sleep(100)
        raise KeyboardInterrupt


def interrupted(**how: Any) -> Trace:
    scenario = Scenario([Talker("a", "b", tuple(range(0, 1_000, 10))), Interrupter("b")], [Link("a", "b")])
    with pytest.warns(RunStopped):
        return run(scenario, **how)


def budgeted(**how: Any) -> Trace:
    with pytest.warns(RunStopped):
        return run(hard_work(), max_steps=7, **how)


def failed(**how: Any) -> Trace:
    with pytest.raises(BehaviourError) as caught:
        run(CLUMSY, **how)
    return caught.value.trace


def whole(**how: Any) -> Trace:
    return run(hard_work(), **how)


ENDINGS = {"duration": whole, "interrupted": interrupted, "budget": budgeted, "failed": failed}


@settings(max_examples=40)
@given(streams(), seeds)
def test_loading_what_was_saved_gives_an_equal_trace(scenario: Scenario, seed: int):
    trace = run(scenario, seed)
    with tempfile.TemporaryDirectory() as folder:
        loaded = Trace.load(trace.save(Path(folder) / "run.jsonl"))

    assert loaded == trace
    assert list(loaded) == list(trace)
    assert loaded.scenario == scenario
    assert run(loaded.scenario, loaded.seed) == trace


texts = st.text(max_size=8)


@given(
    payload=json_values,
    kind=texts.filter(bool),
    key=st.none() | texts,
    headers=st.lists(st.tuples(texts, texts), max_size=3),
    reason=st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    time=st.floats(0, 1e9),
)
def test_whatever_a_message_or_a_step_says_is_saved(
    payload: Any, kind: str, key: Any, headers: Any, reason: Any, time: float
):
    message = Message(1, kind, key, payload, tuple(headers), 0, 7)
    scenario = Scenario([Node("a"), Node("b")], [Link("a", "b")])
    trace = Trace.of(scenario, [(time, "rejected", "a", message, None, {"reason": reason})], seed=3)
    with tempfile.TemporaryDirectory() as folder:
        loaded = Trace.load(trace.save(Path(folder) / "run.jsonl"))

    assert loaded == trace
    assert list(loaded) == list(trace)
    assert loaded[0]["reason"].__class__ is reason.__class__
    assert loaded.seed == 3


@pytest.mark.parametrize("ended", ENDINGS)
def test_however_a_run_ends_its_trace_can_be_saved_and_loaded(ended: str, tmp_path: Path):
    trace = ENDINGS[ended]()

    loaded = Trace.load(trace.save(tmp_path / "run.jsonl"))

    assert (loaded, loaded.ended) == (trace, ended)


@pytest.mark.parametrize("ended", ENDINGS)
def test_however_a_run_ends_what_it_wrote_on_the_way_is_its_trace(ended: str, tmp_path: Path):
    path = tmp_path / "run.jsonl"

    trace = ENDINGS[ended](save_to=path)

    assert Trace.load(path) == trace
    assert path.read_bytes() == trace.save(tmp_path / "afterwards.jsonl").read_bytes()
    assert {each.name for each in tmp_path.iterdir()} == {"run.jsonl", "afterwards.jsonl"}


def test_a_long_run_is_written_while_it_goes_on_and_reads_back_the_same(tmp_path: Path):
    path, seen = tmp_path / "run.jsonl", []

    class Spy(Node):
        def behave(self, sim: Any) -> Any:
            while True:
                yield sim.sleep(1_000)
                (partial,) = tmp_path.iterdir()
                seen.append(partial.stat().st_size)

    nodes = [Talker("a", "b", tuple(range(9_000))), Node("b"), Spy("spy")]
    trace = run(Scenario(nodes, [Link("a", "b")], duration=9_500), save_to=path)

    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    assert Trace.load(path) == trace


def test_the_file_is_json_lines_that_say_what_the_steps_say(tmp_path: Path):
    trace = run(hard_work(times=[5]), seed=4)

    lines = [json.loads(line) for line in trace.save(tmp_path / "run.jsonl").read_text().splitlines()]

    assert (lines[0]["format"], lines[0]["version"], lines[0]["seed"]) == ("event-driven-lab/trace", 1, 4)
    assert lines[0]["scenario"]["nodes"][0]["type"] == "Talker"
    assert [line for line in lines if "step" in line] == [
        {"step": 0, "time": 5.0, "kind": "sent", "node": "a", "message": 1, "data": {"to": "b", "attempt": 1}},
        {
            "step": 1,
            "time": 6.0,
            "kind": "delivered",
            "node": "b",
            "message": 1,
            "cause": 0,
            "data": {"source": "a", "copy": 0},
        },
        {"step": 2, "time": 16.0, "kind": "processed", "node": "b", "message": 1, "cause": 1, "data": {"attempt": 1}},
    ]
    assert lines[-1] == {"end": "duration", "steps": 3, "messages": 1, "digest": trace.digest}


def refusal(path: Path) -> str:
    """The one sentence by which a file is refused."""
    with pytest.raises(TraceFileError) as caught:
        Trace.load(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    return sentence


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return run(hard_work()).save(tmp_path / "run.jsonl")


def test_a_file_that_is_cut_off_is_refused_at_any_line_and_in_the_middle_of_one(saved: Path):
    whole = saved.read_text()
    lines = whole.splitlines(keepends=True)

    for count in range(1, len(lines)):
        saved.write_text("".join(lines[:count]))
        assert "is cut off after" in refusal(saved)
    saved.write_text(whole[: len(whole) // 2])
    assert "is cut off after" in refusal(saved)


def test_a_whole_file_without_its_last_line_break_is_whole(saved: Path):
    saved.write_text(saved.read_text().rstrip("\n"))

    assert Trace.load(saved) == run(hard_work())


def test_a_file_with_more_behind_its_end_is_refused(saved: Path):
    saved.write_text(saved.read_text() * 2)

    assert "more follows behind its last line" in refusal(saved)


@given(st.data())
def test_a_tampered_line_is_refused_whatever_was_changed(data: st.DataObject):
    trace = run(hard_work())
    with tempfile.TemporaryDirectory() as folder:
        path = trace.save(Path(folder) / "run.jsonl")
        lines = path.read_text().splitlines()
        place = data.draw(st.integers(1, len(lines) - 1))
        line = json.loads(lines[place])
        name = data.draw(st.sampled_from(sorted(line)))
        value = data.draw(st.sampled_from([None, -7, 10**12, 1e999, "x", [], {}, ["x", None], True]))
        same = value == line[name] and value is not True
        line[name] = value
        path.write_text("\n".join([*lines[:place], json.dumps(line), *lines[place + 1 :], ""]))
        if same:
            return

        assert "damaged" in refusal(path)


@given(st.data())
def test_a_line_that_is_missing_doubled_or_swapped_is_refused(data: st.DataObject):
    trace = run(hard_work())
    with tempfile.TemporaryDirectory() as folder:
        path = trace.save(Path(folder) / "run.jsonl")
        lines = path.read_text().splitlines(keepends=True)
        place = data.draw(st.integers(1, len(lines) - 3))
        how = data.draw(st.sampled_from(["missing", "doubled", "swapped"]))
        if how == "missing":
            del lines[place]
        elif how == "doubled":
            lines.insert(place, lines[place])
        else:
            lines[place], lines[place + 1] = lines[place + 1], lines[place]
        path.write_text("".join(lines))
        try:
            loaded = Trace.load(path)
        except TraceFileError as error:
            assert "is damaged in line" in str(error)  # noqa: PT017 - either a refusal, or no harm was done
        else:
            assert loaded == trace


@pytest.mark.parametrize(
    "contents",
    ["", "\n", "hello\n", "[1, 2]\n", '{"cells": [], "nbformat": 4}\n', "[" * 100_000, '{"format": "another"}\n'],
)
def test_a_foreign_file_is_refused(contents: str, tmp_path: Path):
    path = tmp_path / "foreign.jsonl"
    path.write_text(contents)

    assert refusal(path) == f"{path} is no trace of this simulator: its first line does not say so."


def test_a_binary_file_is_refused(tmp_path: Path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe")

    assert refusal(path) == f"{path} is no trace: it is not text. Traces are saved by Trace.save."


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path):
    assert "can't be read: No such file or directory" in refusal(tmp_path / "nowhere.jsonl")
    assert "can't be read" in refusal(tmp_path)


def rewritten(saved: Path, change: Any) -> Path:
    first, rest = saved.read_text().split("\n", 1)
    header = json.loads(first)
    change(header)
    saved.write_text(json.dumps(header) + "\n" + rest)
    return saved


def test_a_trace_of_another_version_is_refused_with_what_to_do(saved: Path):
    sentence = refusal(rewritten(saved, lambda header: header.update(version=2)))

    assert "is a trace of version 2, and this simulator reads version 1; run its scenario again" in sentence


def test_a_trace_with_an_unknown_class_of_node_is_refused_with_its_name(saved: Path):
    sentence = refusal(rewritten(saved, lambda header: header["scenario"]["nodes"][0].update(type="Talkr")))

    assert 'the class "Talkr" is not known here; import or define it first (did you mean "Talker"?)' in sentence


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda header: header.pop("seed"), "it has no 'seed'"),
        (lambda header: header.update(seed="seven"), "can't be made here"),
        (lambda header: header.update(seed=1e999), "can't be made here"),
        (lambda header: header.pop("scenario"), "it has no 'scenario'"),
        (lambda header: header.update(scenario=5), "names no type"),
        (lambda header: header["scenario"].update(links=[]), "is damaged"),
        (lambda header: header["scenario"].update(duration=-1), "it must be a number above 0"),
        (lambda header: header["scenario"]["nodes"][0].pop("to"), "to"),
        (lambda header: header["scenario"]["nodes"][0].update(colour="red"), "colour"),
        (lambda header: header["scenario"]["nodes"].append({"type": "Fixed", "ms": 1}), "nodes holds Fixed"),
    ],
)
def test_a_header_that_was_changed_is_refused(saved: Path, change: Any, word: str):
    assert word in refusal(rewritten(saved, change))


def test_a_folder_that_does_not_exist_is_told_before_the_run_and_by_save(tmp_path: Path):
    path = tmp_path / "nowhere" / "run.jsonl"

    with pytest.raises(TraceFileError, match="can't be written: No such file or directory"):
        run(talk(), save_to=path)
    with pytest.raises(TraceFileError, match="can't be written"):
        run(talk()).save(path)


def test_saving_again_replaces_the_file_and_leaves_nothing_else(saved: Path):
    other = run(talk())

    other.save(saved)

    assert Trace.load(saved) == other
    assert list(saved.parent.iterdir()) == [saved]


DIES = """
import os
from simulator import Link, Node, Scenario, run
class Dies(Node):
    def behave(self, sim):
        for number in range(5_000):
            sim.send("b", sim.message("note", payload=number))
            yield sim.sleep(1)
        os._exit(9)
run(Scenario([Dies("a"), Node("b")], [Link("a", "b")]), save_to={path!r})
"""


class Dies(Node):
    """Known here too, so that nothing but its end is wrong with the file that the process leaves."""


def test_a_process_that_dies_in_the_middle_of_writing_leaves_the_earlier_file_as_it_was(saved: Path):
    before = saved.read_bytes()
    root = Path(simulator.__file__).parent.parent

    died = subprocess.run([sys.executable, "-c", DIES.format(path=str(saved))], cwd=root, check=False)

    assert died.returncode == 9
    assert saved.read_bytes() == before
    (partial,) = [path for path in saved.parent.iterdir() if path != saved]
    assert "is cut off after" in refusal(partial)


def test_an_interrupt_in_the_middle_of_writing_damages_neither_trace_nor_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from simulator import storage

    calls = iter(range(10_000))

    def thaw_and_stop(value: Any) -> Any:
        if next(calls) == 700:
            raise KeyboardInterrupt
        return value

    monkeypatch.setattr(storage, "thaw", thaw_and_stop)
    path = tmp_path / "run.jsonl"
    with pytest.warns(RunStopped, match="interrupted"):
        trace = run(talk(times=range(9_000), duration=9_500), save_to=path)

    assert trace.ended == "interrupted"
    assert 0 < len(trace) < 18_000
    assert Trace.load(path) == trace


class Mixed(Node):
    """Sends payloads that are kept in different ways."""

    def behave(self, sim: Any) -> Any:
        for payload in ((1, 2), "text", None, (3, 4)):
            sim.send("b", sim.message("note", "key", payload, (("a", "b"),)))
            yield sim.sleep(10)


def pressed_at_line(number: int) -> Any:
    """A tracing function that presses the stop button at the so-manieth line of the recorder's that is run."""
    left = number

    def follow(frame: Any, event: str, _: Any) -> Any:
        nonlocal left
        if Path(frame.f_code.co_filename).parts[-2:] != ("simulator", "trace.py"):
            return None if event == "call" else follow
        if event == "line":
            left -= 1
            if left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return follow

    return follow


def test_an_interrupt_between_any_two_lines_of_the_recorder_leaves_a_sound_trace(tmp_path: Path):
    scenario = Scenario([Mixed("a"), Node("b")], [Link("a", "b")])
    # The first lines make the recorder itself, before the run begins; the last ones make the trace, after its end.
    first = line = 30

    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RunStopped)
            sys.settrace(pressed_at_line(line))
            try:
                trace = run(scenario)
            except KeyboardInterrupt:
                break
            finally:
                sys.settrace(None)
        assert trace.ended == "interrupted"
        assert Trace.load(trace.save(tmp_path / "run.jsonl")) == trace
        assert [trace.message(number).payload for number in range(1, trace.messages + 1)] == [
            (1, 2), "text", None, (3, 4),
        ][: trace.messages]  # fmt: skip
        line += 1

    assert line > first + 50


def test_every_kind_of_step_can_be_saved(tmp_path: Path):
    scenario = Scenario([Node("a"), Node("b")], [Link("a", "b")])
    filled = {"int": 1, "node": "b", "value": "why", "partition": "orders-3"}
    steps = [
        (float(kind.code), name, "a", None, None, {field: filled[how] for field, how in kind.fields})
        for name, kind in KINDS.items()
    ]
    trace = Trace.of(scenario, steps)

    assert list(Trace.load(trace.save(tmp_path / "run.jsonl"))) == list(trace)
