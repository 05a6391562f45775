"""The limits that are refused before decoding. Each is a setting; the defaults are those of the interface."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an image may cost. A value at the limit is served, one above it refused."""

    file_bytes: int = 256 * 1024 * 1024
    pixels: int = 50_000_000
    """Pixels x frames of an input."""
    frames: int = 500
    side: int = 65_535
    bands: int = 5
    scans: int = 100
    """Scans of a JPEG."""
    scan_pixels: int = 1_000_000_000
    """Scans x pixels of a JPEG: each scan walks all coefficients again."""
    text_bytes: int = 1024 * 1024
    """All text chunks of a PNG together; what is beyond is dropped before libvips sees it."""
    profile_bytes: int = 4 * 1024 * 1024
    """An ICC profile, decompressed; a larger one is dropped."""
    output_pixels: int = 50_000_000
    """Pixels x frames of a derivative."""
    seconds: float = 10.0
    """Wall-clock seconds one derivation or examination may take before its process is killed."""
    memory_bytes: int = 1_500_000_000
    """Address space of one deriving process."""
