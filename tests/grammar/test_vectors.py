"""Proof 7: the published vectors are what the code says, and the code does what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grammar import (
    BadName,
    Base,
    Compass,
    Crop,
    Derivative,
    Fit,
    Focus,
    Format,
    Keep,
    Profile,
    Rung,
    Smart,
    Suffix,
    Tone,
    canonical,
    canonical_request,
    negotiate,
    parse,
    parse_key,
)
from tests.grammar.make_vectors import VECTORS, make
from tests.grammar.reference import COMPASS, FORMATS, conditions_hold

TABLES: dict[str, Any] = json.loads(VECTORS.read_text())


def test_the_file_is_what_the_tables_make() -> None:
    assert VECTORS.read_text() == make(), "run: python -m tests.grammar.make_vectors"


def _suffix(parameters: dict[str, Any]) -> Suffix:
    said = dict(parameters)
    for name, kind in (("format", Format), ("fit", Fit), ("tone", Tone), ("profile", Profile), ("keep", Keep)):
        if name in said:
            said[name] = kind(said[name])
    if "crop" in said:
        said["crop"] = Crop(**said["crop"])
    match said.get("anchor"):
        case {"compass": point}:
            said["anchor"] = Compass(point)
        case {"smart": True}:
            said["anchor"] = Smart()
        case {"focus": {"x": x, "y": y}}:
            said["anchor"] = Focus(x, y)
    return Suffix(**said)


@pytest.mark.parametrize("row", TABLES["names"], ids=lambda row: row["name"][64:] or "base")
def test_a_name_has_its_parameters(row: dict[str, Any]) -> None:
    ident = row["name"][:64]
    value = {
        "base": lambda: Base(ident),
        "rung": lambda: Rung(ident, row["parameters"]["side"]),
        "derivative": lambda: Derivative(ident, _suffix(row["parameters"])),
    }[row["kind"]]()
    assert parse_key(row["name"]) == value
    assert str(value) == row["name"]
    assert conditions_hold(row["name"])


@pytest.mark.parametrize(
    ("table", "read"), [("refused", parse), ("not_forgiven", canonical)], ids=["refused", "not_forgiven"]
)
def test_a_refusal_has_its_position_and_expectation(table: str, read: Any) -> None:  # noqa: ANN401
    for row in TABLES[table]:
        with pytest.raises(BadName) as refused:
            read(row["text"])
        assert (refused.value.position, list(refused.value.expected)) == (row["position"], row["expected"])


def test_what_is_forgiven_means_its_name() -> None:
    for row in TABLES["canonical"]:
        assert canonical(row["text"]) == row["name"] == canonical(row["name"])
    for row in TABLES["requests"]:
        assert canonical_request(row["text"]) == row["name"] == canonical_request(row["name"])


def test_what_is_negotiated_is_its_name() -> None:
    formats = [Format(word) for word in TABLES["formats"]]
    for row in TABLES["negotiated"]:
        name = negotiate(row["text"], row["accept"], alpha=row["alpha"], animated=row["animated"], formats=formats)
        assert str(name) == row["name"]


def test_the_vectors_cover_every_option_and_format() -> None:
    rows = [row["parameters"] for row in TABLES["names"] if row["kind"] == "derivative"]
    assert {field for row in rows for field in row} == set(Suffix.__dataclass_fields__)
    assert {row["format"] for row in rows} == set(FORMATS)
    assert {row["anchor"]["compass"] for row in rows if "compass" in row.get("anchor", ())} == set(COMPASS)
    assert sum(map(len, (rows for rows in TABLES.values() if rows and isinstance(rows[0], dict)))) >= 250
