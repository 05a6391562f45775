from __future__ import annotations

from typing import TYPE_CHECKING

from derivproxy.app.readiness import Readiness
from derivproxy.stores import open_store

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 10.0
        return self.now


async def test_a_store_lost_later_was_reached_all_the_same_also_for_who_asks_first_then(tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri(), "images")
    early, late = (Readiness(store, tmp_path / "reached", Clock()) for _ in range(2))
    assert not early.store_was_reached
    assert not late.store_was_reached
    await early.until_reached()
    (tmp_path / "store").rename(tmp_path / "lost")
    for readiness in (early, late):
        assert not await readiness.store_answers()
        assert readiness.store_was_reached
    (tmp_path / "lost").rename(tmp_path / "store")
    assert await late.store_answers()
    await store.close()
