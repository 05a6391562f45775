from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivproxy.delivery.coalescing import Coalescer
from derivproxy.domain.errors import Overloaded, Undecodable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def settle(turns: int = 10) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


class Work:
    """Runs that end when told to, and take a few turns to die."""

    def __init__(self) -> None:
        self.started = 0
        self.at_work = 0
        self.cancelled = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None
        self.turns_to_die = 0

    async def __call__(self) -> str:
        self.started += 1
        self.at_work += 1
        assert self.at_work == 1, "two runs for one name at once"
        try:
            await self.go.wait()
            if self.error is not None:
                raise self.error
        except asyncio.CancelledError:
            self.cancelled += 1
            await settle(self.turns_to_die)
            raise
        finally:
            self.at_work -= 1
        return f"result {self.started}"


async def ask(coalescer: Coalescer[str], work: Callable[[], Awaitable[str]], key: str = "k") -> tuple[str, bool]:
    async with coalescer.share(key, work) as (result, joined):
        return result, joined


async def test_many_askers_share_one_run() -> None:
    work = Work()
    discarded: list[str] = []
    async with asyncio.TaskGroup() as group:
        coalescer = Coalescer(group, discarded.append)
        askers = [asyncio.create_task(ask(coalescer, work)) for _ in range(200)]
        await settle()
        work.go.set()
        answers = await asyncio.gather(*askers)
    assert work.started == 1
    assert Counter(answers) == {("result 1", False): 1, ("result 1", True): 199}
    assert discarded == ["result 1"]
    assert len(coalescer) == 0


async def test_one_asker_leaving_does_not_stop_the_work() -> None:
    work = Work()
    async with asyncio.TaskGroup() as group:
        coalescer: Coalescer[str] = Coalescer(group, lambda _: None)
        first, second = (asyncio.create_task(ask(coalescer, work)) for _ in range(2))
        await settle()
        first.cancel()
        await settle()
        work.go.set()
        assert await second == ("result 1", True)
        with pytest.raises(asyncio.CancelledError):
            await first
    assert (work.started, work.cancelled) == (1, 0)


async def test_the_last_asker_leaving_cancels_the_run() -> None:
    work = Work()
    async with asyncio.TaskGroup() as group:
        coalescer: Coalescer[str] = Coalescer(group, lambda _: None)
        askers = [asyncio.create_task(ask(coalescer, work)) for _ in range(3)]
        await settle()
        for asker in askers:
            asker.cancel()
        await settle()
        assert (work.started, work.cancelled, work.at_work) == (1, 1, 0)
    assert len(coalescer) == 0


async def test_an_asker_that_arrives_during_cancellation_starts_afresh_when_the_old_run_is_gone() -> None:
    work = Work()
    work.turns_to_die = 20
    async with asyncio.TaskGroup() as group:
        coalescer: Coalescer[str] = Coalescer(group, lambda _: None)
        first = asyncio.create_task(ask(coalescer, work))
        await settle()
        first.cancel()
        await settle(3)
        assert work.at_work == 1, "the old run is dying"
        second = asyncio.create_task(ask(coalescer, work))
        await settle(3)
        assert work.started == 1, "two at work"
        work.go.set()
        assert await second == ("result 2", False)
    assert work.cancelled == 1


async def test_a_third_asker_waits_for_a_run_that_died_two_runs_ago() -> None:
    work = Work()
    work.turns_to_die = 30
    async with asyncio.TaskGroup() as group:
        coalescer: Coalescer[str] = Coalescer(group, lambda _: None)
        for _ in range(2):
            asker = asyncio.create_task(ask(coalescer, work))
            await settle(5)
            asker.cancel()
            await settle(2)
        assert work.at_work == 1
        third = asyncio.create_task(ask(coalescer, work))
        await settle(3)
        assert work.started == 1
        work.go.set()
        assert (await third)[1] is False


async def test_a_fault_reaches_every_asker_as_an_exception_of_its_own() -> None:
    work = Work()
    work.error = Undecodable("the bytes break off")
    async with asyncio.TaskGroup() as group:
        coalescer: Coalescer[str] = Coalescer(group, lambda _: None)
        askers = [asyncio.create_task(ask(coalescer, work)) for _ in range(5)]
        await settle()
        work.go.set()
        errors = await asyncio.gather(*askers, return_exceptions=True)
    assert [type(error) for error in errors] == [Undecodable] * 5
    assert len({id(error) for error in errors}) == 5
    assert len(coalescer) == 0


async def test_a_programming_error_reaches_the_asker_and_ends_no_other_run() -> None:
    async def broken() -> str:
        raise KeyError("a slip")

    work = Work()
    async with asyncio.TaskGroup() as group:
        coalescer: Coalescer[str] = Coalescer(group, lambda _: None)
        other = asyncio.create_task(ask(coalescer, work, "other"))
        with pytest.raises(KeyError):
            await ask(coalescer, broken)
        work.go.set()
        assert (await other)[0] == "result 1"


async def test_a_result_lives_until_the_last_asker_has_left_it() -> None:
    discarded: list[str] = []
    reading = asyncio.Event()
    work = Work()
    work.go.set()

    async def slow_reader(coalescer: Coalescer[str]) -> None:
        async with coalescer.share("k", work):
            await reading.wait()

    async with asyncio.TaskGroup() as group:
        coalescer = Coalescer(group, discarded.append)
        readers = [asyncio.create_task(slow_reader(coalescer)) for _ in range(3)]
        await settle()
        readers[0].cancel()
        await settle()
        assert discarded == []
        reading.set()
        await asyncio.gather(*readers, return_exceptions=True)
    assert discarded == ["result 1"]


async def test_a_result_that_nobody_waits_for_any_more_is_discarded() -> None:
    discarded: list[str] = []

    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "made all the same"
        return "late"

    async with asyncio.TaskGroup() as group:
        coalescer = Coalescer(group, discarded.append)
        asker = asyncio.create_task(ask(coalescer, stubborn))
        await settle()
        asker.cancel()
        await settle()
    assert discarded == ["made all the same"]


async def test_stopping_tells_those_who_wait_and_those_who_come() -> None:
    work = Work()
    async with asyncio.TaskGroup() as group:
        coalescer: Coalescer[str] = Coalescer(group, lambda _: None)
        waiting = asyncio.create_task(ask(coalescer, work))
        # Launched and stopped in the same instant: the run never takes its first step.
        await asyncio.sleep(0)
        coalescer.stop()
        with pytest.raises(Overloaded):
            await waiting
        with pytest.raises(Overloaded):
            await ask(coalescer, work)
    assert len(coalescer) == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "leave", "finish", "fail", "breathe"]),
        st.integers(0, 2),  # which key
        st.integers(0, 5),  # which asker, or how many turns
    ),
    max_size=40,
)


@settings(max_examples=120, deadline=None)
@given(steps=STEPS, turns_to_die=st.integers(0, 4))
def test_whatever_order_askers_come_and_go_in(steps: list[tuple[str, int, int]], turns_to_die: int) -> None:
    """One run for a name at once; each asker gets an answer, a fault or its own cancellation; nothing is left."""
    asyncio.run(play(steps, turns_to_die))


async def play(  # noqa: C901, PLR0915 - one play, told in one go
    steps: list[tuple[str, int, int]], turns_to_die: int
) -> None:
    at_work: Counter[int] = Counter()
    gates: dict[int, asyncio.Event] = {key: asyncio.Event() for key in range(3)}
    errors: dict[int, Exception | None] = dict.fromkeys(range(3))
    askers: dict[int, list[asyncio.Task[tuple[str, bool]]]] = {key: [] for key in range(3)}
    left: set[asyncio.Task[tuple[str, bool]]] = set()
    made: list[str] = []
    discarded: list[str] = []

    async def work(key: int) -> str:
        at_work[key] += 1
        assert at_work[key] == 1, "two runs for one name at once"
        try:
            await gates[key].wait()
            if errors[key] is not None:
                raise errors[key]  # type: ignore[misc]
        except asyncio.CancelledError:
            await settle(turns_to_die)
            raise
        finally:
            at_work[key] -= 1
        made.append(f"{key} {len(made)}")
        return made[-1]

    async with asyncio.TaskGroup() as group:
        coalescer: Coalescer[str] = Coalescer(group, discarded.append)
        for step, key, number in steps:
            match step:
                case "ask":
                    asker = asyncio.create_task(ask(coalescer, lambda key=key: work(key), str(key)))  # type: ignore[misc]
                    askers[key].append(asker)
                case "leave" if askers[key]:
                    asker = askers[key][number % len(askers[key])]
                    if not asker.done() and asker.cancel():
                        left.add(asker)
                case "finish" | "fail":
                    errors[key] = Undecodable("no") if step == "fail" else None
                    gates[key].set()
                    await settle(number)
                    gates[key].clear()
                case "breathe":
                    await settle(number)
        for key, gate in gates.items():
            errors[key] = None
            gate.set()
        everybody = [asker for group_ in askers.values() for asker in group_]
        if everybody:
            _, hanging = await asyncio.wait(everybody, timeout=5)
            assert not hanging, "a lost wake-up"
        for asker in everybody:
            if asker.cancelled():
                assert asker in left, "cancelled by another's leaving"
            elif asker.exception() is not None:
                assert isinstance(asker.exception(), Undecodable)
    assert len(coalescer) == 0
    assert not coalescer._ending  # noqa: SLF001 - nothing may be left behind
    assert sorted(discarded) == sorted(made)
    assert asyncio.all_tasks() == {asyncio.current_task()}
