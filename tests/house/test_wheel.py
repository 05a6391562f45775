"""The wheel is what people install: exactly three packages, and it works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", str(out), str(ROOT)], check=True)
    (built,) = out.glob("derivproxy-*.whl")
    return built


def test_the_wheel_holds_exactly_the_three_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"derivproxy", "grammar", "reconcile"}
    for package in tops:
        assert f"{package}/py.typed" in names
    on_disk = {
        str(path.relative_to(ROOT))
        for package in tops
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert on_disk <= set(names), f"not in the wheel: {sorted(on_disk - set(names))}"


@pytest.mark.timeout(600)
def test_the_wheel_works_in_an_empty_environment_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "DERIVPROXY_"))}
    environment["PKG_CONFIG_LIBDIR"] = "/nonexistent"

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--require-hashes", "-r", ROOT / "requirements.lock")
    run(*pip, "--no-deps", wheel)
    program = home / "bin" / "derivproxy"
    assert "libvips 8." in run(program, "version")
    run(program, "derive", ROOT / "samples" / "astronaut.png", "100x.jpg", "-o", tmp_path / "out.jpg")
    assert (tmp_path / "out.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    run(home / "bin" / "reconcile", "--help")
