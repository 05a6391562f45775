"""The one set of encoder options: the service's own, read from its table, for every peer to say in its own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from derivproxy.derive.encoders import ENCODERS
from grammar.names import Format

# An option the service takes up must be told to every contestant, or the comparison is off: it is an error until then.
KNOWN = {
    Format.JPG: {"optimize_coding"},
    Format.PNG: {"compression", "filter"},
    Format.WEBP: {"effort"},
    Format.AVIF: {"compression", "effort"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoders:
    """Chroma is subsampled 4:2:0 and metadata stripped everywhere; the rest is here."""

    jpg_quality: int
    jpg_optimised: bool
    webp_quality: int
    webp_effort: int
    avif_quality: int
    avif_effort: int
    png_compression: int
    png_all_filters: bool

    def quality(self, suffix: str) -> int | None:
        """The quality of a format, ``None`` where it has none."""
        return {"jpg": self.jpg_quality, "webp": self.webp_quality, "avif": self.avif_quality}.get(suffix)

    @property
    def avif_speed(self) -> int:
        """The AVIF effort as libaom counts it, from 9, the fastest, down."""
        return 9 - self.avif_effort

    def save_options(self, suffix: str) -> dict[str, Any]:
        """The options as libvips calls them."""
        match suffix:
            case "jpg":
                return {"Q": self.jpg_quality, "optimize_coding": self.jpg_optimised}
            case "webp":
                return {"Q": self.webp_quality, "effort": self.webp_effort}
            case "avif":
                return {"Q": self.avif_quality, "effort": self.avif_effort}
            case "png":
                return {"compression": self.png_compression, "filter": "all" if self.png_all_filters else "none"}
            case _:
                raise ValueError(f"{suffix}: no contestant is told how to write it")


def encoders_of_the_service() -> Encoders:
    """Read the service's table. Raises ``ValueError`` where it says something that the peers are not told."""
    said: dict[Format, dict[str, Any]] = {}
    for format_, known in KNOWN.items():
        encoder = ENCODERS[format_]
        said[format_] = {**encoder.options, **encoder.lossy, "Q": encoder.quality}
        strange = said[format_].keys() - known - {"Q"}
        if strange:
            raise ValueError(
                f"the service writes {format_} with {', '.join(sorted(strange))}, which benchmarks/harness/encoding.py "
                "does not know: tell it, and every contestant"
            )
    jpg, png, webp, avif = (said[format_] for format_ in KNOWN)
    return Encoders(
        jpg_quality=jpg["Q"],
        jpg_optimised=jpg.get("optimize_coding", False),
        webp_quality=webp["Q"],
        webp_effort=webp.get("effort", 4),
        avif_quality=avif["Q"],
        avif_effort=avif.get("effort", 4),
        png_compression=png.get("compression", 6),
        png_all_filters=png.get("filter") == "all",
    )
