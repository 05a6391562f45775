"""The face behind a real Hypercorn on a Unix socket, asked by the client."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypercorn.asyncio import serve
from hypercorn.config import Config

import grammar
from derivproxy.delivery.answers import Answer, Found
from derivproxy.domain.errors import (
    BadRequest,
    CropOutside,
    Fault,
    Overloaded,
    Removed,
    StoreUnavailable,
    UnknownImage,
)
from derivproxy.domain.images import ColourProfile, Facts, Image, Visibility
from derivproxy.engine import EngineClient, Purges, engine_face
from derivproxy.updates import Absences, Added, Spooled
from grammar import Derivative

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence

IDENT = "0123456789abcdef" * 4
IMAGE = Image(
    ident=IDENT,
    facts=Facts(media_type="image/png", bytes=5, md5="0" * 32, width=3, height=2, profile=ColourProfile.P3, alpha=True),
    title="Röd fågel",
    tags=("a", "b"),
    visibility=Visibility.PRIVATE,
    added=12.5,
    revision=7,
)


def name(suffix: str = "300x.jpg") -> Derivative:
    parsed = grammar.parse(f"{IDENT}-{suffix}")
    assert isinstance(parsed, Derivative)
    return parsed


@dataclass
class Runs:
    """Answers what it is told to; counts who is inside."""

    answers: dict[str, Any] = field(default_factory=dict)
    inside: int = 0
    asked: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def run(self, name: Derivative) -> AsyncIterator[Answer]:
        self.asked += 1
        self.inside += 1
        try:
            made = self.answers[str(name)]
            if isinstance(made, Exception):
                raise made
            if isinstance(made, asyncio.Event):
                await made.wait()
                made = b"waited for"
            yield made if isinstance(made, Answer) else answer(made)
        finally:
            self.inside -= 1
            self.left.set()


def answer(body: bytes | Path | AsyncIterable[bytes], size: int | None = None) -> Answer:
    size = len(body) if size is None and isinstance(body, bytes) else size or 0
    return Answer(body=body, size=size, md5="a" * 32, media_type="image/jpeg", version=3, found=Found.DERIVED)


@dataclass
class Updates:
    told: list[Any] = field(default_factory=list)
    fault: Fault | None = None

    async def add(self, spooled: Spooled, *, title: str, tags: Sequence[str], path: str) -> Added:
        self._raise()
        self.told.append((spooled, spooled.path.read_bytes(), title, tuple(tags), path))
        return Added(IMAGE, created=True)

    async def remove(self, ident: str) -> int:
        self._raise()
        self.told.append(("remove", ident))
        return 8

    async def purge(self, ident: str) -> int:
        self._raise()
        self.told.append(("purge", ident))
        return 3

    async def recover(self, ident: str) -> Image:
        self.told.append(("recover", ident))
        self._raise()
        return replace(IMAGE, ident=ident)

    def _raise(self) -> None:
        if self.fault is not None:
            raise self.fault


async def until(holds: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    for _ in range(500):
        held = holds()
        if held if isinstance(held, bool) else await held:
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


@dataclass
class Setting:
    client: EngineClient
    runs: Runs
    updates: Updates
    now: list[float]


@asynccontextmanager
async def engine() -> AsyncIterator[Setting]:
    runs, updates, now = Runs(), Updates(), [0.0]
    with tempfile.TemporaryDirectory() as folder:  # a short path: a socket's address has 108 bytes
        socket = Path(folder) / "engine.sock"
        config = Config()
        config.bind = [f"unix:{socket}"]
        config.errorlog = None
        config.graceful_timeout = 0.2
        stop = asyncio.Event()
        purges = Purges(updates.purge, clock=time.monotonic)
        face = engine_face(runs=runs, updates=updates, purges=purges, log=structlog.get_logger())
        server = asyncio.create_task(serve(face, config, shutdown_trigger=stop.wait, mode="asgi"))
        client = EngineClient(socket, absences=Absences(lambda: now[0]))
        await until(client.alive)
        try:
            yield Setting(client, runs, updates, now)
        finally:
            await client.close()
            stop.set()
            await server


async def test_an_answer_arrives_as_it_was_given() -> None:
    async with engine() as it:
        it.runs.answers[str(name())] = b"bytes of a picture"
        async with it.client.run(name()) as got:
            assert got == answer(b"bytes of a picture")
        assert it.runs.inside == 0


@pytest.mark.parametrize("kind", ["bytes", "file", "stream"])
async def test_large_answers_stream(kind: str, tmp_path: Path) -> None:
    data = b"0123456789abcdef" * 200_000
    async with engine() as it:
        if kind == "bytes":
            it.runs.answers[str(name())] = data
        elif kind == "file":
            (tmp_path / "large").write_bytes(data)
            it.runs.answers[str(name())] = answer(tmp_path / "large", len(data))
        else:

            async def pieces() -> AsyncIterator[bytes]:
                for start in range(0, len(data), 100_000):
                    yield data[start : start + 100_000]

            it.runs.answers[str(name())] = answer(pieces(), len(data))
        async with it.client.run(name()) as got:
            assert not isinstance(got.body, bytes | Path)
            assert b"".join([chunk async for chunk in got.body]) == data


async def test_an_answer_that_breaks_off_is_an_error() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise StoreUnavailable("broke off")

    async with engine() as it:
        it.runs.answers[str(name())] = answer(pieces(), 5_000_000)
        async with it.client.run(name()) as got:
            assert not isinstance(got.body, bytes | Path)
            with pytest.raises(StoreUnavailable):
                _ = [chunk async for chunk in got.body]
        it.runs.answers[str(name())] = answer(pieces(), 1000)
        with pytest.raises(Fault):
            async with it.client.run(name()):
                pass


@pytest.mark.parametrize("fault", [CropOutside("outside"), Overloaded("full", retry_after=9), UnknownImage("none")])
async def test_a_fault_of_a_run_is_raised_here(fault: Fault) -> None:
    async with engine() as it:
        it.runs.answers[str(name())] = fault
        with pytest.raises(type(fault), match=fault.detail) as raised:
            async with it.client.run(name()):
                pass
        assert raised.value.retry_after == fault.retry_after


async def test_what_nobody_expected_is_a_fault_without_the_inside() -> None:
    async with engine() as it:
        it.runs.answers[str(name())] = ZeroDivisionError("secret")
        with pytest.raises(Fault, match="log has more") as raised:
            async with it.client.run(name()):
                pass
        assert "secret" not in raised.value.detail


async def test_an_asker_that_is_cancelled_leaves_the_run() -> None:
    async with engine() as it:
        it.runs.answers[str(name())] = asyncio.Event()

        async def ask() -> None:
            async with it.client.run(name()):
                pass

        asking = asyncio.create_task(ask())
        await until(lambda: it.runs.inside == 1)
        asking.cancel()
        await asyncio.wait_for(it.runs.left.wait(), 5)
        assert it.runs.inside == 0


async def test_many_askers_wait_together_and_none_is_lost() -> None:
    async with engine() as it:
        go = asyncio.Event()
        it.runs.answers[str(name())] = go

        async def ask() -> bytes:
            async with it.client.run(name()) as got:
                assert isinstance(got.body, bytes)
                return got.body

        asking = [asyncio.create_task(ask()) for _ in range(60)]
        await until(lambda: it.runs.inside == 60)
        go.set()
        assert await asyncio.gather(*asking) == [b"waited for"] * 60


async def test_an_upload_crosses_as_a_path_with_what_is_said_of_it(tmp_path: Path) -> None:
    file = tmp_path / "one.upload"
    file.write_bytes(b"photo")
    spooled = Spooled(path=file, ident=IDENT, md5="b" * 32, bytes=5)
    async with engine() as it:
        added = await it.client.add(spooled, title="Röd", tags=["a"], path="p/q")
        assert added == Added(IMAGE, created=True)
        assert it.updates.told == [(spooled, b"photo", "Röd", ("a",), "p/q")]
        it.updates.fault = BadRequest("tag= is empty")
        with pytest.raises(BadRequest, match="tag= is empty"):
            await it.client.add(spooled)


async def test_removing_and_purging() -> None:
    async with engine() as it:
        assert (await it.client.remove(IDENT), await it.client.purge(IDENT)) == (8, 3)
        assert it.updates.told == [("remove", IDENT), ("purge", IDENT)]
        it.updates.fault = Removed("was removed")
        with pytest.raises(Removed):
            await it.client.remove(IDENT)


async def test_what_was_not_there_a_moment_ago_is_not_asked_for_again() -> None:
    async with engine() as it:
        assert (await it.client.recover(IDENT)) == IMAGE
        it.updates.fault = UnknownImage("none")
        for _ in range(3):
            with pytest.raises(UnknownImage):
                await it.client.recover(IDENT)
        assert len(it.updates.told) == 2
        it.now[0] = 60.0
        with pytest.raises(UnknownImage):
            await it.client.recover(IDENT)
        assert len(it.updates.told) == 3


async def test_an_engine_that_is_not_there_is_a_reason_to_come_back(tmp_path: Path) -> None:
    client = EngineClient(tmp_path / "none.sock", absences=Absences(lambda: 0.0))
    with pytest.raises(Overloaded, match="not there") as raised:
        async with client.run(name()):
            pass
    assert raised.value.retry_after == 1
    assert not await client.alive()
    with pytest.raises(Overloaded):
        await client.remove(IDENT)
    await client.close()
