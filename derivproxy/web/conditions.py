"""Entity tags and the conditions on them (RFC 9110, 8.8.3 and 13.1)."""

from __future__ import annotations

import re

# entity-tag = [ %s"W/" ] DQUOTE *etagc DQUOTE ; etagc = %x21 / %x23-7E / obs-text
_TAG = re.compile(rb'[ \t]*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|$)')


def etag(name: str, version: int) -> bytes:
    """The strong tag of *name* as made by derivation *version* (0: a base, which no version changes).

    A tag is compared under one URL only; the first quarter of the ident keeps it short and still tells images apart.
    """
    shown = name[:16] + name[64:]
    return f'"{shown};{version}"'.encode("ascii") if version else f'"{shown}"'.encode("ascii")


def tags(field: bytes) -> list[bytes]:
    """The tags of a list, in order; members that are no tags end the list, so that nonsense matches nothing."""
    found: list[bytes] = []
    position = 0
    while position < len(field):
        if field[position] in b", \t":  # empty members are legal (5.6.1)
            position += 1
            continue
        match = _TAG.match(field, position)
        if match is None:
            break
        found.append(match[1])
        position = match.end()
    return found


def matches_weakly(field: bytes, tag: bytes) -> bool:
    """Whether ``If-None-Match: field`` names *tag*. ``*`` is not decided here: it asks whether anything is there."""
    if field == tag:
        return True
    if b'"' not in field:
        return False
    return any(other.removeprefix(b"W/") == tag for other in tags(field))


def matches_strongly(field: bytes, tag: bytes) -> bool:
    """Whether ``If-Match: field`` names *tag*, weak ones never; ``*`` matches whatever is there."""
    return field.strip() == b"*" or tag in tags(field)
