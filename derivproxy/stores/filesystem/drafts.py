"""Files that nobody sees yet, and their cleaning up after a writer that died.

A draft is locked (flock) as long as its writer lives, so a draft that can be locked is a dead writer's. Between making
and locking it a cleaner may take it away; then it has no name any more, and its writer makes another.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from typing import TYPE_CHECKING

from derivproxy.stores.filesystem.faults import NO_LINKS, faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from derivproxy.stores.filesystem.volume import Volume

_COPY_BYTES = 1024 * 1024


class Draft:
    """Bytes on their way to becoming a file; *size* and *md5* are of those written. Made at the first write.

    Methods may be called from any thread, also ``discard`` while another still writes: it waits.
    """

    def __init__(self, volume: Volume, doing: str) -> None:
        self.size = 0
        self.mtime_ns = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._volume = volume
        self._doing = doing
        self._path = ""
        self._fd = -1
        self._over = False
        self._unwanted = False
        self._turn = threading.Lock()

    @property
    def md5(self) -> str:
        """Lower-case hex."""
        return self._md5.hexdigest()

    def write(self, data: bytes) -> None:
        """Append *data*."""
        with self._turn, faults(self._doing):
            self._append(data)

    def copy(self, source: Path) -> None:
        """Append the bytes of *source*, whose own errors come through; ``discard`` ends it at its next piece."""
        with self._turn, source.open("rb", buffering=0) as file:
            while data := file.read(_COPY_BYTES):
                with faults(self._doing):
                    self._append(data)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep ``discard`` of another thread waiting while the draft becomes a file."""
        with self._turn:
            yield

    def finish(self, now_ns: int) -> None:
        """Stamp the file with its modification time, and make it durable."""
        self._append(b"")
        self.stamp(now_ns)

    def stamp(self, now_ns: int) -> None:
        """Set the modification time to *now_ns*, as exactly as the file system keeps it, durably."""
        os.utime(self._fd, ns=(now_ns, now_ns))
        self.mtime_ns = os.fstat(self._fd).st_mtime_ns
        self.sync()

    def sync(self) -> None:
        """Make what was written durable."""
        if self._volume.durable:
            os.fsync(self._fd)

    def replace(self, path: str) -> None:
        """Become *path*, whatever was there."""
        os.rename(self._path, path)
        self._close()

    def create(self, path: str) -> None:
        """Become *path*. Raises ``FileExistsError`` where something is there."""
        try:
            os.link(self._path, path)
        except OSError as error:
            if error.errno not in NO_LINKS or os.path.lexists(path):
                raise
            # Such a file system has our lock alone to keep creators apart.
            os.rename(self._path, path)
        else:
            os.unlink(self._path)
        self._close()

    def discard(self) -> None:
        """Leave nothing behind; does nothing to what has become a file."""
        # Said before the turn is ours: a long copy hears of it at its next piece.
        self._unwanted = True
        with self._turn:
            if not self._over and self._fd >= 0:
                with contextlib.suppress(OSError):
                    os.unlink(self._path)
                self._close()
            self._over = True

    def _append(self, data: bytes) -> None:
        if self._over or self._unwanted:
            raise RuntimeError("this draft is over")
        if self._fd < 0:
            self._open()
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._md5.update(data)
        self.size += len(data)

    def _open(self) -> None:
        while True:
            path = f"{self._volume.drafts}/{self._volume.randomness(12).hex()}"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            try:
                fd = os.open(path, flags, 0o666)
            except FileExistsError:
                continue
            except FileNotFoundError:
                self._volume.make_workshop()
                fd = os.open(path, flags, 0o666)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink:
                self._path, self._fd = path, fd
                return
            os.close(fd)

    def _close(self) -> None:
        fd, self._fd, self._over = self._fd, -1, True
        os.close(fd)


def clean_drafts(volume: Volume) -> int:
    """Take away the drafts of writers that died; says how many. What cannot be taken away stays."""
    gone = 0
    with contextlib.suppress(OSError), os.scandir(volume.drafts) as drafts:
        for draft in drafts:
            with contextlib.suppress(OSError):
                fd = os.open(draft.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(draft.path)
                    gone += 1
                finally:
                    os.close(fd)
    return gone
