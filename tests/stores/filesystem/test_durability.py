from __future__ import annotations

import os
from typing import TYPE_CHECKING

from derivproxy.stores.filesystem import FilesystemStore

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def test_only_what_must_not_be_lost_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    really = os.fsync

    def counting(fd: int) -> None:
        synced.append(fd)
        really(fd)

    store = FilesystemStore(tmp_path / "images")
    await store.put("a", b"bytes")
    monkeypatch.setattr(os, "fsync", counting)
    await store.put("b", b"bytes")
    assert len(synced) >= 3, "the data, its description and the folder"
    synced.clear()
    await store.put("c", b"bytes", durable=False)
    assert synced == []
    assert (await store.stat("c")).md5 == (await store.stat("b")).md5
    await store.close()
