"""The program as people start it: a process, its exit code, and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from click.testing import CliRunner

from derivproxy.cli import commands

if TYPE_CHECKING:
    from pathlib import Path

IDENT = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"
"""That of samples/astronaut.png."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def surroundings() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("DERIVPROXY_")}


def program(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "derivproxy", *map(str, arguments)]


def run(*arguments: object, cwd: Path | None = None, **environment: str) -> Done:
    """In a process of its own: for what talks to processes, files and signals."""
    done = subprocess.run(
        program(*arguments),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env={**surroundings(), **environment},
    )
    return Done(done.returncode, done.stdout, done.stderr)


def call(*arguments: object, **environment: str) -> Done:
    """In this process, quickly: for commands that only think."""
    cleared = dict.fromkeys((key for key in os.environ if key.startswith("DERIVPROXY_")), None)
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments], env={**cleared, **environment})
    if result.exception is not None and not isinstance(result.exception, (SystemExit, click.ClickException)):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)
