"""Commands about names alone: they touch no image and ask no server."""

from __future__ import annotations

import hashlib
import re
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

import grammar
from derivproxy.cli.options import Failed, load_settings, local_url, settings_options
from derivproxy.cli.suffixes import SuffixCommand, wrong_suffix
from derivproxy.domain.policy import sign
from grammar import Auto, BadName, Base, Derivative, Respelled, Suffix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from derivproxy.config import Settings

_IDENT = re.compile(r"[0-9a-f]{64}")
_WIDTH = re.compile(r" *[1-9][0-9]{0,4} *", re.ASCII)


def ident_of(text: str) -> str:
    """An ident as it is, or that of a file: the SHA-256 of its bytes."""
    if _IDENT.fullmatch(text):
        return text
    path = Path(text)
    if not path.is_file():
        raise click.UsageError(f"{text!r} is neither a file nor an ident (64 lower-case hex digits)")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@click.command(cls=SuffixCommand)
@click.argument("image", metavar="FILE|IDENT")
@click.argument("suffix")
@click.option("--expires", type=int, metavar="UNIXSECONDS", help="Sign until then; needs signing keys.")
@settings_options("config", "public_url", "signing_keys")
def url(image: str, suffix: str, expires: int | None, **flags: object) -> None:
    """Print the address of a derivative.

    FILE need not be on the server yet. SUFFIX is size, options and format, such as 300x.jpg. Where there are signing
    keys the address is signed.
    """
    settings = load_settings(flags).settings
    ident = ident_of(image)
    try:
        address = grammar.url(ident, suffix, settings.public_url or local_url(settings))
    except BadName as error:
        raise wrong_suffix(suffix, error, len(ident) + 1) from None
    click.echo(address + _signature(address.rpartition("/")[2], settings, expires))


def _signature(name: str, settings: Settings, expires: int | None) -> str:
    if settings.signing_keys:
        try:
            return "?" + sign(name, settings.signing_keys[0], expires)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    if expires is not None:
        raise click.UsageError("--expires needs a key to sign with: DERIVPROXY_SIGNING_KEYS")
    return ""


@click.command()
@click.argument("image", metavar="FILE|IDENT")
@click.option("--widths", default="320,640,1280", show_default=True, help="Widths in pixels, by commas.")
@click.option("--formats", default="avif,webp,jpg", show_default=True, help="The best first; the last is the fallback.")
@click.option("--base-size", metavar="WxH", help="The size of the image: then no width beyond it is promised.")
@click.option("--alt", default="", help="What the picture shows, for those who do not see it.")
@click.option("--sizes", "sizes_attribute", default="100vw", show_default=True, help="The sizes attribute.")
@click.option("--suffix", default="x.jpg", show_default=True, help="The template each width is set into.")
@settings_options("config", "public_url")
def srcset(
    image: str,
    widths: str,
    formats: str,
    base_size: str | None,
    alt: str,
    sizes_attribute: str,
    suffix: str,
    **flags: object,
) -> None:
    """Print a <picture> element for a web page.

    It offers every width in every format, and the browser takes what suits it.
    """
    settings = load_settings(flags).settings
    try:
        markup = grammar.picture(
            ident_of(image),
            _widths(widths),
            _formats(formats),
            alt,
            sizes=sizes_attribute,
            suffix=suffix,
            base_size=_sides(base_size),
            public_url=settings.public_url or local_url(settings),
        )
    except ValueError as error:  # BadName is one
        raise click.UsageError(str(error)) from None
    click.echo(markup)


def _widths(text: str) -> list[int]:
    words = text.split(",")
    if not all(map(_WIDTH.fullmatch, words)):
        raise click.UsageError(f"--widths {text!r}: write whole numbers from 1 by commas, like 320,640")
    return [int(word) for word in words]


def _formats(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    known = [known.value for known in grammar.Format]
    if strange := [word for word in words if word not in known]:
        raise click.UsageError(f"--formats: {strange[0]!r} is no format; there are {', '.join(known)}")
    return words


def _sides(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text, re.ASCII)
    if match is None:
        raise click.UsageError(f"--base-size {text!r} is no size; write it like 4000x3000")
    return int(match[1]), int(match[2])


@click.command()
@click.argument("name", metavar="NAME|URL")
def explain(name: str) -> None:
    """Say what a name means.

    Or where and why it is none: then the exit code is 1. No server is asked.
    """
    text = _last_part(name)
    try:
        meant = grammar.admit(text)
    except BadName as error:
        click.echo(text)
        click.echo(" " * error.position + "^")
        raise Failed(str(error)) from None
    if isinstance(meant, Respelled):
        click.echo(f"another spelling of {meant.text}; asked for at the door it is redirected there (308)")
        meant = grammar.admit(meant.text)
    for what, value in _said(meant):
        click.echo(f"{what:<11} {value}")


def _last_part(name: str) -> str:
    parts = urlsplit(name)
    return parts.path.rpartition("/")[2] if parts.scheme in {"http", "https"} else name.lstrip("/")


def _said(meant: object) -> Iterator[tuple[str, str]]:
    if isinstance(meant, Base):
        yield "base", meant.ident
        yield "served", "the image as it was put in, to those who may have bases"
        return
    if isinstance(meant, Auto):
        yield "base", meant.ident
        yield "format", "the best that the asker's Accept allows"
        # Its suffix holds a format in the place of none, which has a default quality.
        silent = {"format"} if meant.suffix.quality else {"format", "quality"}
        yield from (row for row in _options(meant.suffix) if row[0] not in silent)
        return
    if isinstance(meant, Derivative):
        yield "base", meant.ident
        yield from _options(meant.suffix)


def _options(suffix: Suffix) -> Iterator[tuple[str, str]]:
    yield "size", _size(suffix)
    for field in fields(suffix):
        value = getattr(suffix, field.name)
        if field.name in {"width", "height"} or value is None or value is False or value == 0:
            continue
        if field.name in {"blur", "sharpen"}:
            yield field.name, f"sigma {value / 10:g} output pixels"
        elif isinstance(value, StrEnum):
            yield field.name, value.value
        elif value is True:
            yield field.name, "yes"
        else:
            yield field.name, _words(value)
    if suffix.quality is None and not suffix.lossless:
        default = grammar.DEFAULT_QUALITY.get(suffix.format)
        if default is not None:
            yield "quality", f"{default}, the default of {suffix.format.value}"


def _size(suffix: Suffix) -> str:
    match suffix.width, suffix.height:
        case None, None:
            return "natural"
        case width, None:
            return f"{width} pixels wide, as high as that makes it"
        case None, height:
            return f"{height} pixels high, as wide as that makes it"
        case width, height:
            return f"{width} x {height} pixels"
    raise AssertionError  # all cases are above


def _words(value: object) -> str:
    if isinstance(value, grammar.Crop):
        return f"{value.width} x {value.height} pixels from {value.x}, {value.y} of the upright base"
    if isinstance(value, grammar.Focus):
        return f"the point {value.x / 10:g} %, {value.y / 10:g} % of the upright base"
    return "the most eye-catching part" if isinstance(value, grammar.Smart) else str(value)
