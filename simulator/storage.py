"""Traces as files: JSON Lines that any tool can read, written while a run goes on, refused when damaged.

The first line is the header ``{"format": …, "version": 1, "seed": …, "scenario": {…}}``. Then, as often as needed:
the texts and numbers that the lines after it use for the first time, ``{"values": […]}`` (so that a loaded trace is
packed just as it was); messages, ``{"message": 1, "kind": …, "key": …}``; steps, ``{"step": 0, "time": …, "kind": …,
"node": …, "message": …, "cause": …, "data": {…}}``. The last line is ``{"end": …, "steps": …, "messages": …,
"digest": …}``; a file without it was cut off.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from simulator.message import freeze, thaw
from simulator.scenario import Scenario
from simulator.trace import ENDINGS, MESSAGE, STEP, Recorder, Trace, read
from simulator.vocabulary import BY_CODE, KINDS

FORMAT = "event-driven-lab/trace"
VERSION = 1


class TraceFileError(ValueError):
    """A file that is no trace, or a damaged one; the sentence says which, where, and what to do."""


class Writer:
    """Writes a trace line by line, while its run goes on or afterwards. A context manager."""

    def __init__(self, path: str | Path, scenario: Scenario, seed: int) -> None:
        self.path = Path(path)
        self._header = {"format": FORMAT, "version": VERSION, "seed": seed, "scenario": json.loads(scenario.to_json())}
        # What is being written stands beside its final place, so a trace that was there before stays until this
        # one is whole.
        self._partial = self.path.with_name(self.path.name + ".partial")
        self._file = self._begin()

    def _begin(self) -> IO[str]:
        """A new file with nothing but its first line."""
        self._steps = self._messages = 0
        self._values = 1
        self._whole = True
        try:
            self._file = self._partial.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise self._unwritable(error) from None
        self._put(self._header)
        return self._file

    def _unwritable(self, error: OSError) -> TraceFileError:
        return TraceFileError(
            f"{self.path} can't be written: {error.strerror}. Name a file in a folder that you may write to."
        )

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, recorder: Recorder) -> None:
        """Write what the recorder holds beyond what was written already. Raises TraceFileError where that can't be done."""
        self._whole = False
        try:
            self._write(recorder)
        except OSError as error:
            raise self._unwritable(error) from None
        self._whole = True

    def _write(self, recorder: Recorder) -> None:
        values, nodes = recorder.values, recorder.nodes
        if len(values) > self._values:
            self._put({"values": list(values[self._values :])})
            self._values = len(values)
        for number, row in enumerate(_rows(recorder.messages, MESSAGE, self._messages), start=self._messages + 1):
            kind, key, in_reply_to, size = row
            told: dict[str, Any] = {"message": number, "kind": values[kind]}
            if key:
                told["key"] = values[key]
            payload = recorder.message_of(number).payload
            if payload is not None:
                told["payload"] = thaw(payload)
            if number in recorder.headers:
                told["headers"] = thaw(recorder.headers[number])
            if in_reply_to:
                told["in_reply_to"] = in_reply_to
            if size:
                told["size"] = size
            self._put(told)
        self._messages = recorder.made
        for index, row in enumerate(_rows(recorder.steps, STEP, self._steps), start=self._steps):
            time, message, cause, a, b, c, node, code = row
            kind = BY_CODE[code]
            told = {"step": index, "time": time, "kind": kind.name, "node": nodes[node]}
            if message:
                told["message"] = message
            if cause >= 0:
                told["cause"] = cause
            if kind.fields:
                told["data"] = {
                    name: read(reading, number, nodes, values)
                    for (name, reading), number in zip(kind.fields, (a, b, c), strict=False)
                }
            self._put(told)
        self._steps = recorder.count

    def close(self, trace: Trace) -> None:
        """Write the rest of a finished trace and its last line, and put the file in its place."""
        if not self._whole:
            # An interrupt came in the middle of a line.
            self._file.close()
            self._begin()
        self.write(trace._recorder)
        self._put({"end": trace.ended, "steps": len(trace), "messages": trace.messages, "digest": trace.digest})
        try:
            self._file.close()
            os.replace(self._partial, self.path)
        except OSError as error:
            raise self._unwritable(error) from None

    def _put(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


def _rows(buffer: Any, form: Any, done: int) -> Iterator[tuple[Any, ...]]:
    for place in range(done * form.size, len(buffer), form.size):
        yield form.unpack_from(buffer, place)


def save(trace: Trace, path: str | Path) -> Path:
    """Write a trace to a file, line by line, and tell where it is."""
    with Writer(path, trace.scenario, trace.seed) as writer:
        writer.close(trace)
    return writer.path


def load(path: str | Path) -> Trace:
    """Read a trace back; it equals the one that was saved.

    Raises TraceFileError, in one sentence, for anything that is not a whole and sound trace.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as file:
            return _Reader(path).read(file)
    except UnicodeDecodeError:
        raise TraceFileError(f"{path} is no trace: it is not text. Traces are saved by Trace.save.") from None
    except OSError as error:
        raise TraceFileError(f"{path} can't be read: {error.strerror}. Name a file that Trace.save wrote.") from None


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = 0

    def read(self, file: IO[str]) -> Trace:
        header = self._parse(file.readline())
        if header is None or header.get("format") != FORMAT:
            raise TraceFileError(f"{self._path} is no trace of this simulator: its first line does not say so.")
        if header.get("version") != VERSION:
            raise TraceFileError(
                f"{self._path} is a trace of version {header.get('version')!r}, and this simulator reads version {VERSION}; "
                "run its scenario again, or use the release that wrote it."
            )
        try:
            scenario = Scenario.from_json(json.dumps(header["scenario"]))
            seed = int(header["seed"])
        except KeyError as error:
            raise self._damaged(f"it has no {error}") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise TraceFileError(f"{self._path} names a scenario that can't be made here: {error}") from None
        recorder = Recorder(scenario.names)
        for text in file:
            line = self._parse(text)
            if line is None and not text.endswith("\n"):
                break
            try:
                if line is None:
                    raise ValueError("it is not JSON")
                if "end" in line:
                    trace = self._finish(scenario, seed, recorder, line)
                    if file.readline():
                        raise ValueError("more follows behind its last line")
                    return trace
                self._take(recorder, line)
            except KeyError as error:
                raise self._damaged(f"it has no {error}") from None
            except (TypeError, ValueError, IndexError, OverflowError, struct.error) as error:
                raise self._damaged(str(error)) from None
        raise TraceFileError(
            f"{self._path} is cut off after {recorder.count:,} steps: its last line is missing. "
            "Save the trace again, or run its scenario again."
        )

    def _parse(self, text: str) -> dict[str, Any] | None:
        self._line += 1
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            return None
        return line if isinstance(line, dict) else None

    def _damaged(self, why: str) -> TraceFileError:
        return TraceFileError(f"{self._path} is damaged in line {self._line}: {why}. Save the trace again, or run it again.")

    def _take(self, recorder: Recorder, line: dict[str, Any]) -> None:
        if "values" in line:
            for value in line["values"]:
                if not isinstance(value, str | int | float):
                    raise ValueError(f"{value!r} is no text and no number")
                recorder.value(value)
        elif "step" in line:
            if line["step"] != recorder.count:
                raise ValueError(f"step {recorder.count} is missing")
            kind = KINDS.get(line["kind"])
            if kind is None:
                raise ValueError(f"there is no kind of step {line['kind']!r}")
            data = recorder.encode(kind, line.get("data", {}))
            if line["node"] not in recorder.nodes:
                raise ValueError(f"the scenario has no node {line['node']!r}")
            node, cause = recorder.nodes.index(line["node"]), line.get("cause", -1)
            recorder.step(float(line["time"]), kind.code, node, line.get("message", 0), cause, *data)
        else:
            if line["message"] != recorder.made + 1:
                raise ValueError(f"message {recorder.made + 1} is missing")
            headers = tuple((str(name), str(held)) for name, held in line.get("headers", ()))
            payload, in_reply_to, size = freeze(line.get("payload")), line.get("in_reply_to", 0), line.get("size", 0)
            recorder.message(line["kind"], line.get("key"), payload, headers, in_reply_to, size)

    def _finish(self, scenario: Scenario, seed: int, recorder: Recorder, line: dict[str, Any]) -> Trace:
        if line["end"] not in ENDINGS:
            raise ValueError(f"it tells of an unknown ending, {line['end']!r}")
        trace = Trace(scenario, seed, recorder, line["end"])
        if (line["steps"], line["messages"]) != (len(trace), trace.messages) or line["digest"] != trace.digest:
            raise ValueError("the digest does not fit, so some line before it was changed")
        return trace
