"""Files made byte by byte: what no encoder would write, and what attackers do."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pyvips

if TYPE_CHECKING:
    from collections.abc import Iterable


def picture(width: int = 40, height: int = 30, bands: int = 3, seed: int = 1) -> pyvips.Image:
    """A noisy picture with a gradient: nothing about it is constant, so damage shows."""
    noise = np.random.default_rng(seed).integers(0, 60, (height, width, bands))
    ramp = np.linspace(0, 190, width)[None, :, None] * np.ones((height, 1, bands))
    return pyvips.Image.new_from_array((noise + ramp).astype(np.uint8), interpretation="srgb" if bands > 2 else "b-w")


def encoded(suffix: str, width: int = 40, height: int = 30, **options: object) -> bytes:
    """A real file of :func:`picture`, by libvips."""
    return picture(width, height).write_to_buffer(suffix, **options)


def animation(suffix: str, frames: int = 4, width: int = 20, height: int = 16) -> bytes:
    pages = [picture(width, height, seed=number) for number in range(frames)]
    strip = pyvips.Image.arrayjoin(pages, across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", height)
    return strip.write_to_buffer(suffix)


def png_chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int = 4, height: int = 4, extra: Iterable[bytes] = (), *, colour: int = 0, interlace: int = 0) -> bytes:
    """A real grey PNG with *extra* chunks before its picture, whose rows are there only where they are few."""
    rows = zlib.compress((b"\x00" + bytes(width)) * height, 9) if width * height < 10**7 else zlib.compress(b"\x00" * 9)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, interlace)),
            *extra,
            png_chunk(b"IDAT", rows),
            png_chunk(b"IEND"),
        )
    )


def ztxt(size: int, fill: bytes = b"a") -> bytes:
    return png_chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(fill * size, 9))


def itxt(size: int) -> bytes:
    return png_chunk(b"iTXt", b"Comment\x00\x01\x00en\x00Kommentar\x00" + zlib.compress(b"a" * size, 9))


def iccp(size: int) -> bytes:
    return png_chunk(b"iCCP", b"big\x00\x00" + zlib.compress(bytes(size), 9))


def segment(code: int, body: bytes = b"") -> bytes:
    return bytes((0xFF, code)) + struct.pack(">H", len(body) + 2) + body


def jpeg(
    width: int = 8,
    height: int = 8,
    *,
    scans: int = 1,
    components: int = 1,
    frame: int = 0xC2,
    before: bytes = b"",
    entropy: bytes = b"\x3f",
) -> bytes:
    """The skeleton of a JPEG, progressive unless *frame* says otherwise: right markers, no picture."""
    sof = struct.pack(">BHHB", 8, height, width, components) + b"".join(
        bytes((number + 1, 0x11, 0)) for number in range(components)
    )
    scan = segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + entropy
    return b"\xff\xd8" + before + segment(frame, sof) + scan * scans + b"\xff\xd9"


def rescanned(width: int, height: int, scans: int) -> bytes:
    """A real progressive JPEG whose last scan comes again and again."""
    whole = pyvips.Image.black(width, height, bands=3).write_to_buffer(".jpg", interlace=True, keep="none")
    last = whole.rindex(b"\xff\xda")
    there = len(re.findall(rb"\xff\xda", whole))
    return whole[:-2] + whole[last:-2] * (scans - there) + whole[-2:]


def gif(width: int = 4, height: int = 4, *, frames: int = 1, offset: int = 0, trailer: bytes = b";") -> bytes:
    """A GIF whose frames are one pixel each, at *offset* from the left."""
    # one pixel: clear, colour 0, end, in codes of 3 bits
    frame = b"," + struct.pack("<HHHHB", offset, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
        + b"\x00\x00\x00\xff\xff\xff"
        + frame * frames
        + trailer
    )


def riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def vp8x(width: int, height: int, flags: int = 0) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff_chunk(b"VP8X", bytes((flags, 0, 0, 0)) + size)


def anmf(width: int = 1, height: int = 1) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff_chunk(b"ANMF", bytes(6) + size + bytes(4))


def webp_picture(webp: bytes) -> bytes:
    """The one picture chunk of a plain WebP."""
    return webp[12:]


Entry = tuple[int, int, int, int]
"""Tag, type, count, value."""


def tiff(pages: Iterable[Iterable[Entry]], *, big: bool = False, loop: bool = False, tail: bytes = b"") -> bytes:
    """Directories one after the other, little-endian, and *tail*; the last leads to the first where *loop*."""
    word, head = ("Q", 16) if big else ("I", 8)
    out = b"II+\x00\x08\x00\x00\x00" + struct.pack("<Q", 16) if big else b"II*\x00" + struct.pack("<I", 8)
    all_pages = [list(page) for page in pages]
    for number, entries in enumerate(all_pages):
        body = b"".join(struct.pack(f"<HH{word}{word}", *entry) for entry in sorted(entries))
        size = (8 if big else 2) + len(body) + (8 if big else 4)
        last = number == len(all_pages) - 1
        after = (head if loop else 0) if last else len(out) + size
        out += struct.pack("<Q" if big else "<H", len(entries)) + body + struct.pack(f"<{word}", after)
    return out + tail


def page(width: int = 4, height: int = 4, bands: int = 1, **more: int) -> list[Entry]:
    """A directory of an uncompressed picture whose one strip is the beginning of the file."""
    tags = {"width": 256, "height": 257, "bits": 258, "tile_width": 322, "tile_height": 323}
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 0),
        (277, 3, 1, bands),
        (278, 4, 1, height),
        (279, 4, 1, width * height * bands),
    ]
    return entries + [(tags[name], 4, 1, value) for name, value in more.items()]


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def avif(
    *, sizes: Iterable[tuple[int, int]] = ((4, 4),), items: Iterable[bytes] = (b"av01",), colour: bytes = b""
) -> bytes:
    """The skeleton of an AVIF: claims without pictures."""
    ispe = b"".join(box(b"ispe", bytes(4) + struct.pack(">II", *size)) for size in sizes)
    infe = [
        box(b"infe", b"\x02\x00\x00\x00" + struct.pack(">HH", n + 1, 0) + kind + b"\x00")
        for n, kind in enumerate(items)
    ]
    meta = b"".join(
        (
            bytes(4),
            box(b"pitm", bytes(4) + b"\x00\x01"),
            box(b"iinf", bytes(4) + struct.pack(">H", len(infe)) + b"".join(infe)),
            box(b"iprp", box(b"ipco", ispe + colour)),
        )
    )
    return box(b"ftyp", b"avif\x00\x00\x00\x00avifmif1miaf") + box(b"meta", meta)
