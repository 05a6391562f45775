"""Mutants of every format through real deriving processes: a picture or a clean refusal, and the processes live."""

from __future__ import annotations

import os
import random
from pathlib import Path

from derivproxy.derive.pool import Deriver
from derivproxy.domain.errors import Refused
from derivproxy.domain.limits import Limits
from grammar.names import Format, Suffix
from tests.derive import hostile
from tests.derive.test_examine import WHOLE

MUTANTS = 20
MOST_SECONDS = 2
SMALL = Suffix(format=Format.WEBP, width=24)
LARGE = {
    "a JPEG of as many scans x pixels as are allowed": hostile.rescanned(4000, 2500, 100),
    "a TIFF of a million small strips": hostile.tiff([hostile.page(1000, 1000)], tail=bytes(1_000_000)),
    "an interlaced PNG without rows": hostile.png(7000, 7000, interlace=1),
    "a PNG without rows": hostile.png(7000, 7000),
    "a GIF of 500 large frames of one pixel": hostile.gif(300, 300, frames=500),
    "a WebP of 500 broken frames": hostile.riff(hostile.vp8x(300, 300, 2), *[hostile.anmf()] * 500),
    "an AVIF of nothing": hostile.avif(),
    "an EXIF that leads to itself": b"\xff\xd8"
    + hostile.segment(0xE1, b"Exif\x00\x00" + hostile.tiff([[(0x8769, 4, 1, 8)]], loop=True))
    + hostile.encoded(".jpg", keep="none")[2:],
    "an EXIF of many directories": b"\xff\xd8"
    + hostile.segment(0xE1, b"Exif\x00\x00" + hostile.tiff([[(0x8769, 4, 1, 8), (0x8825, 4, 1, 8)]] * 1000))
    + hostile.encoded(".jpg", keep="none")[2:],
}


def mutant(data: bytes, chance: random.Random) -> bytes:
    mutated = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        # Headers decide most: half of the changes hit the first 200 bytes.
        end = len(mutated) if chance.random() < 0.5 else min(200, len(mutated))
        at = chance.randrange(4, end)
        match chance.randrange(4):
            case 0:
                mutated[at] ^= 1 << chance.randrange(8)
            case 1:
                mutated[at : at + 4] = b"\xff\xff\xff\xff"
            case 2:
                del mutated[at : at + chance.randrange(1, 30)]
            case _:
                mutated[at:at] = mutated[at : at + chance.randrange(1, 200)]
    return bytes(mutated)


def seconds(pid: int) -> float:
    """The processor time process *pid* has used; the wall clock would tell of the neighbours."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


async def survives(deriver: Deriver, path: Path) -> bool:
    start = seconds(deriver.pids()[0])
    try:
        facts = await deriver.examine(path)
        examined = seconds(deriver.pids()[0])
        assert examined - start < MOST_SECONDS
        derived = await deriver.derive(path, facts, SMALL)
        assert seconds(deriver.pids()[0]) - examined < MOST_SECONDS
    except Refused:
        assert seconds(deriver.pids()[0]) - start < MOST_SECONDS
        return False
    return derived.size > 0


async def test_no_mutant_costs_a_process_or_more_than_a_moment(tmp_path: Path) -> None:
    chance = random.Random(20261121)  # noqa: S311  the same mutants each time
    path = tmp_path / "mutant"
    derived = refused = 0
    async with Deriver(processes=1, limits=Limits(), spool=tmp_path) as deriver:
        for data in WHOLE.values():
            for _ in range(MUTANTS):
                path.write_bytes(mutant(data, chance))
                if await survives(deriver, path):
                    derived += 1
                else:
                    refused += 1
        assert (deriver.counts.started, deriver.counts.died, deriver.counts.killed) == (1, 0, 0)
    assert derived > 20
    assert refused > 100


async def test_what_goes_to_the_limits_costs_no_process_and_no_more_than_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "large"
    async with Deriver(processes=1, limits=Limits(), spool=tmp_path) as deriver:
        for data in LARGE.values():
            path.write_bytes(data)
            await survives(deriver, path)
        assert (deriver.counts.started, deriver.counts.died, deriver.counts.killed) == (1, 0, 0)
