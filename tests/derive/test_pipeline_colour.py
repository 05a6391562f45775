"""Whatever numbers a base holds, what comes out looks the same; compared by tolerance, never by bytes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from derivproxy.domain.images import ColourProfile
from grammar.names import Crop, Fit, Format, Keep, Profile, Tone
from tests.derive.drawing import (
    CORNERS,
    GREEN,
    RED,
    WRITABLE,
    corners_of,
    grey_profile,
    near,
    p3_profile,
    put,
    quarters,
    saved,
    scene,
)

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = ({}, {"width": 40}, {"crop": Crop(2, 2, 76, 56)}, {"crop": Crop(2, 2, 76, 56), "width": 30})
# What a press can print: outside of that CMYK cannot give back what was put in.
PRINTABLE = ((180, 70, 70), (90, 150, 90), (80, 90, 140), (200, 190, 90))
PROFILED = [Format.JPG, Format.PNG, Format.WEBP, Format.AVIF, Format.TIF]


def vips(image: Image.Image) -> pyvips.Image:
    return pyvips.Image.new_from_array(np.asarray(image))


def in_p3(image: Image.Image) -> pyvips.Image:
    """The same colours as Display P3 numbers; made by Pillow's littlecms, not by ours."""
    srgb, p3 = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(BytesIO(p3_profile()))
    turned = ImageCms.profileToProfile(image, srgb, p3)  # type: ignore[arg-type]
    assert turned is not None
    made = vips(turned).copy()
    made.set_type(pyvips.GValue.blob_type, "icc-profile-data", p3_profile())
    return made


def seen_as_srgb(image: Image.Image) -> Image.Image:
    """What a colour-managed viewer shows."""
    profile = image.info.get("icc_profile")
    rgb = image.convert("RGB")
    if not profile:
        return rgb
    shown = ImageCms.profileToProfile(rgb, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB"))
    assert shown is not None
    return shown


@pytest.mark.parametrize("options", OPTIONS)
def test_cmyk_is_turned_to_srgb(tmp_path: Path, options: dict[str, object]) -> None:
    profiled = vips(quarters(80, 60, PRINTABLE)).icc_transform("cmyk", input_profile="srgb")
    for body in (profiled.jpegsave_buffer(keep="icc", Q=95), profiled.tiffsave_buffer(keep="icc")):
        base = put(tmp_path, body)
        image = base.drawn(**options)
        assert image.mode == "RGB"
        assert near(corners_of(image), PRINTABLE, 10)
        assert not image.info.get("icc_profile")


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("profile", [None, Profile.P3, Profile.ICC])
@pytest.mark.parametrize("keep", [None, Keep.META, Keep.COPYRIGHT])
def test_cmyk_without_a_profile_is_srgb_too_and_keeps_no_press_profile(
    tmp_path: Path, options: dict[str, object], profile: Profile | None, keep: Keep | None
) -> None:
    base = put(tmp_path, saved(quarters(80, 60).convert("CMYK"), "JPEG", quality=95))
    image = base.drawn(Format.JPG, profile=profile, keep=keep, **options)
    assert image.mode == "RGB"
    red, _, blue = corners_of(image)[0]
    assert red > 150
    assert blue < 110
    own = image.info.get("icc_profile")
    assert (b"RGB " in own[:40]) if profile is Profile.P3 else not own


@pytest.mark.parametrize("options", OPTIONS)
def test_sixteen_bits_become_eight(tmp_path: Path, options: dict[str, object]) -> None:
    colour = (vips(quarters(80, 60)).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    clear = colour.bandjoin(65535).cast("ushort").copy(interpretation="rgb16")
    for body in (colour.pngsave_buffer(), colour.tiffsave_buffer(), clear.pngsave_buffer()):
        base = put(tmp_path, body)
        assert base.facts.bits == 16
        for format_ in (Format.PNG, Format.TIF):
            assert near(corners_of(base.drawn(format_, **options)), CORNERS, 2)


@pytest.mark.parametrize("options", OPTIONS)
def test_sixteen_bit_grey_becomes_eight_bit_grey(tmp_path: Path, options: dict[str, object]) -> None:
    grey = (vips(quarters(80, 60).convert("L")).cast("ushort") * 257).cast("ushort").copy(interpretation="grey16")
    image = put(tmp_path, grey.pngsave_buffer()).drawn(**options)
    assert image.mode == "L"
    assert near(corners_of(image), corners_of(quarters(80, 60).convert("L")), 2)


@pytest.mark.parametrize("space", ["lab", "scrgb", "labs"])
def test_lab_and_linear_light_come_out_as_srgb(tmp_path: Path, space: str) -> None:
    base = put(tmp_path, vips(quarters(80, 60)).colourspace(space).tiffsave_buffer())
    for options in OPTIONS:
        assert near(corners_of(base.drawn(**options)), CORNERS, 4)


@pytest.mark.parametrize("format_", WRITABLE)
def test_grey_stays_grey_and_its_transparency_too(tmp_path: Path, format_: Format) -> None:
    grey = quarters(80, 60).convert("L")
    assert near(corners_of(put(tmp_path, saved(grey, "PNG")).drawn(format_)), corners_of(grey), 6)
    both = grey.convert("LA")
    both.putalpha(Image.linear_gradient("L").resize((80, 60)))
    base = put(tmp_path, saved(both, "PNG"))
    for options in ({}, {"width": 40}):
        shown = np.asarray(base.drawn(format_, **options).convert("RGBA")).astype(int)
        bottom = shown[-2, 4]
        assert near(bottom[:3], [grey.getpixel((4, 58))] * 3, 10)
        expected = 255 if format_ is Format.JPG else 0
        assert abs(int(shown[0, 4, 3]) - expected) < 12
        if format_ is Format.JPG:
            assert near(shown[0, 4, :3], (255, 255, 255), 12)


@pytest.mark.parametrize("format_", [Format.JPG, Format.PNG, Format.TIF])
def test_grey_takes_one_band_where_the_format_can(tmp_path: Path, format_: Format) -> None:
    assert put(tmp_path, saved(scene(30, 20), "PNG")).drawn(format_, tone=Tone.GRAY).mode == "L"


@pytest.mark.parametrize("format_", WRITABLE)
def test_a_palette_comes_out_as_its_colours(tmp_path: Path, format_: Format) -> None:
    clear = quarters(80, 60, ((*RED, 255), (*GREEN, 0), (30, 40, 210, 255), (230, 220, 40, 255)))
    base = put(tmp_path, saved(clear.quantize(8), "PNG"))
    for options in ({}, {"width": 40}):
        shown = np.asarray(base.drawn(format_, **options).convert("RGBA")).astype(int)
        assert near(shown[5, 5], (*RED, 255), 14)
        assert (shown[5, -5, 3] < 5) if format_ is not Format.JPG else near(shown[5, -5, :3], (255, 255, 255), 9)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("format_", PROFILED)
def test_p3_unspelled_is_converted_to_srgb(tmp_path: Path, format_: Format, options: dict[str, object]) -> None:
    base = put(tmp_path, in_p3(quarters(80, 60)).pngsave_buffer(keep="icc"))
    assert base.facts.profile is ColourProfile.P3
    image = base.drawn(format_, **options)
    assert not image.info.get("icc_profile")
    assert near(corners_of(image), CORNERS, 16 if format_ in (Format.JPG, Format.WEBP, Format.AVIF) else 3)


@pytest.mark.parametrize("format_", PROFILED)
@pytest.mark.parametrize("wide", [False, True])
def test_p3_spelled_says_p3_and_shows_the_same_colours(tmp_path: Path, *, format_: Format, wide: bool) -> None:
    body = in_p3(quarters(80, 60)).pngsave_buffer(keep="icc") if wide else saved(quarters(80, 60), "PNG")
    image = put(tmp_path, body).drawn(format_, profile=Profile.P3, width=40)
    assert b"P3" in image.info["icc_profile"] or b"P\x003" in image.info["icc_profile"]
    assert near(corners_of(seen_as_srgb(image)), CORNERS, 18)
    assert corners_of(image)[0][0] < 215  # the same red is a smaller number in P3


def test_p3_keeps_what_srgb_cannot_show(tmp_path: Path) -> None:
    loud = vips(Image.new("RGB", (40, 40), (255, 0, 0))).copy()
    loud.set_type(pyvips.GValue.blob_type, "icc-profile-data", p3_profile())
    base = put(tmp_path, loud.pngsave_buffer(keep="icc"))
    assert near(base.array(profile=Profile.P3)[9, 9], (255, 0, 0), 2)
    assert near(base.array()[9, 9], (255, 0, 0), 2)
    inside = base.array(profile=Profile.P3, width=30, height=20, fit=Fit.PAD, background="ff0000")
    assert near(inside[9, 1], (234, 51, 35), 2)  # an sRGB red on a P3 canvas
    assert near(inside[9, 15], (255, 0, 0), 2)


@pytest.mark.parametrize("format_", PROFILED)
def test_icc_keeps_the_numbers_and_the_profile_of_the_base(tmp_path: Path, format_: Format) -> None:
    numbers = in_p3(quarters(80, 60))
    base = put(tmp_path, numbers.pngsave_buffer(keep="icc"))
    image = base.drawn(format_, profile=Profile.ICC, width=40)
    assert image.info["icc_profile"] == p3_profile()
    assert near(corners_of(image)[0], numbers.getpoint(5, 5), 12)
    ground = base.array(Format.PNG, profile=Profile.ICC, width=90, height=60, fit=Fit.PAD, background="ff0000")
    assert near(ground[9, 1], (234, 51, 35), 2)


def test_icc_of_a_base_without_one_is_silent(tmp_path: Path) -> None:
    assert "icc_profile" not in put(tmp_path, saved(scene(20, 20), "PNG")).drawn(profile=Profile.ICC).info


def test_a_grey_profile_is_followed(tmp_path: Path) -> None:
    base = put(tmp_path, saved(Image.new("L", (20, 20), 128), "PNG", icc_profile=grey_profile()))
    # Half of linear light is 188 in sRGB.
    shown = base.drawn()
    assert shown.mode == "L"
    assert near(shown.getpixel((5, 5)), 188, 2)
    assert near(base.drawn(profile=Profile.ICC).getpixel((5, 5)), 128, 1)
    assert near(np.asarray(seen_as_srgb(base.drawn(profile=Profile.P3)))[5, 5], (188, 188, 188), 2)


@pytest.mark.parametrize("profile", [None, Profile.P3, Profile.ICC])
@pytest.mark.parametrize("broken", ["garbage", "press"])
def test_a_profile_that_cannot_be_meant_counts_as_srgb(tmp_path: Path, profile: Profile | None, broken: str) -> None:
    press = vips(scene(8, 8)).icc_transform("cmyk", input_profile="srgb").get("icc-profile-data")
    block = b"not a profile at all" * 20 if broken == "garbage" else bytes(press)
    base = put(tmp_path, saved(quarters(80, 60), "JPEG", quality=95, icc_profile=block))
    for format_ in PROFILED:
        image = base.drawn(format_, profile=profile, width=40)
        assert bool(image.info.get("icc_profile")) == (profile is Profile.P3)
        assert near(corners_of(seen_as_srgb(image)), CORNERS, 30)
    ground = base.drawn(profile=profile, width=90, height=60, fit=Fit.PAD, background="ff0000")
    assert near(np.asarray(seen_as_srgb(ground))[9, 1], (255, 0, 0), 3)


@pytest.mark.parametrize("profile", [None, Profile.P3, Profile.ICC])
def test_a_profile_beside_lab_numbers_is_not_theirs(tmp_path: Path, profile: Profile | None) -> None:
    lab = vips(quarters(80, 60)).colourspace("lab").copy()
    lab.set_type(pyvips.GValue.blob_type, "icc-profile-data", p3_profile())
    base = put(tmp_path, lab.tiffsave_buffer(keep="icc"))
    for options in OPTIONS:
        image = base.drawn(profile=profile, **options)
        assert bool(image.info.get("icc_profile")) == (profile is Profile.P3)
        assert near(corners_of(seen_as_srgb(image)), CORNERS, 4)


def test_colours_survive_a_profile_with_transparency(tmp_path: Path) -> None:
    clear = in_p3(quarters(80, 60)).bandjoin(128).copy(interpretation="srgb")
    shown = put(tmp_path, clear.pngsave_buffer(keep="icc")).array(width=40)
    assert near(shown[5, 5], (*RED, 128), 3)
