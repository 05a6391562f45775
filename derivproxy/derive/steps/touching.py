"""tone → blur → sharpen → background: what happens to the values of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grammar.names import Tone

if TYPE_CHECKING:
    import pyvips

_MIDDLE_GREY = 128
_GREY_BANDS = 2
# Where the Gaussian's tail is cut: libvips' default of 0.2 cuts so much off that a blur of 1 is one of 0.8.
_TAIL = 0.01


def toned(picture: pyvips.Image, tone: Tone) -> pyvips.Image:
    """Grey, or black and white by a threshold at middle grey. Transparency stays."""
    grey = picture.colourspace("b-w")
    if tone is Tone.GRAY:
        return grey
    black_or_white = (grey[0] >= _MIDDLE_GREY).copy(interpretation="b-w")
    return black_or_white.bandjoin(grey[1]) if grey.bands == _GREY_BANDS else black_or_white


def blurred(picture: pyvips.Image, tenths: int) -> pyvips.Image:
    """A Gaussian whose sigma is in tenths of a pixel. What is transparent lends no colour to its neighbours."""
    if not picture.hasalpha():
        return picture.gaussblur(tenths / 10, min_ampl=_TAIL)
    mixed = picture.premultiply().gaussblur(tenths / 10, min_ampl=_TAIL)
    return mixed.unpremultiply().rint().cast("uchar").copy(interpretation=picture.interpretation)


def sharpened(picture: pyvips.Image, tenths: int) -> pyvips.Image:
    """An unsharp mask of the lightness, its sigma in tenths of a pixel."""
    sharp = picture.sharpen(sigma=tenths / 10)
    return sharp if sharp.bands == picture.bands else sharp.colourspace(picture.interpretation)


def flattened(picture: pyvips.Image, colour: list[float]) -> pyvips.Image:
    """The picture on an opaque ground of this colour; a grey picture on a coloured ground is no longer grey."""
    if len(colour) > 1 and picture.bands <= _GREY_BANDS:
        picture = picture.colourspace("srgb")
    return picture.flatten(background=colour)
