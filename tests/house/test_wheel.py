"""The wheel has all that a clone has: packages, widgets, questions, notebooks, settings."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, built from this tree and unpacked as an installation would."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
            *("--wheel-dir", str(folder), str(ROOT)),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def kept(folder: Path, *endings: str) -> set[str]:
    """The files below a folder with one of these endings, as paths from it."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in endings and not any(part.startswith((".", "__")) for part in path.parts[len(folder.parts) :])
    }


@pytest.mark.parametrize("package", ["simulator", "quizzes"])
def test_every_module_widget_style_sheet_and_question_is_in_it(installed, package):
    endings = (".py", ".js", ".css", ".toml", ".json", ".html", ".typed")

    assert kept(installed / package, *endings) == kept(ROOT / package, *endings)


def test_every_notebook_is_in_it(installed):
    course = installed / "simulator" / "_course"

    assert kept(course, ".ipynb") == kept(ROOT / "notebooks", ".ipynb") != set()


def test_the_settings_for_jupyterlab_are_installed_beside_it(installed):
    (overrides,) = installed.glob("*.data/data/share/jupyter/lab/settings/overrides.json")

    settings = json.loads(overrides.read_text())

    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


def test_the_start_command_puts_the_wheels_notebooks_into_the_learners_folder(installed, tmp_path):
    code = (
        "from pathlib import Path; from simulator import course; "
        "assert course.notebooks_of_clone() is None; "
        f"course.deliver(course.PACKAGE / '_course', Path({str(tmp_path / 'mine')!r}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert kept(tmp_path / "mine", ".ipynb") == kept(ROOT / "notebooks", ".ipynb")
