"""Forgetting many keys at once, over any store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from derivproxy.stores.interface import Store

_IDENT = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 8
_BATCH = 512


async def delete_derivatives(store: Store, ident: str) -> int:
    """Delete what was made from the base *ident*, its derivatives and rungs, never the base; says how many keys.

    One listing: what is put meanwhile, or is not listed yet, stays for the next call. Raises ``ValueError`` for what is
    no ident.
    """
    if not _IDENT.fullmatch(ident):
        raise ValueError(f"{ident!r} is no ident: it takes 64 lower-case hex digits")
    gone = 0
    for mark in "-~":
        batch: list[str] = []
        async for entry in store.list(prefix=ident + mark):
            batch.append(entry.key)
            gone += 1
            if len(batch) == _BATCH:
                await _delete_all(store, batch)
                batch = []
        await _delete_all(store, batch)
    return gone


async def _delete_all(store: Store, keys: Sequence[str]) -> None:
    left = iter(keys)

    async def work() -> None:
        for key in left:
            await store.delete(key)

    try:
        async with anyio.create_task_group() as tasks:
            for _ in range(min(_AT_ONCE, len(keys))):
                tasks.start_soon(work)
    except BaseExceptionGroup as failed:
        # The workers met the same fault; the caller knows stores by single errors.
        raise failed.exceptions[0] from None
