"""What people write, and the one name they mean.

The tables of this module are promises: a browser may keep the redirect that follows from a mapping for ever, so a
mapping may be added but never changed or taken back. What is not certain to mean exactly one name is refused.

A spelled default is forgiven only where its option could stand with another value (``q80`` on a jpg, never on a png),
so that forgiving never reads sense into a text that has none. The test is made with a stand-in: the suffix must be
legal with another value of the same option in the default's place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from grammar.choices import Compass, Crop, Fit, Focus, Format, Keep, Profile, Smart, Tone
from grammar.conditions import (
    ANIMATED,
    BLUR_MAX,
    DEFAULT_QUALITY,
    OPAQUE,
    SHARPEN_MAX,
    SIDE_MAX,
    compass_of,
    is_on_grid,
)
from grammar.errors import BadName
from grammar.expression import Captured, Expression, Times, choice, furthest, maybe, pattern, sequence
from grammar.names import Suffix
from grammar.strict import DIGIT, IDENT, IDENT_LENGTH, LHEX

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_FORGIVEN = 512
"""Characters of the longest text that is read with forgiveness: room for zeros and spelled defaults, and no more."""

_NUMBER = Times(DIGIT, 1, None)
_HALF = maybe(choice("east", "west"))
_POINT = choice(sequence("-north", _HALF), sequence("-south", _HALF), "-east", "-west", "-centre", "-center")
_OPTIONS: Mapping[str, Expression] = {
    "page": sequence("-page", _NUMBER),
    "crop": sequence("-crop", _NUMBER, "_", _NUMBER, "_", _NUMBER, "_", _NUMBER),
    "fit": choice("-cover", "-pad", "-stretch", "-inside"),
    "anchor": choice(_POINT, "-smart", sequence("-focus", _NUMBER, "_", _NUMBER)),
    "enlarge": choice("-enlarge"),
    "flip": choice("-flip"),
    "rotate": sequence("-rot", _NUMBER),
    "tone": choice("-gray", "-bitonal"),
    "blur": sequence("-blur", _NUMBER),
    "sharpen": sequence("-sharpen", _NUMBER),
    "background": sequence("-bg", Times(LHEX, 6, 6)),
    "profile": choice("-p3", "-icc", "-srgb"),
    "keep": choice("-copyright", "-meta"),
    "quality": choice(sequence("-q", _NUMBER), "-lossless"),
}
_SIZE = sequence(maybe(Captured("width", _NUMBER)), "x", maybe(Captured("height", _NUMBER)))
_SCALE = Captured("scale", sequence("@", _NUMBER, maybe(sequence(".", DIGIT)), "x"))
_WORDS = {"jpeg": "jpg", "tiff": "tif"}
_FORMATS = tuple(f".{word}" for word in (*Format, *_WORDS))
_ANCHORS = {"-smart": Smart(), "-centre": "centre", "-center": "centre"} | {f"-{point}": point for point in Compass}
_CHOICES = {"-enlarge": True, "-flip": True, "-srgb": "srgb"} | {
    f"-{word}": word for word in (*Fit, *Tone, *Profile, *Keep)
}


def _forgiven(*formats: str) -> Expression:
    # One of more options is there twice; an end here bounds what a refusal costs.
    options = Captured("options", Times(choice(*_OPTIONS.values()), 0, len(_OPTIONS)))
    sized = sequence("-", _SIZE, options)
    return sequence(IDENT, maybe(sequence(maybe(sized), maybe(_SCALE), Captured("format", choice(*formats)))))


FORGIVEN = _forgiven(*_FORMATS)
"""What :func:`~grammar.door.canonical` reads, in lower case."""
FORGIVEN_REQUEST = _forgiven(*_FORMATS, ".auto")
"""The same with ``.auto``."""

_EXPRESSION = re.compile(pattern(FORGIVEN_REQUEST))
_OPTION = re.compile("|".join(pattern(Captured(name, option)) for name, option in _OPTIONS.items()))
# Not str.lower(): that makes ASCII of the Kelvin sign.
LOWER = {ord(upper): ord(upper) + 32 for upper in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_DIGITS = re.compile("[0-9]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a text says before the context conditions: its parameters, and where in the text each stands.

    ``format`` is the format's canonical word, ``auto``, or empty for a base.
    """

    text: str
    ident: str
    format: str
    said: dict[str, Any]
    places: dict[str, int]

    def refuse(self, part: str, *expected: str, why: str) -> NoReturn:
        """Raise :class:`BadName` where *part* stands."""
        place = self.places["quality" if part == "lossless" else part]
        raise BadName(self.text, place, expected, why=why, part=part)


def read_draft(text: str, *, auto: bool) -> Draft:
    """Read *text* with forgiveness, with ``.auto`` among the formats where *auto* is true. Raises :class:`BadName`."""
    low = text[: LONGEST_FORGIVEN + 1].translate(LOWER)
    found = _EXPRESSION.fullmatch(low) if len(low) <= LONGEST_FORGIVEN else None
    if found is None or (found["format"] == ".auto" and not auto):
        position, expected = furthest(FORGIVEN_REQUEST if auto else FORGIVEN, low) or (len(low), ())
        if position >= LONGEST_FORGIVEN:
            position, expected = LONGEST_FORGIVEN, ("the end",)
        raise BadName(text, position, expected)
    size = IDENT_LENGTH + 1
    places = {"width": size, "height": max(size, found.end("width")) + 1, "scale": found.start("scale")}
    word = (found["format"] or ".")[1:]
    draft = Draft(text, found["ident"], _WORDS.get(word, word), {}, places)
    for side in ("width", "height"):
        draft.said[side] = int(found[side] or 0) or None
    if found["options"]:
        for option in _OPTION.finditer(low, *found.span("options")):
            _say(draft, str(option.lastgroup), option)
    if found["scale"]:
        _scale(draft, found["scale"])
    return draft


def _say(draft: Draft, part: str, option: re.Match[str]) -> None:
    again = part in draft.places
    draft.places[part] = option.start()
    if again:
        draft.refuse(part, f"no second {part}", why=f"one {part} stands before")
    if part == "quality" and option[0] == "-lossless":
        draft.said["lossless"] = True
    else:
        draft.said[part] = _value(part, option[0])


def _value(part: str, text: str) -> Any:  # noqa: ANN401 -- of as many types as a suffix has fields
    numbers = [int(digits) for digits in _DIGITS.findall(text)]
    match part:
        case "page" | "rotate" | "blur" | "sharpen" | "quality":
            return numbers[0]
        case "crop":
            return Crop(*numbers)
        case "anchor":
            return Focus(*numbers) if numbers else _ANCHORS[text]
        case "background":
            return text.removeprefix("-bg")
        case _:
            return _CHOICES[text]


def _scale(draft: Draft, text: str) -> None:
    whole, _, tenth = text[1:-1].partition(".")
    tenths = int(whole) * 10 + int(tenth or 0)
    if not 10 <= tenths <= 40:  # noqa: PLR2004 -- tenths of one and of four
        draft.refuse("scale", "a scale from @1x to @4x", why="")
    for part, most in (("width", SIDE_MAX), ("height", SIDE_MAX), ("blur", BLUR_MAX), ("sharpen", SHARPEN_MAX)):
        value = draft.said.get(part)
        # One that is wrong already is left for the conditions to name.
        if value is not None and 1 <= value <= most:
            draft.said[part] = scaled = (value * tenths + 5) // 10
            if scaled > most:
                draft.refuse("scale", "a smaller scale", why=f"the {part} would be {scaled}, and {most} is the most")


def settle(draft: Draft, output: Format) -> Suffix:
    """The suffix that *draft* means in the format *output*: spelled defaults vanish where they could have stood.

    Raises :class:`BadName` with the position in the text as it was written.
    """
    meant = dict(draft.said)
    standing = dict(draft.said)
    for part, value in draft.said.items():
        if (default := _default(part, value, output)) is not None:
            standing[part], meant[part] = default
    try:
        Suffix(format=output, **standing)
    except BadName as error:
        draft.refuse(error.part, *error.expected, why=error.why)
    return Suffix(format=output, **meant)


def _default(part: str, value: Any, output: Format) -> tuple[Any, Any] | None:  # noqa: ANN401
    """For a *value* that spells what is unspelled: a stand-in that does not, and what is meant."""
    default: tuple[Any, Any] | None = None
    match part, value:
        case "page", 1 if output not in ANIMATED:
            default = 2, None
        case "anchor", "centre":
            default = Compass.NORTH, None
        case "anchor", Focus() if is_on_grid(value):
            default = Focus(1, 1), compass_of(value)
        case "background", "ffffff" if output in OPAQUE:
            default = "000000", None
        case "profile", "srgb":
            default = Profile.P3, None
        case "quality", int() if value == DEFAULT_QUALITY.get(output):
            default = value - 1, None
    return default
