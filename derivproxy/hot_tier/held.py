"""A derivative in the node's own hands, and what a stored one says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from derivproxy.hot_tier.files import LocalFile

_VERSION = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}")
_MEDIA_TYPE = re.compile(r"image/[a-z0-9][a-z0-9.+-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The whole bytes of one derivative, verified. Who is given a file must :meth:`release` it."""

    body: bytes | LocalFile
    size: int
    md5: str
    media_type: str
    version: int

    def hold(self) -> Held:
        """The same for one more holder."""
        if not isinstance(self.body, bytes):
            self.body.hold()
        return self

    def release(self) -> None:
        """Let go of it."""
        if not isinstance(self.body, bytes):
            self.body.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is kept with a stored derivative: the derivation version, the MD5 it belongs to, the media type."""

    version: int
    md5: str
    media_type: str

    def to_metadata(self) -> dict[str, str]:
        """As object metadata."""
        return {"version": str(self.version), "md5": self.md5, "media-type": self.media_type}

    @property
    def content_type(self) -> str:
        """The stored content type: listings carry it, so that stale objects are found without opening each."""
        return f"{self.media_type};dv={self.version}"

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Label | None:
        """The inverse of :meth:`to_metadata`; ``None`` for what was not written by it."""
        version, md5, media_type = (metadata.get(key, "") for key in ("version", "md5", "media-type"))
        if not (_VERSION.fullmatch(version) and _MD5.fullmatch(md5) and _MEDIA_TYPE.fullmatch(media_type)):
            return None
        return cls(version=int(version), md5=md5, media_type=media_type)
