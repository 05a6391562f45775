"""Proof 4: in a small slice of all parameters there are as many names as legal sets of parameters."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import Any

from grammar import BadName, Compass, Fit, Focus, Format, Keep, Profile, Smart, Suffix, Tone, parse_suffix
from grammar.conditions import ALWAYS_LOSSLESS, ANIMATED, LOSSLESS, OPAQUE, PLAIN
from grammar.expression import Captured, Choice, Expression, OneOf, Sequence, Times, Word
from grammar.strict import KEY, LONGEST_NAME, LONGEST_SPELLING, NAME
from tests.grammar.reference import COMPASS, FORMATS, IDENT, conditions_hold, options_hold

# Each choice as text and as fields, so that names and values are counted apart.
Choices = list[tuple[str, dict[str, Any]]]
NONE: tuple[str, dict[str, Any]] = ("", {})

SIZES: Choices = [
    ("x", {}),
    ("1x", {"width": 1}),
    ("x2", {"height": 2}),
    ("1x2", {"width": 1, "height": 2}),
]
FITS: Choices = [
    NONE,
    ("cover", {"fit": Fit.COVER}),
    ("pad", {"fit": Fit.PAD}),
    ("stretch", {"fit": Fit.STRETCH}),
]
ANCHORS: Choices = [
    NONE,
    *((point.value, {"anchor": point}) for point in Compass),
    ("smart", {"anchor": Smart()}),
    *((f"focus{x}_{y}", {"anchor": Focus(x, y)}) for x, y in product([0, 1, 500, 1000], repeat=2)),
]
TURNS: Choices = [NONE, ("rot90", {"rotate": 90}), ("rot180", {"rotate": 180}), ("rot270", {"rotate": 270})]
GEOMETRY = [SIZES, FITS, ANCHORS, [NONE, ("enlarge", {"enlarge": True})], [NONE, ("flip", {"flip": True})], TURNS]

EFFECTS: list[Choices] = [
    [("x", {})],
    [NONE, ("page1", {"page": 1}), ("page2", {"page": 2})],
    [NONE, ("gray", {"tone": Tone.GRAY}), ("bitonal", {"tone": Tone.BITONAL})],
    [NONE, ("blur1", {"blur": 1})],
    [NONE, ("sharpen1", {"sharpen": 1})],
    [NONE, ("bgffffff", {"background": "ffffff"}), ("bg000000", {"background": "000000"})],
    [NONE, ("p3", {"profile": Profile.P3}), ("icc", {"profile": Profile.ICC})],
    [NONE, ("copyright", {"keep": Keep.COPYRIGHT}), ("meta", {"keep": Keep.META})],
    [NONE, ("q60", {"quality": 60}), ("q80", {"quality": 80}), ("lossless", {"lossless": True})],
]


def _names_and_values(slice_: list[Choices], output: str) -> tuple[int, int, int]:
    """The texts that are read, the values that are made, and the sets that the reference allows."""
    texts, values, legal = set(), set(), 0
    for choices in product(*slice_):
        size, *options = [text for text, _ in choices if text]
        text = "-".join([size, *options]) + f".{output}"
        legal += options_hold(size, options, output)
        fields = {name: value for _, said in choices for name, value in said.items()}
        with suppress(BadName):
            texts.add(str(parse_suffix(text)))
        with suppress(BadName):
            values.add(Suffix(format=Format(output), **fields))
    assert texts == {str(value) for value in values}
    return len(texts), len(values), legal


def test_as_many_names_as_legal_values_in_a_slice_of_the_geometry() -> None:
    counted = _names_and_values(GEOMETRY, "png")
    # With both sides: inside and stretch 3 (enlarge or not), cover 2 x (1 + 8 + 1 + 7), pad 2 x (1 + 8);
    # with one side inside twice, with none once; each in 2 x 4 turns.
    assert counted == ((3 + 34 + 18 + 2 + 2 + 1) * 8,) * 3


def test_as_many_names_as_legal_values_in_a_slice_of_the_output() -> None:
    counted = {output: _names_and_values(EFFECTS, output) for output in FORMATS}
    # tone with filters and profile: plain 4 x 3, gray 4, bitonal 1; then page, background, keep, quality.
    assert counted["jpg"] == (17 * 2 * 2 * 3 * 2,) * 3
    assert counted["png"] == counted["tif"] == (17 * 2 * 3 * 3,) * 3
    assert counted["webp"] == (17 * 3 * 3 * 3 * 3,) * 3
    assert counted["avif"] == counted["jxl"] == (17 * 2 * 3 * 3 * 3,) * 3
    assert counted["gif"] == ((4 + 4 + 1) * 3 * 3,) * 3


def test_the_finite_tables_are_those_of_the_page() -> None:
    assert {output.value for output in Format} == set(FORMATS)
    assert {point.value for point in Compass} == set(COMPASS)
    assert {Format.WEBP, Format.AVIF, Format.JXL} == LOSSLESS
    assert {Format.WEBP, Format.GIF} == ANIMATED
    assert ({Format.PNG}, {Format.JPG}, {Format.GIF}) == (ALWAYS_LOSSLESS, OPAQUE, PLAIN)


def _longest(expression: Expression) -> int:
    match expression:
        case Word(text):
            return len(text)
        case OneOf():
            return 1
        case Sequence(parts):
            return sum(map(_longest, parts))
        case Choice(parts):
            return max(map(_longest, parts))
        case Times(part, _, most):
            assert most is not None
            return _longest(part) * most
        case Captured(_, part):
            return _longest(part)


LONGEST_OF_EACH = [
    ["page9999"],
    ["crop65535_65535_65535_65535"],
    ["", "cover", "pad", "stretch"],
    ["", "northeast", "smart", "focus1000_1000", "focus1000_999"],
    ["", "enlarge"],
    ["flip"],
    ["rot270"],
    ["", "gray", "bitonal"],
    ["", "blur1000"],
    ["", "sharpen100"],
    ["bg000000"],
    ["", "icc"],
    ["", "copyright"],
    ["", "q100", "lossless"],
]


def test_the_longest_name_is_as_long_as_said() -> None:
    legal = (
        f"{IDENT}-65535x65535-{'-'.join(filter(None, options))}.{output}"
        for output in FORMATS
        for options in product(*LONGEST_OF_EACH)
    )
    longest = max((text for text in legal if conditions_hold(text)), key=len)
    assert len(longest) == LONGEST_NAME
    assert parse_suffix(longest[65:])
    assert _longest(NAME) == _longest(KEY) == LONGEST_SPELLING
