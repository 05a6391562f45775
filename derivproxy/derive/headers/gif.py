"""GIF: canvas and frames, by walking blocks (GIF89a). The decoder itself would first index every frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derivproxy.derive.headers.header import (
    Data,
    Header,
    broken_off,
    refuse_animation,
    refuse_frames,
    refuse_size,
)
from derivproxy.domain.errors import Undecodable

if TYPE_CHECKING:
    from derivproxy.domain.limits import Limits

_TRAILER, _EXTENSION, _IMAGE = 0x3B, 0x21, 0x2C


def read(data: Data, limits: Limits) -> Header:
    """The claims of a GIF. A frame that reaches beyond the canvas widens what is counted."""
    if len(data) < 13:  # noqa: PLR2004  signature and screen
        raise broken_off("the GIF header", len(data))
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    at, frames, size = 13 + _table(data[10]), 0, len(data)
    while at < size:
        kind = data[at]
        if kind == _TRAILER:
            break
        if kind == _EXTENSION:
            at = _blocks(data, at + 2)
        elif kind == _IMAGE:
            frames += 1
            refuse_frames(frames, limits, least=True)
            if at + 10 > size:
                raise broken_off("a GIF frame", at)
            left, top, wide, high = (
                int.from_bytes(data[at + 1 + place : at + 3 + place], "little") for place in (0, 2, 4, 6)
            )
            width, height = max(width, left + wide), max(height, top + high)
            refuse_size(width, height, limits)
            at = _blocks(data, at + 11 + _table(data[at + 9]))
        else:
            raise Undecodable(f"byte {at} of the GIF begins no block (0x{kind:02x}); the file is damaged")
    else:
        raise broken_off("a GIF without its end marker", size)
    if not frames:
        raise Undecodable("the GIF has no frame; there is no picture in it")
    refuse_animation(width, height, frames, limits)
    return Header(width=width, height=height, frames=frames)


def _table(flags: int) -> int:
    """Bytes of the colour table that *flags* announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks(data: Data, at: int) -> int:
    """The place after the data blocks that begin at *at*: each has its length first, and an empty one ends them."""
    size = len(data)
    while at < size:
        length = data[at]
        at += 1 + length
        if not length:
            return at
    raise broken_off("a GIF block", size)
