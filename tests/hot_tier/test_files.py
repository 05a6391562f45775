from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from derivproxy.hot_tier.files import Digests, LocalFile
from derivproxy.hot_tier.held import Held, Label
from derivproxy.hot_tier.threads import to_the_end

if TYPE_CHECKING:
    from pathlib import Path


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_a_file_is_read_as_it_was_opened_whatever_happens_to_its_name(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"first")
    file = LocalFile.open(path)
    other = tmp_path / "other"
    other.write_bytes(b"second, longer")
    other.rename(path)
    assert file.path.read_bytes() == b"first"
    path.unlink()
    assert file.path.read_bytes() == b"first"
    assert file.size == 5
    file.release()


def test_the_last_holder_closes_it(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"bytes")
    file = LocalFile.open(path)
    where = file.path
    assert file.hold() is file
    file.release()
    assert where.read_bytes() == b"bytes"
    file.release()
    assert not where.exists()
    with pytest.raises(ValueError, match="closed"):
        file.hold()
    with pytest.raises(ValueError, match="closed"):
        file.release()


def test_an_adopted_file_has_no_name_any_more(tmp_path: Path) -> None:
    path = tmp_path / "spooled"
    path.write_bytes(b"bytes")
    file = LocalFile.adopt(path)
    assert list(tmp_path.iterdir()) == []
    assert file.path.read_bytes() == b"bytes"
    file.release()


async def test_a_digest_is_computed_once_while_the_file_stands(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"bytes")
    digests = Digests()
    file = LocalFile.open(path)
    assert digests.known(file, "sha256") is None
    assert await digests.of(file, "sha256") == sha256(b"bytes")
    assert digests.known(file, "sha256") == sha256(b"bytes")
    assert digests.known(file, "md5") is None
    again = LocalFile.open(path)
    assert digests.known(again, "sha256") == sha256(b"bytes")
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert digests.known(again, "sha256") is None, "another time of change"
    for one in (file, again):
        one.release()


async def test_another_size_or_inode_is_another_file(tmp_path: Path) -> None:
    digests = Digests()
    for number, body in enumerate((b"bytes", b"bytes!")):
        path = tmp_path / str(number)
        path.write_bytes(body)
        os.utime(path, ns=(5, 5))
        file = LocalFile.open(path)
        assert digests.known(file, "sha256") is None
        assert await digests.of(file, "sha256") == sha256(body)
        file.release()


async def test_what_was_noted_is_believed_and_the_oldest_is_forgotten(tmp_path: Path) -> None:
    digests = Digests(remembered=2)
    files = []
    for number in range(3):
        path = tmp_path / str(number)
        path.write_bytes(b"x" * number)
        files.append(LocalFile.open(path))
        digests.note(files[-1], "sha256", f"noted {number}")
        digests.known(files[0], "sha256")
    assert [digests.known(file, "sha256") for file in files] == ["noted 0", None, "noted 2"]
    for file in files:
        file.release()


async def test_a_cancelled_caller_leaves_only_when_its_thread_is_done() -> None:
    begun, go, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(5)
        done.set()

    caller = asyncio.create_task(to_the_end(work))
    assert await asyncio.get_running_loop().run_in_executor(None, begun.wait, 5)
    caller.cancel()
    await asyncio.sleep(0.01)
    caller.cancel()
    await asyncio.sleep(0.01)
    assert not caller.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done.is_set()


async def test_the_thread_s_result_and_its_error_come_back() -> None:
    assert await to_the_end(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await to_the_end(divmod, 7, 0)


def test_a_label_survives_being_stored() -> None:
    label = Label(version=12, md5="a" * 32, media_type="image/avif")
    assert Label.from_metadata(label.to_metadata()) == label
    assert label.content_type == "image/avif;dv=12"


@pytest.mark.parametrize("key", ["version", "md5", "media-type"])
@pytest.mark.parametrize("value", ["", "0", "1\n", "\u0661", "text/html", "G" * 32])
def test_a_malformed_label_is_none(key: str, value: str) -> None:
    good = Label(version=12, md5="a" * 32, media_type="image/avif").to_metadata()
    assert Label.from_metadata(good | {key: value}) is None
    del good[key]
    assert Label.from_metadata(good) is None


def test_holding_bytes_costs_nothing() -> None:
    held = Held(body=b"x", size=1, md5="a" * 32, media_type="image/avif", version=1)
    assert held.hold() is held
    held.release()
    held.release()
    assert held.body == b"x"
