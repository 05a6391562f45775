"""What leaves with a derivative: nothing; whose it is; or all. Where it was taken leaves only with all."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from PIL import Image, IptcImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL.TiffImagePlugin import IFDRational

from derivproxy.derive.steps.notices import Notices, find
from derivproxy.derive.steps.reading import open_header
from grammar.names import Crop, Fit, Format, Keep, Profile, Tone
from tests.derive.drawing import WRITABLE, Base, near, opened, p3_profile, put, quarters, saved

if TYPE_CHECKING:
    from pathlib import Path

GPS = 0x8825
DC = "{http://purl.org/dc/elements/1.1/}"
KINDS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]
KEEPING = [format_ for format_ in WRITABLE if format_ is not Format.GIF]
RIGHTS, MAKER = "© 2026 Zoë Müller & Søn (all rights)", "Zoë Müller"
IN_ASCII = "(C) 2026 Zoe Muller & Soen (all rights)"
PLACE = b"NULLISLAND"
LATITUDE = (IFDRational(48, 1), IFDRational(51, 1), IFDRational(294077, 9973))
XMP = f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 tiff:Orientation="6" exif:GPSLatitude="48,51.4911N" photoshop:City="{PLACE.decode()}" photoshop:Credit="Agency Ω">
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{RIGHTS.replace("&", "&amp;")}</rdf:li>
<rdf:li xml:lang="de">{PLACE.decode()}</rdf:li></rdf:Alt></dc:rights>
<dc:creator><rdf:Seq><rdf:li>{MAKER}</rdf:li><rdf:li>Second Eye</rdf:li></rdf:Seq></dc:creator>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def exif(*, rights: bool = True, orientation: int = 6) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010F] = PLACE.decode()  # the maker of the camera stands for all that is nobody's business
    if rights:
        made[0x8298] = "EXIF owner"
        made[0x013B] = "EXIF artist"
    gps = made.get_ifd(GPS)
    gps[1], gps[2] = "N", LATITUDE
    gps[27] = b"ASCII\0\0\0" + PLACE
    return made


def located(tmp_path: Path, kind: str, *, xmp: bytes | None = XMP, rights: bool = True, icc: bytes = b"") -> Base:
    """A base that says where it was taken in every way its format knows."""
    options: dict[str, object] = {"exif": exif(rights=rights), "icc_profile": icc}
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Location", PLACE.decode())
        if xmp:
            text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options["pnginfo"] = text
    elif kind == "TIFF":
        directory = TiffImagePlugin.ImageFileDirectory_v2()
        directory[0x0112] = 6
        directory[0x010F] = PLACE.decode()
        if rights:
            directory[0x8298], directory[0x013B] = "EXIF owner", "EXIF artist"
        if xmp:
            directory[700] = xmp
        options = {"tiffinfo": directory, "icc_profile": icc}
    elif xmp:
        options["xmp"] = xmp
    if not icc:
        options.pop("icc_profile")
    body = saved(quarters(80, 60), kind, **options)
    assert PLACE in body
    return put(tmp_path, body)


def says_where(body: bytes) -> list[str]:
    """Every trace of a place in the bytes, by Pillow and by searching them raw."""
    image = opened(body)
    traces = [f"gps {image.getexif().get_ifd(GPS)}"] if image.getexif().get_ifd(GPS) else []
    traces += [f"info {key}" for key, value in image.info.items() if PLACE in str(value).encode()]
    traces += ["raw place"] if PLACE in body else []
    for order in "<>":
        traces += ["raw latitude"] if struct.pack(f"{order}II", 294077, 9973) in body else []
    for word in (b"GPS", b"48,51"):
        traces += [f"raw {word!r}"] if word in body else []
    return traces


def packet_of(image: Image.Image) -> ET.Element:
    text = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp", "").encode()
    if not text:
        text = bytes(image.tag_v2[700])  # type: ignore[attr-defined]
    return ET.fromstring(text)  # noqa: S314 - our own


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format_", WRITABLE)
def test_nothing_leaves_unasked(tmp_path: Path, kind: str, format_: Format) -> None:
    base = located(tmp_path, kind)
    bare = put(tmp_path, saved(quarters(60, 80), "PNG"), "bare")
    for options in ({}, {"width": 40}, {"crop": Crop(1, 1, 50, 50)}):
        body = base.derive(format_, **options).body
        assert says_where(body) == []
        image = opened(body)
        assert not [field for field in ("exif", "xmp", "photoshop", "icc_profile", "comment") if image.info.get(field)]
        assert b"EXIF owner" not in body
    if format_ is Format.PNG and kind in ("PNG", "TIFF"):
        # Not a byte more than a picture that never had anything to say.
        assert abs(len(base.derive(format_).body) - len(bare.derive(format_).body)) < 40


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format_", KEEPING)
@pytest.mark.parametrize("profile", [None, Profile.P3, Profile.ICC])
def test_copyright_leaves_with_whose_it_is_and_not_with_where(
    tmp_path: Path, kind: str, format_: Format, profile: Profile | None
) -> None:
    base = located(tmp_path, kind, icc=p3_profile())
    for options in ({}, {"width": 40}, {"crop": Crop(1, 1, 50, 50)}):
        body = base.derive(format_, keep=Keep.COPYRIGHT, profile=profile, **options).body
        assert says_where(body) == []
        image = opened(body)
        packet = packet_of(image)
        assert packet.findtext(f".//{DC}rights/*/*") == RIGHTS
        assert [maker.text for maker in packet.iterfind(f".//{DC}creator/*/*")] == [f"{MAKER}; Second Eye"]
        assert packet.findtext(".//{http://ns.adobe.com/photoshop/1.0/}Credit") == "Agency Ω"
        assert bool(image.info.get("icc_profile")) == bool(profile)
        assert image.getexif().get(0x0112, 1) == 1
        if format_ is not Format.TIF:
            assert image.getexif()[0x8298] == IN_ASCII
            assert image.getexif()[0x013B] == "Zoe Muller; Second Eye"


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_notices_are_found_in_exif_and_tiff_tags_where_there_is_no_xmp(tmp_path: Path, kind: str) -> None:
    base = located(tmp_path, kind, xmp=None)
    body = base.derive(Format.WEBP, keep=Keep.COPYRIGHT).body
    assert says_where(body) == []
    assert opened(body).getexif()[0x8298] == "EXIF owner"
    assert opened(body).getexif()[0x013B] == "EXIF artist"


def test_notices_are_found_in_iptc(tmp_path: Path) -> None:
    fields = ((116, RIGHTS.encode()), (80, b"One"), (80, b"Two"), (110, b"Agency"), (92, PLACE), (90, PLACE))
    records = b"".join(b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text for number, text in fields)
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + b"\0" * (len(records) % 2)
    segment = b"Photoshop 3.0\0" + resource
    plain = saved(quarters(40, 30), "JPEG")
    base = put(tmp_path, plain[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + plain[2:])
    with Image.open(base.path) as image:
        assert IptcImagePlugin.getiptcinfo(image)
    assert find(open_header(base.source, 0), base.source) == Notices(RIGHTS, "One; Two", "Agency")
    assert says_where(base.derive(Format.JPG, keep=Keep.COPYRIGHT).body) == []


def test_notices_are_found_in_the_text_of_a_png(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Copyright", "PNG owner")
    text.add_text("Author", "PNG maker")
    base = put(tmp_path, saved(quarters(40, 30), "PNG", pnginfo=text))
    image = base.drawn(keep=Keep.COPYRIGHT)
    assert image.getexif()[0x8298] == "PNG owner"
    assert image.getexif()[0x013B] == "PNG maker"


def test_a_notice_that_latin_letters_cannot_write_is_said_in_xmp_alone(tmp_path: Path) -> None:
    base = located(tmp_path, "JPEG", xmp=XMP.replace(RIGHTS.replace("&", "&amp;").encode(), "© 山田".encode()))
    image = base.drawn(Format.JPG, keep=Keep.COPYRIGHT)
    assert 0x8298 not in image.getexif()
    assert packet_of(image).findtext(f".//{DC}rights/*/*") == "© 山田"


def test_a_base_that_names_nobody_leaves_with_nothing(tmp_path: Path) -> None:
    base = located(tmp_path, "JPEG", xmp=None, rights=False)
    assert base.derive(Format.JPG, keep=Keep.COPYRIGHT).body == base.derive(Format.JPG).body


@pytest.mark.parametrize(
    "packet",
    [
        b"<x",
        b'<!DOCTYPE a [<!ENTITY b "boom">]><a xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:rights>&b;</dc:rights></a>',
        b'<a xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:rights/></a>',
        b"\xff\xfe\x00",
        b"<a>" * 5000,
    ],
)
def test_an_xmp_packet_that_is_odd_is_as_if_it_were_not_there(tmp_path: Path, packet: bytes) -> None:
    base = put(tmp_path, saved(quarters(40, 30), "JPEG", xmp=packet, exif=exif()))
    image = base.drawn(Format.JPG, keep=Keep.COPYRIGHT)
    assert image.getexif()[0x8298] == "EXIF owner"
    assert b"boom" not in image.info.get("xmp", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("format_", [Format.JPG, Format.PNG, Format.WEBP, Format.AVIF])
def test_meta_leaves_with_all_but_what_is_no_longer_true(tmp_path: Path, kind: str, format_: Format) -> None:
    base = located(tmp_path, kind, icc=p3_profile())
    for options in ({}, {"width": 30}, {"crop": Crop(1, 1, 50, 50)}):
        image = base.drawn(format_, keep=Keep.META, **options)
        tags = image.getexif()
        assert tags[0x010F] == PLACE.decode()
        assert near([float(part) for part in tags.get_ifd(GPS)[2]], [48, 51, 294077 / 9973], 0.01)
        assert tags.get(0x0112, 1) == 1  # upright already
        assert "icc_profile" not in image.info  # converted to sRGB
        xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp", "").encode()
        assert b'tiff:Orientation="1"' in xmp
        assert b"GPSLatitude" in xmp


def test_meta_in_a_tiff_keeps_the_packet(tmp_path: Path) -> None:
    image = located(tmp_path, "JPEG").drawn(Format.TIF, keep=Keep.META)
    assert b"GPSLatitude" in bytes(image.tag_v2[700])  # type: ignore[attr-defined]
    assert image.getexif().get(0x0112, 1) == 1


def test_meta_drops_the_thumbnail_that_shows_what_was_cropped_away(tmp_path: Path) -> None:
    inner = saved(quarters(16, 12), "JPEG")
    tiff = b"II*\0" + struct.pack("<I", 8)
    first = struct.pack("<HHHIII", 1, 0x0112, 3, 1, 6, 8 + 2 + 12 + 4)
    second = struct.pack("<H", 3)
    where = 8 + 2 + 12 + 4 + 2 + 3 * 12 + 4
    for tag, kind, value in ((0x0103, 3, 6), (0x0201, 4, where), (0x0202, 4, len(inner))):
        second += struct.pack("<HHII", tag, kind, 1, value)
    block = b"Exif\0\0" + tiff + first + second + struct.pack("<I", 0) + inner
    base = put(tmp_path, saved(quarters(80, 60), "JPEG", exif=block))
    assert inner[-40:] in base.path.read_bytes()
    for keep in (None, Keep.COPYRIGHT, Keep.META):
        for options in ({}, {"width": 40}, {"crop": Crop(1, 1, 50, 50)}):
            assert inner[-40:] not in base.derive(Format.JPG, keep=keep, **options).body


def test_metadata_survives_every_other_step(tmp_path: Path) -> None:
    base = located(tmp_path, "JPEG")
    busy = {"width": 50, "height": 50, "fit": Fit.PAD, "rotate": 90, "flip": True, "tone": Tone.GRAY, "blur": 10}
    for keep, rights in ((Keep.COPYRIGHT, IN_ASCII), (Keep.META, "EXIF owner")):
        tags = base.drawn(Format.JPG, keep=keep, sharpen=5, background="ff0000", **busy).getexif()
        assert tags[0x8298] == rights
        assert tags.get(0x0112, 1) == 1


def test_encoders_write_nothing_of_their_own(tmp_path: Path) -> None:
    base = put(tmp_path, saved(quarters(40, 30), "PNG"))
    for format_ in WRITABLE:
        body = base.derive(format_).body
        assert b"Exif" not in body
        assert b"vips" not in body.lower()
        Image.open(io.BytesIO(body)).verify()
