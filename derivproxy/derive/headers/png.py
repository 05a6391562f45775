"""PNG: size, and what its text and profile chunks would inflate to (ISO/IEC 15948).

Forty small compressed text chunks have cost libpng 20 s at header read, so nothing compressed reaches it unmeasured.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from derivproxy.derive.headers.header import Data, Header, broken_off, refuse_bands, refuse_parts, refuse_size, without
from derivproxy.domain.errors import Undecodable

if TYPE_CHECKING:
    from derivproxy.domain.limits import Limits

_BANDS: Final = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}
_TEXT: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_MOST_TEXTS: Final = 256
"""Text chunks kept; each becomes a field that libvips looks through one by one."""


def read(data: Data, limits: Limits) -> Header:
    """The claims of a PNG. An APNG is its still picture; what follows the end chunk is not looked at."""
    if data[12:16] != b"IHDR" or len(data) < 33:  # noqa: PLR2004  signature and first chunk
        raise Undecodable("the PNG does not begin with its header chunk; it is damaged")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    refuse_size(width, height, limits)
    bands = _BANDS.get(data[25])
    if bands is None:
        raise Undecodable(f"the PNG says colour type {data[25]}, which there is not; it is damaged")
    refuse_bands(bands, limits)
    texts, dropped = _walk(data, limits)
    if len(texts) > _MOST_TEXTS or _inflates_over(data, texts, limits.text_bytes):
        dropped = sorted(dropped + texts)
    return Header(
        width=width,
        height=height,
        bands=bands,
        interlaced=data[28] == 1,
        clean=without(data, dropped) if dropped else None,
    )


def _walk(data: Data, limits: Limits) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The places of the text chunks, and of the chunks that are too large to keep."""
    texts: list[tuple[int, int]] = []
    dropped: list[tuple[int, int]] = []
    at, parts, size, pictured = 8, 0, len(data), False
    while True:
        kind = data[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > size or len(kind) < 4:  # noqa: PLR2004  the chunk's four letters
            raise broken_off("a PNG chunk", at)
        parts += 1
        refuse_parts(parts, "PNG chunks")
        if kind == b"IEND":
            if not pictured:
                raise Undecodable("the PNG has no picture data; it is damaged")
            return texts, dropped
        pictured = pictured or kind == b"IDAT"
        if kind in _TEXT:
            texts.append((at, end))
        elif (kind == b"iCCP" and _profile_over(data[at + 8 : end - 4], limits.profile_bytes)) or (
            kind == b"eXIf" and end - at - 12 > limits.text_bytes
        ):
            dropped.append((at, end))
        at = end


def _profile_over(chunk: bytes, most: int) -> bool:
    # iCCP = name NUL method deflated
    _, _, rest = chunk.partition(b"\x00")
    return _inflated(rest[1:], most) > most


def _inflates_over(data: Data, texts: list[tuple[int, int]], most: int) -> bool:
    total = 0
    for start, end in texts:
        total += end - start - 12
        if total > most:
            return True
        total += _inflated(_deflated(data[start + 4 : start + 8], data[start + 8 : end - 4]), most - total)
        if total > most:
            return True
    return False


def _deflated(kind: bytes, chunk: bytes) -> bytes:
    # zTXt = keyword NUL method deflated
    # iTXt = keyword NUL compressed method language NUL translated NUL text
    _, _, rest = chunk.partition(b"\x00")
    if kind == b"zTXt":
        return rest[1:]
    if kind == b"iTXt" and rest[:1] not in {b"", b"\x00"}:
        return rest[2:].partition(b"\x00")[2].partition(b"\x00")[2]
    return b""


def _inflated(deflated: bytes, most: int) -> int:
    """How many bytes *deflated* holds; counting ends at the first one more than *most*."""
    stream, total, rest = zlib.decompressobj(), 0, deflated
    try:
        while rest and total <= most and not stream.eof:
            total += len(stream.decompress(rest, min(most + 1 - total, 65_536)))
            rest = stream.unconsumed_tail
    except zlib.error:
        pass  # the decoder drops what does not inflate, after this much
    return total
