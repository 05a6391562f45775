"""Where the picture lies in its box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from grammar.names import Compass, Crop, Fit, Focus, Format, Smart, Tone
from tests.derive.drawing import BLUE, GREEN, RED, YELLOW, near, put, quarters, saved, scene

if TYPE_CHECKING:
    from pathlib import Path

    from tests.derive.drawing import Base

BAR = 10


@pytest.fixture
def ruler(tmp_path: Path) -> Base:
    """Ten bars of 10 pixels whose red says which they are: 0, 25, 50 …"""
    image = Image.new("RGB", (100, 20))
    for bar in range(10):
        image.paste((bar * 25, 60, 60), (bar * BAR, 0, (bar + 1) * BAR, 20))
    return put(tmp_path, saved(image, "PNG"))


@pytest.mark.parametrize(
    ("anchor", "first"),
    [(Compass.WEST, 0), (None, 4), (Compass.EAST, 8), (Focus(300, 500), 2), (Focus(900, 10), 8), (Compass.NORTH, 4)],
)
def test_a_cover_at_natural_size_shows_exactly_the_window(ruler: Base, anchor: object, first: int) -> None:
    shown = ruler.array(width=20, height=20, fit=Fit.COVER, anchor=anchor)
    assert shown.shape == (20, 20, 3)
    assert [shown[10, 5, 0], shown[10, 15, 0]] == [first * 25, (first + 1) * 25]


def test_a_cover_scales_before_it_cuts(ruler: Base) -> None:
    shown = ruler.array(width=10, height=10, fit=Fit.COVER, anchor=Compass.EAST)
    assert near([shown[5, 2, 0], shown[5, 7, 0]], [200, 225], 3)


def test_a_base_too_small_to_cover_shows_its_largest_area_and_enlarge_fills_the_box(ruler: Base) -> None:
    assert ruler.drawn(width=200, height=80, fit=Fit.COVER).size == (50, 20)
    assert ruler.drawn(width=200, height=80, fit=Fit.COVER, enlarge=True).size == (200, 80)


def test_smart_finds_what_draws_the_eye_where_the_centre_does_not(tmp_path: Path) -> None:
    image = Image.new("RGB", (400, 100), (128, 128, 128))
    image.paste(scene(80, 80), (310, 10))
    base = put(tmp_path, saved(image, "PNG"))
    box = {"width": 50, "height": 50, "fit": Fit.COVER}
    assert base.array(**box).std() < 2
    assert base.array(**box, anchor=Smart()).std() > 20


@pytest.mark.parametrize(
    ("anchor", "left", "top"), [(None, 15, 0), (Compass.WEST, 0, 0), (Compass.SOUTHEAST, 30, 0), (Compass.NORTH, 15, 0)]
)
def test_padding_is_clear_and_lies_where_it_should(tmp_path: Path, anchor: Compass | None, left: int, top: int) -> None:
    base = put(tmp_path, saved(quarters(60, 60), "PNG"))
    shown = base.array(width=60, height=30, fit=Fit.PAD, anchor=anchor)
    assert shown.shape == (30, 60, 4)
    clear = np.full((30, 60), 0)
    clear[top : top + 30, left : left + 30] = 255
    assert (shown[..., 3] == clear).all()
    assert near(shown[4, left + 4, :3], RED)
    assert near(shown[26, left + 26, :3], YELLOW)


def test_vertical_padding_leans_too(tmp_path: Path) -> None:
    base = put(tmp_path, saved(quarters(60, 60), "PNG"))
    tops = [
        int(np.argmax(base.array(width=20, height=41, fit=Fit.PAD, anchor=anchor)[:, 10, 3] > 0))
        for anchor in (Compass.NORTH, None, Compass.SOUTHWEST)
    ]
    assert tops == [0, 10, 21]


@pytest.mark.parametrize(
    ("format_", "clear"), [("webp", True), ("avif", True), ("tif", True), ("gif", True), ("jpg", False)]
)
def test_padding_is_white_only_where_nothing_can_be_clear(tmp_path: Path, *, format_: str, clear: bool) -> None:
    base = put(tmp_path, saved(quarters(60, 60), "PNG"))
    shown = np.asarray(base.drawn(Format(format_), width=60, height=30, fit=Fit.PAD).convert("RGBA"))
    assert shown[15, 2, 3] == (0 if clear else 255)
    if not clear:
        assert near(shown[15, 2, :3], (255, 255, 255))


@pytest.mark.parametrize("format_", ["png", "webp", "avif", "tif", "gif", "jpg"])
def test_padding_takes_the_background(tmp_path: Path, format_: str) -> None:
    base = put(tmp_path, saved(quarters(60, 60), "PNG"))
    shown = np.asarray(
        base.drawn(Format(format_), width=60, height=30, fit=Fit.PAD, background="1e8c46").convert("RGBA")
    )
    assert near(shown[15, 3], (0x1E, 0x8C, 0x46, 255), 16)
    assert near(shown[4, 24, :3], RED, 24)


def test_a_coloured_ground_keeps_its_colour_under_a_grey_picture(tmp_path: Path) -> None:
    base = put(tmp_path, saved(quarters(60, 60), "PNG"))
    shown = base.array(width=60, height=30, fit=Fit.PAD, background="ff8000", tone=Tone.GRAY)
    assert near(shown[15, 3], (255, 128, 0), 1)
    assert np.ptp(shown[5, 20]) <= 1


def test_a_stretch_takes_the_whole_picture(tmp_path: Path) -> None:
    shown = put(tmp_path, saved(quarters(60, 60), "PNG")).array(width=20, height=90, fit=Fit.STRETCH)
    assert near(shown[10, 3], RED)
    assert near(shown[10, 17], GREEN)
    assert near(shown[80, 3], BLUE)
    assert near(shown[80, 17], YELLOW)


def test_a_crop_comes_before_the_box(tmp_path: Path) -> None:
    shown = put(tmp_path, saved(quarters(60, 60), "PNG")).array(crop=Crop(30, 0, 30, 30), width=10)
    assert shown.shape == (10, 10, 3)
    assert near(shown, np.full((10, 10, 3), GREEN), 2)


def test_transparent_colours_do_not_leak_into_a_smaller_picture(tmp_path: Path) -> None:
    # Red at full strength beside a green that cannot be seen: mixed unpremultiplied the edge would turn yellowish.
    shown = put(tmp_path, saved(quarters(64, 64, ((*RED, 255), (*GREEN, 0)) * 2), "PNG")).array(width=9)
    edge = shown[4, 4]
    assert 0 < edge[3] < 255
    assert near(edge[:3], RED, 12)
