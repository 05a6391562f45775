from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Self

import httpx
import pytest

from tests.app.server import SAMPLES, free_port
from tests.cli.running import IDENT, program, run, surroundings

if TYPE_CHECKING:
    from pathlib import Path


class Started:
    """``serve`` in the foreground of a terminal that is read line by line."""

    def __init__(self, *arguments: object, cwd: Path, **environment: str) -> None:
        self._log = cwd / "said"
        with self._log.open("w") as said:
            self.process = subprocess.Popen(
                program("serve", "--log-level", "error", *arguments),
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=cwd,
                env={**surroundings(), **environment},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, words: str) -> str:
        deadline = time.monotonic() + 30
        while words not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)
        return self.said


def curl_line(said: str) -> str:
    (line,) = re.findall(r"^put in your own:  (curl .*)$", said, re.MULTILINE)
    return str(line)


def test_what_serve_prints_works_when_pasted(tmp_path: Path) -> None:
    with Started(SAMPLES, "--port", free_port(), cwd=tmp_path) as it:
        said = it.wait_for("put in your own")
        assert "2 of 2 files of the folders are in" in said
        assert "the only copy of the images: back it up" in said
        assert "the write token is in data/token" in said
        (address,) = re.findall(r'<img src="([^"]+)" alt="">', said)
        assert address.endswith(f"/{IDENT}-400x.webp")
        assert httpx.get(address).headers["content-type"] == "image/webp"
        # Not every machine has curl: the shell reads the line, and its words are asked by httpx.
        script = f"curl() {{ printf '%s\\n' \"$@\"; }}; {curl_line(said)}"
        words = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        option, body, _, header, target = words.splitlines()
        assert (option, body) == ("--data-binary", "@photo.jpg")
        headers = [header.split(": ", 1)]
        photo = (SAMPLES / "hubble.jpg").read_bytes()
        assert httpx.post(target, content=photo, headers=headers).status_code == 200
        it.process.send_signal(signal.SIGINT)
        assert it.process.wait(20) == 0
    assert "Traceback" not in it.said


@pytest.mark.parametrize(
    ("variable", "bearer"),
    [("DERIVPROXY_TOKEN", "$DERIVPROXY_TOKEN"), ("DERIVPROXY_TOKEN_FILE", '$(cat "$DERIVPROXY_TOKEN_FILE")')],
)
def test_the_printed_line_finds_a_token_of_ones_own(tmp_path: Path, variable: str, bearer: str) -> None:
    (tmp_path / "secret").write_text("a-secret")
    value = {"DERIVPROXY_TOKEN": "a-secret"}.get(variable, str(tmp_path / "secret"))
    with Started("--port", "0", cwd=tmp_path, **{variable: value}) as it:
        said = it.wait_for("put in your own")
    assert f'"Authorization: Bearer {bearer}"' in said
    assert "a-secret" not in said


def test_a_taken_port_that_was_chosen_is_an_error_and_data_in_use_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", port, "--data", tmp_path / "a", cwd=tmp_path)
    assert done.code == 1
    assert done.err.startswith(
        f"derivproxy: cannot listen on 127.0.0.1 port {port}: Address already in use; another --port"
    )
    with Started("--port", "0", cwd=tmp_path) as it:
        it.wait_for("derivproxy serves")
        done = run("serve", "--port", "0", cwd=tmp_path)
    assert done.code == 1
    assert f"is in use by process {it.process.pid}" in done.err


def test_off_loopback_it_is_said_that_nobody_can_write_and_everybody_can_ask(tmp_path: Path) -> None:
    with Started("--host", "0.0.0.0", "--port", "0", cwd=tmp_path) as it:  # noqa: S104  only to hear what it says
        it.wait_for("derivproxy serves")
        time.sleep(0.2)
    assert "writes answer 401: set DERIVPROXY_TOKEN or DERIVPROXY_TOKEN_FILE" in it.said
    assert "DERIVPROXY_SIZES or DERIVPROXY_SIGNING_KEYS narrows that" in it.said
    assert "put in your own" not in it.said
