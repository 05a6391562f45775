"""What is known of an image: the facts read off its bytes, and what people said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FACTS_VERSION = 1
"""Raised when examining the same bytes would give other facts."""


class ColourProfile(StrEnum):
    """The ICC profile a base carries, as far as deriving cares."""

    NONE = "none"
    SRGB = "srgb"
    P3 = "p3"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a full decode found. Width and height are those of one page as seen upright (EXIF orientation applied).

    ``page_height`` is the height of one page in the file's own rows, before orientation. ``interlaced`` is a
    progressive JPEG or an interlaced PNG: decoding it holds the whole picture.
    """

    media_type: str
    bytes: int
    md5: str
    width: int
    height: int
    pages: int = 1
    page_height: int = 0
    animated: bool = False
    alpha: bool = False
    bands: int = 3
    bits: int = 8
    profile: ColourProfile = ColourProfile.NONE
    interlaced: bool = False
    version: int = FACTS_VERSION

    def to_metadata(self) -> dict[str, str]:
        """As object metadata: lower-case keys, short ASCII values, so that the store alone can rebuild a row."""
        return {
            "media-type": self.media_type,
            "bytes": str(self.bytes),
            "md5": self.md5,
            "width": str(self.width),
            "height": str(self.height),
            "pages": str(self.pages),
            "page-height": str(self.page_height),
            "animated": str(int(self.animated)),
            "alpha": str(int(self.alpha)),
            "bands": str(self.bands),
            "bits": str(self.bits),
            "profile": self.profile.value,
            "interlaced": str(int(self.interlaced)),
            "facts": str(self.version),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Facts:
        """The inverse of :meth:`to_metadata`. Raises ``ValueError`` naming the key that is missing or wrong."""
        try:
            return cls(
                media_type=metadata["media-type"],
                bytes=int(metadata["bytes"]),
                md5=metadata["md5"],
                width=int(metadata["width"]),
                height=int(metadata["height"]),
                pages=int(metadata["pages"]),
                page_height=int(metadata["page-height"]),
                animated=metadata["animated"] == "1",
                alpha=metadata["alpha"] == "1",
                bands=int(metadata["bands"]),
                bits=int(metadata["bits"]),
                profile=ColourProfile(metadata["profile"]),
                interlaced=metadata["interlaced"] == "1",
                version=int(metadata["facts"]),
            )
        except KeyError as missing:
            raise ValueError(f"object metadata lacks {missing.args[0]!r}") from None


class Visibility(StrEnum):
    """Who may see an image's names without a token or a signature."""

    PUBLIC = "public"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A live image: its ident, its facts, and what people said of it. *added* is in Unix seconds."""

    ident: str
    facts: Facts
    title: str = ""
    path: str = ""
    tags: tuple[str, ...] = ()
    visibility: Visibility = Visibility.PUBLIC
    added: float = 0.0
    revision: int = field(default=0)
