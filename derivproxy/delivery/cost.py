"""What a derivation will hold, known before it begins: what admission weighs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from derivproxy.domain.images import Facts
    from grammar.names import Suffix

_FLOOR_BYTES = 16 * 1024 * 1024
_ROWS = 256
_JPEG_COEFFICIENT_BYTES = 2
_WHOLE = frozenset({"image/webp", "image/avif", "image/gif"})


def expected_bytes(suffix: Suffix, facts: Facts) -> int:
    """About how many bytes of memory deriving takes at its worst moment; never less than 16 MiB, so never 0.

    A baseline picture streams through some rows; a progressive JPEG holds two bytes for each sample, an interlaced PNG,
    a WebP, an AVIF or an animation the picture itself, and a rotation by a quarter turn what comes out.
    """
    samples = facts.width * facts.height * facts.bands
    sample_bytes = max(1, facts.bits // 8)
    if facts.interlaced and facts.media_type == "image/jpeg":
        held = samples * _JPEG_COEFFICIENT_BYTES
    elif facts.interlaced or facts.media_type in _WHOLE:
        held = samples * sample_bytes
    else:
        held = facts.width * facts.bands * sample_bytes * min(_ROWS, facts.height)
    if facts.animated and suffix.page is None:
        held *= facts.pages
    if suffix.rotate in (90, 270):
        held += samples
    return _FLOOR_BYTES + held
