"""The ``Store`` protocol: bytes under keys, in one container. Every sentence here has a test in the contract suite."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

CHUNK_BYTES = 1024 * 1024
"""No chunk of an open object is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What a provider can promise beyond keeping bytes."""

    atomic_create: bool = False
    """Of several ``put(create=True)`` for one key exactly one succeeds."""
    prompt: bool = False
    """What was acknowledged is seen at once, also without *newest*, and by ``list``."""
    expiry: bool = False
    """An object put with ``expires_in`` is missing after that many seconds without anybody's help."""
    signed_urls: bool = False
    """``signed_url()`` gives an address."""
    local_files: bool = False
    """``path()`` gives a file on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStat:
    """An object without its bytes. *md5* is lower-case hex; *modified* and *expires* are Unix seconds."""

    key: str
    size: int
    md5: str
    content_type: str
    modified: float
    metadata: Mapping[str, str] = field(default_factory=dict)
    expires: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of a listing: what a provider knows of an object without opening it; ``None`` is not known."""

    key: str
    size: int
    modified: float
    md5: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a store holds, in objects and their bytes; *evictable* is the part that eviction may take."""

    objects: int = 0
    bytes: int = 0
    evictable_objects: int = 0
    evictable_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evicted:
    """What an eviction took, and what evictable bytes are left."""

    objects: int = 0
    bytes: int = 0
    left_bytes: int = 0


@runtime_checkable
class Opened(Protocol):
    """An open object: its stat, and once its bytes (of the range asked for) in chunks of 1 byte to 1 MiB."""

    @property
    def stat(self) -> ObjectStat:
        """What is known of the whole object, also where a range is read."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Store(Protocol):
    """Keeps objects under keys. An object appears whole or not at all: no reader sees half a ``put``.

    A key is 1 to 512 bytes of ``A-Z a-z 0-9 . _ ~ -`` in segments separated by ``/``; a segment has 1 to 240 bytes and
    does not begin with a dot; the first is not just two lower-case hex digits. Others raise ``BadKey``. No key
    is a folder of another: where ``a`` is, putting ``a/b`` is a mistake that a store may refuse with ``BadKey``.

    Metadata keys are 1 to 64 of lower-case ``a-z 0-9 -``; values are 1 to 256 printable ASCII characters without spaces
    at their ends; all together have at most 2,000 bytes. A content type is like a value. Others raise ``ValueError``.

    Every method raises ``StoreUnavailable`` where the store cannot be reached or a permission is missing, and
    ``DiskFull`` where there is no room; neither leaves anything half-kept. A store that vanished (a volume that is not
    mounted) is unavailable, never empty.

    A new key is seen by ``open`` and ``stat`` as soon as its ``put`` returns. After overwriting or deleting, a store
    that is not ``prompt`` may answer from before for a while, unless asked with *newest*, which costs more. Its
    listings may lag too, so one listing alone proves nothing absent.

    Methods may be called from many tasks of one event loop at once. Cancelling one ends it whole or not at all.
    """

    @property
    def promises(self) -> Promises:
        """What this store can promise. It does not change while the store is open."""
        ...

    def open(
        self, key: str, *, start: int = 0, stop: int | None = None, newest: bool = False
    ) -> AbstractAsyncContextManager[Opened]:
        """Open *key* for reading bytes *start* up to but not including *stop* (the end where ``None`` or beyond it).

        Raises ``ObjectMissing`` on entering, and ``ValueError`` for a negative or backward range; a range that begins
        at or beyond the end has no bytes. What was opened is read to its end as it was, whatever is put or deleted
        meanwhile; where that fails, reading raises ``StoreUnavailable`` instead of ending early.
        """
        ...

    async def stat(self, key: str, *, newest: bool = False) -> ObjectStat:
        """What is known of *key*. Raises ``ObjectMissing``."""
        ...

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
        """Keep *body* under *key*, replacing what was there, bytes and metadata together; durable when it returns.

        With *durable* off a store may leave it to the system when it is written: after a power failure it may be gone,
        or its bytes may not be those of its *md5*. It is for what can be made again.

        With *md5*, bytes of another digest raise ``WrongDigest`` and nothing is kept. With *create*, an object that is
        there raises ``ObjectExists``. With *expires_in* seconds, which is more than 0, it expires (see ``Promises``).
        A body that raises leaves the key as it was, and its exception comes through. A ``put`` that raises
        ``StoreUnavailable`` may have happened, or still happen, whole: the reply was lost.
        """
        ...

    async def note_use(self, key: str, *, expires_in: float | None = None) -> None:
        """Remember that *key* was used, for evicting the least recently used first.

        With *expires_in*, an object that expires does so not before that many seconds from now; others stay as they
        are. Bytes, metadata and ``modified`` do not change. A key that is not there is no error.
        """
        ...

    async def delete(self, key: str) -> None:
        """Forget *key*; a key that is not there is no error."""
        ...

    def list(self, *, prefix: str = "", after: str = "") -> AsyncIterator[Entry]:
        """Objects whose keys begin with *prefix* and sort after *after*, in the order of their keys' bytes.

        In constant memory, without walking what precedes. Each key is named at most once; what is put or deleted
        meanwhile may be named or not, and never makes the listing fail. An object that expired may still be named.
        """
        ...

    async def path(self, key: str) -> Path | None:
        """A local file that holds exactly the object's bytes, or ``None`` where there is none. Not to be written to."""
        ...

    async def signed_url(self, key: str, *, expires_in: float) -> str | None:
        """An address where anybody can get *key* for *expires_in* seconds; ``None`` where the store gives none."""
        ...

    async def close(self) -> None:
        """Let go of connections and files. The store is not used afterwards; closing again is no error."""
        ...


@runtime_checkable
class Evicting(Protocol):
    """A store that is kept within a budget of bytes by taking away what can be made again."""

    async def usage(self) -> Usage:
        """Count what is there."""
        ...

    async def evict(self, budget_bytes: int, *, older_than: float = 0.0) -> Evicted:
        """Where more than *budget_bytes* are evictable, take the least recently used until 90 % of it are left.

        Only objects not used for *older_than* seconds are taken, and only such as can be made again: never a base,
        never a key that is no name.
        """
        ...

    async def sweep(self) -> int:
        """Take away what expired and what dead writers left behind; says how many objects expired."""
        ...
