"""Faults as HTTP: the one table of codes, and RFC 9457 bodies.

Every ``Fault`` of the domain has its row, and so has what only HTTP can get wrong. A test holds the table complete.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from derivproxy.domain.errors import BadName, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a code is in HTTP: its status, and a title that never changes with the case."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # what was asked for
        "bad-name": Kind(404, "Not an image name"),
        "unknown-image": Kind(404, "No such image"),
        "removed": Kind(410, "The image was removed"),
        "unauthorised": Kind(401, "The token is missing or wrong"),
        "not-allowed": Kind(403, "Not allowed"),
        "bad-request": Kind(400, "The request says something unknown"),
        "too-large": Kind(413, "Too many bytes"),
        "unsupported-media": Kind(415, "A kind of file that is not read here"),
        # what cannot be worked with
        "unprocessable": Kind(422, "Cannot be worked with"),
        "undecodable": Kind(422, "The image is broken"),
        "too-many-pixels": Kind(422, "Too many pixels"),
        "too-many-frames": Kind(422, "Too many frames"),
        "too-many-bands": Kind(422, "Too many bands"),
        "too-many-scans": Kind(422, "Too many scans"),
        "too-slow": Kind(422, "Takes too long"),
        "crop-outside": Kind(422, "The crop is outside the image"),
        "no-such-page": Kind(422, "No such page"),
        "cannot-encode": Kind(422, "Cannot be encoded"),
        # what may work later
        "unavailable": Kind(503, "Not available now"),
        "overloaded": Kind(503, "Too busy"),
        "derivation-failed": Kind(503, "The derivation failed"),
        "store-unavailable": Kind(503, "The store does not answer"),
        "base-missing": Kind(503, "The base image is missing from the store"),
        "base-damaged": Kind(503, "The base image is damaged"),
        "disk-full": Kind(507, "No room left"),
        # what only HTTP can get wrong
        "blocked": Kind(403, "Blocked"),
        "not-found": Kind(404, "No such page or route"),
        "method-not-allowed": Kind(405, "Method not allowed here"),
        "upload-stalled": Kind(408, "The upload went silent"),
        "precondition-failed": Kind(412, "The precondition does not hold"),
        "range-not-satisfiable": Kind(416, "The range lies outside the bytes"),
        "fault": Kind(500, "A fault without a code"),
        "internal": Kind(500, "Something went wrong here"),
    }
)

SHORTLY_CACHED = frozenset({404, 410, 422})
"""Answered with ten seconds of caching, so that a page of dead links does not ask again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One error answer. *headers* come on top of those that the code brings along."""

    code: str
    detail: str
    status: int
    title: str
    retry_after: int | None = None
    members: Mapping[str, object] = field(default_factory=dict)
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @classmethod
    def of(cls, code: str, detail: str, *, status: int | None = None, headers: RawHeaders | None = None) -> Problem:
        """The problem for *code*, a key of ``KINDS``; *status* is for ``blocked``, which has its own."""
        kind = KINDS[code]
        return cls(
            code=code,
            detail=detail,
            status=kind.status if status is None else status,
            title=kind.title,
            headers=tuple(headers or ()),
        )

    @classmethod
    def from_fault(cls, fault: Fault) -> Problem:
        """The problem that tells of *fault*; one whose code is not in the table is a 500, never a crash."""
        kind = KINDS.get(fault.code, KINDS["fault"])
        members: dict[str, object] = {}
        if isinstance(fault, BadName):
            members = {"position": fault.position, "expected": fault.expected}
        headers: RawHeaders = [(b"www-authenticate", b"Bearer")] if kind.status == 401 else []  # noqa: PLR2004
        return cls(
            code=fault.code,
            detail=fault.detail,
            status=kind.status,
            title=kind.title,
            retry_after=fault.retry_after,
            members=members,
            headers=tuple(headers),
        )

    def body(self) -> bytes:
        """The ``application/problem+json`` document."""
        document: dict[str, object] = {
            "type": f"urn:derivproxy:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.members,
        }
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"

    def raw_headers(self, length: int, *, image: bool, guarded: bool) -> RawHeaders:
        """Headers for *length* bytes: *image* where a name was asked for, *guarded* where not by everybody."""
        cached = image and not guarded and self.status in SHORTLY_CACHED
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", b"%d" % length),
            (b"cache-control", b"public, max-age=10" if cached else b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            *self.headers,
        ]
        if image:
            headers.append((b"access-control-allow-origin", b"*"))
        if self.retry_after is not None:
            headers.append((b"retry-after", b"%d" % self.retry_after))
        return headers


class ProblemRaised(Exception):
    """Ends a request with *problem*: for what is no fault of the house but of HTTP."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem
