"""The question bank: reading the data files, and refusing a faulty one with all of its faults at once.

A chapter is one TOML file in this folder, `01-request-response.toml`; `basics.toml` holds the three basic
questions, and `misconceptions.toml` the table of named misconceptions that wrong options point to.
`quizzes/README.md` describes the format.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import cattrs
from attrs import frozen

from quizzes.bank.reading import FieldProblem, structure
from quizzes.questions import TYPES, Prediction, Question

MISCONCEPTIONS = "misconceptions.toml"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class BankError(ValueError):
    """Bank files with faults: `problems` has a sentence for each, naming file, question and field."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        many = f"The question bank has {len(problems)} problems" if len(problems) > 1 else "The question bank"
        super().__init__(f"{many}:\n" + "\n".join(problems) if len(problems) > 1 else problems[0])


@frozen
class Misconception:
    """A wrong belief with a name: what it claims, and what is true instead, in one sentence each."""

    claim: str
    instead: str


@frozen
class Chapter:
    """The questions of one bank file, in its order."""

    id: str
    title: str
    questions: tuple[Question, ...]
    file: str

    @property
    def asked(self) -> tuple[Question, ...]:
        """The questions of the chapter's quiz: all but the predictions, which lock a run in the notebook."""
        return tuple(question for question in self.questions if not isinstance(question, Prediction))


@frozen
class Bank:
    """All chapters by id, in the order of their files, and the misconceptions by name."""

    chapters: Mapping[str, Chapter]
    misconceptions: Mapping[str, Misconception]

    def chapter(self, name: str) -> Chapter:
        """The chapter with this id, like "01"; `LookupError` names those there are."""
        if name not in self.chapters:
            known = ", ".join(f'"{one}"' for one in self.chapters)
            raise LookupError(f'there are no questions for chapter "{name}"; there are chapters {known}')
        return self.chapters[name]

    def question(self, name: str) -> Question:
        """The question with this id, like "01.who-waits"; `LookupError` names those of its chapter."""
        chapter = self.chapter(name.partition(".")[0])
        for question in chapter.questions:
            if question.id == name:
                return question
        known = ", ".join(question.id for question in chapter.questions)
        raise LookupError(f'there is no question "{name}"; chapter {chapter.id} has {known}')

    def __iter__(self) -> Iterator[Question]:
        for chapter in self.chapters.values():
            yield from chapter.questions


@functools.cache
def course_bank() -> Bank:
    """The bank of the course, read once."""
    return read_bank(Path(__file__).parent)


def read_bank(folder: Path) -> Bank:
    """Read every `*.toml` of a folder as one bank.

    Raises `BankError` with every fault of every file: text that is no TOML, missing or unknown fields, wrong
    types, keys that are no option, ids used twice, misconceptions that are not in the table.
    """
    problems: list[str] = []
    table = _misconceptions(folder / MISCONCEPTIONS, problems)
    chapters: dict[str, Chapter] = {}
    homes: dict[str, str] = {}
    for path in sorted(folder.glob("*.toml")):
        if path.name == MISCONCEPTIONS:
            continue
        chapter = _chapter(path, table, problems)
        if chapter is None:
            continue
        if chapter.id in chapters:
            other = chapters[chapter.id].file
            problems.append(f'{path.name}, field chapter: "{chapter.id}" is the chapter of {other} already')
            continue
        chapters[chapter.id] = chapter
        for question in chapter.questions:
            if question.id in homes:
                where = homes[question.id]
                problems.append(f'{path.name}, question "{question.id}", field id: is used in {where} already')
            homes[question.id] = path.name
    if problems:
        raise BankError(tuple(problems))
    return Bank(chapters, table)


def _toml(path: Path, problems: list[str]) -> dict[str, object] | None:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{path.name}: is missing in {path.parent.name}/")
    except UnicodeDecodeError as error:
        problems.append(f"{path.name}: is not UTF-8 text at byte {error.start}; save it as UTF-8")
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{path.name}: is not valid TOML: {error}")
    return None


def _misconceptions(path: Path, problems: list[str]) -> dict[str, Misconception]:
    table: dict[str, Misconception] = {}
    for name, raw in (_toml(path, problems) or {}).items():
        try:
            table[name] = structure(raw, Misconception)
        except cattrs.BaseValidationError as error:
            problems += [f'{path.name}, misconception "{name}", {fault}' for fault in FieldProblem.all(error)]
    return table


def _chapter(path: Path, table: Mapping[str, Misconception], problems: list[str]) -> Chapter | None:
    raw = _toml(path, problems)
    if raw is None:
        return None
    before = len(problems)
    problems += [
        f'{path.name}, field {name}: is missing; write {name} = "…" at the top'
        for name in ("chapter", "title")
        if not isinstance(raw.get(name), str) or not raw[name]
    ]
    problems += [
        f"{path.name}, field {name}: is unknown; a file has chapter, title and [[questions]]"
        for name in raw
        if name not in {"chapter", "title", "questions"}
    ]
    listed = raw.get("questions")
    if not isinstance(listed, list) or not listed:
        problems.append(f"{path.name}, field questions: is missing; write at least one [[questions]]")
        return None
    chapter = str(raw.get("chapter", ""))
    questions = []
    for place, one in enumerate(listed, start=1):
        if not isinstance(one, dict):
            problems.append(f"{path.name}, question {place}: is no table; write it as [[questions]]")
            continue
        named = one.get("id")
        where = f'{path.name}, question "{named}"' if isinstance(named, str) else f"{path.name}, question {place}"
        question = _question(where, one, chapter, table, problems)
        if question is not None:
            questions.append(question)
    if len(problems) > before:
        return None
    return Chapter(chapter, str(raw["title"]), tuple(questions), path.name)


def _question(
    where: str,
    raw: Mapping[str, object],
    chapter: str,
    table: Mapping[str, Misconception],
    problems: list[str],
) -> Question | None:
    fields = {name: value for name, value in raw.items() if name != "type"}
    named = raw.get("type")
    cls: type[Question] | None = TYPES.get(named) if isinstance(named, str) else None
    if cls is None:
        is_what = "is missing" if named is None else f"is {named!r}"
        problems.append(f"{where}, field type: {is_what}; it must be one of {', '.join(TYPES)}")
        return None
    try:
        question = structure(fields, cls)
    except cattrs.BaseValidationError as error:
        problems += [f"{where}, {fault}" for fault in FieldProblem.all(error)]
        return None
    faults = [*question.problems(), *_shared_problems(question, chapter, table)]
    problems += [f"{where}, field {field}: {sentence}" for field, sentence in faults]
    return question


def _shared_problems(question: Question, chapter: str, table: Mapping[str, Misconception]) -> Iterator[tuple[str, str]]:
    """What any type of question can have wrong with it that only its file knows."""
    prefix, _, name = question.id.partition(".")
    if prefix != chapter or not _NAME.fullmatch(name):
        yield "id", f'must be "{chapter}." and a name in small letters, like "{chapter}.who-waits"'
    for text in ("prompt", "id"):
        if not getattr(question, text).strip():
            yield text, "is empty"
    for field in ("options", "wrong"):
        for one in getattr(question, field, ()):
            if not one.because.strip():
                yield f"{field}.because", "is empty; everything one can answer has its explanation"
            if one.misconception and one.misconception not in table:
                yield (
                    f"{field}.misconception",
                    f'is "{one.misconception}", which is not in {MISCONCEPTIONS}; add it there',
                )
