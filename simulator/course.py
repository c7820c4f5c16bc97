"""The start command: open the course in JupyterLab, from a clone or from an installed wheel.

In a clone the notebooks are opened where they are. A wheel's notebooks are first copied to the learner's own
folder; a file the learner has changed is never overwritten.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
DELIVERED = ".delivered.json"  # in the learner's folder: what each file was when it was last put there


class Trouble(Exception):
    """What is wrong and what to do about it, in one sentence for the person at the keyboard."""


def main(arguments: list[str] | None = None) -> int:
    """Open the course and stay until JupyterLab ends; the process's exit code.

    Args:
        arguments: the command line after the program's name; None takes the process's own.
    """
    parser = argparse.ArgumentParser(
        prog="event-driven-lab", description="Open the course on event-driven architecture in JupyterLab."
    )
    parser.add_argument("--port", type=int, help="the port to serve on (else the first free one from 8888)")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path.home() / "event-driven-lab",
        help="where an installed course keeps your notebooks (%(default)s)",
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, open no browser")
    options = parser.parse_args(arguments)
    try:
        if options.port is not None:
            check_port(options.port)
        folder = notebooks_of_clone() or deliver(PACKAGE / "_course", options.folder)
        command = jupyterlab_command(folder, options.port, options.no_browser)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    print(f"Opening the course in {folder} (Ctrl+C ends it).", flush=True)
    return become(command)


def notebooks_of_clone() -> Path | None:
    """The `notebooks` folder beside the package in a clone, or None in an installed wheel."""
    root = PACKAGE.parent
    notebooks = root / "notebooks"
    return notebooks if (root / "pyproject.toml").exists() and notebooks.is_dir() else None


def deliver(course: Path, folder: Path) -> Path:
    """Copy the course into the learner's folder and say what was done; return that folder.

    A file that is still as it was delivered is brought up to date. A file the learner has changed stays, and
    if the course has a newer one, that is said.

    Raises:
        Trouble: the course is not in this installation, or the folder cannot be written to.
    """
    shipped = sorted(path for path in course.rglob("*") if path.is_file() and not hidden(path.relative_to(course)))
    if not shipped:
        raise Trouble(
            "This installation came without its notebooks: install it again with "
            "`pip install --force-reinstall event-driven-lab`."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        delivered = read_delivered(folder)
        outdated = []
        for source in shipped:
            name = source.relative_to(course).as_posix()
            target = folder / name
            newest = digest(source)
            if target.exists() and digest(target) not in {newest, delivered.get(name)}:
                if delivered.get(name) != newest:
                    outdated.append(name)
                continue
            if not target.exists() or digest(target) != newest:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            delivered[name] = newest
        (folder / DELIVERED).write_text(json.dumps(delivered, indent=1), encoding="utf-8")
    except OSError as error:
        raise Trouble(
            f"The notebooks could not be put into {folder} ({error.strerror}): name a folder you may write "
            "to, as in `event-driven-lab --folder ~/course`."
        ) from None
    print(f"Your notebooks are in {folder}; what you change there stays.")
    if outdated:
        names = ", ".join(outdated)
        print(f"The course has newer versions of {names}: rename yours and start again to get them.")
    return folder


def jupyterlab_command(folder: Path, port: int | None, no_browser: bool) -> list[str]:
    """The command that serves this folder on the loopback address and opens its first notebook."""
    first = next((path.name for path in sorted(folder.glob("*.ipynb"))), None)
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
        # The start says what a learner needs; a server's log of its extensions is not part of it.
        "--log-level=WARN",
        # A course started offline or at work must not ask the network for anything.
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if first:
        command.append(f"--LabApp.default_url=/lab/tree/{first}")
    if port is not None:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if no_browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Containers run as root; the server listens on the loopback address only and asks for its token.
        command.append("--allow-root")
    return command


def become(command: list[str]) -> int:
    """Run the command in this process's place, so that whoever ends the one ends the other; its exit code."""
    if os.name != "nt":
        os.execv(command[0], command)
    # On Windows the terminal would take the replaced process for an ended course, so there it waits.
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 0


def check_port(port: int) -> None:
    """Raise Trouble when JupyterLab could not listen on this port of the loopback address."""
    if not 0 < port < 65_536:
        raise Trouble(f"{port} is no port: name one between 1 and 65535, as in --port 8890.")
    with socket.socket() as probe:
        # As the server itself does, so that a port whose last user has just left counts as free.
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise Trouble(f"Port {port} is not yours to use: name one above 1023, or none to take a free one.") from None
        except OSError:
            raise Trouble(
                f"Port {port} is taken by another program: name another one, or none to take a free one."
            ) from None


def hidden(path: Path) -> bool:
    """Whether any part of the path starts with a dot, as JupyterLab's checkpoints do."""
    return any(part.startswith(".") for part in path.parts)


def read_delivered(folder: Path) -> dict[str, str]:
    """The digest of every file as it was last delivered here; empty without a readable note."""
    try:
        noted = json.loads((folder / DELIVERED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
