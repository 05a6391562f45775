from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import numpy as np
import pytest
import pyvips

from derivproxy.derive.pool import Deriver
from derivproxy.derive.wire import INLINE_BYTES
from derivproxy.domain.errors import (
    CropOutside,
    DerivationFailed,
    DiskFull,
    TooLarge,
    TooManyPixels,
    TooSlow,
    Unavailable,
    Undecodable,
    UnsupportedMedia,
)
from derivproxy.domain.images import Facts
from derivproxy.domain.limits import Limits
from grammar.names import Crop, Format, Suffix
from tests.derive import hostile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SMALL = Suffix(format=Format.PNG, width=20)
SLOW = Suffix(format=Format.AVIF, lossless=True)


@asynccontextmanager
async def deriving(
    folder: Path, *, processes: int = 1, limits: Limits | None = None, grace: float = 0.5
) -> AsyncIterator[Deriver]:
    deriver = Deriver(processes=processes, limits=limits or Limits(), spool=folder / "spool", grace_seconds=grace)
    async with deriver:
        yield deriver
        pids = deriver.pids()
    assert not deriver.pids()
    assert not any(running(pid) for pid in pids)
    assert not list((folder / "spool").iterdir())


def running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as state:  # noqa: PTH123
            return state.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base"
    path.write_bytes(hostile.encoded(".png"))
    return path


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture whose lossless AVIF takes a second or more."""
    path = tmp_path_factory.mktemp("noise") / "noise.png"
    array = np.random.default_rng(4).integers(0, 256, (1600, 1600, 3), dtype=np.uint8)
    pyvips.Image.new_from_array(array).write_to_file(str(path), compression=1)
    return path


async def until_busy(deriver: Deriver) -> int:
    """The process that has begun to work."""
    before = {pid: cpu(pid) for pid in deriver.pids()}
    with anyio.fail_after(10):
        while True:
            await anyio.sleep(0.01)
            for pid in deriver.pids():
                if cpu(pid) > before.setdefault(pid, cpu(pid)) + 5:
                    return pid


async def kill_each(deriver: Deriver, how: signal.Signals) -> None:
    """End every process the moment it gets its job."""
    ended: set[int] = set()
    while True:
        for pid in set(deriver.pids()) - ended:
            os.kill(pid, how)
            ended.add(pid)
        await anyio.sleep(0.001)


def cpu(pid: int) -> int:
    """Ticks of 10 ms."""
    with open(f"/proc/{pid}/stat") as state:  # noqa: PTH123
        fields = state.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def test_examining_and_deriving_cross_the_pipe(base: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path) as deriver:
        facts = await deriver.examine(base)
        assert (facts.width, facts.height, facts.media_type) == (40, 30, "image/png")
        assert facts.md5 == hashlib.md5(hostile.encoded(".png"), usedforsecurity=False).hexdigest()
        assert (await deriver.examine(base, md5="known")).md5 == "known"
        derived = await deriver.derive(base, facts, SMALL)
        assert isinstance(derived.body, bytes)
        assert (derived.width, derived.height, derived.pages, derived.media_type) == (20, 15, 1, "image/png")
        assert derived.size == len(derived.body)
        assert derived.md5 == hashlib.md5(derived.body, usedforsecurity=False).hexdigest()
        assert pyvips.Image.new_from_buffer(derived.body, "").width == 20
        assert deriver.about["libvips"][:2] >= [8, 17]
        assert "avif" in deriver.about["writes"]


async def test_a_large_result_is_a_file_that_the_receiver_owns(noise: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path) as deriver:
        derived = await deriver.derive(noise, await deriver.examine(noise), Suffix(format=Format.PNG))
        assert not isinstance(derived.body, bytes)
        assert derived.body.is_relative_to(tmp_path / "spool")
        data = await anyio.Path(derived.body).read_bytes()
        assert derived.size == len(data) > INLINE_BYTES
        assert derived.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()
        derived.body.unlink()


async def test_many_jobs_share_few_processes_and_all_are_right(base: Path, tmp_path: Path) -> None:
    widths: dict[int, int] = {}

    async def derive(width: int) -> None:
        widths[width] = (await deriver.derive(base, facts, Suffix(format=Format.PNG, width=width))).width

    async with deriving(tmp_path, processes=2) as deriver:
        facts = await deriver.examine(base)
        async with anyio.create_task_group() as group:
            for width in range(1, 41):
                group.start_soon(derive, width)
        assert widths == {width: width for width in range(1, 41)}
        assert len(deriver.pids()) == deriver.counts.started == 2


async def test_faults_arrive_as_they_were_raised(base: Path, tmp_path: Path) -> None:
    (tmp_path / "svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "half").write_bytes(hostile.encoded(".png")[:700])
    async with deriving(tmp_path) as deriver:
        facts = await deriver.examine(base)
        with pytest.raises(UnsupportedMedia, match="SVG"):
            await deriver.examine(tmp_path / "svg")
        with pytest.raises(Undecodable, match="breaks off"):
            await deriver.examine(tmp_path / "half")
        with pytest.raises(FileNotFoundError):
            await deriver.examine(tmp_path / "nothing")
        with pytest.raises(CropOutside):
            await deriver.derive(base, facts, Suffix(format=Format.PNG, crop=Crop(30, 0, 20, 20)))
        assert deriver.counts.died == deriver.counts.killed == 0


async def test_what_libvips_only_whispers_is_heard_in_the_process_too(tmp_path: Path) -> None:
    jpeg = hostile.encoded(".jpg", 120, 90)
    tiff = hostile.encoded(".tif", 120, 90, compression="jpeg", tile=True, tile_width=32, tile_height=32)
    middle = len(tiff) // 2
    (tmp_path / "half").write_bytes(jpeg[: len(jpeg) // 2] + b"\xff\xd9")
    (tmp_path / "tiled").write_bytes(tiff[:middle] + b"\xff\xd9" * 100 + tiff[middle + 200 :])
    async with deriving(tmp_path) as deriver:
        for name in ("half", "tiled"):
            with pytest.raises(Undecodable):
                await deriver.examine(tmp_path / name)


async def test_facts_that_are_not_those_of_the_file_make_no_picture_and_no_harm(tmp_path: Path, base: Path) -> None:
    async with deriving(tmp_path) as deriver:
        facts = await deriver.examine(base)
        other = {**{name: getattr(facts, name) for name in Facts.__slots__}, "media_type": "image/jpeg"}
        with pytest.raises(Undecodable, match="examine them anew"):
            await deriver.derive(base, Facts(**other), SMALL)
        assert (await deriver.derive(base, facts, SMALL)).width == 20


async def test_work_beyond_its_time_is_killed_and_the_process_replaced(base: Path, noise: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path, limits=Limits(seconds=0.4)) as deriver:
        facts = await deriver.examine(noise)
        (pid,) = deriver.pids()
        start = time.monotonic()
        with pytest.raises(TooSlow, match="DERIVPROXY_MAX_SECONDS"):
            await deriver.derive(noise, facts, SLOW)
        assert time.monotonic() - start < 2
        assert not running(pid)
        assert (await deriver.examine(base)).width == 40
        assert (deriver.counts.killed, deriver.counts.started, deriver.counts.died) == (1, 2, 0)


async def test_a_process_that_hangs_is_killed_too(base: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path, limits=Limits(seconds=0.4)) as deriver:
        os.kill(deriver.pids()[0], signal.SIGSTOP)
        with pytest.raises(TooSlow):
            await deriver.examine(base)
        assert (await deriver.examine(base)).width == 40


async def test_a_process_that_dies_idle_is_replaced_unnoticed(base: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path) as deriver:
        facts = await deriver.examine(base)
        for _ in range(3):
            os.kill(deriver.pids()[0], signal.SIGKILL)
            assert (await deriver.derive(base, facts, SMALL)).width == 20
        assert deriver.counts.died == 3


async def test_a_process_that_dies_at_work_costs_one_more_attempt(noise: Path, tmp_path: Path) -> None:
    async def kill_once() -> None:
        os.kill(await until_busy(deriver), signal.SIGKILL)

    async with deriving(tmp_path) as deriver:
        facts = await deriver.examine(noise)
        async with anyio.create_task_group() as group:
            group.start_soon(kill_once)
            derived = await deriver.derive(noise, facts, SLOW)
        assert derived.width == 1600
        assert not isinstance(derived.body, bytes)
        derived.body.unlink()
        assert (deriver.counts.died, deriver.counts.killed) == (1, 0)


async def test_a_process_that_dies_twice_at_work_is_a_fault_of_the_image_or_of_the_house(
    base: Path, noise: Path, tmp_path: Path
) -> None:
    async with deriving(tmp_path) as deriver:
        facts = await deriver.examine(noise)
        async with anyio.create_task_group() as group:
            group.start_soon(kill_each, deriver, signal.SIGSEGV)
            with pytest.raises(DerivationFailed, match="SIGSEGV") as failure:
                await deriver.derive(noise, facts, SLOW)
            group.cancel_scope.cancel()
        assert failure.value.retry_after == 10
        assert deriver.counts.died >= 2
        assert (await deriver.examine(base)).width == 40


async def test_an_image_that_ends_its_decoder_twice_is_undecodable(base: Path, noise: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path) as deriver:
        async with anyio.create_task_group() as group:
            group.start_soon(kill_each, deriver, signal.SIGABRT)
            with pytest.raises(Undecodable, match=r"ends the decoder.*SIGABRT"):
                await deriver.examine(noise)
            group.cancel_scope.cancel()
        assert (await deriver.examine(base)).width == 40


async def test_an_image_that_balloons_meets_the_memory_limit_and_nobody_else_notices(
    base: Path, tmp_path: Path
) -> None:
    huge = tmp_path / "huge.png"
    deep = pyvips.Image.black(6000, 6000, bands=3).cast("ushort").copy(interpretation="rgb16")
    deep.write_to_file(str(huge), compression=1, interlace=True)  # decoding holds all 216 MB
    async with deriving(tmp_path, limits=Limits(memory_bytes=200_000_000)) as deriver:
        with pytest.raises((TooManyPixels, Undecodable)) as refusal:
            await deriver.examine(huge)
        assert "memory" in refusal.value.detail.lower() or "decoder" in refusal.value.detail
        assert (await deriver.examine(base)).width == 40
    async with deriving(tmp_path) as deriver:
        assert (await deriver.examine(huge)).bits == 16


async def test_an_asker_who_leaves_briefly_before_the_end_costs_no_process(base: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path) as deriver:
        facts = await deriver.examine(base)
        pids = deriver.pids()
        for _ in range(20):
            with anyio.move_on_after(0.001):
                await deriver.derive(base, facts, SMALL)
        assert (await deriver.derive(base, facts, SMALL)).width == 20
        assert deriver.pids() == pids
        assert deriver.counts.killed == 0


async def test_a_large_result_that_nobody_waits_for_is_removed(noise: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path, grace=20) as deriver:
        facts = await deriver.examine(noise)
        with anyio.move_on_after(0.02):
            await deriver.derive(noise, facts, Suffix(format=Format.PNG))
        await deriver.examine(noise)  # its turn comes when the left job has ended
        assert deriver.counts.killed == 0
        assert not [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]


async def test_an_asker_who_leaves_long_before_the_end_stops_the_work_and_no_other(
    base: Path, noise: Path, tmp_path: Path
) -> None:
    async with deriving(tmp_path, processes=2, grace=0.1) as deriver:
        facts = await deriver.examine(noise)
        results = []

        async def stay() -> None:
            results.append(await deriver.derive(noise, facts, SLOW))

        async with anyio.create_task_group() as group:
            group.start_soon(stay)
            await anyio.lowlevel.checkpoint()
            with anyio.move_on_after(0.2):
                await deriver.derive(noise, facts, SLOW)
            left = time.monotonic()
            assert (await deriver.examine(base)).width == 40
            assert time.monotonic() - left < 1.5  # grace, a new process, and a busy machine
            assert deriver.counts.killed == 1
        results[0].body.unlink()
        assert results[0].width == 1600


async def test_an_asker_who_leaves_the_queue_takes_nobodys_turn(base: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path) as deriver:
        facts = await deriver.examine(base)
        done = []

        async def derive(width: int) -> None:
            done.append((await deriver.derive(base, facts, Suffix(format=Format.PNG, width=width))).width)

        async with anyio.create_task_group() as group:
            for width in range(1, 11):
                group.start_soon(derive, width)
            async with anyio.create_task_group() as leaving:
                for width in range(30, 40):
                    leaving.start_soon(derive, width)
                await anyio.lowlevel.checkpoint()
                leaving.cancel_scope.cancel()
        assert sorted(done) == list(range(1, 11))


async def test_closing_answers_those_who_wait_and_leaves_no_process(noise: Path, tmp_path: Path) -> None:
    answers = []

    async def ask() -> None:
        with pytest.raises(Unavailable) as answer:
            await deriver.derive(noise, facts, SLOW)
        answers.append(answer.value.retry_after)

    async with deriving(tmp_path) as deriver:
        facts = await deriver.examine(noise)
        (pid,) = deriver.pids()
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)
            await anyio.sleep(0.1)
            await deriver.close()
        assert answers == [1, 1, 1]
        assert not running(pid)
        with pytest.raises(Unavailable):
            await deriver.examine(noise)


async def test_a_full_disk_is_said_and_leaves_nothing_half_written(noise: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path) as deriver:
        facts = await deriver.examine(noise)
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(deriver.pids()[0], resource.RLIMIT_FSIZE, (2_000_000, most))
        with pytest.raises(DiskFull, match="spool"):
            await deriver.derive(noise, facts, Suffix(format=Format.PNG))
        assert not [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]


async def test_an_interrupt_at_the_terminal_is_for_the_owner(base: Path, tmp_path: Path) -> None:
    async with deriving(tmp_path) as deriver:
        (pid,) = deriver.pids()
        os.kill(pid, signal.SIGINT)
        assert os.getpgid(pid) != os.getpgid(0)
        assert (await deriver.examine(base)).width == 40
        assert deriver.pids() == (pid,)


async def test_processes_that_cannot_start_are_said_at_once(tmp_path: Path) -> None:
    deriver = Deriver(processes=2, limits=Limits(), spool=tmp_path)
    executable, sys.executable = sys.executable, "/bin/false"
    try:
        with pytest.raises(RuntimeError, match=r"no deriving process starts.*status 1"):
            await deriver.start()
    finally:
        sys.executable = executable
    assert not deriver.pids()
    await deriver.close()


async def test_a_deriving_process_dies_with_its_owner_however_that_dies(noise: Path, tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys, anyio
        from pathlib import Path
        from derivproxy.derive.pool import Deriver
        from derivproxy.domain.limits import Limits
        from grammar.names import Format, Suffix

        async def main():
            async with Deriver(processes=2, limits=Limits(), spool=Path(sys.argv[2])) as deriver:
                facts = await deriver.examine(Path(sys.argv[1]))
                print(*deriver.pids(), flush=True)
                await deriver.derive(Path(sys.argv[1]), facts, Suffix(format=Format.AVIF, lossless=True))

        anyio.run(main)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program, noise, tmp_path], stdout=subprocess.PIPE, text=True) as owner:  # noqa: ASYNC220
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 2
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)  # so that none can see the end of its pipe
        owner.kill()
        owner.wait()
    with anyio.fail_after(3):
        while any(running(pid) for pid in pids):  # noqa: ASYNC110  no event tells it
            await anyio.sleep(0.02)


async def test_a_deriving_process_is_small_and_knows_nothing_of_the_web(tmp_path: Path, base: Path) -> None:
    async with deriving(tmp_path) as deriver:
        await deriver.examine(base)
        usage = await anyio.Path(f"/proc/{deriver.pids()[0]}/smaps_rollup").read_text()
        rollup = dict(line.split()[:2] for line in usage.splitlines()[1:])
        assert int(rollup["Rss:"]) < 60_000
        assert int(rollup["Private_Dirty:"]) < 30_000
    program = "import sys, derivproxy.derive.worker; print(*sys.modules)"
    found = (await anyio.run_process([sys.executable, "-c", program])).stdout.decode().split()
    assert not {"asyncio", "anyio", "starlette", "hypercorn", "sqlite3", "structlog", "httpx", "numpy"} & set(found)


async def test_a_file_larger_than_the_room_of_a_process_is_refused_and_the_process_lives(tmp_path: Path) -> None:
    photo = hostile.encoded(".jpg")
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.write(photo)
        file.truncate(2 * 2**30)  # a hole: it takes no room on the disk
    limits = Limits(file_bytes=3 * 2**30)
    async with deriving(tmp_path, limits=limits) as deriver:
        pids = deriver.pids()
        with pytest.raises(TooLarge, match=r"2147483648 bytes .* DERIVPROXY_MAX_MEMORY_BYTES"):
            await deriver.examine(path, md5="0" * 32)
        assert deriver.pids() == pids


async def test_secrets_of_the_owner_do_not_reach_a_deriving_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERIVPROXY_TOKEN", "the secret token")
    monkeypatch.setenv("OS_PASSWORD", "the secret password")
    async with deriving(tmp_path) as deriver:
        (pid,) = deriver.pids()
        with open(f"/proc/{pid}/environ", "rb") as environment:  # noqa: ASYNC230, PTH123
            words = environment.read()
    assert b"PATH=" in words
    assert b"secret" not in words
