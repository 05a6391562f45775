"""The exact size of everything, before a single pixel is decoded.

All arithmetic is on integers. A side that follows from another is rounded half up on the exact rational and is
at least 1; the odd remainder of a centring is rounded down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from derivproxy.domain.errors import CannotEncode, CropOutside, NoSuchPage, TooManyPixels
from grammar.names import Compass, Crop, Fit, Focus, Format, Smart

if TYPE_CHECKING:
    from derivproxy.domain.images import Facts
    from derivproxy.domain.limits import Limits
    from grammar.names import Anchor, Suffix

# What each encoder holds a side. Those of PNG and TIFF are libpng's own limit; output_pixels stops most of it before.
LONGEST_SIDE = {
    Format.JPG: 65_500,
    Format.PNG: 1_000_000,
    Format.WEBP: 16_383,
    Format.AVIF: 16_384,
    Format.GIF: 65_535,
    Format.TIF: 1_000_000,
    Format.JXL: 262_144,
}
ANIMATED = frozenset({Format.WEBP, Format.GIF})

# A cover of a thread-like base scales to sides that libvips' coordinates cannot count.
_SCALED_SIDE = 10_000_000

_MILLE = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle in pixels: of the scaled picture what a cover keeps, or of a padded canvas where the picture lies."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is done to a base, in numbers.

    ``page`` is the zero-based page or frame to make a still of, ``None`` for all frames of an animation. ``crop`` lies
    in the oriented base. ``scaled`` is the size the (cropped) picture is brought to. ``window`` is the part of it that
    is kept; ``smart`` says that its place is a suggestion and the eye decides. ``canvas`` is the size of what it
    is padded to, and ``inset`` where it lies there. ``size`` is that of each of the ``frames`` that come out.
    """

    page: int | None
    frames: int
    crop: Crop | None
    scaled: Size
    window: Place | None = None
    smart: bool = False
    canvas: Size | None = None
    inset: Place | None = None
    size: Size


def plan(suffix: Suffix, facts: Facts) -> Plan:
    """Say exactly what *suffix* means for a base with these *facts*.

    Raises ``NoSuchPage``, ``CropOutside``; ``CannotEncode`` for a side the format cannot hold.
    """
    page = _page(suffix, facts)
    base = Size(facts.width, facts.height)
    crop = _crop(suffix, base)
    picture = Size(crop.width, crop.height) if crop else base
    made = _fitted(suffix, base, crop, picture)
    if made.scaled.width > _SCALED_SIDE or made.scaled.height > _SCALED_SIDE:
        raise TooManyPixels(
            f"covering the box scales {picture.width}x{picture.height} to {made.scaled.width}x{made.scaled.height}; "
            f"sides may have {_SCALED_SIDE}: crop the base or ask for a smaller box"
        )
    turned = Size(made.size.height, made.size.width) if suffix.rotate in (90, 270) else made.size
    _check_sides(turned, suffix.format)
    return replace(made, page=page, frames=facts.pages if page is None else 1, size=turned)


def output_size(suffix: Suffix, facts: Facts) -> Size:
    """The size of each frame of what *suffix* makes of the base, without decoding it. Raises as :func:`plan`."""
    return plan(suffix, facts).size


def permit(planned: Plan, limits: Limits) -> None:
    """Raise ``TooManyPixels`` where what is *planned* has more pixels x frames than ``limits.output_pixels``."""
    pixels = planned.size.width * planned.size.height * planned.frames
    if pixels > limits.output_pixels:
        frames = f" x {planned.frames} frames" if planned.frames > 1 else ""
        raise TooManyPixels(
            f"the result would have {planned.size.width}x{planned.size.height}{frames} = {pixels} pixels; "
            f"at most {limits.output_pixels} are made: ask for a smaller size"
        )


def _page(suffix: Suffix, facts: Facts) -> int | None:
    if suffix.page is None:
        return None if facts.animated and suffix.format in ANIMATED else 0
    if suffix.page > facts.pages:
        have = "1 page" if facts.pages == 1 else f"{facts.pages} pages"
        raise NoSuchPage(f"page {suffix.page} is not there; the base has {have}")
    return suffix.page - 1


def _crop(suffix: Suffix, base: Size) -> Crop | None:
    crop = suffix.crop
    if crop is None:
        return None
    if crop.x + crop.width > base.width or crop.y + crop.height > base.height:
        raise CropOutside(
            f"the crop {crop.x}_{crop.y}_{crop.width}_{crop.height} ends at {crop.x + crop.width}, "
            f"{crop.y + crop.height}; the upright base has {base.width}x{base.height} pixels"
        )
    return None if (crop.width, crop.height) == (base.width, base.height) else crop


def _check_sides(size: Size, format_: Format) -> None:
    most = LONGEST_SIDE[format_]
    for side, pixels in (("width", size.width), ("height", size.height)):
        if pixels > most:
            raise CannotEncode(
                f"the {side} {pixels} is more than the {most} that {format_} can hold: ask for less or for png or tif"
            )


def _fitted(suffix: Suffix, base: Size, crop: Crop | None, picture: Size) -> Plan:
    """The plan before rotation, as if for one still."""
    made = Plan(page=0, frames=1, crop=crop, scaled=picture, size=picture)
    width, height = suffix.width, suffix.height
    if width is None or height is None or suffix.fit is Fit.INSIDE:
        scaled = _inside(picture, width, height, enlarge=suffix.enlarge)
        return replace(made, scaled=scaled, size=scaled)
    box = Size(width, height)
    match suffix.fit:
        case Fit.STRETCH:
            return replace(made, scaled=box, size=box)
        case Fit.PAD:
            scaled = _inside(picture, width, height, enlarge=suffix.enlarge)
            if scaled == box:
                return replace(made, scaled=box, size=box)
            left, top = _leaning(suffix.anchor, box.width - scaled.width, box.height - scaled.height)
            inset = Place(left, top, scaled.width, scaled.height)
            return replace(made, scaled=scaled, canvas=box, inset=inset, size=box)
        case _:
            scaled, seen = _covering(picture, box, enlarge=suffix.enlarge)
            if scaled == seen:
                return replace(made, scaled=scaled, size=seen)
            window = _window(suffix.anchor, crop or Crop(0, 0, picture.width, picture.height), base, scaled, seen)
            return replace(made, scaled=scaled, window=window, smart=isinstance(suffix.anchor, Smart), size=seen)


def _inside(picture: Size, width: int | None, height: int | None, *, enlarge: bool) -> Size:
    if width is not None and (height is None or width * picture.height <= height * picture.width):
        if width > picture.width and not enlarge:
            return picture
        return Size(width, _side(picture.height * width, picture.width))
    if height is None or (height > picture.height and not enlarge):
        return picture
    return Size(_side(picture.width * height, picture.height), height)


def _covering(picture: Size, box: Size, *, enlarge: bool) -> tuple[Size, Size]:
    """What the picture is scaled to, and the part of that which is seen."""
    wider = picture.width * box.height >= box.width * picture.height
    if not enlarge and (box.width > picture.width or box.height > picture.height):
        # The base is too small: nothing is scaled, the largest area of the box's aspect is seen.
        if wider:
            return picture, Size(_side(box.width * picture.height, box.height), picture.height)
        return picture, Size(picture.width, _side(box.height * picture.width, box.width))
    # The side that follows is at least the box's, so rounding half up can never leave a gap.
    if wider:
        return Size(_side(picture.width * box.height, picture.height), box.height), box
    return Size(box.width, _side(picture.height * box.width, picture.width)), box


def _window(anchor: Anchor | None, crop: Crop, base: Size, scaled: Size, seen: Size) -> Place:
    if isinstance(anchor, Focus):
        left = _centred(anchor.x * base.width - crop.x * _MILLE, crop.width, scaled.width, seen.width)
        top = _centred(anchor.y * base.height - crop.y * _MILLE, crop.height, scaled.height, seen.height)
    else:
        left, top = _leaning(anchor, scaled.width - seen.width, scaled.height - seen.height)
    return Place(left, top, seen.width, seen.height)


def _centred(point_mille: int, picture: int, scaled: int, seen: int) -> int:
    """Where a window of *seen* pixels begins that has the point in its middle, or as near to it as there is picture."""
    begin = (2 * point_mille * scaled - seen * _MILLE * picture) // (2 * _MILLE * picture)
    return min(max(begin, 0), scaled - seen)


def _leaning(anchor: Anchor | None, spare_width: int, spare_height: int) -> tuple[int, int]:
    word = anchor.value if isinstance(anchor, Compass) else ""
    left = 0 if word.endswith("west") else spare_width if word.endswith("east") else spare_width // 2
    top = 0 if word.startswith("north") else spare_height if word.startswith("south") else spare_height // 2
    return left, top


def _side(numerator: int, denominator: int) -> int:
    """The quotient rounded half up, at least 1."""
    return max(1, (2 * numerator + denominator) // (2 * denominator))
