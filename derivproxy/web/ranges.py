"""Byte ranges (RFC 9110, 14): one range is honoured, several are answered with the whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

# 1-19 digits: a number that an honest client can mean, read in constant time.
_ONE = re.compile(rb"bytes[ \t]*=[ \t]*(?:([0-9]{1,19})-([0-9]{1,19})?|-([0-9]{1,19}))[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Slice:
    """The bytes from *start* up to but not including *stop*."""

    start: int
    stop: int


class Unsatisfiable(Exception):
    """The range asked for has no byte of the object in it."""


def select(field: bytes, size: int) -> Slice | None:
    """What ``Range: field`` selects of *size* bytes; ``None`` where the whole is to be sent.

    Other units, several ranges and nonsense are ignored, as RFC 9110 has it. Raises ``Unsatisfiable``.
    """
    match = _ONE.fullmatch(field)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        wanted = int(suffix)
        if wanted == 0 or size == 0:
            raise Unsatisfiable
        return Slice(max(0, size - wanted), size)
    start = int(first)
    if last is not None and int(last) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return Slice(start, size if last is None else min(size, int(last) + 1))
