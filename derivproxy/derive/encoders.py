"""The one table of how each format is written. The settings were measured: see docs/encoders.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyvips

from derivproxy.domain.errors import CannotEncode
from grammar.names import Format, Tone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grammar.names import Suffix

_WEBP_ALPHA = 0x10

Option = int | bool | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """How libvips writes a format.

    *options* always hold, *lossy* where quality counts and *lossless* where it was asked for; *quality* is the
    grammar's default, ``None`` where the format has none. *bitonal* are the options for one bit a sample, *large*
    those for more than *large_pixels* pixels x frames, where the usual ones would run into the time limit.
    """

    operation: str
    media_type: str
    options: Mapping[str, Option] = field(default_factory=dict)
    lossy: Mapping[str, Option] = field(default_factory=dict)
    lossless: Mapping[str, Option] = field(default_factory=dict)
    bitonal: Mapping[str, Option] = field(default_factory=dict)
    large: Mapping[str, Option] = field(default_factory=dict)
    large_pixels: int = 0
    quality: int | None = None
    alpha: bool = True


ENCODERS = {
    Format.JPG: Encoder(
        operation="jpegsave_buffer",
        media_type="image/jpeg",
        # Trellis quantisation saves 5 % of the bytes at the same likeness, for six times the CPU; progressive scans
        # save 3 % for twice, and hold all coefficients in memory, here and in every browser.
        options={"optimize_coding": True},
        quality=80,
        alpha=False,
    ),
    Format.PNG: Encoder(
        operation="pngsave_buffer",
        media_type="image/png",
        # libvips' own default, no filter, is a third larger; a palette would lose colours.
        options={"compression": 6, "filter": "all"},
        bitonal={"bitdepth": 1, "filter": "none"},
    ),
    Format.WEBP: Encoder(
        operation="webpsave_buffer",
        media_type="image/webp",
        # Effort 4 takes more than twice the time for 4 % of the bytes.
        options={"effort": 2},
        # Without loss Q is effort too: 25 gives the bytes of 75 within 0.3 % and keeps 12 MP below 3 s instead of 11.
        lossless={"lossless": True, "effort": 1, "Q": 25},
        quality=80,
    ),
    Format.AVIF: Encoder(
        operation="heifsave_buffer",
        media_type="image/avif",
        # Effort 0 takes a third of the time and gives 9 % more bytes that look slightly worse; 4 takes twelve times.
        options={"compression": "av1", "effort": 1},
        lossless={"lossless": True},
        large={"effort": 0},
        large_pixels=8_000_000,
        quality=60,
    ),
    Format.GIF: Encoder(
        operation="gifsave_buffer",
        media_type="image/gif",
        options={"effort": 7},
        # 30 frames of a photo at 400 x 300 take 9 s with effort 7, 2 s with 4.
        large={"effort": 4},
        large_pixels=500_000,
    ),
    Format.TIF: Encoder(
        operation="tiffsave_buffer",
        media_type="image/tiff",
        options={"compression": "deflate", "predictor": "horizontal"},
        bitonal={"bitdepth": 1, "compression": "ccittfax4", "predictor": "none"},
    ),
    Format.JXL: Encoder(
        operation="jxlsave_buffer",
        media_type="image/jxl",
        lossless={"lossless": True},
        quality=80,
    ),
}


def encoder_of(format_: Format) -> Encoder:
    """The encoder of a format. Raises ``CannotEncode`` where the loaded libvips has none."""
    encoder = ENCODERS[format_]
    if not pyvips.type_find("VipsOperation", encoder.operation):
        raise CannotEncode(
            f"the loaded libvips {_version()} cannot write {format_}; ask for another format, "
            f"or install a libvips that has {encoder.operation.removesuffix('_buffer')}"
        )
    return encoder


def writable_formats() -> frozenset[Format]:
    """The formats that the loaded libvips really writes: each is tried on one pixel, for a container is not a codec."""
    return frozenset(format_ for format_, encoder in ENCODERS.items() if _writes(encoder))


def encode(picture: pyvips.Image, suffix: Suffix, keep: int) -> bytes:
    """The picture's bytes in the suffix's format. *keep* are the bits of the metadata that goes along."""
    encoder = encoder_of(suffix.format)
    options: dict[str, Option] = {**encoder.options, "keep": keep}
    if picture.width * picture.height > encoder.large_pixels:
        options |= encoder.large
    if suffix.lossless:
        options |= encoder.lossless
    elif encoder.quality is not None:
        options |= {**encoder.lossy, "Q": suffix.quality or encoder.quality}
    if suffix.tone is Tone.BITONAL and picture.bands == 1 and suffix.background in (None, "000000", "ffffff"):
        options |= encoder.bitonal
    body: bytes = getattr(picture, encoder.operation)(**options)
    return _said_clear(body) if suffix.format is Format.WEBP and picture.hasalpha() else body


def _said_clear(body: bytes) -> bytes:
    """An extended WebP whose header says that it has transparency."""
    # libwebp cuts the clear borders off the frames of an animation, and where that leaves only opaque ones it no longer
    # says so: viewers then take what no frame covers for black. RFC 9649, 2.7: the flags are the first byte of VP8X.
    if body[12:16] != b"VP8X" or body[20] & _WEBP_ALPHA:
        return body
    return body[:20] + bytes([body[20] | _WEBP_ALPHA]) + body[21:]


def _writes(encoder: Encoder) -> bool:
    if not pyvips.type_find("VipsOperation", encoder.operation):
        return False
    pixel = pyvips.Image.black(1, 1, bands=3).copy(interpretation="srgb")
    try:
        getattr(pixel, encoder.operation)(**encoder.options, keep=0)
    except pyvips.Error:
        return False
    return True


def _version() -> str:
    return ".".join(str(pyvips.version(part)) for part in range(3))
