"""What comes out has the size that was predicted, by another library's eyes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from derivproxy.derive.pipeline import make
from derivproxy.domain.errors import CannotEncode, CropOutside, NoSuchPage, TooManyPixels
from derivproxy.domain.geometry import Size, output_size
from derivproxy.domain.limits import Limits
from grammar.names import Compass, Crop, Fit, Focus, Format, Smart, Suffix
from tests.derive.drawing import WRITABLE, moving, opened, put, saved, scene

if TYPE_CHECKING:
    from pathlib import Path

RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SIDES = st.one_of(st.integers(1, 90), st.sampled_from([1, 2, 3, 97, 251, 499]))
ORIENTATIONS = st.integers(1, 8)


def check(tmp_path: Path, image: Image.Image, kind: str, orientation: int, suffix: Suffix) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    base = put(tmp_path, saved(image, kind, exif=exif))
    made = make(base.source, base.facts, suffix, Limits())
    predicted = output_size(suffix, base.facts)
    assert Size(made.width, made.height) == predicted
    assert opened(made.body).size == (predicted.width, predicted.height)


@RELAXED
@given(data=st.data(), wide=SIDES, high=SIDES, orientation=ORIENTATIONS, kind=st.sampled_from(["JPEG", "PNG", "WEBP"]))
def test_any_box_on_any_base_has_the_predicted_size(
    tmp_path: Path, *, data: st.DataObject, wide: int, high: int, orientation: int, kind: str
) -> None:
    box = st.none() | st.integers(1, 120)
    width, height = data.draw(box), data.draw(box)
    fit = data.draw(st.sampled_from(Fit)) if width and height else Fit.INSIDE
    anchors = st.sampled_from([None, Smart(), Focus(333, 667), Compass.SOUTHEAST])
    suffix = Suffix(
        format=data.draw(st.sampled_from([Format.JPG, Format.PNG, Format.WEBP, Format.GIF, Format.TIF])),
        width=width,
        height=height,
        fit=fit,
        anchor=data.draw(anchors) if fit is Fit.COVER else None,
        enlarge=data.draw(st.booleans()) and fit is not Fit.STRETCH and bool(width or height),
        rotate=data.draw(st.sampled_from([0, 90, 180, 270])),
        flip=data.draw(st.booleans()),
    )
    check(tmp_path, Image.new("RGB", (wide, high), (10, 90, 200)), kind, orientation, suffix)


@RELAXED
@given(st.data(), st.integers(1, 400), st.integers(1, 400), ORIENTATIONS)
def test_any_crop_has_the_predicted_size(
    tmp_path: Path, data: st.DataObject, wide: int, high: int, orientation: int
) -> None:
    upright = (high, wide) if orientation >= 5 else (wide, high)
    width, height = data.draw(st.integers(1, upright[0])), data.draw(st.integers(1, upright[1]))
    x, y = data.draw(st.integers(0, upright[0] - width)), data.draw(st.integers(0, upright[1] - height))
    suffix = Suffix(format=Format.PNG, crop=Crop(x, y, width, height), width=data.draw(st.none() | st.integers(1, 99)))
    check(tmp_path, Image.new("RGB", (wide, high), (10, 90, 200)), "JPEG", orientation, suffix)


@pytest.mark.parametrize("format_", WRITABLE)
@pytest.mark.parametrize("size", [(1, 1), (1, 997), (997, 1), (4001, 3), (2, 3), (61, 59)])
@pytest.mark.parametrize("width", [None, 1, 7, 400])
def test_tiny_and_panoramic_bases_in_every_format(
    tmp_path: Path, format_: Format, size: tuple[int, int], width: int | None
) -> None:
    base = put(tmp_path, saved(Image.new("RGB", size, (200, 30, 30)), "PNG"))
    predicted = output_size(Suffix(format=format_, width=width), base.facts)
    assert base.drawn(format_, width=width).size == (predicted.width, predicted.height)


@pytest.mark.parametrize("width", [1, 100, 333, 499, 500, 501, 999, 1000, 1001, 2003])
@pytest.mark.parametrize("quality_of_shrinking", [(4001, 3001), (4000, 3000), (1999, 4003)])
def test_shrinking_inside_the_decoder_keeps_the_size_exact(
    tmp_path: Path, width: int, quality_of_shrinking: tuple[int, int]
) -> None:
    base = put(tmp_path, saved(Image.new("RGB", quality_of_shrinking, (9, 99, 199)), "JPEG"))
    predicted = output_size(Suffix(format=Format.JPG, width=width), base.facts)
    assert base.drawn(Format.JPG, width=width).size == (predicted.width, predicted.height)


@pytest.mark.parametrize("format_", [Format.WEBP, Format.GIF])
@pytest.mark.parametrize("kind", ["WEBP", "GIF"])
def test_each_frame_has_the_predicted_size(tmp_path: Path, format_: Format, kind: str) -> None:
    base = put(tmp_path, moving(kind, [scene(37, 53, seed) for seed in range(3)], [40, 50, 60]))
    made = base.derive(format_, width=20, height=31, fit=Fit.COVER, rotate=90)
    image = opened(made.body)
    assert (made.width, made.height, made.pages) == (31, 20, 3)
    assert (image.size, image.n_frames) == ((31, 20), 3)  # type: ignore[attr-defined]


def test_a_page_of_another_size_is_made_from_its_own(tmp_path: Path) -> None:
    pages = [scene(90, 60), scene(40, 70), scene(33, 21)]
    base = put(tmp_path, saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert base.drawn(page=2).size == (40, 70)
    assert base.drawn(page=3, width=11).size == (11, 7)
    with pytest.raises(CropOutside, match="40x70"):
        base.derive(page=2, crop=Crop(0, 0, 90, 60))
    with pytest.raises(NoSuchPage, match="3 pages"):
        base.derive(page=4)


def test_a_page_with_more_pixels_than_the_first_is_held_to_the_limits_too(tmp_path: Path) -> None:
    base = put(tmp_path, saved(scene(9, 6), "TIFF", save_all=True, append_images=[scene(100, 50)]))
    suffix = Suffix(format=Format.PNG, page=2)
    assert make(base.source, base.facts, suffix, Limits(pixels=5000, output_pixels=5000)).width == 100
    with pytest.raises(TooManyPixels, match="page 2 has 100x50"):
        make(base.source, base.facts, suffix, Limits(pixels=4999))
    with pytest.raises(TooManyPixels, match="100x50 = 5000 pixels; at most 4999"):
        make(base.source, base.facts, suffix, Limits(output_pixels=4999))


@pytest.mark.parametrize(("format_", "most"), [(Format.JPG, 65_500), (Format.WEBP, 16_383), (Format.GIF, 65_535)])
def test_the_longest_side_of_a_format_is_really_written(tmp_path: Path, format_: Format, most: int) -> None:
    base = put(tmp_path, saved(Image.new("L", (1, 1), 99), "PNG"))
    assert base.drawn(format_, width=most, height=1, fit=Fit.STRETCH).size == (most, 1)
    if most < 65_535:
        with pytest.raises(CannotEncode, match=str(most)):
            base.derive(format_, width=most + 1, height=1, fit=Fit.STRETCH)


def test_the_longest_side_of_avif_is_really_written(tmp_path: Path) -> None:
    base = put(tmp_path, saved(Image.new("L", (1, 1), 99), "PNG"))
    body = base.derive(Format.AVIF, width=16_384, height=1, fit=Fit.STRETCH).body
    assert Image.open(io.BytesIO(body)).size == (16_384, 1)
