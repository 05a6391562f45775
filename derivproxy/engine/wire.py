"""What crosses the engine's socket, beside faults: answers as headers and bytes, images as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derivproxy.delivery.answers import Found
from derivproxy.domain.images import ColourProfile, Facts, Image, Visibility
from derivproxy.updates import Spooled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from derivproxy.delivery.answers import Answer

SIZE, MD5, VERSION, FOUND = "content-length", "x-md5", "x-version", "x-found"


def answer_headers(answer: Answer) -> dict[str, str]:
    """Everything of *answer* but its bytes."""
    return {
        "content-type": answer.media_type,
        SIZE: str(answer.size),
        MD5: answer.md5,
        VERSION: str(answer.version),
        FOUND: answer.found.value,
    }


def answer_values(headers: Mapping[str, str]) -> dict[str, Any]:
    """The inverse: the values of an ``Answer`` beside its body."""
    return {
        "media_type": headers["content-type"],
        "size": int(headers[SIZE]),
        "md5": headers[MD5],
        "version": int(headers[VERSION]),
        "found": Found(headers[FOUND]),
    }


def pack_image(image: Image) -> dict[str, Any]:
    """*image* as JSON can say it."""
    return asdict(image)


def unpack_image(document: Mapping[str, Any]) -> Image:
    """The inverse."""
    facts = dict(document["facts"])
    facts["profile"] = ColourProfile(facts["profile"])
    values = {**document, "facts": Facts(**facts), "tags": tuple(document["tags"])}
    values["visibility"] = Visibility(values["visibility"])
    return Image(**values)


def pack_upload(spooled: Spooled, *, title: str, tags: Sequence[str], path: str) -> dict[str, Any]:
    """An upload in a worker's spool, and what is said of it. The file stays the worker's."""
    upload = {"path": str(spooled.path), "ident": spooled.ident, "md5": spooled.md5, "bytes": spooled.bytes}
    return {"spooled": upload, "title": title, "tags": list(tags), "path": path}


def unpack_upload(document: Mapping[str, Any]) -> tuple[Spooled, dict[str, Any]]:
    """The inverse: the upload, and what is said of it as the arguments of ``Updates.add``."""
    upload = document["spooled"]
    spooled = Spooled(path=Path(upload["path"]), ident=upload["ident"], md5=upload["md5"], bytes=upload["bytes"])
    return spooled, {"title": document["title"], "tags": tuple(document["tags"]), "path": document["path"]}
