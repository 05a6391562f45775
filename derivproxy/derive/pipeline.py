"""Base bytes and a suffix → the bytes of a derivative. :func:`make` reads as the order of a name's options.

It runs inside a deriving process: synchronous, libvips' own concurrency 1, limits of the header already passed.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyvips

from derivproxy.derive import encoders
from derivproxy.derive.examine import undecodable
from derivproxy.derive.steps import colour, notices, placing, reading, touching
from derivproxy.domain import geometry
from derivproxy.domain.errors import CannotEncode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from derivproxy.derive.source import Source
    from derivproxy.domain.images import Facts
    from derivproxy.domain.limits import Limits
    from grammar.names import Format, Suffix

_WHITE = "ffffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A derivative's bytes; width and height in pixels of each of its *pages* (frames)."""

    body: bytes
    media_type: str
    width: int
    height: int
    pages: int


def make(source: Source, facts: Facts, suffix: Suffix, limits: Limits) -> Encoded:
    """Derive what *suffix* says from *source*.

    Raises ``NoSuchPage``, ``CropOutside``, ``TooManyPixels`` and ``CannotEncode`` before anything is decoded, and
    ``Undecodable`` with libvips' own words for bytes that break off or contradict themselves.
    """
    encoder = encoders.encoder_of(suffix.format)
    planned = geometry.plan(suffix, facts)
    geometry.permit(planned, limits)
    with _vendor_errors(source.media_type, suffix.format, limits):
        header = reading.open_header(source, planned.page)
        actual = reading.facts_of_page(header, facts, planned.page, limits)
        if actual is not facts:
            planned = geometry.plan(suffix, actual)
            geometry.permit(planned, limits)
        # page → orient → crop → resize
        pictures = reading.scaled(source, header, facts, planned)
        # (profile: as soon as the pixels are few; the steps below work in the colours that come out)
        pictures = [colour.convert(picture, header, facts, suffix.profile) for picture in pictures]
        # fit → flip → rotate
        pictures = placing.place(pictures, planned, flip=suffix.flip, rotate=suffix.rotate)
        # tone → blur → sharpen → background
        pictures = [_touched(picture, header, suffix, opaque=not encoder.alpha) for picture in pictures]
        # metadata → encode
        whole = pictures[0] if planned.page is not None else _strip(pictures)
        embed = colour.embeds(header, suffix.profile)
        whole, keep = notices.keeping(whole, header, source, suffix.keep, embed=embed)
        if planned.page is None:
            whole = _timed(whole, header, planned.size.height)
        body = encoders.encode(whole, suffix, keep)
    return Encoded(
        body=body,
        media_type=encoder.media_type,
        width=planned.size.width,
        height=planned.size.height,
        pages=planned.frames,
    )


def _touched(picture: pyvips.Image, header: pyvips.Image, suffix: Suffix, *, opaque: bool) -> pyvips.Image:
    if suffix.tone:
        picture = touching.toned(picture, suffix.tone)
    if suffix.blur:
        picture = touching.blurred(picture, suffix.blur)
    if suffix.sharpen:
        picture = touching.sharpened(picture, suffix.sharpen)
    if picture.hasalpha() and (opaque or suffix.background):
        ground = colour.in_space_of(suffix.background or _WHITE, picture, header, suffix.profile)
        picture = touching.flattened(picture, ground)
    return picture


def _strip(frames: list[pyvips.Image]) -> pyvips.Image:
    """Frames as libvips has them: one below the other."""
    return pyvips.Image.arrayjoin(frames, across=1)


def _timed(strip: pyvips.Image, header: pyvips.Image, page_height: int) -> pyvips.Image:
    """The strip with the base's delays and loop count, cut into frames of this height."""
    made = strip.copy()
    made.set_type(pyvips.GValue.gint_type, "page-height", page_height)
    for field, kind in (("delay", pyvips.GValue.array_int_type), ("loop", pyvips.GValue.gint_type)):
        if header.get_typeof(field):
            made.set_type(kind, field, header.get(field))
    return made


@contextmanager
def _vendor_errors(media_type: str, format_: Format, limits: Limits) -> Iterator[None]:
    try:
        yield
    except pyvips.Error as error:
        if format_ not in encoders.writable_formats():
            raise CannotEncode(f"the loaded libvips cannot write {format_}: ask for another format") from None
        raise undecodable(media_type, error, limits) from None
