from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import to_thread

from derivproxy.derive.examine import examine
from derivproxy.domain.errors import (
    BadRequest,
    Overloaded,
    Removed,
    StoreUnavailable,
    Undecodable,
    UnknownImage,
    UnsupportedMedia,
)
from derivproxy.domain.images import Facts
from derivproxy.domain.limits import Limits
from derivproxy.domain.status import State
from derivproxy.metadata import Metadata
from derivproxy.stores import ObjectMissing, Store, delete_derivatives, open_store
from derivproxy.updates import Absences, Added, Spool, Updates
from tests.updates.making import jpeg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from derivproxy.stores import ObjectStat


class Examiner:
    """The real examination in a thread of this process, counted, and held back while ``gate`` is closed."""

    def __init__(self) -> None:
        self.calls = 0
        self.gate = anyio.Event()
        self.gate.set()

    async def examine(self, path: Path, *, md5: str) -> Facts:
        self.calls += 1
        await self.gate.wait()
        return await to_thread.run_sync(lambda: examine(path, Limits(), md5=md5))


class House:
    """The write path over a real store and database."""

    def __init__(self, folder: Path, store: Store, metadata: Metadata, *, at_once: int = 64) -> None:
        self.store = store
        self.metadata = metadata
        self.examiner = Examiner()
        self.trusted: list[tuple[str, Path]] = []
        self.purged: list[str] = []
        self.now = 1_700_000_000.0
        self.purge_fails = False
        self.absences = Absences(lambda: self.now, seconds=2)
        self.spool = Spool(folder / "spool")
        self.updates = Updates(
            store=store,
            metadata=metadata,
            examiner=self.examiner,
            purge=self.purge,
            trust=lambda ident, path: self.trusted.append((ident, path)),
            absences=self.absences,
            clock=lambda: self.now,
            at_once=at_once,
        )

    async def purge(self, ident: str) -> int:
        self.purged.append(ident)
        assert self.metadata.status(ident).state is not State.UNKNOWN
        if self.purge_fails:
            raise StoreUnavailable("the store does not answer; try again")
        return await delete_derivatives(self.store, ident)

    async def add(self, body: bytes, *, title: str = "", tags: Sequence[str] = (), path: str = "") -> Added:
        async def chunks() -> AsyncIterator[bytes]:
            yield body

        async with self.spool.receive(chunks(), limit=10**8) as spooled:
            return await self.updates.add(spooled, title=title, tags=tags, path=path)

    async def keys(self) -> list[str]:
        return [entry.key async for entry in self.store.list()]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = open_store((tmp_path / "store").as_uri(), "images")
    async with await Metadata.open(tmp_path / "metadata.sqlite", write=True) as metadata:
        made = House(tmp_path, store, metadata)
        await made.spool.start()
        yield made
    await store.close()


async def test_an_upload_becomes_an_image_whose_store_alone_could_rebuild_it(house: House) -> None:
    body = jpeg(60, 40)
    added = await house.add(body, title=" A cat ", tags=["x", "x"], path="/pets/")
    image = added.image
    assert added.created
    assert (image.title, image.tags, image.path, image.added) == ("A cat", ("x",), "pets", house.now)
    assert (image.facts.width, image.facts.height, image.facts.media_type) == (60, 40, "image/jpeg")
    assert await house.metadata.image(image.ident) == image
    stat = await house.store.stat(image.ident)
    assert Facts.from_metadata(stat.metadata) == image.facts
    assert (stat.content_type, stat.size, stat.md5) == ("image/jpeg", len(body), image.facts.md5)
    (trusted,) = house.trusted
    assert trusted[0] == image.ident
    assert await anyio.Path(trusted[1]).read_bytes() == body


async def test_the_same_bytes_again_are_no_new_image_and_are_not_decoded_again(house: House) -> None:
    first = await house.add(jpeg(60, 40), title="cat")
    second = await house.add(jpeg(60, 40), tags=["x"])
    assert not second.created
    assert second.image == replace(first.image, tags=("x",), revision=2)
    assert house.examiner.calls == 1


async def test_the_same_bytes_again_mend_a_base_that_was_lost(house: House) -> None:
    first = await house.add(jpeg(60, 40))
    await house.store.delete(first.image.ident)
    await house.add(jpeg(60, 40))
    assert (await house.store.stat(first.image.ident)).size == first.image.facts.bytes


async def test_many_uploads_of_one_image_at_once_make_it_once(house: House) -> None:
    answers: list[Added] = []

    async def add() -> None:
        answers.append(await house.add(jpeg(60, 40)))

    async with anyio.create_task_group() as tasks:
        for _ in range(12):
            tasks.start_soon(add)
    assert sum(answer.created for answer in answers) == 1
    assert {answer.image.revision for answer in answers} == {1}
    assert house.examiner.calls == 1


@pytest.mark.parametrize(
    ("body", "fault"),
    [(b"no image at all", UnsupportedMedia), (b"", UnsupportedMedia), (jpeg(300, 300)[:-2000], Undecodable)],
)
async def test_what_is_no_whole_image_is_refused_and_leaves_nothing(
    house: House, body: bytes, fault: type[Exception]
) -> None:
    with pytest.raises(fault):
        await house.add(body)
    assert await house.keys() == []
    assert await house.metadata.idents() == []


async def test_what_is_said_wrong_is_refused_before_any_work(house: House) -> None:
    with pytest.raises(BadRequest, match="title="):
        await house.add(jpeg(60, 40), title="a\0b")
    assert house.examiner.calls == 0
    assert await house.keys() == []


async def test_more_uploads_than_there_are_places_are_turned_away_at_once(house: House, tmp_path: Path) -> None:
    small = House(tmp_path, house.store, house.metadata, at_once=2)
    small.examiner.gate = anyio.Event()
    async with anyio.create_task_group() as tasks:
        for seed in (1, 2):
            tasks.start_soon(small.add, jpeg(60, 40, seed))
        while small.examiner.calls < 2:  # noqa: ASYNC110
            await anyio.sleep(0.001)
        with pytest.raises(Overloaded):
            await small.add(jpeg(60, 40, 3))
        small.examiner.gate.set()
    assert (await small.add(jpeg(60, 40, 3))).created


async def test_an_upload_that_is_cancelled_is_not_visible_and_blocks_nobody(house: House) -> None:
    house.examiner.gate = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.add, jpeg(60, 40))
        while not house.examiner.calls:  # noqa: ASYNC110
            await anyio.sleep(0.001)
        tasks.cancel_scope.cancel()
    assert await house.metadata.idents() == []
    house.examiner.gate.set()
    assert (await house.add(jpeg(60, 40))).created


async def test_nothing_is_visible_before_the_base_is_in_the_store(house: House) -> None:
    seen: list[tuple[State, int]] = []

    def look(ident: str, path: Path) -> None:
        seen.append((house.metadata.status(ident).state, path.stat().st_size))

    house.updates._trust = look  # noqa: SLF001 - the hook, which is called right after the put
    body = jpeg(60, 40)
    added = await house.add(body)
    assert seen == [(State.UNKNOWN, len(body))]
    assert house.metadata.status(added.image.ident).state is State.LIVE


async def test_a_store_that_fails_leaves_nothing_visible(house: House, tmp_path: Path) -> None:
    ident = (await house.add(jpeg(60, 40, 1))).image.ident
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable):
        await house.add(jpeg(60, 40, 2))
    assert await house.metadata.idents() == [ident]


async def test_a_removed_image_leaves_no_object_behind(house: House) -> None:
    ident = (await house.add(jpeg(60, 40))).image.ident
    other = (await house.add(jpeg(60, 40, 2))).image.ident
    for key in (f"{ident}-30x.jpg", f"{ident}~512"):
        await house.store.put(key, b"derived")
    assert await house.updates.remove(ident) == 3
    assert house.metadata.status(ident).state is State.REMOVED
    assert await house.keys() == [other]
    with pytest.raises(Removed):
        await house.updates.remove(ident)
    with pytest.raises(UnknownImage):
        await house.updates.remove("0" * 64)


async def test_an_image_is_gone_before_its_objects_are(house: House) -> None:
    ident = (await house.add(jpeg(60, 40))).image.ident
    house.purge_fails = True
    with pytest.raises(StoreUnavailable):
        await house.updates.remove(ident)
    assert house.metadata.status(ident).state is State.REMOVED
    assert await house.keys() == [ident]
    # What could not be forgotten then is forgotten when somebody asks again.
    house.purge_fails = False
    with pytest.raises(Removed):
        await house.updates.remove(ident)
    assert await house.keys() == []


async def test_a_removal_whose_asker_leaves_is_carried_out(house: House) -> None:
    ident = (await house.add(jpeg(60, 40))).image.ident
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.updates.remove, ident)
        while house.metadata.status(ident).state is State.LIVE:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert await house.keys() == []


async def test_a_removed_image_that_is_put_in_again_is_new(house: House) -> None:
    ident = (await house.add(jpeg(60, 40), title="cat")).image.ident
    await house.updates.remove(ident)
    again = await house.add(jpeg(60, 40))
    assert again.created
    assert again.image.title == ""
    assert house.examiner.calls == 2
    assert await house.keys() == [ident]


async def test_a_removal_and_an_upload_at_once_end_as_one_after_the_other(house: House) -> None:
    ident = (await house.add(jpeg(60, 40))).image.ident
    for _ in range(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(house.updates.remove, ident)
            tasks.start_soon(house.add, jpeg(60, 40))
        live = house.metadata.status(ident).state is State.LIVE
        assert await house.keys() == ([ident] if live else [])
        if not live:
            await house.add(jpeg(60, 40))


async def test_a_purge_takes_derivatives_and_leaves_the_base(house: House) -> None:
    ident = (await house.add(jpeg(60, 40))).image.ident
    await house.store.put(f"{ident}-30x.jpg", b"derived")
    assert await house.updates.purge(ident) == 1
    assert await house.keys() == [ident]
    with pytest.raises(UnknownImage):
        await house.updates.purge("0" * 64)


async def test_a_row_lost_with_the_disk_is_made_again_from_the_store(house: House, tmp_path: Path) -> None:
    kept = (await house.add(jpeg(60, 40), title="cat")).image
    async with await Metadata.open(tmp_path / "fresh.sqlite", write=True) as fresh:
        later = House(tmp_path, house.store, fresh)
        found = await later.updates.recover(kept.ident)
        assert found.facts == kept.facts
        assert found.title == ""
        assert fresh.status(kept.ident).state is State.LIVE
        assert await later.updates.recover(kept.ident) == found
        assert await fresh.revision() == 1


async def test_recovering_never_brings_a_removed_image_back(house: House) -> None:
    kept = (await house.add(jpeg(60, 40))).image
    house.purge_fails = True
    with pytest.raises(StoreUnavailable):
        await house.updates.remove(kept.ident)
    assert await house.keys() == [kept.ident]
    with pytest.raises(Removed):
        await house.updates.recover(kept.ident)


class Counting:
    """Counts what the store is asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked = 0

    async def stat(self, key: str, *, newest: bool = False) -> ObjectStat:
        self.asked += 1
        return await self._store.stat(key, newest=newest)


async def test_an_unknown_ident_costs_one_question_for_a_while(house: House) -> None:
    counting = Counting(house.store)
    house.updates._store = counting  # type: ignore[assignment]  # noqa: SLF001
    ident = "ab" * 32

    async def ask() -> None:
        with pytest.raises(UnknownImage, match=ident):
            await house.updates.recover(ident)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
    assert counting.asked == 1
    house.now += 2
    await ask()
    assert counting.asked == 2


async def test_a_flood_of_unknown_idents_reaches_the_store_at_a_bounded_rate(house: House) -> None:
    counting = Counting(house.store)
    house.updates._store = counting  # type: ignore[assignment]  # noqa: SLF001
    for number in range(1_200):
        with pytest.raises(UnknownImage):
            await house.updates.recover(f"{number:064x}")
    assert counting.asked == 1_000


async def test_an_upload_ends_an_absence(house: House) -> None:
    ident = (await house.add(jpeg(60, 40))).image.ident
    await house.updates.remove(ident)
    house.absences.note(ident)
    await house.add(jpeg(60, 40))
    assert (await house.updates.recover(ident)).ident == ident


@pytest.mark.parametrize("changes", [{"md5": "0" * 32}, {"bytes": 3}])
async def test_an_object_whose_facts_are_of_other_bytes_is_not_believed(
    house: House, changes: dict[str, object]
) -> None:
    kept = (await house.add(jpeg(60, 40))).image
    wrong = replace(kept.facts, **changes)  # type: ignore[arg-type]
    await house.store.put("cd" * 32, b"anything", metadata=wrong.to_metadata())
    with pytest.raises(UnknownImage):
        await house.updates.recover("cd" * 32)
    await house.store.put("ef" * 32, b"anything")
    with pytest.raises(UnknownImage):
        await house.updates.recover("ef" * 32)
    assert await house.metadata.idents() == [kept.ident]


CHILD = """
import anyio, os, sys
from pathlib import Path
from derivproxy.metadata import Metadata
from derivproxy.stores import open_store
from tests.updates.test_updates import House
from tests.updates.making import jpeg
step = sys.argv[2]
async def main():
    folder = Path(sys.argv[1])
    async with await Metadata.open(folder / "metadata.sqlite", write=True) as metadata:
        house = House(folder, open_store((folder / "store").as_uri(), "images"), metadata)
        await house.spool.start()
        ident = (await house.add(jpeg(60, 40, 1))).image.ident
        if step == "examine":
            async def die(path, *, md5): os._exit(9)
            house.examiner.examine = die
        if step == "put":
            house.updates._trust = lambda ident, path: os._exit(9)
        if step == "tombstone":
            async def die(ident): os._exit(9)
            house.updates._purge = die
            await house.updates.remove(ident)
        await house.add(jpeg(60, 40, 2))
anyio.run(main)
"""


@pytest.mark.parametrize(
    ("step", "rows", "objects"), [("examine", 1, 1), ("put", 1, 2), ("tombstone", 0, 1), ("none", 2, 2)]
)
async def test_a_kill_between_two_steps_leaves_nothing_half_visible(
    tmp_path: Path, step: str, rows: int, objects: int
) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", CHILD, str(tmp_path), step]
    done = await to_thread.run_sync(lambda: subprocess.run(command, cwd=root, check=False))
    assert done.returncode == (0 if step == "none" else 9)
    store = open_store((tmp_path / "store").as_uri(), "images")
    async with await Metadata.open(tmp_path / "metadata.sqlite", write=True) as metadata:
        house = House(tmp_path, store, metadata)
        idents = await metadata.idents()
        assert len(idents) == rows
        assert len(await house.keys()) == objects
        for ident in idents:
            assert (await store.stat(ident)).md5 == (await metadata.image(ident)).facts.md5
        await house.spool.start()
        assert list((tmp_path / "spool").iterdir()) == []
        assert (await house.add(jpeg(60, 40, 2))).created is (step != "none")
        with pytest.raises(ObjectMissing):
            await store.stat("0" * 64)
    await store.close()
