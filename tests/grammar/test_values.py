"""Names built from values: what no text can say cannot be made."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

import grammar
from grammar import (
    BadName,
    Base,
    Compass,
    Crop,
    Derivative,
    Fit,
    Focus,
    Format,
    Keep,
    Profile,
    Rung,
    Smart,
    Suffix,
    Tone,
    check,
)
from tests.grammar.reference import IDENT

BOX: dict[str, Any] = {"width": 9, "height": 9}
COVER: dict[str, Any] = {**BOX, "fit": Fit.COVER}

# fields, the part at fault, and the beginning of what stands at the fault in the would-be spelling
ILLEGAL: list[tuple[dict[str, Any], str, str]] = [
    ({"width": 0}, "width", "0x"),
    ({"width": 65536}, "width", "65536x"),
    ({"width": -1}, "width", "-1x"),
    ({"height": 0}, "height", "0.jpg"),
    ({"height": 65536}, "height", "65536.jpg"),
    ({"page": 0}, "page", "-page0"),
    ({"page": 1}, "page", "-page1"),
    ({"page": 10000}, "page", "-page10000"),
    ({"page": 10000, "format": Format.WEBP}, "page", "-page10000"),
    ({"crop": Crop(-1, 0, 1, 1)}, "crop", "-crop-1"),
    ({"crop": Crop(0, 65536, 1, 1)}, "crop", "-crop0_65536"),
    ({"crop": Crop(0, 0, 0, 1)}, "crop", "-crop0_0_0"),
    ({"crop": Crop(0, 0, 1, 65536)}, "crop", "-crop"),
    ({"fit": Fit.COVER}, "width", "x-cover"),
    ({"fit": Fit.PAD, "height": 9}, "width", "x9"),
    ({"fit": Fit.STRETCH, "width": 9}, "height", "-stretch"),
    ({**BOX, "anchor": Compass.NORTH}, "anchor", "-north"),
    ({**BOX, "fit": Fit.STRETCH, "anchor": Compass.NORTH}, "anchor", "-north"),
    ({**BOX, "anchor": Smart()}, "anchor", "-smart"),
    ({**BOX, "fit": Fit.PAD, "anchor": Smart()}, "anchor", "-smart"),
    ({**BOX, "fit": Fit.PAD, "anchor": Focus(1, 1)}, "anchor", "-focus"),
    ({**COVER, "anchor": Focus(0, 0)}, "anchor", "-focus"),
    ({**COVER, "anchor": Focus(500, 500)}, "anchor", "-focus"),
    ({**COVER, "anchor": Focus(1001, 1)}, "anchor", "-focus"),
    ({**COVER, "anchor": Focus(1, -1)}, "anchor", "-focus"),
    ({"enlarge": True}, "width", "x-enlarge"),
    ({**BOX, "fit": Fit.STRETCH, "enlarge": True}, "enlarge", "-enlarge"),
    ({"rotate": 45}, "rotate", "-rot45"),
    ({"rotate": 360}, "rotate", "-rot360"),
    ({"blur": 0}, "blur", "-blur0"),
    ({"blur": 1001}, "blur", "-blur1001"),
    ({"sharpen": 0}, "sharpen", "-sharpen0"),
    ({"sharpen": 101}, "sharpen", "-sharpen101"),
    ({"tone": Tone.BITONAL, "blur": 1}, "blur", "-blur1"),
    ({"tone": Tone.BITONAL, "sharpen": 1}, "sharpen", "-sharpen1"),
    ({"background": "FFEEDD"}, "background", "-bgFFEEDD"),
    ({"background": "fed"}, "background", "-bgfed"),
    ({"background": "ffeedd\n"}, "background", "-bgffeedd"),
    ({"background": ""}, "background", "-bg"),
    ({"background": "ffffff"}, "background", "-bgffffff"),
    ({"tone": Tone.GRAY, "profile": Profile.P3}, "profile", "-p3"),
    ({"format": Format.GIF, "profile": Profile.ICC}, "profile", "-icc"),
    ({"format": Format.GIF, "keep": Keep.META}, "keep", "-meta"),
    ({"quality": 80}, "quality", "-q80"),
    ({"format": Format.AVIF, "quality": 60}, "quality", "-q60"),
    ({"format": Format.PNG, "quality": 7}, "quality", "-q7"),
    ({"quality": 0}, "quality", "-q0"),
    ({"quality": 101}, "quality", "-q101"),
    ({"lossless": True}, "lossless", "-lossless"),
    ({"format": Format.WEBP, "lossless": True, "quality": 7}, "lossless", "-lossless"),
]


@pytest.mark.parametrize(("fields", "part", "stands"), ILLEGAL, ids=[str(fields) for fields, *_ in ILLEGAL])
def test_an_illegal_suffix_cannot_be_made(fields: dict[str, Any], part: str, stands: str) -> None:
    with pytest.raises(BadName) as refused:
        Suffix(**{"format": Format.JPG, **fields})
    assert refused.value.part == part
    assert refused.value.excerpt.startswith(stands)
    assert all(refused.value.expected)


MISTYPED: list[dict[str, Any]] = [
    {"format": "jpg"},
    {"format": None},
    {"width": True},
    {"width": 300.0},
    {"height": "300"},
    {"page": 2.0},
    {"crop": (0, 0, 1, 1)},
    {"crop": Crop(0, 0, 1.0, 1)},  # type: ignore[arg-type]
    {**BOX, "fit": "cover"},
    {**COVER, "anchor": "north"},
    {**COVER, "anchor": Focus(1.5, 1)},  # type: ignore[arg-type]
    {"width": 9, "enlarge": "yes"},
    {"flip": 1},
    {"rotate": 90.0},
    {"tone": "gray"},
    {"blur": 1.5},
    {"sharpen": True},
    {"background": 0xFFEEDD},
    {"profile": "p3"},
    {"keep": "meta"},
    {"quality": 7.0},
    {"format": Format.WEBP, "lossless": 1},
]


@pytest.mark.parametrize("fields", MISTYPED, ids=map(str, MISTYPED))
def test_a_value_of_a_wrong_type_is_said_at_once(fields: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Suffix(**{"format": Format.JPG, **fields})


def test_a_legal_suffix_cannot_be_changed_into_an_illegal_one() -> None:
    suffix = Suffix(format=Format.WEBP, page=1)
    with pytest.raises(BadName):
        replace(suffix, format=Format.JPG)
    with pytest.raises(FrozenInstanceError):
        suffix.width = 0  # type: ignore[misc]
    smuggled = copy.copy(suffix)
    object.__setattr__(smuggled, "width", 0)
    with pytest.raises(BadName):
        check(smuggled)


@pytest.mark.parametrize("ident", ["", "abc", IDENT.upper(), IDENT + "0", IDENT[:-1], IDENT[:-1] + "\n", IDENT + "\n"])
def test_what_is_no_ident_is_in_no_name(ident: str) -> None:
    for make in (Base, lambda it: Derivative(it, Suffix(format=Format.JPG)), lambda it: Rung(it, 512)):
        with pytest.raises(BadName) as refused:
            make(ident)
        assert refused.value.part == "ident"
        assert refused.value.position <= 64


def test_a_rung_has_a_side() -> None:
    assert str(Rung(IDENT, 2048)) == f"{IDENT}~2048"
    for side in (0, 65536, -1):
        with pytest.raises(BadName):
            Rung(IDENT, side)
    with pytest.raises(TypeError):
        Rung(IDENT, True)  # noqa: FBT003


SPELLINGS = {
    "x.jpg": Suffix(format=Format.JPG),
    "1024x512.jpg": Suffix(format=Format.JPG, width=1024, height=512),
    "300x200-cover-smart.webp": Suffix(format=Format.WEBP, width=300, height=200, fit=Fit.COVER, anchor=Smart()),
    "300x200-cover-focus500_333.jpg": Suffix(
        format=Format.JPG, width=300, height=200, fit=Fit.COVER, anchor=Focus(500, 333)
    ),
    "512x512-crop1024_0_512_512.jpg": Suffix(format=Format.JPG, width=512, height=512, crop=Crop(1024, 0, 512, 512)),
    "800x600-pad-bg1e1e1e.png": Suffix(format=Format.PNG, width=800, height=600, fit=Fit.PAD, background="1e1e1e"),
    "x-page3-rot90.tif": Suffix(format=Format.TIF, page=3, rotate=90),
    "400x-gray-q60.jpg": Suffix(format=Format.JPG, width=400, tone=Tone.GRAY, quality=60),
    "x9-enlarge-flip-blur1-sharpen2-icc-copyright-lossless.jxl": Suffix(
        format=Format.JXL,
        height=9,
        enlarge=True,
        flip=True,
        blur=1,
        sharpen=2,
        profile=Profile.ICC,
        keep=Keep.COPYRIGHT,
        lossless=True,
    ),
    "9x9-pad-southwest-bitonal.gif": Suffix(
        format=Format.GIF, **BOX, fit=Fit.PAD, anchor=Compass.SOUTHWEST, tone=Tone.BITONAL
    ),
}


@pytest.mark.parametrize(("text", "suffix"), SPELLINGS.items())
def test_a_suffix_is_spelled_in_the_order_of_the_pipeline(text: str, suffix: Suffix) -> None:
    assert str(suffix) == text
    assert grammar.parse_suffix(text) == suffix
    assert str(Derivative(IDENT, suffix)) == f"{IDENT}-{text}"


def test_a_format_knows_its_media_type() -> None:
    assert {output.value: output.media_type for output in Format} == {
        "jpg": "image/jpeg",
        "png": "image/png",
        "webp": "image/webp",
        "avif": "image/avif",
        "gif": "image/gif",
        "tif": "image/tiff",
        "jxl": "image/jxl",
    }


def test_all_that_is_promised_is_there() -> None:
    assert all(hasattr(grammar, name) for name in grammar.__all__)
    assert len(grammar.__all__) == len(set(grammar.__all__))
