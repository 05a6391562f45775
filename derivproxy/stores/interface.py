"""The ``Store`` protocol: bytes under keys, in one container. Every sentence here has a test in the contract suite."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What a provider can promise beyond keeping bytes."""

    atomic_create: bool = False
    """Of several ``put(create=True)`` for one key exactly one succeeds."""
    expiry: bool = False
    """An object put with ``expires_in`` is gone after that many seconds without anybody's help."""
    signed_urls: bool = False
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
    """One row of a listing: what a provider knows of an object without opening it."""

    key: str
    size: int
    modified: float


@runtime_checkable
class Opened(Protocol):
    """An open object: its stat, and its bytes (of the range asked for) in chunks of at most 1 MiB."""

    @property
    def stat(self) -> ObjectStat: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Store(Protocol):
    """Keeps objects under keys. An object appears whole or not at all: no reader sees half a ``put``.

    A key is 1 to 512 bytes of ``A-Z a-z 0-9 . _ ~ -`` in segments separated by ``/``; no segment is empty or begins
    with a dot. No key is a folder of another (``a`` and ``a/b`` cannot both be). Others raise ``BadKey``.
    Metadata keys are lower-case ``a-z 0-9 -``, values printable ASCII, all together at most 2,000 bytes, else ``ValueError``.

    Every method raises ``StoreUnavailable`` where the store cannot be reached or a permission is missing, and ``DiskFull``
    where there is no room; neither leaves anything half-kept.
    """

    @property
    def promises(self) -> Promises: ...

    def open(self, key: str, *, start: int = 0, stop: int | None = None) -> AbstractAsyncContextManager[Opened]:
        """Open *key* for reading bytes *start* up to but not including *stop* (the end where ``None`` or beyond it).

        Raises ``ObjectMissing`` on entering. What was opened is read to its end as it was, whatever is put or deleted meanwhile.
        """
        ...

    async def stat(self, key: str) -> ObjectStat:
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
    ) -> ObjectStat:
        """Keep *body* under *key*, replacing what was there, bytes and metadata together; durable when it returns.

        With *md5*, bytes of another digest raise ``WrongDigest`` and nothing is kept. With *create*, an object that is there
        raises ``ObjectExists``. A body that raises leaves the key as it was.
        """
        ...

    async def delete(self, key: str) -> None:
        """Forget *key*; a key that is not there is no error."""
        ...

    def list(self, *, prefix: str = "", after: str = "") -> AsyncIterator[Entry]:
        """Objects whose keys begin with *prefix* and sort after *after*, in the order of their keys' bytes, in constant memory."""
        ...

    async def path(self, key: str) -> Path | None:
        """A local file that holds exactly the object's bytes, or ``None`` where there is none. Not to be written to."""
        ...

    async def close(self) -> None:
        """Let go of connections and files. The store is not used afterwards."""
        ...
