"""The write token: whether a request bears it."""

from __future__ import annotations

import hmac
import re

from derivproxy.domain.errors import Unauthorised

# credentials = auth-scheme 1*SP token68 (RFC 9110, 11.4; RFC 6750, 2.1); the scheme in any case
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([\x21-\x7e]+) *")


class Token:
    """The token of this service; where it is ``None`` nobody may write. *remedy* says how to come by it."""

    def __init__(self, token: str | None, *, remedy: str) -> None:
        self._token = token.encode() if token else None
        self._remedy = remedy

    def borne(self, authorization: bytes | None) -> bool:
        """Whether the header field bears the token. Takes the same time however much of it is right."""
        if authorization is None or self._token is None:
            return False
        match = _BEARER.fullmatch(authorization)
        return match is not None and hmac.compare_digest(match[1], self._token)

    def require(self, authorization: bytes | None) -> None:
        """Raise ``Unauthorised`` where the header field does not bear the token."""
        if self.borne(authorization):
            return
        if self._token is None:
            raise Unauthorised(f"this server has no token, so nobody may write; {self._remedy}")
        said = "another token" if authorization is not None else "no token"
        raise Unauthorised(f"the request bears {said}; send Authorization: Bearer TOKEN; {self._remedy}")
