"""The closed choices a suffix is made of, and the small values beside them."""

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

    @property
    def media_type(self) -> str:
        """As in ``Content-Type`` and ``Accept``: ``image/jpeg`` for jpg."""
        return f"image/{_SUBTYPES.get(self.value, self.value)}"


# The subtypes that are not the word itself.
_SUBTYPES = {"jpg": "jpeg", "tif": "tiff"}


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
