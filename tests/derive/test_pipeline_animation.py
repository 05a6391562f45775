"""An animation is so many pictures: every step sees each on its own, and the time between them stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from grammar.names import Compass, Crop, Fit, Focus, Format, Smart, Tone
from tests.derive.drawing import (
    BLUE,
    CORNERS,
    GREEN,
    RED,
    WRITABLE,
    YELLOW,
    frames_of,
    moving,
    near,
    opened,
    put,
    quarters,
    scene,
)
from tests.derive.drawing import corners_of as corners

if TYPE_CHECKING:
    from pathlib import Path

    from tests.derive.drawing import Base

DELAYS = [50, 100, 150, 200]
FLAT = [Image.new("RGB", (60, 40), colour) for colour in CORNERS]
MOVING = [Format.WEBP, Format.GIF]
KINDS = ["GIF", "WEBP"]
STEPS: list[dict[str, object]] = [
    {},
    {"width": 30},
    {"width": 90, "enlarge": True},
    {"crop": Crop(5, 0, 40, 40)},
    {"crop": Crop(5, 30, 40, 10), "width": 20},
    {"width": 20, "height": 20, "fit": Fit.COVER, "anchor": Compass.SOUTHEAST},
    {"width": 33, "height": 21, "fit": Fit.COVER, "anchor": Focus(1, 999)},
    {"width": 20, "height": 20, "fit": Fit.COVER, "anchor": Smart()},
    {"width": 17, "height": 71, "fit": Fit.STRETCH},
    {"rotate": 90},
    {"rotate": 180, "flip": True},
    {"rotate": 270, "width": 31},
    {"blur": 100},
    {"sharpen": 50},
    {"width": 31, "blur": 30, "sharpen": 10, "rotate": 90},
]


def flat(tmp_path: Path, kind: str) -> Base:
    return put(tmp_path, moving(kind, FLAT, DELAYS, loop=3))


@pytest.mark.parametrize("options", STEPS)
@pytest.mark.parametrize("format_", MOVING)
@pytest.mark.parametrize("kind", KINDS)
def test_no_frame_bleeds_into_its_neighbours(
    tmp_path: Path, kind: str, format_: Format, options: dict[str, object]
) -> None:
    frames = frames_of(flat(tmp_path, kind).drawn(format_, **options))
    assert len(frames) == 4
    for frame, colour in zip(frames, CORNERS, strict=True):
        # Each frame is of one colour: a single pixel of another came from elsewhere.
        assert near(np.asarray(frame), np.full((frame.height, frame.width, 4), (*colour, 255)), 14)


@pytest.mark.parametrize("format_", MOVING)
@pytest.mark.parametrize("kind", KINDS)
def test_delays_and_loops_stay(tmp_path: Path, kind: str, format_: Format) -> None:
    base = flat(tmp_path, kind)
    assert base.facts.animated
    for options in ({}, {"width": 20, "rotate": 90}, {"tone": Tone.GRAY}):
        image = base.drawn(format_, **options)
        shown = []
        for frame in range(4):
            image.seek(frame)
            image.load()
            shown.append(image.info["duration"])
        assert shown == DELAYS
        # A GIF counts the repeats after the first time, a WebP all of them.
        times = image.info["loop"] + (1 if format_ is Format.GIF else 0)
        assert times == (4 if kind == "GIF" else 3)


@pytest.mark.parametrize("format_", MOVING)
@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_cropped_turned_and_padded_like_stills(tmp_path: Path, kind: str, format_: Format) -> None:
    turning = [quarters(60, 40, CORNERS[at:] + CORNERS[:at]) for at in range(4)]
    base = put(tmp_path, moving(kind, turning, DELAYS))
    for options in (
        {"crop": Crop(10, 10, 40, 20)},
        {"crop": Crop(20, 10, 20, 20), "width": 14},
        {"rotate": 90, "flip": True},
        {"width": 20, "height": 20, "fit": Fit.COVER},
        {"width": 50, "height": 50, "fit": Fit.STRETCH},
    ):
        frames = frames_of(base.drawn(format_, **options))
        for frame, still in zip(frames, turning, strict=True):
            body = put(tmp_path, _png(still), "still").drawn(Format.PNG, **options)
            assert near(corners(frame), corners(body), 40)


def _png(image: Image.Image) -> bytes:
    from tests.derive.drawing import saved  # noqa: PLC0415

    return saved(image, "PNG")


@pytest.mark.parametrize("format_", MOVING)
@pytest.mark.parametrize("kind", KINDS)
def test_padding_of_every_frame_is_clear_or_of_the_background(tmp_path: Path, kind: str, format_: Format) -> None:
    base = flat(tmp_path, kind)
    for ground, wanted in ((None, 0), ("1e8c46", 255)):
        frames = frames_of(base.drawn(format_, width=60, height=60, fit=Fit.PAD, background=ground))
        assert len(frames) == 4
        for frame, colour in zip(frames, CORNERS, strict=True):
            assert frame.size == (60, 60)
            assert {frame.getpixel((30, 1))[3], frame.getpixel((30, 58))[3]} == {wanted}  # type: ignore[index]
            assert near(frame.getpixel((30, 30)), (*colour, 255), 12)
            if ground:
                assert near(frame.getpixel((30, 4)), (0x1E, 0x8C, 0x46, 255), 12)


@pytest.mark.parametrize("format_", MOVING)
@pytest.mark.parametrize("tone", list(Tone))
def test_tones_reach_every_frame(tmp_path: Path, format_: Format, tone: Tone) -> None:
    frames = frames_of(flat(tmp_path, "WEBP").drawn(format_, tone=tone))
    for frame in frames:
        red, green, blue, _ = frame.getpixel((30, 20))  # type: ignore[misc]
        assert max(red, green, blue) - min(red, green, blue) < 6
        if tone is Tone.BITONAL:
            assert red < 6 or red > 249


@pytest.mark.parametrize("format_", WRITABLE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_a_still_of_that_frame_and_formats_that_do_not_move_take_the_first(
    tmp_path: Path, kind: str, format_: Format
) -> None:
    base = flat(tmp_path, kind)
    for page, colour in ((1, RED), (2, GREEN), (3, BLUE), (4, YELLOW)):
        if page == 1 and format_ not in MOVING:
            continue
        for options in ({}, {"width": 20}, {"crop": Crop(1, 1, 20, 20), "width": 10}):
            made = base.derive(format_, page=page, **options)
            image = opened(made.body)
            assert (made.pages, getattr(image, "n_frames", 1)) == (1, 1)
            assert near(corners(image), [colour] * 4, 14)
    if format_ not in MOVING:
        made = base.derive(format_)
        assert (made.pages, made.height) == (1, 40)
        assert near(corners(opened(made.body)), [RED] * 4, 14)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_the_very_frame_that_moves(tmp_path: Path, kind: str) -> None:
    turning = [scene(61, 47, seed) for seed in range(3)]
    base = put(tmp_path, moving(kind, turning, [50, 60, 70]))
    frames = frames_of(base.drawn(Format.WEBP, width=19, lossless=True))
    for page, frame in enumerate(frames, start=1):
        still = base.drawn(Format.WEBP, width=19, lossless=True, page=page).convert("RGBA")
        assert (np.asarray(still) == np.asarray(frame)).all()


def test_a_frame_shows_what_earlier_frames_left_standing(tmp_path: Path) -> None:
    # Written with disposal 1, later frames of this GIF hold only what changed.
    ground = quarters(60, 40)
    second = ground.copy()
    second.paste((0, 0, 0), (50, 30, 60, 40))
    out = tmp_path / "partial.gif"
    ground.save(out, save_all=True, append_images=[second], duration=80, disposal=1)
    base = put(tmp_path, out.read_bytes())
    image = base.drawn(page=2, width=30)
    assert near(corners(image)[:3], CORNERS[:3], 10)
    assert near(image.convert("RGB").getpixel((28, 18)), (0, 0, 0), 10)


def test_transparent_frames_stay_transparent(tmp_path: Path) -> None:
    frames = []
    for at in range(3):
        frame = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
        frame.paste((*CORNERS[at], 255), (10 + 10 * at, 10, 30 + 10 * at, 30))
        frames.append(frame)
    for kind in KINDS:
        base = put(tmp_path, moving(kind, frames, [50, 60, 70]))
        for format_ in MOVING:
            shown = frames_of(base.drawn(format_, width=30))
            for at, frame in enumerate(shown):
                assert frame.getpixel((2, 2))[3] == 0  # type: ignore[index]
                assert near(frame.getpixel((9 + 5 * at, 10)), (*CORNERS[at], 255), 24)


def test_many_frames_are_read_once_and_in_order(tmp_path: Path) -> None:
    frames = [Image.new("L", (40, 30), at * 2) for at in range(120)]
    base = put(tmp_path, moving("GIF", frames, [20] * 120))
    shown = frames_of(base.drawn(Format.WEBP, width=20, rotate=90, lossless=True))
    assert [near(frame.getpixel((3, 3))[:3], [at * 2] * 3, 3) for at, frame in enumerate(shown)] == [True] * 120  # type: ignore[index]
