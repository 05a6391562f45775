"""Bases that say what happened to them, and the derivatives made of them as Pillow and numpy see them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyvips
from PIL import Image

from derivproxy.derive.examine import examine
from derivproxy.derive.pipeline import make
from derivproxy.derive.source import open_source
from derivproxy.domain.limits import Limits
from grammar.names import Format, Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from derivproxy.derive.pipeline import Encoded
    from derivproxy.derive.source import Source
    from derivproxy.domain.images import Facts

LIMITS = Limits()
WRITABLE = [Format.JPG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF, Format.TIF]
RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 180, 40), (30, 40, 210), (230, 220, 40)
CORNERS = (RED, GREEN, BLUE, YELLOW)


@dataclass(frozen=True, slots=True)
class Base:
    """An image on disk that passed the header limits, and its facts."""

    path: Path
    source: Source
    facts: Facts

    def derive(self, format_: Format = Format.PNG, **options: object) -> Encoded:
        return make(self.source, self.facts, Suffix(format=format_, **options), LIMITS)  # type: ignore[arg-type]

    def drawn(self, format_: Format = Format.PNG, **options: object) -> Image.Image:
        return opened(self.derive(format_, **options).body)

    def array(self, format_: Format = Format.PNG, **options: object) -> NDArray[np.int64]:
        """The derivative as RGB(A) or grey numbers."""
        return np.asarray(self.drawn(format_, **options)).astype(np.int64)


def put(folder: Path, body: bytes, name: str = "base") -> Base:
    path = folder / name
    path.write_bytes(body)
    return Base(path, open_source(path, LIMITS), examine(path, LIMITS))


def opened(body: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def quarters(width: int, height: int, colours: tuple[tuple[int, ...], ...] = CORNERS) -> Image.Image:
    """Four flat quarters: top left, top right, bottom left, bottom right."""
    image = Image.new("RGB" if len(colours[0]) == 3 else "RGBA", (width, height))
    for at, colour in enumerate(colours):
        left, top = (at % 2) * (width // 2), (at // 2) * (height // 2)
        image.paste(colour, (left, top, width, height))
    return image


def scene(width: int, height: int, seed: int = 1) -> Image.Image:
    """Something like a photo: soft shades, hard edges, some grain, nothing symmetric."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    grain = np.random.default_rng(seed).normal(0, 6, (height, width, 3))
    shades = np.stack([40 + 180 * x, 60 + 150 * y, 200 - 120 * x * y], axis=2)
    disc = (x - 0.3) ** 2 + (y - 0.6) ** 2 < 0.03
    shades[disc] = (235, 90, 40)
    stripes = (x > 0.6) & (np.floor(x * 40) % 2 == 0) & (y < 0.5)
    shades[stripes] = (20, 30, 60)
    return Image.fromarray(np.clip(shades + grain, 0, 255).astype(np.uint8))


def corners_of(image: Image.Image) -> tuple[tuple[int, ...], ...]:
    """The colours well inside the four corners."""
    rgb = image.convert("RGB")
    dx, dy = max(1, rgb.width // 6), max(1, rgb.height // 6)
    places = [(dx, dy), (rgb.width - 1 - dx, dy), (dx, rgb.height - 1 - dy), (rgb.width - 1 - dx, rgb.height - 1 - dy)]
    return tuple(rgb.getpixel(place) for place in places)  # type: ignore[misc]


def near(got: object, wanted: object, tolerance: float = 12) -> bool:
    difference = np.asarray(got).astype(float) - np.asarray(wanted).astype(float)
    return bool(np.abs(difference).max() <= tolerance)


def frames_of(image: Image.Image) -> list[Image.Image]:
    frames = []
    for at in range(getattr(image, "n_frames", 1)):
        image.seek(at)
        frames.append(image.convert("RGBA"))
    return frames


def moving(kind: str, frames: list[Image.Image], durations: list[int], loop: int = 0) -> bytes:
    extra = {"lossless": True} if kind == "WEBP" else {"disposal": 2}
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=durations, loop=loop, **extra)


def p3_profile() -> bytes:
    made = pyvips.Image.black(1, 1, bands=3).copy(interpretation="srgb").icc_transform("p3", input_profile="srgb")
    return bytes(made.get("icc-profile-data"))


def grey_profile() -> bytes:
    """A minimal grey display profile of gamma 1, so that ignoring it shows."""
    curve = b"curv" + bytes(4) + (0).to_bytes(4, "big")
    white = b"XYZ " + bytes(4) + b"\x00\x00\xf6\xd6\x00\x01\x00\x00\x00\x00\xd3\x2d"
    words = b"desc" + bytes(4) + (5).to_bytes(4, "big") + b"grey\0" + bytes(4 + 4 + 2 + 1 + 67)
    words += bytes(-len(words) % 4)
    blocks = [(b"desc", words), (b"wtpt", white), (b"kTRC", curve), (b"cprt", b"text" + bytes(4) + b"none")]
    table, data, at = b"", b"", 128 + 4 + 12 * len(blocks)
    for name, block in blocks:
        table += name + at.to_bytes(4, "big") + len(block).to_bytes(4, "big")
        data += block
        at += len(block)
    head = bytearray(128)
    head[0:4] = at.to_bytes(4, "big")
    head[8:12] = b"\x02\x10\x00\x00"
    head[12:24] = b"mntrGRAYXYZ "
    head[24:36] = b"\x07\xea\x00\x0b\x00\x15\x00\x00\x00\x00\x00\x00"
    head[36:40] = b"acsp"
    head[68:80] = b"\x00\x00\xf6\xd6\x00\x01\x00\x00\x00\x00\xd3\x2d"
    return bytes(head) + len(blocks).to_bytes(4, "big") + table + data
