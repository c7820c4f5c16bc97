from __future__ import annotations

import json
import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from quizzes.bank import Bank
from quizzes.progress import Progress, ProgressError, Record


def answered(question: str, *, right: bool = True, attempt: int = 1) -> Record:
    return Record(question=question, kind="answered", quiz="00", answer="x", right=right, attempt=attempt)


def test_what_was_added_is_read_back_by_another_reader(progress: Progress, data_folder: Path) -> None:
    record = Record(question="00.several", kind="answered", answer=("log", "trace"), confidence="certain", right=True)

    progress.add([record])

    assert Progress().records == (record,)
    assert Progress().answers == {"00.several": record}
    assert progress.path == data_folder / "progress.json"


def test_nothing_answered_yet_is_no_error(progress: Progress) -> None:
    assert progress.records == ()
    assert not progress.path.exists()


def test_the_last_answer_counts_and_the_first_is_remembered(progress: Progress, bank: Bank) -> None:
    progress.add([answered("00.single", right=False)])
    progress.add([answered("00.single", attempt=2), answered("00.order")])

    score = progress.score(bank.chapter("00").asked)

    assert (score.right, score.of, score.answered, score.first_try) == (2, 5, 2, 1)
    assert str(score) == "2 of 5 right, 1 at the first try, 3 not answered yet"


def test_two_notebooks_that_read_before_the_other_wrote_lose_nothing(data_folder: Path) -> None:
    one, other = Progress(), Progress()
    assert one.records == other.records == ()

    one.add([answered("00.single")])
    other.add([answered("00.order")])

    assert set(one.answers) == set(other.answers) == {"00.single", "00.order"}


def add_many(folder: str, name: str) -> None:
    progress = Progress(Path(folder))
    for number in range(20):
        progress.add([answered(f"00.{name}-{number}")])


def test_two_processes_writing_at_once_lose_nothing(data_folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=add_many, args=(str(data_folder), name)) for name in ("one", "other")]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(Progress().records) == 40


def test_two_threads_writing_at_once_lose_nothing(data_folder: Path) -> None:
    writers = [threading.Thread(target=add_many, args=(str(data_folder), name)) for name in ("one", "other")]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(Progress().records) == 40


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        '{"format": "something else"}',
        '{"format": "event-driven-lab progress", "version": 1, "records": [{}]}',
        "\xff",
    ],
)
def test_a_damaged_file_is_kept_aside_and_named(progress: Progress, content: str) -> None:
    progress.path.parent.mkdir(parents=True)
    progress.path.write_bytes(content.encode("latin-1"))

    progress.add([answered("00.single")])

    (aside,) = progress.path.parent.glob("progress.damaged-*.json")
    assert aside.read_bytes() == content.encode("latin-1")
    assert str(aside) in progress.notice
    assert set(progress.answers) == {"00.single"}


def test_reading_a_damaged_file_keeps_it_aside_too(progress: Progress) -> None:
    progress.path.parent.mkdir(parents=True)
    progress.path.write_text("not JSON", encoding="utf-8")

    assert progress.records == ()
    assert len(list(progress.path.parent.glob("progress.damaged-*.json"))) == 1
    assert progress.notice


def test_two_damaged_files_are_both_kept(progress: Progress) -> None:
    progress.path.parent.mkdir(parents=True)
    for content in ("first", "second"):
        progress.path.write_text(content, encoding="utf-8")
        assert progress.records == ()

    kept = {path.read_text(encoding="utf-8") for path in progress.path.parent.glob("progress.damaged-*.json")}
    assert kept == {"first", "second"}


def test_a_file_of_a_newer_version_is_left_alone(progress: Progress) -> None:
    progress.path.parent.mkdir(parents=True)
    content = json.dumps({"format": "event-driven-lab progress", "version": 99, "records": "?"})
    progress.path.write_text(content, encoding="utf-8")

    with pytest.raises(ProgressError, match=r"newer event-driven-lab .* update event-driven-lab"):
        progress.add([answered("00.single")])

    assert progress.path.read_text(encoding="utf-8") == content


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    progress.add([answered("00.single")])

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProgressError, match=r"cannot write .* \(No space left on device\); set EVENT_DRIVEN_LAB_DATA"):
        progress.add([answered("00.order")])

    assert set(progress.answers) == {"00.single"}
    assert {path.name for path in progress.path.parent.iterdir()} <= {"progress.json", "progress.lock"}


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")

    with pytest.raises(ProgressError, match="set EVENT_DRIVEN_LAB_DATA to a folder you can write to"):
        Progress(tmp_path / "file" / "folder").add([answered("00.single")])


def test_one_chapter_is_forgotten_and_the_others_stay(progress: Progress) -> None:
    progress.add([answered("00.single"), answered("00.single"), answered("01.other")])

    assert progress.reset("00") == 2
    assert set(progress.answers) == {"01.other"}


def test_everything_is_forgotten(progress: Progress) -> None:
    progress.add([answered("00.single"), answered("01.other")])

    assert progress.reset() == 2
    assert progress.records == ()


def test_an_export_imported_elsewhere_adds_what_is_missing_there(progress: Progress, tmp_path: Path) -> None:
    progress.add([answered("00.single")])
    exported = progress.export(tmp_path / "mine.json")
    elsewhere = Progress(tmp_path / "elsewhere")
    elsewhere.add([answered("00.order")])

    assert elsewhere.import_from(exported) == 1
    assert elsewhere.import_from(exported) == 0
    assert set(elsewhere.answers) == {"00.single", "00.order"}


def test_an_export_overwrites_nothing_unless_told(progress: Progress, tmp_path: Path) -> None:
    target = tmp_path / "mine.json"
    target.write_text("mine", encoding="utf-8")

    with pytest.raises(ProgressError, match="exists already"):
        progress.export(target)
    progress.export(target, overwrite=True)

    assert "records" in target.read_text(encoding="utf-8")


def test_a_file_that_is_no_export_is_refused_and_changes_nothing(progress: Progress, tmp_path: Path) -> None:
    progress.add([answered("00.single")])
    (tmp_path / "other.json").write_text("[]", encoding="utf-8")

    with pytest.raises(ProgressError, match="is not an exported progress file"):
        progress.import_from(tmp_path / "other.json")
    with pytest.raises(ProgressError, match="cannot be read"):
        progress.import_from(tmp_path / "none.json")

    assert set(progress.answers) == {"00.single"}
