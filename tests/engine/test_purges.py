from __future__ import annotations

import asyncio
import time

import pytest

from derivproxy.engine import Purges


def purges(kept: int = 100) -> Purges:
    async def purge(ident: str) -> int:
        return len(ident)

    return Purges(purge, clock=time.monotonic, kept=kept)


async def test_a_purge_is_told_to_who_waits_and_answers_when_it_was_done() -> None:
    told = purges()
    number, _ = await told.after("one", -1)
    waiting = asyncio.create_task(told.after("one", number))
    purging = asyncio.create_task(told.purge("abc"))
    number, idents = await waiting
    assert (number, idents) == (1, ["abc"])
    await asyncio.sleep(0.05)
    assert not purging.done(), "answered before the worker had forgotten"
    again = asyncio.create_task(told.after("one", number, wait_seconds=0.2))
    assert await asyncio.wait_for(purging, 0.5) == 3
    assert await again == (1, [])


async def test_without_workers_nobody_is_waited_for() -> None:
    assert await asyncio.wait_for(purges().purge("abc"), 0.5) == 3


async def test_a_worker_that_went_silent_does_not_hold_a_purge_up_for_long() -> None:
    told = purges()
    await told.after("one", -1)
    begun = time.monotonic()
    await told.purge("abc")
    assert time.monotonic() - begun < 5


async def test_several_purges_come_together_in_order() -> None:
    told = purges()
    for ident in ("a", "b", "c"):
        await told.purge(ident)
    assert await told.after("late", 1) == (3, ["b", "c"])


async def test_who_missed_too_much_is_told_so() -> None:
    told = purges(kept=2)
    for ident in ("a", "b", "c"):
        await told.purge(ident)
    with pytest.raises(LookupError):
        await told.after("late", 0)
    with pytest.raises(LookupError):
        await told.after("of another life", 9)


async def test_a_purge_that_fails_is_told_all_the_same() -> None:
    async def fails(ident: str) -> int:
        raise OSError(ident)

    told = Purges(fails, clock=time.monotonic)
    with pytest.raises(OSError, match="abc"):
        await told.purge("abc")
    assert await told.after("one", 0) == (1, ["abc"])


async def test_who_waits_when_it_stops_is_answered_with_nothing() -> None:
    told = purges()
    await told.purge("abc")
    waiting = asyncio.create_task(told.after("one", 1, wait_seconds=60))
    await asyncio.sleep(0.01)
    await told.stop()
    assert await asyncio.wait_for(waiting, 5) == (1, [])
