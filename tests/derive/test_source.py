from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derivproxy.derive.source import open_source
from derivproxy.domain.errors import Refused, Undecodable, UnsupportedMedia
from derivproxy.domain.limits import Limits
from tests.derive import hostile

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "jpg": hostile.encoded(".jpg"),
    "progressive jpg": hostile.encoded(".jpg", interlace=True),
    "png": hostile.encoded(".png"),
    "webp": hostile.encoded(".webp"),
    "avif": hostile.encoded(".avif"),
    "gif": hostile.animation(".gif"),
    "tif": hostile.encoded(".tif"),
    "bigtiff": hostile.encoded(".tif", bigtiff=True),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("source") / "image"


@pytest.mark.parametrize("kind", FILES)
def test_what_is_in_order_is_handed_on_by_its_path(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(FILES[kind])
    source = open_source(path, Limits())
    assert source.data == path
    assert source.size == len(FILES[kind])
    frame = (20, 16) if kind == "gif" else (40, 30)
    assert (source.header.width, source.header.height) == frame
    assert source.header.frames == (4 if kind == "gif" else 1)
    assert source.header.interlaced == (kind == "progressive jpg")


def test_a_link_to_an_image_is_that_image(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(FILES["png"])
    (tmp_path / "link").symlink_to("image")
    assert open_source(tmp_path / "link", Limits()).media_type == "image/png"


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    start = time.monotonic()
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(UnsupportedMedia, match="no regular file"):
            open_source(path, Limits())
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match="socket"):
            open_source(tmp_path / "socket", Limits())
    assert time.monotonic() - start < 1


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "nothing", Limits())
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):
        open_source(tmp_path / "loop", Limits())


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 12])
@pytest.mark.parametrize("kind", FILES)
def test_a_handful_of_bytes_is_no_image(kind: str, size: int, place: Path) -> None:
    place.write_bytes(FILES[kind][:size])
    with pytest.raises((UnsupportedMedia, Undecodable)):
        open_source(place, Limits())


def test_an_avif_whose_last_box_is_empty_breaks_off(tmp_path: Path) -> None:
    whole = hostile.avif(items=[])
    infe = hostile.box(b"iinf", bytes(4) + b"\x00\x01" + hostile.box(b"infe", b""))
    ftyp = int.from_bytes(whole[:4], "big")
    (tmp_path / "image").write_bytes(whole[:ftyp] + hostile.box(b"meta", bytes(4) + infe))
    with pytest.raises(Undecodable, match="breaks off inside its header"):
        open_source(tmp_path / "image", Limits())


@given(
    kind=st.sampled_from(sorted(FILES)),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
)
def test_a_walk_of_any_damaged_file_ends_in_a_source_or_a_refusal(
    place: Path, kind: str, cut: float, flips: list[tuple[float, int]]
) -> None:
    data = bytearray(FILES[kind])
    for where, value in flips:
        data[min(int(where * len(data)), len(data) - 1)] = value
    place.write_bytes(data[: max(1, int(cut * len(data)))])
    with suppress(Refused):
        source = open_source(place, Limits())
        assert 1 <= source.header.width * source.header.height <= Limits().pixels


@given(head=st.sampled_from([data[:40] for data in FILES.values()]), rest=st.binary(max_size=400))
def test_a_walk_of_any_bytes_behind_a_right_beginning_ends(place: Path, head: bytes, rest: bytes) -> None:
    place.write_bytes(head + rest)
    with suppress(Refused):
        open_source(place, Limits())
