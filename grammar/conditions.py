"""The context conditions: what a suffix that is spelled right may still not say, because it says nothing or too much.

Every value goes through :func:`check` when it is made, so no illegal suffix exists and a parser needs no second list.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from grammar.choices import Compass, Crop, Fit, Focus, Format, Keep, Profile, Smart, Tone
from grammar.errors import BadName
from grammar.spelling import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grammar.names import Suffix

SIDE_MAX = 65_535
PAGE_MAX = 9_999
BLUR_MAX = 1_000
SHARPEN_MAX = 100
MILLE = 1_000
DEFAULT_QUALITY: Mapping[Format, int] = {Format.JPG: 80, Format.WEBP: 80, Format.AVIF: 60, Format.JXL: 80}
"""The unspelled quality of each format that has one. Frozen with the grammar: changing one would rename derivatives."""
LOSSLESS = frozenset({Format.WEBP, Format.AVIF, Format.JXL})
"""The formats that can be told ``lossless``."""
ALWAYS_LOSSLESS = frozenset({Format.PNG})
"""The formats that lose nothing and have no word for it."""
ANIMATED = frozenset({Format.WEBP, Format.GIF})
"""The formats that move where the base does; for the others the first page is the unspelled still."""
OPAQUE = frozenset({Format.JPG})
"""The formats without alpha: what is transparent in the base becomes white, unspelled."""
PLAIN = frozenset({Format.GIF})
"""The formats that hold neither metadata nor a profile."""
WHITE = "ffffff"

WIDTH_EXPECTED = f"a width from 1 to {SIDE_MAX}"
HEIGHT_EXPECTED = f"a height from 1 to {SIDE_MAX}"

_COLOUR = re.compile("[0-9a-f]{6}")
_GRID = frozenset({0, MILLE // 2, MILLE})


def check(suffix: Suffix) -> None:
    """Raise :class:`BadName` where no canonical name says this, with the position in its would-be spelling.

    A value of a wrong type is a ``TypeError``.
    """
    # Most names say little: what is unspelled costs one comparison each.
    if type(suffix.format) is not Format or type(suffix.fit) is not Fit:
        raise TypeError(f"format and fit must be a Format and a Fit, not {suffix.format!r} and {suffix.fit!r}")
    _check_size(suffix)
    if suffix.page is not None:
        _check_page(suffix, suffix.page)
    if suffix.crop is not None:
        _check_crop(suffix, suffix.crop)
    if suffix.anchor is not None:
        _check_anchor(suffix)
    if suffix.enlarge or suffix.flip or suffix.rotate:
        _check_turns(suffix)
    if suffix.blur is not None or suffix.sharpen is not None:
        _check_filters(suffix)
    if suffix.background is not None:
        _check_background(suffix, suffix.background)
    if suffix.tone is not None or suffix.profile is not None or suffix.keep is not None:
        _check_colours(suffix)
    if suffix.quality is not None or suffix.lossless:
        _check_quality(suffix)


def _refuse(suffix: Suffix, part: str, *expected: str, why: str = "") -> NoReturn:
    texts = list(spelled(suffix))
    place = next(at for at, (name, _) in enumerate(texts) if name == part)
    position = sum(len(text) for _, text in texts[:place])
    raise BadName("".join(text for _, text in texts), position, expected, why=why, part=part)


def _int(value: int, what: str) -> int:
    # Exactly an int: True would be written "True" and 300.0 "300.0".
    if type(value) is not int:
        raise TypeError(f"the {what} of a suffix must be an int, not {value!r}")
    return value


def _flag(value: bool, what: str) -> None:  # noqa: FBT001
    if value is not True and value is not False:
        raise TypeError(f"{what} must be True or False, not {value!r}")


def _check_size(suffix: Suffix) -> None:
    width, height = suffix.width, suffix.height
    if width is not None and not 1 <= _int(width, "width") <= SIDE_MAX:
        _refuse(suffix, "width", WIDTH_EXPECTED)
    if height is not None and not 1 <= _int(height, "height") <= SIDE_MAX:
        _refuse(suffix, "height", HEIGHT_EXPECTED)
    if suffix.fit is not Fit.INSIDE:
        if width is None:
            _refuse(suffix, "width", WIDTH_EXPECTED, why=f"{suffix.fit} needs both sides")
        if height is None:
            _refuse(suffix, "height", HEIGHT_EXPECTED, why=f"{suffix.fit} needs both sides")


def _check_page(suffix: Suffix, page: int) -> None:
    first = 1 if suffix.format in ANIMATED else 2
    if not first <= _int(page, "page") <= PAGE_MAX:
        why = f"{suffix.format} shows the first page without being told" if page == 1 else ""
        _refuse(suffix, "page", f"-page{first} to -page{PAGE_MAX}", why=why)


def _check_crop(suffix: Suffix, crop: Crop) -> None:
    if type(crop) is not Crop:
        raise TypeError(f"the crop of a suffix must be a Crop, not {crop!r}")
    if not (0 <= _int(crop.x, "crop") <= SIDE_MAX and 0 <= _int(crop.y, "crop") <= SIDE_MAX):
        _refuse(suffix, "crop", f"a crop that begins at 0 to {SIDE_MAX}")
    if not (1 <= _int(crop.width, "crop") <= SIDE_MAX and 1 <= _int(crop.height, "crop") <= SIDE_MAX):
        _refuse(suffix, "crop", f"a crop of 1 to {SIDE_MAX} pixels a side")


def _check_anchor(suffix: Suffix) -> None:
    anchor, fit = suffix.anchor, suffix.fit
    if type(anchor) is Compass:
        if fit is not Fit.COVER and fit is not Fit.PAD:
            _refuse(suffix, "anchor", "-cover", "-pad", why=f"{anchor} needs cover or pad")
        return
    if type(anchor) is Focus:
        _check_focus(suffix, anchor)
    elif type(anchor) is not Smart:
        raise TypeError(f"the anchor of a suffix must be a Compass, a Smart or a Focus, not {anchor!r}")
    if fit is not Fit.COVER:
        kind = "smart" if type(anchor) is Smart else "focus"
        expected = ("a compass point",) if fit is Fit.PAD else ("-cover",)
        _refuse(suffix, "anchor", *expected, why=f"{kind} needs cover")


def _check_focus(suffix: Suffix, focus: Focus) -> None:
    if not (0 <= _int(focus.x, "focus") <= MILLE and 0 <= _int(focus.y, "focus") <= MILLE):
        _refuse(suffix, "anchor", f"a focus from 0_0 to {MILLE}_{MILLE}")
    if focus.x in _GRID and focus.y in _GRID:
        point = compass_of(focus)
        expected = "no anchor" if point is None else f"-{point}"
        _refuse(
            suffix, "anchor", expected, why=f"focus{focus.x}_{focus.y} is {point or 'the centre, which is unspelled'}"
        )


def compass_of(focus: Focus) -> Compass | None:
    """The compass point at *focus*, whose numbers are each 0, 500 or 1000; ``None`` for the centre."""
    vertical = {0: "north", MILLE // 2: "", MILLE: "south"}[focus.y]
    horizontal = {0: "west", MILLE // 2: "", MILLE: "east"}[focus.x]
    return Compass(vertical + horizontal) if vertical or horizontal else None


def is_on_grid(focus: Focus) -> bool:
    """Whether *focus* is a compass point or the centre."""
    return focus.x in _GRID and focus.y in _GRID


def _check_turns(suffix: Suffix) -> None:
    _flag(suffix.enlarge, "enlarge")
    _flag(suffix.flip, "flip")
    if suffix.enlarge and suffix.width is None and suffix.height is None:
        _refuse(suffix, "width", WIDTH_EXPECTED, why="enlarge needs a side")
    if suffix.enlarge and suffix.fit is Fit.STRETCH:
        _refuse(suffix, "enlarge", "no -enlarge", why="stretch is exact by itself")
    if _int(suffix.rotate, "rotate") not in {0, 90, 180, 270}:
        _refuse(suffix, "rotate", "-rot90", "-rot180", "-rot270")


def _check_filters(suffix: Suffix) -> None:
    for part, value, most in (("blur", suffix.blur, BLUR_MAX), ("sharpen", suffix.sharpen, SHARPEN_MAX)):
        if value is None:
            continue
        if not 1 <= _int(value, part) <= most:
            _refuse(suffix, part, f"-{part}1 to -{part}{most}")
        if suffix.tone is Tone.BITONAL:
            _refuse(suffix, part, f"no -{part}", why=f"bitonal has nothing to {part}")


def _check_background(suffix: Suffix, background: str) -> None:
    if _COLOUR.fullmatch(background) is None:
        _refuse(suffix, "background", "-bg and six lower-case hex digits")
    if background == WHITE and suffix.format in OPAQUE:
        _refuse(suffix, "background", "no -bgffffff", why=f"{suffix.format} is on white without being told")


def _check_colours(suffix: Suffix) -> None:
    tone, profile, keep = suffix.tone, suffix.profile, suffix.keep
    for value, kind in ((tone, Tone), (profile, Profile), (keep, Keep)):
        if value is not None and type(value) is not kind:
            raise TypeError(f"a {kind.__name__} of a suffix must be one, not {value!r}")
    if profile is not None and tone is not None:
        _refuse(suffix, "profile", f"no -{profile}", why=f"{tone} has its own colours")
    if profile is not None and suffix.format in PLAIN:
        _refuse(suffix, "profile", f"no -{profile}", why=f"{suffix.format} holds no profile")
    if keep is not None and suffix.format in PLAIN:
        _refuse(suffix, "keep", f"no -{keep}", why=f"{suffix.format} holds no metadata")


def _check_quality(suffix: Suffix) -> None:
    output, quality = suffix.format, suffix.quality
    _flag(suffix.lossless, "lossless")
    if suffix.lossless and output not in LOSSLESS:
        _refuse(suffix, "lossless", "no -lossless", why="only webp, avif and jxl are told to be lossless")
    if quality is None:
        return
    default = DEFAULT_QUALITY.get(output)
    if suffix.lossless:
        _refuse(suffix, "lossless", "no -lossless", why="lossless has no quality")
    if default is None:
        _refuse(suffix, "quality", "no quality", why=f"{output} has none")
    if not 1 <= _int(quality, "quality") <= 100:  # noqa: PLR2004 -- the two ends of a percentage
        _refuse(suffix, "quality", "-q1 to -q100")
    if quality == default:
        _refuse(suffix, "quality", f"no -q{quality}", why=f"{quality} is the default of {output}, unspelled")
