"""Reading the facts of an image off a full, strict decode: half an image is refused at the door."""

from __future__ import annotations

import hashlib
import logging
import re
from typing import TYPE_CHECKING, Final

import pyvips

from derivproxy.derive.headers.header import refuse_animation, refuse_bands, refuse_frames, refuse_pixels, refuse_size
from derivproxy.derive.icc import classify
from derivproxy.derive.source import open_source
from derivproxy.domain.errors import TooManyPixels, Undecodable
from derivproxy.domain.images import ColourProfile, Facts

if TYPE_CHECKING:
    from pathlib import Path

    from derivproxy.derive.source import Source
    from derivproxy.domain.limits import Limits

_BITS: Final = {
    "uchar": 8,
    "char": 8,
    "ushort": 16,
    "short": 16,
    "uint": 32,
    "int": 32,
    "float": 32,
    "double": 64,
}
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})
_ANIMATED: Final = frozenset({"image/gif", "image/webp"})
_PATH: Final = re.compile(r"/\S+: ?")
_MADE_UP: Final = ("premature end of data segment", "bad huffman code", "instead of rst", "bad arithmetic code")
_MOST_SAID: Final = 10_000
_OUT_OF_MEMORY: Final = ("out of memory", "unable to allocate", "memory allocation", "insufficient memory")


def examine(path: Path, limits: Limits, *, md5: str | None = None) -> Facts:
    """The facts of the image at *path*, every pixel of every page decoded once, in a few rows of memory.

    *md5* is the file's hex digest, computed here where it is not given. Raises what :func:`open_source` raises, and
    ``Undecodable`` where the pixels are not all there. Interlaced pictures are held whole while decoding.
    """
    source = open_source(path, limits)
    listener = _Listener()
    logger = logging.getLogger("pyvips")
    logger.addHandler(listener)
    try:
        pyvips.vips_lib.vips_error_clear()
        facts = _decode(source, limits, md5 or _md5(path))
        _refuse_whispers(source.media_type, listener.said)
    except pyvips.Error as error:
        raise undecodable(source.media_type, error, limits) from None
    finally:
        logger.removeHandler(listener)
    return facts


class _Listener(logging.Handler):
    """Keeps what libvips and the libraries below it warn of."""

    def __init__(self) -> None:
        super().__init__()
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.said) < _MOST_SAID:
            self.said += record.getMessage() + "\n"


def undecodable(media_type: str, error: pyvips.Error, limits: Limits) -> Undecodable | TooManyPixels:
    """What libvips says against a file, as a fault of the house. Paths are the server's own affair and left out."""
    lines = dict.fromkeys(line.strip() for line in error.detail.splitlines())
    said = _PATH.sub("", " ".join(line for line in lines if line))[:300]
    if any(words in said.lower() for words in _OUT_OF_MEMORY):
        return TooManyPixels(
            f"decoding needs more than {limits.memory_bytes} bytes of memory (DERIVPROXY_MAX_MEMORY_BYTES): {said}"
        )
    return Undecodable(f"the {media_type} breaks off or contradicts itself: {said or 'the decoder gives no reason'}")


def _decode(source: Source, limits: Limits, md5: str) -> Facts:
    first = _open(source)
    pages = first.get("n-pages") if first.get_typeof("n-pages") else 1
    # The decoder's own reading of the header is held to the same limits: it may see what the walk did not.
    refuse_bands(first.bands, limits)
    refuse_size(first.width, first.height, limits)
    refuse_frames(pages, limits)
    if first.format not in _BITS:
        raise Undecodable(f"the {source.media_type} holds {first.format} numbers; a picture has real ones")
    if source.media_type in _ANIMATED:
        refuse_animation(first.width, first.height, pages, limits)
        _read_all(source, _open(source, n=-1) if pages > 1 else first)
    else:
        _read_all(source, first)
        pixels = first.width * first.height
        for page in range(1, pages):
            image = _open(source, page=page)
            refuse_bands(image.bands, limits)
            pixels += image.width * image.height
            refuse_pixels(pixels, f"{page + 1} pages", limits)
            _read_all(source, image)
    width, height = first.width, first.height
    if first.get_typeof("orientation") and first.get("orientation") in _SIDEWAYS:
        width, height = height, width
    return Facts(
        media_type=source.media_type,
        bytes=source.size,
        md5=md5,
        width=width,
        height=height,
        pages=pages,
        page_height=first.height,
        animated=pages > 1 and source.media_type in _ANIMATED,
        alpha=bool(first.hasalpha()),
        bands=first.bands,
        bits=_BITS[first.format],
        profile=_profile(first),
        interlaced=source.header.interlaced,
    )


def _refuse_whispers(media_type: str, warned: str) -> None:
    """Raise what libvips noted and went on from, where it went on with made-up pixels.

    A TIFF tile that does not decode is left blank; missing JPEG data are grey. Stray bytes between segments are noted
    too and harm nobody, so ``fail_on="warning"`` would refuse whole pictures of some cameras.
    """
    noted = pyvips.ffi.string(pyvips.vips_lib.vips_error_buffer()).decode(errors="replace")
    said = (noted + warned).lower()
    if (media_type == "image/tiff" and noted) or any(words in said for words in _MADE_UP):
        raise pyvips.Error(f"pixels are missing\n{warned}")


def _open(source: Source, **options: int) -> pyvips.Image:
    # The option is set on the loader itself; given elsewhere it is silently ignored for buffers (libvips #5195).
    if isinstance(source.data, bytes):
        return pyvips.Image.new_from_buffer(source.data, "", access="sequential", fail_on="error", **options)
    return pyvips.Image.new_from_file(str(source.data), access="sequential", fail_on="error", **options)


def _read_all(source: Source, image: pyvips.Image) -> None:
    if source.media_type == "image/tiff":
        image.avg()  # its tiles and strips are read where they are asked for, and nowhere else
    else:
        # The other formats can only be read from the top: the last row costs all rows before it, and nothing more.
        image.crop(0, image.height - 1, 1, 1).avg()


def _profile(image: pyvips.Image) -> ColourProfile:
    if not image.get_typeof("icc-profile-data"):
        return ColourProfile.NONE
    return classify(image.get("icc-profile-data"))


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
