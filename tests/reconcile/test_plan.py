from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from derivproxy.domain.images import Facts, Image
from derivproxy.metadata import Metadata
from derivproxy.stores import Entry, Store, open_store
from reconcile.confirm import confirm
from reconcile.drift import Drift, Kind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROGRAM = "from reconcile.cli import main; main()"
ROOT = Path(__file__).parents[2]
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def image(ident: str) -> Image:
    return Image(ident=ident, facts=Facts(media_type="image/png", bytes=3, md5="0" * 32, width=1, height=1))


class Installation:
    """A data folder with a store and a database in it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        (data / "local").mkdir(parents=True)

    def fill(self, *, rows: tuple[str, ...] = (), keys: tuple[str, ...] = (), removed: tuple[str, ...] = ()) -> None:
        async def work() -> None:
            store = open_store((self.data / "store").as_uri(), "images")
            async with await Metadata.open(self.data / "local" / "metadata.sqlite", write=True) as metadata:
                for ident in (*rows, *removed):
                    await metadata.add(image(ident))
                for ident in removed:
                    await metadata.remove(ident)
                for key in keys:
                    await store.put(key, b"abc")
            await store.close()

        anyio.run(work)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("DERIVPROXY_")}
        environ |= {"DERIVPROXY_DATA": str(self.data), "DERIVPROXY_SERVER": "http://x", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", PROGRAM, *arguments]
        return subprocess.run(command, env=environ, cwd=self.data, capture_output=True, text=True, check=False)

    def plan(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("plan", "--grace-seconds", "0", *arguments)

    def content(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.data)): path.read_bytes()
            for path in self.data.rglob("*")
            if path.is_file() and not path.name.endswith(("-shm", "-wal"))
        }


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


def test_in_step_exits_0_and_says_so(installation: Installation) -> None:
    installation.fill(rows=(A, B), keys=(A, B, f"{A}-x.jpg", f"{B}~512", "notes.txt"), removed=(C,))
    done = installation.plan()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "In step: 2 rows, 2 bases, 2 derivatives; left alone: 1 names that are not ours, "
        "0 objects younger than 0 s. Nothing was changed.\n"
    )


def test_drift_exits_2_and_is_listed_and_nothing_is_changed(installation: Installation) -> None:
    installation.fill(rows=(A,), keys=(B, f"{C}-x.jpg", "notes.txt"), removed=(C,))
    before = installation.content()
    done = installation.plan()
    assert (done.returncode, done.stderr) == (2, "")
    *lines, summary = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["missing", A],
        ["orphan", B],
        ["stray-derivative", f"{C}-x.jpg"],
    ]
    assert summary.startswith("1 orphan, 1 missing, 1 stray-derivative: 1 rows, 1 bases, 1 derivatives")
    assert installation.content() == before


def test_for_machines_each_line_is_an_object_and_the_summary_is_last(installation: Installation) -> None:
    installation.fill(rows=(A,), keys=(B,))
    done = installation.plan("--json")
    assert done.returncode == 2
    *lines, summary = map(json.loads, done.stdout.splitlines())
    assert lines == [
        {"drift": "missing", "key": A, "ident": A, "bytes": 0},
        {"drift": "orphan", "key": B, "ident": B, "bytes": 3},
    ]
    assert summary["summary"]["missing"] == summary["summary"]["orphan"] == 1
    assert summary["summary"]["stray-derivative"] == summary["summary"]["young"] == 0


def test_objects_younger_than_two_days_are_left_alone_unless_told(installation: Installation) -> None:
    installation.fill(keys=(A,))
    done = installation.run("plan")
    assert done.returncode == 0
    assert "1 objects younger than 172800 s" in done.stdout


def test_it_works_beside_a_running_writer(installation: Installation) -> None:
    installation.fill(rows=(A,), keys=(A,))

    async def work() -> str:
        async with await Metadata.open(installation.data / "local" / "metadata.sqlite", write=True) as metadata:
            await metadata.add(image(B))
            return installation.plan().stdout

    assert f"missing           {B}" in anyio.run(work)


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("local", "there is no such file; start the service"),
        ("store", "there is no folder"),
        ("store/images", "no folder"),
    ],
)
def test_a_side_that_is_not_there_is_a_failure_and_is_not_made(
    installation: Installation, missing: str, reason: str
) -> None:
    installation.fill(rows=(A,), keys=(A,))
    shutil.rmtree(installation.data / missing)
    done = installation.plan()
    assert done.returncode == 1
    assert done.stdout == ""
    assert reason in done.stderr
    assert not (installation.data / missing).exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["plan", "--store", "nowhere"], "--store: 'nowhere' is no store URL"),
        (["plan", "--store", "swft://x"], "no provider 'swft'"),
        (["plan", "--frobnicate"], "No such option"),
        (["apply"], "No such command 'apply'"),
        (["plan", "--grace-seconds", "soon"], "--grace-seconds: 'soon' is no length of time"),
    ],
)
def test_what_cannot_be_done_exits_1_and_names_the_remedy(
    installation: Installation, arguments: list[str], reason: str
) -> None:
    installation.fill()
    done = installation.run(*arguments)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_help(installation: Installation) -> None:
    done = installation.run("plan", "--help")
    assert done.returncode == 0
    assert "orphan             a base in the store without a row\n" in done.stdout


async def each(*drifts: Drift) -> AsyncIterator[Drift]:
    for drift in drifts:
        yield drift


async def confirmed(store: Store, metadata: Metadata, *drifts: Drift) -> list[Drift]:
    return [drift async for drift in confirm(each(*drifts), store=store, status=metadata.status)]


async def test_a_second_look_drops_what_the_listings_only_seemed_to_say(tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri(), "images")
    async with await Metadata.open(tmp_path / "m.sqlite", write=True) as metadata:
        missing = Drift(kind=Kind.MISSING, key=A, ident=A)
        stray = Drift(kind=Kind.STRAY, key=f"{A}-x.jpg", ident=A, bytes=3)
        orphan = Drift(kind=Kind.ORPHAN, key=A, ident=A, bytes=3)
        # Removed or added since it was listed.
        assert await confirmed(store, metadata, missing) == []
        assert await confirmed(store, metadata, stray, orphan) == [stray, orphan]
        await metadata.add(image(A))
        assert await confirmed(store, metadata, missing, stray, orphan) == [missing, stray]
        # A base that the listing had not yet.
        await store.put(A, b"abc")
        assert await confirmed(store, metadata, missing, stray) == []
        await metadata.remove(A)
        assert await confirmed(store, metadata, orphan) == [orphan]
        assert [entry.key async for entry in store.list()] == [A]
        assert isinstance(await anext(aiter(store.list())), Entry)
    await store.close()
