"""Both sides, opened for looking only."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from derivproxy.metadata import MAX_PAGE, Metadata
from derivproxy.stores import BadStore, open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from derivproxy.config import Settings
    from derivproxy.stores import Store

CONTAINER = "images"


@asynccontextmanager
async def both(settings: Settings) -> AsyncIterator[tuple[Store, Metadata]]:
    """The store and the database of an installation. Raises what keeps either from being opened."""
    async with await Metadata.open(settings.data / "local" / "metadata.sqlite", write=False) as metadata:
        _check_there(settings.store)
        store = open_store(settings.store, CONTAINER)
        try:
            yield store, metadata
        finally:
            await store.close()


async def live_idents(metadata: Metadata) -> AsyncIterator[str]:
    """All live idents in their order, a page at a time."""
    after = ""
    while page := await metadata.idents(after=after, limit=MAX_PAGE):
        for ident in page:
            yield ident
        after = page[-1]


def _check_there(url: str) -> None:
    # Opening makes a folder where there is none: a mistyped address would look like a store that lost everything.
    parts = urlsplit(url)
    if parts.scheme == "file" and not (folder := Path(unquote(parts.path)) / CONTAINER).is_dir():
        raise BadStore(f"store {url!r}: there is no folder {folder}; mount it, or correct DERIVPROXY_STORE")
