"""Where a key lies below the container's root, and which key lies there.

    IDENT…            aa/bb/IDENT/IDENT…       fanned out by the ident's first four digits; a purge is one folder
    anything else     at its own path

Names that begin with a dot are ours: ``.NAME.meta`` beside each object, and the root's marker, locks and drafts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

IDENT_BYTES = 64
_IDENT = re.compile(r"[0-9a-f]{64}")
_FAN_OUT = re.compile(r"[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Place:
    """The absolute paths of one object: the file with its bytes, the one with its metadata, the folder of both."""

    key: str
    folder: str
    data: str
    sidecar: str


def begins_with_ident(text: str) -> bool:
    """Whether the first 64 characters are an ident."""
    return _IDENT.match(text) is not None


def is_fan_out(segment: str) -> bool:
    """Whether a folder of this name holds idents that begin with it."""
    return _FAN_OUT.fullmatch(segment) is not None


def place(root: str, key: str) -> Place:
    """Where *key*, which is a legal key, lies below *root*."""
    fan = f"{key[:2]}/{key[2:4]}/{key[:IDENT_BYTES]}/" if begins_with_ident(key) else ""
    path = f"{root}/{fan}{key}"
    folder, _, name = path.rpartition("/")
    return Place(key, folder, path, f"{folder}/{sidecar_name(name)}")


def sidecar_name(name: str) -> str:
    """The file beside *name* that keeps its metadata."""
    return f".{name}.meta"


def sidecar_owner(name: str) -> str | None:
    """The file whose metadata *name* keeps, or ``None`` where it is no such file."""
    return name[1:-5] if name.startswith(".") and name.endswith(".meta") and len(name) > len("..meta") else None


def key_at(path: str) -> str:
    """The key that would lie at *path*, relative to the root."""
    segments = path.split("/")
    return "/".join(segments[3:]) if len(segments) > 1 and is_fan_out(segments[0]) else path
