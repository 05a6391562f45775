"""Finding, committing and removing one object: the sequences that hold against readers, writers and crashes.

    write   draft, stamped and synced → lock → sidecar for the new file and the present one → data → unlock
    read    open the data, then the sidecar, and take the description of the very file that is open
    remove  lock → data → sidecar → unlock → empty folders

Blocking; called from threads. *at* is told each step by name: a test dies there.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from derivproxy.domain.errors import StoreUnavailable, Unavailable
from derivproxy.stores.errors import BadKey, ObjectExists, ObjectMissing
from derivproxy.stores.filesystem import sidecar
from derivproxy.stores.filesystem.drafts import Draft
from derivproxy.stores.filesystem.layout import Place, place
from derivproxy.stores.filesystem.sidecar import Generation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from derivproxy.stores.filesystem.volume import Volume
    from derivproxy.stores.interface import ObjectStat

_TRIES = 100
_HASH_BYTES = 1024 * 1024
_SETTLED_NS = 5_000_000_000
# File systems keep modification times in nanoseconds, tenths of microseconds, microseconds, seconds or pairs of them.
_NUDGES_NS = (1, 100, 1_000, 1_000_000_000, 2_000_000_000)


@dataclass(frozen=True, slots=True)
class Found:
    """An open data file with its own description. Whoever has it closes *fd*."""

    place: Place
    fd: int
    file: os.stat_result
    generation: Generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a writer says of its bytes. *expires* in Unix seconds."""

    content_type: str
    metadata: Mapping[str, str]
    expires: float | None


class Objects:
    """The objects of one volume."""

    def __init__(self, volume: Volume, *, clock_ns: Callable[[], int], at: Callable[[str], None]) -> None:
        self.volume = volume
        self._clock_ns = clock_ns
        self._at = at

    def place(self, key: str) -> Place:
        """Where *key* lies."""
        return place(self.volume.root, key)

    def find(self, key: str) -> Found:
        """Open *key*. Raises ``ObjectMissing``, also for what expired."""
        where = self.place(key)
        for _ in range(_TRIES):
            fd = self._open(where)
            self._at("data-opened")
            try:
                found = self._identify(where, fd)
                if found is not None:
                    self._refuse_expired(found)
            except BaseException:
                os.close(fd)
                raise
            if found is not None:
                return found
            os.close(fd)
        raise StoreUnavailable(f"{key!r} is replaced faster than it can be read: see who writes it")

    def commit(self, key: str, draft: Draft, said: Description, *, create: bool) -> ObjectStat:
        """Make *draft* the object *key*, replacing what was there or, with *create*, raising ``ObjectExists``."""
        where = self.place(key)
        with draft.held():
            self.volume.check()
            draft.finish(self._clock_ns())
            self._at("draft-durable")
            with self.volume.lock(key):
                self._at("locked")
                present = self._replaceable(where)
                before = self._before(where, present, create=create)
                self._tell_apart(draft, [*before, *([] if present is None else [present])])
                new = Generation(
                    size=draft.size,
                    mtime_ns=draft.mtime_ns,
                    md5=draft.md5,
                    content_type=said.content_type,
                    metadata=said.metadata,
                    expires=said.expires,
                )
                self._write_sidecar(where, [new, *before])
                self._at("sidecar-renamed")
                self._publish(where, draft, create=create)
                self._at("data-renamed")
                self.volume.sync_folder(where.folder)
                self._at("durable")
        return new.stat(key)

    def remove(
        self,
        key: str,
        *,
        only_if: Callable[[os.stat_result, Generation | None], bool] | None = None,
        durable: bool = True,
    ) -> bool:
        """Forget *key* (if the file and its description are such that *only_if*); says whether it was there.

        With *durable* off a power failure may bring it back, on some file systems without its description.
        """
        where = self.place(key)
        with self.volume.lock(key):
            self._at("locked")
            present = self._present(where)
            if present is None:
                self.volume.check()
            elif only_if is not None and not only_if(present, _describing(self._generations(where), present)):
                return False
            else:
                os.unlink(where.data)
                self._at("data-unlinked")
                # In this order also after a power failure: bytes without their description would be another object.
                if durable:
                    self.volume.sync_folder(where.folder)
            _unlink(where.sidecar)
            self._at("sidecar-unlinked")
        self.volume.drop_folders(where.folder)
        return present is not None

    def prolong(self, key: str, expires: float) -> None:
        """Have *key*, where it is there and expires, expire not before *expires* (Unix seconds)."""
        where = self.place(key)
        with self.volume.lock(key):
            present = self._present(where)
            current = present and _describing(self._generations(where), present)
            if current and current.expires is not None and not current.expired(self._clock_ns()):
                self._write_sidecar(where, [replace(current, expires=max(expires, current.expires))])

    def _open(self, where: Place) -> int:
        try:
            # Without waiting, should it be a pipe that somebody left here.
            fd = os.open(where.data, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            self.volume.check()
            raise ObjectMissing(f"nothing is under {where.key!r}") from None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise ObjectMissing(f"nothing is under {where.key!r}: what lies there is no file")
        return fd

    def _identify(self, where: Place, fd: int) -> Found | None:
        """The open file with its description, or ``None`` where it was replaced or removed meanwhile."""
        file = os.fstat(fd)
        generations = self._generations(where)
        generation = _describing(generations, file)
        if generation is None:
            if not _is_still(where.data, file):
                return None
            generation = self._examine(fd, file, generations)
            if not _is_still(where.data, file):
                return None
            self._adopt(where, file, generation)
        return Found(where, fd, file, generation)

    def _examine(self, fd: int, file: os.stat_result, generations: Iterable[Generation]) -> Generation:
        """Describe a file that came here in another way: copied with its sidecar but another time, or without any."""
        digest, offset = hashlib.md5(usedforsecurity=False), 0
        while piece := os.pread(fd, _HASH_BYTES, offset):
            digest.update(piece)
            offset += len(piece)
        md5 = digest.hexdigest()
        for one in generations:
            if one.size == offset and one.md5 == md5:
                return replace(one, mtime_ns=file.st_mtime_ns)
        return Generation(size=offset, mtime_ns=file.st_mtime_ns, md5=md5, content_type="application/octet-stream")

    def _adopt(self, where: Place, file: os.stat_result, generation: Generation) -> None:
        """Keep what was found out, so that it costs once; where it cannot be kept it is found out again."""
        # A file still being written keeps its size and time for a tick of the kernel's clock.
        if self._clock_ns() - file.st_mtime_ns < _SETTLED_NS or generation.size != file.st_size:
            return
        try:
            with self.volume.lock(where.key):
                present = self._present(where)
                if present is not None and _same(present, file) and not _describing(self._generations(where), file):
                    self._write_sidecar(where, [generation])
        except (OSError, Unavailable, BadKey):
            return

    def _refuse_expired(self, found: Found) -> None:
        if found.generation.expired(self._clock_ns()):
            raise ObjectMissing(f"{found.place.key!r} expired")

    def _present(self, where: Place) -> os.stat_result | None:
        try:
            present = os.stat(where.data)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return present if stat.S_ISREG(present.st_mode) else None

    def _replaceable(self, where: Place) -> os.stat_result | None:
        """The file that a commit replaces. A folder that is there is an empty one, which goes, or ``BadKey``."""
        try:
            present = os.stat(where.data)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(present.st_mode):
            try:
                os.rmdir(where.data)
            except FileNotFoundError:
                return None
            except OSError:
                raise BadKey(f"{where.key!r} is a folder of other keys") from None
        return present if stat.S_ISREG(present.st_mode) else None

    def _before(self, where: Place, present: os.stat_result | None, *, create: bool) -> list[Generation]:
        """What stays beside the new description: that of the file that readers find until it is replaced."""
        generations = self._generations(where)
        if present is None:
            # Nobody's, unless another creator, on a network file system without locks, is about to show its file.
            return list(generations[:1])
        current = _describing(generations, present)
        if create:
            if current is None or not current.expired(self._clock_ns()):
                raise ObjectExists(f"{where.key!r} is there already")
            os.unlink(where.data)
        if current is not None:
            return [current]
        return [one for one in generations if one.size == present.st_size][:1]

    def _tell_apart(self, draft: Draft, others: Iterable[Generation | os.stat_result]) -> None:
        """Give the draft a time that, with its size, is no other file's."""
        taken = {
            (one.size, one.mtime_ns) if isinstance(one, Generation) else (one.st_size, one.st_mtime_ns)
            for one in others
        }
        latest = max((mtime_ns for _, mtime_ns in taken), default=0)
        nudges_ns = iter(_NUDGES_NS)
        while (draft.size, draft.mtime_ns) in taken:
            nudge_ns = next(nudges_ns, None)
            if nudge_ns is None:
                raise StoreUnavailable(f"{self.volume.root} keeps no modification times: use another file system")
            draft.stamp(latest + nudge_ns)

    def _generations(self, where: Place) -> tuple[Generation, ...]:
        try:
            fd = os.open(where.sidecar, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        try:
            content = os.read(fd, 65536)
        except IsADirectoryError:
            return ()
        finally:
            os.close(fd)
        return sidecar.parse(content)

    def _write_sidecar(self, where: Place, generations: Iterable[Generation]) -> None:
        draft = Draft(self.volume, f"describe {where.key!r} in {self.volume.root}")
        try:
            draft.write(sidecar.render(generations))
            draft.sync()
            self._at("sidecar-written")
            self._in_folder(where, lambda: draft.replace(where.sidecar))
        finally:
            draft.discard()
        self.volume.sync_folder(where.folder)

    def _publish(self, where: Place, draft: Draft, *, create: bool) -> None:
        try:
            if create:
                draft.create(where.data)
            else:
                draft.replace(where.data)
        except FileExistsError:
            raise ObjectExists(f"{where.key!r} is there already") from None

    def _in_folder(self, where: Place, deed: Callable[[], None]) -> None:
        """Do *deed* in the object's folder, which whoever removes the last object in it may take away at any time."""
        for _ in range(_TRIES):
            try:
                deed()
            except FileNotFoundError:
                try:
                    self.volume.make_folder(where.folder)
                except NotADirectoryError as error:
                    raise _inside_object(where, error) from None
                self._at("folder-made")
            except NotADirectoryError as error:
                raise _inside_object(where, error) from None
            else:
                return
        raise StoreUnavailable(f"{where.folder} is removed as fast as it is made: see what else works there")


def _inside_object(where: Place, error: OSError) -> BadKey:
    return BadKey(f"{where.key!r}: a folder of it is an object already ({error.filename})")


def _describing(generations: Iterable[Generation], file: os.stat_result) -> Generation | None:
    return next((one for one in generations if one.describes(file)), None)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) == (
        other.st_dev,
        other.st_ino,
        other.st_size,
        other.st_mtime_ns,
    )


def _is_still(path: str, file: os.stat_result) -> bool:
    try:
        return _same(os.stat(path), file)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return
