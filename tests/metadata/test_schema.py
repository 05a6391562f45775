from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from derivproxy.domain.status import State
from derivproxy.metadata import DatabaseUnusable, Metadata, schema
from tests.metadata.making import ident, picture


def pragma(path: Path, name: str) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]
    finally:
        connection.close()


async def test_a_new_database_is_ours_and_of_the_newest_schema(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    async with await Metadata.open(path, write=True):
        assert pragma(path, "application_id") == schema.APPLICATION_ID
        assert pragma(path, "user_version") == len(schema.migrations())
        assert pragma(path, "journal_mode") == "wal"


async def test_the_engine_makes_each_commit_durable_and_keeps_foreign_keys(tmp_path: Path) -> None:
    async with await Metadata.open(tmp_path / "m", write=True) as metadata:
        writer = metadata._writer  # noqa: SLF001 - what the promise rests on
        assert writer is not None
        assert list(await writer.execute_fetchall("PRAGMA synchronous")) == [(2,)]
        assert list(await writer.execute_fetchall("PRAGMA foreign_keys")) == [(1,)]


async def test_what_was_put_in_is_there_after_closing(tmp_path: Path) -> None:
    async with await Metadata.open(tmp_path / "m", write=True) as metadata:
        kept, _ = await metadata.add(picture("a", tags=("x",)))
    for write in (False, True):
        async with await Metadata.open(tmp_path / "m", write=write) as metadata:
            assert await metadata.image(kept.ident) == kept


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m"
    async with await Metadata.open(path, write=True):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for write in (True, False):
        with pytest.raises(
            DatabaseUnusable, match=r"its schema is 99, newer than this program's \d+; install the newer"
        ):
            await Metadata.open(path, write=write)
    assert pragma(path, "user_version") == 99


async def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    for write in (True, False):
        with pytest.raises(DatabaseUnusable, match="belongs to another program"):
            await Metadata.open(path, write=write)
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"no database " * 100)
    for write in (True, False):
        with pytest.raises(DatabaseUnusable, match="not a database"):
            await Metadata.open(path, write=write)
    assert path.read_bytes() == b"no database " * 100


async def test_reading_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="there is no such file"):
        await Metadata.open(tmp_path / "m", write=False)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="unable to open"):
        await Metadata.open(tmp_path / "none" / "m", write=True)


async def test_an_older_schema_is_migrated_by_the_writer_and_refused_by_readers(tmp_path: Path) -> None:
    path = tmp_path / "m"
    schema.prepare(path, schema.migrations())
    newer = (*schema.migrations(), "ALTER TABLE images ADD COLUMN extra TEXT;")
    with pytest.raises(DatabaseUnusable, match=r"its schema is \d+, this program's"):
        schema.check(path, len(newer))
    schema.prepare(path, newer)
    schema.check(path, len(newer))
    connection = sqlite3.connect(path)
    try:
        assert "extra" in [row[1] for row in connection.execute("PRAGMA table_info(images)")]
    finally:
        connection.close()


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "m"
    schema.prepare(path, schema.migrations())
    broken = (*schema.migrations(), "CREATE TABLE half (x) STRICT; SELECT nonsense;")
    with pytest.raises(DatabaseUnusable):
        schema.prepare(path, broken)
    assert pragma(path, "user_version") == len(schema.migrations())
    async with await Metadata.open(path, write=True) as metadata:
        await metadata.add(picture("a"))


ROOT = Path(__file__).parents[2]
CHILD = """
import anyio, os, sys
from pathlib import Path
from derivproxy.metadata import Metadata
from tests.metadata.making import picture
async def main():
    metadata = await Metadata.open(Path(sys.argv[1]), write=True)
    seed = 0
    while True:
        await metadata.add(picture(seed, tags=("t",)))
        os.write(1, b"%d\\n" % seed)
        seed += 1
anyio.run(main)
"""


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "m"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, cwd=ROOT)  # noqa: ASYNC220
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(20)]
    child.send_signal(signal.SIGKILL)
    acknowledged = [int(line) for line in [*lines, *child.stdout.read().split()]]
    child.wait()
    child.stdout.close()
    async with await Metadata.open(path, write=False) as reader:
        assert all(reader.status(ident(seed)).state is State.LIVE for seed in acknowledged)
    async with await Metadata.open(path, write=True) as metadata:
        found = (await metadata.images(limit=1000)).images
        assert len(found) in (len(acknowledged), len(acknowledged) + 1)
        assert all(image.tags == ("t",) for image in found)
    assert pragma(path, "integrity_check") == "ok"
