"""The public odd and broken images, where they lie beside the checkout, through real deriving processes."""

from __future__ import annotations

import io
import json
import os
import warnings
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageOps

from derivproxy.derive.pool import Deriver
from derivproxy.domain.errors import Refused
from derivproxy.domain.limits import Limits
from grammar.names import Format, Suffix

if TYPE_CHECKING:
    from derivproxy.domain.images import Facts

SUITES = Path(__file__).parents[3] / "shared" / "suites"
JPG = Suffix(format=Format.JPG, width=100, height=100)
PNG = Suffix(format=Format.PNG, width=100, height=100)
MOST_SECONDS = 2
MOST_KILOBYTES = 512 * 1024

pytestmark = [
    pytest.mark.suites,
    pytest.mark.skipif(not SUITES.is_dir(), reason="the suites are not beside the checkout"),
]


@dataclass(frozen=True)
class Outcome:
    file: str
    kind: str
    seconds: float
    facts: Facts | None = None
    pictures: tuple[bytes, ...] = ()
    refusal: Refused | None = None


async def outcome(deriver: Deriver, file: str, kind: str) -> Outcome:
    path, marks = SUITES / file, [seconds(deriver.pids()[0])]
    pictures = []
    try:
        facts = await deriver.examine(path)
        for suffix in (JPG, PNG):
            marks.append(seconds(deriver.pids()[0]))
            body = (await deriver.derive(path, facts, suffix)).body
            assert isinstance(body, bytes)
            pictures.append(body)
    except Refused as refusal:
        marks.append(seconds(deriver.pids()[0]))
        return Outcome(file, kind, max(b - a for a, b in pairwise(marks)), refusal=refusal)
    marks.append(seconds(deriver.pids()[0]))
    return Outcome(file, kind, max(b - a for a, b in pairwise(marks)), facts, tuple(pictures))


def seconds(pid: int) -> float:
    """The processor time process *pid* has used; the wall clock would tell of the neighbours."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> int:
    """The most kilobytes process *pid* ever had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError(pid)


def inside(width: int, height: int) -> tuple[int, int]:
    """The size of the largest picture of that aspect in 100 x 100, never enlarged; halves up, at least 1."""
    if max(width, height) <= 100:
        return width, height
    if width >= height:
        return 100, max(1, (200 * height + width) // (2 * width))
    return max(1, (200 * width + height) // (2 * height)), 100


def comparable(picture: bytes) -> bool:
    """Pillow cuts 16-bit grey off instead of scaling it, and converts no profile."""
    image = Image.open(io.BytesIO(picture))
    return image.mode[0] != "I" and image.mode != "CMYK" and "icc_profile" not in image.info


def seen(picture: bytes) -> Image.Image:
    """As people see it on white."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(picture))
        image = ImageOps.exif_transpose(image).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


@pytest.mark.timeout(300)
async def test_every_file_of_the_suites_is_derived_right_or_refused_cleanly(tmp_path: Path) -> None:
    files = json.loads((SUITES / "manifest.json").read_text())
    async with Deriver(processes=1, limits=Limits(), spool=tmp_path) as deriver:
        outcomes = [await outcome(deriver, each["file"], each["class"]) for each in files]
        counts, peaks = deriver.counts, [peak(pid) for pid in deriver.pids()]

    assert len(outcomes) == len(files)
    assert (counts.started, counts.died, counts.killed) == (1, 0, 0)
    assert max(peaks) < MOST_KILOBYTES
    assert not [each for each in outcomes if each.seconds > MOST_SECONDS]
    assert not [each for each in outcomes if each.kind == "valid" and each.refusal]
    assert not [each for each in outcomes if each.kind == "hostile" and not each.refusal]
    assert not [each for each in outcomes if each.refusal and not each.refusal.detail]
    for each in outcomes:
        if each.facts is not None:
            wanted = inside(each.facts.width, each.facts.height)
            assert all(Image.open(io.BytesIO(picture)).size == wanted for picture in each.pictures), each.file
    assert Counter(each.refusal is None for each in outcomes)[True] > 600  # not all refused


async def test_what_is_derived_of_valid_files_is_what_pillow_sees_in_them(tmp_path: Path) -> None:
    far = []
    async with Deriver(processes=1, limits=Limits(), spool=tmp_path) as deriver:
        for each in json.loads((SUITES / "manifest.json").read_text()):
            if each["class"] != "valid" or not comparable(data := (SUITES / each["file"]).read_bytes()):
                continue
            result = await outcome(deriver, each["file"], "valid")
            upright = seen(data)
            png = seen(result.pictures[1])
            other = np.asarray(upright.resize(png.size, Image.Resampling.BOX)).astype(int)
            far.append((float(np.abs(np.asarray(png).astype(int) - other).mean()), each["file"]))
    assert len(far) > 100
    assert not [each for each in far if each[0] > 4]
