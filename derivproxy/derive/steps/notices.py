"""metadata: nothing, the notices of who made it and whose it is, or all. Never, unless all was asked for, where.

``keep=copyright`` copies words, not blocks: a notice is read from wherever it stands (EXIF, TIFF tags, IPTC, XMP, PNG
text) and written anew as EXIF and XMP, so nothing else of the base can come along.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pyvips

from derivproxy.derive.steps import tags
from grammar.names import Keep

if TYPE_CHECKING:
    from pathlib import Path

    from derivproxy.derive.source import Source

EXIF, XMP, IPTC, ICC, OTHER = 1, 2, 4, 8, 16
"""The bits of libvips' ``keep=``. What an HDR gain map (32) was made for is no longer there."""

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_XMP_BYTES = 1024 * 1024
_ORIENTED = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8]")
_NOTICE_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Notices:
    """Whose the picture is, who made it, whom to thank. Empty where the base does not say."""

    rights: str = ""
    creator: str = ""
    credit: str = ""

    def __bool__(self) -> bool:
        return bool(self.rights or self.creator or self.credit)

    def or_else(self, other: Notices) -> Notices:
        """These, and *other*'s where these say nothing."""
        return Notices(self.rights or other.rights, self.creator or other.creator, self.credit or other.credit)


def keeping(
    picture: pyvips.Image, header: pyvips.Image, source: Source, keep: Keep | None, *, embed: bool
) -> tuple[pyvips.Image, int]:
    """The picture with the metadata that may leave, and the bits for the encoder's ``keep``."""
    icc = ICC if embed else 0
    if keep is Keep.META:
        return _upright(picture), EXIF | XMP | IPTC | OTHER | icc
    notices = find(header, source) if keep is Keep.COPYRIGHT else Notices()
    if not notices:
        return picture, icc
    return _marked(picture, notices, embed=embed), EXIF | XMP | icc


def find(header: pyvips.Image, source: Source) -> Notices:
    """The notices a base carries, wherever they stand."""
    found = _xmp(_blob(header, "xmp-data")).or_else(_exif(_blob(header, "exif-data").removeprefix(b"Exif\0\0")))
    found = found.or_else(_iptc(_blob(header, "iptc-data")))
    if source.media_type == "image/tiff":
        found = found.or_else(_tiff(source.data))
    return found.or_else(_text(header))


def _upright(picture: pyvips.Image) -> pyvips.Image:
    """All metadata, less what turning and scaling made untrue: orientations and the camera's own thumbnail."""
    made = picture.copy()
    for field in ("orientation", "exif-ifd0-Orientation", "exif-ifd1-Orientation", "jpeg-thumbnail-data"):
        if made.get_typeof(field):
            made.remove(field)
    if made.get_typeof("xmp-data"):
        made.set_type(pyvips.GValue.blob_type, "xmp-data", _ORIENTED.sub(rb"\g<1>1", made.get("xmp-data")))
    return made


def _marked(picture: pyvips.Image, notices: Notices, *, embed: bool) -> pyvips.Image:
    made = picture.copy()
    for field in made.get_fields():
        if field.startswith(("exif-", "xmp-", "iptc-", "png-comment-", "jpeg-thumbnail")) or field == "orientation":
            made.remove(field)
    if not embed and made.get_typeof("icc-profile-data"):
        made.remove("icc-profile-data")
    for field, words in (("exif-ifd0-Copyright", notices.rights), ("exif-ifd0-Artist", notices.creator)):
        # EXIF is ASCII; libvips writes Latin letters without their accents, others as question marks: XMP has them.
        if words and words.encode("latin-1", "ignore").decode("latin-1") == words:
            # libvips takes what is in the last parentheses for its own remark on the type.
            made.set_type(pyvips.GValue.gstr_type, field, f"{words} (ASCII)")
    made.set_type(pyvips.GValue.blob_type, "xmp-data", packet(notices))
    return made


def packet(notices: Notices) -> bytes:
    """An XMP packet that says these notices and nothing else."""
    parts = []
    if notices.rights:
        parts.append(
            f'<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{escape(notices.rights)}</rdf:li></rdf:Alt></dc:rights>'
        )
    if notices.creator:
        parts.append(f"<dc:creator><rdf:Seq><rdf:li>{escape(notices.creator)}</rdf:li></rdf:Seq></dc:creator>")
    if notices.credit:
        parts.append(f"<photoshop:Credit>{escape(notices.credit)}</photoshop:Credit>")
    # ASCII, for libvips writes a packet into a PNG as Latin-1 text.
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{_RDF[1:-1]}"><rdf:Description rdf:about="" xmlns:dc="{_DC[1:-1]}"'
        f' xmlns:photoshop="{_PHOTOSHOP[1:-1]}">{"".join(parts)}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="r"?>'
    ).encode("ascii", "xmlcharrefreplace")


def _xmp(packet: bytes) -> Notices:
    # No document type, so no entities: a packet has none, and they could grow without end.
    if not packet or len(packet) > _XMP_BYTES or b"<!" in packet:
        return Notices()
    try:
        root = ET.fromstring(packet.rstrip(b"\0"))  # noqa: S314 - see above
    except (ET.ParseError, ValueError):
        return Notices()
    return Notices(_xmp_value(root, f"{_DC}rights"), _xmp_value(root, f"{_DC}creator"), _xmp_credit(root))


def _xmp_value(root: ET.Element, name: str) -> str:
    element = root.find(f".//{name}")
    if element is None:
        return ""
    items = [item.text or "" for item in element.iter(f"{_RDF}li")]
    # Translations of one notice: the first is the default. Several makers are all named.
    words = items[:1] if element.find(f"{_RDF}Alt") is not None else items
    return _clean("; ".join(words) if items else element.text or "")


def _xmp_credit(root: ET.Element) -> str:
    for description in root.iter(f"{_RDF}Description"):
        words = description.get(f"{_PHOTOSHOP}Credit") or description.findtext(f"{_PHOTOSHOP}Credit")
        if words:
            return _clean(words)
    return ""


def _exif(block: bytes | mmap) -> Notices:
    found = tags.exif_texts(block, frozenset({tags.COPYRIGHT, tags.ARTIST}))
    return Notices(_clean(found.get(tags.COPYRIGHT, "")), _clean(found.get(tags.ARTIST, "")))


def _tiff(data: Path | bytes) -> Notices:
    if isinstance(data, bytes):
        return _exif(data)
    with data.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as block:
        return _exif(block)


def _iptc(block: bytes) -> Notices:
    found = tags.iptc_texts(block)
    return Notices(
        _clean(found.get(tags.IPTC_COPYRIGHT, "")),
        _clean(found.get(tags.IPTC_BYLINE, "")),
        _clean(found.get(tags.IPTC_CREDIT, "")),
    )


def _text(header: pyvips.Image) -> Notices:
    found = {}
    for field in header.get_fields():
        if field.startswith("png-comment-"):
            found[field.rpartition("-")[2]] = _clean(str(header.get(field)))
    return Notices(found.get("Copyright", ""), found.get("Author", ""))


def _blob(header: pyvips.Image, field: str) -> bytes:
    return bytes(header.get(field)) if header.get_typeof(field) else b""


def _clean(words: str) -> str:
    """One line of printable text; XML and EXIF hold no control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in words[:_NOTICE_CHARS]).split())
