"""`start.py` on machines where something is missing: each time one sentence with the remedy."""

import ast
import subprocess
import sys
import venv as standard_venv
from pathlib import Path

import pytest

from tools import environment

START = Path(environment.ROOT) / "start.py"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project of its own to install, instead of this one."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "tiny"\nversion = "1"\n')
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def pip(project, monkeypatch):
    """A stand-in for pip that says what it is told and notes what it was asked to install."""

    class Pip:
        says, fails, asked = "", True, []

    def run(command, **_):
        if "install" in command:
            Pip.asked.append(command[-1])
            return subprocess.CompletedProcess(command, int(Pip.fails), stdout=Pip.says)
        return subprocess.CompletedProcess(command, 0, stdout="", stderr="")

    Pip.asked = []
    (project / ".venv").mkdir()
    monkeypatch.setattr(environment.subprocess, "run", run)
    return Pip


def complaint(capsys) -> str:
    """The one sentence on standard error."""
    said = capsys.readouterr().err.strip()
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1
    return said


def test_an_old_python_is_told_which_one_is_needed_and_how_to_name_it():
    pretend = (
        "import sys, runpy; sys.version_info = (3, 9, 2, 'final', 0); sys.version = '3.9.2 (default)'; "
        f"runpy.run_path({str(START)!r}, run_name='__main__')"
    )

    done = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.strip() == (
        "The course needs Python 3.11 or newer and this is Python 3.9.2: install a newer one and name it, "
        "as in `make lab PYTHON=python3.12` or `python3.12 start.py`."
    )


def test_an_old_python_can_read_the_start_file():
    source = START.read_text(encoding="utf-8")

    tree = ast.parse(source, feature_version=(3, 4))

    assert not [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_its_venv_module_is_told_what_to_install(project, monkeypatch, capsys, module):
    found = environment.importlib.util.find_spec
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None if name == module else found(name))

    code = environment.main([])

    said = complaint(capsys)
    assert code == 1
    assert f"without its {module} module" in said
    assert f"apt install python{sys.version_info.major}.{sys.version_info.minor}-venv" in said


def test_a_folder_that_cannot_be_written_to_is_named(project, capsys):
    (project / ".venv").write_text("a file where the environment should be")

    code = environment.main([])

    assert code == 1
    assert f"The environment {project / '.venv'} could not be made" in complaint(capsys)


def test_a_failed_download_is_told_from_a_real_pip_without_a_network(project, monkeypatch, capsys):
    for name in [name for name in environment.os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", environment.os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    standard_venv.create(project / ".venv", with_pip=True)

    code = environment.main(["--setup", "test"])

    said = complaint(capsys)
    assert code == 1
    assert said.startswith("The packages could not be downloaded: check the network connection")
    assert "127.0.0.1" in (project / ".venv" / "install.log").read_text()


@pytest.mark.parametrize(
    ("pip_says", "remedy"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: nobody foresaw this", "pip could not install the course (ERROR: nobody foresaw this)"),
    ],
)
def test_a_failed_installation_says_why_and_where_to_read_more(project, pip, capsys, pip_says, remedy):
    pip.says = pip_says

    code = environment.main(["--setup", "test"])

    said = complaint(capsys)
    assert code == 1
    assert remedy in said
    assert str(project / ".venv" / "install.log") in said


def test_the_second_start_installs_nothing(project, pip):
    pip.fails = False

    environment.main(["--setup", "test"])
    environment.main(["--setup", "test"])

    assert pip.asked == [f"{project}[test]"]


def test_a_changed_pyproject_is_installed_again_and_keeps_the_extras(project, pip):
    pip.fails = False
    environment.main(["--setup", "test"])

    with (project / "pyproject.toml").open("a") as file:
        file.write('description = "changed"\n')
    environment.set_up(project / ".venv", set())

    assert pip.asked == [f"{project}[test]"] * 2


def test_an_extra_that_is_missing_is_added(project, pip):
    pip.fails = False
    environment.set_up(project / ".venv", set())

    environment.main(["--setup", "test"])

    assert pip.asked == [str(project), f"{project}[test]"]


def test_a_failed_installation_is_tried_again(project, pip):
    environment.main(["--setup", "test"])

    pip.fails = False
    code = environment.main(["--setup", "test"])

    assert code == 0
    assert len(pip.asked) == 2
