"""Files on this machine that are read while others replace, evict or unlink them.

A file is held open, and its readers open it anew by way of the descriptor: what was verified is what is read, whatever
happens to the name. (Linux: ``/proc/self/fd``. Only this process can use such a path.)
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from derivproxy.hot_tier.threads import to_the_end

if TYPE_CHECKING:
    from typing import IO

_CHUNK_BYTES = 1024 * 1024
_REMEMBERED = 16_384


class LocalFile:
    """A file that several hold; the last to let go closes it. Whoever makes one holds it."""

    __slots__ = ("_file", "_holders", "size")

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._holders = 1
        self.size = os.fstat(file.fileno()).st_size

    @classmethod
    def open(cls, path: Path) -> LocalFile:
        """Hold the file at *path*. Raises ``OSError``. Blocks for as long as opening does."""
        return cls(path.open("rb", buffering=0))

    @classmethod
    def adopt(cls, path: Path) -> LocalFile:
        """Hold the file at *path* and take its name away, so that nothing is left behind when this process dies."""
        held = cls.open(path)
        path.unlink(missing_ok=True)
        return held

    @property
    def path(self) -> Path:
        """Where the bytes can be read for as long as somebody holds the file; each opening begins at the first byte."""
        return Path(f"/proc/self/fd/{self._file.fileno()}")

    @property
    def fingerprint(self) -> tuple[int, int, int, int]:
        """Device, inode, size and time of the last change of the bytes, in nanoseconds."""
        stat = os.fstat(self._file.fileno())
        return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)

    def hold(self) -> LocalFile:
        """One more holder, who must :meth:`release`."""
        if not self._holders:
            raise ValueError("the file is closed: its last holder let go")
        self._holders += 1
        return self

    def release(self) -> None:
        """One holder fewer. One too many is a mistake, which would close the file under another's hands."""
        if not self._holders:
            raise ValueError("the file is closed: its last holder let go")
        self._holders -= 1
        if not self._holders:
            self._file.close()


class Digests:
    """The digests of local files, computed once and believed while device, inode, size and time of change stand."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._limit = remembered
        self._known: OrderedDict[tuple[str, tuple[int, int, int, int]], str] = OrderedDict()

    def known(self, file: LocalFile, algorithm: str) -> str | None:
        """The digest of *file* in hex, if it was computed or noted before."""
        key = (algorithm, file.fingerprint)
        if key in self._known:
            self._known.move_to_end(key)
        return self._known.get(key)

    def note(self, file: LocalFile, algorithm: str, digest: str) -> None:
        """Believe that *file* has this digest: whoever wrote it hashed it."""
        self._note((algorithm, file.fingerprint), digest)

    async def of(self, file: LocalFile, algorithm: str) -> str:
        """The digest of *file* in hex, hashed in a thread where it is not known. Raises ``OSError``."""
        key = (algorithm, file.fingerprint)
        known = self.known(file, algorithm)
        if known is not None:
            return known
        digest = await to_the_end(_hash, file.path, algorithm)
        # Noted under what the file was before: bytes written during the hashing have another time of change.
        self._note(key, digest)
        return digest

    def _note(self, key: tuple[str, tuple[int, int, int, int]], digest: str) -> None:
        self._known[key] = digest
        self._known.move_to_end(key)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)


def _hash(path: Path, algorithm: str) -> str:
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb", buffering=0) as reader:
        while chunk := reader.read(_CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()
