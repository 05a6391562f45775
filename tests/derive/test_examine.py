from __future__ import annotations

import hashlib
import io
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from derivproxy.derive.examine import examine
from derivproxy.derive.icc import classify
from derivproxy.domain.errors import Refused, TooManyBands, TooManyFrames, TooManyPixels, Undecodable
from derivproxy.domain.images import ColourProfile, Facts
from derivproxy.domain.limits import Limits
from tests.derive import hostile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    # As in a deriving process: libvips knows files by their names, and these tests use one name for many.
    pyvips.cache_set_max(0)


def facts_of(tmp_path: Path, data: bytes, limits: Limits | None = None) -> Facts:
    path = tmp_path / "image"
    path.write_bytes(data)
    return examine(path, limits or Limits())


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_the_facts_are_those_of_the_file(tmp_path: Path) -> None:
    data = hostile.encoded(".jpg")
    assert facts_of(tmp_path, data) == Facts(
        media_type="image/jpeg",
        bytes=len(data),
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        width=40,
        height=30,
        page_height=30,
    )


def test_a_digest_that_is_known_is_not_computed_again(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(hostile.encoded(".jpg"))
    assert examine(tmp_path / "image", Limits(), md5="known").md5 == "known"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_sizes_are_those_of_the_picture_seen_upright(kind: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif}
    facts = facts_of(tmp_path, saved(Image.new("RGB", (40, 30), "red"), kind, **options))
    assert (facts.width, facts.height) == ((30, 40) if orientation > 4 else (40, 30))
    assert facts.page_height == 30


@pytest.mark.parametrize("kind", [".gif", ".webp"])
def test_an_animation_says_its_frames(kind: str, tmp_path: Path) -> None:
    facts = facts_of(tmp_path, hostile.animation(kind, 5))
    assert (facts.pages, facts.animated, facts.width, facts.height, facts.page_height) == (5, True, 20, 16, 16)


def test_a_still_is_no_animation(tmp_path: Path) -> None:
    for kind in (".gif", ".webp", ".png", ".avif", ".tif", ".jpg"):
        facts = facts_of(tmp_path, hostile.encoded(kind))
        assert (facts.pages, facts.animated) == (1, False)


def test_the_pages_of_a_tiff_are_no_animation_and_may_differ_in_size(tmp_path: Path) -> None:
    pages = [Image.new("RGB", size, "red") for size in ((40, 30), (20, 50), (10, 10))]
    facts = facts_of(tmp_path, saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert (facts.pages, facts.animated, facts.width, facts.height) == (3, False, 40, 30)


@pytest.mark.parametrize("order", ["RGB", "L"])
@pytest.mark.parametrize("big", [False, True])
def test_both_byte_orders_and_both_sizes_of_tiff_are_read(order: str, big: bool, tmp_path: Path) -> None:  # noqa: FBT001
    picture = hostile.picture(bands=len(order))
    for endian in ("little", "big"):
        data = saved(Image.fromarray(np.squeeze(picture.numpy()), order), "TIFF", big_tiff=big)
        if endian == "big":
            data = picture.write_to_buffer(".tif", bigtiff=big)
        assert facts_of(tmp_path, data).bands == len(order)


@pytest.mark.parametrize(
    ("mode", "alpha", "bands"),
    [("L", False, 1), ("LA", True, 2), ("RGB", False, 3), ("RGBA", True, 4), ("P", False, 3)],
)
def test_alpha_and_bands_of_a_png(mode: str, alpha: bool, bands: int, tmp_path: Path) -> None:  # noqa: FBT001
    facts = facts_of(tmp_path, saved(Image.new(mode, (9, 9)), "PNG"))
    assert (facts.alpha, facts.bands, facts.bits) == (alpha, bands, 8)


def test_a_cmyk_jpeg_has_four_bands_and_no_alpha(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, saved(Image.new("CMYK", (9, 9)), "JPEG"))
    assert (facts.alpha, facts.bands) == (False, 4)


def test_deep_pictures_say_their_bits(tmp_path: Path) -> None:
    deep = pyvips.Image.black(9, 9, bands=3).cast("ushort").copy(interpretation="rgb16")
    assert facts_of(tmp_path, deep.write_to_buffer(".png")).bits == 16
    assert facts_of(tmp_path, deep.write_to_buffer(".avif", bitdepth=10)).bits == 16
    assert facts_of(tmp_path, deep.cast("float").write_to_buffer(".tif")).bits == 32


def test_what_is_interlaced_says_so(tmp_path: Path) -> None:
    for kind in (".jpg", ".png"):
        assert facts_of(tmp_path, hostile.encoded(kind, interlace=True)).interlaced
        assert not facts_of(tmp_path, hostile.encoded(kind)).interlaced


@pytest.mark.parametrize(("name", "profile"), [("srgb", ColourProfile.SRGB), ("p3", ColourProfile.P3)])
@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp", ".avif", ".tif"])
def test_the_profiles_that_matter_are_told(kind: str, name: str, profile: ColourProfile, tmp_path: Path) -> None:
    image = hostile.picture().icc_transform(name, input_profile="srgb")
    assert facts_of(tmp_path, image.write_to_buffer(kind)).profile == profile


def test_a_profile_is_told_by_its_numbers_and_not_by_its_name() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert classify(srgb) == ColourProfile.SRGB
    red = srgb.index(b"rXYZ")
    at = struct.unpack(">I", srgb[red + 4 : red + 8])[0] + 8
    wider = srgb[:at] + struct.pack(">i", int(0.6 * 65536)) + srgb[at + 4 :]
    assert classify(wider) == ColourProfile.OTHER
    for other in (b"", b"junk", srgb[:100], srgb[:200], bytes(4000)):
        assert classify(other) == ColourProfile.OTHER
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert classify(lab) == ColourProfile.OTHER


def test_srgb_primaries_with_another_curve_are_another_profile() -> None:
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    at = bytes(srgb).index(b"para")
    srgb[at + 12 : at + 16] = struct.pack(">i", int(1.8 * 65536))
    assert classify(bytes(srgb)) == ColourProfile.OTHER


def test_a_file_without_profile_has_none(tmp_path: Path) -> None:
    assert facts_of(tmp_path, hostile.encoded(".png")).profile == ColourProfile.NONE


WHOLE = {
    "jpg": hostile.encoded(".jpg", 120, 90),
    "progressive jpg": hostile.encoded(".jpg", 120, 90, interlace=True),
    "restarted jpg": hostile.encoded(".jpg", 120, 90, restart_interval=8),
    "png": hostile.encoded(".png", 120, 90),
    "interlaced png": hostile.encoded(".png", 120, 90, interlace=True),
    "webp": hostile.encoded(".webp", 120, 90),
    "lossless webp": hostile.encoded(".webp", 120, 90, lossless=True),
    "moving webp": hostile.animation(".webp", 6, 60, 40),
    "avif": hostile.encoded(".avif", 120, 90),
    "gif": hostile.encoded(".gif", 120, 90),
    "moving gif": hostile.animation(".gif", 6, 60, 40),
    "tif": hostile.encoded(".tif", 120, 90),
    "lzw tif": hostile.encoded(".tif", 120, 90, compression="lzw"),
    "jpeg tif": hostile.encoded(".tif", 120, 90, compression="jpeg"),
    "tiled tif": hostile.encoded(".tif", 120, 90, tile=True, tile_width=32, tile_height=32, compression="deflate"),
}


def pixels(data: bytes) -> np.ndarray:
    return pyvips.Image.new_from_buffer(data, "").numpy()


@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_cut_off_anywhere_is_never_taken_for_whole(kind: str, tmp_path: Path) -> None:
    data = WHOLE[kind]
    path = tmp_path / "image"
    places = sorted(
        {
            1,
            2,
            20,
            len(data) // 2,
            len(data) * 9 // 10,
            *range(len(data) - 12, len(data)),
            *range(0, len(data), len(data) // 25),
        }
    )
    for place in places:
        path.write_bytes(data[:place])
        try:
            examine(path, Limits())
        except Refused:
            continue
        # The one thing that may be missing is what no pixel needs.
        assert np.array_equal(pixels(data[:place]), pixels(data)), f"{kind} cut at {place} of {len(data)}"


@pytest.mark.parametrize("kind", WHOLE)
def test_what_follows_a_whole_picture_does_no_harm(kind: str, tmp_path: Path) -> None:
    assert facts_of(tmp_path, WHOLE[kind] + b"<?php trailing(); ?>" * 50).width == facts_of(tmp_path, WHOLE[kind]).width


@pytest.mark.parametrize("kind", ["png", "interlaced png"])
def test_a_wrong_checksum_is_refused(kind: str, tmp_path: Path) -> None:
    data = bytearray(WHOLE[kind])
    data[len(data) // 2] ^= 0x55
    with pytest.raises(Undecodable):
        facts_of(tmp_path, bytes(data))


def test_what_had_something_cut_out_is_decoded_as_strictly(tmp_path: Path) -> None:
    bomb = hostile.ztxt(3_000_000)
    data = WHOLE["png"]
    assert facts_of(tmp_path, data[:33] + bomb + data[33:]).width == 120
    broken = bytearray(data)
    broken[len(data) // 2] ^= 0x55
    with pytest.raises(Undecodable):
        facts_of(tmp_path, bytes(broken[:33]) + bomb + bytes(broken[33:]))


@pytest.mark.parametrize("kind", ["jpg", "progressive jpg", "restarted jpg"])
def test_half_a_jpeg_with_an_end_marker_is_still_half(kind: str, tmp_path: Path) -> None:
    data = WHOLE[kind]
    with pytest.raises(Undecodable):
        facts_of(tmp_path, data[: len(data) // 2] + b"\xff\xd9")


def test_a_hole_in_a_jpeg_is_refused(tmp_path: Path) -> None:
    data = WHOLE["restarted jpg"]
    for hole in (b"\x00", b"\xff\xd3", b"\xfe\x7f"):
        with pytest.raises(Undecodable):
            facts_of(tmp_path, data[: len(data) // 2] + hole * 100 + data[len(data) // 2 + 300 :])


def test_stray_bytes_between_the_segments_of_a_jpeg_harm_nobody(tmp_path: Path) -> None:
    data = WHOLE["jpg"]
    at = data.index(b"\xff\xdb")
    assert facts_of(tmp_path, data[:at] + b"stray" + data[at:]).width == 120


def test_a_tiff_whose_tiles_cannot_be_decoded_is_refused_and_not_blank(tmp_path: Path) -> None:
    data = hostile.encoded(".tif", 120, 90, compression="jpeg", tile=True, tile_width=32, tile_height=32)
    old_style = data.replace(struct.pack("<HHIH", 259, 3, 1, 7), struct.pack("<HHIH", 259, 3, 1, 6))
    assert old_style != data
    with pytest.raises(Undecodable, match="JPEG"):
        facts_of(tmp_path, old_style)
    middle = len(data) // 2
    with pytest.raises(Undecodable):
        facts_of(tmp_path, data[:middle] + b"\xff\xd9" * 100 + data[middle + 200 :])


def test_a_polyglot_is_what_its_first_bytes_say(tmp_path: Path) -> None:
    facts = facts_of(tmp_path, hostile.encoded(".gif") + hostile.encoded(".jpg") + b"%PDF-1.4" + b"PK\x03\x04")
    assert (facts.media_type, facts.width) == ("image/gif", 40)


def test_the_refusal_does_not_tell_where_the_server_keeps_files(tmp_path: Path) -> None:
    with pytest.raises(Undecodable) as refusal:
        facts_of(tmp_path, hostile.tiff([hostile.page(9, 9, bands=3)], tail=bytes(50)))
    assert str(tmp_path) not in refusal.value.detail


def test_the_pages_of_a_tiff_count_together(tmp_path: Path) -> None:
    pages = [Image.new("L", (10, 10)) for _ in range(3)]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert facts_of(tmp_path, data, Limits(pixels=300, frames=3)).pages == 3
    with pytest.raises(TooManyPixels):
        facts_of(tmp_path, data, Limits(pixels=299))
    with pytest.raises(TooManyFrames):
        facts_of(tmp_path, data, Limits(frames=2))


def test_the_decoders_own_count_of_bands_is_held_to_the_limit(tmp_path: Path) -> None:
    # A palette is one band in the header and three when decoded.
    image = Image.new("P", (9, 9))
    image.putpalette([255, 0, 0, 0, 255, 0] + [0] * 762)
    data = saved(image, "TIFF")
    assert facts_of(tmp_path, data, Limits(bands=3)).bands == 3
    with pytest.raises(TooManyBands):
        facts_of(tmp_path, data, Limits(bands=2))
