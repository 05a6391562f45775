"""A purge takes what was made from a base, over any store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from derivproxy.domain.errors import StoreUnavailable
from derivproxy.stores import delete_derivatives
from derivproxy.stores.filesystem import FilesystemStore

if TYPE_CHECKING:
    from pathlib import Path

IDENT = "0123456789abcdef" * 4
NEXT = IDENT[:-1] + "0"


async def test_derivatives_and_rungs_go_and_the_base_stays(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path, durable=False)
    made = [f"{IDENT}-{number}x.jpg" for number in range(1, 700)] + [f"{IDENT}~512", f"{IDENT}~1024"]
    stay = sorted([IDENT, NEXT, f"{NEXT}-x.jpg", f"{NEXT}~512", f"{IDENT}_x", "log/1"])
    for key in [*made, *stay]:
        await store.put(key, b"")
    assert await delete_derivatives(store, IDENT) == 701
    assert [entry.key async for entry in store.list()] == stay
    assert await delete_derivatives(store, IDENT) == 0


@pytest.mark.parametrize("ident", ["", "a", IDENT.upper(), IDENT + "-", IDENT[:-1], IDENT + "\n"])
async def test_only_an_ident_is_purged(tmp_path: Path, ident: str) -> None:
    with pytest.raises(ValueError, match="is no ident"):
        await delete_derivatives(FilesystemStore(tmp_path), ident)


async def test_a_store_that_fails_says_so_as_one_error(tmp_path: Path) -> None:
    def at(step: str) -> None:
        if step == "data-unlinked":
            raise OSError(5, "Input/output error")

    store = FilesystemStore(tmp_path, at=at)
    for number in range(1, 20):
        await store.put(f"{IDENT}-{number}x.jpg", b"")
    with pytest.raises(StoreUnavailable, match="look at the kernel's log"):
        await delete_derivatives(store, IDENT)
