"""Every option of the grammar on every format this libvips writes: it works, and it changes what comes out."""

from __future__ import annotations

import io
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from derivproxy.derive.pipeline import make
from derivproxy.domain.errors import CannotEncode, Undecodable
from derivproxy.domain.geometry import output_size
from derivproxy.domain.limits import Limits
from grammar.errors import BadName
from grammar.names import Anchor, Compass, Crop, Fit, Focus, Format, Keep, Profile, Smart, Suffix, Tone
from tests.derive.drawing import WRITABLE, Base, moving, near, opened, p3_profile, put, saved, scene

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BOX = {"width": 40, "height": 40}
COVER = {**BOX, "fit": Fit.COVER}
PAD = {**BOX, "fit": Fit.PAD}
ANCHORS: list[Anchor] = [*Compass, Smart(), Focus(333, 667)]

# What an option is compared with, and the option.
CHANGES: list[tuple[dict[str, object], dict[str, object]]] = [
    ({}, {"width": 40}),
    ({}, {"height": 40}),
    ({}, {"page": 2}),
    ({}, {"page": 3}),
    ({}, {"crop": Crop(10, 20, 50, 40)}),
    (BOX, {"fit": Fit.COVER}),
    (BOX, {"fit": Fit.PAD}),
    (BOX, {"fit": Fit.STRETCH}),
    *((COVER, {"anchor": anchor}) for anchor in ANCHORS if anchor not in (Compass.NORTH, Compass.SOUTH)),
    *(
        ({**COVER, "height": 10}, {"anchor": anchor})
        for anchor in ANCHORS
        if anchor not in (Compass.EAST, Compass.WEST)
    ),
    *((PAD, {"anchor": point}) for point in (Compass.NORTH, Compass.SOUTH)),
    *(({"width": 40, "height": 20, "fit": Fit.PAD}, {"anchor": point}) for point in (Compass.EAST, Compass.WEST)),
    ({"width": 200}, {"enlarge": True}),
    ({}, {"flip": True}),
    *(({}, {"rotate": angle}) for angle in (90, 180, 270)),
    *(({}, {"tone": tone}) for tone in Tone),
    ({}, {"blur": 7}),
    ({}, {"blur": 1000}),
    ({}, {"sharpen": 10}),
    ({}, {"sharpen": 100}),
    (PAD, {"background": "1e8c46"}),
    ({}, {"background": "102030"}),
    *(({}, {"profile": profile}) for profile in Profile),
    *(({}, {"keep": keep}) for keep in Keep),
    ({}, {"quality": 1}),
    ({}, {"quality": 35}),
    ({}, {"quality": 100}),
    ({}, {"lossless": True}),
]
_CASES = [(format_, before, option) for format_ in WRITABLE for before, option in CHANGES]


def legal(format_: Format, **options: object) -> bool:
    try:
        Suffix(format=format_, **options)  # type: ignore[arg-type]
    except BadName:
        return False
    return True


CASES = [(f, before, option) for f, before, option in _CASES if legal(f, **before) and legal(f, **before, **option)]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Base]:
    """A clear photo in P3 that names its maker, and an animation."""
    folder = tmp_path_factory.mktemp("bases")
    photo = scene(97, 71).convert("RGBA")
    photo.putalpha(Image.linear_gradient("L").resize((97, 71)))
    exif = Image.Exif()
    exif[0x8298] = "Somebody"
    exif[0x010F] = "Camera"
    pages = [scene(97, 71, seed) for seed in (1, 2, 3)]
    return {
        "photo": put(folder, saved(photo, "PNG", exif=exif, icc_profile=p3_profile()), "photo"),
        "pages": put(folder, saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "pages"),
        "moving": put(folder, moving("GIF", pages, [50, 60, 70]), "moving"),
    }


def test_every_option_of_the_grammar_is_tried() -> None:
    tried = {name for _, _, option in CASES for name in option}
    assert tried == {field.name for field in fields(Suffix)} - {"format"}


@pytest.mark.parametrize(("format_", "before", "option"), CASES)
def test_each_option_changes_what_comes_out_and_keeps_the_predicted_size(
    bases: dict[str, Base], format_: Format, before: dict[str, object], option: dict[str, object]
) -> None:
    base = bases["pages" if "page" in option else "photo"]
    without, made = base.derive(format_, **before), base.derive(format_, **before, **option)
    assert made.body != without.body
    image = opened(made.body)
    predicted = output_size(Suffix(format=format_, **before, **option), base.facts)  # type: ignore[arg-type]
    assert image.size == (made.width, made.height) == (predicted.width, predicted.height)
    # What was asked for is seen in the pixels, the profile or the metadata, not only in some stray byte.
    plain = opened(without.body)
    same_size = plain.size == image.size and plain.mode == image.mode
    told = plain.info.get("icc_profile") != image.info.get("icc_profile") or dict(plain.getexif()) != dict(
        image.getexif()
    )
    told = told or ("keep" in option and format_ is Format.TIF)
    assert not same_size or told or (np.asarray(plain) != np.asarray(image)).any()


@pytest.mark.parametrize(
    ("format_", "before", "option"), [case for case in CASES if case[0] in (Format.GIF, Format.WEBP)]
)
def test_each_option_works_on_an_animation(
    bases: dict[str, Base], format_: Format, before: dict[str, object], option: dict[str, object]
) -> None:
    base = bases["moving"]
    made = base.derive(format_, **before, **option)
    image = opened(made.body)
    frames = 1 if "page" in option else 3
    assert (image.size, made.pages) == ((made.width, made.height), frames)
    # Frames that became alike are stored once.
    assert image.n_frames == frames or option in ({"blur": 1000}, {"quality": 1})  # type: ignore[attr-defined]


@pytest.mark.parametrize("format_", [Format.JPG, Format.WEBP, Format.AVIF])
def test_more_quality_is_more_bytes_and_nearer_to_the_picture(tmp_path: Path, format_: Format) -> None:
    photo = scene(200, 150)
    base = put(tmp_path, saved(photo, "PNG"))
    sizes, distances = [], []
    for quality in (10, 40, None, 95):
        body = base.derive(format_, quality=quality).body
        sizes.append(len(body))
        distances.append(np.abs(np.asarray(opened(body).convert("RGB")).astype(int) - np.asarray(photo)).mean())
    assert sizes == sorted(sizes)
    assert distances == sorted(distances, reverse=True)


@pytest.mark.parametrize("format_", [Format.WEBP, Format.AVIF, Format.PNG, Format.TIF])
def test_lossless_loses_nothing(tmp_path: Path, format_: Format) -> None:
    photo = scene(61, 43)
    base = put(tmp_path, saved(photo, "PNG"))
    options = {"lossless": True} if format_ in (Format.WEBP, Format.AVIF) else {}
    assert near(base.array(format_, **options), np.asarray(photo), 0)


def step(tmp_path: Path, *, clear: bool = False) -> Base:
    """Black to the left, white to the right; *clear*: red, and nothing that can be seen."""
    if clear:
        image = Image.new("RGBA", (120, 20), (0, 255, 0, 0))
        image.paste((255, 0, 0, 255), (0, 0, 60, 20))
    else:
        image = Image.new("RGB", (120, 20))
        image.paste((255, 255, 255), (60, 0, 120, 20))
    return put(tmp_path, saved(image, "PNG"))


@pytest.mark.parametrize("tenths", [5, 10, 35, 100])
def test_blur_is_a_gaussian_whose_sigma_is_in_tenths_of_an_output_pixel(tmp_path: Path, tenths: int) -> None:
    edge = step(tmp_path).array(blur=tenths)[10, :, 0] / 255
    slope = np.diff(edge)
    centre = np.arange(len(slope)) + 0.5
    middle = (slope * centre).sum() / slope.sum()
    sigma = np.sqrt((slope * (centre - middle) ** 2).sum() / slope.sum())
    # Against the ideal Gaussian sampled at whole pixels.
    assert sigma == pytest.approx(tenths / 10, abs=0.12, rel=0.03)


def test_blur_measures_the_output_not_the_base(tmp_path: Path) -> None:
    wide = step(tmp_path).array(blur=30)[10, :, 0]
    half = step(tmp_path).array(blur=30, width=60)[5, :, 0]
    assert (np.abs(wide - 127) < 100).sum() == pytest.approx((np.abs(half - 127) < 100).sum(), abs=1)


def test_what_cannot_be_seen_lends_no_colour_to_a_blur(tmp_path: Path) -> None:
    shown = step(tmp_path, clear=True).array(blur=40)[10]
    edge = shown[(shown[:, 3] > 40) & (shown[:, 3] < 215)]
    assert len(edge) > 4
    assert near(edge[:, :3], np.full((len(edge), 3), (255, 0, 0)), 6)


def test_sharpen_steepens_edges_and_leaves_flat_parts_alone(tmp_path: Path) -> None:
    edge = 60 + 130 / (1 + np.exp((60 - np.arange(120)) / 1.5))
    soft = put(tmp_path, saved(Image.fromarray(np.tile(edge, (20, 1)).astype(np.uint8)), "PNG"))
    plain, sharp = soft.array()[10], soft.array(sharpen=20)[10]
    assert np.diff(sharp).max() > np.diff(plain).max()
    assert near(sharp[:15], plain[:15], 1)
    assert near(sharp[-15:], plain[-15:], 1)


def test_sharpen_keeps_transparency(tmp_path: Path) -> None:
    base = step(tmp_path, clear=True)
    assert (base.array(sharpen=20)[..., 3] == base.array()[..., 3]).all()


def test_gray_is_as_light_as_the_colour(tmp_path: Path) -> None:
    photo = scene(60, 40)
    base = put(tmp_path, saved(photo, "PNG"))
    # Relative luminance of linear light (IEC 61966-2-1), written down again.
    linear = np.asarray(photo) / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    light = linear @ np.array([0.2126, 0.7152, 0.0722])
    wanted = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    assert near(base.array(tone=Tone.GRAY), wanted, 2)


@pytest.mark.parametrize(
    ("format_", "mode"), [(Format.PNG, "1"), (Format.TIF, "1"), (Format.GIF, "P"), (Format.JPG, "L")]
)
def test_bitonal_is_black_or_white_by_middle_grey(tmp_path: Path, format_: Format, mode: str) -> None:
    ramp = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (20, 1)))
    image = put(tmp_path, saved(ramp, "PNG")).drawn(format_, tone=Tone.BITONAL)
    assert image.mode == mode
    shown = np.asarray(image.convert("L"))
    tolerance = 30 if format_ is Format.JPG else 0
    assert near(shown[:, :124], np.zeros((20, 124)), tolerance)
    assert near(shown[:, 132:], np.full((20, 124), 255), tolerance)
    if format_ is Format.PNG:
        assert shown[0, 127] == 0
        assert shown[0, 128] == 255


@pytest.mark.parametrize("format_", WRITABLE)
def test_bitonal_keeps_what_is_clear_and_a_coloured_ground_its_colour(tmp_path: Path, format_: Format) -> None:
    base = step(tmp_path, clear=True)
    shown = np.asarray(base.drawn(format_, tone=Tone.BITONAL).convert("RGBA")).astype(int)
    assert shown[10, 110, 3] == (255 if format_ is Format.JPG else 0)
    assert shown[10, 10].tolist()[:3] in ([0, 0, 0], [1, 1, 1])
    ground = np.asarray(base.drawn(format_, tone=Tone.BITONAL, background="ff8000").convert("RGB")).astype(int)
    assert near(ground[10, 110], (255, 128, 0), 16)
    grey = np.asarray(base.drawn(format_, tone=Tone.BITONAL, background="808080").convert("RGB")).astype(int)
    assert near(grey[10, 110], (128, 128, 128), 6)


@pytest.mark.parametrize("format_", [Format.WEBP, Format.PNG, Format.AVIF, Format.TIF, Format.GIF])
def test_the_background_shows_through_what_is_half_clear(tmp_path: Path, format_: Format) -> None:
    base = put(tmp_path, saved(Image.new("RGBA", (30, 20), (200, 100, 0, 128)), "PNG"))
    image = base.drawn(format_, background="0000ff")
    assert near(image.convert("RGBA").getpixel((9, 9)), (100, 50, 127, 255), 5)


def test_jxl_is_refused_with_the_remedy_before_anything_is_opened(tmp_path: Path) -> None:
    base = put(tmp_path, saved(scene(9, 9), "PNG"))
    base.path.unlink()
    with pytest.raises(CannotEncode, match=r"libvips \d+\.\d+\.\d+ cannot write jxl; ask for another format"):
        base.derive(Format.JXL)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
@pytest.mark.parametrize("options", [{}, {"width": 20}, {"crop": Crop(1, 1, 200, 180)}])
def test_half_an_image_is_undecodable_and_never_half_grey(
    tmp_path: Path, kind: str, options: dict[str, object]
) -> None:
    whole = put(tmp_path, saved(scene(300, 200), kind))
    body = whole.path.read_bytes()
    whole.path.write_bytes(body[: len(body) * 2 // 3])
    with pytest.raises(Undecodable):
        make(whole.source, whole.facts, Suffix(format=Format.JPG, **options), Limits())  # type: ignore[arg-type]


def test_the_detail_of_a_failure_is_of_this_image_and_not_of_earlier_work(tmp_path: Path) -> None:
    broken = put(tmp_path, saved(scene(300, 200), "PNG"), "broken")
    broken.path.write_bytes(broken.path.read_bytes()[:9000])
    assert pyvips.vips_lib.vips_foreign_find_load(b"/nowhere/else.png") == pyvips.ffi.NULL  # leaves its words behind
    with pytest.raises(Undecodable) as refused:
        broken.derive(Format.JPG)
    assert "else.png" not in refused.value.detail
    assert "does not exist" not in refused.value.detail
    assert str(tmp_path) not in refused.value.detail


def test_the_same_name_gives_the_same_bytes(bases: dict[str, Base]) -> None:
    for format_ in WRITABLE:
        assert bases["photo"].derive(format_, **COVER).body == bases["photo"].derive(format_, **COVER).body


def test_a_path_that_looks_like_loader_options_is_only_a_path(tmp_path: Path) -> None:
    base = put(tmp_path, saved(scene(40, 30), "JPEG"))
    odd = tmp_path / "photo[shrink=8].jpg"
    odd.write_bytes(base.path.read_bytes())
    assert Base(odd, replace(base.source, data=odd), base.facts).drawn(width=20).size == (20, 15)


def test_bytes_give_what_the_same_file_gives(tmp_path: Path) -> None:
    base = put(tmp_path, saved(scene(90, 70), "PNG"))
    held = Base(base.path, replace(base.source, data=base.path.read_bytes()), base.facts)
    for options in ({}, {"width": 20}, {"crop": Crop(3, 4, 20, 30)}):
        assert held.derive(Format.PNG, **options).body == base.derive(Format.PNG, **options).body


def ssim(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Structural similarity of two grey pictures over windows of 8 x 8."""

    def blocks(picture: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.lib.stride_tricks.sliding_window_view(picture, (8, 8))[::4, ::4].reshape(-1, 64)

    a, b = blocks(one), blocks(other)
    covariance = ((a - a.mean(1, keepdims=True)) * (b - b.mean(1, keepdims=True))).mean(1)
    top = (2 * a.mean(1) * b.mean(1) + 6.5025) * (2 * covariance + 58.5225)
    return float((top / ((a.mean(1) ** 2 + b.mean(1) ** 2 + 6.5025) * (a.var(1) + b.var(1) + 58.5225))).mean())


@pytest.mark.parametrize("format_", WRITABLE)
@pytest.mark.parametrize("width", [400, 150, None])
def test_a_reduction_looks_like_another_librarys(tmp_path: Path, format_: Format, width: int | None) -> None:
    photo = scene(1200, 900)
    base = put(tmp_path, saved(photo, "JPEG", quality=95))
    made = base.drawn(format_, width=width).convert("L")
    wanted = photo.resize(made.size, Image.Resampling.LANCZOS).convert("L")
    # GIF has 256 colours and a dither; at natural size the grain is noise that no lossy format keeps.
    least = 0.80 if format_ is Format.GIF or width is None else 0.93
    assert ssim(np.asarray(made).astype(float), np.asarray(wanted).astype(float)) > least


def test_pillow_reads_the_profile_we_write(bases: dict[str, Base]) -> None:
    profile = bases["photo"].drawn(Format.JPG, profile=Profile.P3).info["icc_profile"]
    assert "P3" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
