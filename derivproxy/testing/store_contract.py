"""Every sentence of the ``Store`` protocol as a test."""

from __future__ import annotations

import hashlib
import re
import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from derivproxy.stores import BadKey, ObjectExists, ObjectMissing, Opened, Promises, Store, WrongDigest
from derivproxy.testing.reading import content, whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

IDENT = "0123456789abcdef" * 4
OTHER = "01234567" + "fedcba98" * 7
CHUNK = 1024 * 1024
_SEEN_SECONDS = 30.0

BAD_KEYS = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "..",
    "a/../b",
    "a b",
    "a\n",
    "a\0b",
    "ä",
    "a%20b",
    "a?b",
    "ab",
    "ab/c",
    "a" * 241,
    "a/" * 256 + "b",
]
GOOD_KEYS = [
    "a",
    "A.b_c~d-e/0",
    "log/00000001/0000000000000001",
    "abc/d",
    "abc",
    "a" * 240,
    "a/" * 255 + "bc",
    IDENT,
    f"{IDENT}-300x200-cover.jpg",
    f"{IDENT}~2048",
    "~",
    "-",
]


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


class _BodyBrokeError(Exception):
    pass


async def _breaking(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise _BodyBrokeError


@pytest.mark.anyio
class StoreContract:
    """Subclass, with a fixture ``factory``: a callable that opens one container, empty for each test, at each call."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def factory(self) -> Callable[[], Store]:
        raise NotImplementedError("a subclass of StoreContract has a fixture 'factory'")

    @pytest.fixture
    async def store(self, factory: Callable[[], Store]) -> AsyncIterator[Store]:
        opened = factory()
        yield opened
        await opened.close()

    async def names(self, store: Store, expected: list[str] | None = None, **asked: str) -> list[str]:
        """The keys listed; where the store is not prompt, asked again until they are those *expected*."""
        deadline = time.monotonic() + _SEEN_SECONDS
        while True:
            found = [entry.key async for entry in store.list(**asked)]
            if store.promises.prompt or found == expected or time.monotonic() > deadline:
                return found
            await anyio.sleep(0.2)

    # keeping

    async def test_what_is_put_is_read(self, store: Store) -> None:
        put = await store.put("a", b"bytes", content_type="image/jpeg;dv=3", metadata={"width": "3", "a-1": "x y=z"})
        stat, data = await whole(store, "a")
        assert data == b"bytes"
        assert (stat.key, stat.size, stat.md5) == ("a", 5, _md5(b"bytes"))
        assert stat.content_type == "image/jpeg;dv=3"
        assert dict(stat.metadata) == {"width": "3", "a-1": "x y=z"}
        assert stat.expires is None
        assert await store.stat("a") == stat
        assert put == stat
        assert abs(stat.modified - time.time()) < 60

    async def test_plain_bytes_have_the_plain_type_and_no_metadata(self, store: Store) -> None:
        stat = await store.put("a", b"")
        assert (stat.size, stat.content_type, dict(stat.metadata)) == (0, "application/octet-stream", {})
        assert await content(store, "a") == b""

    @pytest.mark.parametrize("kind", ["bytes", "path", "stream"])
    @pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17])
    async def test_bodies_of_all_kinds_and_sizes(self, store: Store, tmp_path: Path, kind: str, size: int) -> None:
        data = bytes(i * 7 & 0xFF for i in range(251)) * (size // 251 + 1)
        data = data[:size]
        body: Any = data
        if kind == "path":
            body = tmp_path / "body"
            body.write_bytes(data)
        elif kind == "stream":
            body = _pieces(*(data[i : i + 700_001] for i in range(0, size, 700_001)), b"")
        stat = await store.put("big", body, md5=_md5(data))
        assert (stat.size, stat.md5) == (size, _md5(data))
        assert await content(store, "big") == data

    async def test_a_body_of_many_small_pieces(self, store: Store) -> None:
        await store.put("a", _pieces(*[b"%06d" % i for i in range(5000)]))
        assert await content(store, "a") == b"".join(b"%06d" % i for i in range(5000))

    async def test_putting_replaces_bytes_and_metadata_together(self, store: Store) -> None:
        await store.put("a", b"one", content_type="image/png", metadata={"n": "1", "old": "1"}, expires_in=1000)
        await store.put("a", b"other", metadata={"n": "2"})
        stat, data = await whole(store, "a")
        assert (data, dict(stat.metadata), stat.content_type) == (b"other", {"n": "2"}, "application/octet-stream")
        assert (stat.md5, stat.expires) == (_md5(b"other"), None)

    async def test_the_same_bytes_with_other_metadata(self, store: Store) -> None:
        for number in range(5):
            await store.put("a", b"same", metadata={"n": str(number)})
            assert (await store.stat("a", newest=True)).metadata == {"n": str(number)}

    async def test_what_is_kept_is_there_when_opened_anew(self, factory: Callable[[], Store]) -> None:
        store = factory()
        await store.put(IDENT, b"bytes", content_type="image/gif", metadata={"k": "v"})
        await store.close()
        again = factory()
        stat, data = await whole(again, IDENT)
        assert (data, stat.content_type, dict(stat.metadata)) == (b"bytes", "image/gif", {"k": "v"})
        await again.close()

    async def test_two_openings_see_the_same(self, factory: Callable[[], Store]) -> None:
        one, two = factory(), factory()
        await one.put("a", b"1")
        assert await content(two, "a") == b"1"
        await two.delete("a")
        with pytest.raises(ObjectMissing):
            await one.stat("a", newest=True)
        await one.close()
        await two.close()

    async def test_metadata_may_have_2000_bytes(self, store: Store) -> None:
        metadata = {f"k{i}": "v" * 248 for i in range(8)}
        assert sum(len(key) + len(value) for key, value in metadata.items()) == 2000
        await store.put("a", b"", metadata=metadata)
        assert dict((await store.stat("a")).metadata) == metadata
        with pytest.raises(ValueError, match="2001"):
            await store.put("b", b"", metadata={**metadata, "k0": "v" * 249})

    @pytest.mark.parametrize(
        "metadata",
        [
            {"": "x"},
            {"A": "x"},
            {"a_b": "x"},
            {"ä": "x"},
            {"k" * 65: "x"},
            {"k": ""},
            {"k": " x"},
            {"k": "x "},
            {"k": "ä"},
            {"k": "a\nb"},
            {"k": "x" * 257},
        ],
    )
    async def test_other_metadata_is_refused(self, store: Store, metadata: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="metadata"):
            await store.put("a", b"", metadata=metadata)
        with pytest.raises(ObjectMissing):
            await store.stat("a")

    @pytest.mark.parametrize("content_type", ["", "a\r\nb", " image/png", "ü"])
    async def test_other_content_types_are_refused(self, store: Store, content_type: str) -> None:
        with pytest.raises(ValueError, match="content type"):
            await store.put("a", b"", content_type=content_type)

    @pytest.mark.parametrize("metadata", [{"a": "!", "b": "~", "c": "x  y", "0": '"\\,;:='}, {"k" * 64: "v" * 256}])
    async def test_odd_metadata_comes_back(self, store: Store, metadata: dict[str, str]) -> None:
        await store.put("a", b"", metadata=metadata)
        assert dict((await store.stat("a")).metadata) == metadata

    # keys

    @pytest.mark.parametrize("key", GOOD_KEYS)
    async def test_every_legal_key_works(self, store: Store, key: str) -> None:
        await store.put(key, key.encode())
        assert await content(store, key) == key.encode()
        assert await self.names(store, [key]) == [key]
        await store.delete(key)
        assert await self.names(store, []) == []

    @pytest.mark.parametrize("key", BAD_KEYS, ids=lambda key: repr(key[:12]))
    async def test_no_other_key_works(self, store: Store, key: str) -> None:
        with pytest.raises(BadKey):
            await store.put(key, b"")
        with pytest.raises(BadKey):
            await store.stat(key)
        with pytest.raises(BadKey):
            await store.delete(key)
        with pytest.raises(BadKey):
            await store.path(key)
        with pytest.raises(BadKey):
            await store.note_use(key)
        with pytest.raises(BadKey):
            await store.signed_url(key, expires_in=1)
        with pytest.raises(BadKey):
            async with store.open(key):
                pass

    async def test_an_object_is_never_lost_to_a_key_inside_it(self, store: Store) -> None:
        await store.put("a", b"1")
        await store.put("b/c", b"2")
        for key in ("a/b", "b"):
            try:
                await store.put(key, b"3")
            except BadKey:
                with pytest.raises(ObjectMissing):
                    await store.stat(key)
        assert (await content(store, "a"), await content(store, "b/c")) == (b"1", b"2")

    async def test_a_folder_is_no_object(self, store: Store) -> None:
        await store.put("a/b", b"1")
        for key in ("a", "a/b/c"):
            with pytest.raises(ObjectMissing):
                await store.stat(key)
            await store.delete(key)
        assert await content(store, "a/b") == b"1"

    async def test_a_folder_emptied_may_become_an_object(self, store: Store) -> None:
        await store.put("a/b", b"1")
        await store.delete("a/b")
        await store.put("a", b"2")
        assert await self.names(store, ["a"]) == ["a"]

    # opening

    @pytest.mark.parametrize("size", [10, 2 * CHUNK + 10])
    async def test_ranges(self, store: Store, size: int) -> None:
        data = bytes(i & 0xFF for i in range(256)) * (size // 256 + 1)
        data = data[:size]
        await store.put("a", data)
        edges = sorted({0, 1, size // 2, size - 1, size, size + 1, 10 * size})
        for start in edges:
            for stop in [None, *[edge for edge in edges if edge >= start]]:
                stat, part = await whole(store, "a", start, stop)
                assert part == data[start:stop], (start, stop)
                assert (stat.size, stat.md5) == (size, _md5(data))

    @pytest.mark.parametrize(("start", "stop"), [(-1, None), (0, -1), (2, 1)])
    async def test_negative_and_backward_ranges_are_refused(self, store: Store, start: int, stop: int | None) -> None:
        await store.put("a", b"abc")
        with pytest.raises(ValueError, match="range"):
            async with store.open("a", start=start, stop=stop):
                pass

    async def test_what_is_not_there_is_missing(self, store: Store) -> None:
        for key in ("a", "a/b", IDENT, f"{IDENT}-x.jpg"):
            with pytest.raises(ObjectMissing):
                await store.stat(key)
            with pytest.raises(ObjectMissing):
                async with store.open(key):
                    pytest.fail("opened")
            assert await store.path(key) is None

    async def test_opened_has_its_stat_before_its_bytes(self, store: Store) -> None:
        await store.put("a", b"abc")
        async with store.open("a") as opened:
            assert isinstance(opened, Opened)
            assert opened.stat.size == 3

    @pytest.mark.parametrize("change", ["replaced", "deleted"])
    async def test_what_was_opened_is_read_to_its_end(self, store: Store, change: str) -> None:
        data = b"a" * (3 * CHUNK)
        await store.put("a", data)
        async with store.open("a") as opened:
            pieces = aiter(opened)
            read = await anext(pieces)
            if change == "replaced":
                await store.put("a", b"b" * (4 * CHUNK), metadata={"n": "2"})
            else:
                await store.delete("a")
            async for piece in pieces:
                read += piece
            assert opened.stat.md5 == _md5(data)
        assert read == data

    async def test_leaving_early_is_no_harm(self, store: Store) -> None:
        await store.put("a", b"a" * (3 * CHUNK))
        for _ in range(20):
            async with store.open("a") as opened:
                await anext(aiter(opened))
        assert len(await content(store, "a")) == 3 * CHUNK

    # putting

    async def test_wrong_bytes_are_not_kept(self, store: Store) -> None:
        with pytest.raises(WrongDigest):
            await store.put("a", b"other", md5=_md5(b"bytes"))
        with pytest.raises(ObjectMissing):
            await store.stat("a")
        await store.put("a", b"bytes", metadata={"n": "1"}, md5=_md5(b"bytes"))
        with pytest.raises(WrongDigest):
            await store.put("a", _pieces(b"oth", b"er"), metadata={"n": "2"}, md5=_md5(b"bytes"))
        stat, data = await whole(store, "a")
        assert (data, dict(stat.metadata)) == (b"bytes", {"n": "1"})

    async def test_creating_what_is_there_is_refused(self, store: Store) -> None:
        await store.put("a", b"one", metadata={"n": "1"}, create=True)
        with pytest.raises(ObjectExists):
            await store.put("a", b"two", metadata={"n": "2"}, create=True)
        stat, data = await whole(store, "a")
        assert (data, dict(stat.metadata)) == (b"one", {"n": "1"})
        await store.delete("a")
        await store.put("a", b"three", create=True)
        assert await content(store, "a") == b"three"

    async def test_of_many_creators_one_succeeds(self, factory: Callable[[], Store]) -> None:
        stores = [factory(), factory()]
        if not stores[0].promises.atomic_create:
            pytest.skip("atomic_create is not promised")
        for number in range(10):
            won: list[bytes] = []

            async def create(by: int, key: str = f"e/{number}", won: list[bytes] = won) -> None:
                body = b"%d" % by * (by + 1)
                try:
                    await stores[by % 2].put(key, body, metadata={"by": str(by)}, create=True)
                except ObjectExists:
                    return
                won.append(body)

            async with anyio.create_task_group() as tasks:
                for by in range(8):
                    tasks.start_soon(create, by)
            stat, data = await whole(stores[0], f"e/{number}")
            assert won == [data]
            assert data.decode()[0] == stat.metadata["by"]
        for store in stores:
            await store.close()

    @pytest.mark.parametrize("sent", [0, 10, 3 * CHUNK])
    async def test_a_body_that_raises_leaves_the_key_as_it_was(self, store: Store, sent: int) -> None:
        pieces = [b"x" * min(sent, CHUNK)] * max(1, sent // CHUNK)
        with pytest.raises(_BodyBrokeError):
            await store.put("a", _breaking(*pieces))
        with pytest.raises(ObjectMissing):
            await store.stat("a")
        await store.put("a", b"was", metadata={"n": "1"})
        with pytest.raises(_BodyBrokeError):
            await store.put("a", _breaking(*pieces), metadata={"n": "2"})
        stat, data = await whole(store, "a")
        assert (data, dict(stat.metadata)) == (b"was", {"n": "1"})
        assert await self.names(store, ["a"]) == ["a"]

    async def test_a_file_that_is_not_there_comes_through(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            await store.put("a", tmp_path / "none")
        with pytest.raises(ObjectMissing):
            await store.stat("a")

    async def test_a_put_that_is_cancelled_is_whole_or_not_at_all(self, store: Store) -> None:
        await store.put("a", b"was")

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 100_000
                await anyio.lowlevel.checkpoint()

        with anyio.move_on_after(0.1) as scope:
            await store.put("a", endless())
        assert scope.cancelled_caught
        assert await content(store, "a") == b"was"
        for tenths_of_ms in range(0, 30, 3):
            with anyio.move_on_after(tenths_of_ms / 10_000):
                await store.put("a", b"then" * 1000)
            assert await content(store, "a") in (b"was", b"then" * 1000)

    async def test_many_at_once(self, store: Store) -> None:
        async def turn(number: int) -> None:
            key = f"{IDENT}-{number % 5 + 1}x.png"
            await store.put(key, b"%d" % number * 1000, metadata={"n": str(number)})
            try:
                stat, data = await whole(store, key)
            except ObjectMissing:
                pass
            else:
                assert data == stat.metadata["n"].encode() * 1000
                assert stat.md5 == _md5(data)
            if number % 7 == 0:
                await store.delete(key)

        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(turn, number)

    # expiry and use

    @pytest.mark.parametrize("expires_in", [0, -1, float("inf"), float("nan")])
    async def test_an_expiry_lies_ahead(self, store: Store, expires_in: float) -> None:
        with pytest.raises(ValueError, match="expires_in"):
            await store.put("a", b"", expires_in=expires_in)

    async def test_what_expires_says_when(self, store: Store) -> None:
        stat = await store.put("a", b"", expires_in=1000)
        if store.promises.expiry:
            assert stat.expires == pytest.approx(time.time() + 1000, abs=60)
            assert (await store.stat("a")).expires == pytest.approx(time.time() + 1000, abs=60)

    async def test_what_expired_is_missing(self, store: Store) -> None:
        if not store.promises.expiry:
            pytest.skip("expiry is not promised")
        await store.put("a", b"1", expires_in=1)
        await anyio.sleep(1.1)
        deadline = time.monotonic() + _SEEN_SECONDS
        while time.monotonic() < deadline:
            try:
                await store.stat("a", newest=True)
            except ObjectMissing:
                break
            await anyio.sleep(0.1)
        with pytest.raises(ObjectMissing):
            await content(store, "a")
        assert await store.path("a") is None
        await store.delete("a")
        await store.put("a", b"2", create=True)
        assert await content(store, "a") == b"2"

    async def test_use_prolongs_what_expires_and_changes_nothing_else(self, store: Store) -> None:
        before = await store.put("a", b"1", content_type="image/png", metadata={"n": "1"}, expires_in=100)
        await store.note_use("a", expires_in=5000)
        stat, data = await whole(store, "a")
        assert (data, stat.content_type, stat.metadata, stat.md5) == (
            b"1",
            before.content_type,
            before.metadata,
            before.md5,
        )
        assert stat.modified == pytest.approx(before.modified, abs=1.1)
        if store.promises.expiry:
            assert stat.expires == pytest.approx(time.time() + 5000, abs=60)
            await store.note_use("a", expires_in=10)
            assert (await store.stat("a", newest=True)).expires == pytest.approx(time.time() + 5000, abs=60)

    async def test_use_gives_no_expiry_to_what_stays(self, store: Store) -> None:
        before = await store.put("a", b"1")
        await store.note_use("a")
        await store.note_use("a", expires_in=1000)
        assert (await store.stat("a", newest=True)) == before

    async def test_use_of_what_is_not_there_is_no_error(self, store: Store) -> None:
        await store.note_use("a")
        await store.note_use(IDENT, expires_in=10)
        with pytest.raises(ObjectMissing):
            await store.stat("a")

    # deleting

    async def test_what_is_deleted_is_missing(self, store: Store) -> None:
        for key in ("a", f"{IDENT}-x.jpg", "log/1/2"):
            await store.put(key, b"1")
            await store.delete(key)
            with pytest.raises(ObjectMissing):
                await store.stat(key, newest=True)
            with pytest.raises(ObjectMissing):
                await content(store, key)
            await store.delete(key)
        assert await self.names(store, []) == []

    async def test_deleting_takes_one_key_only(self, store: Store) -> None:
        keys = sorted(["a", "a-b", "aaa", IDENT, f"{IDENT}-x.jpg", f"{IDENT}~512", "l/a", "l/aa"])
        for key in keys:
            await store.put(key, b"1")
        for key in list(keys):
            await store.delete(key)
            keys.remove(key)
            assert await self.names(store, keys) == keys

    # listing

    async def test_a_listing_is_in_the_order_of_the_keys_bytes(self, store: Store) -> None:
        near = [IDENT[:-1] + last for last in "0ef"] + [OTHER]
        keys = sorted(
            [
                *near,
                *[f"{ident}{rest}" for ident in near for rest in ("-x.jpg", "~512", "-300x.png", ".a", "_/b")],
                *("a", "a-b", "a.b", "a~b", "A", "0", "0123", "012345", "fff", "-", "~", "_"),
                *("p/a", "p-/a", "p./a", "p0/a", "p~", "p/b/c", "p/b-", "p/b0", "p/b./x"),
                *("012/a", "0123a/b", "zz/a"),
            ],
            key=str.encode,
        )
        keys = [key for key in keys if not any(other.startswith(key + "/") for other in keys)]
        for key in reversed(keys):
            await store.put(key, key.encode())
        assert await self.names(store, keys) == keys
        for after in [
            *keys,
            *(key + "!" for key in keys),
            *(key[:-1] for key in keys),
            "p/",
            "p/b",
            "p.",
            "01/",
            "0" * 9,
        ]:
            expected = [key for key in keys if key.encode() > after.encode()]
            assert await self.names(store, expected, after=after) == expected, after
        prefixes = {key[:cut] for key in keys for cut in (0, 1, 2, 3, 4, 5, 8, 63, 64, 65, 66)}
        for prefix in sorted(prefixes | {"p/b", "p/", "ab/cd", "../", "nope/", IDENT + "-3", "p//", "/", "01/23/"}):
            expected = [key for key in keys if key.startswith(prefix)]
            assert await self.names(store, expected, prefix=prefix) == expected, prefix
            after = expected[len(expected) // 2] if expected else "b"
            expected = [key for key in expected if key > after]
            assert await self.names(store, expected, prefix=prefix, after=after) == expected, (prefix, after)

    async def test_an_entry_has_what_stat_has(self, store: Store) -> None:
        stat = await store.put(f"{IDENT}-x.jpg", b"abc", content_type="image/jpeg;dv=3")
        await self.names(store, [stat.key])
        [entry] = [entry async for entry in store.list()]
        assert (entry.key, entry.size) == (stat.key, 3)
        assert entry.modified == pytest.approx(stat.modified, abs=1.1)
        assert entry.md5 in (None, stat.md5)
        assert entry.content_type in (None, stat.content_type)

    async def test_a_listing_goes_on_where_another_ended(self, store: Store) -> None:
        keys = [*(f"{IDENT}-{number}x.jpg" for number in range(1, 60)), "x", "y/z"]
        for key in keys:
            await store.put(key, b"")
        await self.names(store, sorted(keys))
        found: list[str] = []
        while True:
            page = []
            async for entry in store.list(after=found[-1] if found else ""):
                page.append(entry.key)
                if len(page) == 7:
                    break
            if not page:
                break
            found += page
        assert found == sorted(keys)

    async def test_changes_meanwhile_never_fail_a_listing(self, store: Store) -> None:
        stay = sorted(f"s/{number:04d}" for number in range(150))
        for key in stay:
            await store.put(key, b"")
        await self.names(store, stay)
        seen = []
        number = 0
        async for entry in store.list():
            seen.append(entry.key)
            if number < 60:
                await store.put(f"s/{number:04d}-more", b"")
                await store.put(f"t{number}/a", b"")
                await store.delete(f"t{number - 1}/a")
                await store.delete(f"s/{number - 1:04d}-more")
            number += 1
        assert [key for key in seen if key in set(stay)] == stay
        assert seen == sorted(set(seen))

    # elsewhere

    async def test_a_local_file_holds_exactly_the_bytes(self, store: Store) -> None:
        for key in ("a/b", f"{IDENT}-x.jpg"):
            await store.put(key, b"exactly", metadata={"n": "1"})
            path = await store.path(key)
            assert (path is not None) == store.promises.local_files
            if path is not None:
                assert path.read_bytes() == b"exactly"

    async def test_a_signed_url_is_there_where_promised(self, store: Store) -> None:
        await store.put("a", b"1")
        url = await store.signed_url("a", expires_in=60)
        assert (url is not None) == store.promises.signed_urls
        if url is not None:
            assert re.match(r"https?://", url)

    async def test_promises_do_not_change(self, store: Store) -> None:
        before = store.promises
        assert isinstance(before, Promises)
        await store.put("a", b"1")
        assert store.promises == before

    async def test_closing_twice_is_no_error(self, factory: Callable[[], Store]) -> None:
        store = factory()
        await store.put("a", b"1")
        await store.close()
        await store.close()
