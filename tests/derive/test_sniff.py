from __future__ import annotations

import pytest

from derivproxy.derive.sniff import sniff
from derivproxy.domain.errors import UnsupportedMedia
from tests.derive.hostile import animation, encoded, page, tiff


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (encoded(".jpg"), "image/jpeg"),
        (encoded(".png"), "image/png"),
        (encoded(".webp"), "image/webp"),
        (encoded(".avif"), "image/avif"),
        (encoded(".gif"), "image/gif"),
        (encoded(".tif"), "image/tiff"),
        (animation(".gif"), "image/gif"),
        (tiff([page()], big=True), "image/tiff"),
        (b"MM\x00*\x00\x00\x00\x08", "image/tiff"),
        (b"MM\x00+\x00\x08\x00\x00", "image/tiff"),
        (b"GIF87a", "image/gif"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", "image/avif"),
    ],
)
def test_what_is_read_is_told_by_its_first_bytes(head: bytes, media_type: str) -> None:
    assert sniff(head) == media_type


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "empty"),
        (b"\xff", "ff"),
        (b"\xff\xd8", "ff d8"),
        (b"hello", "JPEG, PNG, WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf \n<?xml version='1.0'?><svg/>", "SVG"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "convert it to JPEG or AVIF"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x18ftypavis\x00\x00\x00\x00avisavif", "animated AVIF"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1miaf", "HEIF"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42", "isom"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x00crx isom", "crx"),
        (b"\xff\x0a\x00", "JPEG XL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"BM\x00\x00", "BMP"),
        (b"%PDF-1.7", "PDF"),
        (b"8BPS\x00\x01", "PSD"),
        (b"\x00\x00\x01\x00\x01\x00", "ICO"),
        (b"\x76\x2f\x31\x01", "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance"),
        (b"P6\n4 4 255\n", "PNM"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "52 49 46 46"),
        (b"\xb6\xa6\xf2\xb6", "libvips"),
        (b"\x89PNG\n\x1a\n", "89 50"),
    ],
)
def test_what_is_not_read_is_refused_by_its_name_with_the_remedy(head: bytes, words: str) -> None:
    with pytest.raises(UnsupportedMedia) as refusal:
        sniff(head)
    assert words in refusal.value.detail
    assert "AVIF" in refusal.value.detail or "convert" in refusal.value.detail
