from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from derivproxy import __version__
from derivproxy.config import settings_table
from derivproxy.domain.derivation import DERIVATION_VERSION
from tests.app.server import SAMPLES
from tests.cli.running import IDENT, call, run

if TYPE_CHECKING:
    from pathlib import Path

PHOTO = SAMPLES / "astronaut.png"


@pytest.mark.parametrize("suffix", ["100x.webp", "-100x.WEBP"])
def test_derive_makes_one_derivative_of_a_file(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "out"
    done = run("derive", PHOTO, suffix, "-o", out)
    assert done.code == 0, done.err
    with Image.open(out) as made:
        assert (made.format, made.size) == ("WEBP", (100, 100))
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("file", "suffix", "code", "said"),
    [
        ("photo.png", "100x.bmp", 2, "'100x.bmp' is no suffix"),
        ("photo.png", "100x.auto", 2, "at position 4 '.auto' stands"),
        ("missing.png", "100x.jpg", 2, "'missing.png' does not exist"),
        ("text.png", "100x.jpg", 1, "text.png: unsupported-media: the bytes 6e 6f"),
        ("half.png", "100x.jpg", 1, "half.png: undecodable: the file breaks off"),
        ("photo.png", "100x.jxl", 1, "photo.png: cannot-encode:"),
        ("photo.png", "x-crop0_0_513_1.jpg", 1, "photo.png: crop-outside: the crop 0_0_513_1"),
        ("photo.png", "x-page2.jpg", 1, "photo.png: no-such-page:"),
    ],
)
def test_derive_says_what_is_wrong_and_writes_nothing(
    tmp_path: Path, file: str, suffix: str, code: int, said: str
) -> None:
    (tmp_path / "photo.png").write_bytes(PHOTO.read_bytes())
    (tmp_path / "half.png").write_bytes(PHOTO.read_bytes()[:9999])
    (tmp_path / "text.png").write_text("no image")
    before = set(tmp_path.iterdir())
    done = run("derive", file, suffix, "-o", "out.jpg", cwd=tmp_path)
    assert done.code == code
    assert said in done.err
    assert set(tmp_path.iterdir()) == before


def test_derive_holds_the_limits_of_the_settings(tmp_path: Path) -> None:
    done = run("derive", PHOTO, "10x.jpg", "-o", tmp_path / "o", "--max-pixels", "1000")
    assert (done.code, "too-many-pixels" in done.err) == (1, True)


def test_derive_into_a_folder_that_is_not_there_names_it(tmp_path: Path) -> None:
    done = run("derive", PHOTO, "10x.jpg", "-o", tmp_path / "none" / "o.jpg")
    assert (done.code, done.err) == (1, f"derivproxy: {tmp_path / 'none' / 'o.jpg'}: No such file or directory\n")


def test_version_tells_all_that_decides_about_pixels() -> None:
    done = run("version")
    assert done.code == 0
    first, second, libvips, reads, writes = done.out.splitlines()
    assert (first, second) == (f"derivproxy {__version__}", f"derivation version {DERIVATION_VERSION}")
    assert re.fullmatch(r"libvips 8\.\d+\.\d+", libvips)
    assert set(reads.split()[1:]) >= {"jpg", "png", "webp", "avif", "gif", "tif"}
    assert set(writes.split()[1:]) >= {"jpg", "png", "webp", "avif", "gif", "tif"}


def test_config_show_prints_every_setting_and_where_it_came_from_and_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("workers = 3\n")
    done = call("config", "show", "--json", "--config", file, "--port", "81", DERIVPROXY_TOKEN="very-secret")  # noqa: S106
    shown = json.loads(done.out)
    assert set(shown) == {row.name for row in settings_table()}
    assert shown["port"] == {"value": "81", "source": "--port"}
    assert shown["workers"]["value"] == "3"
    assert str(file) in shown["workers"]["source"]
    assert shown["token"]["source"] == "DERIVPROXY_TOKEN"
    assert shown["max_pixels"]["source"] == "default"
    assert "very-secret" not in done.out
    table = call("config", "show", DERIVPROXY_TOKEN="very-secret")  # noqa: S106
    assert [line.split()[0] for line in table.out.splitlines()] == [row.name for row in settings_table()]
    assert "very-secret" not in table.out


def test_wrong_settings_are_all_said_at_once_and_end_every_command() -> None:
    done = call("config", "show", "--workers", "0", DERIVPROXY_PRT="1")
    assert done.code == 2
    assert "--workers: '0' is not a whole number" in done.err
    assert "did you mean DERIVPROXY_PORT?" in done.err
    assert call("url", IDENT, "x.png", DERIVPROXY_PRT="1").code == 2
    assert call("serve", DERIVPROXY_PRT="1").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--budget", "much"), 2, "--budget: 'much' is no size in bytes"),
        ((), 2, "Missing option '--budget'"),
        (("--budget", "0", "--store", "s3://bucket"), 1, "no provider 's3'; installed: file"),
        (("--budget", "0", "--data", "none"), 1, "there is no store; --store or --data names it"),
    ],
)
def test_evict_says_what_is_wrong(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = run("evict", *arguments, cwd=tmp_path)
    assert (done.code, said in done.err) == (code, True), done.err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command_is_named_with_those_there_are() -> None:
    done = call("server")
    assert done.code == 2
    assert "no command 'server'; there are: serve, put" in done.err


@pytest.mark.parametrize("arguments", [("serve", "no-such-folder"), ("serve", "--port", "http")])
def test_serve_refuses_what_it_cannot_work_with(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.code == 2
    assert arguments[-1] in done.err
    assert list(tmp_path.iterdir()) == []
