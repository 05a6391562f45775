"""What kind of file the first bytes say it is. Names and declared types are never believed."""

from __future__ import annotations

from typing import Final

from derivproxy.domain.errors import UnsupportedMedia

HEAD_BYTES: Final = 4096
"""How much of a file :func:`sniff` wants to see; less is enough where the file is shorter."""

_READABLE = "JPEG, PNG, WebP, AVIF, GIF and TIFF are read"
_CONVERT = "convert it to JPEG or AVIF"

# offset, magic, media type
_READ_HERE: Final = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (8, b"WEBP", "image/webp"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"II+\x00", "image/tiff"),  # BigTIFF
    (0, b"MM\x00+", "image/tiff"),
)
# magic at offset 0 → what it is, and what its owner can do
_OTHERS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"%PDF-", "PDF"),
    (b"8BPS", "a Photoshop document (PSD)"),
    (b"BM", "BMP"),
    (b"\x00\x00\x01\x00", "an icon (ICO)"),
    (b"\x00\x00\x02\x00", "a cursor (CUR)"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"qoif", "QOI"),
    (b"DDS ", "a DirectDraw surface (DDS)"),
    (b"farbfeld", "farbfeld"),
    (b"SIMPLE  =", "FITS"),
    (b"\xb6\xa6\xf2\xb6", "a libvips image"),
    (b"\x08\xf2\xa6\xb6", "a libvips image"),
    (b"\x89HDF", "HDF"),
    (b"icns", "an Apple icon (ICNS)"),
    (b"%!PS", "PostScript"),
    (b"\x8aMNG", "MNG"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"FLIF", "FLIF"),
    (b"BPG\xfb", "BPG"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"OggS", "an Ogg stream"),
)
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}


def sniff(head: bytes) -> str:
    """The media type of a file that begins with *head*.

    Raises ``UnsupportedMedia`` that names what the bytes look like and what can be done.
    """
    for offset, magic, media_type in _READ_HERE:
        if head.startswith(magic, offset) and (media_type != "image/webp" or head.startswith(b"RIFF")):
            return media_type
    if head[4:8] == b"ftyp":
        return _isobmff(head)
    if not head:
        raise UnsupportedMedia(f"the file is empty; {_READABLE}")
    for magic, kind in _OTHERS:
        if head.startswith(magic):
            raise UnsupportedMedia(f"this looks like {kind}, which is not read here; {_READABLE}")
    if _is_svg(head):
        raise UnsupportedMedia(
            f"this looks like SVG, which is a program more than a picture and is not read; {_READABLE}"
        )
    if head[:1] == b"P" and head[1:2] in b"1234567Ff" and head[2:3] in {b" ", b"\n", b"\r", b"\t"}:
        raise UnsupportedMedia(f"this looks like a portable anymap (PNM, PFM), which is not read here; {_READABLE}")
    raise UnsupportedMedia(f"the bytes {head[:8].hex(' ')} begin no image this server knows; {_READABLE}")


def _isobmff(head: bytes) -> str:
    # ftyp = size "ftyp" major-brand minor-version *compatible-brand
    size = int.from_bytes(head[:4], "big")
    major = head[8:12]
    brands = [major, *(head[at : at + 4] for at in range(16, min(size, len(head)) - 3, 4))]
    if major == b"avis":
        raise UnsupportedMedia(
            "this is an animated AVIF (brand avis), which is not read here; "
            "convert it to an animated WebP, or to a still"
        )
    if b"avif" in brands:
        return "image/avif"
    if b"avis" in brands:
        raise UnsupportedMedia("this is an AVIF sequence without a still picture, which is not read here")
    if _HEIC.intersection(brands):
        raise UnsupportedMedia(f"this is HEIC (an iPhone's format), which this build does not read; {_CONVERT}")
    if b"mif1" in brands or b"msf1" in brands or b"miaf" in brands:
        raise UnsupportedMedia(f"this is HEIF without an AVIF brand, which is not read here; {_CONVERT}")
    if major == b"mif3":
        raise UnsupportedMedia(f"this is a low-overhead HEIF or AVIF (brand mif3), which is not read here; {_CONVERT}")
    name = major.decode("ascii", "replace")
    raise UnsupportedMedia(f"this looks like a video or another ISO media file (brand {name!r}); {_READABLE}")


def _is_svg(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text.startswith(b"<") and (b"<svg" in text or text.startswith(b"<?xml"))
