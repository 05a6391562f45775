"""What the engine does from time to time: keep the store within its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from derivproxy.app.metered import MeteredStore
from derivproxy.domain.errors import Fault
from derivproxy.stores import Evicting

if TYPE_CHECKING:
    from derivproxy.app.rooms import Reading

EVERY_SECONDS = 60.0


async def keep_within_budget(read: Reading, *, every_seconds: float = EVERY_SECONDS) -> None:
    """Evict derivatives beyond ``store_budget_bytes`` and sweep what expired, for ever."""
    store = read.store.inner if isinstance(read.store, MeteredStore) else read.store
    if not isinstance(store, Evicting):
        return
    budget = read.settings.store_budget_bytes
    while True:
        try:
            expired = await store.sweep() if read.settings.derivative_expiry_seconds else 0
            if expired:
                read.log.info("expired derivatives swept", objects=expired)
            if budget:
                done = await store.evict(budget)
                if done.objects:
                    read.log.info("derivatives evicted", objects=done.objects, bytes=done.bytes, left=done.left_bytes)
        except Fault as fault:
            read.log.warning("upkeep of the store failed, tried again later", error=fault.detail)
        await anyio.sleep(every_seconds)
