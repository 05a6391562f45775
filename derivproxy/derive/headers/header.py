"""What a header claims, and the refusals for claims above a limit."""

from __future__ import annotations

from dataclasses import dataclass
from mmap import mmap
from typing import TYPE_CHECKING

from derivproxy.domain.errors import TooManyBands, TooManyFrames, TooManyPixels, TooManyScans, Undecodable

if TYPE_CHECKING:
    from derivproxy.domain.limits import Limits

Data = mmap | bytes
"""The file: mapped, so that walking it reads only the pages that are looked at."""

MOST_PARTS = 100_000
"""Segments, chunks or boxes a file may have: real ones have a few thousand, and walking each costs a microsecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The claims of a file. *clean* is the file with what costs too much cut out, where something had to be."""

    width: int
    height: int
    frames: int = 1
    bands: int = 0
    """0 where the header does not say it cheaply and the format cannot have many."""
    interlaced: bool = False
    clean: bytes | None = None


def refuse_size(width: int, height: int, limits: Limits) -> None:
    """Refuse a picture of no or too many pixels, or with a side that is too long."""
    if width < 1 or height < 1:
        raise Undecodable(f"the header says {width} x {height} pixels; there is no picture in that")
    side = max(width, height)
    if side > limits.side:
        raise TooManyPixels(f"{width} x {height} pixels; a side may have {limits.side} (DERIVPROXY_MAX_SIDE)")
    refuse_pixels(width * height, f"{width} x {height}", limits)


def refuse_frames(frames: int, limits: Limits, *, least: bool = False) -> None:
    """Refuse too many frames or pages; *least* where counting stopped at the first one too many."""
    if frames > limits.frames:
        count = f"at least {frames}" if least else str(frames)
        raise TooManyFrames(f"{count} frames or pages; a file may have {limits.frames} (DERIVPROXY_MAX_FRAMES)")


def refuse_pixels(pixels: int, shape: str, limits: Limits) -> None:
    """Refuse more pixels, over all frames, than are worked on."""
    if pixels > limits.pixels:
        raise TooManyPixels(f"{shape} are {pixels} pixels; a file may have {limits.pixels} (DERIVPROXY_MAX_PIXELS)")


def refuse_animation(width: int, height: int, frames: int, limits: Limits) -> None:
    """Refuse what is too large frame by frame, too long, or too much in all."""
    refuse_size(width, height, limits)
    refuse_frames(frames, limits)
    refuse_pixels(width * height * frames, f"{width} x {height} x {frames} frames", limits)


def refuse_bands(bands: int, limits: Limits) -> None:
    """Refuse more channels than any picture for people has."""
    if bands > limits.bands:
        raise TooManyBands(f"{bands} bands (channels); a picture may have {limits.bands} (DERIVPROXY_MAX_BANDS)")


def refuse_scans(scans: int, pixels: int, limits: Limits) -> None:
    """Refuse a JPEG whose coefficients would have to be walked too often."""
    if scans > limits.scans:
        raise TooManyScans(f"at least {scans} scans; a JPEG may have {limits.scans} (DERIVPROXY_MAX_SCANS)")
    if scans * pixels > limits.scan_pixels:
        raise TooManyScans(
            f"at least {scans} scans x {pixels} pixels are {scans * pixels}; "
            f"a JPEG may have {limits.scan_pixels} (DERIVPROXY_MAX_SCAN_PIXELS)"
        )


def refuse_parts(parts: int, kind: str) -> None:
    """Refuse a file chopped into absurdly many pieces."""
    if parts > MOST_PARTS:
        raise Undecodable(f"more than {MOST_PARTS} {kind}; no camera or program writes such a file")


def without(data: Data, pieces: list[tuple[int, int]]) -> bytes:
    """The file with *pieces* (where they begin and end, in order) left out."""
    kept, at = [], 0
    for start, end in pieces:
        kept.append(data[at:start])
        at = end
    kept.append(data[at:])
    return b"".join(kept)


def broken_off(what: str, at: int) -> Undecodable:
    """The error for a file that ends before it should."""
    return Undecodable(f"the file breaks off in {what} at byte {at}; put in the whole file")
