"""JPEG: size, scans and colour profile, by walking markers (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from derivproxy.derive.headers.header import (
    Data,
    Header,
    broken_off,
    refuse_bands,
    refuse_parts,
    refuse_scans,
    refuse_size,
    without,
)
from derivproxy.domain.errors import Undecodable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from derivproxy.domain.limits import Limits

# A marker is 0xFF and a code. 00 is a stuffed data byte, FF fills, D0..D7 restart inside a scan, 01 stands alone.
_MARKER: Final = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SOI, _EOI, _SOS, _APP2 = 0xD8, 0xD9, 0xDA, 0xE2
_ICC: Final = b"ICC_PROFILE\x00"


def read(data: Data, limits: Limits) -> Header:
    """The claims of a JPEG. What follows its end (a gain map, a second picture, anything) is not looked at."""
    frame: tuple[int, int, int, int] | None = None  # code, width, height, components
    scans = 0
    icc: list[tuple[int, int]] = []
    for code, start, after in _segments(data):
        if code in _FRAMES:
            if frame is not None:
                raise Undecodable(f"a second frame header at byte {start}; the JPEG is damaged")
            frame = _frame(data, start, limits)
        elif code == _APP2 and data[start + 4 : start + 16] == _ICC:
            icc.append((start, after))
        elif code == _SOS:
            if frame is None:
                raise Undecodable(f"a scan at byte {start} before the frame header; the JPEG is damaged")
            scans += 1
            refuse_scans(scans, frame[1] * frame[2], limits)
            if scans == 1 and frame[0] not in _PROGRESSIVE and data[start + 4] == frame[3]:
                # One sequential scan with all components: decoders stop after it, so the megabytes that follow
                # need no walk, only an end.
                if data.rfind(b"\xff\xd9", after) < 0:
                    raise broken_off("a JPEG without its end marker", len(data))
                break
    if frame is None or not scans:
        raise Undecodable("the JPEG ends before its first scan; there is no picture in it")
    icc_bytes = sum(after - start - 18 for start, after in icc)
    return Header(
        width=frame[1],
        height=frame[2],
        bands=frame[3],
        interlaced=frame[0] in _PROGRESSIVE or scans > 1,
        clean=without(data, icc) if icc_bytes > limits.profile_bytes else None,
    )


def _segments(data: Data) -> Iterator[tuple[int, int, int]]:
    """Code, place and the place after each segment up to the end marker; entropy-coded data is passed over."""
    at, parts = 2, 0
    while True:
        found = _MARKER.search(data, at)
        if found is None:
            raise broken_off("a JPEG without its end marker", len(data))
        start, code = found.start(), data[found.start() + 1]
        parts += 1
        refuse_parts(parts, "JPEG segments")
        if code == _EOI:
            return
        if code == _SOI:
            raise Undecodable(f"a second start of image at byte {start}; the JPEG is damaged")
        at = start + 2 + _length(data, start)
        yield code, start, at


def _length(data: Data, start: int) -> int:
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    if start + 2 + length > len(data) or start + 4 > len(data):
        raise broken_off("a JPEG segment", start)
    if length < 2:  # noqa: PLR2004  the length counts its own two bytes
        raise Undecodable(f"the JPEG segment at byte {start} says it has {length} bytes; it is damaged")
    return length


def _frame(data: Data, start: int, limits: Limits) -> tuple[int, int, int, int]:
    # SOF = FF Cn, length (2), precision (1), height (2), width (2), components (1)
    if start + 10 > len(data):
        raise broken_off("the JPEG frame header", start)
    height = int.from_bytes(data[start + 5 : start + 7], "big")
    width = int.from_bytes(data[start + 7 : start + 9], "big")
    components = data[start + 9]
    refuse_size(width, height, limits)
    refuse_bands(components, limits)
    return data[start + 1], width, height, components
