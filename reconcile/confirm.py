"""A second look at each thing that seemed out of step: listings lag, and a service may be at work beside us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derivproxy.domain.status import State
from derivproxy.stores import ObjectMissing
from reconcile.drift import Drift, Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable

    from derivproxy.domain.status import Status
    from derivproxy.stores import Store


async def confirm(
    drifts: AsyncIterable[Drift], *, store: Store, status: Callable[[str], Status]
) -> AsyncIterator[Drift]:
    """Those of *drifts* that are still so: the store is asked for the base itself, the database for its row."""
    looked, there = "", False
    async for drift in drifts:
        state = status(drift.ident).state
        has_row = state not in (State.UNKNOWN, State.REMOVED)
        if drift.kind is Kind.ORPHAN:
            if not has_row:
                yield drift
            continue
        if drift.ident != looked:
            looked, there = drift.ident, await _is_there(store, drift.ident)
        if not there and (has_row or drift.kind is Kind.STRAY):
            yield drift


async def _is_there(store: Store, ident: str) -> bool:
    try:
        await store.stat(ident, newest=True)
    except ObjectMissing:
        return False
    return True
