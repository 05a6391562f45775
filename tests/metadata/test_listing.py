from __future__ import annotations

import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivproxy.domain.errors import BadRequest
from derivproxy.metadata import Metadata, Page
from derivproxy.metadata.cursors import Cursor
from derivproxy.metadata.listing import page_statement
from tests.metadata.making import ident, picture


async def walk(metadata: Metadata, limit: int, **narrowed: str) -> list[str]:
    found: list[str] = []
    after: str | None = None
    while True:
        page = await metadata.images(after=after, limit=limit, **narrowed)  # type: ignore[arg-type]
        found += [image.ident for image in page.images]
        if page.next is None:
            return found
        assert len(page.images) == limit
        after = page.next


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 1000])
async def test_a_walk_meets_each_image_once_newest_first(tmp_path: Path, limit: int) -> None:
    async with await Metadata.open(tmp_path / "m", write=True) as metadata:
        for seed in range(6):
            await metadata.add(picture(seed))
        assert await walk(metadata, limit) == [ident(seed) for seed in reversed(range(6))]


async def test_an_empty_listing_is_one_empty_page(tmp_path: Path) -> None:
    async with await Metadata.open(tmp_path / "m", write=True) as metadata:
        assert await metadata.images() == Page((), None)


async def test_a_walk_shows_the_membership_of_the_revision_it_began_at(tmp_path: Path) -> None:
    async with await Metadata.open(tmp_path / "m", write=True) as metadata:
        for seed in range(6):
            await metadata.add(picture(seed, tags=("t",)))
        await metadata.remove(ident(0))
        for narrowed in ({}, {"tag": "t"}):
            first = await metadata.images(limit=2, **narrowed)  # type: ignore[arg-type]
            await metadata.add(picture("new", tags=("t",)))
            await metadata.remove(ident(2))
            await metadata.remove(ident(5))
            rest = await metadata.images(limit=10, after=first.next, **narrowed)  # type: ignore[arg-type]
            shown = [image.ident for image in first.images + rest.images]
            assert shown == [ident(seed) for seed in (5, 4, 3, 2, 1)]
            assert ident("new") in await walk(metadata, 2, **narrowed)
            assert ident(2) not in await walk(metadata, 2, **narrowed)
            await metadata.remove(ident("new"))
            for seed in (2, 3, 4, 5):
                if metadata.status(ident(seed)).state == "live":
                    await metadata.remove(ident(seed))
            for seed in (2, 3, 4, 5):
                await metadata.add(picture(seed, tags=("t",)))


async def test_a_path_is_a_folder_and_all_that_is_below(tmp_path: Path) -> None:
    async with await Metadata.open(tmp_path / "m", write=True) as metadata:
        for seed, path in enumerate(["a", "a/b", "a/b/c.jpg", "ab", "A", "b/a", ""]):
            await metadata.add(picture(seed, path=path, tags=("even",) if seed % 2 == 0 else ()))
        found = {
            path: sorted(await walk(metadata, 2, path=path)) for path in ("a", "a/b", "ab", "a/b/c.jpg", "c.jpg", "a/")
        }
        assert found == {
            "a": sorted(map(ident, (0, 1, 2))),
            "a/b": sorted(map(ident, (1, 2))),
            "ab": [ident(3)],
            "a/b/c.jpg": [ident(2)],
            "c.jpg": [],
            "a/": [],
        }
        assert await walk(metadata, 1, path="a", tag="even") == [ident(2), ident(0)]


@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 5), st.sampled_from(["", "t", "u"])), max_size=20
    ),
    limit=st.integers(1, 4),
)
def test_listings_agree_with_a_plain_dictionary(steps: list[tuple[str, int, str]], limit: int) -> None:
    async def play() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with await Metadata.open(Path(folder) / "m", write=True) as metadata:
                model: dict[int, set[str]] = {}
                for step, seed, tag in steps:
                    tags = (tag,) if tag else ()
                    if step == "add":
                        _, created = await metadata.add(picture(seed, tags=tags))
                        assert created == (seed not in model)
                        model[seed] = set(tags) or model.get(seed, set())
                    elif seed in model:
                        await metadata.remove(ident(seed))
                        del model[seed]
                assert sorted(await walk(metadata, limit)) == sorted(map(ident, model))
                assert await metadata.idents() == sorted(map(ident, model))
                for tag in ("t", "u"):
                    expected = sorted(ident(seed) for seed, tags in model.items() if tag in tags)
                    assert sorted(await walk(metadata, limit, tag=tag)) == expected

    anyio.run(play)


@pytest.mark.parametrize(
    "after",
    [
        "",
        "x",
        "====",
        "MS4x",
        "é",
        "A" * 300,
        str(Cursor(1, 2, ident(1))) + "=",
        str(Cursor(1, 2, ident(1)))[:-1],
        "\n",
    ],
)
async def test_a_cursor_that_no_page_gave_is_refused(tmp_path: Path, after: str) -> None:
    async with await Metadata.open(tmp_path / "m", write=True) as metadata:
        with pytest.raises(BadRequest, match="is no cursor"):
            await metadata.images(after=after)


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1), st.integers())
def test_a_cursor_survives_being_carried(walk_: int, revision: int, seed: int) -> None:
    cursor = Cursor(walk_, revision, ident(seed))
    assert Cursor.parse(str(cursor)) == cursor


@given(st.text(max_size=120))
def test_any_text_is_a_cursor_in_its_one_spelling_or_refused(text: str) -> None:
    with suppress(BadRequest):
        assert str(Cursor.parse(text)) == text


async def test_a_page_leaves_out_what_was_added_after_its_walk_began(tmp_path: Path) -> None:
    async with await Metadata.open(tmp_path / "m", write=True) as metadata:
        for seed in range(3):
            await metadata.add(picture(seed, tags=("t",)))
        connection = sqlite3.connect(tmp_path / "m")
        try:
            for tag in (None, "t"):
                sql, values = page_statement(tag=tag, path=None, walk=2, after=None, limit=9, private=False)
                assert [row[1] for row in connection.execute(sql, values)] == [ident(1), ident(0)]
        finally:
            connection.close()


@pytest.mark.parametrize("narrowed", [{}, {"tag": "t"}, {"path": "p"}, {"tag": "t", "path": "p"}])
async def test_a_page_is_a_step_into_an_index_and_sorts_nothing(tmp_path: Path, narrowed: dict[str, str]) -> None:
    async with await Metadata.open(tmp_path / "m", write=True):
        pass
    sql, values = page_statement(
        tag=narrowed.get("tag"),
        path=narrowed.get("path"),
        walk=9,
        after=Cursor(9, 5, ident(1)),
        limit=10,
        private=False,
    )
    connection = sqlite3.connect(tmp_path / "m")
    try:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    finally:
        connection.close()
    outer = [step for step in plan if "SCALAR" not in step]
    assert not any("TEMP B-TREE" in step or step.startswith(("SCAN images", "SCAN labels")) for step in outer), plan
    assert ("SEARCH labels USING PRIMARY KEY" in outer[0]) == bool(narrowed), plan
