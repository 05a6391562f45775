"""The table of digests: what this derivation version makes of a few pictures, byte for byte.

    python -m tests.derive.digests

writes the digests of the loaded libvips into ``digests.json``: after raising ``DERIVATION_VERSION`` in
``derivproxy/domain/derivation.py``, or for a libvips that is not in the table yet.
"""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image

from derivproxy.domain.derivation import DERIVATION_VERSION
from grammar.names import Compass, Crop, Fit, Format, Keep, Profile, Smart, Suffix, Tone
from tests.derive.drawing import WRITABLE, moving, put, saved

TABLE = Path(__file__).with_name("digests.json")


def key() -> str:
    """Encoders differ by version, and in the last bit by processor."""
    return f"libvips {'.'.join(str(pyvips.version(part)) for part in range(3))} on {platform.machine()}"


def picture(width: int, height: int, turn: int = 0) -> Image.Image:
    """Whole-number arithmetic only, so that it is the same everywhere."""
    y, x = np.indices((height, width))
    x = x + 7 * turn
    waves = [(x * x // 9 + y * 3) % 256, (x * 2 + y * y // 7) % 256, (x * y // 11 + 40 * turn) % 256]
    waves[0][(x - 40) ** 2 + (y - 30) ** 2 < 500] = 230
    return Image.fromarray(np.stack(waves, axis=2).astype(np.uint8))


def bases() -> dict[str, bytes]:
    clear = picture(120, 90).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize((120, 90), Image.Resampling.NEAREST))
    photo = pyvips.Image.new_from_array(np.asarray(picture(960, 720)))
    wide = photo.crop(0, 0, 200, 150).icc_transform("p3", input_profile="srgb")
    exif = Image.Exif()
    exif[0x0112], exif[0x8298] = 6, "Somebody"
    return {
        "photo": photo.jpegsave_buffer(Q=90, keep="none"),
        "held": saved(picture(120, 90), "PNG", exif=exif),
        "clear": saved(clear, "PNG"),
        "wide": wide.pngsave_buffer(keep="icc"),
        "moving": moving("WEBP", [picture(64, 48, turn) for turn in range(3)], [50, 60, 70]),
    }


def suffixes() -> list[tuple[str, Suffix]]:
    every = [(base, Suffix(format=f, width=60)) for base in ("photo", "clear", "moving") for f in WRITABLE]
    cover = {"width": 50, "height": 50, "fit": Fit.COVER}
    return [
        *every,
        *(("clear", Suffix(format=f, lossless=True)) for f in (Format.WEBP, Format.AVIF)),
        ("photo", Suffix(format=Format.JPG, crop=Crop(80, 80, 640, 480), width=80)),
        ("photo", Suffix(format=Format.JPG, crop=Crop(81, 83, 639, 477), width=80, quality=50)),
        ("photo", Suffix(format=Format.PNG, **cover, anchor=Smart())),
        ("photo", Suffix(format=Format.PNG, **cover, anchor=Compass.EAST, flip=True, rotate=270)),
        ("held", Suffix(format=Format.PNG, width=70, height=70, fit=Fit.PAD, background="1e8c46")),
        ("held", Suffix(format=Format.JPG, keep=Keep.COPYRIGHT)),
        ("held", Suffix(format=Format.PNG, width=200, enlarge=True)),
        ("clear", Suffix(format=Format.JPG, blur=25, sharpen=12, tone=Tone.GRAY)),
        ("clear", Suffix(format=Format.PNG, tone=Tone.BITONAL, background="ffffff")),
        ("wide", Suffix(format=Format.PNG, width=90)),
        ("wide", Suffix(format=Format.PNG, width=90, profile=Profile.P3)),
        ("moving", Suffix(format=Format.GIF, width=40, height=40, fit=Fit.PAD)),
    ]


def digests() -> dict[str, str]:
    """The digest of each derivative, by base and suffix."""
    with tempfile.TemporaryDirectory() as folder:
        ready = {name: put(Path(folder), body, name) for name, body in bases().items()}
        found = {}
        for name, suffix in suffixes():
            options = {field: getattr(suffix, field) for field in suffix.__slots__ if field != "format"}
            body = ready[name].derive(suffix.format, **options).body
            found[f"{name} {suffix}"] = hashlib.sha256(body).hexdigest()[:24]
        return found


def read() -> dict[str, dict[str, object]]:
    return json.loads(TABLE.read_text()) if TABLE.exists() else {}  # type: ignore[no-any-return]


def write() -> None:
    table = read() | {key(): {"derivation version": DERIVATION_VERSION, "digests": digests()}}
    TABLE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    write()
