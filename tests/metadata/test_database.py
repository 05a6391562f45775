from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from derivproxy.domain.errors import BadRequest, DiskFull, Overloaded, Removed, Unavailable, UnknownImage
from derivproxy.domain.status import State, Status
from derivproxy.metadata import Metadata
from derivproxy.metadata.errors import faults
from tests.metadata.making import facts, ident, picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def metadata(tmp_path: Path) -> AsyncIterator[Metadata]:
    async with await Metadata.open(tmp_path / "metadata.sqlite", write=True) as opened:
        yield opened


@pytest.fixture
async def reader(metadata: Metadata, tmp_path: Path) -> AsyncIterator[Metadata]:
    assert metadata is not None
    async with await Metadata.open(tmp_path / "metadata.sqlite", write=False) as opened:
        yield opened


async def test_an_image_comes_back_as_it_was_put_in(metadata: Metadata) -> None:
    given = picture("a", title="Zoë 的猫 & <hat>", path="pets/cats", tags=("cat", "hat"), private=True)
    kept, created = await metadata.add(given)
    assert created
    assert kept == replace(given, revision=1)
    assert await metadata.image(given.ident) == kept


async def test_the_same_image_again_is_no_new_one_and_changes_nothing(metadata: Metadata) -> None:
    kept, _ = await metadata.add(picture("a", title="cat", path="pets", tags=("x", "y")))
    again, created = await metadata.add(picture("a", added=1_800_000_000))
    assert (again, created) == (kept, False)
    assert await metadata.revision() == 1


async def test_what_is_said_again_replaces_and_what_is_not_said_stays(metadata: Metadata) -> None:
    first, _ = await metadata.add(picture("a", title="cat", path="pets/old", tags=("x", "y")))
    second, created = await metadata.add(picture("a", title="dog", tags=("z", "x")))
    assert not created
    assert second == replace(first, title="dog", tags=("z", "x"), revision=2)
    third, _ = await metadata.add(picture("a", path="new"))
    assert third == replace(second, path="new", revision=3)
    assert await metadata.image(first.ident) == third
    assert [found.ident for found in (await metadata.images(tag="z")).images] == [first.ident]
    assert (await metadata.images(tag="y")).images == ()
    assert (await metadata.images(path="pets")).images == ()
    assert (await metadata.images(path="new")).images == (third,)


async def test_facts_of_a_later_version_replace_and_of_an_older_do_not(metadata: Metadata) -> None:
    await metadata.add(replace(picture("a"), facts=facts("a", version=2, bits=8)))
    await metadata.add(replace(picture("a"), facts=facts("a", version=1, bits=4)))
    assert (await metadata.image(ident("a"))).facts.bits == 8
    await metadata.add(replace(picture("a"), facts=facts("a", version=3, bits=16)))
    assert (await metadata.image(ident("a"))).facts.bits == 16


async def test_a_tag_said_twice_is_one(metadata: Metadata) -> None:
    kept, _ = await metadata.add(picture("a", tags=("x", "y", "x")))
    assert kept.tags == ("x", "y") == (await metadata.image(kept.ident)).tags


async def test_an_unknown_image_is_unknown(metadata: Metadata) -> None:
    assert metadata.status(ident("a")) == Status(State.UNKNOWN)
    with pytest.raises(UnknownImage, match=ident("a")):
        await metadata.image(ident("a"))
    with pytest.raises(UnknownImage):
        await metadata.remove(ident("a"))
    assert await metadata.revision() == 0


async def test_a_removed_image_is_removed_for_good_until_it_is_put_in_again(metadata: Metadata) -> None:
    await metadata.add(picture("a", title="cat", tags=("x",)))
    assert await metadata.remove(ident("a")) == 2
    assert metadata.status(ident("a")) == Status(State.REMOVED)
    for call in (metadata.image, metadata.remove):
        with pytest.raises(Removed, match="put its bytes in again"):
            await call(ident("a"))
    assert (await metadata.images()).images == () == (await metadata.images(tag="x")).images
    assert await metadata.idents() == []

    kept, created = await metadata.add(picture("a", tags=("y",)))
    assert created
    assert (kept.title, kept.tags, kept.revision) == ("", ("y",), 3)
    assert metadata.status(ident("a")) == Status(State.LIVE)
    assert await metadata.remove(ident("a")) == 4
    assert metadata.status(ident("a")) == Status(State.REMOVED)


async def test_a_private_image_says_so_and_is_listed_only_where_asked(metadata: Metadata) -> None:
    await metadata.add(picture("a", private=True, tags=("x",)))
    assert metadata.status(ident("a")) == Status(State.PRIVATE)
    assert (await metadata.images(tag="x")).images == ()
    assert len((await metadata.images(tag="x", private=True)).images) == 1


async def test_adopting_makes_a_row_only_where_there_never_was_one(metadata: Metadata) -> None:
    found = await metadata.adopt(picture("a"))
    assert found.revision == 1
    assert metadata.status(ident("a")) == Status(State.LIVE)
    kept, _ = await metadata.add(picture("a", title="cat"))
    assert await metadata.adopt(picture("a")) == kept
    await metadata.remove(ident("a"))
    with pytest.raises(Removed):
        await metadata.adopt(picture("a"))
    assert metadata.status(ident("a")) == Status(State.REMOVED)
    assert await metadata.revision() == 3


async def test_a_commit_is_seen_at_once_by_every_reader(metadata: Metadata, reader: Metadata) -> None:
    for round_ in range(5):
        assert reader.status(ident("a")).state is (State.REMOVED if round_ else State.UNKNOWN)
        kept, _ = await metadata.add(picture("a", title=f"{round_}"))
        assert reader.status(ident("a")).state is State.LIVE
        assert await reader.image(ident("a")) == kept
        await metadata.remove(ident("a"))
        assert reader.status(ident("a")).state is State.REMOVED
        assert await reader.idents() == []


async def test_one_commit_ends_all_that_was_remembered(metadata: Metadata, reader: Metadata) -> None:
    for seed in range(3):
        await metadata.add(picture(seed))
    assert [reader.status(ident(seed)).state for seed in range(4)] == [State.LIVE] * 3 + [State.UNKNOWN]
    await metadata.remove(ident(2))
    await metadata.add(picture(3))
    assert [reader.status(ident(seed)).state for seed in range(4)] == [
        State.LIVE,
        State.LIVE,
        State.REMOVED,
        State.LIVE,
    ]


async def test_a_reader_changes_nothing(reader: Metadata) -> None:
    with pytest.raises(RuntimeError, match="only the engine"):
        await reader.add(picture("a"))


async def test_remembered_statuses_are_bounded_and_right(tmp_path: Path, metadata: Metadata) -> None:
    from derivproxy.metadata.statuses import Statuses  # noqa: PLC0415 - not public

    await metadata.add(picture(1))
    statuses = Statuses(tmp_path / "metadata.sqlite", remembered=3)
    try:
        for seed in [*range(10), *range(10)]:
            expected = State.LIVE if seed == 1 else State.UNKNOWN
            assert statuses(ident(seed)).state is expected
            assert len(statuses._known) <= 3  # noqa: SLF001
        assert statuses(ident(9)) is statuses(ident(9))
    finally:
        statuses.close()


async def test_idents_come_in_their_order_page_by_page(metadata: Metadata) -> None:
    for seed in range(25):
        await metadata.add(picture(seed))
    await metadata.remove(ident(7))
    expected = sorted(ident(seed) for seed in range(25) if seed != 7)
    found: list[str] = []
    while page := await metadata.idents(after=found[-1] if found else "", limit=10):
        found += page
    assert found == expected


async def test_a_change_whose_asker_is_cancelled_is_whole(metadata: Metadata) -> None:
    async def put(seed: int) -> None:
        await metadata.add(picture(seed, tags=("t", "u")))

    for seed in range(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(put, seed)
            for _ in range(seed % 7):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    found = (await metadata.images(limit=1000)).images
    assert all(kept.tags == ("t", "u") for kept in found)
    assert len(found) == await metadata.revision()
    await metadata.add(picture("after"))


async def test_a_change_that_fails_leaves_no_trace_and_the_next_goes_ahead(metadata: Metadata, tmp_path: Path) -> None:
    await metadata.add(picture("a"))
    other = sqlite3.connect(tmp_path / "metadata.sqlite", isolation_level=None)
    try:
        other.execute("CREATE TRIGGER no BEFORE INSERT ON labels BEGIN SELECT raise(FAIL, 'broken'); END")
        with pytest.raises(Unavailable, match="broken"):
            await metadata.add(picture("b", tags=("x",)))
        other.execute("DROP TRIGGER no")
    finally:
        other.close()
    assert metadata.status(ident("b")).state is State.UNKNOWN
    assert await metadata.revision() == 1
    _, created = await metadata.add(picture("b", tags=("x",)))
    assert created


async def test_a_full_disk_is_said_and_nothing_is_half_kept(metadata: Metadata) -> None:
    await metadata.add(picture("a"))
    writer = metadata._writer  # noqa: SLF001 - a disk cannot be filled here
    assert writer is not None
    ((pages,),) = list(await writer.execute_fetchall("PRAGMA page_count"))
    await writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull, match="make room"):
        await metadata.add(picture("b", title="t" * 200_000))
    assert metadata.status(ident("b")).state is State.UNKNOWN
    await writer.execute("PRAGMA max_page_count = 1000000")
    _, created = await metadata.add(picture("b"))
    assert created


def test_a_database_held_by_another_is_overload(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    holder = sqlite3.connect(path, isolation_level=None)
    asker = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Overloaded, match="held by another"), faults(path):
            asker.execute("BEGIN IMMEDIATE")
    finally:
        holder.close()
        asker.close()


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_a_page_has_1_to_1000_images(metadata: Metadata, limit: int) -> None:
    with pytest.raises(BadRequest, match=f"limit={limit}"):
        await metadata.images(limit=limit)
