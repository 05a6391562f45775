"""Where a walk through the listing stands, as a text that means nothing to those who carry it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from derivproxy.domain.errors import BadRequest

_CONTENT = re.compile(rb"1\.(0|[1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,17})\.([0-9a-f]{64})")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Cursor:
    """The revision whose membership the *walk* shows, and the row it showed last: added by *revision*, *ident*."""

    walk: int
    revision: int
    ident: str

    def __str__(self) -> str:
        content = f"1.{self.walk}.{self.revision}.{self.ident}"
        return base64.urlsafe_b64encode(content.encode()).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The inverse of ``str``. Raises ``BadRequest`` for what no listing has handed out."""
        content = b""
        if len(text) <= _LONGEST and text.isascii():
            try:
                content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            except binascii.Error:
                content = b""
        match = _CONTENT.fullmatch(content)
        if match is None or str(cursor := cls(int(match[1]), int(match[2]), match[3].decode())) != text:
            raise BadRequest(f"after={text[:40]!r} is no cursor; use the value of next as it came, or leave it out")
        return cursor
