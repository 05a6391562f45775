from __future__ import annotations

import asyncio
import hashlib
import resource
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from derivproxy.domain.errors import DiskFull, TooLarge, Unavailable
from derivproxy.updates import Spool
from derivproxy.updates.spool import _Draft

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    await made.start()
    return made


def left(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "spool").iterdir()]


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        await anyio.lowlevel.checkpoint()
        yield part


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"",),
        (b"abc",),
        (b"a", b"", b"bc"),
        (b"x" * (2**20 - 1), b"yz"),
        (b"x" * 2**20,),
        (b"x" * (3 * 2**20 + 7), b"y"),
        tuple(bytes([n % 256]) * 40_000 for n in range(100)),
    ],
)
async def test_an_upload_is_on_disk_under_its_digests_while_it_is_open(
    spool: Spool, tmp_path: Path, parts: tuple[bytes, ...]
) -> None:
    whole = b"".join(parts)
    async with spool.receive(chunks(*parts), limit=10**9) as spooled:
        assert await anyio.Path(spooled.path).read_bytes() == whole
        assert spooled.ident == hashlib.sha256(whole).hexdigest()
        assert spooled.md5 == hashlib.md5(whole, usedforsecurity=False).hexdigest()
        assert spooled.bytes == len(whole)
        assert spooled.path.stat().st_mode & 0o077 == 0
    assert left(tmp_path) == []


async def test_the_limit_itself_is_taken_and_one_byte_more_refused_at_once(spool: Spool, tmp_path: Path) -> None:
    async with spool.receive(chunks(b"x" * 60, b"y" * 40), limit=100) as spooled:
        assert spooled.bytes == 100
    with pytest.raises(TooLarge):
        async with spool.receive(chunks(b"x" * 60, b"y" * 41), limit=100):
            pass
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 60

    with pytest.raises(TooLarge, match="more than 100 bytes; send a smaller file, or raise DERIVPROXY_MAX_FILE_BYTES"):
        async with spool.receive(endless(), limit=100):
            pass
    assert asked == 2
    assert left(tmp_path) == []


async def test_an_asker_that_breaks_off_leaves_no_file_and_its_error_comes_through(
    spool: Spool, tmp_path: Path
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 2**21
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        async with spool.receive(broken(), limit=10**9):
            pass
    assert left(tmp_path) == []


async def test_work_on_the_upload_that_fails_leaves_no_file(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        async with spool.receive(chunks(b"abc"), limit=10):
            raise LookupError
    assert left(tmp_path) == []


async def test_a_file_that_was_taken_away_is_no_error(spool: Spool, tmp_path: Path) -> None:
    async with spool.receive(chunks(b"abc"), limit=10) as spooled:
        spooled.path.rename(tmp_path / "taken")
    assert (tmp_path / "taken").exists()


@pytest.mark.parametrize("steps", range(12))
async def test_cancelled_at_any_step_it_leaves_no_file(spool: Spool, tmp_path: Path, steps: int) -> None:
    async def receive() -> None:
        async with spool.receive(chunks(*[b"x" * 2**20] * 3), limit=10**9):
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        for _ in range(steps):
            await anyio.sleep(0.001)
        tasks.cancel_scope.cancel()
    assert left(tmp_path) == []
    # A server's own tasks are cancelled without anyio's shields.
    task = asyncio.ensure_future(receive())
    for _ in range(steps * 3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await anyio.sleep(0.02)
    assert left(tmp_path) == []


def test_an_upload_given_up_before_its_file_was_made_makes_none(tmp_path: Path) -> None:
    # A cancelled asker does not wait for the thread, which may come to it only afterwards.
    draft = _Draft(tmp_path)
    draft.discard()
    draft.open()
    draft.write([b"x"])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError, match="given up"):
        draft.finish()


async def test_starting_empties_the_folder_of_uploads_and_of_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "tmpabc.upload").write_bytes(b"half")
    (folder / "result").write_bytes(b"another's")
    await Spool(folder).start()
    assert left(tmp_path) == ["result"]


async def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="check the folder of DERIVPROXY_DATA"):
        async with Spool(tmp_path / "none").receive(chunks(b"x"), limit=10):
            pass


@asynccontextmanager
async def files_no_larger_than(limit: int) -> AsyncIterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_no_room_is_said_and_no_file_is_left(spool: Spool, tmp_path: Path) -> None:
    # Python ignores SIGXFSZ, so that a write beyond the limit fails like one on a full disk.
    async with files_no_larger_than(1_500_000):
        with pytest.raises(DiskFull, match="make room"):
            async with spool.receive(chunks(*[b"x" * 2**20] * 3), limit=10**9):
                pass
    assert left(tmp_path) == []


MEMORY = """
import anyio, resource, sys
from pathlib import Path
from derivproxy.updates import Spool
from derivproxy.updates.spool import _Draft
async def chunks(count):
    for _ in range(count):
        yield b"x" * 65536
async def main():
    spool = Spool(Path(sys.argv[1]))
    await spool.start()
    async with spool.receive(chunks(64), limit=10**12):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with spool.receive(chunks(4096), limit=10**12) as spooled:
        assert spooled.bytes == 2**28
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
anyio.run(main)
"""


def test_a_large_upload_takes_constant_memory(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "spool")], cwd=root, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 8 * 1024
