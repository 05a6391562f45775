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
from derivproxy.cli.options import Failed, load_settings, settings_options
from derivproxy.domain.policy import sign
from grammar import Auto, BadName, Base, Derivative, Respelled, Suffix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from derivproxy.config import Settings

_IDENT = re.compile(r"[0-9a-f]{64}")
_LOCAL = "http://127.0.0.1:8080"


def ident_of(text: str) -> str:
    """An ident as it is, or that of a file: the SHA-256 of its bytes."""
    if _IDENT.fullmatch(text):
        return text
    path = Path(text)
    if not path.is_file():
        raise click.UsageError(f"{text!r} is neither a file nor an ident (64 lower-case hex digits)")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@click.command()
@click.argument("image", metavar="FILE|IDENT")
@click.argument("suffix")
@click.option("--expires", type=int, metavar="UNIXSECONDS", help="Sign until then; needs signing keys.")
@settings_options("config", "public_url", "signing_keys")
def url(image: str, suffix: str, expires: int | None, **flags: object) -> None:
    """Print the address of a derivative, signed where there are keys: SUFFIX is typed without its dash (300x.jpg)."""
    settings = load_settings(flags).settings
    try:
        address = grammar.url(ident_of(image), suffix, settings.public_url or _LOCAL)
    except BadName as error:
        raise click.UsageError(str(error)) from None
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
    """Print a <picture> element with a srcset of every format."""
    settings = load_settings(flags).settings
    try:
        markup = grammar.picture(
            ident_of(image),
            [int(width) for width in widths.split(",")],
            formats.split(","),
            alt,
            sizes=sizes_attribute,
            suffix=suffix,
            base_size=_sides(base_size),
            public_url=settings.public_url or _LOCAL,
        )
    except ValueError as error:  # BadName is one
        raise click.UsageError(str(error)) from None
    click.echo(markup)


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
    """Say what a name means, or where and why it is none. Exits with 1 where it is refused."""
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
        yield from _options(meant.suffix)
        return
    if isinstance(meant, Derivative):
        yield "base", meant.ident
        yield from _options(meant.suffix)


def _options(suffix: Suffix) -> Iterator[tuple[str, str]]:
    width, height = suffix.width or "open", suffix.height or "open"
    natural = suffix.width is None and suffix.height is None
    yield "size", "natural" if natural else f"{width} x {height} pixels"
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


def _words(value: object) -> str:
    if isinstance(value, grammar.Crop):
        return f"{value.width} x {value.height} pixels from {value.x}, {value.y} of the upright base"
    if isinstance(value, grammar.Focus):
        return f"the point {value.x / 10:g} %, {value.y / 10:g} % of the upright base"
    return "the most eye-catching part" if isinstance(value, grammar.Smart) else str(value)
