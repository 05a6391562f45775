"""libvips as this room wants it: recent enough, careful, and with one loader open at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyvips

MINIMUM: Final = (8, 17)
"""The oldest libvips whose loaders and savers this room was tried with."""

_LOADERS: Final = {
    "image/jpeg": "VipsForeignLoadJpeg",
    "image/png": "VipsForeignLoadPng",
    "image/webp": "VipsForeignLoadWebp",
    "image/avif": "VipsForeignLoadHeif",
    "image/gif": "VipsForeignLoadNsgif",
    "image/tiff": "VipsForeignLoadTiff",
}
_OPERATIONS: Final = {
    "jpg": "jpeg",
    "png": "png",
    "webp": "webp",
    "avif": "heif",
    "gif": "gif",
    "tif": "tiff",
    "jxl": "jxl",
}


class LibvipsTooOldError(RuntimeError):
    """The libvips that was really loaded is older than this room needs; says what to do about it."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this build reads and writes, by the words that names use for formats (``jpg``, ``tif``)."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]


def libvips_version() -> tuple[int, int, int]:
    """The version of the libvips that was really loaded, which need not be that of the installed wheel."""
    return pyvips.version(0), pyvips.version(1), pyvips.version(2)


def require_libvips(version: tuple[int, int, int]) -> None:
    """Raises :class:`LibvipsTooOldError` where *version*, the one loaded, is an old one that took the wheel's place."""
    if version < MINIMUM:
        raise LibvipsTooOldError(
            f"libvips {'.'.join(map(str, version))} was loaded; at least {'.'.join(map(str, MINIMUM))} is needed. "
            "Building pyvips beside an old libvips-dev replaces the wheel's library: "
            "run `pip install --force-reinstall --no-deps pyvips-binary`, or `make install` in a fresh checkout"
        )


def capabilities() -> Capabilities:
    """What this libvips can do; a format it lacks answers a clear error."""

    def having(verb: str) -> tuple[str, ...]:
        return tuple(word for word, name in _OPERATIONS.items() if pyvips.type_find("VipsOperation", name + verb))

    # SVG and the like are there in some builds and blocked in all: they are not in the list.
    return Capabilities(reads=tuple(word for word in having("load") if word != "jxl"), writes=having("save"))


def settle() -> None:
    """Make this process's libvips keep nothing, use one thread, and load nothing until :func:`open_loader` says."""
    pyvips.cache_set_max(0)
    pyvips.concurrency_set(1)
    pyvips.block_untrusted_set(state=True)
    pyvips.operation_block_set("VipsForeignLoad", state=True)


def open_loader(media_type: str) -> None:
    """From here on, files of *media_type* are loaded and no others: what was sniffed is what decodes."""
    wanted = _LOADERS[media_type]
    for name in _LOADERS.values():
        if name != wanted:
            pyvips.operation_block_set(name, state=True)
    pyvips.operation_block_set(wanted, state=False)
