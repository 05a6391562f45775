"""The ``<picture>`` elements of the page: only what the size policy lets everybody have, or signed."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from derivproxy.domain.policy import Policy, SizePolicy, sign
from grammar import BadName, parse_suffix, picture, url

if TYPE_CHECKING:
    from derivproxy.domain.images import Image
    from derivproxy.web.page import Markup

_WIDTHS = (320, 640, 1280)
_STILL = ("avif", "webp", "jpg")
# An animated base would be a still as AVIF and as JPEG.
_MOVING = ("webp", "gif")
# As wide as a column of the page gets where there is more than one.
_SIZES = "(max-width: 43rem) 100vw, 28rem"
_NAME = re.compile(r"[0-9a-f]{64}-[^\s\",]+")
_WIDTH_ALONE = re.compile(r"([0-9]+)x\.")


def markup_within(policy: Policy) -> Markup:
    """Writes ``<picture>`` elements that *policy* lets through, or an ``<img>`` where it lists no plain width."""

    def write(image: Image, prefix: str) -> str:
        wanted = _MOVING if image.facts.animated else _STILL
        widths, formats = _listed(policy.sizes, wanted)
        signed = bool(policy.keys) and not widths
        if signed:
            widths, formats = _WIDTHS, wanted
        if not widths:
            address = url(image.ident, _any_suffix(policy.sizes), prefix)
            return f'<img src="{escape(address)}" alt="{escape(image.title)}" loading="lazy" decoding="async">'
        written = picture(
            image.ident,
            widths=widths,
            formats=formats,
            alt=image.title,
            sizes=_SIZES,
            # Where sizes are listed, the base's own width is not among them.
            base_size=(image.facts.width, image.facts.height) if policy.sizes.everything or signed else None,
            public_url=prefix,
        )
        if not signed:
            return written
        return _NAME.sub(lambda name: f"{name[0]}?{sign(name[0], policy.keys[0])}", written)

    return write


def _listed(sizes: SizePolicy, formats: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The widths and formats to show, every pair of them listed; none where no format has a plain width."""
    if sizes.everything:
        return _WIDTHS, formats
    suffixes = {f"{stem}." for stem in sizes.stems} | sizes.suffixes
    known = sorted({int(match[1]) for suffix in suffixes if (match := _WIDTH_ALONE.match(suffix))})
    for first in range(len(formats)):  # fewer and fewer formats, the one that everybody reads last
        widths = tuple(width for width in known if all(sizes.allows(f"{width}x.{word}") for word in formats[first:]))
        if widths:
            return widths, formats[first:]
    return (), ()


def _any_suffix(sizes: SizePolicy) -> str:
    """A listed suffix, one that can be a JPEG first; where there is none, one that is refused with the reason."""
    stems = [f"{stem}.{word}" for word in ("jpg", "webp", "png", "gif") for stem in sorted(sizes.stems)]
    for suffix in (*stems, *sorted(sizes.suffixes)):
        try:
            parse_suffix(suffix.removesuffix(".auto") + ".jpg" if suffix.endswith(".auto") else suffix)
        except BadName:
            continue
        return suffix
    return f"{_WIDTHS[0]}x.jpg"
