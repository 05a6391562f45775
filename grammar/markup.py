"""URLs and HTML for derivatives, made without asking a server."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from grammar.auto import adapt
from grammar.choices import Fit, Format
from grammar.door import canonical_request
from grammar.parsing import parse_suffix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from grammar.names import Suffix

# What may stand in front of a name: nothing, a path, or a web address; nothing that ends a URL inside a srcset.
_PREFIX = re.compile(r"(?:(?:https?:)?//[^\s/,\"'<>\\?#]+)?(?:/[^\s,\"'<>\\?#]*)?", re.ASCII | re.IGNORECASE)

Sides = tuple[int, int]


def url(ident: str, suffix: Suffix | str, public_url: str = "") -> str:
    """The address of a derivative. A *suffix* given as text is forgiven like at the door and may end in ``.auto``.

    *public_url* is what stands before the name: ``https://images.example`` or ``/images``; without it the address
    begins at the root of the site. Raises :class:`BadName`, and ``ValueError`` for a *public_url* that is none.
    """
    if _PREFIX.fullmatch(public_url) is None:
        raise ValueError(
            f"{public_url!r} is no beginning of an address: give https://host, https://host/path, /path or nothing"
        )
    return f"{public_url.rstrip('/')}/{canonical_request(f'{ident}-{suffix}')}"


def srcset(
    ident: str,
    widths: Iterable[int],
    suffix: Suffix | str = "x.jpg",
    *,
    base_size: Sides | None = None,
    public_url: str = "",
) -> str:
    """The value of a ``srcset`` attribute: one address a width, narrow to wide, each width once.

    *suffix* is the template that each width is set into. One with two sides keeps its shape (``400x300-cover.jpg`` at
    800 is ``800x600-cover.jpg``; it must be cover, pad or stretch), and the blur and sharpening of a template with a
    width grow with it, as with ``@2x``. With *base_size*, the base's width and height as seen upright in pixels, no
    width is promised that the base does not have. Not yet escaped for HTML, which :func:`picture` does. Raises
    :class:`BadName` and ``ValueError``.
    """
    template = _template(suffix)
    entries = _entries(widths, template, base_size)
    return ", ".join(f"{url(ident, sized, public_url)} {width}w" for width, sized in entries)


def picture(
    ident: str,
    widths: Sequence[int],
    formats: Sequence[Format | str],
    alt: str,
    *,
    sizes: str = "100vw",
    suffix: Suffix | str = "x.jpg",
    base_size: Sides | None = None,
    public_url: str = "",
    lazy: bool = True,
) -> str:
    """A ``<picture>`` element: a ``<source>`` for each of *formats* but the last, which the ``<img>`` falls back on.

    *suffix* is the template as for :func:`srcset`; its own format does not matter. ``width`` and ``height`` are written
    where *base_size*, a crop or a box tells the shape, so that the page does not move when the picture comes. All
    values are escaped here. Raises :class:`BadName`, and ``ValueError`` where one of *formats* cannot be what
    *suffix* asks for.
    """
    if not formats:
        raise ValueError("a picture needs a format: the last one given is the fallback, such as jpg")
    template = _template(suffix)
    lines = ["<picture>"]
    *sources, last = [_in_format(template, Format(word)) for word in formats]
    for source in sources:
        listing = srcset(ident, widths, source, base_size=base_size, public_url=public_url)
        attributes = {"type": source.format.media_type, "srcset": listing, "sizes": sizes}
        lines.append(f"  <source{_attributes(attributes)}>")
    width, widest = _entries(widths, last, base_size)[-1]
    image = {
        "src": url(ident, widest, public_url),
        "srcset": srcset(ident, widths, last, base_size=base_size, public_url=public_url),
        "sizes": sizes,
        "alt": alt,
    }
    if (shape := _shape(last, base_size)) is not None:
        image |= {"width": str(width), "height": str(_scaled(width, shape[1], shape[0]))}
    if lazy:
        image |= {"loading": "lazy", "decoding": "async"}
    return "\n".join([*lines, f"  <img{_attributes(image)}>", "</picture>"])


def _attributes(attributes: dict[str, str]) -> str:
    return "".join(f' {name}="{escape(value, quote=True)}"' for name, value in attributes.items())


def _template(suffix: Suffix | str) -> Suffix:
    template = parse_suffix(suffix) if isinstance(suffix, str) else suffix
    if template.fit is Fit.INSIDE and template.width is not None and template.height is not None:
        remedy = "leave one side open, or make it exact with cover, pad or stretch"
        raise ValueError(f"{template} has a width that depends on the base: {remedy}")
    return template


def _in_format(template: Suffix, output: Format) -> Suffix:
    adapted = adapt(template, output)
    if adapted is None:
        raise ValueError(f"{output} cannot be what {template} asks for: leave {output} out, or the option it lacks")
    return adapted


def _scaled(value: int, numerator: int, denominator: int) -> int:
    return max(1, (2 * value * numerator + denominator) // (2 * denominator))


def _turned(suffix: Suffix) -> bool:
    return suffix.rotate in {90, 270}


def _source(suffix: Suffix, base_size: Sides | None) -> Sides | None:
    return base_size if suffix.crop is None else (suffix.crop.width, suffix.crop.height)


def _shape(suffix: Suffix, base_size: Sides | None) -> Sides | None:
    """Width and height in proportion, as they come out, where they can be told."""
    sides = _source(suffix, base_size) if suffix.fit is Fit.INSIDE else (suffix.width or 1, suffix.height or 1)
    return sides if sides is None or not _turned(suffix) else (sides[1], sides[0])


def _entries(widths: Iterable[int], template: Suffix, base_size: Sides | None) -> list[tuple[int, Suffix]]:
    most = _most(template, base_size)
    wanted = sorted({width if most is None else min(width, most) for width in widths})
    if not wanted or wanted[0] < 1:
        raise ValueError(f"a srcset needs widths of at least 1 pixel, not {wanted}")
    return [(width, _at_width(template, width)) for width in wanted]


def _most(template: Suffix, base_size: Sides | None) -> int | None:
    """The widest that comes out, where the base has an end and the template does not go beyond it."""
    sides = _source(template, base_size)
    if sides is None or template.enlarge or template.fit in {Fit.PAD, Fit.STRETCH}:
        return None
    if template.fit is Fit.COVER:
        # The largest area of the box's shape inside the picture.
        across, down = template.width or 1, template.height or 1
        sides = min(sides[0], sides[1] * across // down), min(sides[1], sides[0] * down // across)
    return max(1, sides[1] if _turned(template) else sides[0])


def _at_width(template: Suffix, width: int) -> Suffix:
    """*template* so that *width* comes out: turned by a quarter, that is the height before turning."""
    turned = _turned(template)
    before, other = (template.height, template.width) if turned else (template.width, template.height)
    if template.fit is Fit.INSIDE:
        other = None  # one open side: the shape is the picture's own
    elif before is not None and other is not None:
        other = _scaled(width, other, before)
    wide, high = (other, width) if turned else (width, other)
    blur, sharpen = template.blur, template.sharpen
    if before is not None:
        blur = blur and _scaled(blur, width, before)
        sharpen = sharpen and _scaled(sharpen, width, before)
    return replace(template, width=wide, height=high, blur=blur, sharpen=sharpen)
