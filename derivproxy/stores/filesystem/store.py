"""The filesystem provider: ``Store`` and ``Evicting`` over one folder, for any number of processes at once."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from derivproxy.stores.checks import check_description, check_expires_in, check_key
from derivproxy.stores.errors import ObjectMissing, WrongDigest
from derivproxy.stores.evictable import is_evictable
from derivproxy.stores.filesystem.drafts import Draft, clean_drafts
from derivproxy.stores.filesystem.eviction import Evictor
from derivproxy.stores.filesystem.faults import faults
from derivproxy.stores.filesystem.listing import walk
from derivproxy.stores.filesystem.objects import Description, Found, Objects
from derivproxy.stores.filesystem.reading import Reading
from derivproxy.stores.filesystem.threads import Threads
from derivproxy.stores.filesystem.volume import Volume
from derivproxy.stores.interface import CHUNK_BYTES, Entry, Evicted, ObjectStat, Promises, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence

    from derivproxy.stores.filesystem.listing import Listed

T = TypeVar("T")
_FIRST_PAGE = 64
_PAGE = 1024


def nothing(_step: str) -> None:
    """What happens between two steps."""


class FilesystemStore:
    """Keeps the objects of one container below the folder *root*, which is made where it is missing.

    *durable* off skips every fsync, for what is safe to lose: after a power failure its bytes may be wrong. *evictable*
    says which keys eviction may take. *clock_ns* is Unix time in nanoseconds. *threads* is how many calls may block at
    once. *at* is told each step of a write by name, for tests that die there. Raises ``BadStore`` where something else
    lies at *root*, ``StoreUnavailable`` where it cannot be reached.
    """

    def __init__(
        self,
        root: Path,
        *,
        durable: bool = True,
        evictable: Callable[[str], bool] = is_evictable,
        clock_ns: Callable[[], int] = time.time_ns,
        randomness: Callable[[int], bytes] = os.urandom,
        at: Callable[[str], None] = nothing,
        threads: int = 16,
    ) -> None:
        self.root = root.absolute()
        volume = Volume(self.root, durable=durable, randomness=randomness)
        clean_drafts(volume)
        self._volume = volume
        self._objects = Objects(volume, clock_ns=clock_ns, at=at)
        hasty = Volume(self.root, durable=False, randomness=randomness)
        self._hasty = Objects(hasty, clock_ns=clock_ns, at=at)
        self._evictor = Evictor(objects=self._objects, evictable=evictable, clock_ns=clock_ns)
        self._clock_ns = clock_ns
        self._at = at
        self._threads = Threads(threads)

    @property
    def promises(self) -> Promises:
        """All but signed URLs."""
        return Promises(atomic_create=True, prompt=True, expiry=True, local_files=True)

    def open(self, key: str, *, start: int = 0, stop: int | None = None, newest: bool = False) -> Reading:
        """See ``Store.open``. Costs one thread hop, and one for each MiB after the first."""
        del newest  # always
        return Reading(self._objects, key, start, stop, self._run)

    async def stat(self, key: str, *, newest: bool = False) -> ObjectStat:
        """See ``Store.stat``."""
        del newest  # always
        check_key(key)

        def look() -> ObjectStat:
            with self._found(key) as found:
                return found.generation.stat(key)

        return await self._run(lambda: self._guard(f"look at {key!r}", look))

    async def put(
        self,
        key: str,
        body: bytes | Path | AsyncIterable[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        md5: str | None = None,
        expires_in: float | None = None,
        create: bool = False,
        durable: bool = True,
    ) -> ObjectStat:
        """See ``Store.put``."""
        check_key(key)
        check_description(content_type, metadata, expires_in)
        doing = f"put {key!r} in {self.root}"
        kept = dict(metadata or {})
        objects = self._objects if durable else self._hasty
        draft = Draft(objects.volume, doing)

        def commit() -> ObjectStat:
            if md5 is not None and draft.md5 != md5.lower():
                raise WrongDigest(f"{key!r}: MD5 {md5} was announced, the bytes have {draft.md5}; send them again")
            self._at("draft-written")
            expires = None if expires_in is None else self._clock_ns() / 1e9 + expires_in
            said = Description(content_type=content_type, metadata=kept, expires=expires)
            return self._guard(doing, lambda: objects.commit(key, draft, said, create=create))

        def write_and_commit(data: bytes) -> ObjectStat:
            draft.write(data)
            return commit()

        def copy_and_commit(source: Path) -> ObjectStat:
            draft.copy(source)
            return commit()

        try:
            if isinstance(body, Path):
                return await self._run(lambda: copy_and_commit(body))
            rest = bytes(body) if isinstance(body, bytes | bytearray | memoryview) else await self._stream(draft, body)
            return await self._run(lambda: write_and_commit(rest))
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._run(draft.discard)
            raise

    async def note_use(self, key: str, *, expires_in: float | None = None) -> None:
        """See ``Store.note_use``: sets the access time, and nothing else, of the data file."""
        check_key(key)
        check_expires_in(expires_in)

        def note() -> None:
            # By the open file: by its name, the time of another generation could be given to the next one.
            with contextlib.suppress(ObjectMissing), self._found(key) as found:
                os.utime(found.fd, ns=(self._clock_ns(), found.file.st_mtime_ns))
                if expires_in is not None and found.generation.expires is not None:
                    self._objects.prolong(key, self._clock_ns() / 1e9 + expires_in)

        await self._run(lambda: self._guard(f"note the use of {key!r}", note))

    async def delete(self, key: str) -> None:
        """See ``Store.delete``."""
        check_key(key)
        await self._run(lambda: self._guard(f"delete {key!r}", lambda: self._objects.remove(key)))

    async def list(self, *, prefix: str = "", after: str = "") -> AsyncIterator[Entry]:
        """See ``Store.list``."""
        listed, size = walk(self._volume, prefix=prefix, after=after), _FIRST_PAGE
        while page := await self._page(listed, size):
            for entry in page:
                yield entry
            size = min(2 * size, _PAGE)

    async def path(self, key: str) -> Path | None:
        """See ``Store.path``."""
        check_key(key)

        def look() -> Path | None:
            try:
                with self._found(key) as found:
                    return Path(found.place.data)
            except ObjectMissing:
                return None

        return await self._run(lambda: self._guard(f"look at {key!r}", look))

    async def signed_url(self, key: str, *, expires_in: float) -> None:
        """See ``Store.signed_url``: there is none."""
        check_key(key)
        check_expires_in(expires_in)

    async def usage(self) -> Usage:
        """See ``Evicting.usage``."""
        return await self._drive(f"count {self.root}", self._evictor.usage())

    async def evict(self, budget_bytes: int, *, older_than: float = 0.0) -> Evicted:
        """See ``Evicting.evict``: last use is the later of the access and the modification time."""
        return await self._drive(f"evict from {self.root}", self._evictor.evict(budget_bytes, older_than))

    async def sweep(self) -> int:
        """See ``Evicting.sweep``."""
        return await self._drive(f"sweep {self.root}", self._evictor.sweep())

    async def close(self) -> None:
        """See ``Store.close``: nothing is held open between calls but threads."""
        self._threads.close()

    async def _stream(self, draft: Draft, body: AsyncIterable[bytes]) -> bytes:
        """Write *body* in batches and give back the rest, for the last one; whoever sends waits for the disk."""
        batch: list[bytes] = []
        held = 0
        async for chunk in body:
            batch.append(chunk)
            held += len(chunk)
            if held >= CHUNK_BYTES:
                data = b"".join(batch)
                batch, held = [], 0
                await self._run(lambda: draft.write(data))  # noqa: B023 -- awaited here
        return b"".join(batch)

    async def _page(self, listed: Iterator[Listed], size: int) -> Sequence[Entry]:
        return await self._run(lambda: self._guard(f"list {self.root}", lambda: _page(listed, size)))

    @contextlib.contextmanager
    def _found(self, key: str) -> Iterator[Found]:
        found = self._objects.find(key)
        try:
            yield found
        finally:
            os.close(found.fd)

    async def _drive(self, doing: str, work: Generator[None, None, T]) -> T:
        ending = _Ending(work)
        try:
            while not await self._run(lambda: self._guard(doing, ending.step)):
                pass
        finally:
            with anyio.CancelScope(shield=True):
                await self._run(ending.close)
        return ending.result

    def _guard(self, doing: str, deed: Callable[[], T]) -> T:
        with faults(doing):
            return deed()

    async def _run(self, deed: Callable[[], T]) -> T:
        return await self._threads.run(deed)


class _Ending(Generic[T]):
    """Steps through a generator and keeps what it returns; ``StopIteration`` cannot leave a thread."""

    def __init__(self, work: Generator[None, None, T]) -> None:
        self._work = work
        self._turn = threading.Lock()
        self.result: T

    def step(self) -> bool:
        """Go on to the next pause; says whether it was the end."""
        with self._turn:
            try:
                next(self._work)
            except StopIteration as end:
                self.result = end.value
                return True
            return False

    def close(self) -> None:
        """End the work where it is, after the step that an asker who left may have left running."""
        with self._turn:
            self._work.close()


def _page(listed: Iterator[Listed], size: int) -> Sequence[Entry]:
    page = []
    for one in listed:
        page.append(Entry(key=one.key, size=one.file.st_size, modified=one.file.st_mtime_ns / 1e9))
        if len(page) == size:
            break
    return page
