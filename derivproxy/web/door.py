"""What a path at the door means, and where its one name is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grammar
from derivproxy.domain.errors import BadName

if TYPE_CHECKING:
    from derivproxy.web.exchange import Exchange
    from grammar import Auto, Name, Respelled


def enter(text: str) -> Name | Auto | Respelled:
    """What *text*, a raw path without its leading slash, means. Raises ``BadName``."""
    try:
        return grammar.admit(text)
    except grammar.BadName as error:
        raise BadName(str(error), position=error.position, expected=", ".join(error.expected)) from None


def location(exchange: Exchange, public_url: str, text: str) -> str:
    """Where *text* is, for ``Location``: below *public_url* if there is one, with the signature that was asked with."""
    kept = [part for part in exchange.query.decode("latin-1").split("&") if part[:2] in ("s=", "e=") and part.isascii()]
    query = f"?{'&'.join(kept)}" if kept else ""
    return f"{public_url or exchange.root_path}/{text}{query}"
