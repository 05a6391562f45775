"""Reads single texts out of the two binary kinds of metadata: TIFF directories (EXIF is one) and IPTC datasets.

Only what is asked for is looked at; whatever is cut short or points outside is as if it were not there.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmap import mmap

COPYRIGHT = 0x8298
ARTIST = 0x013B
IPTC_BYLINE = 80
IPTC_CREDIT = 110
IPTC_COPYRIGHT = 116

_ASCII = 2
_INLINE_BYTES = 4
_ENTRY_BYTES = 12
_IPTC_APPLICATION = 2
_IPTC_MARK = 0x1C
_IPTC_EXTENDED = 0x8000


def exif_texts(block: bytes | mmap, wanted: frozenset[int]) -> dict[int, str]:
    """The *wanted* text tags of the first directory of a classic TIFF structure."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    found: dict[int, str] = {}
    if order is None:
        return found
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (entries,) = struct.unpack_from(f"{order}H", block, start)
        for at in range(start + 2, start + 2 + entries * _ENTRY_BYTES, _ENTRY_BYTES):
            tag, kind, count = struct.unpack_from(f"{order}HHI", block, at)
            if tag not in wanted or kind != _ASCII:
                continue
            where = at + 8 if count <= _INLINE_BYTES else struct.unpack_from(f"{order}I", block, at + 8)[0]
            found[tag] = _text(block[where : where + count])
    except struct.error:
        pass
    return found


def iptc_texts(block: bytes) -> dict[int, str]:
    """The texts of the application record by dataset number; of repeated ones all, joined."""
    found: dict[int, str] = {}
    at = max(block.find(b"\x1c\x02"), 0)
    while at + 5 <= len(block) and block[at] == _IPTC_MARK:
        record, dataset, size = struct.unpack_from(">BBH", block, at + 1)
        if size & _IPTC_EXTENDED:
            break
        text = _text(block[at + 5 : at + 5 + size])
        if record == _IPTC_APPLICATION and text:
            found[dataset] = f"{found[dataset]}; {text}" if dataset in found else text
        at += 5 + size
    return found


def _text(raw: bytes) -> str:
    # A NUL ends the text, except that EXIF parts photographer and editor with one.
    raw = b"; ".join(part.strip() for part in raw.split(b"\0") if part.strip())
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
