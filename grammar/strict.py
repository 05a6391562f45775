"""The grammar of canonical names: each line of ``names.abnf`` above the expression that says the same.

The order of the options is the order of the pipeline, and the order of the captured groups is that of the fields of
:class:`~grammar.names.Suffix`.
"""

from __future__ import annotations

from grammar.expression import Captured, Expression, OneOf, Times, choice, maybe, sequence

IDENT_LENGTH = 64
LONGEST_NAME = 211
"""Characters of the longest name there is."""
LONGEST_SPELLING = 221
"""Characters of the longest text the ABNF generates: some more, which the context conditions refuse."""

DIGIT = OneOf("0123456789", "a digit")
LHEX = OneOf("0123456789abcdef", "a lower-case hex digit")


def _number(digits: int, what: str) -> Expression:
    """No leading zero: it would give one number two spellings."""
    return sequence(OneOf("123456789", what), Times(DIGIT, 0, digits - 1))


# side  = %x31-39 *4DIGIT                       ; 1..65535
# nat   = "0" / side                            ; 0..65535
# num3  = %x31-39 *2DIGIT
# num4  = %x31-39 *3DIGIT
# mille = "0" / num4                            ; 0..1000
_WIDTH = _number(5, "a width from 1 to 65535")
_HEIGHT = _number(5, "a height from 1 to 65535")
_NAT = choice("0", _number(5, "a number from 1 to 65535"))
_MILLE = choice("0", _number(4, "a number from 1 to 1000"))

# ident = 64LHEX
IDENT = Captured("ident", Times(LHEX, IDENT_LENGTH, IDENT_LENGTH))

# size = [side] %s"x" [side]
SIZE = sequence(maybe(Captured("width", _WIDTH)), "x", maybe(Captured("height", _HEIGHT)))

# compass = %s"north" [%s"east" / %s"west"] / %s"south" [%s"east" / %s"west"] / %s"east" / %s"west"
_HALF = maybe(choice("east", "west"))
_COMPASS = choice(sequence("-north", _HALF), sequence("-south", _HALF), "-east", "-west")

# page       = "-" %s"page" num4
# crop       = "-" %s"crop" nat "_" nat "_" side "_" side
# fit        = "-" ( %s"cover" / %s"pad" / %s"stretch" )
# anchor     = "-" ( compass / %s"smart" / %s"focus" mille "_" mille )
# enlarge    = "-" %s"enlarge"
# flip       = "-" %s"flip"
# rotate     = "-" %s"rot" ( "90" / "180" / "270" )
# tone       = "-" ( %s"gray" / %s"bitonal" )
# blur       = "-" %s"blur" num4
# sharpen    = "-" %s"sharpen" num3
# background = "-" %s"bg" 6LHEX
# profile    = "-" ( %s"p3" / %s"icc" )
# keep       = "-" ( %s"copyright" / %s"meta" )
# quality    = "-" ( %s"q" num3 / %s"lossless" )
OPTIONS: tuple[Expression, ...] = (
    sequence("-page", Captured("page", _number(4, "a number from 1 to 9999"))),
    sequence("-crop", Captured("crop", sequence(_NAT, "_", _NAT, "_", _WIDTH, "_", _HEIGHT))),
    Captured("fit", choice("-cover", "-pad", "-stretch")),
    Captured("anchor", choice(_COMPASS, "-smart", sequence("-focus", _MILLE, "_", _MILLE))),
    Captured("enlarge", choice("-enlarge")),
    Captured("flip", choice("-flip")),
    sequence("-rot", Captured("rotate", choice("90", "180", "270"))),
    Captured("tone", choice("-gray", "-bitonal")),
    sequence("-blur", Captured("blur", _number(4, "a number from 1 to 1000"))),
    sequence("-sharpen", Captured("sharpen", _number(3, "a number from 1 to 100"))),
    sequence("-bg", Captured("background", Times(LHEX, 6, 6))),
    Captured("profile", choice("-p3", "-icc")),
    Captured("keep", choice("-copyright", "-meta")),
    Captured("quality", choice(sequence("-q", _number(3, "a number from 1 to 100")), "-lossless")),
)

# format = %s"jpg" / %s"png" / %s"webp" / %s"avif" / %s"gif" / %s"tif" / %s"jxl"
FORMAT = Captured("format", choice(".jpg", ".png", ".webp", ".avif", ".gif", ".tif", ".jxl"))

# what stands between the dash and the format, the same for names and for requests of any format
STEM = sequence(SIZE, *map(maybe, OPTIONS))

# base       = ident                            ; the bytes as they were put in
# derivative = ident "-" size [page] … [quality] "." format
# name       = base / derivative                ; what the door knows
# rung       = ident "~" side                   ; never at the door
# key        = name / rung                      ; what a store may hold
SUFFIX = sequence(STEM, FORMAT)
NAME = sequence(IDENT, maybe(sequence("-", SUFFIX)))
_SIDE = Captured("side", _WIDTH)
RUNG = sequence(IDENT, "~", _SIDE)
KEY = sequence(IDENT, maybe(choice(sequence("-", SUFFIX), sequence("~", _SIDE))))
AUTO = sequence(IDENT, "-", STEM, ".auto")
