from __future__ import annotations

from pathlib import Path

import pytest

from quizzes.bank import Bank
from quizzes.progress import FOLDER_VARIABLE, Progress
from tests.quizzes.toy import toy_bank


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test ever touches the progress of whoever runs it."""
    folder = tmp_path / "learner"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def progress() -> Progress:
    return Progress()


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    folder = tmp_path / "bank"
    folder.mkdir()
    return toy_bank(folder)
