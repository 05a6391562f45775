"""What can be out of step between the store and the database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of drift that two listings show."""

    ORPHAN = "orphan"
    """A base in the store without a live row."""
    MISSING = "missing"
    """A live row without its base."""
    STRAY = "stray-derivative"
    """A derivative or rung whose base is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One thing out of step: an object's *key* and *bytes*, or for what is missing the ident and 0."""

    kind: Kind
    key: str
    ident: str
    bytes: int = 0


@dataclass(slots=True, kw_only=True)
class Seen:
    """Counts of what a comparison went through: *foreign* names are not ours, *young* objects not yet judged."""

    rows: int = 0
    bases: int = 0
    derivatives: int = 0
    foreign: int = 0
    young: int = 0
