"""Measures what each encoder setting costs and gives: bytes, CPU and likeness, on real photos.

    python benchmarks/encoders.py FOLDER [--photos N] [--width W]

Prints the tables of ``docs/encoders.md``. CPU is that of the encoder alone, the best of three, on one thread. Likeness
is SSIM of the lightness against the picture that was encoded (1 is the same). Bytes and CPU are given as shares of
those of the setting in use, marked ``*``; ms is the CPU of one picture in milliseconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["VIPS_CONCURRENCY"] = "1"

import numpy as np
import pyvips

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Options = dict[str, object]

SETTINGS: dict[str, tuple[str, list[Options]]] = {
    "jpg, quality 80": (
        "jpegsave_buffer",
        [
            {},
            {"optimize_coding": True},
            {"optimize_coding": True, "interlace": True},
            {"optimize_coding": True, "trellis_quant": True, "overshoot_deringing": True},
            {"interlace": True, "trellis_quant": True, "overshoot_deringing": True, "optimize_scans": True},
            {"optimize_coding": True, "trellis_quant": True, "overshoot_deringing": True, "quant_table": 3},
            {"optimize_coding": True, "Q": 78},
            {"optimize_coding": True, "Q": 76},
            {"optimize_coding": True, "Q": 74},
            {"optimize_coding": True, "subsample_mode": "off"},
        ],
    ),
    "webp, quality 80": (
        "webpsave_buffer",
        [*({"effort": effort} for effort in range(7)), {"effort": 2, "smart_subsample": True}],
    ),
    "webp, lossless": (
        "webpsave_buffer",
        [{"effort": effort, "lossless": True, "Q": q} for effort in (0, 1, 2, 4) for q in (25, 75)],
    ),
    "avif, quality 60": (
        "heifsave_buffer",
        [
            *({"compression": "av1", "effort": effort} for effort in (0, 1, 2, 3, 4)),
            {"compression": "av1", "effort": 1, "subsample_mode": "off"},
        ],
    ),
    "png": (
        "pngsave_buffer",
        [
            {"filter": "none", "compression": 6},
            {"filter": "sub", "compression": 6},
            {"filter": "up", "compression": 6},
            {"filter": "paeth", "compression": 6},
            {"filter": "all", "compression": 6},
            {"filter": "all", "compression": 3},
            {"filter": "all", "compression": 9},
            {"palette": True},
        ],
    ),
    "gif": ("gifsave_buffer", [{"effort": effort} for effort in (1, 4, 5, 6, 7, 10)]),
    "tif": (
        "tiffsave_buffer",
        [
            {},
            {"compression": "lzw", "predictor": "none"},
            {"compression": "lzw", "predictor": "horizontal"},
            {"compression": "deflate", "predictor": "none"},
            {"compression": "deflate", "predictor": "horizontal"},
        ],
    ),
}
QUALITY = {"jpg, quality 80": 80, "webp, quality 80": 80, "avif, quality 60": 60}


def similar(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Mean SSIM (Wang et al. 2004) over windows of 8 x 8, one every 4 pixels."""

    def windows(picture: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.lib.stride_tricks.sliding_window_view(picture, (8, 8))[::4, ::4].reshape(-1, 64)

    a, b = windows(one), windows(other)
    mean_a, mean_b = a.mean(1), b.mean(1)
    covariance = (a * b).mean(1) - mean_a * mean_b
    above = (2 * mean_a * mean_b + 6.5025) * (2 * covariance + 58.5225)
    below = (mean_a**2 + mean_b**2 + 6.5025) * (a.var(1) + b.var(1) + 58.5225)
    return float((above / below).mean())


def grey(picture: pyvips.Image) -> NDArray[np.float64]:
    """The lightness as an array."""
    return np.asarray(picture.colourspace("b-w")[0].numpy()).astype(np.float64)


def measure(picture: pyvips.Image, operation: str, options: Options) -> tuple[int, float, float]:
    """Bytes, CPU seconds and likeness of one picture encoded one way."""
    best = float("inf")
    body = b""
    for _ in range(3):
        begin = time.process_time()
        body = getattr(picture, operation)(**options, keep="none")
        best = min(best, time.process_time() - begin)
        if best > 0.2:
            break
    return len(body), best, similar(grey(picture), grey(pyvips.Image.new_from_buffer(body, "")))


def used(kind: str) -> Options:
    """The options that the service encodes with."""
    from derivproxy.derive.encoders import ENCODERS  # noqa: PLC0415
    from grammar.names import Format  # noqa: PLC0415

    encoder = ENCODERS[Format(kind.split(",", maxsplit=1)[0])]
    return {**encoder.options, **(encoder.lossless if kind.endswith("lossless") else encoder.lossy)}


def table(kind: str, pictures: Sequence[pyvips.Image]) -> str:
    """The Markdown table of one format."""
    operation, settings = SETTINGS[kind]
    quality: Options = {"Q": QUALITY[kind]} if kind in QUALITY else {}
    inuse = used(kind)
    rows = []
    for options in settings:
        got = [measure(picture, operation, {**quality, **options}) for picture in pictures]
        size, cpu, likeness = (sum(column) for column in zip(*got, strict=True))
        rows.append((options, size, cpu, likeness / len(got)))
    base = next((row for row in rows if row[0] == inuse), rows[0])
    lines = [f"### {kind}", "", "| setting | bytes | CPU | ms | SSIM |", "|---|---|---|---|---|"]
    for options, size, cpu, likeness in rows:
        words = ", ".join(f"{k} {v}".replace("_", " ") for k, v in options.items() if v != "av1")
        mark = " *" if options == inuse else ""
        lines.append(
            f"| {words or 'defaults of libvips'}{mark} | {size / base[1]:.3f} | {cpu / base[2]:.2f} "
            f"| {1000 * cpu / len(pictures):.1f} | {likeness:.4f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description="Measure encoder settings on real photos.")
    arguments.add_argument("folder", type=Path, help="a folder of photos")
    arguments.add_argument("--photos", type=int, default=6, help="how many of them, evenly picked (6)")
    arguments.add_argument("--width", type=int, default=400, help="the width they are reduced to (400)")
    arguments.add_argument("--only", default="", help="only the kinds that begin with this")
    given = arguments.parse_args()
    paths = sorted(path for path in given.folder.iterdir() if path.suffix in {".jpg", ".png", ".webp"})
    if not paths:
        sys.exit(f"{given.folder}: no .jpg, .png or .webp photos in it; name a folder of photos")
    step = max(1, len(paths) // given.photos)
    chosen = paths[::step][: given.photos]
    pyvips.cache_set_max(0)
    pictures = [
        pyvips.Image.thumbnail(str(path), given.width, height=10_000_000, output_profile="srgb").copy_memory()
        for path in chosen
    ]
    version = ".".join(str(pyvips.version(part)) for part in range(3))
    print(f"libvips {version}, {given.width} pixels wide: {', '.join(path.name for path in chosen)}\n")
    for kind in SETTINGS:
        if kind.startswith(given.only):
            print(table(kind, pictures), flush=True)


if __name__ == "__main__":
    main()
