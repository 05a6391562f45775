"""Pictures for tests."""

from __future__ import annotations

import io
import random

from PIL import Image


def jpeg(width: int, height: int, seed: int = 0) -> bytes:
    noise = random.Random(seed).randbytes(width * height * 3)  # noqa: S311 - a picture, no secret
    out = io.BytesIO()
    Image.frombytes("RGB", (width, height), noise).save(out, "JPEG", quality=80)
    return out.getvalue()
