from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from derivproxy.config import Settings, load, settings_table
from derivproxy.domain.limits import Limits

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture(scope="module")
def document() -> str:
    if not DOCUMENT.exists():
        pytest.skip("no docs folder beside the tests")
    return DOCUMENT.read_text(encoding="utf-8")


def block(document: str, language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", document, re.DOTALL)
    return str(found)


def test_every_setting_is_in_the_documentation_as_the_program_has_it(document: str) -> None:
    rows = re.findall(r"^\| `(.*?)` \| (.*?) \| (.*?) \|$", document, re.MULTILINE)
    assert rows == [(row.name, row.default, row.help) for row in settings_table()]


def test_every_field_of_settings_and_limits_is_a_setting() -> None:
    rows = [row.limit or row.name for row in settings_table()]
    wanted = {field.name for field in fields(Settings)} - {"limits"} | {field.name for field in fields(Limits)}
    assert set(rows) == wanted
    assert len(rows) == len(set(rows))


def test_defaults_in_words_are_the_defaults() -> None:
    plain = {row.name: row for row in settings_table() if re.fullmatch(r"[a-z0-9.]+|64MiB", row.default)}
    assert len(plain) > 20
    for name, row in plain.items():
        if row.default == "none":
            continue
        default = getattr(Limits(), row.limit) if row.limit else getattr(Settings(), name)
        assert row.parse(row.default) == default, name


def test_the_example_file_and_the_example_variables_load_as_the_same_settings(document: str, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("a-token")
    file = tmp_path / "example.toml"
    file.write_text(block(document, "toml").replace("/run/secrets/derivproxy-token", str(secret)))
    assert len(tomllib.loads(file.read_text())) == 11
    lines = block(document, "sh").replace("/run/secrets/derivproxy-token", str(secret)).splitlines()
    environ = dict(shlex.split(line)[0].split("=", 1) for line in lines)
    by_file, by_variables = load({"config": str(file)}, {}), load({"config": str(file)}, environ)
    assert by_file == by_variables
    assert by_file.max_age == 31_536_000
    assert by_file.cdn_max_age == 2_592_000
