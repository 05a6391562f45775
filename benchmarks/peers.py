"""Install the peers that a package registry carries, pinned, under ``benchmarks/.peers``; say which are not there.

Nothing here touches the project's own environment: thumbor gets a virtual environment of its own (it needs no
libvips), ipx a folder of its own (sharp brings its own libvips). No registry carries imgproxy or imagor as a program:
they are measured when ``IMGPROXY=path`` or ``IMAGOR=path`` names a finished one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from harness.paths import IPX, PEERS, THUMBOR

THUMBOR_PINS = ("thumbor==7.8.0", "pillow==12.3.0", "tornado==6.6.1", "setuptools==65.5.0")
# sharp is overridden because ipx 3.1.1 would take 0.34, two libvips older than what it is compared with.
IPX_PINS = {"ipx": "3.1.1", "sharp": "0.35.5"}
NODE_AT_LEAST = (20, 9)


def install_thumbor() -> str:
    """Make the environment and return what was installed."""
    python = THUMBOR / "bin" / "python"
    if not python.exists():
        venv.create(THUMBOR, with_pip=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, *THUMBOR_PINS], check=True)
    asked = "from importlib.metadata import version as v; print('thumbor', v('thumbor'), 'with Pillow', v('pillow'))"
    return subprocess.run([str(python), "-c", asked], check=True, capture_output=True, text=True).stdout.strip()


def install_ipx() -> str:
    """Fill the folder and return what was installed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise RuntimeError(f"node and npm are not on the PATH; install Node {NODE_AT_LEAST[0]} or newer")
    said = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    if tuple(int(part) for part in said.lstrip("v").split(".")[:2]) < NODE_AT_LEAST:
        raise RuntimeError(f"node is {said}; sharp needs {'.'.join(map(str, NODE_AT_LEAST))} or newer")
    IPX.mkdir(parents=True, exist_ok=True)
    manifest = {"private": True, "dependencies": IPX_PINS, "overrides": {"sharp": IPX_PINS["sharp"]}}
    (IPX / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
    # sharp's install script would only build from source where no finished library fits; a build is not wanted.
    subprocess.run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"], cwd=IPX, check=True)
    asked = "const s = require('sharp').versions; console.log(`sharp ${s.sharp} with libvips ${s.vips}`)"
    sharp = subprocess.run([node, "-e", asked], cwd=IPX, check=True, capture_output=True, text=True).stdout.strip()
    ipx = json.loads((IPX / "node_modules" / "ipx" / "package.json").read_text())["version"]
    return f"ipx {ipx} with {sharp}, node {said}"


def finished_program(variable: str) -> str:
    """Say whether *variable* names a program that can run."""
    given = os.environ.get(variable)
    if given is None:
        raise RuntimeError(f"no package registry carries it; {variable}=/path/to/program measures a finished one")
    if not os.access(given, os.X_OK) or Path(given).is_dir():
        raise RuntimeError(f"{variable}={given}: not a program that can be run")
    return given


def main() -> int:
    """Install each and report each; 0 where at least one is there."""
    PEERS.mkdir(exist_ok=True)
    there = 0
    for name, install in (
        ("thumbor", install_thumbor),
        ("ipx", install_ipx),
        ("imgproxy", lambda: finished_program("IMGPROXY")),
        ("imagor", lambda: finished_program("IMAGOR")),
    ):
        try:
            print(f"{name:9} {install()}", flush=True)
        except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as why:
            print(f"{name:9} not there: {why}", flush=True)
        else:
            there += 1
    return 0 if there else 1


if __name__ == "__main__":
    sys.exit(main())
