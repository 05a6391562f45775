"""Starting other processes upon a store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")


def start(deed: str, **arguments: object) -> subprocess.Popen[str]:
    """A process that does *deed* of ``child.py``."""
    task = json.dumps({"deed": deed, **arguments})
    return subprocess.Popen([sys.executable, str(CHILD), task], stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit status and what it printed."""
    with process:
        output, _ = process.communicate(timeout=60)
    return process.returncode, output.strip()


def do(deed: str, **arguments: object) -> tuple[int, str]:
    """Both."""
    return finish(start(deed, **arguments))
