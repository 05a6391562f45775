"""What people say of an image, held to what a page, a log line and a listing can carry."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from derivproxy.domain.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

TITLE_CHARACTERS = 500
TAG_CHARACTERS = 100
TAGS = 100
PATH_CHARACTERS = 1_000
PATH_PARTS = 32

# Controls, lone surrogates and what turns a line's direction around: nothing a page could show as it was meant.
_UNFIT = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A title, tags and a path that were checked; empty ones say nothing."""

    title: str = ""
    tags: tuple[str, ...] = ()
    path: str = ""

    @classmethod
    def check(cls, *, title: str = "", tags: Sequence[str] = (), path: str = "") -> Said:
        """Without the blanks around each, the slashes around a path, and tags said twice.

        Raises ``BadRequest`` naming the field.
        """
        title = title.strip()
        parts = [part.strip() for part in path.strip().strip("/").split("/")]
        path = "/".join(parts)
        tags = tuple(dict.fromkeys(tag.strip() for tag in tags))
        _text("title", title, TITLE_CHARACTERS)
        _text("path", path, PATH_CHARACTERS)
        for tag in tags:
            if not tag:
                raise BadRequest("tag= is empty; leave it out, or say a word")
            _text("tag", tag, TAG_CHARACTERS)
        if len(tags) > TAGS:
            raise BadRequest(f"tag= is given {len(tags)} times; an image has at most {TAGS} tags")
        if len(parts) > PATH_PARTS:
            raise BadRequest(f"path= has {len(parts)} parts; it has at most {PATH_PARTS}")
        if path and any(part in ("", ".", "..") for part in parts):
            raise BadRequest(f"path={path[:80]!r} has a part that is empty, . or ..; name folders like a/b/c")
        return cls(title=title, tags=tags, path=path)


def _text(field: str, value: str, longest: int) -> None:
    if len(value) > longest:
        raise BadRequest(f"{field}= has {len(value)} characters; it has at most {longest}")
    for character in value:
        if unicodedata.category(character) in _UNFIT or character in _TURNING:
            raise BadRequest(f"{field}= has the control character {character!a}; leave it out")
