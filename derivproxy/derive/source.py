"""The bytes of an image that passed the header limits, and how they come about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from derivproxy.derive.sniff import HEAD_BYTES, sniff
from derivproxy.domain.errors import TooLarge

if TYPE_CHECKING:
    from pathlib import Path

    from derivproxy.domain.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An image that may be decoded. *data* is its path; bytes only where something had to be cut out first."""

    data: Path | bytes
    media_type: str


def open_source(path: Path, limits: Limits) -> Source:
    """Look at the header of the file at *path*. Raises a ``Refused`` for what is not read or above a limit."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise TooLarge(f"{size} bytes; a file may have {limits.file_bytes} (DERIVPROXY_MAX_FILE_BYTES)")
    return Source(data=path, media_type=sniff(head))
