"""profile: which colour space the numbers are in, and what a colour given in sRGB is there.

Colours are converted as soon as the picture is small, and only where a base has a profile that is not sRGB. What later
steps add (a background) is converted the same way, so the result is as if the profile came last, without passing
a wide gamut through a narrow one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyvips

from derivproxy.domain.images import ColourProfile
from grammar.names import Profile

if TYPE_CHECKING:
    from derivproxy.domain.images import Facts

_ICC = "icc-profile-data"
_GREY_BANDS = 2
_KEPT_AS_THEY_ARE = frozenset({"srgb", "b-w", "rgb16", "grey16"})


def has_own_profile(header: pyvips.Image) -> bool:
    """Whether the scaled pictures still are in the base's own profile: not where its numbers were CMYK or Lab."""
    # Worse than useless there: libvips 8.18 leaves the CMYK profile attached to sRGB numbers, its memory freed.
    if not header.get_typeof(_ICC) or header.interpretation not in _KEPT_AS_THEY_ARE:
        return False
    profile: bytes = header.get(_ICC)
    space = b"GRAY" if header.bands <= _GREY_BANDS else b"RGB "
    return profile[16:20] == space and profile[36:40] == b"acsp"


def embeds(header: pyvips.Image, profile: Profile | None) -> bool:
    """Whether the output carries an ICC profile. sRGB goes without saying."""
    return profile is Profile.P3 or (profile is Profile.ICC and has_own_profile(header))


def convert(picture: pyvips.Image, header: pyvips.Image, facts: Facts, profile: Profile | None) -> pyvips.Image:
    """The picture in the colour space that is wanted; a profile that does not fit its pixels counts as sRGB."""
    own = has_own_profile(header)
    match profile:
        case Profile.ICC:
            return picture
        case Profile.P3 if own:
            return picture.icc_transform("p3", embedded=True, depth=8)
        case Profile.P3:
            return picture.colourspace("srgb").icc_transform("p3", input_profile="srgb", depth=8)
        case _ if own and facts.profile is not ColourProfile.SRGB:
            grey = picture.bands <= _GREY_BANDS
            made = picture.icc_transform("srgb", embedded=True, depth=8)
            return made.colourspace("b-w") if grey else made
        case _:
            return picture


def in_space_of(colour: str, picture: pyvips.Image, header: pyvips.Image, profile: Profile | None) -> list[float]:
    """The sRGB colour ``rrggbb`` as numbers of the picture's space: one for grey, else three."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (0, 2, 4))
    if not embeds(header, profile):
        neutral = red == green == blue
        return [float(red)] if neutral and picture.bands <= _GREY_BANDS else [float(red), float(green), float(blue)]
    pixel = (
        pyvips.Image.black(1, 1)
        .bandjoin([0, 0])
        .linear(1, [red, green, blue])
        .cast("uchar")
        .copy(interpretation="srgb")
    )
    there = pixel.icc_import(input_profile="srgb", embedded=False).copy()
    there.set_type(pyvips.GValue.blob_type, _ICC, picture.get(_ICC))
    numbers: list[float] = there.icc_export(depth=8).getpoint(0, 0)
    return numbers
