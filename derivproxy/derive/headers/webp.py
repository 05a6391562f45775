"""WebP: canvas, frames and metadata, by walking RIFF chunks (RFC 9649)."""

from __future__ import annotations

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
    from derivproxy.domain.limits import Limits

_ICC_FLAG, _EXIF_FLAG, _XMP_FLAG = 0x20, 0x08, 0x04
_FLAGS: Final = {b"ICCP": _ICC_FLAG, b"EXIF": _EXIF_FLAG, b"XMP ": _XMP_FLAG}


def read(data: Data, limits: Limits) -> Header:
    """The claims of a WebP. What follows the RIFF's own end is not looked at."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise broken_off("a WebP that says it has " + f"{end} bytes", len(data))
    width = height = frames = parts = 0
    picture = False
    dropped: list[tuple[int, int, bytes]] = []
    at = 12
    while at + 8 <= end:
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body, after = at + 8, at + 8 + length + (length & 1)
        if body + length > end:
            raise broken_off("a WebP chunk", at)
        parts += 1
        refuse_parts(parts, "WebP chunks")
        wide = high = 0
        if kind == b"VP8X":
            wide, high = _extended(data, body)
        elif kind == b"VP8 ":
            picture, (wide, high) = True, _lossy(data, body)
        elif kind == b"VP8L":
            picture, (wide, high) = True, _lossless(data, body)
        elif kind == b"ANMF":
            frames += 1
            refuse_frames(frames, limits, least=True)
            wide, high = _extended(data, body + 2)
        elif kind in _FLAGS and length > (limits.profile_bytes if kind == b"ICCP" else limits.text_bytes):
            dropped.append((at, min(after, end), kind))
        if wide:
            width, height = max(width, wide), max(height, high)
            refuse_size(width, height, limits)
        at = after
    if not picture and not frames:
        raise Undecodable("the WebP has no picture chunk; there is no picture in it")
    refuse_animation(width, height, max(frames, 1), limits)
    return Header(
        width=width,
        height=height,
        frames=max(frames, 1),
        clean=_without(data, dropped, end) if dropped else None,
    )


def _extended(data: Data, at: int) -> tuple[int, int]:
    # VP8X: flags (4), width - 1 (3), height - 1 (3); ANMF: x (3), y (3), width - 1 (3), height - 1 (3)
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
