from __future__ import annotations

import anyio

from derivproxy.updates.turns import Turns


async def test_one_name_is_for_one_at_a_time_and_names_do_not_wait_for_each_other() -> None:
    turns = Turns()
    inside: dict[str, int] = {"a": 0, "b": 0}
    most: dict[str, int] = {"a": 0, "b": 0}
    together = 0

    async def work(name: str) -> None:
        nonlocal together
        async with turns.of(name):
            inside[name] += 1
            most[name] = max(most[name], inside[name])
            together = max(together, sum(inside.values()))
            await anyio.sleep(0.001)
            inside[name] -= 1

    async with anyio.create_task_group() as tasks:
        for name in "aaabbb":
            tasks.start_soon(work, name)
    assert most == {"a": 1, "b": 1}
    assert together == 2
    assert len(turns) == 0


async def test_nothing_is_kept_of_turns_that_were_given_up() -> None:
    turns = Turns()

    async def wait() -> None:
        async with turns.of("a"):
            raise AssertionError

    async with turns.of("a"):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.sleep(0.001)
            assert len(turns) == 1
            tasks.cancel_scope.cancel()
        assert len(turns) == 1
    assert len(turns) == 0
