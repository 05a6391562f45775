"""The bytes of an image that passed the header limits, and how they come about."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Final

from derivproxy.derive.headers import avif, gif, jpeg, png, tiff, webp
from derivproxy.derive.sniff import HEAD_BYTES, sniff
from derivproxy.domain.errors import TooLarge, Undecodable, UnsupportedMedia

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from derivproxy.derive.headers.header import Data, Header
    from derivproxy.domain.limits import Limits

_READERS: Final[Mapping[str, Callable[[Data, Limits], Header]]] = {
    "image/jpeg": jpeg.read,
    "image/png": png.read,
    "image/webp": webp.read,
    "image/avif": avif.read,
    "image/gif": gif.read,
    "image/tiff": tiff.read,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An image that may be decoded. *data* is its path; bytes only where something had to be cut out first."""

    data: Path | bytes
    media_type: str
    size: int
    """Bytes of the file as it is on disk."""
    header: Header
    """What the file claims; only the decoder knows."""


def open_source(path: Path, limits: Limits) -> Source:
    """Look at the header of the file at *path*, without a decoder and in time bounded by *limits*.

    Raises ``OSError`` where the file cannot be opened, ``TooLarge``, ``UnsupportedMedia``, ``Undecodable`` or the limit
    that its header goes beyond. Never blocks on what is no file.
    """
    # Not blocking, so that a FIFO nobody writes to is refused instead of waited for.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        state = os.fstat(number)
        if not stat.S_ISREG(state.st_mode):
            raise UnsupportedMedia(f"{path.name!r} is no regular file; name an image file")
        if state.st_size > limits.file_bytes:
            raise TooLarge(f"{state.st_size} bytes; a file may have {limits.file_bytes} (DERIVPROXY_MAX_FILE_BYTES)")
        media_type = sniff(os.pread(number, HEAD_BYTES, 0))
        with _mapped(number, state.st_size, limits) as data:
            header = _READERS[media_type](data, limits)
    except IndexError:
        raise Undecodable(f"the {media_type} breaks off inside its header; put in the whole file") from None
    finally:
        os.close(number)
    return Source(
        data=path if header.clean is None else header.clean, media_type=media_type, size=state.st_size, header=header
    )


def _mapped(number: int, size: int, limits: Limits) -> mmap:
    try:
        return mmap(number, 0, access=ACCESS_READ)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        raise TooLarge(
            f"{size} bytes do not fit into the {limits.memory_bytes} of a deriving process; send a smaller file, or "
            "raise DERIVPROXY_MAX_MEMORY_BYTES"
        ) from None
