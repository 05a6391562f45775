"""The documentation says all there is, and what it says to type works.

Settings against docs/configuration.md: tests/config; error codes against docs/http.md: tests/web/test_problems.py.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from starlette.routing import Route

from derivproxy.cli import commands
from derivproxy.config import settings_table
from tests.app.server import running
from tests.cli.running import surroundings
from tests.web.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/README.md")])
FLAGS = {row.flag for row in settings_table()} | {f"{row.flag}-file" for row in settings_table() if row.secret}


def read(page: str) -> str:
    return (ROOT / "docs" / page).read_text("utf-8")


def leaves(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for below in command.list_commands(context):
        child = command.get_command(context, below)
        assert child is not None
        yield from leaves(child, f"{name} {below}".strip())


COMMANDS = dict(leaves(commands))


def sections(page: str) -> dict[str, str]:
    parts = re.split(r"^## (.*)\n", read(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_its_section_in_the_order_of_the_help() -> None:
    assert list(sections("commands.md")) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_in_its_section_and_no_other(name: str) -> None:
    section = re.sub(r"```.*?```", "", sections("commands.md")[name], flags=re.DOTALL)
    options = {
        option
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if parameter.name != "help"
    }
    said = {word for code in re.findall(r"`([^`]+)`", section) for word in re.findall(r"^-[-\w]+", code)}
    if "all settings" in section:
        said |= FLAGS
    if "--max-" in said:
        said = said - {"--max-"} | {row.flag for row in settings_table() if row.limit}
    assert said - {"--version"} == options


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_says_what_it_does(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert len(command.get_short_help_str(60)) < 60
    assert not command.get_short_help_str(60).endswith("...")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_every_route_is_in_its_page_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "spool_folder", tmp_path, raising=False)
    told: set[tuple[str, str]] = set()
    table = re.search(r"^## Routes\n(.*?)^## ", read("http.md") + "\n## ", re.MULTILINE | re.DOTALL)
    assert table
    for cell in re.findall(r"^\| (`[A-Z].*?) \|", table[1], re.MULTILINE):
        methods = ["GET"]
        for words in re.findall(r"`([^`]+)`", cell):
            *named, path = words.split()
            methods = named or methods
            told |= {(method, path.partition("?")[0]) for method in methods}
    app = Service().app
    routes = [route for route in app._router.routes if isinstance(route, Route)]  # noqa: SLF001  there is no other way
    there = {(method, route.path) for route in routes for method in route.methods or ()} - {
        ("HEAD", route.path) for route in routes
    }
    assert told == there | {("GET", "/{name}"), ("HEAD", "/{name}")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in anchors, f"{page.name}: {target}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    linked = set(re.findall(r"\]\((docs/[\w.-]+)\)", readme))
    for page in (ROOT / "docs").glob("*.md"):
        name = f"docs/{page.name}"
        others = [other.read_text("utf-8") for other in PAGES if other != page]
        assert name in linked or any(f"]({page.name})" in text or f"]({name})" in text for text in others), name


def test_every_example_of_the_commands_works_as_shown(tmp_path: Path) -> None:
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    program = str(Path(sys.executable).with_name("derivproxy"))
    with running(tmp_path / "data") as server:
        # As `make serve` has it: the samples are in, on port 8080, with the data in the folder data.
        server.put((ROOT / "samples" / "hubble.jpg").read_bytes())
        text = read("commands.md").replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
        examples = re.findall(r"^\$ (derivproxy .*)\n((?:(?!\$|```).*\n)*)", text, re.MULTILINE)
        assert len(examples) >= 12
        for line, shown in examples:
            words = shlex.split(line.replace("derivproxy", program, 1))
            environment = {**surroundings(), "DERIVPROXY_PORT": str(server.port)}
            done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{line}: {done.stderr}"
            pattern = re.escape(shown).replace("…", ".*")
            assert re.fullmatch(pattern, done.stdout, re.DOTALL), f"{line}\n{done.stdout}"
