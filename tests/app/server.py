"""A real ``derivproxy serve`` in processes of its own, on a free port of the loopback."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
WAIT_SECONDS = 40.0


@dataclass
class Server:
    """The server and what a test asks of it."""

    process: subprocess.Popen[str]
    port: int
    data: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.data / 'token').read_text().strip()}"}

    def put(self, body: bytes, **query: str) -> httpx.Response:
        return httpx.post(f"{self.url}/api/images", content=body, headers=self.bearer, params=query, timeout=60)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}/{path}", headers=headers, timeout=60)

    def metric(self, name: str) -> float:
        """The sum over all labels."""
        text = self.get("metrics").text
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))

    def processes(self) -> dict[int, str]:
        """The processes below the server, and their command lines."""
        return descendants(self.process.pid)

    def kill(self) -> None:
        """As a crash would: nothing is said goodbye to."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_SECONDS)


def descendants(pid: int) -> dict[int, str]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found: dict[int, str] = {}
    todo = list(parents.get(pid, ()))
    while todo:
        child = todo.pop()
        try:
            found[child] = (Path("/proc") / str(child) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        todo += parents.get(child, ())
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(data: Path, *arguments: str, port: int | None = None, **environment: str) -> Iterator[Server]:
    """Serve from *data* until the context closes."""
    port = port or free_port()
    log = data.with_name(f"{data.name}.log")
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith("DERIVPROXY_")}
    with log.open("a") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "derivproxy", "serve", "--port", str(port), "--data", str(data), *arguments],
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            env={**surroundings, **environment},
        )
    server = Server(process, port, data, log)
    try:
        _wait_until_it_answers(server)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_it_answers(server: Server) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise AssertionError(f"the server ended: {server.log.read_text()}")
        try:
            if httpx.get(f"{server.url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError(f"the server does not answer: {server.log.read_text()}")
