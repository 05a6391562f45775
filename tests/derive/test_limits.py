"""Every limit of the header at limit - 1, limit, limit + 1, before any decoder sees the file."""

from __future__ import annotations

import struct
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
import pyvips

from derivproxy.derive.source import open_source
from derivproxy.domain.errors import (
    Refused,
    TooLarge,
    TooManyBands,
    TooManyFrames,
    TooManyPixels,
    TooManyScans,
    Undecodable,
)
from derivproxy.domain.limits import Limits
from tests.derive import hostile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Put = Callable[[bytes], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(data: bytes) -> Path:
        path = tmp_path / "image"
        path.write_bytes(data)
        return path

    return write


ALPHA_GRID = hostile.avif(sizes=[(10, 10), (30, 20)])

CASES = [
    # a file whose value of the limit is known, the value, and who refuses one more
    ("file_bytes", hostile.png(), len(hostile.png()), TooLarge),
    ("pixels", hostile.encoded(".jpg"), 1200, TooManyPixels),
    ("pixels", hostile.encoded(".png"), 1200, TooManyPixels),
    ("pixels", hostile.encoded(".webp"), 1200, TooManyPixels),
    ("pixels", hostile.encoded(".webp", lossless=True), 1200, TooManyPixels),
    ("pixels", hostile.encoded(".avif"), 1200, TooManyPixels),
    ("pixels", hostile.encoded(".gif"), 1200, TooManyPixels),
    ("pixels", hostile.encoded(".tif"), 1200, TooManyPixels),
    ("pixels", hostile.encoded(".tif", bigtiff=True), 1200, TooManyPixels),
    ("pixels", hostile.animation(".gif", 4), 20 * 16 * 4, TooManyPixels),
    ("pixels", hostile.animation(".webp", 4), 20 * 16 * 4, TooManyPixels),
    ("pixels", hostile.tiff([hostile.page(10, 10), hostile.page(3, 5)]), 115, TooManyPixels),
    ("pixels", hostile.gif(2, 3, offset=9), 30, TooManyPixels),
    ("pixels", hostile.riff(hostile.vp8x(5, 5), hostile.anmf(9, 3)), 45, TooManyPixels),
    ("pixels", ALPHA_GRID, 600, TooManyPixels),
    ("pixels", hostile.tiff([hostile.page(4, 4, tile_width=64, tile_height=32)]), 64 * 32, TooManyPixels),
    ("frames", hostile.animation(".gif", 4), 4, TooManyFrames),
    ("frames", hostile.animation(".webp", 4), 4, TooManyFrames),
    ("frames", hostile.tiff([hostile.page()] * 7), 7, TooManyFrames),
    ("frames", hostile.tiff([hostile.page()] * 7, big=True), 7, TooManyFrames),
    ("frames", hostile.avif(items=[b"av01"] * 5), 5, TooManyFrames),
    ("side", hostile.encoded(".jpg"), 40, TooManyPixels),
    ("side", hostile.encoded(".png", 20, 41), 41, TooManyPixels),
    ("side", hostile.encoded(".webp"), 40, TooManyPixels),
    ("side", hostile.encoded(".avif"), 40, TooManyPixels),
    ("side", hostile.encoded(".gif"), 40, TooManyPixels),
    ("side", hostile.encoded(".tif"), 40, TooManyPixels),
    ("bands", hostile.tiff([hostile.page(bands=6)]), 6, TooManyBands),
    ("bands", hostile.tiff([hostile.page(bands=2), hostile.page(bands=6)]), 6, TooManyBands),
    ("bands", hostile.jpeg(components=4), 4, TooManyBands),
    ("bands", hostile.encoded(".png"), 3, TooManyBands),
    ("scans", hostile.jpeg(scans=12), 12, TooManyScans),
    ("scans", hostile.jpeg(scans=3, components=3, frame=0xC0), 3, TooManyScans),
    ("scan_pixels", hostile.jpeg(8, 9, scans=12), 8 * 9 * 12, TooManyScans),
]


@pytest.mark.parametrize(("name", "data", "value", "error"), CASES)
def test_the_limit_is_allowed_and_one_more_is_refused_with_value_and_setting(
    name: str, data: bytes, value: int, error: type[Refused], put: Put
) -> None:
    path = put(data)
    open_source(path, Limits(**{name: value + 1}))
    open_source(path, Limits(**{name: value}))
    with pytest.raises(error) as refusal:
        open_source(path, Limits(**{name: value - 1}))
    assert f"DERIVPROXY_MAX_{name.upper()}" in refusal.value.detail
    assert str(value - 1) in refusal.value.detail


def texts(path: Path, limits: Limits) -> bool:
    source = open_source(path, limits)
    data = source.data if isinstance(source.data, bytes) else source.data.read_bytes()
    return any(kind in data for kind in (b"tEXt", b"zTXt", b"iTXt"))


@pytest.mark.parametrize(
    ("chunks", "value"),
    [
        ([hostile.png_chunk(b"tEXt", b"Comment\x00" + b"a" * 92)], 100),
        ([hostile.png_chunk(b"tEXt", b"Comment\x00" + b"a" * 42)] * 2, 100),
        ([hostile.ztxt(5000)], 5000 + len(hostile.ztxt(5000)) - 12),
        ([hostile.itxt(5000)], 5000 + len(hostile.itxt(5000)) - 12),
    ],
)
def test_png_text_is_kept_up_to_the_limit_and_dropped_beyond(chunks: list[bytes], value: int, put: Put) -> None:
    path = put(hostile.png(extra=chunks))
    assert texts(path, Limits(text_bytes=value))
    assert not texts(path, Limits(text_bytes=value - 1))
    assert open_source(path, Limits(text_bytes=value)).data == path


def test_png_texts_too_many_to_look_through_are_dropped(put: Put) -> None:
    assert texts(put(hostile.png(extra=[hostile.png_chunk(b"tEXt", b"a\x00b")] * 256)), Limits())
    assert not texts(put(hostile.png(extra=[hostile.png_chunk(b"tEXt", b"a\x00b")] * 257)), Limits())


def with_profile(suffix: str, size: int) -> bytes:
    image = hostile.picture().copy()
    profile = struct.pack(">I", size) + real_profile()[4:].ljust(size - 4, b"\x00")  # its length comes first
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image.write_to_buffer(suffix, keep="icc")


def real_profile() -> bytes:
    image = hostile.picture().icc_transform("p3", input_profile="srgb")
    return bytes(image.get("icc-profile-data"))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_a_profile_is_kept_up_to_the_limit_and_dropped_beyond(suffix: str, put: Put) -> None:
    size = 200_000  # several JPEG segments
    data = with_profile(suffix, size)
    path = put(data)
    # A colr box counts the four letters that say what kind of profile follows.
    value = size + (4 if suffix == ".avif" else 0)
    assert open_source(path, Limits(profile_bytes=value + 1)).data == path
    assert open_source(path, Limits(profile_bytes=value)).data == path
    clean = open_source(path, Limits(profile_bytes=value - 1)).data
    assert isinstance(clean, bytes)
    image = pyvips.Image.new_from_buffer(clean, "", fail_on="warning")
    assert not image.get_typeof("icc-profile-data")
    assert image.avg() == pyvips.Image.new_from_buffer(data, "").avg()


def test_webp_metadata_beyond_the_text_limit_is_dropped_and_the_rest_still_decodes(put: Put) -> None:
    plain = hostile.encoded(".webp", keep="none")
    data = hostile.riff(
        hostile.vp8x(40, 30, 0x0C),
        hostile.webp_picture(plain),
        hostile.riff_chunk(b"EXIF", b"E" * 3001),
        hostile.riff_chunk(b"XMP ", b"X" * 3000),
    )
    clean = open_source(put(data), Limits(text_bytes=3000)).data
    assert isinstance(clean, bytes)
    assert b"EEE" not in clean
    assert b"XXX" in clean
    assert (
        pyvips.Image.new_from_buffer(clean, "", fail_on="warning").avg()
        == pyvips.Image.new_from_buffer(plain, "").avg()
    )


TOO_MUCH = {
    "a TIFF of 1,000 bands": (hostile.tiff([hostile.page(bands=1000)], tail=bytes(20_000)), TooManyBands),
    "a JPEG of 12,000 scans": (hostile.jpeg(500, 500, scans=12_000, entropy=b"\x00" * 70), TooManyScans),
    "a GIF of 100,000 tiny frames": (hostile.gif(frames=100_000), TooManyFrames),
    "a GIF of a huge canvas and some frames": (hostile.gif(30_000, 30_000, frames=9), TooManyPixels),
    "a WebP of 100,000 frames": (hostile.riff(hostile.vp8x(1, 1, 2), *[hostile.anmf()] * 100_000), TooManyFrames),
    "a WebP of a huge canvas": (hostile.riff(hostile.vp8x(1 << 24, 1 << 24), hostile.anmf()), TooManyPixels),
    "a PNG of 2,000,000 x 100": (hostile.png(2_000_000, 100), TooManyPixels),
    "a PNG of no width": (hostile.png(0, 100), Undecodable),
    "a TIFF that bites its tail": (hostile.tiff([hostile.page(), hostile.page()], loop=True), Undecodable),
    "a TIFF that leads to itself": (hostile.tiff([hostile.page()], loop=True), Undecodable),
    "a TIFF tag of 4 GB": (hostile.tiff([[*hostile.page(), (34675, 1, 0xFFFFFFFF, 8)]]), Undecodable),
    "a TIFF of 60,000 entries": (
        b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 60_000) + bytes(12 * 60_000),
        Undecodable,
    ),
    "a BigTIFF of 2^63 entries": (b"II+\x00\x08\x00\x00\x00" + struct.pack("<QQ", 16, 1 << 63), Undecodable),
    "a TIFF without pages": (b"II*\x00\x00\x00\x00\x00", Undecodable),
    "an AVIF grid of 65535 x 65535": (hostile.avif(sizes=[(9, 9), (65535, 65535)]), TooManyPixels),
    "an AVIF of 60,000 items": (hostile.avif(items=[b"av01"] * 60_000), Refused),
    "an AVIF without meta": (hostile.box(b"ftyp", b"avif\x00\x00\x00\x00avif"), Undecodable),
    "an AVIF box of no size": (
        hostile.box(b"ftyp", b"avif\x00\x00\x00\x00avif") + b"\x00\x00\x00\x03meta",
        Undecodable,
    ),
    "a JPEG of a million segments": (b"\xff\xd8" + hostile.segment(0xFE) * 1_000_000 + b"\xff\xd9", Undecodable),
    "a JPEG of nothing but fill": (b"\xff\xd8" + b"\xff" * 5_000_000, Undecodable),
    "a JPEG segment of no length": (b"\xff\xd8\xff\xe0\x00\x00\xff\xd9", Undecodable),
    "a JPEG segment beyond the end": (b"\xff\xd8\xff\xe0\xff\xff\xff\xd9", Undecodable),
    "a JPEG that begins twice": (b"\xff\xd8" + hostile.jpeg(), Undecodable),
    "a JPEG of two frames": (hostile.jpeg(before=hostile.jpeg()[2:15]), Undecodable),
    "a JPEG without a frame": (b"\xff\xd8\xff\xd9", Undecodable),
    "a PNG chunk beyond the end": (hostile.png()[:33] + b"\x7f\xff\xff\xffIDAT", Undecodable),
    "a PNG of a million chunks": (hostile.png(extra=[hostile.png_chunk(b"prVt")] * 1_000_000), Undecodable),
    "a PNG without a picture": (hostile.png().replace(b"IDAT", b"prVt"), Undecodable),
    "a GIF without frames": (hostile.gif(frames=0), Undecodable),
    "a GIF without an end": (hostile.gif(trailer=b""), Undecodable),
    "a WebP without a picture": (hostile.riff(hostile.vp8x(4, 4)), Undecodable),
    "a WebP that says it is longer": (hostile.encoded(".webp")[:-2], Undecodable),
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_what_asks_for_too_much_is_refused_at_once(kind: str, put: Put) -> None:
    data, error = TOO_MUCH[kind]
    path = put(data)
    start = time.process_time()
    with pytest.raises(error):
        open_source(path, Limits())
    assert time.process_time() - start < 0.5


BOMBS = {
    "40 zTXt of 8 MB": [hostile.ztxt(8_000_000)] * 40,
    "40 iTXt of 8 MB": [hostile.itxt(8_000_000)] * 40,
    "an iCCP of 50 MB": [hostile.iccp(50_000_000)],
    "an eXIf of 2 MB": [hostile.png_chunk(b"eXIf", bytes(2_000_000))],
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_beside_the_picture_is_cut_out_at_once_and_the_picture_stays(kind: str, put: Put) -> None:
    path = put(hostile.png(extra=BOMBS[kind]))
    start = time.process_time()
    tracemalloc.start()
    source = open_source(path, Limits())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.process_time() - start < 0.5
    assert most < 1_000_000 + path.stat().st_size
    assert source.data == hostile.png()


def test_what_stands_in_the_segments_of_a_jpeg_is_no_scan(put: Put) -> None:
    thumbnail = hostile.segment(0xE1, b"Exif\x00\x00" + hostile.jpeg(scans=50))
    open_source(put(hostile.jpeg(before=thumbnail)), Limits(scans=1))


def test_what_follows_the_end_is_nobodys_business(put: Put) -> None:
    for data in (hostile.jpeg(), hostile.png(), hostile.gif(), hostile.encoded(".webp")):
        open_source(put(data + hostile.jpeg(scans=500) + b"PK\x03\x04" * 100), Limits(scans=2))
