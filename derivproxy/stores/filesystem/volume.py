"""A container's root folder: its marker, its locks, its folders, and making all of it durable."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import zlib
from typing import TYPE_CHECKING

from derivproxy.domain.errors import StoreUnavailable
from derivproxy.stores.errors import BadStore
from derivproxy.stores.filesystem.faults import NO_LINKS, faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LAYOUT = 1
MARKER = ".derivproxy-store"
DRAFTS = ".drafts"
_LOCKS = ".locks"
_LOCK_COUNT = 64
_TRIES = 100
_MARKER_BYTES = 4096


class Volume:
    """The folder *root*, made where it is missing. Says when it is no longer the one that was opened.

    Raises ``BadStore`` where something else lies at *root*, ``StoreUnavailable`` where it cannot be reached.
    """

    def __init__(self, root: Path, *, durable: bool, randomness: Callable[[int], bytes]) -> None:
        self.root = str(root)
        self.drafts = f"{self.root}/{DRAFTS}"
        self.randomness = randomness
        self.durable = durable
        self._marker = f"{self.root}/{MARKER}"
        with faults(f"open store {self.root}"):
            self._make_root()
            self._content = self._mark()
            self._identity(self._content)
            # Made now, so that what frees space (delete, evict) needs none. A volume only to be read goes without.
            with contextlib.suppress(OSError):
                self._make_workshop()

    def check(self) -> None:
        """Raise ``StoreUnavailable`` where the volume that was opened is gone: the folder it left is no empty store."""
        try:
            content = self._read_marker()
            # Looked at with every write and every miss: the very bytes that were there before are not parsed again.
            if content == self._content:
                return
            found = self._identity(content)
        except FileNotFoundError:
            raise StoreUnavailable(
                f"store {self.root} vanished: no {MARKER} there; mount the volume again, or restart if it moved"
            ) from None
        except BadStore as error:
            raise StoreUnavailable(str(error)) from error
        except OSError as error:
            raise StoreUnavailable(f"store {self.root} cannot be read: {error.strerror}; look at the volume") from error
        if found != self._identity(self._content):
            raise StoreUnavailable(f"store {self.root} is another one now: mount the volume that was there, or restart")

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Keep other writers of *key* out, in all threads and processes, until left."""
        fd = self._open_lock(f"{zlib.crc32(key.encode()) % _LOCK_COUNT:02x}")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            # Said aloud: a process forked meanwhile holds the same open file, and closing ours would not free it.
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)

    @contextlib.contextmanager
    def sole(self, work: str) -> Iterator[bool]:
        """Whether nobody else does *work* on this store; nobody else begins it until left."""
        fd = self._open_lock(work)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            try:
                yield True
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)

    def make_folder(self, folder: str) -> None:
        """Make *folder* and those above it up to the root, durably, also while others remove them as empty."""
        self.check()
        for _ in range(_TRIES):
            try:
                self._make_below(folder)
            except FileNotFoundError:
                self.check()
            else:
                return
        raise StoreUnavailable(f"{folder} is removed as fast as it is made: see what else works in {self.root}")

    def drop_folders(self, folder: str) -> None:
        """Remove *folder* and those above it, below the root, as far as they are empty."""
        while len(folder) > len(self.root):
            try:
                os.rmdir(folder)
            except OSError:
                return
            folder = os.path.dirname(folder)

    def sync_folder(self, folder: str) -> None:
        """Make the names in *folder* durable."""
        if self.durable:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def make_workshop(self) -> None:
        """Make the folders of drafts and locks again where somebody took them away."""
        self.check()
        self._make_workshop()

    def _make_workshop(self) -> None:
        for folder in (self.drafts, f"{self.root}/{_LOCKS}"):
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder)
        for number in range(_LOCK_COUNT):
            os.close(self._open_file(f"{number:02x}"))

    def _open_lock(self, name: str) -> int:
        try:
            return self._open_file(name)
        except FileNotFoundError:
            self.make_workshop()
            return self._open_file(name)

    def _open_file(self, name: str) -> int:
        return os.open(f"{self.root}/{_LOCKS}/{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def _make_below(self, folder: str) -> None:
        parent = os.path.dirname(folder)
        if len(parent) > len(self.root):
            self._make_below(parent)
        try:
            os.mkdir(folder)
        except FileExistsError:
            if os.path.isdir(folder):
                return
            raise NotADirectoryError(20, "Not a directory", folder) from None
        self.sync_folder(parent)

    def _make_root(self) -> None:
        folder, missing = self.root, []
        while not os.path.lexists(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        if not os.path.isdir(folder):
            raise BadStore(f"store {self.root}: {folder} is a file; name a folder, or move the file away")
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder)
            self.sync_folder(os.path.dirname(folder))

    def _mark(self) -> bytes:
        """The marker's bytes, made where there are none."""
        try:
            return self._read_marker()
        except FileNotFoundError:
            pass
        draft = f"{self._marker}.{self.randomness(8).hex()}"
        try:
            content = json.dumps({"layout": LAYOUT, "id": self.randomness(16).hex()})
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            with open(fd, "w", encoding="ascii") as file:
                file.write(content + "\n")
                file.flush()
                os.fsync(fd)
            # A link never replaces: of several processes that open a new store at once, all take the first one's mark.
            try:
                os.link(draft, self._marker)
            except FileExistsError:
                pass
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                os.rename(draft, self._marker)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
        self.sync_folder(self.root)
        return self._read_marker()

    def _read_marker(self) -> bytes:
        fd = os.open(self._marker, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, _MARKER_BYTES)
        finally:
            os.close(fd)

    def _identity(self, content: bytes) -> str:
        try:
            document = json.loads(content)
            layout, identity = document["layout"], str(document["id"])
        except (ValueError, KeyError, TypeError):
            raise BadStore(f"{self._marker} is damaged: restore it, or delete it to have a new one made") from None
        if layout != LAYOUT:
            raise BadStore(f"store {self.root} has layout {layout}, this version knows {LAYOUT}: update derivproxy")
        return identity
