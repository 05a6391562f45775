"""The four kinds of name as values. ``str()`` of a value is its one canonical spelling.

The unspelled choice is always the first or ``None``: ``Suffix(format=Format.JPG)`` is ``x.jpg``. A value that no name
can say cannot be made: the constructor raises :class:`~grammar.errors.BadName`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from grammar.choices import Anchor, Compass, Crop, Fit, Focus, Format, Keep, Profile, Smart, Tone
from grammar.conditions import SIDE_MAX, WIDTH_EXPECTED, check
from grammar.errors import BadName
from grammar.spelling import spelled
from grammar.strict import IDENT_LENGTH

__all__ = [
    "Anchor",
    "Base",
    "Compass",
    "Crop",
    "Derivative",
    "Fit",
    "Focus",
    "Format",
    "Keep",
    "Key",
    "Name",
    "Profile",
    "Rung",
    "Smart",
    "Suffix",
    "Tone",
    "check_ident",
]

_IDENT = re.compile(f"[0-9a-f]{{{IDENT_LENGTH}}}")
_NOT_HEX = re.compile("[^0-9a-f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suffix:
    """Everything after the ident's dash, in the order of the pipeline. ``str()`` has no leading dash: ``300x.jpg``.

    ``page`` is 1-based, ``rotate`` is in degrees clockwise, ``blur`` and ``sharpen`` are a sigma in tenths of an output
    pixel, ``background`` is ``rrggbb``.
    """

    format: Format
    width: int | None = None
    height: int | None = None
    page: int | None = None
    crop: Crop | None = None
    fit: Fit = Fit.INSIDE
    anchor: Anchor | None = None
    enlarge: bool = False
    flip: bool = False
    rotate: int = 0
    tone: Tone | None = None
    blur: int | None = None
    sharpen: int | None = None
    background: str | None = None
    profile: Profile | None = None
    keep: Keep | None = None
    quality: int | None = None
    lossless: bool = False

    def __post_init__(self) -> None:
        check(self)

    def __str__(self) -> str:
        return "".join(text for _, text in spelled(self))


def check_ident(ident: str) -> None:
    """Raise :class:`BadName` for an *ident* that is not 64 lower-case hex digits."""
    if _IDENT.fullmatch(ident) is None:
        wrong = _NOT_HEX.search(ident, 0, IDENT_LENGTH)
        position = wrong.start() if wrong else min(len(ident), IDENT_LENGTH)
        expected = "the end" if position == IDENT_LENGTH else "a lower-case hex digit"
        raise BadName(ident, position, (expected,), why="an ident is the SHA-256 of a base", part="ident")


@dataclass(frozen=True, slots=True)
class Base:
    """An image as it was put in: its ident is the SHA-256 of its bytes in lower-case hex."""

    ident: str

    def __post_init__(self) -> None:
        check_ident(self.ident)

    def __str__(self) -> str:
        return self.ident


@dataclass(frozen=True, slots=True)
class Derivative:
    """What is made of a base as its suffix says."""

    ident: str
    suffix: Suffix

    def __post_init__(self) -> None:
        check_ident(self.ident)

    def __str__(self) -> str:
        return f"{self.ident}-{self.suffix}"


@dataclass(frozen=True, slots=True)
class Rung:
    """A reduction of a base kept for deriving from; *side* is its width as seen upright."""

    ident: str
    side: int

    def __post_init__(self) -> None:
        check_ident(self.ident)
        if type(self.side) is not int:
            raise TypeError(f"the side of a rung must be an int, not {self.side!r}")
        if not 1 <= self.side <= SIDE_MAX:
            raise BadName(str(self), IDENT_LENGTH + 1, (WIDTH_EXPECTED,), part="side")

    def __str__(self) -> str:
        return f"{self.ident}~{self.side}"


Name = Base | Derivative
Key = Name | Rung
