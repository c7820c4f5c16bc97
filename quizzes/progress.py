"""What a learner answered, in one file of theirs: written atomically, merged by id, never lost to a second
notebook.

The file is the only store: nothing is cached, so two notebooks, or a reset in one of them, cannot disagree.
What was answered is a list of records that are only ever added; scores and "what did I answer" are read
from them.

It lies in the user's data directory, or in the folder that the environment variable EVENT_DRIVEN_LAB_DATA
names.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import cattrs
import platformdirs
from attrs import asdict, field, frozen
from filelock import FileLock, Timeout

from quizzes.bank.reading import FieldProblem, structure
from quizzes.questions import Answer, Question
from quizzes.score import Score

FOLDER_VARIABLE = "EVENT_DRIVEN_LAB_DATA"
FORMAT = "event-driven-lab progress"
VERSION = 1
_LOCK_SECONDS = 10.0

Kind = Literal["answered", "predicted", "skipped", "revealed"]


class ProgressError(RuntimeError):
    """The progress file cannot be read or written; the text says why and what to do."""


def _new_id() -> str:
    return uuid.uuid4().hex


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@frozen(kw_only=True)
class Record:
    """One thing a learner did: answered, predicted, skipped a prediction, or looked at the answers."""

    question: str
    kind: Kind
    quiz: str = ""
    answer: Answer | None = None
    confidence: str = ""
    right: bool | None = None
    attempt: int = 1
    mode: str = "practice"
    at: str = field(factory=_now)
    id: str = field(factory=_new_id)

    @property
    def chapter(self) -> str:
        """The chapter the question belongs to: "01" of "01.who-waits"."""
        return self.question.partition(".")[0]


def data_folder() -> Path:
    """Where the progress file lies."""
    named = os.environ.get(FOLDER_VARIABLE, "").strip()
    return Path(named).expanduser() if named else platformdirs.user_data_path("event-driven-lab", appauthor=False)


class Progress:
    """The progress file of one folder. Every property reads the file, so it is never out of date."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or data_folder()) / "progress.json"
        self.notice = ""
        """What happened to a damaged file, for the learner to read; empty when all is well."""

    @property
    def records(self) -> tuple[Record, ...]:
        """Everything recorded, oldest first."""
        records = self._read()
        if records is None:
            with self._locked():
                records = self._read_or_set_aside()
        return tuple(records.values())

    @property
    def answers(self) -> dict[str, Record]:
        """The last answer or prediction to each question, by the question's id."""
        return {record.question: record for record in self.records if record.kind in {"answered", "predicted"}}

    def of(self, question: str) -> tuple[Record, ...]:
        """Everything recorded about one question, oldest first."""
        return tuple(record for record in self.records if record.question == question)

    def score(self, questions: Iterable[Question]) -> Score:
        """How these questions were answered; predictions have no score and are left out by the caller."""
        first: dict[str, bool] = {}
        last: dict[str, bool] = {}
        for record in self.records:
            if record.kind == "answered":
                first.setdefault(record.question, bool(record.right))
                last[record.question] = bool(record.right)
        ids = [question.id for question in questions]
        return Score(
            right=sum(last.get(one, False) for one in ids),
            of=len(ids),
            answered=sum(one in last for one in ids),
            first_try=sum(first.get(one, False) for one in ids),
        )

    def add(self, records: Iterable[Record]) -> None:
        """Append records to the file; `ProgressError` when they cannot be stored."""
        self._merge({record.id: record for record in records})

    def reset(self, chapter: str | None = None) -> int:
        """Forget one chapter, or everything; returns how many records that were."""
        with self._locked():
            records = self._read_or_set_aside()
            kept = {i: r for i, r in records.items() if chapter is not None and r.chapter != chapter}
            if len(kept) < len(records):
                self._write(kept)
        return len(records) - len(kept)

    def export(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write everything to a file of the learner's choice; returns its path."""
        target = Path(path).expanduser()
        if target.exists() and not overwrite:
            raise ProgressError(f"{target} exists already; choose another name or say overwrite=True")
        _write_atomically(target, _as_json(self.records))
        return target

    def import_from(self, path: str | Path) -> int:
        """Add what an exported file has and this one has not; returns how many records that were."""
        source = Path(path).expanduser()
        try:
            imported = _parse(source.read_bytes())
        except OSError as error:
            raise ProgressError(f"{source} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise ProgressError(f"{source} is not an exported progress file: {error}") from error
        return self._merge(imported)

    def __repr__(self) -> str:
        answered = self.answers
        said = f"{len(answered)} questions answered, in {self.path}"
        return f"{said}\n{self.notice}" if self.notice else said

    def _merge(self, added: Mapping[str, Record]) -> int:
        with self._locked():
            records = self._read_or_set_aside()
            new = {one: record for one, record in added.items() if one not in records}
            if new:
                self._write(dict(sorted((records | new).items(), key=lambda pair: pair[1].at)))
        return len(new)

    def _locked(self) -> _Locked:
        return _Locked(self.path)

    def _read(self) -> dict[str, Record] | None:
        """The records by id; None for a damaged file. Needs no lock, as writing replaces the file."""
        try:
            return _parse(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ProgressError(_cannot("read", self.path, error)) from error
        except _NewerVersion as error:
            raise ProgressError(f"{self.path} {error}; update event-driven-lab to use it") from error
        except ValueError:
            return None

    def _read_or_set_aside(self) -> dict[str, Record]:
        """As `_read`, but a damaged file is renamed, so that nothing overwrites it. Needs the lock."""
        records = self._read()
        if records is not None:
            return records
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        aside = self.path.with_name(f"progress.damaged-{stamp}-{uuid.uuid4().hex[:6]}.json")
        try:
            self.path.rename(aside)
        except OSError as error:
            raise ProgressError(_cannot("set aside", self.path, error)) from error
        self.notice = (
            f"Your progress file was damaged; it is kept as {aside} and a new one was begun. "
            "If you can repair it, bring it back with progress().import_from(…)."
        )
        return {}

    def _write(self, records: Mapping[str, Record]) -> None:
        try:
            _write_atomically(self.path, _as_json(records.values()))
        except OSError as error:
            raise ProgressError(_cannot("write", self.path, error)) from error


class _Locked:
    """Holds the lock beside the progress file; every process and every thread that writes takes it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Each use has its own lock object: one shared by two threads would let both in.
        self._lock = FileLock(path.with_name("progress.lock"), timeout=_LOCK_SECONDS)

    def __enter__(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise ProgressError(
                f"{self._path} is held by another notebook for more than {_LOCK_SECONDS:g} seconds; "
                "close that notebook or restart its kernel, then try again"
            ) from error
        except (OSError, NotImplementedError) as error:
            raise ProgressError(_cannot("lock", self._path, error)) from error

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class _NewerVersion(Exception):
    pass


def _parse(raw: bytes) -> dict[str, Record]:
    """The records of a file's bytes by id; `ValueError` for anything that is not a progress file."""
    content = json.loads(raw.decode("utf-8"))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'it has no "format": "{FORMAT}"')
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise _NewerVersion(f"was written by a newer event-driven-lab (format {version}, known here: {VERSION})")
    listed = content.get("records")
    if version != VERSION or not isinstance(listed, list):
        raise ValueError("it has no list of records")
    try:
        records = [structure(one, Record) for one in listed]
    except cattrs.BaseValidationError as error:
        raise ValueError("; ".join(str(problem) for problem in FieldProblem.all(error))) from error
    return {record.id: record for record in records}


def _as_json(records: Iterable[Record]) -> str:
    content = {"format": FORMAT, "version": VERSION, "records": [asdict(record) for record in records]}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _write_atomically(path: Path, text: str) -> None:
    """Write beside the file and rename: a reader, or a crash, meets the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _cannot(what: str, path: Path, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or error
    return f"cannot {what} {path} ({reason}); set {FOLDER_VARIABLE} to a folder you can write to, then restart the kernel"
