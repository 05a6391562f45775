"""What is forgiven, to what it is mapped, and what is not forgiven."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammar import BadName, Base, Derivative, Respelled, admit, canonical, canonical_request, parse, parse_auto
from tests.grammar.reference import IDENT

FORGIVEN = {
    # capitals
    "-300X.JPG": "-300x.jpg",
    "-300x-Gray.Webp": "-300x-gray.webp",
    "-8x6-pad-bgFFEEDD.png": "-8x6-pad-bgffeedd.png",
    # other words for a format, and no size at all
    "-300x.jpeg": "-300x.jpg",
    "-300x.TIFF": "-300x.tif",
    ".webp": "-x.webp",
    ".jpeg": "-x.jpg",
    # order
    "-x-q7-gray.jpg": "-x-gray-q7.jpg",
    "-8x6-q7-smart-lossless.webp": None,
    "-8x6-lossless-enlarge-smart-cover.webp": "-8x6-cover-smart-enlarge-lossless.webp",
    "-x-meta-p3-bg000000-sharpen1-blur2-rot90-flip-crop1_2_3_4-page5.avif": (
        "-x-page5-crop1_2_3_4-flip-rot90-blur2-sharpen1-bg000000-p3-meta.avif"
    ),
    # leading zeros, and 0 for an open side
    "-0300x.jpg": "-300x.jpg",
    "-300x0.jpg": "-300x.jpg",
    "-0x300.jpg": "-x300.jpg",
    "-0x0.jpg": "-x.jpg",
    "-000x00.jpg": "-x.jpg",
    "-x-q007.jpg": "-x-q7.jpg",
    "-x-page03-crop00_01_002_0003-rot090-blur04-sharpen05.jpg": "-x-page3-crop0_1_2_3-rot90-blur4-sharpen5.jpg",
    "-9x9-cover-focus007_0500.jpg": "-9x9-cover-focus7_500.jpg",
    "-" + "0" * 300 + "7x.jpg": "-7x.jpg",
    # spelled defaults
    "-300x-inside.jpg": "-300x.jpg",
    "-x-inside.jpg": "-x.jpg",
    "-9x9-cover-centre.jpg": "-9x9-cover.jpg",
    "-9x9-cover-center.jpg": "-9x9-cover.jpg",
    "-9x9-pad-centre.jpg": "-9x9-pad.jpg",
    "-9x9-cover-focus500_500.jpg": "-9x9-cover.jpg",
    "-9x9-cover-focus0_0.jpg": "-9x9-cover-northwest.jpg",
    "-9x9-cover-focus500_0.jpg": "-9x9-cover-north.jpg",
    "-9x9-cover-focus1000_0.jpg": "-9x9-cover-northeast.jpg",
    "-9x9-cover-focus0_500.jpg": "-9x9-cover-west.jpg",
    "-9x9-cover-focus1000_500.jpg": "-9x9-cover-east.jpg",
    "-9x9-cover-focus0_1000.jpg": "-9x9-cover-southwest.jpg",
    "-9x9-cover-focus500_1000.jpg": "-9x9-cover-south.jpg",
    "-9x9-cover-focus1000_1000.jpg": "-9x9-cover-southeast.jpg",
    "-x-rot0.jpg": "-x.jpg",
    "-x-srgb.jpg": "-x.jpg",
    "-x-q80.jpg": "-x.jpg",
    "-x-q80.webp": "-x.webp",
    "-x-q60.avif": "-x.avif",
    "-x-q80.jxl": "-x.jxl",
    "-x-page1.jpg": "-x.jpg",
    "-x-page1.png": "-x.png",
    "-x-page1.avif": "-x.avif",
    "-x-page1.tif": "-x.tif",
    "-x-page1.jxl": "-x.jxl",
    "-x-bgffffff.jpg": "-x.jpg",
    "-x-bgFFFFFF.jpeg": "-x.jpg",
    # scales: sides, blur and sharpen, halves up; a crop is in pixels of the base
    "-300x200@2x.jpg": "-600x400.jpg",
    "-300x@1.5x.jpg": "-450x.jpg",
    "-3x5@1.5x.jpg": "-5x8.jpg",
    "-1x@1.4x.jpg": "-1x.jpg",
    "-1x@1.5x.jpg": "-2x.jpg",
    "-333x@1.1x.jpg": "-366x.jpg",
    "-335x@1.1x.jpg": "-369x.jpg",
    "-300x@1x.jpg": "-300x.jpg",
    "-300x@1.0x.jpg": "-300x.jpg",
    "-300x@4.0x.jpg": "-1200x.jpg",
    "-300x@4X.jpg": "-1200x.jpg",
    "-300x@02x.jpg": "-600x.jpg",
    "-x@3x.jpg": "-x.jpg",
    "@2x.webp": "-x.webp",
    "-30x-crop1_2_30_40-blur5-sharpen3@1.5x.jpg": "-45x-crop1_2_30_40-blur8-sharpen5.jpg",
    "-16383x@4x.tif": "-65532x.tif",
    # all at once
    "-0200X100-Q060-CENTER-COVER@1.5X.AVIF": "-300x150-cover.avif",
}


@pytest.mark.parametrize(("written", "meant"), [pair for pair in FORGIVEN.items() if pair[1]])
def test_is_forgiven(written: str, meant: str) -> None:
    assert canonical(IDENT + written) == IDENT + meant
    assert canonical(IDENT.upper() + written) == IDENT + meant
    assert admit(IDENT + written) == Respelled(IDENT + meant)
    assert isinstance(parse(IDENT + meant), Derivative)


def test_an_ident_in_capitals_is_its_base() -> None:
    assert canonical(IDENT.upper()) == IDENT
    assert admit(IDENT.upper()) == Respelled(IDENT)


REFUSED = [
    # said twice, or two of one kind
    "-x-gray-gray.jpg",
    "-x-gray-bitonal.jpg",
    "-9x9-cover-pad.jpg",
    "-9x9-cover-inside.jpg",
    "-9x9-inside-inside.jpg",
    "-9x9-cover-centre-north.jpg",
    "-9x9-cover-centre-center.jpg",
    "-x-q7-q7.jpg",
    "-x-q7-lossless.webp",
    "-x-q80-lossless.webp",
    "-x-rot0-rot90.jpg",
    "-x-srgb-p3.jpg",
    "-x-flip-flip.jpg",
    "-300x@2x@2x.jpg",
    # a default where its option cannot stand
    "-x-q80.png",
    "-x-q60.gif",
    "-x-lossless.png",
    "-x-lossless.jpg",
    "-x-centre.jpg",
    "-9x9-centre.jpg",
    "-9x9-stretch-centre.jpg",
    "-9x9-inside-north.jpg",
    "-9x9-focus500_500.jpg",
    "-9x9-pad-focus500_500.jpg",
    "-9x9-pad-focus0_0.jpg",
    "-x-srgb.gif",
    "-x-gray-srgb.jpg",
    # zeros that are not open sides, and numbers out of range
    "-x-q0.jpg",
    "-x-q101.jpg",
    "-x-page0.jpg",
    "-x-page10000.jpg",
    "-x-blur0.jpg",
    "-x-blur1001.jpg",
    "-x-sharpen0.jpg",
    "-x-crop0_0_0_9.jpg",
    "-x-crop0_0_9_65536.jpg",
    "-65536x.jpg",
    "-x-rot45.jpg",
    "-x-rot360.jpg",
    "-9x9-cover-focus1001_1.jpg",
    # scales
    "-300x@0x.jpg",
    "-300x@0.5x.jpg",
    "-300x@4.1x.jpg",
    "-300x@5x.jpg",
    "-300x@2.25x.jpg",
    "-300x@2.x.jpg",
    "-300x@.5x.jpg",
    "-300x@2.jpg",
    "-300x.jpg@2x",
    "-300x@2x-gray.jpg",
    "-16384x@4x.tif",
    "-x-blur501@2x.jpg",
    "-x-sharpen67@1.5x.jpg",
    # no size, a size in another place, no format, other words
    "-q7.jpg",
    "-gray-300x.jpg",
    "-.jpg",
    "-300x",
    "-300x.",
    "-300x.jpe",
    "-300x.heic",
    "-300x.auto",
    ".auto",
    "-300x200-grey.jpg",
    "-300.jpg",
    "-300*200.jpg",
    "-x-bgfff.jpg",
    "-x--gray.jpg",
    "-x-gray-.jpg",
    "--x.jpg",
    "~512",
    "~0512",
]


@pytest.mark.parametrize("written", REFUSED)
def test_is_not_forgiven(written: str) -> None:
    with pytest.raises(BadName) as refused:
        canonical(IDENT + written)
    # The position is of the text as written, behind the ident, which is right.
    assert 64 <= refused.value.position <= 64 + len(written)
    assert refused.value.excerpt == (IDENT + written)[refused.value.position :][:24]


@pytest.mark.parametrize("written", REFUSED[:13])
def test_what_is_said_twice_is_refused_where_it_is_said_again(written: str) -> None:
    with pytest.raises(BadName) as refused:
        canonical(IDENT + written)
    assert refused.value.position > 64 + written.index("-", 1)


@given(st.integers(1, 65535), st.integers(10, 40))
def test_a_scale_rounds_halves_up_and_exactly(side: int, tenths: int) -> None:
    written = f"{IDENT}-{side}x@{tenths // 10}.{tenths % 10}x.png"
    # The nearest whole number, and of two equally near ones the larger.
    wanted = max(range(side * tenths // 10, side * tenths // 10 + 2), key=lambda n: (-abs(10 * n - side * tenths), n))
    if wanted > 65535:
        with pytest.raises(BadName):
            canonical(written)
    else:
        assert canonical(written) == f"{IDENT}-{wanted}x.png"


REQUESTS = {
    "-300X.AUTO": "-300x.auto",
    ".auto": "-x.auto",
    "-300x@2x.auto": "-600x.auto",
    "-x-q7-gray.auto": "-x-gray-q7.auto",
    "-9x9-cover-centre-srgb-rot0.auto": "-9x9-cover.auto",
    # what is a default of some formats only must be said
    "-x-q80.auto": "-x-q80.auto",
    "-x-q060.auto": "-x-q60.auto",
    "-x-page01.auto": "-x-page1.auto",
    "-x-bgFFFFFF.auto": "-x-bgffffff.auto",
}


@pytest.mark.parametrize(("written", "meant"), REQUESTS.items())
def test_a_request_has_one_spelling_too(written: str, meant: str) -> None:
    assert canonical_request(IDENT + written) == IDENT + meant
    assert admit(IDENT + meant) == parse_auto(IDENT + meant)
    if written != meant:
        assert admit(IDENT + written) == Respelled(IDENT + meant)
    with pytest.raises(BadName):
        canonical(IDENT + written)


@pytest.mark.parametrize(
    "written", ["-300x-cover.auto", "-x-q101.auto", "-x-gray-p3.auto", "-x-q7-lossless.auto", "~9.auto"]
)
def test_a_request_keeps_the_conditions_that_no_format_lifts(written: str) -> None:
    for read in (admit, parse_auto, canonical_request):
        with pytest.raises(BadName) as refused:
            read(IDENT + written)
        assert 64 <= refused.value.position < 64 + len(written)


def test_the_door_gives_canonical_names_as_values() -> None:
    assert admit(IDENT) == Base(IDENT)
    assert admit(f"{IDENT}-300x.jpg") == parse(f"{IDENT}-300x.jpg")
