"""What crosses the pipes of a deriving process. Light to import: standard library and values alone.

    request = length (4) pickled job          from the owner, who is trusted
    reply   = length (4) JSON head, body      from a process that may just have been taken over by an image

So a reply is never unpickled: a broken decoder can make it say a wrong thing, and nothing more.
"""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from derivproxy.domain import errors
from derivproxy.domain.errors import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from derivproxy.domain.images import Facts
    from derivproxy.domain.limits import Limits
    from grammar.names import Suffix

LENGTH_BYTES: Final = 4
INLINE_BYTES: Final = 1024 * 1024
"""A body up to here crosses the pipe; a larger one is left as a file."""
MOST_HEAD_BYTES: Final = 64 * 1024
_MOST_BRACKETS: Final = 200
"""In an honest head two open anything; far deeper ones bring the interpreter's own recursion to its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """The first job: live within *limits*."""

    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Examine:
    """Decode the image at *path* in full and say its facts."""

    path: Path
    md5: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Derive:
    """Make what *suffix* says of the image at *path*; *out* is where a large body goes."""

    path: Path
    facts: Facts
    suffix: Suffix
    out: Path


Job = Settle | Examine | Derive


@dataclass(frozen=True, slots=True)
class Reply:
    """What a process answers: *values*, all short, and the bytes of a small derivative."""

    values: dict[str, Any]
    body: bytes = b""


class Garbled(Exception):
    """The process answered something that is no reply."""


def pack_job(job: Job) -> bytes:
    """*job* as a request."""
    content = pickle.dumps(job, protocol=pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(LENGTH_BYTES, "little") + content


def pack_reply(reply: Reply) -> bytes:
    """*reply* as it crosses the pipe."""
    head = json.dumps(reply.values | {"body_bytes": len(reply.body)}).encode()
    return b"".join((len(head).to_bytes(LENGTH_BYTES, "little"), head, reply.body))


def read_head(head: bytes) -> tuple[dict[str, Any], int]:
    """The values of a reply's head, and how many bytes of body follow. Raises :class:`Garbled`."""
    if head.count(b"[") + head.count(b"{") > _MOST_BRACKETS:
        raise Garbled(f"a deriving process answered {head[:80]!r}")
    try:
        values = json.loads(head)
        body_bytes = values.pop("body_bytes")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise Garbled(f"a deriving process answered {head[:80]!r}") from error
    if not isinstance(body_bytes, int) or not 0 <= body_bytes <= INLINE_BYTES:
        raise Garbled(f"a deriving process announced {body_bytes!r} bytes")
    return values, body_bytes


def pack_error(error: BaseException) -> dict[str, Any]:
    """*error* as values: a fault or an ``OSError`` comes out of :func:`unpack_error` as it went in."""
    if isinstance(error, Fault):
        return {"fault": type(error).__name__, **error.__dict__}
    if isinstance(error, OSError) and error.errno is not None:
        return {"errno": error.errno, "path": None if error.filename is None else os.fspath(error.filename)}
    return {"unexpected": f"{type(error).__name__}: {error}"[:2000]}


def unpack_error(values: dict[str, Any]) -> Fault | OSError | None:
    """The error that *values* are, or ``None`` where they are none this house knows."""
    if isinstance(number := values.get("errno"), int):
        return OSError(number, os.strerror(number), values.get("path"))
    kind = getattr(errors, str(values.get("fault")), None)
    if not (isinstance(kind, type) and issubclass(kind, Fault)):
        return None
    fault = kind(str(values.get("detail", "")))
    for name, wanted in (("position", int), ("expected", str), ("retry_after", int)):
        if isinstance(values.get(name), wanted):
            setattr(fault, name, values[name])
    return fault
