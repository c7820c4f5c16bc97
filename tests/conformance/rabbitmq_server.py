"""A real RabbitMQ server of our own: on loopback, with its own node name, ports and folder, gone when the tests are."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pika
import pika.exceptions

HOW_TO_INSTALL = "on Debian or Ubuntu: apt-get install rabbitmq-server"

# It logs each refusal at length; a test that minds one says so itself.
logging.getLogger("pika").setLevel(logging.CRITICAL)

_PATIENCE = 120.0
"""Seconds that a start or a stop may take on a busy machine before it counts as failed."""


def program() -> Path | None:
    """The server's own start script, past the distribution's wrapper (which insists on a user called rabbitmq)."""
    versions = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if versions:
        return versions[-1]
    found = shutil.which("rabbitmq-server")
    return Path(found) if found else None


def _free_ports(count: int) -> list[int]:
    """Free ports below those that the system gives to outgoing connections: one of ours might take the server's port just
    by asking whether it is there yet."""
    found: list[int] = []
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("There are no free ports between 20000 and 32000; stop something that listens there.")


def _die_with_the_tests() -> None:
    """Let the kernel stop the server, should the tests be killed before they can do it."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(1, signal.SIGTERM)


class RabbitMQServer:
    """One node. `start` and `stop` may be called in turns: what is durable stays in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, distribution, self._epmd_port = _free_ports(3)
        self._log = folder / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\n"
            "loopback_users = none\n"
            "disk_free_limit.absolute = 1MB\n"
            "log.file = false\nlog.console = true\nlog.console.level = warning\n"
        )
        (folder / "enabled_plugins").write_text("[rabbitmq_shovel].\n")
        (folder / "env.conf").write_text("")
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"lab-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_BASE": str(folder),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "server.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +A 32 +sbwt none",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def start(self) -> None:
        """Start the node and return as soon as it takes a connection. Raises RuntimeError, with its output, if it won't."""
        found = program()
        assert found is not None, HOW_TO_INSTALL
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(found)], env=self._environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=_die_with_the_tests,  # noqa: PLW1509 - the tests that start it have no threads yet
            )  # fmt: skip
        deadline = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(pika.exceptions.AMQPError, OSError):
                self.connect().close()
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                output = self._log.read_text(errors="replace")[-4_000:]
                self.stop()
                raise RuntimeError(f"RabbitMQ did not start:\n{output}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the node in an orderly way, so that what is durable is on disk."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """Stop everything that was started: the node, and the port mapper that Erlang leaves behind."""
        self.stop()
        mapper = shutil.which("epmd")
        if mapper is not None:
            subprocess.run([mapper, "-kill"], env=self._environment, capture_output=True, check=False)

    def control(self, *arguments: str) -> None:
        """Give the running node an order, by rabbitmqctl."""
        found = program()
        assert found is not None, HOW_TO_INSTALL
        order = [str(found.with_name("rabbitmqctl")), *arguments]
        subprocess.run(order, env=self._environment, cwd=self.folder, capture_output=True, check=True, timeout=_PATIENCE)

    def connect(self) -> pika.BlockingConnection:
        """A connection to it, as the guest."""
        return pika.BlockingConnection(
            pika.ConnectionParameters("127.0.0.1", self.port, heartbeat=0, connection_attempts=1, socket_timeout=30)
        )

    @property
    def version(self) -> str:
        """What the server says it is, such as "3.10.8"."""
        with contextlib.closing(self.connect()) as connection:
            properties = connection._impl.server_properties
            return str(properties["version"])


@contextlib.contextmanager
def running(folder: Path) -> Iterator[RabbitMQServer]:
    """A server for as long as the block lasts."""
    server = RabbitMQServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.close()
