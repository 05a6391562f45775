"""AVIF: the sizes its items claim, by walking boxes (ISO/IEC 14496-12, 23008-12).

Every claimed size counts, of tiles, thumbnails and grids too: which of them a decoder makes is its affair.
"""

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
    from collections.abc import Iterator

    from derivproxy.domain.limits import Limits

_PICTURES: Final = frozenset({b"av01", b"grid", b"iden", b"iovl"})
_TILES: Final = frozenset({b"dimg"})
_SIDEKICKS: Final = frozenset({b"thmb", b"auxl"})
_MOST_ITEMS: Final = 4096

Box = tuple[bytes, int, int]
"""Its type, and where its content begins and ends."""


def read(data: Data, limits: Limits) -> Header:
    """The claims of an AVIF. Pictures that stand alone (no tile, thumbnail, alpha plane) count as pages."""
    meta = next((box for box in _boxes(data, 0, len(data)) if box[0] == b"meta"), None)
    if meta is None:
        raise Undecodable("the AVIF has no meta box; there is no still picture in it")
    parts = {kind: (start, end) for kind, start, end in _boxes(data, meta[1] + 4, meta[2])}
    items = _items(data, *parts.get(b"iinf", (0, 0)))
    inner = _references(data, *parts.get(b"iref", (0, 0)))
    sizes, profiles = _properties(data, parts.get(b"iprp", (0, 0)), limits)
    for number, kind in items.items():
        if kind == b"grid":
            sizes.extend(_grids(data, number, parts))
    if not sizes:
        raise Undecodable("the AVIF says no picture's size; it is damaged")
    for width, height in sizes:
        refuse_size(width, height, limits)
    frames = sum(kind in _PICTURES and number not in inner for number, kind in items.items())
    refuse_frames(frames, limits)
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    refuse_animation(width, height, max(frames, 1), limits)
    return Header(
        width=width, height=height, frames=max(frames, 1), clean=_without(data, profiles) if profiles else None
    )


def _boxes(data: Data, at: int, end: int) -> Iterator[Box]:
    parts = 0
    while at + 8 <= end:
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = end - at
        if size < head:
            raise Undecodable(f"the box at byte {at} says it has {size} bytes; the AVIF is damaged")
        if at + size > end:
            raise broken_off(f"the AVIF box {kind.decode('latin-1')!r}", at)
        parts += 1
        refuse_parts(parts, "AVIF boxes")
        yield kind, at + head, at + size
        at += size


def _items(data: Data, start: int, end: int) -> dict[int, bytes]:
    """The visible items and their types: iinf = version flags, count, *infe."""
    if start == end:
        return {}
    wide = data[start] != 0
    items: dict[int, bytes] = {}
    for kind, at, _ in _boxes(data, start + (8 if wide else 6), end):
        version, hidden = data[at], data[at + 3] & 1
        if kind != b"infe" or version < 2:  # noqa: PLR2004  older ones carry no item type
            continue
        width = 2 if version == 2 else 4  # noqa: PLR2004
        number = int.from_bytes(data[at + 4 : at + 4 + width], "big")
        if not hidden:
            items[number] = data[at + 6 + width : at + 10 + width]
        if len(items) > _MOST_ITEMS:
            raise Undecodable(f"more than {_MOST_ITEMS} items in the AVIF; no program writes such a file")
    return items


def _references(data: Data, start: int, end: int) -> set[int]:
    """The items that only serve others: iref = version flags, *(type: from, count, *to)."""
    if start == end:
        return set()
    wide = 4 if data[start] else 2
    inner: set[int] = set()
    for kind, at, after in _boxes(data, start + 4, end):
        origin = int.from_bytes(data[at : at + wide], "big")
        if kind in _SIDEKICKS:
            inner.add(origin)
        elif kind in _TILES:
            inner.update(
                int.from_bytes(data[place : place + wide], "big") for place in range(at + wide + 2, after, wide)
            )
    return inner


def _properties(data: Data, place: tuple[int, int], limits: Limits) -> tuple[list[tuple[int, int]], list[int]]:
    """All sizes claimed, and where the colour boxes begin whose profile is too large."""
    sizes: list[tuple[int, int]] = []
    profiles: list[int] = []
    for kind, start, end in _boxes(data, *place):
        if kind != b"ipco":
            continue
        for inner, at, after in _boxes(data, start, end):
            if inner == b"ispe":
                sizes.append(
                    (int.from_bytes(data[at + 4 : at + 8], "big"), int.from_bytes(data[at + 8 : at + 12], "big"))
                )
            elif inner == b"colr" and data[at : at + 4] in {b"prof", b"rICC"} and after - at > limits.profile_bytes:
                profiles.append(at)
    return sizes, profiles


def _grids(data: Data, number: int, parts: dict[bytes, tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The sizes a grid's own payload claims: version, flags, rows - 1, columns - 1, width, height."""
    for at in _payloads(data, number, parts):
        wide = 4 if data[at + 1] & 1 else 2
        yield (
            int.from_bytes(data[at + 4 : at + 4 + wide], "big"),
            int.from_bytes(data[at + 4 + wide : at + 4 + 2 * wide], "big"),
        )


def _payloads(data: Data, number: int, parts: dict[bytes, tuple[int, int]]) -> Iterator[int]:
    """Where the extents of item *number* begin: iloc, all three versions."""
    at, end = parts.get(b"iloc", (0, 0))
    if at == end:
        return
    version = data[at]
    offset_bytes, length_bytes = data[at + 4] >> 4, data[at + 4] & 15
    base_bytes, index_bytes = data[at + 5] >> 4, data[at + 5] & 15 if version else 0
    wide = 4 if version > 1 else 2
    count, at = int.from_bytes(data[at + 6 : at + 6 + wide], "big"), at + 6 + wide
    for _ in range(min(count, _MOST_ITEMS)):
        item, at = int.from_bytes(data[at : at + wide], "big"), at + wide
        method = 0
        if version:
            method, at = data[at + 1] & 15 if at + 2 <= end else 0, at + 2
        at += 2
        base, at = int.from_bytes(data[at : at + base_bytes], "big"), at + base_bytes
        extents, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        if at > end:
            raise broken_off("the AVIF box 'iloc'", at)
        if item == number and extents:
            start = at + index_bytes
            offset = base + int.from_bytes(data[start : start + offset_bytes], "big")
            if method == 1:  # in the idat box
                offset += parts.get(b"idat", (len(data), 0))[0]
            if offset + 12 > len(data):
                raise broken_off("an AVIF grid", offset)
            yield offset
        at += extents * (index_bytes + offset_bytes + length_bytes)


def _without(data: Data, places: list[int]) -> bytes:
    # Renamed in place: properties are known by their number, so none may go.
    clean = bytearray(data[:])
    for at in places:
        clean[at - 4 : at] = b"free"
    return bytes(clean)
