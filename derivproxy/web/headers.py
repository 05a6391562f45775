"""The headers of images: who may keep them and for how long, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from derivproxy.delivery.answers import Found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from derivproxy.delivery.answers import Answer
    from derivproxy.web.problems import RawHeaders

AUTO_SECONDS = 3600
MOVED_SECONDS = 86_400
PRIVATE = b"private, no-cache"

# RFC 9211: what is kept in front of the work is the cache; a run another asker began is a collapsed forward.
_CACHE_STATUS: Mapping[Found, bytes] = MappingProxyType(
    {
        Found.MEMORY: b"derivproxy; hit; detail=memory",
        Found.DISK: b"derivproxy; hit; detail=disk",
        Found.STORE: b"derivproxy; hit; detail=store",
        Found.DERIVED: b"derivproxy; fwd=uri-miss; detail=derived",
        Found.SHARED: b"derivproxy; fwd=uri-miss; collapsed; detail=shared",
    }
)
VALIDATED = b"derivproxy; hit; detail=etag"

# An image belongs on any page. What is not for everybody is kept by tokens and signatures, not by origin.
OPEN = (
    (b"access-control-allow-origin", b"*"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"timing-allow-origin", b"*"),
    (b"x-content-type-options", b"nosniff"),
)
PREFLIGHT = (
    *OPEN,
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"Authorization, If-None-Match, If-Range, Range, X-Request-Id"),
    (b"access-control-max-age", b"86400"),
)

EXTENSIONS: Mapping[str, str] = MappingProxyType(
    {
        "image/jpeg": "jpg",
        "image/png": "png",
        "image/webp": "webp",
        "image/avif": "avif",
        "image/gif": "gif",
        "image/tiff": "tif",
        "image/jxl": "jxl",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """How long browsers and (where given) a CDN keep the images that are for everybody, in seconds."""

    max_age: int = 31_536_000
    cdn_max_age: int | None = None

    def public(self) -> RawHeaders:
        """Names never mean other bytes, so what is kept is never asked about again."""
        headers = [(b"cache-control", b"public, max-age=%d, immutable" % self.max_age)]
        if self.cdn_max_age is not None:
            headers.append((b"cdn-cache-control", b"public, max-age=%d, immutable" % self.cdn_max_age))
        return headers

    def auto(self) -> RawHeaders:
        """What ``.auto`` stands for may change with the server, so it is kept for an hour and asked about again."""
        return [(b"cache-control", b"public, max-age=%d" % AUTO_SECONDS)]


def keeping(caching: Caching, ident: str, *, private: bool, auto_name: str | None) -> RawHeaders:
    """The headers that 200, 206 and 304 share: who may keep the answer, under which tag, as which name."""
    if private:
        headers = [(b"cache-control", PRIVATE)]
    else:
        headers = caching.public() if auto_name is None else caching.auto()
        headers.append((b"cache-tag", ident.encode("ascii")))
    if auto_name is not None:
        headers += [(b"vary", b"Accept"), (b"content-location", auto_name.encode("ascii"))]
    return [*headers, *OPEN]


def describing(answer: Answer, ident: str) -> RawHeaders:
    """The headers that say what the bytes are, without their length. A base is for saving, not for showing."""
    headers = [(b"content-type", answer.media_type.encode("ascii")), (b"accept-ranges", b"bytes")]
    if answer.version == 0:
        extension = EXTENSIONS.get(answer.media_type, "bin")
        headers += [
            (b"content-disposition", f'attachment; filename="{ident}.{extension}"'.encode("ascii")),
            (b"content-security-policy", b"sandbox; default-src 'none'"),
        ]
    return headers


def cache_status(answer: Answer) -> tuple[bytes, bytes]:
    """Where the bytes came from. For a base the store is no cache but its home."""
    if answer.version == 0 and answer.found is Found.STORE:
        return (b"cache-status", b"derivproxy; fwd=uri-miss; detail=store")
    return (b"cache-status", _CACHE_STATUS[answer.found])
