"""The strict reader: canonical names to values, and nothing else.

One compiled expression accepts and the values' own constructors hold the context conditions; only a text that is
refused is looked at again, to say where and why.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from grammar.choices import Compass, Crop, Fit, Focus, Format, Keep, Profile, Smart, Tone
from grammar.errors import BadName
from grammar.expression import furthest, pattern
from grammar.names import Base, Derivative, Rung, Suffix
from grammar.strict import IDENT_LENGTH, KEY, LONGEST_SPELLING, NAME, RUNG, SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grammar.choices import Anchor
    from grammar.expression import Expression
    from grammar.names import Key, Name

_NAME = re.compile(pattern(NAME))
_SUFFIX = re.compile(pattern(SUFFIX))
_RUNG = re.compile(pattern(RUNG))

_FITS = {None: Fit.INSIDE} | {f"-{fit}": fit for fit in Fit}
_COMPASS = {f"-{point}": point for point in Compass}
_TONES = {None: None} | {f"-{tone}": tone for tone in Tone}
_PROFILES = {None: None} | {f"-{profile}": profile for profile in Profile}
_KEEPS = {None: None} | {f"-{keep}": keep for keep in Keep}
_FORMATS: dict[str | None, Format] = {f".{word}": word for word in Format}


def parse(text: str) -> Name:
    """The name that *text* is. Takes canonical names alone and raises :class:`BadName` for everything else."""
    return read_name(text) or refuse(text, NAME)


def parse_key(text: str) -> Key:
    """What a store may hold under *text*: a name or a rung. Raises :class:`BadName` for everything else."""
    if len(text) <= LONGEST_SPELLING and (found := _RUNG.fullmatch(text)) is not None:
        return Rung(found["ident"], int(found["side"]))
    return read_name(text) or refuse(text, KEY)


def parse_suffix(text: str) -> Suffix:
    """The suffix that *text* is, without its leading dash: ``300x.jpg``. Raises :class:`BadName`."""
    if len(text) <= LONGEST_SPELLING and (found := _SUFFIX.fullmatch(text)) is not None:
        return Suffix(**fields(found.groups()))
    return refuse(text, SUFFIX)


def read_name(text: str) -> Name | None:
    """The name that *text* spells; ``None`` where it spells none. Raises :class:`BadName` for a broken condition."""
    if len(text) > LONGEST_SPELLING or (found := _NAME.fullmatch(text)) is None:
        return None
    ident, *groups = found.groups()
    if groups[-1] is None:
        return Base(ident)
    try:
        return Derivative(ident, Suffix(**fields(groups)))
    except BadName as error:
        raise error.inside(text, IDENT_LENGTH + 1) from None


def fields(groups: Sequence[str | None]) -> dict[str, Any]:
    """The arguments of :class:`Suffix` for the captured *groups* of :data:`~grammar.strict.SUFFIX`."""
    (width, height, page, crop, fit, anchor, enlarge, flip, rotate) = groups[:9]
    (tone, blur, sharpen, background, profile, keep, quality, output) = groups[9:]
    return {
        "format": _FORMATS.get(output),
        "width": width and int(width),
        "height": height and int(height),
        "page": page and int(page),
        "crop": crop and Crop(*map(int, crop.split("_"))),
        "fit": _FITS[fit],
        "anchor": anchor and _anchor(anchor),
        "enlarge": enlarge is not None,
        "flip": flip is not None,
        "rotate": int(rotate or 0),
        "tone": _TONES[tone],
        "blur": blur and int(blur),
        "sharpen": sharpen and int(sharpen),
        "background": background,
        "profile": _PROFILES[profile],
        "keep": _KEEPS[keep],
        "quality": int(quality[2:]) if quality is not None and quality != "-lossless" else None,
        "lossless": quality == "-lossless",
    }


def _anchor(text: str) -> Anchor:
    if text == "-smart":
        return Smart()
    if text.startswith("-focus"):
        x, y = text.removeprefix("-focus").split("_")
        return Focus(int(x), int(y))
    return _COMPASS[text]


def refuse(text: str, expression: Expression) -> NoReturn:
    """Raise :class:`BadName` with the place where *text* leaves *expression*.

    No strict expression repeats anything without an end, so of a long text only the beginning is looked at.
    """
    missed = furthest(expression, text)
    assert missed is not None, "a text that is accepted is not refused"  # noqa: S101 -- callers tried it
    raise BadName(text, *missed)
