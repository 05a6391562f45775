"""The sidecar: what is known of an object, kept beside its bytes, for the file that is there and the one before it.

Two files cannot be replaced at one instant, so the sidecar says which data file each description is of, by its size and
modification time. It is replaced first, describing the new file and the present one; whichever of the two a reader has
open, before, between or after the two renames, finds its own description, also when the writer died between them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from derivproxy.stores.interface import ObjectStat

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One description: the data file it is of (*size*, *mtime_ns*) what is said of it. *expires* in Unix seconds."""

    size: int
    mtime_ns: int
    md5: str
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    expires: float | None = None

    def describes(self, file: os.stat_result) -> bool:
        """Whether *file* is the data file this is of."""
        return self.size == file.st_size and self.mtime_ns == file.st_mtime_ns

    def expired(self, now_ns: int) -> bool:
        """Whether the object is gone at *now_ns*."""
        return self.expires is not None and now_ns >= self.expires * 1e9

    def stat(self, key: str) -> ObjectStat:
        """As the protocol says it."""
        return ObjectStat(
            key=key,
            size=self.size,
            md5=self.md5,
            content_type=self.content_type,
            modified=self.mtime_ns / 1e9,
            metadata=dict(self.metadata),
            expires=self.expires,
        )


def render(generations: Iterable[Generation]) -> bytes:
    """The sidecar's bytes, newest generation first."""
    rows = [
        {
            "size": one.size,
            "mtime_ns": one.mtime_ns,
            "md5": one.md5,
            "content_type": one.content_type,
            "metadata": dict(one.metadata),
            "expires": one.expires,
        }
        for one in generations
    ]
    return json.dumps({"format": FORMAT, "generations": rows}, separators=(",", ":")).encode() + b"\n"


def parse(content: bytes) -> tuple[Generation, ...]:
    """The generations, newest first; none where *content* is no sidecar of a format known here."""
    try:
        document = json.loads(content)
        if document["format"] != FORMAT:
            return ()
        return tuple(_generation(row) for row in document["generations"])
    except (ValueError, KeyError, TypeError):
        return ()


def _generation(row: Mapping[str, Any]) -> Generation:
    expires = row["expires"]
    return Generation(
        size=int(row["size"]),
        mtime_ns=int(row["mtime_ns"]),
        md5=str(row["md5"]),
        content_type=str(row["content_type"]),
        metadata={str(key): str(value) for key, value in dict(row["metadata"]).items()},
        expires=None if expires is None else float(expires),
    )
