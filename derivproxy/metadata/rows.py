"""Rows to images and back."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from derivproxy.domain.images import ColourProfile, Facts, Image, Visibility

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FACTS = tuple("facts" if field.name == "version" else field.name for field in fields(Facts))
"""Columns named after the fields of ``Facts``, in their order; its version is the column ``facts``."""

COLUMNS = ("ident", "changed", "added", "title", "path", "visibility", *FACTS)

_TAGS = (
    "(SELECT json_group_array(word) FROM (SELECT word FROM labels"
    " WHERE labels.number = images.number AND kind = 'tag' ORDER BY position))"
)
SELECT = ", ".join([*(f"images.{column}" for column in COLUMNS), _TAGS])
"""What an image is read by: ``COLUMNS``, and its tags as JSON."""


def facts_values(facts: Facts) -> list[Any]:
    """The values of ``FACTS``."""
    return [getattr(facts, field.name) for field in fields(Facts)]


def image(row: Sequence[Any]) -> Image:
    """The image of a row of ``SELECT``."""
    named = dict(zip(COLUMNS, row[:-1], strict=True))
    facts = {field.name: named[column] for field, column in zip(fields(Facts), FACTS, strict=True)}
    for flag in ("animated", "alpha", "interlaced"):
        facts[flag] = bool(facts[flag])
    facts["profile"] = ColourProfile(facts["profile"])
    return Image(
        ident=named["ident"],
        facts=Facts(**facts),
        title=named["title"],
        path=named["path"],
        tags=tuple(json.loads(row[-1])),
        visibility=Visibility(named["visibility"]),
        added=named["added"],
        revision=named["changed"],
    )


def labels(tags: Iterable[str], path: str) -> Iterator[tuple[str, str, int]]:
    """Kind, word and position of what an image is found by: its tags, its path, and every folder above."""
    for position, tag in enumerate(dict.fromkeys(tags)):
        yield "tag", tag, position
    parts = path.split("/") if path else []
    for depth in range(len(parts)):
        yield "path", "/".join(parts[: depth + 1]), depth
