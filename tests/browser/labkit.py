"""A real JupyterLab on the loopback address, and what the browser tests ask of it.

Each wait ends on something the page or the kernel says, never on time alone. A kernel that is idle does not
prove that a widget's callback has ended, for callbacks run in threads of their own: tests assert on the page.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

HOW_TO_INSTALL = (
    "no Chromium was found: install it (Debian and Ubuntu: `apt-get install chromium`; elsewhere Chrome or "
    "Chromium from its maker) or name its program in the environment variable CHROMIUM"
)

CHROMIUM_ARGUMENTS = [
    # A test run in a container is root, where Chromium's sandbox cannot start; it only sees loopback pages.
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # No name but localhost resolves, so a page that asks the network for anything fails at once.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]


def find_chromium() -> str | None:
    """The Chromium or Chrome program to drive, or None when this machine has none."""
    named = os.environ.get("CHROMIUM")
    usual = ["chromium", "chromium-browser", "google-chrome", "chrome", "msedge"]
    for candidate in [named] if named else usual:
        if found := shutil.which(candidate):
            return found
    mac = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    return str(mac) if mac.exists() and not named else None


@dataclass
class Server:
    """A running JupyterLab: where it is, the folder it serves, and its log."""

    url: str
    token: str
    root: Path
    log: Path

    def ask(self, path: str, method: str = "GET") -> bytes:
        """One request to the server's own interface."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            body: bytes = reply.read()
        return body

    def end_kernels(self) -> None:
        """End every open session, so that the next test starts from nothing."""
        for session in json.loads(self.ask("api/sessions")):
            self.ask(f"api/sessions/{session['id']}", "DELETE")


@contextlib.contextmanager
def running_lab(root: Path, home: Path) -> Iterator[Server]:
    """Serve a folder with JupyterLab, every setting of its own under `home`; ended when the block is left."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    settings = {
        "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
        "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "doNotDisturbMode": True},
    }
    for name, values in settings.items():
        file = home / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    environment = {name: value for name, value in os.environ.items() if name != "JUPYTER_PATH"} | {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "xdg"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={token}",
        "--FileContentsManager.always_delete_dir=True",
        # Puts the application at window.jupyterapp, by which the tests open notebooks and run cells.
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    log = home / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    server = Server(f"http://127.0.0.1:{port}/", token, root, log)
    try:
        wait_until_up(server, process)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_up(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Return when the server answers; raise with its log when it ended or has said nothing for a minute."""
    deadline = time.monotonic() + 60
    while True:
        try:
            server.ask("api/status")
            return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab did not start:\n{server.log.read_text()}") from None
            time.sleep(0.1)


# The page's side. `window.notebook` is the open notebook's panel.

_OPEN = """async path => {
  const app = window.jupyterapp;
  await app.restored;
  const choice = {path, factory: 'Notebook', kernel: {name: 'python3'}};
  const panel = await app.commands.execute('docmanager:open', choice);
  app.shell.activateById(panel.id);
  await Promise.all([panel.context.ready, panel.sessionContext.ready, panel.revealed]);
  window.notebook = panel;
}"""

_SETTLED = """
  const settled = async (limit) => {
    const kernel = window.notebook.sessionContext.session.kernel;
    await kernel.requestKernelInfo();
    const start = performance.now();
    while (kernel.status !== 'idle') {
      if (performance.now() - start > limit)
        throw new Error(`the kernel is still ${kernel.status} after ${limit} ms`);
      await new Promise(next => setTimeout(next, 20));
    }
    await new Promise(next => requestAnimationFrame(() => requestAnimationFrame(next)));
  };"""

_RUN_ALL = (
    "async limit => {"
    + _SETTLED
    + """
  window.jupyterapp.shell.activateById(window.notebook.id);
  await window.jupyterapp.commands.execute('notebook:run-all-cells');
  await settled(limit);
  const errors = [];
  window.notebook.content.widgets.forEach((cell, index) => {
    if (cell.model.type !== 'code') return;
    for (const output of cell.model.outputs.toJSON())
      if (output.output_type === 'error') errors.push(`cell ${index}: ${output.ename}: ${output.evalue}`);
  });
  return errors;
}"""
)

_IDLE = "async limit => {" + _SETTLED + " await settled(limit); }"

_RUN_CODE = """async code => {
  const kernel = window.notebook.sessionContext.session.kernel;
  const future = kernel.requestExecute({code, store_history: false, allow_stdin: false});
  let said = '';
  future.onIOPub = message => {
    if (message.header.msg_type === 'stream') said += message.content.text;
    if (message.header.msg_type === 'execute_result') said += message.content.data['text/plain'];
    if (message.header.msg_type === 'error') said += message.content.traceback.join('\\n');
  };
  const reply = await future.done;
  return [reply.content.status, said];
}"""

_SHOW_CELL = """async index => {
  const content = window.notebook.content;
  content.activeCellIndex = index;
  await content.scrollToItem(index, 'start');
  await content.widgets[index].ready;
}"""


class Lab:
    """One page with JupyterLab in it.

    Attributes:
        page: the Playwright page.
        server: the JupyterLab behind it.
        outside: addresses the page asked for beyond the server; the `lab` fixture fails a test that has any.
        errors: uncaught JavaScript errors; likewise.
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.outside: list[str] = []
        self.errors: list[str] = []
        own = (server.url, server.url.replace("http", "ws", 1), "data:", "blob:", "about:")
        page.on("request", lambda request: request.url.startswith(own) or self.outside.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def start(self) -> None:
        """Load the application with a fresh workspace."""
        self.page.goto(f"{self.server.url}lab?reset&token={self.server.token}")
        self.page.wait_for_function("() => !!window.jupyterapp?.shell", timeout=60_000)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached", timeout=60_000)

    def open(self, path: str | Path) -> None:
        """Open a notebook: a path inside the served folder, or a Path to any file, which is copied there."""
        if isinstance(path, Path):
            shutil.copy(path, self.server.root / path.name)
            path = path.name
        self.page.evaluate(_OPEN, path)
        self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook").wait_for()

    def open_cells(self, *sources: str, name: str = "scratch.ipynb") -> None:
        """Open a new notebook made of these code cells."""
        cells = [
            {
                "cell_type": "code",
                "id": f"cell-{index}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for index, source in enumerate(sources)
        ]
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (self.server.root / name).write_text(json.dumps(notebook))
        self.open(name)

    def run_all(self, limit_ms: int = 60_000) -> list[str]:
        """Run every cell and wait for the kernel; the errors, one string per failed cell."""
        errors: list[str] = self.page.evaluate(_RUN_ALL, limit_ms)
        return errors

    def wait_idle(self, limit_ms: int = 30_000) -> None:
        """Wait until the kernel has answered what was asked so far and two frames were drawn."""
        self.page.evaluate(_IDLE, limit_ms)

    def python(self, code: str) -> str:
        """Run code in the open notebook's kernel, outside its cells; what it printed or evaluated to.

        Raises AssertionError with the traceback when it raised.
        """
        status, said = self.page.evaluate(_RUN_CODE, code)
        assert status == "ok", said
        return str(said)

    def cell(self, index: int) -> Locator:
        """Scroll to a cell (JupyterLab draws only those in sight) and return its element."""
        self.page.evaluate(_SHOW_CELL, index)
        cell = self.page.locator(f".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell[data-windowed-list-index='{index}']")
        cell.wait_for()
        return cell

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """What a code cell's outputs are, as a notebook file would store them."""
        outputs: list[dict[str, Any]] = self.page.evaluate(
            "index => window.notebook.content.widgets[index].model.outputs.toJSON()", index
        )
        return outputs

    def cell_count(self) -> int:
        """How many cells the open notebook has: a key that a widget let slip adds or removes one."""
        count: int = self.page.evaluate("() => window.notebook.content.widgets.length")
        return count
