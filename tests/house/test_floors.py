"""The floors of ARCHITECTURE.md are held by the tools, run here so that plain pytest tells the truth."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GRAMMAR_MAY_IMPORT = {
    "__future__",
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "grammar",
    "html",
    "re",
    "typing",
}


def run(*command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_imports_only_lower_floors() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grammar_imports_a_few_modules_of_the_standard_library_only() -> None:
    for source in sorted((ROOT / "grammar").glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            strangers = {name.partition(".")[0] for name in names} - GRAMMAR_MAY_IMPORT
            assert not strangers, f"{source.name} line {getattr(node, 'lineno', '?')} imports {strangers}"


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("ruff", "format", "--check", ".")])
def test_the_tree_is_lint_free(command: tuple[str, ...]) -> None:
    run(*command)


@pytest.mark.timeout(300)
def test_the_types_hold() -> None:
    run("mypy")


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    registry = re.compile(
        rb"pypi\.org|pythonhosted|registry\.npmjs|deb\.debian\.org|proxy\.golang|crates\.io/|--index-url"
    )
    machine = re.compile(rb"(?<![\w.])/(?:work|root|home/[a-z]+)/[\w.]")
    for name in filter(None, listing.stdout.split(b"\0")):
        path = ROOT / name.decode()
        if (
            path.suffix in {".png", ".jpg", ".webp", ".gif", ".avif", ".tif"}
            or path == Path(__file__)
            or not path.is_file()
        ):
            continue
        data = path.read_bytes()
        assert not machine.search(data), f"{path.name} names a path of a machine: {machine.search(data)}"
        assert not registry.search(data), f"{path.name} names a registry: {registry.search(data)}"
