"""page → orient by EXIF → crop → resize: the base at the size that is wanted.

Theory of operation. Decoding is five sixths of the work, so as little as possible is decoded: ``thumbnail`` lets the
decoder itself shrink (JPEG, WebP) and reads in order, once. We compute the sizes and force them, so what comes out is
exact, also where EXIF turns the picture. A crop is carried back into the rows of the file and cut there, before
anything is turned. Frames of an animation are scaled each on its own: as one tall picture their edges would bleed.
Colours arrive as 8-bit sRGB or grey numbers; a base's RGB or grey profile is still attached to them.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pyvips

from derivproxy.domain.errors import TooManyPixels
from grammar.names import Crop

if TYPE_CHECKING:
    from derivproxy.derive.source import Source
    from derivproxy.domain.geometry import Plan, Size
    from derivproxy.domain.images import Facts
    from derivproxy.domain.limits import Limits

# libvips ignores the argument fail_on= of thumbnail_source (libvips #5195); in the loader's option string it works.
_STRICT = "fail_on=error"
_ANIMATIONS = frozenset({"image/gif", "image/webp"})
# EXIF orientations: from 5 on rows are columns; in these the first pixel is at the right, or below.
_QUARTER_TURNED = 5
_FROM_THE_RIGHT = frozenset({2, 3, 7, 8})
_FROM_BELOW = frozenset({3, 4, 6, 7})


def open_header(source: Source, page: int | None) -> pyvips.Image:
    """The header of the base, of one zero-based *page* or (``None``) of all frames. Nothing is decoded."""
    return _load(source, page)


def facts_of_page(header: pyvips.Image, facts: Facts, page: int | None, limits: Limits) -> Facts:
    """The facts with the size of this *page*: those of a TIFF may differ. Raises ``TooManyPixels``."""
    if not page or facts.media_type in _ANIMATIONS:
        return facts
    if header.width * header.height > limits.pixels:
        raise TooManyPixels(
            f"page {page + 1} has {header.width}x{header.height} pixels; {limits.pixels} are decoded at most"
        )
    width, height = header.width, header.height
    if _orientation(header) >= _QUARTER_TURNED:
        width, height = height, width
    return replace(facts, width=width, height=height)


def scaled(source: Source, header: pyvips.Image, facts: Facts, planned: Plan) -> list[pyvips.Image]:
    """The cropped base at the planned size: one picture, or one for each frame, those in memory."""
    if planned.page is None:
        return _animation(source, header, planned)
    if planned.crop is None and not facts.animated:
        return [
            pyvips.Image.thumbnail_source(
                _bytes(source),
                planned.scaled.width,
                height=planned.scaled.height,
                size="force",
                option_string=_options(source, planned.page),
            )
        ]
    if planned.crop is None:
        # A WebP decoder that shrinks would place the parts that a frame changes on a coarser grid.
        return [_to(_load(source, planned.page), planned.scaled)]
    part = _in_rows(planned.crop, header)
    shrink = _shrink(header, planned, part)
    opened = _load(source, planned.page, f",shrink={shrink}" if shrink > 1 else "")
    cut = opened.crop(part.x // shrink, part.y // shrink, part.width // shrink, part.height // shrink)
    return [_to(cut, planned.scaled)]


def _animation(source: Source, header: pyvips.Image, planned: Plan) -> list[pyvips.Image]:
    strip = _load(source, None)
    height = strip.height // planned.frames
    part = _in_rows(planned.crop, header) if planned.crop else Crop(0, 0, strip.width, height)
    # One after the other and at once into memory, for the strip can be read only once, in order.
    return [
        _to(strip.crop(part.x, frame * height + part.y, part.width, part.height), planned.scaled).copy_memory()
        for frame in range(planned.frames)
    ]


def _to(picture: pyvips.Image, size: Size) -> pyvips.Image:
    return picture.thumbnail_image(size.width, height=size.height, size="force")


def _load(source: Source, page: int | None, more: str = "") -> pyvips.Image:
    return pyvips.Image.new_from_source(_bytes(source), _options(source, page) + more, access="sequential")


def _bytes(source: Source) -> pyvips.Source:
    # A source, because libvips would read [brackets] in a path as loader options.
    if isinstance(source.data, bytes):
        return pyvips.Source.new_from_memory(source.data)
    return pyvips.Source.new_from_file(os.fspath(source.data))


def _options(source: Source, page: int | None) -> str:
    if page is None:
        # Loaders without pages refuse to be asked for them, even for the first.
        return f"{_STRICT},n=-1" if source.media_type in _ANIMATIONS else _STRICT
    return f"{_STRICT},page={page}" if page else _STRICT


def _orientation(header: pyvips.Image) -> int:
    return int(header.get("orientation")) if header.get_typeof("orientation") else 1


def _in_rows(crop: Crop, header: pyvips.Image) -> Crop:
    """The rectangle of the upright base where it lies in the rows of the file (within one frame)."""
    orientation = _orientation(header)
    x, y, width, height = crop.x, crop.y, crop.width, crop.height
    if orientation >= _QUARTER_TURNED:
        x, y, width, height = y, x, height, width
    if orientation in _FROM_THE_RIGHT:
        x = header.width - x - width
    if orientation in _FROM_BELOW:
        y = header.get_page_height() - y - height
    return Crop(x, y, width, height)


def _shrink(header: pyvips.Image, planned: Plan, part: Crop) -> int:
    """How much a JPEG decoder may shrink without the crop's edges falling between its pixels."""
    if not planned.crop or not str(header.get("vips-loader")).startswith("jpegload"):
        return 1
    spare = min(planned.crop.width // planned.scaled.width, planned.crop.height // planned.scaled.height)
    for shrink in (8, 4, 2):
        # libvips' own rule: at least a factor of 2 is left to the good resampler.
        whole = not any(number % shrink for number in (part.x, part.y, part.width, part.height))
        if spare >= 2 * shrink and whole:
            return shrink
    return 1
