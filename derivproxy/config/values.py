"""Texts to values.

Each parser takes what a flag, a variable or TOML gave, and raises ``ValueError`` saying what it wants instead.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

    Choice = TypeVar("Choice", bound=StrEnum)

_BYTES = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,3}))?\s*([A-Za-z]*)", re.ASCII)
_BYTE_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SECONDS = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([a-z]*)", re.ASCII)
_SECOND_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MIN_KEY_BYTES = 16


def _text(raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError(f"is a {type(raw).__name__}, not a text or a number")  # noqa: TRY004
    return str(raw).strip()


def _words(raw: object) -> str:
    """A list of TOML, or a text, as one text with commas."""
    if isinstance(raw, list | tuple):
        return ",".join(_text(item) for item in raw)
    return _text(raw)


def text(raw: object) -> str:
    """Any printable text."""
    value = _text(raw)
    if not value or not value.isprintable():
        raise ValueError("is empty or has control characters")
    return value


def whole(least: int, most: int | None = None) -> Callable[[object], int]:
    """A whole number from *least* to *most*."""
    span = f"from {least} to {most}" if most is not None else f"of at least {least}"

    def parse(raw: object) -> int:
        value = _text(raw)
        if not re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
            raise ValueError(f"is no whole number {span}")
        if int(value) < least or (most is not None and int(value) > most):
            raise ValueError(f"is not a whole number {span}")
        return int(value)

    return parse


def byte_size(least: int) -> Callable[[object], int]:
    """Bytes, plain or with a unit: ``67108864``, ``64MiB``, ``1.5GB``."""

    def parse(raw: object) -> int:
        match = _BYTES.fullmatch(_text(raw))
        if match is None or match[3].lower() not in _BYTE_UNITS:
            raise ValueError(
                "is no size in bytes; write a number, or one with kB, MB, GB, TB, KiB, MiB, GiB, TiB, like 64MiB"
            )
        unit, fraction = _BYTE_UNITS[match[3].lower()], match[2] or ""
        value = int(match[1]) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        if value < least:
            raise ValueError(f"is less than {least} bytes")
        return value

    return parse


def seconds(least: float, *, exclusive: bool = False) -> Callable[[object], float]:
    """Seconds, plain or with a unit: ``10``, ``2.5s``, ``5m``, ``12h``, ``30d``."""

    def parse(raw: object) -> float:
        match = _SECONDS.fullmatch(_text(raw))
        if match is None or match[2] not in _SECOND_UNITS:
            raise ValueError("is no length of time; write seconds, or a number with s, m, h, d, like 10s or 5m")
        value = float(match[1]) * _SECOND_UNITS[match[2]]
        if value < least or (exclusive and value == least):
            raise ValueError(f"is not {'more than' if exclusive else 'at least'} {least:g} seconds")
        return value

    return parse


def whole_seconds(raw: object) -> int:
    """Seconds without a fraction, from 0 up."""
    value = seconds(0)(raw)
    if value != int(value):
        raise ValueError("has a fraction; write whole seconds")
    return int(value)


def choice(kind: type[Choice]) -> Callable[[object], Choice]:
    """One of the values of *kind*. TOML's ``true`` and ``false`` stand for ``on`` and ``off`` where those are there."""
    wanted = ", ".join(member.value for member in kind)

    def parse(raw: object) -> Choice:
        value = {True: "on", False: "off"}[raw] if isinstance(raw, bool) else _text(raw)
        try:
            return kind(value.lower())
        except ValueError:
            raise ValueError(f"is none of: {wanted}") from None

    return parse


def folder(raw: object) -> Path:
    """A folder or file by its path; ``~`` is the home folder."""
    value = text(raw)
    if "://" in value:
        raise ValueError("is a URL; write a path")
    return Path(value).expanduser()


def token(raw: object) -> str:
    """What fits behind ``Authorization: Bearer``."""
    value = _text(raw)
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("is empty or has blanks or characters beyond ASCII, which no Authorization header can carry")
    return value


def signing_keys(raw: object) -> tuple[bytes, ...]:
    """Keys in hex, the signing one first; each of at least 16 bytes, none twice."""
    keys: list[bytes] = []
    for number, word in enumerate(re.split(r"[\s,]+", _words(raw)), start=1):
        if not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", word):
            raise ValueError(f"has a key (number {number}) that is not hex; make one with: openssl rand -hex 32")
        key = bytes.fromhex(word)
        if len(key) < _MIN_KEY_BYTES:
            raise ValueError(
                f"has a key (number {number}) of {len(key)} bytes, fewer than {_MIN_KEY_BYTES}; "
                "make one with: openssl rand -hex 32"
            )
        if key in keys:
            raise ValueError(f"has a key (number {number}) twice")
        keys.append(key)
    return tuple(keys)


def public_url(raw: object) -> str:
    """An http(s) URL that names are appended to, without the slash at its end."""
    value = text(raw)
    try:
        parts = urlsplit(value)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        usable = False
    if not usable or parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\"'<>\\]", value):
        raise ValueError("is no http or https URL; write for example https://images.example.org")
    if "?" in value or "#" in value:
        raise ValueError("has a query or fragment, which a name cannot follow; leave it out")
    if "@" in parts.netloc:
        raise ValueError("has a user or password in it, which would stand in every page; leave it out")
    return value.rstrip("/")


def store_url(raw: object) -> str:
    """``provider://place``. Who the provider is, the registry of stores finds out."""
    value = text(raw)
    match = re.fullmatch(r"([a-z][a-z0-9+.-]*)://(\S+)", value)
    if match is None:
        raise ValueError("is no store URL; write for example file:///srv/images")
    if match[1] == "file" and not match[2].startswith("/"):
        raise ValueError("has no absolute path; write three slashes, for example file:///srv/images")
    if "@" in match[2].split("/", 1)[0]:
        raise ValueError("has a user or password in it; credentials belong in the provider's own variables")
    return value
