"""The photos: real ones where a folder has them, else large pictures made of the repository's samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyvips

from harness.paths import CORPUS, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.works import Photo

GRAIN = 6.0  # standard deviation: an enlarged picture is smooth, and a smooth one costs a decoder far too little


def gather(wanted: Iterable[Photo], folder: Path | None, into: Path) -> dict[str, str]:
    """Put every photo into *into*; the origin of each. Without *folder*, the corpus beside the checkout is used."""
    source = folder or CORPUS
    into.mkdir(parents=True, exist_ok=True)
    origins = {}
    for photo in wanted:
        there, target = source / photo.file, into / photo.file
        if target.exists():
            target.unlink()
        if there.is_file():
            # A copy, for a link would take a server's file loader out of its folder.
            target.write_bytes(there.read_bytes())
            header = pyvips.Image.new_from_file(str(target))
            if (header.width, header.height) != (photo.width, photo.height):
                raise ValueError(
                    f"{there} has {header.width}x{header.height} pixels; the benchmark knows {photo.file} with "
                    f"{photo.width}x{photo.height}: give --photos another folder"
                )
            origins[photo.file] = "photo"
        else:
            _make(photo, target)
            origins[photo.file] = "made of a sample"
    return origins


def _make(photo: Photo, target: Path) -> None:
    sample = pyvips.Image.new_from_file(str(SAMPLES / "hubble.jpg"))
    enlarged = sample.thumbnail_image(photo.width, height=photo.height, size="force")
    grain = pyvips.Image.gaussnoise(photo.width, photo.height, mean=0, sigma=GRAIN, seed=1)
    grainy = (enlarged + grain).cast("uchar").copy(interpretation="srgb")
    save: dict[str, Any] = {"keep": "none"}
    if target.suffix == ".jpg":
        save |= {"Q": 92, "subsample_mode": "on", "interlace": photo.progressive}
    elif target.suffix == ".webp":
        save |= {"Q": 90, "effort": 2}
    grainy.write_to_file(str(target), **save)
