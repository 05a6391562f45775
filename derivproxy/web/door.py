"""What a path at the door means: a name, another spelling of one, or a wish for a format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grammar
from derivproxy.domain.errors import BadName
from grammar import Base, Derivative

if TYPE_CHECKING:
    from derivproxy.web.exchange import Exchange

LONGEST_BYTES = 1024
"""The longest legal name is far shorter; forgiving ends here."""


@dataclass(frozen=True, slots=True)
class Exact:
    """A canonical name."""

    name: Base | Derivative


@dataclass(frozen=True, slots=True)
class Moved:
    """Another spelling of the canonical name *text*."""

    text: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A text ending in ``.auto``, as it was asked for; ``negotiate`` says whether it is a name."""

    text: str


def enter(text: str) -> Exact | Moved | Wish:
    """What *text*, a raw path without its leading slash, means. Raises ``BadName``."""
    if len(text) > LONGEST_BYTES:
        raise BadName(
            f"not a name: {len(text)} characters are longer than any", position=LONGEST_BYTES, expected="the end"
        )
    try:
        name = grammar.parse(text)
    except grammar.BadName as strict:
        return _forgive(text, strict)
    return Exact(name)


def _forgive(text: str, strict: grammar.BadName) -> Moved | Wish:
    if text.endswith(".auto"):
        return Wish(text)
    try:
        return Moved(grammar.canonical(text))
    except grammar.BadName:
        raise refused(strict) from None


def refused(error: grammar.BadName) -> BadName:
    """The grammar's refusal as the fault of the house."""
    return BadName(str(error), position=error.position, expected=", ".join(error.expected))


def location(exchange: Exchange, public_url: str, text: str) -> str:
    """Where *text* is, for ``Location``: below *public_url* if there is one, with the signature that was asked with."""
    kept = [part for part in exchange.query.decode("latin-1").split("&") if part[:2] in ("s=", "e=") and part.isascii()]
    query = f"?{'&'.join(kept)}" if kept else ""
    return f"{public_url or exchange.root_path}/{text}{query}"
