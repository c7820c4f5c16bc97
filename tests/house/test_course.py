"""The start command: from a clone, from a wheel, and on a port that is taken."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from simulator import course


@pytest.fixture
def shipped(tmp_path):
    """The course as a wheel carries it."""
    folder = tmp_path / "wheel" / "_course"
    folder.mkdir(parents=True)
    (folder / "00_start_here.ipynb").write_text("first edition")
    (folder / "01_events.ipynb").write_text("lesson one")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "00_start_here-checkpoint.ipynb").write_text("left over")
    return folder


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home" / "event-driven-lab"


def test_a_clone_opens_its_notebooks_where_they_are():
    assert course.notebooks_of_clone() == course.PACKAGE.parent / "notebooks"


def test_a_wheel_copies_the_course_to_the_learner_and_says_where(shipped, home, capsys):
    course.deliver(shipped, home)

    assert sorted(path.name for path in home.glob("*")) == [
        ".delivered.json",
        "00_start_here.ipynb",
        "01_events.ipynb",
    ]
    assert str(home) in capsys.readouterr().out


def test_what_the_learner_changed_is_never_overwritten(shipped, home, capsys):
    course.deliver(shipped, home)
    (home / "00_start_here.ipynb").write_text("my own notes")
    (shipped / "00_start_here.ipynb").write_text("second edition")

    course.deliver(shipped, home)

    assert (home / "00_start_here.ipynb").read_text() == "my own notes"
    assert "newer versions of 00_start_here.ipynb: rename yours" in capsys.readouterr().out


def test_a_changed_notebook_is_not_nagged_about_while_the_course_stays_the_same(shipped, home, capsys):
    course.deliver(shipped, home)
    (home / "00_start_here.ipynb").write_text("my own notes")

    course.deliver(shipped, home)

    assert "newer versions" not in capsys.readouterr().out


def test_an_untouched_notebook_is_brought_up_to_date(shipped, home):
    course.deliver(shipped, home)
    (shipped / "00_start_here.ipynb").write_text("second edition")

    course.deliver(shipped, home)

    assert (home / "00_start_here.ipynb").read_text() == "second edition"


def test_a_deleted_notebook_comes_back(shipped, home):
    course.deliver(shipped, home)
    (home / "01_events.ipynb").unlink()

    course.deliver(shipped, home)

    assert (home / "01_events.ipynb").read_text() == "lesson one"


def test_a_file_of_the_learners_own_under_a_courses_name_is_kept(shipped, home):
    home.mkdir(parents=True)
    (home / "01_events.ipynb").write_text("mine, from before")

    course.deliver(shipped, home)

    assert (home / "01_events.ipynb").read_text() == "mine, from before"


def test_a_damaged_note_of_what_was_delivered_loses_nothing(shipped, home):
    course.deliver(shipped, home)
    (home / "00_start_here.ipynb").write_text("my own notes")
    (home / ".delivered.json").write_text("{")

    course.deliver(shipped, home)

    assert (home / "00_start_here.ipynb").read_text() == "my own notes"


def test_a_folder_that_cannot_be_made_is_refused_with_another_way(shipped, tmp_path):
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(course.Trouble, match=r"name a folder you may write to, as in .*--folder"):
        course.deliver(shipped, tmp_path / "taken")


def test_an_installation_without_its_notebooks_says_how_to_mend_it(tmp_path, home):
    with pytest.raises(course.Trouble, match="pip install --force-reinstall event-driven-lab"):
        course.deliver(tmp_path / "nowhere", home)


def test_a_taken_port_is_told_in_one_sentence(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        code = course.main(["--port", str(port)])

    assert code == 1
    assert capsys.readouterr().err == (
        f"Port {port} is taken by another program: name another one, or none to take a free one.\n"
    )


def test_a_number_that_is_no_port_is_refused(capsys):
    code = course.main(["--port", "70000"])

    assert code == 1
    assert "name one between 1 and 65535" in capsys.readouterr().err


def test_jupyterlab_listens_on_this_machine_only_and_opens_the_first_lesson(shipped):
    command = course.jupyterlab_command(shipped, 8890, no_browser=True)

    assert "--ServerApp.ip=127.0.0.1" in command
    assert "--LabApp.default_url=/lab/tree/00_start_here.ipynb" in command
    assert "--ServerApp.port=8890" in command
    assert "--no-browser" in command


def test_the_start_command_serves_the_course_without_asking_for_news(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = {"JUPYTER_TOKEN": "secret", "HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "config")}
    command = [sys.executable, "-m", "simulator.course", "--no-browser", "--port", str(port)]

    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, env=os.environ | token, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        address = f"http://127.0.0.1:{port}"
        plugin = "@jupyterlab%2Fapputils-extension:notification"
        reply = asked(f"{address}/lab/api/settings/{plugin}?token=secret", process)
    finally:
        process.terminate()
        process.wait(20)

    assert json.loads(json.loads(reply)["raw"] or "{}") == {}
    assert json.loads(reply)["schema"]["properties"]["fetchNews"]["default"] == "false"


def asked(address: str, process: subprocess.Popen) -> bytes:
    """The server's reply, as soon as it gives one."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as reply:
                return reply.read()
        except OSError:
            assert process.poll() is None, "the start command ended"
            assert time.monotonic() < deadline, "the start command serves nothing"
            time.sleep(0.1)
