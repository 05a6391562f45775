from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from derivproxy.app.metered import MeteredStore
from derivproxy.domain.errors import StoreUnavailable
from derivproxy.stores import BadKey, ObjectMissing
from derivproxy.stores.filesystem import FilesystemStore
from derivproxy.testing.reading import content

if TYPE_CHECKING:
    from pathlib import Path


class Heard:
    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def store(self, operation: str, outcome: str, seconds: float) -> None:
        assert 0 <= seconds < 10
        self.said.append((operation, outcome))


async def test_every_operation_is_counted_with_how_it_ended(tmp_path: Path) -> None:
    heard = Heard()
    store = MeteredStore(FilesystemStore(tmp_path / "images"), heard)
    await store.put("a", b"1")
    assert await content(store, "a") == b"1"
    with pytest.raises(ObjectMissing):
        async with store.open("b"):
            pass
    with pytest.raises(BadKey):
        await store.stat(".b")
    assert [entry.key async for entry in store.list()] == ["a"]
    (tmp_path / "images").rename(tmp_path / "gone")
    with pytest.raises(StoreUnavailable):
        await store.stat("b")
    assert heard.said == [
        ("put", "ok"),
        ("open", "ok"),
        ("open", "missing"),
        ("stat", "refused"),
        ("list", "ok"),
        ("stat", "store-unavailable"),
    ]


async def test_an_error_while_reading_is_not_one_of_opening(tmp_path: Path) -> None:
    heard = Heard()
    store = MeteredStore(FilesystemStore(tmp_path / "images"), heard)
    await store.put("a", b"1")
    with pytest.raises(ObjectMissing):
        async with store.open("a"):
            raise ObjectMissing("of another")
    assert heard.said[1:] == [("open", "ok")]


async def test_who_is_cancelled_is_counted_so(tmp_path: Path) -> None:
    heard = Heard()
    task = asyncio.create_task(MeteredStore(FilesystemStore(tmp_path / "images"), heard).stat("a"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard.said == [("stat", "cancelled")]
