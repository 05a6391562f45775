from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from derivproxy.delivery import Found, WriteBackLimits
from derivproxy.domain.errors import (
    BaseDamaged,
    BaseMissing,
    CropOutside,
    DerivationFailed,
    Overloaded,
    StoreUnavailable,
    TooSlow,
    Undecodable,
    UnknownImage,
)
from derivproxy.domain.status import State, Status
from grammar.names import Crop, Derivative, Format, Suffix
from tests.delivery.rig import IDENT, MIB, OTHER_IDENT, PICTURE, Rig, body_of, name, open_files, rigged, until
from tests.delivery.stores import FolderStore, MemoryStore


async def settle(turns: int = 20) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def found(rig: Rig, width: int = 300) -> Found:
    async with rig.runs.run(name(width)) as answer:
        return answer.found


async def test_a_storm_of_two_hundred_from_two_processes_is_one_derivation(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.open.clear()
        worker = rig.second_process()

        async def get(number: int) -> bytes:
            delivery = worker if number % 2 else rig.delivery
            async with delivery.derivative(name()) as answer:
                return await body_of(answer)

        askers = [asyncio.create_task(get(number)) for number in range(200)]
        await rig.deriver.begun.wait()
        rig.deriver.open.set()
        bodies = await asyncio.gather(*askers)
        assert set(bodies) == {rig.deriver.made(PICTURE, name().suffix)}
        assert rig.counted.runs == {("webp", "ok"): 1}
        assert rig.store.count("open", IDENT) == 1


@pytest.mark.parametrize("memory_bytes", [16 * MIB, 0], ids=["with memory", "without memory"])
async def test_stragglers_that_missed_the_store_before_the_run_ended_start_no_second_one(
    tmp_path: Path, memory_bytes: int
) -> None:
    async with rigged(tmp_path, memory_bytes=memory_bytes) as rig:
        # All look into the store and find nothing; half of them stay there until the run of the others is over.
        rig.deriver.open.clear()
        early = [asyncio.create_task(rig.get()) for _ in range(100)]
        await rig.deriver.begun.wait()
        rig.store.gates["open"] = asyncio.Event()
        misses = [asyncio.create_task(rig.get()) for _ in range(100)]
        await settle()
        rig.store.gates.pop("open").set()
        rig.deriver.open.set()
        await asyncio.gather(*early, *misses)
        # And those whose look-up was so slow that even the write back overtook it.
        await rig.written()
        assert await asyncio.gather(*(found(rig) for _ in range(20)))
        assert rig.counted.runs == {("webp", "ok"): 1}


async def test_a_late_asker_gets_what_is_still_on_its_way_to_the_store(tmp_path: Path) -> None:
    async with rigged(tmp_path, memory_bytes=0) as rig:
        rig.store.gates["put"] = asyncio.Event()
        assert await found(rig) is Found.DERIVED
        assert str(name()) not in rig.store.objects
        assert await found(rig) is Found.MEMORY
        rig.store.gates.pop("put").set()
        await rig.written()
        assert await found(rig) is Found.STORE
        rig.clock.now += 61
        assert await found(rig) is Found.DERIVED, "no longer recent: whoever asks has looked into the store"


async def test_the_first_asker_is_told_derived_and_the_others_shared(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.open.clear()
        askers = [asyncio.create_task(found(rig)) for _ in range(3)]
        await rig.deriver.begun.wait()
        rig.deriver.open.set()
        assert await asyncio.gather(*askers) == [Found.DERIVED, Found.SHARED, Found.SHARED]
        assert await found(rig) is Found.MEMORY


async def test_the_last_asker_leaving_ends_the_derivation_and_is_counted(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.open.clear()
        askers = [asyncio.create_task(rig.get()) for _ in range(3)]
        await rig.deriver.begun.wait()
        for asker in askers[:2]:
            asker.cancel()
        await settle()
        assert rig.deriver.cancelled == 0
        askers[2].cancel()
        await settle()
        assert rig.deriver.cancelled == 1
        assert rig.counted.runs == {("webp", "cancelled"): 1}
        assert rig.admission.working == 0
        rig.deriver.open.set()
        assert await rig.get(), "and who comes now starts afresh"
        assert rig.counted.runs["webp", "ok"] == 1


async def test_an_asker_during_cancellation_starts_afresh(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.slow_to_die = 0.05
        rig.deriver.open.clear()
        first = asyncio.create_task(rig.get())
        await rig.deriver.begun.wait()
        first.cancel()
        await settle()
        rig.deriver.open.set()
        assert await rig.get() == rig.deriver.made(PICTURE, name().suffix)
        assert rig.deriver.started[str(name().suffix)] == 2
        assert rig.deriver.most[str(name().suffix)] == 1


async def test_a_full_queue_answers_at_once_and_fetches_nothing(tmp_path: Path) -> None:
    async with rigged(tmp_path, slots=1, queue=1) as rig:
        rig.deriver.open.clear()
        first = asyncio.create_task(rig.get(name(1)))
        await rig.deriver.begun.wait()
        waiting = asyncio.create_task(rig.get(name(2, OTHER_IDENT)))
        await until(lambda: rig.admission.waiting)
        with pytest.raises(Overloaded):
            await rig.get(name(3))
        assert rig.store.count("open", OTHER_IDENT) == 0, "who waits holds no bytes"
        assert rig.runs.queue_depth == 2
        rig.deriver.open.set()
        await asyncio.gather(first, waiting)
        assert rig.counted.runs == {("webp", "ok"): 2}, "what was refused was not started"
        assert await rig.get(name(3)), "and it is not remembered"


async def test_arithmetic_refuses_before_a_slot_or_the_base(tmp_path: Path) -> None:
    async with rigged(tmp_path, slots=1, queue=0) as rig:
        rig.deriver.open.clear()
        busy = asyncio.create_task(rig.get())
        await rig.deriver.begun.wait()
        outside = Derivative(OTHER_IDENT, Suffix(format=Format.JPG, crop=Crop(3999, 0, 2, 2)))
        with pytest.raises(CropOutside):
            await rig.get(outside)
        with pytest.raises(UnknownImage):
            await rig.get(name(300, "f" * 64))
        assert rig.store.count("open", OTHER_IDENT) == 0
        rig.deriver.open.set()
        await busy
        assert rig.counted.runs == {("webp", "ok"): 1}


async def test_a_failing_derivation_is_not_tried_again_at_once(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.error = Undecodable("the bytes break off")
        for _ in range(5):
            with pytest.raises(Undecodable):
                await rig.get()
        assert rig.counted.runs == {("webp", "undecodable"): 1}
        rig.deriver.error = None
        assert await rig.get(name(301)), "another name of the same image is another matter"
        rig.clock.now += 11
        assert await rig.get()


async def test_an_image_that_hangs_or_kills_is_left_alone_under_all_its_names(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        for width, error in ((1, TooSlow("10 s")), (2, DerivationFailed("died twice")), (3, TooSlow("10 s"))):
            rig.deriver.error = error
            with pytest.raises(type(error)):
                await rig.get(name(width))
        rig.deriver.error = None
        with pytest.raises(TooSlow):
            await rig.get(name(4))
        assert await rig.get(name(4, OTHER_IDENT))
        rig.clock.now += 61
        assert await rig.get(name(4))


async def test_one_slow_name_does_not_take_the_others_away(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.error = TooSlow("10 s")
        for _ in range(3):
            with pytest.raises(TooSlow):
                await rig.get(name(1))
            rig.clock.now += 11
        rig.deriver.error = None
        assert await rig.get(name(2))


async def test_a_purge_forgets_failures(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.error = Undecodable("no")
        with pytest.raises(Undecodable):
            await rig.get()
        rig.deriver.error = None
        await rig.runs.purge(IDENT)
        assert await rig.get()


async def test_a_row_without_its_object_is_base_missing_and_looked_for_again(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        stored = rig.store.objects.pop(IDENT)
        for _ in range(3):
            with pytest.raises(BaseMissing):
                await rig.get()
        assert rig.store.count("open", IDENT) == 1
        rig.store.objects[IDENT] = stored
        rig.clock.now += 1.5
        assert await rig.get()


async def test_a_damaged_base_is_never_derived_from(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.store.rot(IDENT, PICTURE[:-1] + b"X")
        with pytest.raises(BaseDamaged):
            await rig.get()
        assert not rig.deriver.started
        assert rig.counted.runs == {("webp", "base-damaged"): 1}


async def test_a_store_that_cannot_be_asked_is_a_fault_and_not_remembered(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.store.down = True
        with pytest.raises(StoreUnavailable):
            await rig.get()
        with pytest.raises(StoreUnavailable):
            await found(rig)
        rig.store.down = False
        assert await rig.get()


async def test_what_was_made_is_written_back_with_its_label(tmp_path: Path) -> None:
    limits = WriteBackLimits(expires_in=3600.0)
    async with rigged(tmp_path, limits=limits) as rig:
        body = await rig.get()
        await rig.written()
        stat, stored = rig.store.objects[str(name())]
        assert stored == body
        assert stat.content_type == "image/webp;dv=3"
        assert stat.metadata == {"version": "3", "md5": stat.md5, "media-type": "image/webp"}
        assert stat.expires == 3600.0
        assert rig.write_back.written == 1


async def test_leaving_finishes_what_is_on_its_way(tmp_path: Path) -> None:
    store = MemoryStore()
    async with rigged(tmp_path, store=store) as rig:
        for width in range(20):
            await rig.get(name(width + 1))
    assert sum(key.startswith(IDENT + "-") for key in store.objects) == 20


async def test_leaving_does_not_wait_for_a_store_that_hangs(tmp_path: Path) -> None:
    store = MemoryStore()
    async with asyncio.timeout(3):
        async with rigged(tmp_path, store=store, drain_seconds=0.05) as rig:
            store.gates["put"] = asyncio.Event()
            for width in range(8):
                await rig.get(name(width + 1))
        assert (rig.write_back.waiting, rig.write_back.waiting_bytes) == (0, 0)
        assert rig.write_back.dropped == 8


async def test_leaving_by_cancellation_or_error_writes_back_too(tmp_path: Path) -> None:
    store = MemoryStore()

    async def serve() -> None:
        async with rigged(tmp_path, store=store) as rig:
            await rig.get()
            raise LookupError("the body of the context failed")

    with pytest.raises(LookupError):
        await serve()
    assert str(name()) in store.objects


async def test_leaving_tells_those_who_wait(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.open.clear()
        waiting = asyncio.create_task(rig.get())
        await rig.deriver.begun.wait()
    with pytest.raises(Overloaded):
        await waiting
    assert rig.deriver.cancelled == 1


async def test_a_store_that_refuses_writes_costs_no_answer(tmp_path: Path) -> None:
    class Full(MemoryStore):
        async def put(self, key: str, body: object, **options: object) -> object:  # type: ignore[override]
            if "-" in key:
                raise StoreUnavailable("no writes today")
            return await super().put(key, body, **options)  # type: ignore[arg-type]

    async with rigged(tmp_path, store=Full()) as rig:
        assert await rig.get()
        await rig.written()
        assert rig.write_back.failed == 1
        assert await found(rig) is Found.MEMORY


async def test_a_queue_that_is_full_drops_what_can_be_made_again(tmp_path: Path) -> None:
    async with rigged(tmp_path, limits=WriteBackLimits(items=100, bytes=5000, seconds=0.5)) as rig:
        rig.store.gates["put"] = asyncio.Event()
        for width in range(4):
            await rig.get(name(width + 1))
        assert (rig.write_back.waiting, rig.write_back.dropped) == (2, 2)
        rig.store.gates.pop("put").set()


@pytest.mark.parametrize("state", [State.REMOVED, State.BLOCKED, State.UNKNOWN])
async def test_what_is_no_longer_live_is_not_written_back(tmp_path: Path, state: State) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.open.clear()
        asker = asyncio.create_task(rig.get())
        await rig.deriver.begun.wait()
        rig.status[IDENT] = Status(state)
        rig.deriver.open.set()
        await asker
        await rig.written()
        assert str(name()) not in rig.store.objects


async def test_a_purge_during_a_run_is_not_undone_by_it(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.open.clear()
        asker = asyncio.create_task(rig.get())
        await rig.deriver.begun.wait()
        assert await rig.runs.purge(IDENT) == 0
        rig.deriver.open.set()
        assert await asker, "who waits is answered"
        await rig.written()
        assert str(name()) not in rig.store.objects
        assert rig.delivery.remembered(str(name())) is None
        assert rig.write_back.dropped == 0, "what is too old is not even queued"


async def test_what_waits_for_a_writer_when_a_purge_comes_is_not_written(tmp_path: Path) -> None:
    async with rigged(tmp_path, limits=WriteBackLimits(writers=1, seconds=0.5)) as rig:
        rig.store.gates["put"] = asyncio.Event()
        await rig.get(name(1, OTHER_IDENT))
        await settle()
        await rig.get()
        async with asyncio.timeout(0.2):
            await rig.runs.purge(IDENT)
        rig.store.gates.pop("put").set()
        await rig.written()
        assert sorted(rig.store.objects) == sorted([IDENT, OTHER_IDENT, str(name(1, OTHER_IDENT))])


async def test_a_purge_waits_for_a_write_that_has_begun_and_deletes_it(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        await rig.get(name(1))
        await rig.get(name(1, OTHER_IDENT))
        await rig.written()
        rig.store.gates["put"] = asyncio.Event()
        await rig.get(name(2))
        await settle()
        purge = asyncio.create_task(rig.runs.purge(IDENT))
        await settle()
        assert not purge.done()
        rig.store.gates.pop("put").set()
        assert await purge == 2
        assert sorted(rig.store.objects) == sorted([IDENT, OTHER_IDENT, str(name(1, OTHER_IDENT))])


async def test_a_purge_looks_again_for_what_another_machine_was_writing(tmp_path: Path) -> None:
    async with rigged(tmp_path, limits=WriteBackLimits(seconds=0.05)) as rig:
        await rig.get()
        await rig.written()
        late = rig.store.objects[str(name())]
        assert await rig.runs.purge(IDENT) == 1
        rig.store.objects[str(name())] = late
        await until(lambda: str(name()) not in rig.store.objects)
        assert IDENT in rig.store.objects


async def test_large_results_go_from_file_to_file_and_leave_none_behind(tmp_path: Path) -> None:
    before = open_files()
    async with rigged(tmp_path, memory_bytes=2 * MIB) as rig:
        rig.deriver.into_file = True
        rig.deriver.bytes = 3 * MIB
        rig.store.gates["put"] = asyncio.Event()
        async with rig.delivery.derivative(name()) as answer, rig.delivery.derivative(name()) as second:
            assert isinstance(answer.body, Path)
            assert isinstance(second.body, Path)
            rig.store.gates.pop("put").set()
            await rig.written()
            assert await body_of(answer) == rig.deriver.made(PICTURE, name().suffix)
        assert rig.store.objects[str(name())][1] == rig.deriver.made(PICTURE, name().suffix)
        assert list((tmp_path / "spool").iterdir()) == []
        assert rig.counted.runs == {("webp", "ok"): 1}
    gc.collect()
    assert open_files() == before


async def test_results_in_files_that_memory_can_keep_are_kept_there(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        rig.deriver.into_file = True
        async with rig.delivery.derivative(name()) as answer:
            assert isinstance(answer.body, bytes)
        assert rig.delivery.remembered(str(name())) is not None
        assert list((tmp_path / "spool").iterdir()) == []


async def test_cancelled_large_results_leave_no_file(tmp_path: Path) -> None:
    before = open_files()
    async with rigged(tmp_path, memory_bytes=2 * MIB) as rig:
        rig.deriver.into_file = True
        rig.deriver.bytes = 3 * MIB
        for turns in range(12):
            asker = asyncio.create_task(rig.get(name(turns + 1)))
            await settle(turns * 2)
            asker.cancel()
            await asyncio.wait([asker])
        await rig.written()
    gc.collect()
    assert list((tmp_path / "spool").iterdir()) == []
    assert open_files() == before


async def test_bases_on_this_machine_are_read_where_they_lie(tmp_path: Path) -> None:
    async with rigged(tmp_path, store=FolderStore(tmp_path / "store")) as rig:
        assert await rig.get() == rig.deriver.made(PICTURE, name().suffix)
        assert list((tmp_path / "bases").iterdir()) == []
        assert rig.store.count("open", IDENT) == 0


async def test_runs_outside_of_their_context_are_refused(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        pass
    with pytest.raises(Overloaded):
        await found(rig)
