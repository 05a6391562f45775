"""Providers are found by the scheme of an address, and addresses that are wrong are refused with the remedy."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from derivproxy.stores import BadStore, installed_providers, open_store
from derivproxy.stores.filesystem import FilesystemStore

if TYPE_CHECKING:
    from pathlib import Path


def test_the_filesystem_is_installed() -> None:
    assert "file" in installed_providers()


async def test_an_address_opens_a_folder_in_a_folder(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/a%20b", "images", durable=False)
    assert isinstance(store, FilesystemStore)
    await store.put("a", b"1")
    assert (tmp_path / "a b" / "images" / "a").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("swft://images", r"store 'swft://images': no provider 'swft'; installed: file"),
        ("", r"store '' names no provider: write it like file:///srv/images"),
        ("/srv/images", r"store '/srv/images' names no provider: write file:///srv/images"),
        ("://x", "names no provider"),
        ("file:///", "names no folder"),
        ("file://", "names no folder"),
        ("file://srv/images", r"'srv' stands where a host would.*like file:///srv/images"),
        ("file://./images", r"'\.' stands where a host would.*like file:///images"),
        ("file:///srv/images?durable=no", "nothing can follow the folder"),
        ("file:///srv/im#1", "nothing can follow the folder"),
        ("file:///srv/../etc", "plain absolute path"),
        ("file:///srv/%00", "plain absolute path"),
        ("file://[/x", "write it like file:///srv/images"),
    ],
)
def test_a_wrong_address_is_refused(url: str, message: str) -> None:
    with pytest.raises(BadStore, match=message):
        open_store(url, "images")


@pytest.mark.parametrize("container", ["", ".", "..", "a/b", ".images", "a b", "ä"])
def test_a_wrong_container_is_refused(tmp_path: Path, container: str) -> None:
    with pytest.raises(BadStore, match=re.escape(f"{container!r} cannot name a container")):
        open_store(f"file://{tmp_path}", container)


@pytest.fixture
def distribution(tmp_path: Path) -> Path:
    """An installed distribution with two providers: one that works, one whose module is missing."""
    (tmp_path / "ramstore.py").write_text("def open_ram(url, container, **options): return url, container, options\n")
    info = tmp_path / "ramstore-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ramstore\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[derivproxy.stores]\nram = ramstore:open_ram\nlost = nowhere:open_it\n")
    return tmp_path


def test_another_distribution_brings_a_provider(distribution: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(distribution)])
    assert open_store("ram://x", "images", size=3) == ("ram://x", "images", {"size": 3})
    with pytest.raises(BadStore, match=r"'lost' cannot be loaded \(No module named 'nowhere'\): reinstall it"):
        open_store("lost://x", "images")
    with pytest.raises(BadStore, match="installed: file, lost, ram"):
        open_store("swft://x", "images")


def test_no_provider_at_all_is_said() -> None:
    with pytest.raises(BadStore, match="installed: none"):
        open_store("file:///srv", "images", providers={})
