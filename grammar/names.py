"""The four kinds of name as values. ``str()`` of a value is its one canonical spelling.

The unspelled choice is always the first or ``None``: ``Suffix(format=Format.JPG)`` is ``x.jpg``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """What a derivative is encoded as."""

    JPG = "jpg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"
    GIF = "gif"
    TIF = "tif"
    JXL = "jxl"


class Fit(StrEnum):
    """How the picture meets a box. ``INSIDE`` is unspelled: the largest picture of the base's aspect in the box."""

    INSIDE = "inside"
    COVER = "cover"
    PAD = "pad"
    STRETCH = "stretch"


class Compass(StrEnum):
    """Where a cover's window or a padded picture sits. The centre is unspelled (``anchor is None``)."""

    NORTH = "north"
    NORTHEAST = "northeast"
    NORTHWEST = "northwest"
    SOUTH = "south"
    SOUTHEAST = "southeast"
    SOUTHWEST = "southwest"
    EAST = "east"
    WEST = "west"


@dataclass(frozen=True, slots=True)
class Smart:
    """The window that attracts the eye most."""


@dataclass(frozen=True, slots=True)
class Focus:
    """The point a cover's window is centred on, in thousandths (0..1000) of the oriented base."""

    x: int
    y: int


Anchor = Compass | Smart | Focus


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle in pixels of the oriented base, cut before resizing."""

    x: int
    y: int
    width: int
    height: int


class Tone(StrEnum):
    """Fewer colours."""

    GRAY = "gray"
    BITONAL = "bitonal"


class Profile(StrEnum):
    """The colour space of the output; sRGB is unspelled (``profile is None``)."""

    P3 = "p3"
    ICC = "icc"


class Keep(StrEnum):
    """The metadata kept; none is unspelled (``keep is None``)."""

    COPYRIGHT = "copyright"
    META = "meta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suffix:
    """Everything after the ident's dash, in the order of the pipeline. ``str()`` has no leading dash: ``300x.jpg``."""

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


@dataclass(frozen=True, slots=True)
class Base:
    """An image as it was put in: its ident is the SHA-256 of its bytes in lower-case hex."""

    ident: str


@dataclass(frozen=True, slots=True)
class Derivative:
    """What is made of a base as its suffix says."""

    ident: str
    suffix: Suffix


@dataclass(frozen=True, slots=True)
class Rung:
    """A reduction of a base kept for deriving from; *side* is its width as seen upright."""

    ident: str
    side: int


Name = Base | Derivative
Key = Name | Rung
