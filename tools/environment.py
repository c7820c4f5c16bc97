"""The project's own virtual environment: made once, brought up to date when `pyproject.toml` changes.

Standard library only, for it runs before anything is installed. Whatever can go wrong on a learner's machine
ends in a `Trouble`: one sentence with the remedy, never a traceback.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What pip prints when it could not reach or trust a package index, lower case.
DOWNLOAD_FAILED = (
    "connection",
    "could not fetch url",
    "getaddrinfo",
    "name resolution",
    "network is unreachable",
    "no matching distribution found",
    "proxy",
    "read timed out",
    "ssl",
)


class Trouble(Exception):
    """What is wrong and what to do about it, in one sentence for the person at the keyboard."""


def main(arguments: list[str]) -> int:
    """Set the environment up and, unless only that was asked for, open the course; returns the exit code."""
    parser = argparse.ArgumentParser(prog="start.py", description="Open the course in JupyterLab.")
    parser.add_argument("--setup", metavar="EXTRA", help="only make the environment, with this extra: test")
    parser.add_argument("--venv", default=".venv", help="the environment's folder (%(default)s)")
    options, for_the_course = parser.parse_known_args(arguments)
    venv = ROOT / options.venv
    try:
        set_up(venv, {options.setup} if options.setup else set())
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    if options.setup:
        return 0
    return open_course(venv, for_the_course)


def set_up(venv: Path, extras: set[str]) -> None:
    """Bring the environment to what `pyproject.toml` asks for; at once when it is there already.

    Raises Trouble with the remedy when the environment cannot be made or filled.
    """
    installed = read_stamp(venv)
    wanted = {"pyproject": fingerprint(), "root": str(ROOT)}
    if all(installed.get(what) == value for what, value in wanted.items()):
        missing = extras - set(installed.get("extras", []))
        if not missing:
            return
    if not works(python_of(venv)):
        create(venv)
        installed = {}
    # An environment that can test stays one that can test: a later `make lab` takes nothing away.
    extras = extras | set(installed.get("extras", []))
    print(f"Installing the course into {venv.name} (a minute or two, once) …", flush=True)
    install(venv, extras)
    stamp_file(venv).write_text(json.dumps(wanted | {"extras": sorted(extras)}), encoding="utf-8")


def create(venv: Path) -> None:
    """Make a fresh environment in place of whatever is there. Raises Trouble when this Python cannot."""
    absent = [module for module in ("venv", "ensurepip") if importlib.util.find_spec(module) is None]
    if absent:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise Trouble(
            f"This Python {version} came without its {absent[0]} module: on Debian or Ubuntu run "
            f"`apt install python{version}-venv` as root, elsewhere install Python from its own installer, "
            "then give the same command again."
        )
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(
            f"The environment {venv} could not be made ({gist(done.stdout + done.stderr)}): check that "
            "the folder may be written to and the disk has room, then give the same command again."
        )


def install(venv: Path, extras: set[str]) -> None:
    """Install the project, editable, with these extras. Raises Trouble when a download or a build fails."""
    what = f"{ROOT}[{','.join(sorted(extras))}]" if extras else str(ROOT)
    done = subprocess.run(
        [
            *(str(python_of(venv)), "-m", "pip", "install"),
            *("--disable-pip-version-check", "--no-input", "--editable", what),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    log = venv / "install.log"
    log.write_text(done.stdout, encoding="utf-8")
    said = done.stdout.lower()
    if "no space left" in said:
        raise Trouble(f"The disk is full: free 1 GB and give the same command again (pip's log: {log}).")
    if any(sign in said for sign in DOWNLOAD_FAILED):
        raise Trouble(
            "The packages could not be downloaded: check the network connection (behind a proxy, set "
            f"HTTPS_PROXY), then give the same command again (pip's log: {log})."
        )
    raise Trouble(
        f"pip could not install the course ({gist(done.stdout)}): read {log}, or remove the folder "
        f"{venv} and give the same command again."
    )


def open_course(venv: Path, arguments: list[str]) -> int:
    """Hand over to the installed start command; its exit code."""
    command = [str(python_of(venv)), "-m", "simulator.course", *arguments]
    os.chdir(ROOT)
    if os.name != "nt":
        os.execv(command[0], command)
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 130


def python_of(venv: Path) -> Path:
    """The environment's interpreter, where this operating system keeps it."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def works(python: Path) -> bool:
    """Whether the interpreter starts, is new enough and has pip; not so in a half-made environment."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([str(python), "-c", probe], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def stamp_file(venv: Path) -> Path:
    """Where an environment notes what was installed; written last, so a broken install leaves none."""
    return venv / "installed.json"


def read_stamp(venv: Path) -> dict[str, object]:
    """What the stamp says, or nothing when there is none or it cannot be read."""
    try:
        stamp = json.loads(stamp_file(venv).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def fingerprint() -> str:
    """Changes whenever `pyproject.toml` does."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()


def gist(text: str) -> str:
    """The line of a failed program's output that says most: its last exception, else error, else line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    exceptions = [line for line in lines if re.match(r"\w+(Error|Exception): ", line)]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (exceptions or errors or lines or ["no message"])[-1]
