from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivproxy.delivery.admission import Admission
from derivproxy.domain.errors import Overloaded
from tests.delivery.rig import until


async def settle(turns: int = 6) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


class Crowd:
    """Requests that work until they are told to end."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.order: list[int] = []
        self.at_work: dict[int, int] = {}
        self.ends: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    def come(self, cost: int = 1) -> int:
        number = len(self.tasks)
        self.ends[number] = asyncio.Event()
        self.tasks[number] = asyncio.create_task(self._work(number, cost))
        return number

    async def _work(self, number: int, cost: int) -> None:
        async with self.admission.slot(cost):
            self.order.append(number)
            self.at_work[number] = cost
            try:
                await self.ends[number].wait()
            finally:
                del self.at_work[number]

    async def close(self) -> None:
        for end in self.ends.values():
            end.set()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def test_slots_are_granted_in_the_order_of_arrival() -> None:
    crowd = Crowd(Admission(slots=2, queue=10))
    for _ in range(6):
        crowd.come()
    await settle()
    assert (crowd.admission.working, crowd.admission.waiting) == (2, 4)
    for number in range(6):
        crowd.ends[number].set()
        await settle()
    assert crowd.order == [0, 1, 2, 3, 4, 5]
    assert (crowd.admission.working, crowd.admission.waiting) == (0, 0)
    await crowd.close()


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    crowd = Crowd(Admission(slots=1, queue=2))
    for _ in range(3):
        crowd.come()
    await settle()
    with pytest.raises(Overloaded) as refused:
        async with asyncio.timeout(0.01), crowd.admission.slot():
            raise AssertionError
    assert refused.value.retry_after == 1
    await crowd.close()


async def test_a_waiter_that_leaves_frees_its_place() -> None:
    crowd = Crowd(Admission(slots=1, queue=2))
    for _ in range(3):
        crowd.come()
    await settle()
    crowd.tasks[1].cancel()
    await settle()
    assert crowd.admission.waiting == 1
    crowd.come()
    await settle()
    assert crowd.admission.waiting == 2
    crowd.ends[0].set()
    await settle()
    assert crowd.order == [0, 2]
    await crowd.close()


async def test_a_slot_granted_to_one_who_leaves_in_that_instant_goes_to_the_next() -> None:
    crowd = Crowd(Admission(slots=1, queue=5))
    for _ in range(3):
        crowd.come()
    await settle()
    crowd.ends[0].set()
    await until(lambda: crowd.admission.waiting == 1)
    crowd.tasks[1].cancel()
    await settle()
    assert crowd.order == [0, 2]
    await crowd.close()
    assert crowd.admission.working == 0


async def test_a_slot_freed_while_the_next_in_line_is_leaving_goes_to_the_one_behind() -> None:
    crowd = Crowd(Admission(slots=1, queue=5))
    for _ in range(3):
        crowd.come()
    await settle()
    # In this order the worker wakes first and finds a waiter that is cancelled and does not know it yet.
    crowd.ends[0].set()
    crowd.tasks[1].cancel()
    await settle()
    assert crowd.order == [0, 2]
    await crowd.close()
    assert crowd.tasks[0].exception() is None


async def test_work_that_fails_gives_its_slot_back() -> None:
    admission = Admission(slots=1, queue=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with admission.slot(7):
                raise ZeroDivisionError
    assert admission.working == 0


async def test_costs_stay_within_the_capacity_and_the_line_is_kept() -> None:
    crowd = Crowd(Admission(slots=10, queue=10, capacity=10))
    for cost in (6, 5, 1):
        crowd.come(cost)
    await settle()
    assert crowd.order == [0], "the third must not overtake the second"
    crowd.ends[0].set()
    await settle()
    assert crowd.order == [0, 1, 2]
    await crowd.close()


async def test_what_costs_more_than_the_capacity_works_alone() -> None:
    crowd = Crowd(Admission(slots=10, queue=10, capacity=10))
    crowd.come(3)
    crowd.come(99)
    crowd.come(1)
    await settle()
    assert crowd.order == [0]
    crowd.ends[0].set()
    await settle()
    assert crowd.at_work == {1: 99}
    crowd.ends[1].set()
    await settle()
    assert crowd.at_work == {2: 1}
    await crowd.close()


async def test_when_the_costly_head_of_the_line_leaves_the_next_goes_on() -> None:
    crowd = Crowd(Admission(slots=10, queue=10, capacity=10))
    crowd.come(6)
    crowd.come(9)
    crowd.come(2)
    await settle()
    crowd.tasks[1].cancel()
    await settle()
    assert crowd.order == [0, 2]
    await crowd.close()


@pytest.mark.parametrize(("slots", "queue"), [(0, 1), (1, -1)])
def test_numbers_that_can_admit_nobody_are_refused(slots: int, queue: int) -> None:
    with pytest.raises(ValueError, match="slots="):
        Admission(slots=slots, queue=queue)


@settings(max_examples=80, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["come", "end", "cancel", "breathe"]), st.integers(0, 9), st.integers(1, 12)),
        max_size=50,
    )
)
def test_no_slot_is_lost_or_given_twice(steps: list[tuple[str, int, int]]) -> None:
    async def play() -> None:
        crowd = Crowd(Admission(slots=3, queue=4, capacity=12))
        for step, number, cost in steps:
            if step == "come":
                crowd.come(cost)
            elif step == "breathe":
                await settle(number)
            elif crowd.tasks and step == "end":
                crowd.ends[number % len(crowd.ends)].set()
            elif crowd.tasks:
                crowd.tasks[number % len(crowd.tasks)].cancel()
            assert len(crowd.at_work) <= 3
            assert sum(crowd.at_work.values()) <= 12
            assert crowd.admission.waiting <= 4
        await settle()
        if crowd.admission.waiting:
            assert crowd.at_work, "somebody waits and nobody works"
        await crowd.close()
        assert (crowd.admission.working, crowd.admission.waiting) == (0, 0)

    asyncio.run(play())
