"""Sizes against arithmetic written another way: on fractions, from the words of the grammar."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from derivproxy.domain.errors import CannotEncode, CropOutside, NoSuchPage, TooManyPixels
from derivproxy.domain.geometry import LONGEST_SIDE, Place, Size, output_size, permit, plan
from derivproxy.domain.images import Facts
from derivproxy.domain.limits import Limits
from grammar.names import Compass, Crop, Fit, Focus, Format, Smart, Suffix

HALF = Fraction(1, 2)
PRIMES = [2, 3, 5, 7, 13, 97, 251, 997, 4001, 7919, 65521]
sides = st.one_of(st.integers(1, 65_535), st.integers(1, 40), st.sampled_from(PRIMES))
milles = st.integers(0, 1000)
compass = st.sampled_from(list(Compass))


def facts(width: int, height: int, *, pages: int = 1, animated: bool = False) -> Facts:
    return Facts(media_type="image/x", bytes=1, md5="", width=width, height=height, pages=pages, animated=animated)


def png(**options: object) -> Suffix:
    return Suffix(format=Format.PNG, **options)  # type: ignore[arg-type]


def nearest(value: Fraction) -> int:
    return max(1, floor(value + HALF))


def inside_oracle(base: Size, width: int | None, height: int | None, *, enlarge: bool) -> Size:
    scales = [Fraction(box, side) for box, side in ((width, base.width), (height, base.height)) if box is not None]
    scale = min(scales) if scales else Fraction(1)
    if not enlarge:
        scale = min(scale, Fraction(1))
    return Size(nearest(base.width * scale), nearest(base.height * scale))


def cover_oracle(base: Size, box: Size, *, enlarge: bool) -> tuple[Size, Size]:
    scale = max(Fraction(box.width, base.width), Fraction(box.height, base.height))
    if scale > 1 and not enlarge:
        scale = min(Fraction(base.width, box.width), Fraction(base.height, box.height))
        return base, Size(nearest(box.width * scale), nearest(box.height * scale))
    return Size(nearest(base.width * scale), nearest(base.height * scale)), box


@given(wide=sides, high=sides, width=st.none() | sides, height=st.none() | sides, enlarge=st.booleans())
@example(wide=65_535, high=1, width=1, height=None, enlarge=False)
@example(wide=1, high=65_535, width=None, height=1, enlarge=True)
@example(wide=3, high=2, width=1, height=None, enlarge=False)  # 2/3 rounds up
@example(wide=4, high=2, width=1, height=None, enlarge=False)  # a half rounds up
def test_inside_is_the_largest_picture_of_the_aspect_in_the_box(
    *, wide: int, high: int, width: int | None, height: int | None, enlarge: bool
) -> None:
    assume(not enlarge or width or height)
    expected = inside_oracle(Size(wide, high), width, height, enlarge=enlarge)
    assume(max(expected.width, expected.height) <= 1_000_000)
    size = output_size(png(width=width, height=height, enlarge=enlarge), facts(wide, high))
    assert size == expected
    assert size.width <= (width or size.width)
    assert size.height <= (height or size.height)
    if not enlarge:
        assert size.width <= wide
        assert size.height <= high


@given(wide=sides, high=sides, width=sides, height=sides, enlarge=st.booleans())
@example(wide=100, high=100, width=100, height=100, enlarge=False)
@example(wide=1000, high=100, width=200, height=200, enlarge=False)
@example(wide=65_535, high=1, width=1, height=65_535, enlarge=False)
def test_cover_fills_the_box_or_shows_the_largest_area_of_its_aspect(
    *, wide: int, high: int, width: int, height: int, enlarge: bool
) -> None:
    base, box = Size(wide, high), Size(width, height)
    scaled, seen = cover_oracle(base, box, enlarge=enlarge)
    assume(max(scaled.width, scaled.height) <= 10_000_000)
    made = plan(png(width=width, height=height, fit=Fit.COVER, enlarge=enlarge), facts(wide, high))
    assert (made.scaled, made.size) == (scaled, seen)
    assert seen.width <= scaled.width
    assert seen.height <= scaled.height
    if made.window is None:
        assert scaled == seen
    else:
        assert (made.window.width, made.window.height) == (seen.width, seen.height)
        assert made.window.left == (scaled.width - seen.width) // 2
        assert made.window.top == (scaled.height - seen.height) // 2


@given(wide=sides, high=sides, width=st.integers(1, 900), height=st.integers(1, 900), x=milles, y=milles)
def test_a_focused_window_is_as_near_to_the_point_as_the_picture_allows(
    *, wide: int, high: int, width: int, height: int, x: int, y: int
) -> None:
    assume({x, y} - {0, 500, 1000})  # those are compass points
    made = plan(png(width=width, height=height, fit=Fit.COVER, anchor=Focus(x, y)), facts(wide, high))
    window = made.window
    assume(window is not None)
    assert window is not None
    for begin, side, scaled, mille in (
        (window.left, window.width, made.scaled.width, x),
        (window.top, window.height, made.scaled.height, y),
    ):
        assert 0 <= begin <= scaled - side
        ideal = Fraction(mille * scaled, 1000) - Fraction(side, 2)
        assert begin == min(max(floor(ideal), 0), scaled - side)


def test_a_focus_is_of_the_oriented_base_also_under_a_crop() -> None:
    # The point is at 600 of 1000; in the crop from 500 to 900 that is a quarter, 100 of 400 pixels.
    suffix = png(width=100, height=200, fit=Fit.COVER, anchor=Focus(600, 1), crop=Crop(500, 0, 400, 200))
    assert plan(suffix, facts(1000, 200)).window == Place(50, 0, 100, 200)


@pytest.mark.parametrize("outside", [0, 1000])
def test_a_focus_outside_the_crop_means_its_nearest_edge(outside: int) -> None:
    suffix = png(width=10, height=10, fit=Fit.COVER, anchor=Focus(outside, 1), crop=Crop(40, 0, 20, 10))
    window = plan(suffix, facts(100, 10)).window
    assert window == Place(0 if outside == 0 else 10, 0, 10, 10)


@given(sides, sides, st.integers(1, 900), st.integers(1, 900), compass)
def test_a_compass_is_the_edge_or_the_middle_of_an_edge(
    wide: int, high: int, width: int, height: int, point: Compass
) -> None:
    made = plan(png(width=width, height=height, fit=Fit.COVER, anchor=point), facts(wide, high))
    window = made.window
    assume(window is not None)
    assert window is not None
    spare_wide, spare_high = made.scaled.width - window.width, made.scaled.height - window.height
    assert window.left == (0 if "west" in point else spare_wide if "east" in point else spare_wide // 2)
    assert window.top == (0 if "north" in point else spare_high if "south" in point else spare_high // 2)


def test_smart_leaves_the_place_to_the_eye_and_keeps_the_size() -> None:
    made = plan(png(width=10, height=20, fit=Fit.COVER, anchor=Smart()), facts(100, 100))
    assert made.smart
    assert made.size == Size(10, 20)


@given(wide=sides, high=sides, width=sides, height=sides, enlarge=st.booleans(), anchor=st.none() | compass)
def test_pad_is_inside_on_a_canvas_of_the_exact_box(
    *, wide: int, high: int, width: int, height: int, enlarge: bool, anchor: Compass | None
) -> None:
    suffix = png(width=width, height=height, fit=Fit.PAD, enlarge=enlarge, anchor=anchor)
    made = plan(suffix, facts(wide, high))
    inside = inside_oracle(Size(wide, high), width, height, enlarge=enlarge)
    assert made.scaled == inside
    assert made.size == Size(width, height)
    if inside == Size(width, height):
        assert made.inset is None
        return
    assert made.canvas == Size(width, height)
    word = anchor or ""
    left = {True: 0, False: (width - inside.width) // 2}["west" in word]
    left = width - inside.width if "east" in word else left
    top = {True: 0, False: (height - inside.height) // 2}["north" in word]
    top = height - inside.height if "south" in word else top
    assert made.inset == Place(left, top, inside.width, inside.height)


@given(sides, sides, sides, sides)
def test_stretch_is_exact(wide: int, high: int, width: int, height: int) -> None:
    assert output_size(png(width=width, height=height, fit=Fit.STRETCH), facts(wide, high)) == Size(width, height)


@given(sides, sides, st.none() | st.integers(1, 5000), st.sampled_from([0, 90, 180, 270]))
def test_rotating_a_quarter_swaps_the_sides_and_comes_after_the_box(
    wide: int, high: int, width: int | None, rotate: int
) -> None:
    straight = output_size(png(width=width), facts(wide, high))
    turned = output_size(png(width=width, rotate=rotate), facts(wide, high))
    assert turned == (Size(straight.height, straight.width) if rotate % 180 else straight)


@given(st.data(), sides, sides)
def test_a_crop_inside_the_base_is_a_base_of_its_own(data: st.DataObject, wide: int, high: int) -> None:
    width, height = data.draw(st.integers(1, wide)), data.draw(st.integers(1, high))
    x, y = data.draw(st.integers(0, wide - width)), data.draw(st.integers(0, high - height))
    made = plan(png(width=50, crop=Crop(x, y, width, height)), facts(wide, high))
    assert made.size == output_size(png(width=50), facts(width, height))
    assert made.crop == (None if (width, height) == (wide, high) else Crop(x, y, width, height))


@pytest.mark.parametrize("crop", [Crop(0, 0, 101, 50), Crop(0, 0, 100, 51), Crop(1, 0, 100, 50), Crop(100, 0, 1, 1)])
def test_a_crop_that_leaves_the_base_is_refused_with_the_size_there_is(crop: Crop) -> None:
    with pytest.raises(CropOutside, match="100x50"):
        plan(png(crop=crop), facts(100, 50))


def test_a_page_that_is_not_there_is_refused_with_how_many_there_are() -> None:
    assert plan(png(page=3), facts(9, 9, pages=3)).page == 2
    with pytest.raises(NoSuchPage, match="page 4 is not there; the base has 3 pages"):
        plan(png(page=4), facts(9, 9, pages=3))
    with pytest.raises(NoSuchPage, match=r"has 1 page$"):
        plan(png(page=2), facts(9, 9))


@pytest.mark.parametrize("format_", list(Format))
def test_an_animation_stays_one_where_the_format_moves_and_no_page_is_named(format_: Format) -> None:
    moving = facts(10, 10, pages=7, animated=True)
    made = plan(Suffix(format=format_), moving)
    assert (made.page, made.frames) == ((None, 7) if format_ in (Format.GIF, Format.WEBP) else (0, 1))
    still = plan(Suffix(format=format_, page=2), moving)
    assert (still.page, still.frames) == (1, 1)
    assert plan(Suffix(format=format_), facts(10, 10, pages=7)).frames == 1  # pages of a document do not move


@pytest.mark.parametrize(
    ("format_", "most"),
    [(Format.JPG, 65_500), (Format.WEBP, 16_383), (Format.AVIF, 16_384), (Format.GIF, 65_535)],
)
@pytest.mark.parametrize("rotate", [0, 90])
def test_a_side_the_format_cannot_hold_is_refused_and_the_last_that_it_can_is_not(
    format_: Format, most: int, rotate: int
) -> None:
    assert LONGEST_SIDE[format_] == most
    assert max(vars_of(output_size(Suffix(format=format_, rotate=rotate), facts(most, 1)))) == most
    with pytest.raises(CannotEncode, match=f"{most + 1}.*{most}.*{format_}"):
        plan(Suffix(format=format_, rotate=rotate), facts(most + 1, 1))


def vars_of(size: Size) -> tuple[int, int]:
    return size.width, size.height


@pytest.mark.parametrize(("pixels", "served"), [(299, False), (300, True), (301, True)])
def test_output_pixels_count_every_frame(*, pixels: int, served: bool) -> None:
    made = plan(Suffix(format=Format.GIF), facts(10, 10, pages=3, animated=True))
    if served:
        permit(made, Limits(output_pixels=pixels))
        return
    with pytest.raises(TooManyPixels, match="10x10 x 3 frames = 300 pixels; at most 299"):
        permit(made, Limits(output_pixels=pixels))


def test_a_thread_scaled_to_fill_a_large_box_is_refused_before_it_overflows() -> None:
    with pytest.raises(TooManyPixels, match="65535000x1000"):
        plan(png(width=1000, height=1000, fit=Fit.COVER, enlarge=True), facts(65_535, 1))
