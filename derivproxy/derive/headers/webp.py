"""WebP: canvas, frames and metadata, by walking RIFF chunks (RFC 9649)."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from derivproxy.derive.headers.header import (
    Data,
    Header,
    broken_off,
    refuse_animation,
    refuse_frames,
    refuse_parts,
    refuse_size,
)
from derivproxy.domain.errors import Undecodable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from derivproxy.domain.limits import Limits

_ICC_FLAG, _EXIF_FLAG, _XMP_FLAG = 0x20, 0x08, 0x04
_FLAGS: Final = {b"ICCP": _ICC_FLAG, b"EXIF": _EXIF_FLAG, b"XMP ": _XMP_FLAG}


def read(data: Data, limits: Limits) -> Header:
    """The claims of a WebP. What follows the RIFF's own end is not looked at."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise broken_off(f"a WebP that says it has {end} bytes", len(data))
    width = height = frames = pictures = 0
    dropped: list[tuple[int, int, bytes]] = []
    for kind, at, length, after in _chunks(data, end):
        if kind in _FLAGS:
            if length > (limits.profile_bytes if kind == b"ICCP" else limits.text_bytes):
                dropped.append((at, after, kind))
            continue
        measure = _MEASURES.get(kind)
        if measure is None:
            continue
        wide, high = measure(data, at + 8)
        width, height = max(width, wide), max(height, high)
        refuse_size(width, height, limits)
        frames += kind == b"ANMF"
        pictures += kind != b"VP8X"
        refuse_frames(frames, limits, least=True)
    if not pictures:
        raise Undecodable("the WebP has no picture chunk; there is no picture in it")
    refuse_animation(width, height, max(frames, 1), limits)
    return Header(
        width=width,
        height=height,
        frames=max(frames, 1),
        clean=_without(data, dropped, end) if dropped else None,
    )


def _chunks(data: Data, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Kind, place, length and the place after each chunk: type (4), length (4), content, padded to even."""
    at = 12
    for parts in count(1):
        if at + 8 > end:
            return
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            raise broken_off("a WebP chunk", at)
        refuse_parts(parts, "WebP chunks")
        after = min(at + 8 + length + (length & 1), end)
        yield kind, at, length, after
        at = after


def _extended(data: Data, at: int) -> tuple[int, int]:
    # flags in 4 bytes, then width - 1 and height - 1 in 3 each
    return 1 + int.from_bytes(data[at + 4 : at + 7], "little"), 1 + int.from_bytes(data[at + 7 : at + 10], "little")


def _lossy(data: Data, at: int) -> tuple[int, int]:
    # frame tag (3), 9D 01 2A, width (14 bits), height (14 bits); RFC 6386, 9.1
    if data[at + 3 : at + 6] != b"\x9d\x01\x2a":
        raise Undecodable(f"the VP8 chunk at byte {at - 8} does not begin with a key frame; the WebP is damaged")
    return (
        int.from_bytes(data[at + 6 : at + 8], "little") & 0x3FFF,
        int.from_bytes(data[at + 8 : at + 10], "little") & 0x3FFF,
    )


def _lossless(data: Data, at: int) -> tuple[int, int]:
    # 2F, then width - 1 and height - 1 in 14 bits each
    if data[at : at + 1] != b"\x2f":
        raise Undecodable(f"the VP8L chunk at byte {at - 8} lacks its signature; the WebP is damaged")
    bits = int.from_bytes(data[at + 1 : at + 5], "little")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


def _frame(data: Data, at: int) -> tuple[int, int]:
    # x and y in 3 bytes each, then width - 1 and height - 1
    return _extended(data, at + 2)


_MEASURES: Final[Mapping[bytes, Callable[[Data, int], tuple[int, int]]]] = {
    b"VP8X": _extended,
    b"VP8 ": _lossy,
    b"VP8L": _lossless,
    b"ANMF": _frame,
}


def _without(data: Data, pieces: list[tuple[int, int, bytes]], end: int) -> bytes:
    kept, at = bytearray(), 0
    for start, after, _ in pieces:
        kept += data[at:start]
        at = after
    kept += data[at:end]
    kept[4:8] = (len(kept) - 8).to_bytes(4, "little")
    if kept[12:16] == b"VP8X":
        for _, _, kind in pieces:
            kept[20] &= ~_FLAGS[kind]
    return bytes(kept)
