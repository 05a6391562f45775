"""TIFF and BigTIFF: pages, bands and tiles, by walking the chain of directories (TIFF 6.0).

A 20 kB file of 1,000 bands has cost libvips 6 GB, and a chain that bites its tail has no end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from derivproxy.derive.headers.header import (
    Data,
    Header,
    broken_off,
    refuse_bands,
    refuse_frames,
    refuse_pixels,
    refuse_size,
)
from derivproxy.domain.errors import Undecodable

if TYPE_CHECKING:
    from derivproxy.domain.limits import Limits

_MOST_ENTRIES: Final = 4096
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE: Final = frozenset({1, 3, 4, 13, 16})
_WIDTH, _HEIGHT, _BANDS, _TILE_WIDTH, _TILE_HEIGHT, _ICC = 256, 257, 277, 322, 323, 34675


def read(data: Data, limits: Limits) -> Header:
    """The claims of a TIFF: the first page's size, all pages counted. Pages may differ in size."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    big = int.from_bytes(data[2:4], order) == 43  # noqa: PLR2004  BigTIFF's magic
    count_bytes, entry_bytes, word = (8, 20, 8) if big else (2, 12, 4)
    at = int.from_bytes(data[8:16] if big else data[4:8], order)
    pages: list[tuple[int, int]] = []
    seen: set[int] = set()
    bands = 0
    profiles: list[int] = []
    while at:
        if at in seen:
            raise Undecodable(f"the TIFF's directory at byte {at} comes twice in the chain; the file is damaged")
        seen.add(at)
        refuse_frames(len(pages) + 1, limits, least=True)
        if at + count_bytes > len(data):
            raise broken_off("a TIFF directory", at)
        entries = int.from_bytes(data[at : at + count_bytes], order)
        if entries > _MOST_ENTRIES:
            raise Undecodable(f"the TIFF's directory at byte {at} says {entries} entries; it is damaged")
        start = at + count_bytes
        after = start + entries * entry_bytes
        if after > len(data):
            raise broken_off("a TIFF directory", at)
        tags: dict[int, int] = {}
        for place in range(start, after, entry_bytes):
            tag, value, count = _entry(data, place, order, word)
            tags.setdefault(tag, value)
            if tag == _ICC and count > limits.profile_bytes:
                profiles.append(place)
        width, height = tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0)
        refuse_size(width, height, limits)
        refuse_bands(tags.get(_BANDS, 1), limits)
        if _TILE_WIDTH in tags or _TILE_HEIGHT in tags:
            refuse_size(tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0), limits)
        bands = max(bands, tags.get(_BANDS, 1))
        pages.append((width, height))
        refuse_pixels(sum(wide * high for wide, high in pages), f"{len(pages)} pages", limits)
        # Some writers end the file right after the last directory.
        at = int.from_bytes(data[after : after + word], order)
    if not pages:
        raise Undecodable("the TIFF has no directory; there is no picture in it")
    return Header(
        width=pages[0][0],
        height=pages[0][1],
        frames=len(pages),
        bands=bands,
        clean=_without(data, profiles, order, word) if profiles else None,
    )


def _entry(data: Data, place: int, order: Literal["little", "big"], word: int) -> tuple[int, int, int]:
    # entry = tag (2), type (2), count (word), value or its place (word)
    tag, kind = int.from_bytes(data[place : place + 2], order), int.from_bytes(data[place + 2 : place + 4], order)
    count = int.from_bytes(data[place + 4 : place + 4 + word], order)
    size = _SIZES.get(kind, 1)
    if count * size > len(data):
        raise Undecodable(f"the TIFF's tag {tag} claims {count * size} bytes, more than the file has; it is damaged")
    value = 0
    if kind in _WHOLE and count and size <= word:
        value = int.from_bytes(data[place + 4 + word : place + 4 + word + size], order)
    return tag, value, count


def _without(data: Data, places: list[int], order: Literal["little", "big"], word: int) -> bytes:
    # The entry stays, as the next tag up, which means nothing to anyone: tags stand in order, and places stay true.
    clean = bytearray(data[:])
    for place in places:
        entry = (_ICC + 1).to_bytes(2, order) + (1).to_bytes(2, order) + (1).to_bytes(word, order) + bytes(word)
        clean[place : place + len(entry)] = entry
    return bytes(clean)
