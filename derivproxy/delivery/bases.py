"""Bases as local files, verified.

A store on this machine gives its own file. Any other base is spooled: brought into a bounded folder while it is hashed,
and kept there for the next derivation. A file is hashed once and then trusted while device, inode, size and time of
change stand. What the metadata knows and the store does not is ``BaseMissing``; bytes that do not hash to their name
are ``BaseDamaged``. Each is an alarm in the log, once until the base is well again, and never a 404.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter, OrderedDict
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from derivproxy.delivery.streams import Checked, write_all, writing
from derivproxy.domain.errors import BaseDamaged, BaseMissing, Fault
from derivproxy.hot_tier.files import LocalFile
from derivproxy.hot_tier.threads import to_the_end
from derivproxy.stores.errors import ObjectMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from derivproxy.domain.images import Facts
    from derivproxy.hot_tier.files import Digests
    from derivproxy.stores.interface import Store

_IDENT = re.compile(r"[0-9a-f]{64}")
_ALARMS = 1024
_PLACES = 1024
_PLACE_SECONDS = 5.0
"""How long a store is not asked again where a file lies. The system has a name so lately used at hand, so that opening
it blocks nobody, and a volume that hangs is met in a thread of the store."""


class Bases:
    """The bases of *store*; copies in *folder*, which this object alone writes to, take *budget_bytes* together.

    Copies in use are not evicted: what is in use may exceed the budget for as long as it is. :meth:`start` comes first.
    """

    def __init__(
        self,
        store: Store,
        *,
        folder: Path,
        budget_bytes: int,
        digests: Digests,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._folder = folder
        self._budget = budget_bytes
        self._digests = digests
        self._log = log
        self._clock = clock
        self._places: OrderedDict[str, tuple[Path, float]] = OrderedDict()
        self._copies: OrderedDict[str, int] = OrderedDict()
        self._bytes = 0
        self._users: Counter[str] = Counter()
        self._doomed: set[str] = set()
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        self._alarms: OrderedDict[tuple[str, str], None] = OrderedDict()

    @property
    def bytes(self) -> int:
        """What the copies take on disk."""
        return self._bytes

    async def start(self) -> None:
        """Take over the copies that a former life left, oldest first to go; each is hashed again before it is used."""
        found = await to_the_end(_take_over, self._folder)
        for ident, size in found:
            self._note_copy(ident, size)
        self._make_room(0)

    @asynccontextmanager
    async def local(self, ident: str, facts: Facts) -> AsyncIterator[Path]:
        """A path to the verified base, which any process of this user can open while the context is open.

        Raises ``BaseMissing``, ``BaseDamaged``, ``StoreUnavailable``, ``DiskFull``.
        """
        own = await self._own(ident)
        if own is not None:
            file, path = own
            file.release()
            yield path
            return
        self._users[ident] += 1
        try:
            file = await self._copy(ident, facts)
            file.release()
            yield self._folder / ident
        finally:
            self._left(ident)

    @asynccontextmanager
    async def find(self, ident: str, facts: Facts, *, ranged: bool = False) -> AsyncIterator[LocalFile | Checked]:
        """The base for whoever asks for its bytes: a verified file where there is one, else checked while it streams.

        With *ranged* always a file. Raises as :meth:`local`; a stream that turns out wrong raises ``BaseDamaged``.
        """
        own = await self._own(ident)
        if own is not None:
            file = own[0]
        elif ranged or ident in self._copies:
            self._users[ident] += 1
            try:
                file = await self._copy(ident, facts)
            finally:
                self._left(ident)
        else:
            try:
                async with self._store.open(ident) as opened:
                    yield Checked(
                        opened,
                        size=facts.bytes,
                        algorithm="sha256",
                        digest=ident,
                        wrong=lambda what: self._damaged(ident, what),
                    )
            except ObjectMissing:
                raise self._missing(ident) from None
            return
        try:
            yield file
        finally:
            file.release()

    def trust(self, ident: str, path: Path) -> None:
        """Believe that the file at *path* is the base *ident*: whoever calls has just hashed it."""
        file = LocalFile.open(path)
        self._digests.note(file, "sha256", ident)
        file.release()

    def drop(self, ident: str) -> None:
        """Forget the copy of *ident*, as soon as nobody uses it."""
        self._places.pop(ident, None)
        if ident in self._users:
            self._doomed.add(ident)
        else:
            self._forget(ident)

    async def _own(self, ident: str) -> tuple[LocalFile, Path] | None:
        """The store's own file, verified, and where it lies; ``None`` where the store has none on this machine."""
        if not self._store.promises.local_files:
            return None
        own = self._where_it_was(ident)
        if own is not None:
            return own
        path = await self._store.path(ident)
        if path is None:
            return None
        try:
            file = LocalFile.open(path)
        except FileNotFoundError:
            raise self._missing(ident) from None
        found = await self._digest(ident, file)
        if found != ident:
            file.release()
            raise self._damaged(ident, f"bytes with the sha256 {found}")
        self._well(ident)
        self._places[ident] = (path, self._clock() + _PLACE_SECONDS)
        if len(self._places) > _PLACES:
            self._places.popitem(last=False)
        return file, path

    def _where_it_was(self, ident: str) -> tuple[LocalFile, Path] | None:
        """What the store said a moment ago, as long as the very file that was hashed lies there."""
        path, until = self._places.get(ident, (None, 0.0))
        if path is None:
            return None
        if self._clock() < until:
            with suppress(OSError):
                file = LocalFile.open(path)
                if self._digests.known(file, "sha256") == ident:
                    return file, path
                file.release()
        del self._places[ident]
        return None

    async def _copy(self, ident: str, facts: Facts) -> LocalFile:
        """The copy in the folder, verified, fetched where there is none. The caller counts among its users."""
        async with self._turn(ident):
            if ident in self._copies:
                file = await self._good_copy(ident)
                if file is not None:
                    return file
            return await self._fetch(ident, facts)

    async def _good_copy(self, ident: str) -> LocalFile | None:
        try:
            file = LocalFile.open(self._folder / ident)
        except FileNotFoundError:
            self._forget(ident)
            return None
        found = await self._digest(ident, file, in_turn=True)
        if found != ident:
            file.release()
            self._log.warning("local copy of a base is damaged, fetched again", ident=ident, found=found)
            self._forget(ident)
            return None
        self._copies.move_to_end(ident)
        return file

    async def _fetch(self, ident: str, facts: Facts) -> LocalFile:
        self._make_room(facts.bytes)
        part = self._folder / f".{ident}"
        try:
            async with self._store.open(ident) as opened:
                checked = Checked(
                    opened,
                    size=facts.bytes,
                    algorithm="sha256",
                    digest=ident,
                    wrong=lambda what: self._damaged(ident, what),
                )
                with writing(self._folder), part.open("wb", buffering=0) as out:
                    async for chunk in checked:
                        await to_the_end(write_all, out, chunk)
                part.rename(self._folder / ident)
        except ObjectMissing:
            raise self._missing(ident) from None
        finally:
            part.unlink(missing_ok=True)
        self._note_copy(ident, facts.bytes)
        file = LocalFile.open(self._folder / ident)
        self._digests.note(file, "sha256", ident)
        self._well(ident)
        return file

    async def _digest(self, ident: str, file: LocalFile, *, in_turn: bool = False) -> str:
        """The digest of *file*, which is released where that fails; many who come at once hash once."""
        try:
            known = self._digests.known(file, "sha256")
            if known is not None:
                return known
            if in_turn:
                return await self._digests.of(file, "sha256")
            async with self._turn(ident):
                return await self._digests.of(file, "sha256")
        except BaseException:
            file.release()
            raise

    @asynccontextmanager
    async def _turn(self, ident: str) -> AsyncIterator[None]:
        """One at a time for each ident; a lock lives for as long as somebody wants it."""
        lock, wanted = self._turns.get(ident, (asyncio.Lock(), 0))
        self._turns[ident] = (lock, wanted + 1)
        try:
            async with lock:
                yield
        finally:
            lock, wanted = self._turns.pop(ident)
            if wanted > 1:
                self._turns[ident] = (lock, wanted - 1)

    def _left(self, ident: str) -> None:
        self._users[ident] -= 1
        if not self._users[ident]:
            del self._users[ident]
            if ident in self._doomed:
                self._doomed.discard(ident)
                self._forget(ident)
            self._make_room(0)

    def _note_copy(self, ident: str, size: int) -> None:
        self._bytes += size - self._copies.pop(ident, 0)
        self._copies[ident] = size

    def _make_room(self, size: int) -> None:
        for ident in [ident for ident in self._copies if ident not in self._users]:
            if self._bytes + size <= self._budget:
                break
            self._forget(ident)

    def _forget(self, ident: str) -> None:
        size = self._copies.pop(ident, None)
        if size is not None:
            self._bytes -= size
            (self._folder / ident).unlink(missing_ok=True)

    def _missing(self, ident: str) -> Fault:
        fault = BaseMissing(f"the store has no object for {ident}; restore it, or remove the image")
        self._alarm(ident, fault)
        return fault

    def _damaged(self, ident: str, what: str) -> Fault:
        fault = BaseDamaged(f"the store has {what} under {ident}; restore it, or remove the image")
        self._alarm(ident, fault)
        return fault

    def _alarm(self, ident: str, fault: Fault) -> None:
        if (ident, fault.code) not in self._alarms:
            self._alarms[ident, fault.code] = None
            if len(self._alarms) > _ALARMS:
                self._alarms.popitem(last=False)
            self._log.error(fault.code, ident=ident, detail=fault.detail)

    def _well(self, ident: str) -> None:
        for fault in (BaseMissing, BaseDamaged):
            if self._alarms.pop((ident, fault.code), True) is None:
                self._log.info("base is well again", ident=ident)


def _take_over(folder: Path) -> list[tuple[str, int]]:
    """The copies in *folder*, oldest first; what was being written is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if _IDENT.fullmatch(entry.name):
                stat = entry.stat(follow_symlinks=False)
                found.append((stat.st_mtime_ns, entry.name, stat.st_size))
            elif entry.name.startswith(".") and _IDENT.fullmatch(entry.name[1:]):
                (folder / entry.name).unlink(missing_ok=True)
    return [(ident, size) for _, ident, size in sorted(found)]
