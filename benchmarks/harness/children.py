"""Processes that the harness starts: each in a session of its own, ended by its own id and with everything it began."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.meters import tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType


class Child:
    """A running program; its standard error goes to a log whose end is shown when something fails."""

    def __init__(
        self, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None, talks: bool = False
    ) -> None:
        self.log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else errors,
                stderr=errors,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                text=True,
            )

    @property
    def pid(self) -> int:
        """The root of its tree."""
        return self._process.pid

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Write one JSON line and read one."""
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError("this child was not started to talk")
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"failed": "it ended"}
        if "failed" in answer:
            raise RuntimeError(f"{answer['failed']}\n{self.last_words()}")
        return answer

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]

    def wait_for_port(self, port: int, *, at_most_seconds: float = 60.0) -> None:
        """Return once something listens on loopback *port*; an error with the log's end where the program ends."""
        deadline = time.monotonic() + at_most_seconds
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"it ended with {self._process.returncode}:\n{self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"nothing on port {port} after {at_most_seconds} s") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it, politely at first, and whatever of its own processes it leaves behind."""
        if self._process.poll() is None:
            everything = tree([self.pid])
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(15)
            for pid in everything[1:] if self._process.poll() is not None else everything:
                _kill(pid)
            self._process.wait(15)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def load_generator(log: Path) -> Child:
    """Start one; see ``load.py`` for its jobs."""
    return Child([sys.executable, Path(__file__).with_name("load.py")], log=log, talks=True)
