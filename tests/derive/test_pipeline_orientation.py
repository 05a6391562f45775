"""EXIF comes first: whatever way the camera was held, the picture stands upright and crops mean what is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageOps

from grammar.names import Compass, Crop, Fit, Focus, Format
from tests.derive.drawing import (
    BLUE,
    CORNERS,
    GREEN,
    RED,
    WRITABLE,
    YELLOW,
    corners_of,
    near,
    put,
    quarters,
    saved,
    scene,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.derive.drawing import Base

# How a picture is laid down in the file so that the tag makes it upright again.
LAID_DOWN = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
KINDS = ["JPEG", "PNG", "WEBP", "TIFF"]


def held(tmp_path: Path, upright: Image.Image, orientation: int, kind: str = "JPEG") -> Base:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = LAID_DOWN[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    body = saved(stored, kind, exif=exif, **options)
    base = put(tmp_path, body)
    # The oracle is Pillow's own idea of upright.
    assert ImageOps.exif_transpose(Image.open(base.path)).size == upright.size
    return base


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", LAID_DOWN)
def test_every_orientation_comes_out_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    base = held(tmp_path, quarters(120, 80), orientation, kind)
    assert (base.facts.width, base.facts.height) == (120, 80)
    for options in ({}, {"width": 60}, {"width": 30, "height": 30, "fit": Fit.STRETCH}):
        image = base.drawn(**options)
        assert near(corners_of(image), CORNERS)
        assert image.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("format_", WRITABLE)
def test_upright_in_every_format(tmp_path: Path, format_: Format) -> None:
    image = held(tmp_path, quarters(120, 80), 6).drawn(format_, width=90)
    assert image.size == (90, 60)
    assert near(corners_of(image), CORNERS, 40)
    assert image.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("width", [None, 12, 5])
@pytest.mark.parametrize("orientation", LAID_DOWN)
def test_a_crop_is_what_is_seen_upright(tmp_path: Path, orientation: int, width: int | None) -> None:
    upright = scene(160, 96)
    base = held(tmp_path, upright, orientation)
    for crop in (Crop(16, 8, 96, 64), Crop(17, 9, 95, 61), Crop(0, 0, 160, 95), Crop(155, 90, 5, 6)):
        box = (crop.x, crop.y, crop.x + crop.width, crop.y + crop.height)
        got = base.drawn(crop=crop, width=width)
        wanted = upright.crop(box).resize(got.size, Image.Resampling.LANCZOS)
        assert near(np.asarray(got).mean(axis=(0, 1)), np.asarray(wanted).mean(axis=(0, 1)), 3)
        assert np.abs(np.asarray(got).astype(int) - np.asarray(wanted)).mean() < 6


def test_a_crop_that_lets_the_decoder_shrink_shows_the_same_as_one_that_does_not(tmp_path: Path) -> None:
    upright = scene(1600, 1200)
    base = held(tmp_path, upright, 6)
    shrunk = base.array(crop=Crop(160, 80, 1280, 960), width=64)
    whole = base.array(crop=Crop(160, 80, 1280, 960), width=640)
    wanted = np.asarray(upright.crop((160, 80, 1440, 1040)).resize((64, 48), Image.Resampling.LANCZOS)).astype(int)
    assert whole.shape == (480, 640, 3)
    assert np.abs(shrunk - wanted).mean() < 3
    # A misplaced crop would show: one pixel of the result is 20 of the base.
    off = np.asarray(upright.crop((180, 80, 1460, 1040)).resize((64, 48), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(shrunk - off).mean() > np.abs(shrunk - wanted).mean() * 1.3


@pytest.mark.parametrize("orientation", LAID_DOWN)
def test_anchors_and_focal_points_are_of_what_is_seen(tmp_path: Path, orientation: int) -> None:
    base = held(tmp_path, quarters(120, 80), orientation)
    box = {"width": 20, "height": 20, "fit": Fit.COVER, "crop": None}
    assert near(base.array(**box, anchor=Compass.WEST)[2, 2], RED, 20)
    assert near(base.array(**box, anchor=Compass.EAST)[2, 17], GREEN, 20)
    assert near(base.array(**box, anchor=Focus(1, 500))[17, 2], BLUE, 20)
    tall = {"width": 10, "height": 40, "fit": Fit.COVER}
    assert near(base.array(**tall, anchor=Focus(999, 1))[38, 5], YELLOW, 20)


@pytest.mark.parametrize("rotate", [90, 180, 270])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("orientation", [1, 5, 6])
def test_flipping_comes_before_turning_clockwise(tmp_path: Path, *, rotate: int, flip: bool, orientation: int) -> None:
    upright = quarters(120, 80)
    wanted = ImageOps.mirror(upright) if flip else upright
    wanted = wanted.rotate(-rotate, expand=True)
    got = held(tmp_path, upright, orientation).drawn(flip=flip, rotate=rotate)
    assert got.size == wanted.size
    assert near(corners_of(got), corners_of(wanted))
